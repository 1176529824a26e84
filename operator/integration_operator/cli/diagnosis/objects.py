"""The objects: Integrations that wait for a user, and objects that would trouble EnMasse."""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from typing import Any

from integration_operator.api import names
from integration_operator.cli.diagnosis.finding import Finding, Visit
from integration_operator.cli.reading import everything
from integration_operator.domain.policies.readiness import can_connect
from integration_operator.platforms.syndesis import syndesis as parse_syndesis
from integration_operator.resources import MESSAGING_USER, SYNDESIS
from integration_operator.runtime.resources import discover

Document = dict[str, Any]


async def integrations(visit: Visit) -> list[Finding]:
    """Count the Integrations by what they wait for."""
    ready = 0
    waiting: Counter[str] = Counter()
    first: dict[str, str] = {}
    for integration in await visit.integrations():
        summary = integration.summary
        reason = str(summary.get("reason", ""))
        ready += summary.get("type") == "Ready" and summary["status"] == "True"
        if integration.enabled and summary.get("status") != "True":
            waiting[reason] += 1
            first.setdefault(reason, f"{integration.ref.name} -n {integration.ref.namespace}")
    findings = [Finding("ok", "integrations", f"{ready} ready")]
    for reason, count in waiting.most_common():
        what = f"{count} enabled and not ready: {reason or 'not seen by the operator yet'}"
        findings.append(Finding("warning", "integrations", what, f"kubectl describe integration {first[reason]}"))
    return findings


async def syndesis(visit: Visit) -> list[Finding]:
    """Check that each Syndesis can take a connection."""
    served = await discover(visit.client, SYNDESIS)
    documents = await everything(visit.client, served, None) if served is not None else []
    judged = [(instance.ref, can_connect(instance)) for instance in map(parse_syndesis, documents)]
    findings = [Finding("ok", "syndesis", f"{sum(map(bool, dict(judged).values()))} installed")]
    return findings + [
        Finding("warning", "syndesis", check.message, f"kubectl describe syndesis {ref.name} -n {ref.namespace}")
        for ref, check in judged
        if not check
    ]


async def messaging_users(visit: Visit) -> list[Finding]:
    """Find MessagingUsers whose password is not base64.

    EnMasse decodes a LIST as a whole: one such object stops its controller for all tenants (``user_types.go`` has
    ``Password []byte``, and encoding/json refuses the list).
    """
    served = await discover(visit.client, MESSAGING_USER)
    if served is None or not served.watchable:
        return []
    bad = [user for user in await everything(visit.client, served, None) if not _is_base64(_password(user))]
    if not bad:
        return [Finding("ok", "messaging users", "EnMasse can read all")]
    return [
        Finding(
            "problem",
            "messaging users",
            f"the password of MessagingUser {user['metadata']['namespace']}/{user['metadata']['name']} is not base64: "
            "EnMasse's controller stops for all tenants",
            _correction(user),
        )
        for user in bad
    ]


def _correction(user: Document) -> str:
    namespace, name = user["metadata"]["namespace"], user["metadata"]["name"]
    if (user["metadata"].get("labels") or {}).get(names.MANAGED_BY_LABEL) == names.FIELD_MANAGER:
        return f"kubectl delete messaginguser {name} -n {namespace}; the operator creates it again"
    patch = '{"spec":{"authentication":{"password":"\'"$(printf %s PASSWORD | base64)"\'"}}}'
    return f"kubectl patch messaginguser {name} -n {namespace} --type=merge -p '{patch}'"


def _password(user: Document) -> object:
    return ((user.get("spec") or {}).get("authentication") or {}).get("password")


def _is_base64(value: object) -> bool:
    """Check a value as Go's decoder does, which ignores line breaks and nothing else."""
    if value is None:
        return True
    if not isinstance(value, str):
        return False
    try:
        base64.b64decode(value.replace("\n", "").replace("\r", ""), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True
