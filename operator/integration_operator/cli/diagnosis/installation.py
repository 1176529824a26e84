"""The operator: its templates and settings, the process that leads, and its version."""

from __future__ import annotations

from typing import Any

from integration_operator import __version__
from integration_operator.cli.diagnosis.finding import Finding, Visit
from integration_operator.cli.running import DEPLOYMENTS, LEASES, is_fresh
from integration_operator.domain.plan.manifests import TemplateRefused
from integration_operator.rendering.templates import TemplateFiles

Document = dict[str, Any]

VERSION_LABEL = "app.kubernetes.io/version"


async def templates(visit: Visit) -> list[Finding]:
    """Check the templates, as the operator does at its start."""
    directory = visit.settings.templates
    where = str(directory) if directory is not None else "the shipped ones"
    try:
        TemplateFiles(directory).check()
    except TemplateRefused as error:
        return [Finding("problem", "templates", str(error), "correct the file, and run doctor again")]
    return [Finding("ok", "templates", where)]


async def process(visit: Visit) -> list[Finding]:
    """Check that the operator runs, that one process leads, and that it is of this version."""
    deployments = (await visit.client.get(*DEPLOYMENTS)).get("items") or []
    leases = (await visit.client.get(*LEASES)).get("items") or []
    holders = [lease["spec"]["holderIdentity"] for lease in leases if is_fresh(lease.get("spec") or {})]
    findings = [finding for deployment in deployments for finding in _of_deployment(deployment)]
    findings += [Finding("ok", "operator", f"{holder} leads") for holder in holders]
    if not deployments and not holders:
        text = "no Deployment of the operator, and no process that leads"
        findings.append(Finding("warning", "operator", text, "kubectl apply -k deploy/kustomize/base"))
    return findings


def _of_deployment(deployment: Document) -> list[Finding]:
    metadata, status = deployment["metadata"], deployment.get("status") or {}
    name, desired = f"{metadata['namespace']}/{metadata['name']}", (deployment.get("spec") or {}).get("replicas", 1)
    ready = status.get("readyReplicas") or 0
    logs = f"kubectl logs -n {metadata['namespace']} deploy/{metadata['name']} --tail=50"
    findings = [
        Finding("ok", "operator", f"Deployment {name}: {ready} of {desired} ready")
        if ready >= desired > 0
        else Finding("problem", "operator", f"Deployment {name}: {ready} of {desired} ready", logs)
    ]
    version = (metadata.get("labels") or {}).get(VERSION_LABEL)
    if version and version != __version__:
        text = f"Deployment {name} is of version {version}, and this command of {__version__}"
        findings.append(Finding("warning", "versions", text, f"pip install integration-operator=={version}"))
    return findings
