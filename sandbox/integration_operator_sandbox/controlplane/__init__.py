"""A control plane on this machine: etcd, kube-apiserver and three controllers, as processes on loopback."""

from __future__ import annotations

from integration_operator_sandbox.controlplane.binaries import API_SERVER, CONTROLLER_MANAGER, ETCD, PROGRAMS
from integration_operator_sandbox.controlplane.controlplane import Companion, ControlPlane
from integration_operator_sandbox.controlplane.users import SERVICE_ACCOUNT, USERS, User

__all__ = [
    "API_SERVER",
    "CONTROLLER_MANAGER",
    "ETCD",
    "PROGRAMS",
    "SERVICE_ACCOUNT",
    "USERS",
    "Companion",
    "ControlPlane",
    "User",
]
