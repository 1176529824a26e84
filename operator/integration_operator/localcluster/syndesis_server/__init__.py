"""A stand-in for Syndesis's server: a simulation, for tests and the demo, of what its REST API does with connections.

No build of that server can be had. This one was written from what was read in its source and seen on a running 1.13.2,
and keeps the traps: a client that is careless about any of them fails a test here instead of losing a connection there.
"""

from integration_operator.localcluster.syndesis_server.server import Request, SyndesisServer

__all__ = ["Request", "SyndesisServer"]
