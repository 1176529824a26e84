"""The REST API below ``/api/v1``: connections, connectors, and the public call for properties.

Handlers are in the order of facts that a client has to get right; each refusal is the one that was recorded or read.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from integration_operator.localcluster.syndesis_server.answers import (
    CHECK_PARAMETERS,
    FILE_A_BUG,
    NOT_ACCEPTABLE,
    Refusal,
    answer,
    argument,
    internal,
    missing,
    not_found,
    not_unique,
    rest_error,
)
from integration_operator.localcluster.syndesis_server.ciphers import decrypted, encrypted
from integration_operator.localcluster.syndesis_server.database import Database, Document, Exists, InvalidKey

FIELDS = (
    "id", "tags", "name", "configuredProperties", "options", "metadata", "connectorId", "icon", "description", "userId",
    "organization", "organizationId", "connector", "lastUpdated", "createdDate",
)  # fmt: skip
"""What is read of a body; anything else is ignored, ``uses`` and ``isDerived`` among it (ConnectionBase.java:31-66)."""
FILTER = re.compile(r"(?P<property>\w+)(?:(?P<operation>\s*=\s*)(?P<value>[\x20-\x7e]+))?")
FILTERED = ("connectorId", "userId", "description", "icon")
WINDOW = 0.02
"""Seconds between looking whether a name is free and taking it: whoever comes in between is accepted as well."""


class Api:
    """Answers requests from a database; ``verify`` is what stands behind the verifier, None where it is away."""

    def __init__(
        self, database: Database, connectors: Mapping[str, Document], release: Callable[[], tuple[int, int]]
    ) -> None:
        self.verifier_answer: list[Document] | None = None
        self.verified: list[dict[str, str]] = []
        self._database = database
        self._connectors = connectors
        self._release = release

    async def handle(self, request: web.Request, path: str) -> web.Response:
        """Answer one request; ``path`` is what stands behind ``/api/v1``."""
        try:
            return await self._route(request, path)
        except Refusal as refusal:
            return refusal.response

    async def _route(self, request: web.Request, path: str) -> web.Response:
        method = request.method
        if path == "/version" and method == "GET":
            return self._version(request)
        _check_headers(request)
        parts = [unquote(part) for part in path.strip("/").split("/")]
        match [method, *parts]:
            case ["GET", "connections"]:
                return self._list(request.rel_url.query)
            case ["POST", "connections"]:
                return await self._create(request)
            case ["POST", "connections", "validation"]:
                return await self._validate(request)
            case ["DELETE", "connections"]:
                said = "RESTEASY003650: No resource method found for DELETE, return 405 with Allow header"
                raise rest_error(405, NOT_ACCEPTABLE, said)
            case ["GET", "connections", identifier]:
                return answer(200, self._overview(self._existing(identifier)))
            case ["GET", "connections", _, "bulletins"]:
                return answer(200, {"createdAt": 0, "updatedAt": 0})
            case ["PUT", "connections", _]:
                return await self._replace(request)
            case ["PATCH", "connections", identifier]:
                return await self._patch(request, identifier)
            case ["DELETE", "connections", identifier]:
                self._database.delete(identifier)
                return answer(204)
            case ["GET", "connectors"]:
                found = [self._connectors[key] for key in sorted(self._connectors)]
                return answer(200, {"totalCount": len(found), **({"items": found} if found else {})})
            case ["GET", "connectors", identifier]:
                if identifier not in self._connectors:
                    raise not_found()
                return answer(200, self._connectors[identifier])
            case ["POST", "connectors", _, "verifier"]:
                return await self._verify(request)
            case ["POST", "public", "connections", identifier, "properties"] if self._release() >= (1, 6):
                return await self._set_properties(request, identifier)
        where = f"{request.url.scheme}://{request.host}{request.path}"
        raise rest_error(404, NOT_ACCEPTABLE, f"RESTEASY003210: Could not find resource for full path: {where}")

    def _version(self, request: web.Request) -> web.Response:
        release = ".".join(str(part) for part in self._release())
        if request.headers.get("Accept") == "text/plain":
            return web.Response(text=f"{release}.2", content_type="text/plain", charset="UTF-8")
        return answer(200, {"camelversion": "2.23.2", "build-time": "00:00:00.000+0000", "version": f"{release}.2"})

    def _list(self, query: Mapping[str, str]) -> web.Response:
        """A page of connections. ``totalCount`` is the page's, and ``items`` is left out where it is empty."""
        page, size = _number(query, "page", 1, "Page number"), _number(query, "per_page", 20, "Per page")
        found = self._database.rows()
        if sort := query.get("sort"):
            if sort not in FILTERED:
                raise argument(f"Cannot find field {sort} in {JAVA_CONNECTION} as int or String field")
            found.sort(key=lambda row: str(row.get(sort) or ""), reverse=query.get("direction") == "desc")
        for part in (query.get("query") or "").split(","):
            # What does not match as a whole, as a value outside ASCII, is dropped without a word.
            condition = FILTER.fullmatch(part)
            if condition is None or condition["operation"] is None:
                continue
            if condition["operation"] != "=":
                raise argument(f"Unknown filter operation {condition['operation']}")
            if condition["property"] not in FILTERED:
                raise argument(f"Cannot find field {condition['property']} in {JAVA_CONNECTION} as field")
            found = [row for row in found if row.get(condition["property"]) == condition["value"]]
        items = [self._overview(row) for row in found[(page - 1) * size : page * size]]
        return answer(200, {"totalCount": len(items), **({"items": items} if items else {})})

    async def _create(self, request: web.Request) -> web.Response:
        body = await _body(request)
        connection = self._read(body)
        self._check_name(connection.get("name"), None, "create.obj.name")
        await asyncio.sleep(WINDOW)
        now = int(time.time() * 1000)
        connection.setdefault("id", f"i-{secrets.token_urlsafe(15).replace('_', '-')}z")
        connection.update(
            userId=request.headers["X-Forwarded-User"], createdDate=now, lastUpdated=now, uses=0, isDerived=False
        )
        self._encrypt(connection)
        try:
            self._database.create(connection)
        except Exists as error:
            raise internal(f"There already exists a connection with id {error}") from None
        except InvalidKey as error:
            raise _invalid_key(error) from None
        return answer(200, _shown(connection))

    async def _replace(self, request: web.Request) -> web.Response:
        """The id inside of the body decides, whatever the path says, and every field that is left out is lost."""
        body = await _body(request)
        connection = self._read(body)
        self._check_name(connection.get("name"), connection.get("id"), "update.obj.name")
        if not connection.get("id"):
            raise not_found("Setting the id on the entity is required for updates")
        self._encrypt(connection)
        connection.update(lastUpdated=int(time.time() * 1000), uses=0, isDerived=False)
        try:
            if not self._database.update(connection):
                raise not_found(f"Can not find connection with id {connection['id']}")
        except InvalidKey as error:
            raise _invalid_key(error) from None
        return answer(204)

    async def _patch(self, request: web.Request, identifier: str) -> web.Response:
        """Past the handler that encrypts: secrets stay in clear (Updater.java:58-91)."""
        body = await _body(request)
        there = self._existing(identifier)
        merged = _merged(there, self._read(body, partly=True))
        self._check_name(merged.get("name"), identifier, "name")
        self._database.update({**merged, "uses": 0})
        return answer(204)

    async def _validate(self, request: web.Request) -> web.Response:
        connection = self._read(await _body(request))
        self._check_name(connection.get("name"), connection.get("id"), "name")
        return answer(204)

    async def _set_properties(self, request: web.Request, identifier: str) -> web.Response:
        """Found by name first, then by id; everything but the properties stays (PublicApiHandler.java:422-443)."""
        if "refreshIntegrations" not in request.rel_url.query and self._release() >= (1, 10):
            raise missing("configureConnection.refeshIntegrations")
        found = next((row for row in self._database.rows() if row["name"] == identifier), None)
        found = found or self._database.fetch(identifier)
        if found is None:
            raise rest_error(404, NOT_ACCEPTABLE, f"Missing connection with name/id {identifier}")
        properties = {**(found.get("configuredProperties") or {}), **(await _body(request))}
        changed = {**found, "configuredProperties": properties, "lastUpdated": int(time.time() * 1000)}
        self._encrypt(changed)
        self._database.update(changed)
        return answer(200, self._overview(changed))

    async def _verify(self, request: web.Request) -> web.Response:
        """Tried by another service, which gets the properties in clear."""
        body = await _body(request) if request.can_read_body else {}
        self.verified.append({key: decrypted(value) for key, value in body.items()})
        if self.verifier_answer is not None:
            return answer(200, self.verifier_answer)
        error = {"code": "SYNDESIS000", "description": "Unable to perform verification"}
        return answer(200, [{"status": "ERROR", "scope": "CONNECTIVITY", "errors": [error]}])

    def _existing(self, identifier: str) -> Document:
        found = self._database.fetch(identifier)
        if found is None:
            raise not_found()
        return found

    def _read(self, body: Document, *, partly: bool = False) -> Document:
        """A body as a connection: names and tags trimmed, blank ones dropped."""
        connection = {key: body[key] for key in FIELDS if body.get(key) not in (None, "", [], {})}
        if self._release() < (1, 5):
            connection.pop("metadata", None)
        if "name" in connection:
            connection["name"] = str(connection["name"]).strip()
        if any(value is None for value in (connection.get("configuredProperties") or {}).values()):
            said = "com.fasterxml.jackson.databind.JsonMappingException: configuredProperties value"
            raise rest_error(400, CHECK_PARAMETERS, said)
        if "tags" in connection:
            connection["tags"] = sorted({tag.strip() for tag in connection["tags"] if tag.strip()})
        return connection

    def _check_name(self, name: str | None, identifier: str | None, where: str) -> None:
        if not name:
            raise missing(where)
        if any(row["name"] == name and row["id"] != identifier for row in self._database.rows()):
            raise not_unique(name, where)

    def _encrypt(self, connection: Document) -> None:
        """Encrypt what the connector calls secret; with an unknown connector that is nothing."""
        definition = self._connectors.get(connection.get("connectorId") or "", {})
        properties = dict(connection.get("configuredProperties") or {})
        for key, described in (definition.get("properties") or {}).items():
            if described.get("secret") and key in properties:
                properties[key] = encrypted(properties[key])
        if properties:
            connection["configuredProperties"] = properties

    def _overview(self, connection: Document) -> Document:
        connector = self._connectors.get(connection.get("connectorId") or "")
        embedded = {"connector": connector} if connector else {}
        return {**_shown(connection), **embedded, "board": {"createdAt": 0, "updatedAt": 0}}


JAVA_CONNECTION = "io.syndesis.common.model.connection.Connection"


def _check_headers(request: web.Request) -> None:
    """The server trusts two headers, and looks at whether they are there (SecurityConfiguration.java:61-96)."""
    headers = request.headers
    forbidden = not headers.get("X-Forwarded-User")
    unprotected = request.method not in ("GET", "HEAD") and not headers.get("SYNDESIS-XSRF-TOKEN")
    if forbidden or unprotected:
        now = time.strftime("%Y-%m-%dT%H:%M:%S.000+0000", time.gmtime())
        body = {"timestamp": now, "status": 403, "error": "Forbidden", "message": "", "path": request.path}
        raise Refusal(403, body)
    if not headers.get("X-Forwarded-Access-Token"):
        raise Refusal(401)
    accepted = headers.get("Accept", "*/*")
    if not any(kind in accepted for kind in ("application/json", "*/*")):
        raise rest_error(406, NOT_ACCEPTABLE, "RESTEASY003635: No match for accept header")
    if request.can_read_body and request.content_type != "application/json":
        raise rest_error(415, NOT_ACCEPTABLE, "RESTEASY003065: Cannot consume content type")


async def _body(request: web.Request) -> Document:
    try:
        found: Any = json.loads(await request.read())
    except ValueError:
        raise rest_error(400, CHECK_PARAMETERS, "com.fasterxml.jackson.core.JsonParseException: Unexpected") from None
    if not isinstance(found, dict):
        raise rest_error(
            400, CHECK_PARAMETERS, "com.fasterxml.jackson.databind.exc.MismatchedInputException: no object"
        )
    return found


def _number(query: Mapping[str, str], name: str, default: int, called: str) -> int:
    text = query.get(name)
    if text is None:
        return default
    try:
        number = int(text)
    except ValueError:
        raise argument(f'For input string: "{text}"') from None
    if number < 1:
        raise argument(f"{called} must be greater than 0")
    return number


def _invalid_key(error: InvalidKey) -> Refusal:
    said = "Cannot contain ., %, $, #, [, ], /, or ASCII control characters 0-31 or 127."
    return rest_error(500, FILE_A_BUG, f"Internal Server Exception. Invalid key. {said} Key: {error}")


def _merged(there: Document, patch: Document) -> Document:
    """RFC 7396 for what a body can hold."""
    merged = dict(there)
    for key, value in patch.items():
        merged[key] = _merged(there.get(key) or {}, value) if isinstance(value, dict) else value
    return merged


def _shown(connection: Document) -> Document:
    """As it goes over the wire: what is empty is left out (JsonUtils.java:61-63)."""
    shown = {key: value for key, value in connection.items() if value not in (None, "", [], {})}
    return {"uses": 0, **shown, "isDerived": bool(connection.get("isDerived"))}
