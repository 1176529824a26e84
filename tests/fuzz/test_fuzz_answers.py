"""Whatever a server answers: a result, or a typed failure whose message is bounded, safe to show, and no secret."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from integration_operator import resources
from integration_operator.backends.aggregated import AggregatedBackend
from integration_operator.backends.keycloak.access import KeycloakAccess
from integration_operator.backends.keycloak.client import KeycloakUsers
from integration_operator.backends.keycloak.desired import DesiredUser
from integration_operator.backends.limits import Limits
from integration_operator.backends.syndesis.answers import VERIFIER_RESULTS
from integration_operator.backends.syndesis.connection import check_of, desired_connection
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import EnsureRemote
from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.domain.policies.ownership import ConnectionEvidence
from integration_operator.runtime.errors import Failure, error_of, retry_after_seconds, watch_error
from integration_operator.runtime.json_text import Malformed, parse, parse_pruned
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.resources import APIResource
from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.random_documents import is_safe, mutated, texts, values

SECRET = "the-password-of-this-test"
CONNECTOR = {
    "id": "amqp",
    "icon": "assets:amqp.svg",
    "properties": {"connectionUri": {"secret": False}, "password": {"secret": True}},
}
CONNECTION = {
    "id": "enm-1",
    "name": "orders",
    "connectorId": "amqp",
    "uses": 1,
    "tags": ["enmasse"],
    "metadata": {"managed-by": "integration-operator", "integration": "shop.orders", "properties": "connectionUri"},
    "configuredProperties": {"connectionUri": "amqp://a:5672", "password": "»ENC:00"},
    "connector": CONNECTOR,
}
PAGE = {"totalCount": 1, "items": [CONNECTION]}
VIOLATION = [{"error": "NotNull", "property": "create.obj.name", "message": "Value is required"}]
DOCUMENT = {
    "metadata": {"name": "orders"},
    "spec": {
        "connectorId": "amqp",
        "configuredProperties": {"connectionUri": "amqp://a:5672"},
        "configuredPropertiesFrom": [{"property": "password", "secretKeyRef": {"name": "s", "key": "password"}}],
    },
}
PAIR = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
EVIDENCE = ConnectionEvidence("shop.orders", "enm-1")
USERS = [
    {
        "id": "u-1",
        "username": naming.username(PAIR),
        "createdTimestamp": 1_600_000_000_000,
        "attributes": {
            "resourceName": [naming.user_ref(PAIR).name],
            "resourceNamespace": ["shop"],
            "authenticationType": ["password"],
            "creationTimestamp": ["2024-01-01T00:00:00.000Z"],
        },
    }
]
STATUS = {"kind": "Status", "code": 422, "reason": "Invalid", "message": "no", "details": {"causes": [{"field": "a"}]}}


async def failure_of(call: Awaitable[None]) -> Failure | None:
    try:
        await call
    except Failure as failure:
        return failure
    return None


class Server:
    """An HTTP server on a loop of its own, whose answers an example chooses by what the path begins with."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.answers: dict[str, tuple[int, bytes]] = {}
        self._server = self.loop.run_until_complete(asyncio.start_server(self._connected, "127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError, asyncio.IncompleteReadError):
            while request := await reader.readline():
                verb, path, _ = request.decode().split(" ", 2)
                length = 0
                while header := (await reader.readline()).strip():
                    if header.lower().startswith(b"content-length:"):
                        length = int(header.partition(b":")[2])
                await reader.readexactly(length)
                fits = [key for key in self.answers if f"{verb} {path}".startswith(key)]
                status, body = self.answers[max(fits, key=len)] if fits else (404, b"")
                head = f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
                await writer.drain()
        writer.close()

    def run(self, call: Awaitable[None]) -> None:
        """Run a call; the only exception that it may end in is a failure, with a message that can be shown."""
        failure = self.loop.run_until_complete(asyncio.wait_for(failure_of(call), 20))
        assert failure is None or is_safe(failure.message)
        assert SECRET not in str(failure)

    def close(self) -> None:
        self._server.close()
        for task in asyncio.all_tasks(self.loop):
            task.cancel()
        self.loop.run_until_complete(asyncio.sleep(0.01))
        self.loop.close()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    started = Server()
    yield started
    started.close()


def as_json(document: Any) -> bytes:
    return json.dumps(document).encode()


bodies = st.one_of(
    mutated(PAGE).map(as_json),
    mutated(CONNECTION).map(as_json),
    mutated(VIOLATION).map(as_json),
    values.map(as_json),
    st.binary(max_size=40),
    st.sampled_from([b"", b"[" * 3000, b'{"items":' * 300, as_json([SECRET]), as_json({"developerMsg": SECRET})]),
)
statuses = st.sampled_from([200, 200, 200, 204, 302, 400, 401, 404, 409, 429, 500, 503])
answers = st.tuples(statuses, bodies)


@given(
    connector=st.tuples(st.just(200), mutated(CONNECTOR).map(as_json)) | answers,
    page=st.tuples(st.just(200), mutated(PAGE).map(as_json)) | answers,
    single=answers,
    write=answers,
)
def test_of_syndesis(server: Server, connector: Any, page: Any, single: Any, write: Any) -> None:
    server.answers = {
        "GET /api/v1/connectors/": connector,
        "GET /api/v1/connections?": page,
        "GET /api/v1/connections/": single,
        "GET /api/v1/version": single,
        "POST": write,
        "PUT": write,
        "DELETE": write,
    }

    async def work() -> None:
        servers = ConnectionServices(lambda namespace: server.url, limits=Limits(seconds=5))
        try:
            one = servers.of("fuse")
            secret = await one.secret_properties("amqp")
            want = desired_connection(DOCUMENT, "enm-1", EVIDENCE, "hash", secret, lambda name, key: SECRET)
            stored, _ = await one.ensure(want, "hash", "other")
            verdict = await one.verify(stored, want)
            assert is_safe(verdict.message)
            assert SECRET not in verdict.message
            assert is_safe(await one.delete(EVIDENCE))
        finally:
            await servers.close()

    server.run(work())


@given(mutated([{"status": "ERROR", "errors": [{"code": "X", "description": f"no: {SECRET}"}]}]))
def test_of_the_verifier(results: Any) -> None:
    try:
        verdict = check_of(VERIFIER_RESULTS.validate_python(results), frozenset({SECRET}))
    except ValidationError:
        return
    assert is_safe(verdict.message)
    assert SECRET not in verdict.message


@given(
    token=st.tuples(st.just(200), mutated({"access_token": "t", "expires_in": 60}).map(as_json)) | answers,
    realm=st.tuples(
        st.just(200),
        mutated({"realm": "r", "attributes": {"namespace": "shop", "enmasse-realm": "true"}}).map(as_json),
    ),
    users=st.tuples(st.just(200), mutated(USERS).map(as_json)) | answers,
    groups=st.tuples(st.just(200), mutated([{"id": "g", "name": "send_%2A"}]).map(as_json)) | answers,
    write=answers,
)
def test_of_keycloak(server: Server, token: Any, realm: Any, users: Any, groups: Any, write: Any) -> None:
    base = "/auth/admin/realms/r"
    server.answers = {
        "POST /auth/realms/master": token,
        f"GET {base}": realm,
        f"GET {base}/users": users,
        f"GET {base}/users/u-1/groups": groups,
        f"GET {base}/groups": groups,
        f"POST {base}": write,
        f"PUT {base}": write,
        f"DELETE {base}": write,
    }
    user = DesiredUser(
        realm="r",
        pair=PAIR,
        username=naming.username(PAIR),
        password=SECRET,
        authorization=[{"operations": ["send"], "addresses": ["*"]}],
        address_space_type="standard",
        release=None,
    )

    async def work() -> None:
        keycloak = KeycloakUsers(
            KeycloakAccess(f"{server.url}/auth", "admin", SECRET, CERTIFICATE), limits=Limits(seconds=5)
        )
        try:
            await keycloak.ensure(user, password_known=False)
            await keycloak.remove(user)
        finally:
            await keycloak.aclose()

    server.run(work())


@given(statuses, mutated(STATUS) | values, st.none() | texts | st.integers().map(str))
def test_of_the_api_server(status: int, document: Any, retry_after: str | None) -> None:
    error = error_of(status, as_json(document), retry_after=retry_after)
    assert is_safe(error.message)
    assert error.reason == "" or error.reason.isalnum()
    assert error.retry_after is None or 0 <= error.retry_after <= 300
    if isinstance(document, dict):
        assert is_safe(watch_error(document).message)


@given(st.text())
def test_of_a_retry_after(header: str) -> None:
    seconds = retry_after_seconds(header)
    assert seconds is None or 0 <= seconds <= 300


@given(st.binary() | st.text(alphabet='[]{}",:\\ 0ae').map(str.encode) | values.map(as_json))
def test_of_anything_that_is_to_be_json(data: bytes) -> None:
    for read in (parse, parse_pruned):
        with suppress(Malformed):
            read(data)


USER = {
    "metadata": {"name": "orders.ann", "namespace": "shop"},
    "spec": {"username": "ann", "authorization": [{"operations": ["send", "view"], "addresses": ["*"]}]},
}


class AggregatedApi:
    """A cluster that serves MessagingUsers as EnMasse 0.24 does, and shows this one, whatever is written."""

    def __init__(self, shown: Any) -> None:
        self.client = self
        self._shown = shown

    def served(self, kind: str) -> APIResource:
        return APIResource(resources.MESSAGING_USER, "v1alpha1", watchable=False)

    async def get(self, path: str) -> Any:
        return self._shown

    async def put(self, path: str, body: Any) -> Any:
        return self._shown

    async def delete(self, path: str) -> Any:
        return self._shown


@given(mutated(USER))
def test_of_the_aggregated_api(server: Server, shown: Any) -> None:
    pair = Pair(Ref("shop", "orders"), Ref("fuse", "app"))
    known = RemoteState("aggregated", Presence.PRESENT, "ann", "applied", "credentials")
    action = EnsureRemote(
        "MessagingUser",
        "aggregated",
        pair,
        USER,
        Credential("ann", SECRET),
        AddressSpace(pair.space, "u", "enmasse.io/v1alpha1"),
        known,
        "applied",
        "credentials",
        "the test asks for it",
    )
    delivery = AggregatedBackend(AggregatedApi(shown))  # type: ignore[arg-type]

    async def work() -> None:
        await delivery.ensure(action)

    server.run(work())
