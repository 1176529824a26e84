"""AddressSpaces and Syndesis instances of all releases, normalised to one model each.

The sources are the kinds, watched or polled, and the ConfigMaps in which EnMasse stored AddressSpaces up to 0.30. The
models are in ``domain.model.platforms``.
"""
