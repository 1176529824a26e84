"""A SIMULATION of a Syndesis server: it stores connections and integrates nothing.

No artifact of Syndesis is published that a test could start, so this server was written from its REST API and from
answers recorded on release 1.13.2; a test replays the recording. Its quirks are deliberate: it is as unpleasant as the
real server, and never more helpful.
"""

from __future__ import annotations

from integration_operator_sandbox.platforms.syndesis_server.journal import Request
from integration_operator_sandbox.platforms.syndesis_server.server import SyndesisServer
from integration_operator_sandbox.platforms.syndesis_server.stage import Stage

__all__ = ["Request", "Stage", "SyndesisServer"]
