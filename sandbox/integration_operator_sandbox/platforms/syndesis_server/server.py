"""The simulated Syndesis for tests: start it, store connections, inject faults, read what it has stored."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from integration_operator_sandbox.platforms.syndesis_server.api import Api
from integration_operator_sandbox.platforms.syndesis_server.connectors import Connectors, Document, built_in_connections
from integration_operator_sandbox.platforms.syndesis_server.database import Database
from integration_operator_sandbox.platforms.syndesis_server.encryption import Encryption
from integration_operator_sandbox.platforms.syndesis_server.journal import Fault, Journal, Request
from integration_operator_sandbox.platforms.syndesis_server.release import Release
from integration_operator_sandbox.platforms.syndesis_server.stage import Stage

PATIENCE = 0.2
"""Seconds for requests in flight when the server stops."""


class SyndesisServer:
    """A SIMULATION of a Syndesis server. ``url`` is where it listens; its API is below ``/api/v1``."""

    def __init__(
        self, release: str, connectors: list[Document] | None = None, connections: list[Document] | None = None
    ) -> None:
        self.url = ""
        self.release = release
        known = Release(release)
        self._journal = Journal()
        self._database = Database()
        self._connectors = Connectors(known, connectors)
        self._encryption = Encryption()
        self._api = Api(known, self._database, self._connectors, self._encryption)
        self._built_in = built_in_connections() if connections is None else connections
        for connection in self._built_in:
            self._database.put(connection)

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        release: str = "1.13.2",
        connectors: list[dict[str, Any]] | None = None,
        built_in: list[dict[str, Any]] | None = None,
    ) -> AsyncIterator[SyndesisServer]:
        """Run a server during the block. Port 0: any free port.

        ``connectors`` and ``built_in`` replace the reduced AMQP connector and the connections of a new database.
        """
        server = cls(release, connectors, built_in)
        app = web.Application(middlewares=[server._record, server._api.answer_refusals])
        app.add_routes(server._api.routes())
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=PATIENCE)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            server.url = f"http://{host}:{runner.addresses[0][1]}"
            yield server
        finally:
            await runner.cleanup()

    @property
    def requests(self) -> list[Request]:
        """All requests received, in order."""
        return self._journal.requests

    @property
    def verifier_answer(self) -> list[Any] | None:
        """Answer of the backend that verifies properties; None if there is no backend."""
        return self._api.verifier_answer

    @verifier_answer.setter
    def verifier_answer(self, answer: list[Any] | None) -> None:
        self._api.verifier_answer = answer

    @property
    def verified(self) -> list[dict[str, str | None]]:
        """Properties that were sent to be verified, decrypted."""
        return self._api.verified

    @property
    def cache_keeps_deleted(self) -> bool:
        """True if a deleted connection is still returned by its id, until it is deleted once more."""
        return self._database.cache_keeps_deleted

    @cache_keeps_deleted.setter
    def cache_keeps_deleted(self, keeps: bool) -> None:
        self._database.cache_keeps_deleted = keeps

    @property
    def stage(self) -> Stage:
        """How far the start of the server is."""
        return self._api.stage

    @stage.setter
    def stage(self, stage: Stage) -> None:
        self._api.stage = stage
        self._connectors.loaded = stage is Stage.COMPLETE
        if self._connectors.loaded:
            for connection in self._built_in:
                if connection["id"] not in self._database.rows:
                    self._database.put(connection)

    def install_anew(self) -> None:
        """Replace this Syndesis by one that starts, with an empty database and another key."""
        self._database.rows.clear()
        self._database.cache.clear()
        self._encryption.renew()
        self.stage = Stage.NO_PATHS

    def stored(self) -> dict[str, dict[str, Any]]:
        """Return the connections in the database by id, as they are stored, without the built-in ones."""
        built_in = {connection["id"] for connection in self._built_in}
        return {id_: copy.deepcopy(row) for id_, row in self._database.rows.items() if id_ not in built_in}

    def password(self, connection_id: str) -> str | None:
        """Return the password in plain text, which no client can read; None if there is none that can be decrypted."""
        value = self._database.rows.get(connection_id, {}).get("configuredProperties", {}).get("password")
        return None if value is None else self._encryption.decrypt(value)

    def put_stored(self, connection: dict[str, Any]) -> None:
        """Store a connection with encrypted secrets, even if its name is taken.

        ``uses`` is stored as given, which no request can do.
        """
        stored = copy.deepcopy(connection)
        if properties := stored.get("configuredProperties"):
            secret = self._connectors.secrets(stored.get("connectorId"))
            stored["configuredProperties"] = self._encryption.encrypt_secrets(properties, secret)
        self._database.put(stored)

    def forget(self) -> None:
        """Empty the cache, as a restart does."""
        self._database.cache.clear()

    def fail(
        self,
        *,
        times: int,
        status: int = 500,
        body: bytes | str = b"",
        content_type: str = "application/json",
        method: str | None = None,
        path_prefix: str | None = None,
        after: bool = False,
    ) -> None:
        """Answer the next ``times`` matching requests with this status; 0 closes the connection instead.

        ``after``: the request takes effect, and only its answer is lost. ``path_prefix`` begins with ``/api/v1``.
        """
        encoded = body.encode() if isinstance(body, str) else body
        fault = Fault(times, status, encoded, content_type, method, path_prefix, after)
        self._journal.faults.append(fault)

    def recover(self) -> None:
        """Remove all faults."""
        self._journal.faults.clear()

    @web.middleware
    async def _record(self, request: web.Request, handler: Any) -> web.StreamResponse:
        record = Request(request.method, request.path_qs, dict(request.headers), _json(await request.text()))
        self._journal.requests.append(record)
        fault = self._journal.fault_for(record)
        if fault is None:
            response: web.StreamResponse = await handler(request)
            record.status = response.status
            return response
        if fault.after:
            await handler(request)
        spoilt = fault.answer()
        if spoilt is None:
            if request.transport is not None:
                request.transport.close()
            return web.Response()
        record.status = spoilt.status
        return spoilt


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
