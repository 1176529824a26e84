"""A SIMULATION of a Syndesis server, for tests and the demo: it keeps connections and integrates nothing.

No artifact of Syndesis is published that a test could start, so this server was written from what is known of its REST
API and from answers recorded on a release 1.13.2; a test replays the recording. What a careless client could stumble
over is here on purpose: this server is as unpleasant as the real one, and never more helpful.
"""

from integration_operator_sandbox.platforms.syndesis_server.journal import Request
from integration_operator_sandbox.platforms.syndesis_server.server import SyndesisServer
from integration_operator_sandbox.platforms.syndesis_server.stage import Stage

__all__ = ["Request", "Stage", "SyndesisServer"]
