"""HTTP server of EnMasse's aggregated API, and its registration with a real kube-apiserver.

kube-apiserver forwards requests with the user in ``X-Remote-User``. Verbs in ``refused`` are forbidden to all users,
and answered with 401 instead of 403 (Exceptions.notAuthorizedException).
"""

from __future__ import annotations

import json
import re
import ssl
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import web

from integration_operator.platforms.config_map import address_space_document
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator_sandbox.localhost.certificates import self_signed
from integration_operator_sandbox.platforms.aggregated.releases import RELEASES, Release
from integration_operator_sandbox.platforms.aggregated.users import Answer, Users
from integration_operator_sandbox.platforms.keycloak.realms import Realms

Document = dict[str, Any]

INFRASTRUCTURE = "enmasse-infra"
GROUPS = ("enmasse.io", "user.enmasse.io")
PATH = re.compile(
    r"^/apis/(?P<group>user\.enmasse\.io|enmasse\.io)/(?P<version>v1alpha1|v1beta1)"
    r"(/namespaces/(?P<namespace>[^/]+))?(/(?P<plural>addressspaces|messagingusers))?(/(?P<name>[^/]+))?$"
)
SPACE_VERBS = {
    "0.24": ("create", "delete", "get", "list"),
    "0.26": ("create", "delete", "get", "update", "list"),
    "0.30": ("create", "delete", "get", "update", "list"),
}
USER_VERBS = ("create", "delete", "get", "list", "update")


class AggregatedApi:
    """A server of one release. ``requests`` are those that arrived, ``refused`` are forbidden verbs."""

    def __init__(self, release: str, cluster: Client, realms: Realms, infrastructure: str = INFRASTRUCTURE) -> None:
        self.release: Release = RELEASES[release]
        self.requests: list[tuple[str, str]] = []
        self.refused: set[str] = set()
        self.broken: int | None = None
        """If set, every request for objects is answered with this status."""
        self.broken_users: int | None = None
        """If set, every request for MessagingUsers is answered with this status."""
        self._cluster = cluster
        self._realms = realms
        self._infrastructure = infrastructure

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AggregatedApi]:
        """Serve and register with kube-apiserver during the block."""
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._handle)
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=_tls())
        await site.start()
        port = runner.addresses[0][1]
        try:
            await self._register(port)
            yield self
        finally:
            await self.unregister()
            await runner.cleanup()

    async def _register(self, port: int) -> None:
        """Create a Service that leads to this machine, and an APIService for each version of both groups."""
        with suppress(NotFound):
            await self._cluster.delete(f"/api/v1/namespaces/{self._infrastructure}/services/api-server")
        service = {
            "metadata": {"name": "api-server"},
            "spec": {"type": "ExternalName", "externalName": "localhost", "ports": [{"port": port}]},
        }
        await self._cluster.post(f"/api/v1/namespaces/{self._infrastructure}/services", service)
        for group in GROUPS:
            for version in self.release.versions:
                body = {
                    "apiVersion": "apiregistration.k8s.io/v1",
                    "kind": "APIService",
                    "metadata": {"name": f"{version}.{group}"},
                    "spec": {
                        "group": group,
                        "version": version,
                        "service": {"namespace": self._infrastructure, "name": "api-server", "port": port},
                        "insecureSkipTLSVerify": True,
                        "groupPriorityMinimum": 1000,
                        "versionPriority": 15,
                    },
                }
                await self._cluster.post("/apis/apiregistration.k8s.io/v1/apiservices", body)

    async def unregister(self) -> None:
        """Delete the APIServices, as EnMasse 0.31 does."""
        for group in GROUPS:
            for version in self.release.versions:
                with suppress(NotFound):
                    await self._cluster.delete(f"/apis/apiregistration.k8s.io/v1/apiservices/{version}.{group}")

    async def _handle(self, request: web.Request) -> web.Response:
        found = PATH.match(request.path)
        if found is None:
            return _json(404, _status(404, "NotFound", f"{request.path} not found"))
        if found["plural"] is None:
            return _json(200, self._resources(found["group"], found["version"]))
        self.requests.append((request.method, request.path))
        try:
            broken = self.broken or (self.broken_users if found["plural"] == "messagingusers" else None)
            if broken is not None:
                raise Answer(broken, "InternalError", "broken for now")
            if request.method in self.refused:
                raise Answer(401, "Unauthorized", "Not authorized")
            if found["plural"] == "addressspaces":
                return _json(200, await self._spaces(found["namespace"], found["name"], found["version"]))
            return await self._users(request, found["namespace"], found["name"])
        except Answer as answer:
            return _json(answer.status, _status(answer.status, answer.reason, str(answer)))

    def _resources(self, group: str, version: str) -> Document:
        spaces = {"name": "addressspaces", "kind": "AddressSpace", "verbs": SPACE_VERBS[self.release.name]}
        users = {"name": "messagingusers", "kind": "MessagingUser", "verbs": USER_VERBS}
        shown = spaces if group == "enmasse.io" else users
        return {
            "kind": "APIResourceList",
            "apiVersion": "v1",
            "groupVersion": f"{group}/{version}",
            "resources": [{**shown, "namespaced": True, "singularName": ""}],
        }

    async def _spaces(self, namespace: str | None, name: str | None, version: str) -> Document:
        """Return the AddressSpaces of the ConfigMaps; a watch gets the list, too."""
        if namespace is None and not self.release.cluster_wide_spaces:
            raise Answer(404, "NotFound", "Not Found")
        query = {"labelSelector": "type=address-space"}
        found = await self._cluster.get(f"/api/v1/namespaces/{self._infrastructure}/configmaps", query)
        spaces = [space for item in found["items"] if (space := address_space_document(item)) is not None]
        spaces = [{**s, "apiVersion": f"enmasse.io/{version}"} for s in spaces]
        spaces = [s for s in spaces if namespace in (None, s["metadata"]["namespace"])]
        if name is None:
            return {"kind": "AddressSpaceList", "apiVersion": f"enmasse.io/{version}", "metadata": {}, "items": spaces}
        for space in spaces:
            if space["metadata"]["name"] == name:
                return space
        raise Answer(404, "NotFound", f"AddressSpace {name} not found")

    async def _users(self, request: web.Request, namespace: str | None, name: str | None) -> web.Response:
        if namespace is None:
            if not self.release.cluster_wide_users:
                raise Answer(404, "NotFound", "Not Found")
            return _json(200, await self._list(None))
        if name is None and request.method == "GET":
            return _json(200, await self._list(namespace))
        if request.method == "PATCH" and not self.release.patch:
            raise Answer(405, "MethodNotAllowed", "Method Not Allowed")
        if request.content_type == "application/apply-patch+yaml":
            raise Answer(415, "UnsupportedMediaType", "Unsupported Media Type")
        body = await _body(request)
        resource = name or (body.get("metadata") or {}).get("name", "")
        if "." not in resource:
            raise Answer(400, "BadRequest", f"User name '{resource}' does not contain valid separator (.)")
        space = await self._spaces(namespace, resource.split(".")[0], self.release.versions[0])
        users = Users(self.release, self._realms, space)
        if request.method == "POST":
            return _json(201, await users.create({**body, "metadata": {**body["metadata"], "namespace": namespace}}))
        if request.method == "PUT":
            return _json(200, await users.replace(resource, body))
        if request.method == "DELETE":
            await users.delete(resource)
            return _json(200, {"kind": "Status", "apiVersion": "v1", "status": "Success", "code": 200})
        if request.method == "PATCH":
            there = await users.get(resource)
            return _json(200, await users.replace(resource, {**there, "spec": {**there["spec"], **body["spec"]}}))
        return _json(200, await users.get(resource))

    async def _list(self, namespace: str | None) -> Document:
        spaces = await self._spaces(namespace, None, self.release.versions[0]) if namespace else {"items": []}
        users = [user for space in spaces["items"] for user in await Users(self.release, self._realms, space).all()]
        version = f"user.enmasse.io/{self.release.versions[0]}"
        return {"kind": "MessagingUserList", "apiVersion": version, "metadata": {}, "items": users}


async def _body(request: web.Request) -> Document:
    if not request.can_read_body:
        return {}
    try:
        found: Document = json.loads(await request.read())
    except ValueError:
        raise Answer(400, "BadRequest", "Unrecognized token") from None
    return found


def _json(status: int, body: Document) -> web.Response:
    return web.json_response(body, status=status)


def _status(code: int, reason: str, message: str) -> Document:
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
    }


def _tls() -> ssl.SSLContext:
    pair = self_signed()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "pair.pem"
        file.write_text(pair.key + pair.certificate)
        context.load_cert_chain(file)
    return context
