"""The controller in virtual time: an API server in memory, and servers over REST that answer as a test decides."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from integration_operator.cache import Cache
from integration_operator.controllers.integration.controller import IntegrationController, Options
from integration_operator.domain.model import naming
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.checks import Check
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import Failure
from integration_operator.runtime.ref import Ref
from integration_operator.state_metrics import OperatorState
from integration_operator.status_page.report import Reporter
from tests.support import builders
from tests.support.api_server import ApiServer
from tests.support.documents import Document, reason

PAIR = Pair(Ref("shop", "orders"), Ref("shop", "syndesis"))
INTEGRATION = Ref("shop", naming.integration_name(PAIR))
TEMPLATES = TemplateFiles()
SOON = 3.0
"""Seconds in which the controller has done what nothing prevents."""
RESYNC = 100_000.0
GIVE_UP = 3600.0
ENABLE_NEW = PlanSettings(rules=("same-namespace", "allowed-namespaces"), enable_new=True)
BOTH_OVER_REST = {"user": "keycloak", "connection": "rest"}


@dataclass
class OverRest:
    """A delivery over REST; ``there`` has the user names of what exists, ``failure`` is what it answers."""

    delivery: Any
    there: set[str] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    failure: Failure | None = None
    verification: Check = field(default_factory=lambda: Check.success("Verified", "it works"))
    recovered: Callable[[str | None], None] = lambda namespace: None
    circuits_open: int = 0

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        self._ask("verify" if action.verify else "ensure")
        self.there.add(action.username)
        return RemoteState(
            self.delivery,
            Presence.PRESENT,
            action.username if action.kind == "MessagingUser" else "i-1",
            action.applied,
            action.credentials,
            verified=self.verification if action.verify else action.remote.verified,
        )

    async def delete(self, action: DeleteRemote) -> Event | None:
        self._ask("delete")
        self.there.clear()
        return None

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.failure is not None:
            raise self.failure

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        self.recovered = callback

    def open_circuits(self) -> int:
        return self.circuits_open

    async def close(self) -> None:
        pass


@dataclass
class Scene:
    """A cluster in memory, and the operator in it."""

    api: ApiServer
    controller: IntegrationController
    keycloak: OverRest
    syndesis: OverRest
    state: OperatorState
    reporter: Reporter

    def integration(self, ref: Ref = INTEGRATION) -> Document:
        """Return an Integration."""
        found = self.api.find("Integration", ref)
        assert found is not None
        return found

    def specify(self, ref: Ref = INTEGRATION, **spec: Any) -> None:
        """Change the spec of an Integration, as a user does."""
        self.api.put({"kind": "Integration", "metadata": {"namespace": ref.namespace, "name": ref.name}, "spec": spec})

    def kinds(self) -> list[str]:
        """Return the kinds of what the operator created beside the Integration."""
        return sorted(d["kind"] for kind in ("Secret", "MessagingUser", "Connection") for d in self.api.all(kind))

    def events(self) -> list[tuple[str, str]]:
        """Return type and reason of the Events, in order."""
        return [(event["type"], event["reason"]) for event in self.api.all("Event")]


@asynccontextmanager
async def operated(
    *documents: Document, is_leading: bool = True, api: ApiServer | None = None, **options: Any
) -> AsyncIterator[Scene]:
    """Run the operator on these objects, and wait until it has done what it can."""
    api = api or ApiServer()
    for document in documents:
        api.put(document)
    loop = asyncio.get_running_loop()
    settings = replace(ENABLE_NEW, enable_new=False)
    keycloak, rest = OverRest("keycloak"), OverRest("rest")
    cache = Cache(cast(Any, api))
    backends = {"keycloak": keycloak, "rest": rest}

    def now() -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=loop.time())

    controller = IntegrationController(
        cache,
        TEMPLATES,
        Options(**{"plan": settings, "resync": RESYNC, "give_up": GIVE_UP, "workers": 4, **options}),
        remote_backends=backends,
        now=now,
    )
    if not is_leading:
        controller.stand_by()
    tasks = [asyncio.create_task(cache.run()), asyncio.create_task(controller.run())]
    await asyncio.sleep(SOON)
    try:
        state = OperatorState(cache, controller, backends, now=now)
        yield Scene(api, controller, keycloak, rest, state, Reporter(cache, controller, backends, now=now))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def both() -> tuple[Document, Document]:
    return builders.space(), builders.syndesis()


async def enabled(scene: Scene, **spec: Any) -> None:
    """Enable the pair, and wait until it is delivered."""
    scene.specify(enabled=True, **spec)
    await asyncio.sleep(SOON)
    assert reason(scene.integration()) == "Ready", scene.integration()["status"]
