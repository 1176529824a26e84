"""The server as tests and the demo have it: started on this machine, watched, and made to fail."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from integration_operator.localcluster.syndesis_server.api import Api
from integration_operator.localcluster.syndesis_server.ciphers import decrypted, encrypted
from integration_operator.localcluster.syndesis_server.connectors import amqp, built_in, built_in_connections
from integration_operator.localcluster.syndesis_server.database import Database, Document

PREFIX = "/api/v1"


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came in, and how it was answered; ``status`` 0 is no answer at all."""

    method: str
    path: str
    headers: dict[str, str] = field(repr=False)
    body: Any = field(repr=False)
    status: int = 200


@dataclass(slots=True)
class Fault:
    """What some requests are answered with instead."""

    times: int
    status: int
    body: bytes
    content_type: str
    method: str | None
    path_prefix: str | None
    after: bool

    def matches(self, request: web.Request) -> bool:
        """Whether this request is one of them."""
        path = request.path.removeprefix(PREFIX)
        return (
            self.times > 0
            and self.method in (None, request.method)
            and (self.path_prefix is None or path.startswith(self.path_prefix))
        )


class SyndesisServer:
    """One server; ``url`` is what the API is below of, ``requests`` is all that came in."""

    def __init__(self, release: str = "1.13.2", connectors: Iterable[Document] | None = None) -> None:
        self.url = ""
        self.release = release
        self.requests: list[Request] = []
        self._faults: list[Fault] = []
        self._builtin = {connection["id"] for connection in built_in_connections()}
        self._database = Database(built_in_connections())
        known = list(connectors) if connectors is not None else [amqp(self._minor()), *built_in()]
        self._api = Api(self._database, {connector["id"]: connector for connector in known}, self._minor)

    @classmethod
    @asynccontextmanager
    async def running(
        cls,
        *,
        port: int = 0,
        host: str = "127.0.0.1",
        release: str = "1.13.2",
        connectors: Iterable[Document] | None = None,
    ) -> AsyncIterator[SyndesisServer]:
        """Serve until left; port 0 takes a free one."""
        server = cls(release, connectors)
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", server._answer)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port).start()
            server.url = f"http://{host}:{runner.addresses[0][1]}"
            yield server
        finally:
            await runner.cleanup()

    @property
    def verifier_answer(self) -> list[Document] | None:
        """What the verifier answers; None where the service behind it is away."""
        return self._api.verifier_answer

    @verifier_answer.setter
    def verifier_answer(self, results: list[Document] | None) -> None:
        self._api.verifier_answer = results

    @property
    def verified(self) -> list[dict[str, str]]:
        """The properties that the verifier was given, in clear."""
        return self._api.verified

    def stored(self) -> dict[str, Document]:
        """What is in the database, without what every Syndesis has."""
        return {row["id"]: row for row in self._database.rows() if row["id"] not in self._builtin}

    def password(self, connection_id: str) -> str | None:
        """The password of a stored connection, in clear."""
        properties = self.stored()[connection_id].get("configuredProperties") or {}
        return decrypted(properties["password"]) if "password" in properties else None

    def put_stored(self, connection: Document) -> None:
        """Put a connection into the database as a person would through the user interface."""
        properties = dict(connection.get("configuredProperties") or {})
        if "password" in properties:
            properties["password"] = encrypted(properties["password"])
        stored = {"uses": 0, "isDerived": False, **connection, "configuredProperties": properties}
        if not self._database.update(stored):
            self._database.create(stored)

    def take_stored(self, connection_id: str) -> None:
        """Delete a connection as a person would."""
        self._database.delete(connection_id)

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
        """Answer the next matching requests so; ``after``: what they ask for is done first. Status 0 is no answer."""
        data = body.encode() if isinstance(body, str) else body
        self._faults.append(Fault(times, status, data, content_type, method, path_prefix, after))

    def heal(self) -> None:
        """Fail no more."""
        self._faults.clear()

    def _minor(self) -> tuple[int, int]:
        major, minor, *_ = self.release.split(".")
        return int(major), int(minor)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        fault = next((f for f in self._faults if f.matches(request)), None)
        response: web.StreamResponse | None = None
        if fault is None or fault.after:
            response = await self._api.handle(request, request.raw_path.partition("?")[0].removeprefix(PREFIX))
        if fault is not None:
            fault.times -= 1
            response = web.Response(status=fault.status or 500, body=fault.body, content_type=fault.content_type)
        assert response is not None
        status = 0 if fault is not None and fault.status == 0 else response.status
        headers, body = dict(request.headers), _parsed(await request.read())
        self.requests.append(Request(request.method, str(request.rel_url), headers, body, status))
        if status == 0 and request.transport is not None:
            request.transport.close()
        return response


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None
