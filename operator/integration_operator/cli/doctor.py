"""``integration-operator doctor``: what is wrong with an installation, and the command that mends it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from integration_operator import __version__
from integration_operator.cli.failure import DIFFERENCE, WRONG_INPUT, fail, one_line
from integration_operator.cli.flags import Config, Context, Kubeconfig, Output, Templates, check_output
from integration_operator.cli.output import MAX_LINE, echo, say
from integration_operator.cli.progress import progress
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.text import sanitized
from integration_operator.settings import Settings, load

if TYPE_CHECKING:
    from integration_operator.cli.diagnosis.finding import CheckUp, Finding, Visit

SIGNS = {"ok": "✓", "warning": "!", "problem": "✗"}


def doctor(
    kubeconfig: Kubeconfig = None,
    context: Context = None,
    config: Config = None,
    templates: Templates = None,
    service_account: Annotated[
        str | None,
        typer.Option(
            metavar="NAMESPACE/NAME",
            help="Check the permissions of this service account instead of your own; needs the right to create "
            "SubjectAccessReviews.",
        ),
    ] = None,
    output: Output = "text",
) -> None:
    """Find what is wrong with an installation.

    Each finding comes with the command that mends it. Exits with 1 if there is a problem. A warning is something
    that may be right, or that you may not see.
    """
    check_output(output)
    if service_account is not None and Ref.parse(service_account) is None:
        fail(f"--service-account must be NAMESPACE/NAME (got {service_account})", WRONG_INPUT)
    with one_line():
        settings = load({"kubeconfig": kubeconfig, "context": context, "templates": templates}, config)
        findings = asyncio.run(_visit(settings, service_account))
    if output == "json":
        echo(json.dumps([finding.document() for finding in findings], indent=2) + "\n")
    else:
        _print(findings)
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(DIFFERENCE)


async def _visit(settings: Settings, service_account: str | None) -> list[Finding]:
    from integration_operator.cli.diagnosis import cluster, installation, objects, servers
    from integration_operator.cli.diagnosis.finding import Finding, Visit
    from integration_operator.cli.reading import connected

    check_ups = (
        cluster.version,
        cluster.clock,
        cluster.kinds_of_platforms,
        cluster.own_kinds,
        cluster.permissions,
        installation.process,
        installation.templates,
        servers.keycloak,
        servers.syndesis_servers,
        objects.syndesis,
        objects.integrations,
        objects.messaging_users,
    )
    findings = [Finding("ok", "versions", f"integration-operator {__version__}")]
    async with connected(settings.kubeconfig, settings.context) as client:
        visit = Visit(client, settings, service_account)
        with progress("looking at the cluster"):
            findings.append(Finding("ok", "cluster", str(client.server)))
            for check_up in check_ups:
                findings += await _findings(check_up, visit)
    return findings


async def _findings(check_up: CheckUp, visit: Visit) -> list[Finding]:
    """Return the findings of one check; what may not be read is a finding, and stops no other check."""
    from integration_operator.cli.diagnosis.finding import Finding
    from integration_operator.runtime.errors import Forbidden

    try:
        return await check_up(visit)
    except Forbidden as error:
        name = getattr(check_up, "__name__", "check").replace("_", " ")
        return [Finding("warning", name, f"not looked at: {error}", "ask the administrator to run doctor")]


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.check) for finding in findings)
    for finding in findings:
        check = finding.check.ljust(width)
        echo(f"{SIGNS[finding.level]} {check}   {sanitized(finding.message, MAX_LINE)}\n")
        if finding.fix:
            echo(f"  {' ' * width}   → {sanitized(finding.fix, MAX_LINE)}\n")
    problems = sum(finding.level == "problem" for finding in findings)
    warnings = sum(finding.level == "warning" for finding in findings)
    say(f"{problems} problem{'' if problems == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}")
