"""The two processes of the product, put together from their parts as the settings say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Protocol

import structlog

from integration_operator import metrics
from integration_operator.api import names
from integration_operator.backends import RemoteBackend
from integration_operator.backends.aggregated import AggregatedBackend
from integration_operator.backends.keycloak.backend import KeycloakBackend
from integration_operator.backends.limits import Limits
from integration_operator.backends.syndesis.backend import ConfigMaps, SyndesisBackend
from integration_operator.backends.syndesis.connection_services import ConnectionServices
from integration_operator.cache import Cache
from integration_operator.controllers.connection.controller import MANAGER as CONNECTION_CONTROLLER
from integration_operator.controllers.connection.controller import ConnectionController
from integration_operator.controllers.integration.controller import IntegrationController, Options
from integration_operator.controllers.integration.preview import problems
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.delegated_access import Access
from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.fence import set_alarm
from integration_operator.runtime.lease import LeaderElector, LeadershipLost, fence_for, unique_identity
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.tracing import Tracer
from integration_operator.settings import Settings
from integration_operator.state_metrics import ConnectionControllerState, OperatorState
from integration_operator.status_page.query import Query
from integration_operator.status_page.report import Report, Reporter

log = structlog.get_logger(__name__)

MAX_CONNECTION_WORKERS = 8
"""A Syndesis server answers slowly to many requests at once, and there is one for many Connections."""

Parts = Mapping[str, Callable[[], Coroutine[Any, Any, None]]]
"""Parts of a process by name, which run until cancelled."""

TASK_LEVELS = 4
"""A part makes tasks at once, such as a reflector for each kind, and these make some in turn for their watches."""

OPERATOR_LEASE = names.FIELD_MANAGER
CONNECTION_CONTROLLER_LEASE = CONNECTION_CONTROLLER
"""The names of the Leases. The roles in deploy/ name them, too."""


class LedController(Protocol):
    """A controller that reconciles while its process leads."""

    def stand_by(self) -> None:
        """Write nothing until ``lead``."""

    async def lead(self) -> None:
        """Reconcile everything from now on, with stores that show all that was written before."""

    async def run(self) -> None:
        """Run the workers until cancelled."""

    async def stop(self) -> bool:
        """Hand out no more keys; return once everything that runs has finished, False if something was cut off."""


class Operator:
    """The process of ``run``: it offers and delivers pairs. With an ``elector`` it stands by until it leads."""

    def __init__(
        self,
        client: Client,
        templates: TemplateFiles,
        settings: Settings,
        elector: LeaderElector | None = None,
        *,
        plan: PlanSettings | None = None,
        tracer: Tracer | None = None,
    ) -> None:
        self.client = client
        self.elector = elector
        self._settings = settings
        self._templates = templates
        self._plan_settings = plan or settings.plan_settings
        self.cache = Cache(
            client,
            read_spaces=settings.address_spaces,
            poll=settings.poll_seconds,
            enmasse_namespace=settings.enmasse_namespace,
            namespaces=settings.namespaces,
        )
        self.remote_backends = remote_backends(self.cache, settings, elector)
        self.controller = IntegrationController(
            self.cache,
            templates,
            Options(
                plan=self._plan_settings,
                workers=settings.workers,
                resync=settings.resync_seconds,
                mass_delete_share=settings.mass_delete_share,
                verification=settings.verification_seconds,
                give_up=settings.give_up_seconds,
                max_offers=settings.most_offers,
                teardowns_per_minute=settings.teardowns_per_minute,
            ),
            remote_backends=self.remote_backends,
            tracer=tracer,
        )
        self.stopped = asyncio.Event()
        self.admission: asyncio.Task[None] | None = None
        self.queue = self.controller.queue
        self.reflectors = self.cache.reflectors
        self.unsynced = self.cache.unsynced
        self.state = OperatorState(self.cache, self.controller, self.remote_backends, elector)
        self.report: Callable[[Query], Report] | None = Reporter(
            self.cache, self.controller, self.remote_backends, elector
        ).report

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run reflectors and workers, and the admission server if the settings ask for it."""
        try:
            async with (
                self._admission() as others,
                _running(self.controller, self.cache.run, self.elector, self.stopped, others) as tasks,
            ):
                self.admission = tasks.get("admission")
                yield
        finally:
            for backend in self.remote_backends.values():
                await backend.close()

    @asynccontextmanager
    async def _admission(self) -> AsyncIterator[Parts]:
        """Yield the admission server, if the settings ask for it.

        Its client has no fence: the API server has to trust the certificate of a process that stands by, too.
        """
        if not self._settings.admission:
            yield {}
            return
        from integration_operator.admission import server  # loads cryptography, which needs 8 MiB

        preview = partial(problems, self.cache, self._plan_settings, self._templates)
        async with _client(self._settings, user_agent=f"{names.FIELD_MANAGER}/admission") as client:
            yield {"admission": partial(server.serve, client, self._settings, preview)}


class ConnectionOperator:
    """The process of ``connection-controller``: it takes Connections to Syndesis's servers.

    With an ``elector`` it stands by until it leads.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        elector: LeaderElector | None = None,
        *,
        tracer: Tracer | None = None,
    ) -> None:
        self.client = client
        self.elector = elector
        self.controller = ConnectionController(
            client,
            _connection_services(settings, elector),
            workers=min(settings.workers, MAX_CONNECTION_WORKERS),
            verification=settings.verification_seconds,
            tracer=tracer,
        )
        self.stopped = asyncio.Event()
        self.admission: asyncio.Task[None] | None = None
        self.queue = self.controller.queue
        self.reflectors = self.controller.reflectors
        self.unsynced = self.controller.unsynced
        self.state = ConnectionControllerState(self.controller, elector)
        self.report: Callable[[Query], Report] | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run reflectors and workers."""
        async with _running(self.controller, self.controller.watch, self.elector, self.stopped):
            yield


@asynccontextmanager
async def election(settings: Settings, lease: str) -> AsyncIterator[LeaderElector | None]:
    """Yield what elects this process or another one, None if the settings do not ask for it.

    It has a client of its own: neither the rate limit nor workers that wait for the API server delay a renewal.
    """
    if not settings.leader_elect:
        yield None
        return
    async with _client(settings, user_agent=f"{names.FIELD_MANAGER}/leader-election") as client:
        yield LeaderElector(
            client,
            Ref(settings.lease_namespace or client.namespace, lease),
            unique_identity(),
            duration=settings.lease_seconds,
            fence=fence_for(settings.lease_seconds, alarm=set_alarm),
        )


@asynccontextmanager
async def delegated_access(settings: Settings) -> AsyncIterator[Access | None]:
    """Yield what reviews who reads the metrics port, None if the settings do not ask for it.

    Its client has no fence, because a process that stands by is scraped too, and shares no limit with the workers.
    """
    if not settings.metrics_authentication:
        yield None
        return
    async with _client(settings, user_agent=f"{names.FIELD_MANAGER}/authentication") as client:
        yield Access(client, time.monotonic)


@asynccontextmanager
async def _running(
    controller: LedController,
    watch: Callable[[], Coroutine[Any, Any, None]],
    elector: LeaderElector | None,
    stopped: asyncio.Event,
    others: Parts = MappingProxyType({}),
) -> AsyncIterator[Mapping[str, asyncio.Task[None]]]:
    """Run reflectors, election, workers and ``others``; yield their tasks; set ``stopped`` if one ends by itself.

    On exit, wait for running work and release the Lease. A process that lost its Lease stops everything at once.
    """
    parts = {"controller": controller.run, "reflectors": watch, **others}
    if elector is not None:
        controller.stand_by()
        parts |= {"election": elector.run, "leader": partial(_lead, elector, controller)}

    def ended(task: asyncio.Task[None]) -> None:
        if task.cancelled() or (error := task.exception()) is None:
            return
        if isinstance(error, LeadershipLost):
            for other in tasks:
                other.cancel()
        else:
            log.error("stopped unexpectedly", part=task.get_name(), exc_info=error)
        stopped.set()

    tasks = [asyncio.create_task(run(), name=name) for name, run in parts.items()]
    for task in tasks:
        task.add_done_callback(ended)
    for _ in range(TASK_LEVELS):  # all have made their own tasks then, which kopf leaves alone
        await asyncio.sleep(0)
    try:
        yield {task.get_name(): task for task in tasks}
    finally:
        try:
            await _stop(elector, controller)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


async def _lead(elector: LeaderElector, controller: LedController) -> None:
    """Let the workers begin once this process leads.

    The watches of a process that stands by may lag behind what the last leader wrote, and an object that is not in a
    store yet would be created a second time, with another password. So every kind is listed once more, as at a start.
    """
    await elector.leading()
    began = time.monotonic()
    await controller.lead()
    log.info("workers started", refresh_seconds=round(time.monotonic() - began, 3))


async def _stop(elector: LeaderElector | None, controller: LedController) -> None:
    """Wait for running work, then release the Lease, unless a request was cut off: it may still take effect."""
    if elector is not None and elector.lost:
        return  # nothing that runs can write
    is_complete = await controller.stop()
    if elector is not None and is_complete:
        await elector.release()


def remote_backends(cache: Cache, settings: Settings, elector: LeaderElector | None = None) -> dict[str, RemoteBackend]:
    """Return all backends over REST, by the name of their delivery."""
    services = _connection_services(settings, elector)
    cache.syndesises.subscribe(services.syndesis_changed)
    return {
        "aggregated": AggregatedBackend(cache),
        "keycloak": KeycloakBackend(
            cache.client,
            settings.enmasse_namespace,
            url=settings.keycloak_url,
            release=settings.enmasse_release,
            limits=_limits(settings, elector),
        ),
        "rest": SyndesisBackend(services, cache.secret_values, _config_maps(cache.client)),
    }


def client_of(settings: Settings, elector: LeaderElector | None = None) -> Client:
    """Return the client for the cluster that the settings name. Raises ``ClusterNotFound``.

    With an ``elector`` it writes only while this process leads.
    """
    return _client(
        settings,
        max_in_flight=settings.workers,
        rate=settings.qps,
        burst=settings.burst,
        page_bytes=settings.page_bytes,
        user_agent=names.FIELD_MANAGER,
        fence=elector.fence if elector is not None else None,
    )


def _client(settings: Settings, **limits: Any) -> Client:
    return Client.find(settings.kubeconfig, settings.context, observe=metrics.KUBERNETES_REQUEST, **limits)


def _config_maps(client: Client) -> ConfigMaps:
    async def data(namespace: str, name: str) -> Mapping[str, str]:
        try:
            return (await client.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")).get("data") or {}
        except NotFound:
            return {}

    return data


def _connection_services(settings: Settings, elector: LeaderElector | None) -> ConnectionServices:
    return ConnectionServices(
        lambda namespace: settings.syndesis_url.format(namespace=namespace),
        limits=_limits(settings, elector),
    )


def _limits(settings: Settings, elector: LeaderElector | None) -> Limits:
    fence = elector.fence if elector is not None else None
    return Limits(settings.answer_bytes, settings.list_bytes, settings.answer_seconds, fence)
