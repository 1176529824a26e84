"""A Connection reaches the Syndesis of its namespace, its status says how far it is, and it goes without a trace.

The controller runs in virtual time, against an API server and Syndesis servers in memory.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from integration_operator.api import names
from integration_operator.backends.syndesis.connection import DesiredConnection
from integration_operator.controllers.connection.controller import ConnectionController
from integration_operator.domain.model.checks import Check
from integration_operator.domain.policies.ownership import ConnectionEvidence
from integration_operator.runtime.errors import Deferred, Failure
from integration_operator.runtime.ref import Ref
from tests.support.api_server import ApiServer
from tests.support.documents import Document
from tests.support.virtual_time import run

MINE = Ref("fuse", "mine")
LOGIN = Ref("fuse", "login")
VERIFICATION = 600.0
SOON = 2.0
"""Seconds in which the controller has done what nothing prevents."""


class Refused(Failure):
    stalls = True


@dataclass
class Servers:
    """The Syndesis servers of all namespaces; they take the place of ``ConnectionServices``."""

    stored: dict[str, DesiredConnection] = field(default_factory=dict)
    asked: list[tuple[str, float]] = field(default_factory=list)
    """The namespace of each request for a connection, and when it came."""
    deleted: list[str] = field(default_factory=list)
    failure: Failure | None = None
    verification: Check = field(default_factory=lambda: Check.success("Verified", "it works"))
    verifications: int = 0
    recovered: Callable[[str], None] = lambda namespace: None
    is_closed: bool = False
    _namespace: str = ""

    def of(self, namespace: str) -> Servers:
        self._namespace = namespace
        return self

    def on_recovery(self, callback: Callable[[str], None]) -> None:
        self.recovered = callback

    def syndesis_changed(self, old: object, new: object) -> None:
        pass

    async def close(self) -> None:
        self.is_closed = True

    async def secret_properties(self, connector: str) -> frozenset[str]:
        return frozenset({"password"})

    async def ensure(self, desired: DesiredConnection, confirmed: str, stored: str = "") -> tuple[Document, bool]:
        self.asked.append((self._namespace, asyncio.get_running_loop().time()))
        if self.failure is not None:
            raise self.failure
        identifier = desired.evidence.generated
        written = self.stored.get(identifier) != desired
        self.stored[identifier] = desired
        return {"id": identifier, "configuredProperties": {"password": f"»{desired.secret_text}"}}, written

    async def verify(self, stored: Document, desired: DesiredConnection) -> Check:
        self.verifications += 1
        return self.verification

    async def delete(self, evidence: ConnectionEvidence) -> str | None:
        self.deleted.append(evidence.generated)
        self.stored.pop(evidence.generated, None)
        return None


def secret(password: str) -> Document:
    data = {key: base64.b64encode(value.encode()).decode() for key, value in {"u": "me", "p": password}.items()}
    labels = {names.INTEGRATION_LABEL: "yes"}
    return {"kind": "Secret", "metadata": {**LOGIN._asdict(), "labels": labels}, "data": data}


def syndesis(phase: str = "Installed", namespace: str = "fuse") -> Document:
    return {"kind": "Syndesis", "metadata": {"namespace": namespace, "name": "app"}, "status": {"phase": phase}}


def connection(name: str = "mine", *, metadata: Document | None = None, **spec: Any) -> Document:
    written = {
        "connectorId": "amqp",
        "configuredProperties": {"connectionUri": "amqp://broker:5672"},
        "configuredPropertiesFrom": [
            {"property": "username", "secretKeyRef": {"name": "login", "key": "u"}},
            {"property": "password", "secretKeyRef": {"name": "login", "key": "p"}},
        ],
        **spec,
    }
    return {"kind": "Connection", "metadata": {"namespace": "fuse", "name": name, **(metadata or {})}, "spec": written}


@dataclass
class Scene:
    """The API server, the Syndesis servers, and the controller between them."""

    api: ApiServer
    servers: Servers
    controller: ConnectionController

    @property
    def status(self) -> Document:
        found = self.api.find("Connection", MINE)
        assert found is not None
        return cast(Document, found.get("status") or {})

    @property
    def ready(self) -> Document:
        return cast(Document, self.status["conditions"][0])


@asynccontextmanager
async def controlled(*documents: Document, is_leading: bool = True, workers: int = 8) -> AsyncIterator[Scene]:
    """Run the controller on a cluster with a Secret and these objects."""
    api, servers = ApiServer(idle_platforms=True), Servers()
    for document in (secret("first"), *documents):
        api.put(document)
    loop = asyncio.get_running_loop()
    controller = ConnectionController(
        cast(Any, api),
        cast(Any, servers),
        verification=VERIFICATION,
        workers=workers,
        now=lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=loop.time()),
    )
    if not is_leading:
        controller.stand_by()
    tasks = [asyncio.create_task(controller.watch()), asyncio.create_task(controller.run())]
    await asyncio.sleep(SOON)
    try:
        yield Scene(api, servers, controller)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def test_a_connection_is_created_with_the_values_of_its_secret_and_config_map() -> None:
    async def scenario() -> None:
        async with controlled(syndesis()) as scene:
            source = {"property": "clientID", "configMapKeyRef": {"name": "settings", "key": "client"}}
            config_map = {"namespace": "fuse", "name": "settings"}
            scene.api.put({"kind": "ConfigMap", "metadata": config_map, "data": {"client": "orders"}})
            written = connection()
            written["spec"]["configuredPropertiesFrom"].append(source)
            scene.api.put(written)
            await asyncio.sleep(SOON)
            (delivered,) = scene.servers.stored.values()
            assert delivered.properties == {
                "connectionUri": "amqp://broker:5672",
                "username": "me",
                "password": "first",
                "clientID": "orders",
            }
            found = scene.api.find("Connection", MINE)
            assert found is not None
            assert found["metadata"]["finalizers"] == [names.CONNECTION_FINALIZER]
            assert scene.status["phase"] == "Ready"
            assert scene.status["connectionId"] in scene.servers.stored
            assert scene.status["observedGeneration"] == found["metadata"]["generation"]
            assert (scene.ready["status"], scene.ready["reason"]) == ("True", "Delivered")
            assert scene.status["connectionId"] in scene.ready["message"]
            assert scene.status["lastVerified"]["status"] == "OK"

    run(scenario())


def test_a_value_that_is_missing_is_named_until_it_is_there() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            scene.api.remove("Secret", LOGIN)
            scene.api.put(connection(description="changed"))
            await asyncio.sleep(SOON)
            assert (scene.status["phase"], scene.ready["reason"]) == ("Pending", "ValueMissing")
            assert "Secret login" in scene.ready["message"]
            scene.api.put(secret("second"))
            await asyncio.sleep(SOON)
            assert scene.status["phase"] == "Ready"

    run(scenario())


def test_a_change_reaches_the_server_at_once() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            scene.api.put(connection(description="of the shop"))
            await asyncio.sleep(SOON)
            assert [c.description for c in scene.servers.stored.values()] == ["of the shop"]
            scene.api.put(secret("second"))
            await asyncio.sleep(SOON)
            assert [c.properties["password"] for c in scene.servers.stored.values()] == ["second"]

    run(scenario())


def test_at_rest_the_server_is_asked_once_a_period_and_nothing_is_written() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            before = len(scene.api.writes()), len(scene.servers.asked)
            scene.api.put(secret("second") | {"metadata": LOGIN._asdict() | {"name": "other"}})
            await asyncio.sleep(VERIFICATION / 2)
            assert len(scene.servers.asked) == before[1], "another Secret of the namespace changes nothing"
            await asyncio.sleep(2 * VERIFICATION)
            assert len(scene.servers.asked) == before[1] + 2
            assert len(scene.api.writes()) == before[0]
            assert scene.servers.verifications == 1

    run(scenario())


def test_a_failed_verification_is_repeated_and_keeps_its_time_while_it_fails() -> None:
    async def scenario() -> None:
        async with controlled(syndesis()) as scene:
            scene.servers.verification = Check.failure("VerificationFailed", "no such host")
            scene.api.put(connection())
            await asyncio.sleep(SOON)
            failed = scene.status["lastVerified"]
            assert (failed["status"], failed["message"]) == ("ERROR", "no such host")
            assert scene.status["phase"] == "Ready", "the connection is there"
            await asyncio.sleep(VERIFICATION + SOON)
            assert scene.servers.verifications == 2
            assert scene.status["lastVerified"] == failed
            scene.servers.verification = Check.success("Verified", "it works")
            await asyncio.sleep(VERIFICATION + SOON)
            assert scene.status["lastVerified"]["status"] == "OK"
            assert scene.status["lastVerified"]["time"] != failed["time"]

    run(scenario())


def test_a_server_that_fails_is_asked_again_with_back_off() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            scene.servers.failure = Failure("SyndesisUnavailable", "no answer")
            delivered = scene.status
            scene.api.put(connection(description="changed"))
            asked = len(scene.servers.asked)
            await asyncio.sleep(30)
            assert (scene.status["phase"], scene.ready["reason"]) == ("Error", "SyndesisUnavailable")
            assert "no answer" in scene.ready["message"]
            kept = ("connectionId", "credentialsHash", "storedHash", "lastVerified")
            assert {key: scene.status[key] for key in kept} == {key: delivered[key] for key in kept}
            assert 4 < len(scene.servers.asked) - asked < 15
            scene.servers.failure = None
            await asyncio.sleep(60)
            assert scene.status["phase"] == "Ready"

    run(scenario())


def test_a_refusal_is_not_repeated_before_the_next_period() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            scene.servers.failure = Refused("NameTaken", "another connection has the name")
            scene.api.put(connection(name="mine", description="changed"))
            await asyncio.sleep(SOON)
            asked = len(scene.servers.asked)
            assert (scene.status["phase"], scene.ready["reason"]) == ("Error", "NameTaken")
            await asyncio.sleep(VERIFICATION - 2 * SOON)
            assert len(scene.servers.asked) == asked
            scene.servers.failure = None
            await asyncio.sleep(3 * SOON)
            assert scene.status["phase"] == "Ready"

    run(scenario())


def test_a_server_that_recovers_is_asked_at_once_for_its_own_namespace() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            scene.servers.failure = Deferred("SyndesisUnavailable", "not asked", retry_after=300.0)
            scene.api.put(connection(description="changed"))
            await asyncio.sleep(SOON)
            asked = len(scene.servers.asked)
            scene.servers.failure = None
            scene.servers.recovered("elsewhere")
            await asyncio.sleep(SOON)
            assert len(scene.servers.asked) == asked
            scene.servers.recovered("fuse")
            await asyncio.sleep(SOON)
            assert len(scene.servers.asked) == asked + 1
            assert scene.status["phase"] == "Ready"

    run(scenario())


def test_without_a_syndesis_that_is_installed_no_server_is_asked() -> None:
    async def scenario() -> None:
        async with controlled(connection(), syndesis(namespace="elsewhere")) as scene:
            assert (scene.status["phase"], scene.ready["reason"]) == ("Pending", "NoSyndesis")
            assert "no Syndesis in namespace fuse" in scene.ready["message"]
            scene.api.put(syndesis("Installing"))
            await asyncio.sleep(SOON)
            assert scene.ready["reason"] == "NoSyndesis"
            assert "Installing" in scene.ready["message"]
            assert scene.servers.asked == []
            found = scene.api.find("Connection", MINE)
            assert found is not None
            assert "finalizers" not in found["metadata"], "nothing is there to be released"
            scene.api.put(syndesis())
            await asyncio.sleep(SOON)
            assert scene.status["phase"] == "Ready"

    run(scenario())


def test_a_deleted_connection_is_deleted_on_its_server_first() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            identifier = scene.status["connectionId"]
            scene.api.remove("Connection", MINE)
            await asyncio.sleep(SOON)
            assert scene.servers.deleted == [identifier]
            assert scene.servers.stored == {}
            assert scene.api.all("Connection") == []

    run(scenario())


@pytest.mark.parametrize("why", ["released to REST", "its Syndesis is gone"])
def test_a_connection_that_stays_or_went_with_its_server_is_released_without_a_request(why: str) -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection()) as scene:
            if why == "released to REST":
                scene.api.put(connection(metadata={"annotations": {names.HANDED_OVER: "rest"}}))
            else:
                scene.api.remove("Syndesis", Ref("fuse", "app"))
            scene.api.remove("Connection", MINE)
            await asyncio.sleep(SOON)
            assert scene.servers.deleted == []
            assert scene.api.all("Connection") == []

    run(scenario())


def test_a_connection_whose_deletion_waits_for_another_finalizer_is_left_alone() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection(metadata={"finalizers": ["of/another"]})) as scene:
            found = scene.api.find("Connection", MINE)
            assert found is not None
            assert found["metadata"]["finalizers"] == [names.CONNECTION_FINALIZER, "of/another"]
            scene.api.remove("Connection", MINE)
            await asyncio.sleep(SOON)
            found = scene.api.find("Connection", MINE)
            assert found is not None
            assert found["metadata"]["finalizers"] == ["of/another"]
            writes = len(scene.api.writes())
            scene.api.put(connection(metadata={"labels": {"a": "b"}}))
            await asyncio.sleep(SOON)
            assert len(scene.api.writes()) == writes
            assert len(scene.servers.deleted) == 1

    run(scenario())


def test_our_finalizer_goes_although_a_user_wrote_it_too() -> None:
    async def scenario() -> None:
        finalizers = [names.CONNECTION_FINALIZER, "of/another"]
        async with controlled(syndesis(), connection(metadata={"finalizers": finalizers})) as scene:
            scene.api.remove("Connection", MINE)
            await asyncio.sleep(SOON)
            found = scene.api.find("Connection", MINE)
            assert found is not None
            assert found["metadata"]["finalizers"] == ["of/another"]

    run(scenario())


def test_a_connection_that_names_an_id_takes_that_connection_over() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection(connectionId="i-old")) as scene:
            assert list(scene.servers.stored) == ["i-old"]
            assert scene.status["connectionId"] == "i-old"
            scene.api.put(connection(connectionId=None))
            await asyncio.sleep(SOON)
            assert scene.status["connectionId"] == "i-old", "the status notes which it is"

    run(scenario())


def test_a_process_that_stands_by_does_nothing_until_it_leads() -> None:
    async def scenario() -> None:
        async with controlled(syndesis(), connection(), is_leading=False) as scene:
            assert scene.api.writes() == []
            assert scene.controller.unsynced() == {}
            await scene.controller.lead()
            await asyncio.sleep(SOON)
            assert scene.status["phase"] == "Ready"
            assert await scene.controller.stop()
            assert scene.servers.is_closed
            scene.api.put(connection(description="changed"))
            await asyncio.sleep(SOON)
            assert [c.description for c in scene.servers.stored.values()] == [""]

    run(scenario())


def test_a_kind_that_cannot_be_listed_is_named_and_nothing_is_done() -> None:
    async def scenario() -> None:
        async with controlled(syndesis()) as scene:

            def refuse(verb: str, path: str) -> None:
                if verb in ("GET", "WATCH") and path.endswith("/secrets"):
                    raise Failure("Forbidden", "no permission")

            other = ConnectionController(cast(Any, scene.api), cast(Any, Servers()))
            assert set(other.unsynced()) == {"Connection", "Secret", "Syndesis"}
            scene.api.before = refuse
            watching = asyncio.create_task(other.watch())
            await asyncio.sleep(SOON)
            assert list(other.unsynced()) == ["Secret"]
            assert "no permission" in other.unsynced()["Secret"]
            watching.cancel()

    run(scenario())
