"""A real Keycloak on this machine, for tests and the demo: the one platform that can be had without its cluster.

EnMasse keeps its users in a Keycloak. What the Keycloak delivery promises is tried against this one, and whether a
user can log in is asked here, of the program that decides it in production too.
"""

from integration_operator_sandbox.platforms.keycloak.server import Keycloak

__all__ = ["Keycloak"]
