"""A stand-in for the API server that EnMasse brought up to 0.30, to be registered with a real kube-apiserver.

It has that server's ways by release, because a client that is careless about any of them loses users: nothing can be
watched, what is forbidden is answered with 401, passwords are taken and never shown, metadata is dropped, and one user
in Keycloak that it cannot read makes the list of all fail. AddressSpaces are in ConfigMaps, users in Keycloak.
"""
