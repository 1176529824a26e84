"""The process, hosted by kopf.

kopf provides the life cycle (signals, startup, cleanup), the login and the liveness probe. It watches nothing: one bad
answer on a watch of kopf ends the process, and its index keeps deleted objects (measured,
docs/decisions/0001-kopf-hosts.md). The controllers start before kopf, because kopf cancels every later task when it
stops.
"""

from __future__ import annotations

import asyncio
import errno
import itertools
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager, contextmanager, suppress
from typing import Any, Protocol

import kopf
import structlog
from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

from integration_operator import __version__
from integration_operator.api import names
from integration_operator.endpoints import Endpoints
from integration_operator.runtime.certificate_files import follow, load
from integration_operator.runtime.client import Client
from integration_operator.runtime.delegated_access import Access
from integration_operator.runtime.lease import LeaderElector, LeadershipLost
from integration_operator.runtime.reflector import Reflector
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.workqueue import WorkQueue
from integration_operator.settings import Settings
from integration_operator.status_page.query import Query
from integration_operator.status_page.report import Report

log = structlog.get_logger(__name__)

MAX_RECONCILE_SECONDS = 600.0
"""Seconds after which a running reconcile counts as stuck: each request ends after 30 s."""

RESTART_DELAY = 15.0
"""Seconds between two starts of kopf."""

Close = Callable[[], Awaitable[None]]
"""Closes a server and its connections."""


class UnlimitedBackoff:
    """Back-offs without end: with kopf's default of eight, an outage of a minute ends the process."""

    def __iter__(self) -> Iterator[float]:
        return itertools.chain((1.0, 2.0, 4.0, 8.0), itertools.repeat(15.0))


class ProcessFailed(Exception):
    """A part of the process stopped unexpectedly, which is a defect: the process has to be restarted."""


class CannotListen(Exception):
    """The process cannot listen on a port or address; the message names the setting."""


class Hosted(Protocol):
    """The controllers of a process. ``stopped`` is set if a part of it stopped unexpectedly.

    ``admission`` answers admission reviews, None if the process answers none. ``report`` makes what the status page
    shows, None if the process has none.
    """

    client: Client
    elector: LeaderElector | None
    stopped: asyncio.Event
    admission: asyncio.Task[None] | None
    report: Callable[[Query], Report] | None

    @property
    def state(self) -> Collector:
        """The metrics that are read at a scrape."""

    @property
    def queue(self) -> WorkQueue[Any]:
        """The work queue."""

    @property
    def reflectors(self) -> Mapping[str, Reflector[Any]]:
        """The reflectors by kind."""

    def unsynced(self) -> dict[str, str]:
        """Return the kinds that are neither in sync nor absent, with the problem."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Run the controllers in a context; on exit, wait for running reconciles."""


async def serve(process: Hosted, settings: Settings, access: Access | None = None) -> None:
    """Run a process, whose client is open, until a signal ends it. ``access`` reviews who reads the metrics port.

    Raises ``ProcessFailed`` for a defect, ``LeadershipLost``, and ``CannotListen`` before the start.
    """
    check_ports(settings)
    hosted, stop = asyncio.Event(), asyncio.Event()
    async with _observability(process, settings, access) as close:
        running = process.running()
        await running.__aenter__()
        log.info("started", server=process.client.server, version=__version__)
        ending = asyncio.create_task(_end_with(process, hosted))
        try:
            await _host(process, settings, hosted, stop, close)
            if process.elector is not None and process.elector.lost:
                raise LeadershipLost("another process leads, or may lead; this one has to be started again")
            if process.stopped.is_set():
                raise ProcessFailed("a part of the process stopped unexpectedly; see the log")
        finally:
            ending.cancel()
            log.info("stopping", in_flight_seconds=round(process.queue.oldest, 3))
            with suppress(TimeoutError):
                async with asyncio.timeout(settings.shutdown_seconds):
                    await running.__aexit__(None, None, None)
            log.info("stopped")


def check_ports(settings: Settings) -> None:
    """Check that the process can listen on its ports. Raises ``CannotListen``.

    kopf would end for a port that is in use, and would be restarted for ever.
    """
    with ExitStack() as sockets:
        admission_port = settings.admission_port if settings.admission else 0
        ports = {"probe": settings.probe_port, "metrics": settings.metrics_port, "admission": admission_port}
        for name, port in ports.items():
            if port:
                sockets.enter_context(_listening(settings.bind_address, name, port))


@contextmanager
def _listening(address: str, name: str, port: int) -> Iterator[None]:
    try:
        family, kind, protocol, _, socket_address = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the servers do, because of TIME_WAIT
            probe.bind(socket_address)
            probe.listen()
            yield
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            raise CannotListen(f"--{name}-port {port}: {reason}") from error
        raise CannotListen(f"--bind-address {sanitized(address)}: {reason}") from error


async def _end_with(process: Hosted, hosted: asyncio.Event) -> None:
    """Send SIGTERM when a part of the process has stopped and kopf handles signals."""
    await process.stopped.wait()
    await hosted.wait()
    signal.raise_signal(signal.SIGTERM)


async def _host(process: Hosted, settings: Settings, hosted: asyncio.Event, stop: asyncio.Event, close: Close) -> None:
    """Run kopf until the process is stopped; restart kopf if it ends by itself. ``close`` ends /metrics and /readyz."""
    address = f"[{settings.bind_address}]" if ":" in settings.bind_address else settings.bind_address
    endpoint = f"http://{address}:{settings.probe_port}/healthz" if settings.probe_port else None
    while not stop.is_set():
        try:
            await kopf.operator(
                registry=_registry(process, hosted, stop, close),
                settings=_kopf_settings(settings),
                standalone=True,
                clusterwide=True,
                liveness_endpoint=endpoint,
            )
            return
        except Exception as error:  # kopf ends for failures that the controllers retry, such as an invalid token
            if not stop.is_set():  # else it failed after its cleanup, and the process ends in any case
                log.warning("kopf restarting", error=" ".join(str(error).split()))
                await asyncio.sleep(RESTART_DELAY)


def _kopf_settings(settings: Settings) -> kopf.OperatorSettings:
    kopf_settings = kopf.OperatorSettings()
    kopf_settings.networking.error_backoffs = UnlimitedBackoff()
    kopf_settings.networking.request_timeout = 30
    kopf_settings.networking.connect_timeout = 5
    kopf_settings.scanning.disabled = True
    kopf_settings.posting.enabled = False
    kopf_settings.process.ultimate_exiting_timeout = settings.shutdown_seconds + 30
    return kopf_settings


def _registry(process: Hosted, hosted: asyncio.Event, stop: asyncio.Event, close: Close) -> kopf.OperatorRegistry:
    registry = kopf.OperatorRegistry()

    @kopf.on.login(registry=registry)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(server=process.client.server, aiohttp_session=process.client.session())

    @kopf.on.probe(id="worker_seconds", registry=registry)
    async def oldest(**_: Any) -> float:
        seconds = process.queue.oldest
        if seconds > MAX_RECONCILE_SECONDS:
            raise kopf.PermanentError(f"one reconcile has been running for {seconds:.0f} s")
        return round(seconds, 3)

    @kopf.on.probe(id="kinds", registry=registry)
    async def kinds(**_: Any) -> dict[str, str]:
        return {name: reflector.state.value for name, reflector in process.reflectors.items()}

    @kopf.on.startup(registry=registry)
    async def startup(**_: Any) -> None:
        hosted.set()

    @kopf.on.cleanup(registry=registry)
    async def cleanup(**_: Any) -> None:
        stop.set()
        await close()  # kopf waits 5 s for connections that Prometheus or an API server keeps open
        if process.admission is not None:
            process.admission.cancel()
            await asyncio.wait([process.admission])

    return registry


@asynccontextmanager
async def _observability(process: Hosted, settings: Settings, access: Access | None) -> AsyncIterator[Close]:
    """Serve the metrics port; yield what ends that earlier than the context does."""
    REGISTRY.register(process.state)
    serving = asyncio.create_task(_serve_metrics_port(process, settings, access), name="metrics port")

    def ended(task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("stopped unexpectedly", part=task.get_name(), exc_info=error)
            process.stopped.set()

    serving.add_done_callback(ended)

    async def close() -> None:
        serving.cancel()
        await asyncio.wait([serving])

    try:
        yield close
    finally:
        REGISTRY.unregister(process.state)
        await close()


async def _serve_metrics_port(process: Hosted, settings: Settings, access: Access | None) -> None:
    """Serve until cancelled. Tokens are sent over TLS only."""
    if not settings.metrics_port:
        return
    endpoints = Endpoints(process.unsynced, process.report if settings.status_page else None, access)
    async with asyncio.TaskGroup() as group:
        context = None
        if settings.metrics_certificate is not None:
            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            group.create_task(follow(settings.metrics_certificate, context), name="certificate of the metrics port")
        elif access is not None:
            from integration_operator.runtime.self_signed import self_signed  # loads cryptography, which needs 8 MiB

            context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
            load(context, *self_signed("localhost", f"{names.FIELD_MANAGER} metrics"))
        port = endpoints.listen(settings.bind_address, settings.metrics_port, context)
        group.create_task(port, name="metrics server")
