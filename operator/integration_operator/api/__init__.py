"""The public API: the kinds of the operator and all public names."""
