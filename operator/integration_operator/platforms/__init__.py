"""AddressSpaces and Syndesis instances as the cluster shows them, normalised to one model each.

A source turns what it reads into ``domain.platforms``: the kinds, watched or polled, and the ConfigMaps in which
EnMasse kept AddressSpaces up to 0.30.
"""
