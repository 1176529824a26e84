"""The two processes of the product, put together from their parts as the settings say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

import structlog

from integration_operator.cluster import Cluster
from integration_operator.connections.controller import ConnectionController
from integration_operator.delivery import RemoteDelivery
from integration_operator.delivery.aggregated import AggregatedDelivery
from integration_operator.delivery.keycloak.delivery import KeycloakDelivery
from integration_operator.delivery.limits import Limits
from integration_operator.delivery.syndesis.delivery import ConfigMaps, SyndesisDelivery
from integration_operator.delivery.syndesis.servers import Servers
from integration_operator.engine.controller import Controller, Options
from integration_operator.kube.client import Client
from integration_operator.kube.errors import NotFound
from integration_operator.observability import metrics
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.settings import Settings

log = structlog.get_logger(__name__)

MOST_CONNECTIONS_AT_ONCE = 8
"""A Syndesis server answers slowly to much at once, and there is one for many Connections."""


class Operator:
    """Offers and delivers pairs."""

    def __init__(self, client: Client, templates: TemplateFiles, settings: Settings) -> None:
        self.client = client
        self.cluster = Cluster(
            client,
            spaces_from=settings.address_spaces,
            poll=settings.poll_seconds,
            enmasse_namespace=settings.enmasse_namespace,
        )
        self.over_rest = deliveries_over_rest(self.cluster, settings)
        self.controller = Controller(
            self.cluster,
            templates,
            Options(
                rules=settings.pairing_rules,
                enable_new=settings.enable_new,
                workers=settings.workers,
                resync=settings.resync_seconds,
                mass_delete_share=settings.mass_delete_share,
                user=settings.user_delivery,
                connection=settings.connection_delivery,
                verification=settings.verification_seconds,
                give_up=settings.give_up_seconds,
                most_offers=settings.most_offers,
                allow_keycloak=settings.allow_keycloak,
            ),
            over_rest=self.over_rest,
        )
        self.stopped = asyncio.Event()
        self.queue = self.controller.queue
        self.reflectors = self.cluster.reflectors
        self.unsettled = self.cluster.unsettled
        metrics.QUEUE_DEPTH.set_function(lambda: len(self.queue))
        metrics.OFFERS_EXHAUSTED.set_function(lambda: len(self.controller.offers.exhausted_namespaces))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run reflectors and workers."""
        async with _running({"workers": self.controller.run, "reflectors": self.cluster.run}, self.stopped):
            try:
                yield
            finally:
                await self.controller.stop()
        for delivery in self.over_rest.values():
            await delivery.close()


class ConnectionControl:
    """Takes Connections to Syndesis's servers."""

    def __init__(self, client: Client, settings: Settings) -> None:
        self.client = client
        self.controller = ConnectionController(
            client,
            _syndesis_servers(settings),
            workers=min(settings.workers, MOST_CONNECTIONS_AT_ONCE),
            verification=settings.verification_seconds,
        )
        self.stopped = asyncio.Event()
        self.queue = self.controller.queue
        self.reflectors = self.controller.reflectors
        self.unsettled = self.controller.unsettled

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
    """Run parts that do not end by themselves; ``stopped`` is set where one does."""

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the engine has stopped", part=task.get_name(), exc_info=error)
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


def deliveries_over_rest(cluster: Cluster, settings: Settings) -> dict[str, RemoteDelivery]:
    """Return all ways to make a side without a resource, by the name that the decisions use."""
    servers = _syndesis_servers(settings)
    cluster.syndesises.subscribe(servers.syndesis_changed)
    return {
        "aggregated": AggregatedDelivery(cluster),
        "keycloak": KeycloakDelivery(
            cluster.client,
            settings.enmasse_namespace,
            url=settings.keycloak_url,
            release=settings.enmasse_release,
            limits=_limits(settings),
        ),
        "rest": SyndesisDelivery(servers, cluster.secret_value, _config_maps(cluster.client)),
    }


def _config_maps(client: Client) -> ConfigMaps:
    async def data(namespace: str, name: str) -> Mapping[str, str]:
        try:
            return (await client.get(f"/api/v1/namespaces/{namespace}/configmaps/{name}")).get("data") or {}
        except NotFound:
            return {}

    return data


def _syndesis_servers(settings: Settings) -> Servers:
    return Servers(
        lambda namespace: settings.syndesis_url.format(namespace=namespace),
        limits=_limits(settings),
    )


def _limits(settings: Settings) -> Limits:
    return Limits(settings.answer_bytes, settings.list_bytes, settings.answer_seconds)


def client_of(settings: Settings) -> Client:
    """Return the client for the cluster that the settings name. Raises ``NoCluster``."""
    limits: dict[str, Any] = {
        "max_in_flight": settings.workers,
        "rate": settings.qps,
        "burst": settings.burst,
        "page_bytes": settings.page_bytes,
        "observe": metrics.observe_request,
    }
    return Client.find(settings.kubeconfig, settings.context, **limits)
