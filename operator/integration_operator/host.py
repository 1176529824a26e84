"""The process: kopf hosts it, the engine does the work.

kopf gives the life cycle (signals, start, clean-up), the log-in and the liveness probe. It watches nothing: one bad
answer on a watch of kopf's ends the process, and its index keeps what is gone (measured,
docs/decisions/0001-kopf-hosts.md). The engine's tasks are made before kopf starts, because on stop it cancels every
task that came after.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import kopf
import structlog
from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from integration_operator.cluster import Cluster
from integration_operator.delivery import RemoteDelivery
from integration_operator.delivery.aggregated import AggregatedDelivery
from integration_operator.delivery.syndesis.delivery import SyndesisDelivery
from integration_operator.engine.controller import Controller, Options
from integration_operator.kube.client import Client
from integration_operator.observability import metrics
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.settings import Settings

log = structlog.get_logger(__name__)

STUCK = 600.0
"""Seconds after which a key that is still worked on says that its worker hangs: each request ends after 30 s."""

RESTART_KOPF = 15.0


class ForEver:
    """Back-offs that never end: with kopf's own eight, an outage of a minute ends the process."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 2.0, 4.0, 8.0), itertools.repeat(15.0))


class EngineStopped(Exception):
    """A part of the engine has ended by itself, which is a defect: the process is to be started anew."""


class Operator:
    """The engine of one process. ``stopped`` is set where a part of it has ended by itself."""

    def __init__(self, client: Client, templates: TemplateFiles, settings: Settings) -> None:
        self.client = client
        self.cluster = Cluster(client, spaces_from=settings.address_spaces, poll=settings.poll_seconds)
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
            ),
            over_rest=self.over_rest,
        )
        self.stopped = asyncio.Event()
        metrics.QUEUE_DEPTH.set_function(lambda: len(self.controller.queue))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Run reflectors and workers; on leaving, finish what is in flight."""
        workers = asyncio.create_task(self.controller.run(), name="workers")
        reflectors = asyncio.create_task(self.cluster.run(), name="reflectors")
        for task in (workers, reflectors):
            task.add_done_callback(self._ended)
        await asyncio.sleep(0)  # both have made their own tasks now, which kopf then leaves alone
        try:
            yield
        finally:
            await self.controller.stop()
            for task in (workers, reflectors):
                task.cancel()
            await asyncio.wait((workers, reflectors))
            for delivery in self.over_rest.values():
                await delivery.close()

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("the engine has stopped", part=task.get_name(), exc_info=error)
            self.stopped.set()


def deliveries_over_rest(cluster: Cluster, settings: Settings) -> dict[str, RemoteDelivery]:
    """All ways to make a side where no resource does it, by the name that the decisions use."""

    def syndesis(namespace: str) -> str:
        return settings.syndesis_url.format(namespace=namespace)

    return {"aggregated": AggregatedDelivery(cluster), "rest": SyndesisDelivery(syndesis, cluster.secret_value)}


def client_of(settings: Settings) -> Client:
    """The client for the cluster that the settings name."""
    limits: dict[str, Any] = {
        "max_in_flight": settings.workers,
        "rate": settings.qps,
        "burst": settings.burst,
        "observe": metrics.observe_request,
    }
    if settings.kubeconfig is not None:
        return Client.from_kubeconfig(settings.kubeconfig, settings.context, **limits)
    return Client.in_cluster(**limits)


async def run(settings: Settings) -> None:
    """Run the operator until a signal ends it.

    Raises ``NoCluster`` and ``TemplateRefused`` before anything starts, ``EngineStopped`` for a defect.
    """
    templates = TemplateFiles(settings.templates)
    templates.check()
    async with client_of(settings) as client:
        operator = Operator(client, templates, settings)
        hosted, stop = asyncio.Event(), asyncio.Event()
        async with _observability(operator, settings):
            engine = operator.running()
            await engine.__aenter__()
            log.info("started", server=client.server)
            ending = asyncio.create_task(_end_with(operator, hosted))
            try:
                await _host(operator, settings, hosted, stop)
                if operator.stopped.is_set():
                    raise EngineStopped("a part of the engine has ended by itself; the log says which")
            finally:
                ending.cancel()
                log.info("stopping", in_flight_seconds=round(operator.controller.queue.oldest, 3))
                with suppress(TimeoutError):
                    async with asyncio.timeout(settings.shutdown_seconds):
                        await engine.__aexit__(None, None, None)
                log.info("stopped")


async def _end_with(operator: Operator, hosted: asyncio.Event) -> None:
    """End the process the way a supervisor would, once the engine has stopped by itself and kopf listens to signals."""
    await operator.stopped.wait()
    await hosted.wait()
    signal.raise_signal(signal.SIGTERM)


async def _host(operator: Operator, settings: Settings, hosted: asyncio.Event, stop: asyncio.Event) -> None:
    """Let kopf host the process until it is told to stop; start it again where it ends by itself."""
    endpoint = f"http://{settings.bind_address}:{settings.probe_port}/healthz" if settings.probe_port else None
    while not stop.is_set():
        try:
            await kopf.operator(
                registry=_registry(operator, hosted, stop),
                settings=_kopf_settings(settings),
                standalone=True,
                clusterwide=True,
                liveness_endpoint=endpoint,
            )
            return
        except Exception as error:  # kopf gives up on what the engine lives with: a token that is wrong for a while
            log.warning("host restarts", error=" ".join(str(error).split()))
            await asyncio.sleep(RESTART_KOPF)


def _kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    chosen = kopf.OperatorSettings()
    chosen.networking.error_backoffs = ForEver()
    chosen.networking.request_timeout = 30
    chosen.networking.connect_timeout = 5
    chosen.scanning.disabled = True
    chosen.posting.enabled = False
    chosen.process.ultimate_exiting_timeout = settings.shutdown_seconds + 30
    return chosen


def _registry(operator: Operator, hosted: asyncio.Event, stop: asyncio.Event) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=operator.client.server, aiohttp_session=operator.client.session())

    @kopf.on.probe(id="worker_seconds", registry=registry)
    async def oldest(**_: Any) -> float:
        seconds = operator.controller.queue.oldest
        if seconds > STUCK:
            raise kopf.PermanentError(f"a worker has been busy with one pair for {seconds:.0f} s")
        return round(seconds, 3)

    @kopf.on.probe(id="kinds", registry=registry)
    async def kinds(**_: Any) -> dict[str, str]:
        return {name: reflector.state.value for name, reflector in operator.cluster.reflectors.items()}

    @kopf.on.startup(registry=registry)
    async def startup(**_: Any) -> None:
        hosted.set()

    @kopf.on.cleanup(registry=registry)
    async def cleanup(**_: Any) -> None:
        stop.set()

    return registry


@asynccontextmanager
async def _observability(operator: Operator, settings: Settings) -> AsyncIterator[None]:
    """Serve /metrics and /readyz."""
    if not settings.metrics_port:
        yield
        return

    async def scrape(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def ready(_: web.Request) -> web.Response:
        unsettled = operator.cluster.unsettled()
        lines = [f"{kind}: {problem}" for kind, problem in unsettled.items()] or ["ok"]
        return web.Response(text="\n".join(lines) + "\n", status=503 if unsettled else 200)

    application = web.Application()
    application.add_routes([web.get("/metrics", scrape), web.get("/readyz", ready)])
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, settings.bind_address, settings.metrics_port).start()
    try:
        yield
    finally:
        await runner.cleanup()
