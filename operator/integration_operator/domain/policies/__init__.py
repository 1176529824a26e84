"""The rules of the domain: each a pure function that answers a question about a pair, with a reason."""
