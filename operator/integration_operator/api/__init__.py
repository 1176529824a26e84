"""The contract: the kinds that the operator serves, and every name that others can see."""
