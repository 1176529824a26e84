"""Errors of the sandbox.

SandboxError            the sandbox cannot do what was asked
  BinariesMissing       KUBEBUILDER_ASSETS lacks a program
  ToolchainMissing      Go, Java or Maven is missing or too old
  BuildFailed           Go or Maven failed
  InUse                 another process runs the control plane of this directory
  StartFailed           a component ended, or was not ready in time
    PortTaken           another process took the port; another port helps
"""

from __future__ import annotations


class SandboxError(Exception):
    """The sandbox cannot do what was asked.

    ``message`` is one line for the user. ``detail`` has the lines that a program printed about it, if any.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(f"{message}\n{detail}" if detail else message)
        self.message = message
        self.detail = detail


class BinariesMissing(SandboxError):
    """The directory that should have the programs lacks some."""


class ToolchainMissing(SandboxError):
    """A program that builds or fetches others is missing or too old."""


class BuildFailed(SandboxError):
    """The programs could not be built or fetched."""


class InUse(SandboxError):
    """Another process runs a control plane in the directory."""


class StartFailed(SandboxError):
    """A component ended, or was not ready in time."""


class PortTaken(StartFailed):
    """Another process took a component's port between its choice and its use."""
