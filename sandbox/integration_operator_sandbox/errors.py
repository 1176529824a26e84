"""What can go wrong with a control plane on this machine, each in one line that a person understands."""

from __future__ import annotations


class LocalClusterError(Exception):
    """The control plane cannot do what was asked.

    ``message`` is one line. ``detail`` are lines of what a program said about it, where one said anything.
    """

    def __init__(self, message: str, detail: str = "") -> None:
        super().__init__(f"{message}\n{detail}" if detail else message)
        self.message = message
        self.detail = detail


class BinariesMissing(LocalClusterError):
    """The programs of the control plane are not where they were said to be."""


class ToolchainMissing(LocalClusterError):
    """There is no Go that can build the programs."""


class BuildFailed(LocalClusterError):
    """Go could not build the programs."""


class InUse(LocalClusterError):
    """Another process runs a control plane in the directory."""


class StartFailed(LocalClusterError):
    """A component ended, or was not ready in time."""


class PortTaken(StartFailed):
    """Somebody took a component's port between its choice and its use. Another port helps."""
