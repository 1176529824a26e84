"""Templates that render the variables of a pair to the documents that are applied."""
