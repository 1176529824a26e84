"""MessagingUsers of one release, stored only in Keycloak (KeycloakUserApi.java, HttpUserService.java).

Methods raise the HTTP answer if it is not the object.
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime
from typing import Any

from integration_operator_sandbox.platforms.aggregated.releases import Release
from integration_operator_sandbox.platforms.keycloak.realms import Realms

Document = dict[str, Any]


class Answer(Exception):
    """An answer other than the object that was asked for."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


class Users:
    """The MessagingUsers of one AddressSpace's realm."""

    def __init__(self, release: Release, realms: Realms, space: Document) -> None:
        self._release = release
        self._realms = realms
        self._realm = space["metadata"]["annotations"]["enmasse.io/realm-name"]

    async def all(self) -> list[Document]:
        """Return all MessagingUsers. One that cannot be read makes the whole request fail."""
        return [await self._shown(user) for user in await self._realms.users(self._realm)]

    async def get(self, name: str) -> Document:
        """Return the MessagingUser of a name."""
        return await self._shown(await self._find(name))

    async def create(self, body: Document) -> Document:
        """Create a MessagingUser: first the user, then its password, then its groups, without rollback between them."""
        self._check(body)
        if not await self._realms.exists(self._realm):
            raise Answer(503, "ServiceUnavailable", f"Timed out waiting for realm {self._realm} to exist")
        metadata, spec = body["metadata"], body["spec"]
        username = spec["username"]
        attributes = {
            "resourceName": [metadata["name"]],
            "resourceNamespace": [metadata["namespace"]],
            "authenticationType": [spec["authentication"]["type"]],
            "creationTimestamp": [datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")],
        }
        made = await self._realms.create(self._realm, {"username": username, "enabled": True, "attributes": attributes})
        if made is None:
            raise Answer(409, "AlreadyExists", f"User '{username}' already exists in [{self._realm}]")
        await self._realms.set_password(self._realm, made, _decoded(spec["authentication"].get("password")))
        await self._realms.set_groups(self._realm, made, self._groups(spec))
        return await self.get(metadata["name"])

    async def replace(self, name: str, body: Document) -> Document:
        """Update the authorization, and the password if one is given."""
        user = await self._find(name)
        authentication = body["spec"].get("authentication")
        if authentication is not None and "password" not in authentication and self._release.password_with_each_put:
            raise Answer(400, "BadRequest", "'password' must be set for 'password' type")
        if authentication and authentication.get("password"):
            await self._realms.set_password(self._realm, user["id"], _decoded(authentication["password"]))
        await self._realms.set_groups(self._realm, user["id"], self._groups(body["spec"]))
        return await self.get(name)

    async def delete(self, name: str) -> None:
        """Delete a MessagingUser at once."""
        try:
            user = await self._find(name)
        except Answer:
            if self._release.missing_delete_fails:
                raise Answer(500, "InternalError", "java.lang.NullPointerException") from None
            raise
        await self._realms.delete(self._realm, user["id"])

    async def _find(self, name: str) -> Document:
        if self._release.found_by_username:
            found = await self._realms.user(self._realm, name.split(".")[1])
        else:
            everybody = await self._realms.users(self._realm)
            found = next((u for u in everybody if _attribute(u, "resourceName") == name), None)
        if found is None:
            raise Answer(404, "NotFound", f"MessagingUser {name} not found")
        return found

    async def _shown(self, user: Document) -> Document:
        name, namespace = _attribute(user, "resourceName"), _attribute(user, "resourceNamespace")
        if name is None or namespace is None or _attribute(user, "creationTimestamp") is None:
            raise Answer(500, "InternalError", "java.lang.NullPointerException")
        rules: dict[str | None, set[str]] = {}
        for group in await self._realms.groups_of(self._realm, user["id"]):
            try:
                operation, address = self._release.operation(group)
            except ValueError as error:
                raise Answer(500, "InternalError", str(error)) from None
            if not group.endswith("_#"):
                rules.setdefault(address, set()).add(operation)
        return {
            "apiVersion": f"user.enmasse.io/{self._release.versions[0]}",
            "kind": self._release.user_kind,
            "metadata": {
                "name": name,
                "namespace": namespace,
                "selfLink": f"/apis/user.enmasse.io/v1alpha1/namespaces/{namespace}/messagingusers/{name}",
                "creationTimestamp": _attribute(user, "creationTimestamp"),
            },
            "spec": {
                "username": user["username"],
                "authentication": {"type": _attribute(user, "authenticationType")},
                "authorization": [
                    {"operations": sorted(operations), **({"addresses": [address]} if address else {})}
                    for address, operations in sorted(rules.items(), key=lambda rule: rule[0] or "")
                ],
            },
        }

    def _check(self, body: Document) -> None:
        metadata, spec = body.get("metadata") or {}, body.get("spec") or {}
        known = {"name", "namespace", "creationTimestamp", "selfLink", "resourceVersion"}
        if self._release.strict_metadata and (unknown := metadata.keys() - known):
            raise Answer(400, "BadRequest", f'Unrecognized field "{min(unknown)}"')
        if unknown := spec.keys() - {"username", "authentication", "authorization"}:
            raise Answer(400, "BadRequest", f'Unrecognized field "{min(unknown)}"')
        if "status" in body:
            raise Answer(400, "BadRequest", 'Unrecognized field "status"')
        if not self._release.user_name.match(metadata.get("name", "")):
            raise Answer(400, "BadRequest", f"Invalid resource name '{metadata.get('name')}'")
        if not self._release.username.match(spec.get("username", "")):
            raise Answer(400, "BadRequest", f"Invalid user name '{spec.get('username')}'")
        for rule in spec.get("authorization") or ():
            if {"send", "recv", "view"} & set(rule["operations"]) and not rule.get("addresses"):
                raise Answer(400, "BadRequest", "java.lang.NullPointerException: 'addresses' must be set")

    def _groups(self, spec: Document) -> set[str]:
        return {
            group
            for rule in spec.get("authorization") or ()
            for operation in rule["operations"]
            for address in rule.get("addresses") or (None,)
            for group in self._release.groups(operation, address)
        }


def _attribute(user: Document, name: str) -> str | None:
    values = (user.get("attributes") or {}).get(name)
    return values[0] if values else None


def _decoded(password: str | None) -> str:
    try:
        return base64.b64decode(password or "", validate=True).decode()
    except (binascii.Error, ValueError):
        raise Answer(500, "InternalError", "java.lang.IllegalArgumentException: Illegal base64 character") from None
