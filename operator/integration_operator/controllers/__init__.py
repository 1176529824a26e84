"""The two controllers: one for pairs of an AddressSpace and a Syndesis, one for Connection resources."""
