"""Templates: from the variables of a pair to the documents that are applied."""
