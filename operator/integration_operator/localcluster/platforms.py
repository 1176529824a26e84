"""EnMasse and Syndesis as far as this machine has them: stand-ins for their kinds, and simulations of what they do."""

from __future__ import annotations

from integration_operator.localcluster.kinds import install_kinds, install_platform_kinds, platform_definitions

__all__ = ["install_kinds", "install_platform_kinds", "platform_definitions"]
