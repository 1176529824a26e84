"""The part of Syndesis's REST API that concerns connections, below ``/api/v1``."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

from integration_operator_sandbox.platforms.syndesis_server import answers, model
from integration_operator_sandbox.platforms.syndesis_server.answers import NOT_ACCEPTABLE, Refused, as_json, empty
from integration_operator_sandbox.platforms.syndesis_server.connections import Connections
from integration_operator_sandbox.platforms.syndesis_server.connectors import Connectors
from integration_operator_sandbox.platforms.syndesis_server.database import Connection, Database
from integration_operator_sandbox.platforms.syndesis_server.encryption import Encryption
from integration_operator_sandbox.platforms.syndesis_server.listing import CONNECTIONS, CONNECTORS, Listed, page_of
from integration_operator_sandbox.platforms.syndesis_server.release import Release
from integration_operator_sandbox.platforms.syndesis_server.stage import Stage

BASE = "/api/v1"
USER, TOKEN, XSRF = "X-Forwarded-User", "X-Forwarded-Access-Token", "SYNDESIS-XSRF-TOKEN"
WRITES = ("POST", "PUT", "PATCH", "DELETE")
WITH_BODY = ("POST", "PUT", "PATCH")
UNVERIFIED = [
    {
        "status": "ERROR",
        "scope": "CONNECTIVITY",
        "errors": [{"code": "SYNDESIS000", "description": "Unable to perform verification"}],
    }
]


class Api:
    """The calls of the API, answered as the server does."""

    def __init__(
        self,
        release: Release,
        database: Database,
        connectors: Connectors,
        encryption: Encryption,
    ) -> None:
        self.stage = Stage.COMPLETE
        self.verifier_answer: list[Any] | None = None
        self.verified: list[dict[str, str | None]] = []
        self._release = release
        self._database = database
        self._connectors = connectors
        self._encryption = encryption
        self._connections = Connections(database, connectors, encryption)

    def routes(self) -> list[web.RouteDef]:
        """Return the routes. The empty id of ``/connections/`` is the list, which cannot be deleted."""
        routes = [
            web.get(f"{BASE}/version", self.version),
            web.post(f"{BASE}/connections/validation", self.validate),
            web.get(f"{BASE}/connections/{{id}}", self.get, allow_head=False),
            web.put(f"{BASE}/connections/{{id}}", self.put),
            web.patch(f"{BASE}/connections/{{id}}", self.patch),
            web.delete(f"{BASE}/connections/{{id}}", self.delete),
            web.get(f"{BASE}/connections/{{id}}/bulletins", self.bulletins, allow_head=False),
            web.get(f"{BASE}/connectors", self.list_connectors, allow_head=False),
            web.get(f"{BASE}/connectors/{{id}}", self.connector, allow_head=False),
            web.post(f"{BASE}/connectors/{{id}}/verifier", self.verify),
        ]
        for path in (f"{BASE}/connections", f"{BASE}/connections/"):
            routes += [web.get(path, self.list_connections, allow_head=False), web.post(path, self.create)]
        if self._release.has_public_properties:
            routes.append(web.post(f"{BASE}/public/connections/{{id}}/properties", self.set_properties))
        return routes

    @web.middleware
    async def answer_refusals(self, request: web.Request, handler: Any) -> web.StreamResponse:
        """Check what precedes any call, and turn ``Refused`` into its answer."""
        try:
            if request.path != f"{BASE}/version":
                _authenticate(request)
            found = request.match_info.http_exception
            if self.stage is Stage.NO_PATHS:
                found = web.HTTPNotFound()
            if found is None:
                _negotiate(request)
            elif found.status == 405:
                said = f"RESTEASY003650: No resource method found for {request.method}, return 405 with Allow header"
                raise answers.rest_error(405, NOT_ACCEPTABLE, said)
            else:
                said = f"RESTEASY003210: Could not find resource for full path: {request.url}"
                raise answers.rest_error(404, NOT_ACCEPTABLE, said)
            response: web.StreamResponse = await handler(request)
        except Refused as refused:
            return empty(refused.status) if refused.body is None else as_json(refused.body, refused.status)
        return response

    async def version(self, request: web.Request) -> web.Response:
        """Return the release; this call needs no user."""
        if request.headers.get("Accept", "").startswith("text/plain"):
            text = {"Content-Type": "text/plain;charset=UTF-8"}
            return web.Response(body=self._release.name.encode(), headers=text)
        return as_json({"camelversion": "2.23.2", "build-time": "00:00:00.000+0000", "version": self._release.name})

    async def list_connections(self, request: web.Request) -> web.Response:
        """Return a page of the connections in the database."""
        return self._page(request, self._database.all(), CONNECTIONS)

    async def get(self, request: web.Request) -> web.Response:
        """Return a connection by its id, never by its name, from the cache."""
        found = self._connections.existing(request.match_info["id"])
        return as_json(model.show_connection(self._connections.overview(found)))

    async def create(self, request: web.Request) -> web.Response:
        """Create a connection. The answer has neither connector nor board."""
        connection = await self._connection(request)
        created = await self._connections.create(connection, request.headers[USER])
        return as_json(model.show_connection(created))

    async def put(self, request: web.Request) -> web.Response:
        """Replace the connection that the body names; the path does not matter."""
        await self._connections.replace(await self._connection(request))
        return empty()

    async def patch(self, request: web.Request) -> web.Response:
        """Apply a merge patch, sent with the content type of plain JSON."""
        existing = self._connections.existing(request.match_info["id"])
        text = await request.text()
        patched = merge_patch(model.show_connection(existing), model.parse(text))
        connection = model.read_connection(patched, json.dumps(patched), self._release)
        await self._connections.replace_patched(connection)
        return empty()

    async def delete(self, request: web.Request) -> web.Response:
        """Delete a connection; succeed even if it does not exist."""
        self._database.delete(request.match_info["id"])
        return empty()

    async def validate(self, request: web.Request) -> web.Response:
        """Check whether a connection could be created."""
        self._connections.validate(await self._connection(request))
        return empty()

    async def bulletins(self, request: web.Request) -> web.Response:
        """Look for the board that has the *connection's* id, which no board has."""
        return as_json({"createdAt": 0, "updatedAt": 0})

    async def set_properties(self, request: web.Request) -> web.Response:
        """Change some properties of a connection, by name or id."""
        if self._release.requires_refresh_integrations and "refreshIntegrations" not in request.query:
            # The parameter's name is misspelt by the server.
            raise answers.violation("NotNull", "Value is required", "configureConnection.refeshIntegrations")
        name_or_id = request.match_info["id"]
        connection = self._connections.by_name_or_id(name_or_id)
        if connection is None:
            raise answers.rest_error(404, NOT_ACCEPTABLE, f"Missing connection with name/id {name_or_id}")
        text = await request.text()
        await self._connections.set_properties(connection, model.read_properties(model.parse(text), text))
        changed = self._connections.existing(connection["id"])
        return as_json(model.show_connection(self._connections.overview(changed)))

    async def list_connectors(self, request: web.Request) -> web.Response:
        """Return a page of the connectors."""
        return self._page(request, self._connectors.all(), CONNECTORS)

    async def connector(self, request: web.Request) -> web.Response:
        """Return the definition of one connector."""
        found = self._connectors.get(request.match_info["id"])
        if found is None:
            raise answers.not_found()
        return as_json(model.show(found))

    async def verify(self, request: web.Request) -> web.Response:
        """Return the answer of the backend that verifies properties; 200 also if there is no backend."""
        text = await request.text()
        given = model.read_properties(model.parse(text), text) if text else {}
        decrypted = {name: None if value is None else self._encryption.decrypt(value) for name, value in given.items()}
        self.verified.append(decrypted)
        return as_json(UNVERIFIED if self.verifier_answer is None else self.verifier_answer)

    async def _connection(self, request: web.Request) -> Connection:
        text = await request.text()
        return model.read_connection(model.parse(text), text, self._release)

    def _page(self, request: web.Request, documents: list[dict[str, Any]], listed: Listed) -> web.Response:
        page = page_of(documents, request.query, listed)
        if listed is CONNECTIONS:
            items = [model.show_connection(self._connections.overview(document)) for document in page.items]
        else:
            items = [model.show(document) for document in page.items]
        total = page.matched if self._release.counts_all_pages else len(items)
        return as_json({"totalCount": total} | ({"items": items} if items else {}))


def merge_patch(document: Any, patch: Any) -> Any:
    """Return a document changed by a merge patch (RFC 7396)."""
    if not isinstance(patch, dict):
        return patch
    merged = dict(document) if isinstance(document, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = merge_patch(merged.get(name), value)
    return merged


def _authenticate(request: web.Request) -> None:
    """Refuse a request without the headers that the proxy sets. Their values are not checked."""
    if not request.headers.get(USER) or (request.method in WRITES and not request.headers.get(XSRF)):
        raise answers.forbidden(request.path)
    if not request.headers.get(TOKEN):
        raise Refused(401, None)


def _negotiate(request: web.Request) -> None:
    """Refuse content types other than JSON, that of a merge patch included."""
    if request.method in WITH_BODY and request.content_type != "application/json":
        raise answers.rest_error(415, NOT_ACCEPTABLE, "RESTEASY003065: Cannot consume content type")
    accepted = [part.split(";")[0].strip() for part in request.headers.get("Accept", "*/*").split(",")]
    offered = ["application/json", "application/*", "*/*"]
    if request.path == f"{BASE}/version":
        offered += ["text/plain", "text/*"]
    if request.method in ("GET", "POST") and not set(accepted) & set(offered):
        raise answers.rest_error(406, NOT_ACCEPTABLE, "RESTEASY003635: No match for accept header")
