"""The two processes of the product, put together from their parts as the settings say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

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
from integration_operator.controllers.connection.controller import ConnectionController
from integration_operator.controllers.integration.controller import IntegrationController, Options
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import NotFound
from integration_operator.settings import Settings

log = structlog.get_logger(__name__)

MAX_CONNECTION_WORKERS = 8
"""A Syndesis server answers slowly to many requests at once, and there is one for many Connections."""


class Operator:
    """The process of ``run``: it offers and delivers pairs."""

    def __init__(
        self, client: Client, templates: TemplateFiles, settings: Settings, *, plan: PlanSettings | None = None
    ) -> None:
        self.client = client
        self.cache = Cache(
            client,
            read_spaces=settings.address_spaces,
            poll=settings.poll_seconds,
            enmasse_namespace=settings.enmasse_namespace,
        )
        self.remote_backends = remote_backends(self.cache, settings)
        self.controller = IntegrationController(
            self.cache,
            templates,
            Options(
                plan=plan or settings.plan_settings,
                workers=settings.workers,
                resync=settings.resync_seconds,
                mass_delete_share=settings.mass_delete_share,
                verification=settings.verification_seconds,
                give_up=settings.give_up_seconds,
                max_offers=settings.most_offers,
                teardowns_per_minute=settings.teardowns_per_minute,
            ),
            remote_backends=self.remote_backends,
        )
        self.stopped = asyncio.Event()
        self.queue = self.controller.queue
        self.reflectors = self.cache.reflectors
        self.unsynced = self.cache.unsynced
        metrics.CONTROLLER.queue_depth.set_function(lambda: len(self.queue))
        metrics.OFFERS_EXHAUSTED.set_function(lambda: len(self.controller.offers.exhausted_namespaces))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run reflectors and workers."""
        async with _running({"controller": self.controller.run, "cache": self.cache.run}, self.stopped):
            try:
                yield
            finally:
                await self.controller.stop()
        for backend in self.remote_backends.values():
            await backend.close()


class ConnectionOperator:
    """The process of ``connection-controller``: it takes Connections to Syndesis's servers."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self.controller = ConnectionController(
            client,
            _connection_services(settings),
            workers=min(settings.workers, MAX_CONNECTION_WORKERS),
            verification=settings.verification_seconds,
        )
        self.stopped = asyncio.Event()
        self.queue = self.controller.queue
        self.reflectors = self.controller.reflectors
        self.unsynced = self.controller.unsynced
        metrics.CONTROLLER.queue_depth.set_function(lambda: len(self.queue))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run reflectors and workers."""
        async with _running({"controller": self.controller.run}, self.stopped):
            try:
                yield
            finally:
                await self.controller.stop()


@asynccontextmanager
async def _running(
    parts: Mapping[str, Callable[[], Coroutine[Any, Any, None]]], stopped: asyncio.Event
) -> AsyncIterator[None]:
    """Run parts that do not end by themselves; set ``stopped`` if one does."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("stopped unexpectedly", part=task.get_name(), exc_info=error)
            stopped.set()

    tasks = [asyncio.create_task(run(), name=name) for name, run in parts.items()]
    for task in tasks:
        task.add_done_callback(ended)
    await asyncio.sleep(0)  # all have made their own tasks now, which kopf then leaves alone
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


def remote_backends(cache: Cache, settings: Settings) -> dict[str, RemoteBackend]:
    """Return all backends over REST, by the name of their delivery."""
    services = _connection_services(settings)
    cache.syndesises.subscribe(services.syndesis_changed)
    return {
        "aggregated": AggregatedBackend(cache),
        "keycloak": KeycloakBackend(
            cache.client,
            settings.enmasse_namespace,
            url=settings.keycloak_url,
            release=settings.enmasse_release,
            limits=_limits(settings),
        ),
        "rest": SyndesisBackend(services, cache.secret_values, _config_maps(cache.client)),
    }


def client_of(settings: Settings) -> Client:
    """Return the client for the cluster that the settings name. Raises ``ClusterNotFound``."""
    limits: dict[str, Any] = {
        "max_in_flight": settings.workers,
        "rate": settings.qps,
        "burst": settings.burst,
        "page_bytes": settings.page_bytes,
        "user_agent": names.FIELD_MANAGER,
        "observe": metrics.CLIENT.observe_request,
    }
    return Client.find(settings.kubeconfig, settings.context, **limits)


def _config_maps(client: Client) -> ConfigMaps:
    async def data(namespace: str, name: str) -> Mapping[str, str]:
        try:
            return (await client.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")).get("data") or {}
        except NotFound:
            return {}

    return data


def _connection_services(settings: Settings) -> ConnectionServices:
    return ConnectionServices(
        lambda namespace: settings.syndesis_url.format(namespace=namespace),
        limits=_limits(settings),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(settings.answer_bytes, settings.list_bytes, settings.answer_seconds)
