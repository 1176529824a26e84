"""AddressSpaces and Syndesis instances as the cluster shows them, normalised to one model each.

A source turns what it reads into ``domain.platforms``. The watched kinds (EnMasse ≥ 0.31, every Syndesis) are here;
a polled or a ConfigMap source feeds the same model.
"""
