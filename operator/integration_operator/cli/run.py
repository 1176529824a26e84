"""``integration-operator run`` and ``connection-controller``: the processes that run until SIGTERM."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from integration_operator import __version__
from integration_operator.api import names
from integration_operator.cli.failure import DEFECT, LEADERSHIP_LOST, WRONG_INPUT, fail, one_line
from integration_operator.settings import Settings

if TYPE_CHECKING:
    from integration_operator.runtime.tracing import Tracer

CONNECTION_CONTROLLER_SETTINGS = (
    "kubeconfig",
    "context",
    "workers",
    "verification_seconds",
    "syndesis_url",
    "leader_elect",
    "lease_namespace",
    "lease_seconds",
    "probe_port",
    "metrics_port",
    "metrics_authentication",
    "metrics_certificate",
    "bind_address",
    "shutdown_seconds",
    "log_level",
    "log_format",
)


def run(settings: Settings) -> None:
    """Run the operator until SIGTERM.

    A flag overrides the environment variable INTEGRATION_OPERATOR_<NAME>, that the file of --config.
    """
    _serve(settings, names.FIELD_MANAGER, _operator)


def connection_controller(settings: Settings) -> None:
    """Reconcile Connections on Syndesis servers.

    Runs until SIGTERM, and does what Syndesis issue 3692 asks of Syndesis.
    """
    _serve(settings, "connection-controller", _connection_controller)


async def _operator(settings: Settings, tracer: Tracer | None) -> None:
    from integration_operator.host import serve
    from integration_operator.manager import OPERATOR_LEASE, Operator, client_of, delegated_access, election
    from integration_operator.rendering.templates import TemplateFiles

    templates = TemplateFiles(settings.templates)
    templates.check()
    async with (
        election(settings, OPERATOR_LEASE) as elector,
        client_of(settings, elector) as client,
        delegated_access(settings) as access,
    ):
        await serve(Operator(client, templates, settings, elector, tracer=tracer), settings, access)


async def _connection_controller(settings: Settings, tracer: Tracer | None) -> None:
    from integration_operator.host import serve
    from integration_operator.manager import (
        CONNECTION_CONTROLLER_LEASE,
        ConnectionOperator,
        client_of,
        delegated_access,
        election,
    )

    async with (
        election(settings, CONNECTION_CONTROLLER_LEASE) as elector,
        client_of(settings, elector) as client,
        delegated_access(settings) as access,
    ):
        await serve(ConnectionOperator(client, settings, elector, tracer=tracer), settings, access)


def _serve(settings: Settings, service: str, process: Callable[[Settings, Tracer | None], Awaitable[None]]) -> None:
    """Run a process, which traces call ``service``, and say in one line what ended it."""
    with one_line():
        # The clients' libraries are slow to load: not for a wrong flag.
        from integration_operator.host import CannotListen, ProcessFailed
        from integration_operator.runtime import logs
        from integration_operator.runtime.lease import LeadershipLost
        from integration_operator.runtime.tracing import exporting

        logs.configure(settings.log_level, settings.log_format)

        async def running(tracer: Tracer | None) -> None:
            await process(settings, tracer)

        try:
            with exporting(service, __version__) as tracer:
                asyncio.run(running(tracer))
        except CannotListen as error:
            fail(error, WRONG_INPUT)
        except ProcessFailed as error:
            fail(error, DEFECT)
        except LeadershipLost as error:
            fail(error, LEADERSHIP_LOST)
