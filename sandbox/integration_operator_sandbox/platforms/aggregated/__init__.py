"""A SIMULATION of EnMasse's aggregated API server, which releases up to 0.30 have.

It registers with a real kube-apiserver and behaves as that server does, by release, because a client that ignores any
of this loses users: nothing can be watched, a forbidden request is answered with 401, passwords are accepted and never
returned, metadata is dropped, and one user in Keycloak that it cannot read makes the LIST of all fail. AddressSpaces
are in ConfigMaps, users in Keycloak.
"""
