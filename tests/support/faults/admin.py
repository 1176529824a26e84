"""A client of the API server for users, platforms and the oracle; it shares nothing with the operator's."""

from __future__ import annotations

import json
import ssl
from base64 import b64decode
from pathlib import Path
from typing import Any, Self

import aiohttp
import yaml

Document = dict[str, Any]
MERGE = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"


class Refused(Exception):
    """The API server refused a request."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"HTTP {status}: {message}")
        self.status = status


class Admin:
    """Requests with the address and the token of a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text())
        cluster = document["clusters"][0]["cluster"]
        self.server: str = cluster["server"]
        self.token: str = document["users"][0]["user"]["token"]
        authority = b64decode(cluster["certificate-authority-data"]).decode()
        self._trust = ssl.create_default_context(cadata=authority)

    async def __aenter__(self) -> Self:
        self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, ssl=self._trust))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()

    async def get(self, path: str) -> Document | None:
        """Return a document, None if there is none."""
        try:
            return await self._call("GET", path)
        except Refused as error:
            if error.status == 404:
                return None
            raise

    async def items(self, path: str) -> list[Document]:
        """Return all items of a collection, none if its kind is not served."""
        return list((await self.get(path) or {}).get("items") or [])

    async def create(self, path: str, document: Document) -> Document:
        """Create an object."""
        return await self._call("POST", path, document)

    async def patch(self, path: str, document: Document) -> Document:
        """Merge a document into an object."""
        return await self._call("PATCH", path, document, MERGE)

    async def apply(self, path: str, document: Document, manager: str) -> Document:
        """Apply a document (server-side apply)."""
        return await self._call("PATCH", f"{path}?fieldManager={manager}&force=true", document, APPLY)

    async def delete(self, path: str) -> None:
        """Delete an object or a collection, if it exists."""
        try:
            await self._call("DELETE", path)
        except Refused as error:
            if error.status != 404:
                raise

    async def _call(
        self, verb: str, path: str, body: Document | None = None, content_type: str = "application/json"
    ) -> Document:
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": content_type}
        async with self.session.request(verb, self.server + path, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.status >= 400:
                raise Refused(answer.status, f"{verb} {path}: {text.strip()}")
            document: Document = json.loads(text)
            return document
