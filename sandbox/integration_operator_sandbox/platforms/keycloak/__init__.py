"""A real Keycloak on this machine: the one platform that runs without a cluster.

EnMasse keeps its users in a Keycloak. Tests of the Keycloak delivery use this one, and ask it whether a user can log
in, as in production.
"""

from __future__ import annotations

from integration_operator_sandbox.platforms.keycloak.server import Keycloak

__all__ = ["Keycloak"]
