"""The cluster: its version, its clock, the kinds that it serves, and the permissions."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple

import yaml

from integration_operator import resources
from integration_operator.api import schema
from integration_operator.cli.diagnosis.finding import Finding, Visit
from integration_operator.runtime.errors import NotFound
from integration_operator.runtime.resources import APIResource, Resource, discover
from integration_operator.settings import Settings
from integration_operator.shipped import shipped_directory

Document = dict[str, Any]


class Permission(NamedTuple):
    """``resource`` with its subresource; ``namespace`` is empty if it is needed in the whole cluster."""

    group: str
    resource: str
    verb: str
    namespace: str = ""

    def __str__(self) -> str:
        where = f" in namespace {self.namespace}" if self.namespace else ""
        return f"{self.resource}.{self.group}{where}" if self.group else f"{self.resource}{where}"


OLDEST_KUBERNETES = (1, 25)
"""The first release whose API server evaluates the CEL rules of a CustomResourceDefinition by default."""
MOST_CLOCK_SKEW = 5.0
"""Seconds. The rotation of a credential and the ages in tables use the clock of the machine."""

REVIEWS = "/apis/authorization.k8s.io/v1"
APPLY_CRDS = "integration-operator crds | kubectl apply --server-side -f -"
APPLY_ROLES = "kubectl apply -k deploy/kustomize/base"
APPLY_ROLES_IN_NAMESPACES = (
    "apply deploy/kustomize/watched-namespace in each namespace that is watched (docs/settings.md)"
)
CHECK_OPERATOR = "integration-operator doctor --service-account integration-operator/integration-operator"


async def version(visit: Visit) -> list[Finding]:
    """Check the release of Kubernetes."""
    answer = await visit.client.get("/version")
    release = str(answer.get("gitVersion", "unknown"))
    numbers = tuple(int("".join(filter(str.isdigit, str(answer.get(part, "0")))) or 0) for part in ("major", "minor"))
    if numbers < OLDEST_KUBERNETES:
        needed = ".".join(map(str, OLDEST_KUBERNETES))
        return [Finding("problem", "kubernetes", f"{release}: the operator needs {needed} or newer", "upgrade")]
    return [Finding("ok", "kubernetes", release)]


async def clock(visit: Visit) -> list[Finding]:
    """Compare the clock of this machine with the API server's."""
    async with visit.client.session() as session, session.get(f"{visit.client.server}/version") as answer:
        date = answer.headers.get("Date")
    if not date:
        return []
    skew = (datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds()
    if abs(skew) > MOST_CLOCK_SKEW:
        text = f"this machine's clock is {skew:+.0f} s off the API server's"
        return [Finding("warning", "clock", text, "synchronise the clocks, for example with chronyd")]
    return [Finding("ok", "clock", "agrees with the API server's")]


async def kinds_of_platforms(visit: Visit) -> list[Finding]:
    """Check which kinds of EnMasse and Syndesis the cluster serves."""
    needed = (resources.ADDRESS_SPACE, resources.MESSAGING_USER, resources.SYNDESIS)
    return [_of_platform(resource, await discover(visit.client, resource)) for resource in needed]


def _of_platform(resource: Resource, served: APIResource | None) -> Finding:
    if served is not None:
        how = "" if served.watchable else ", without WATCH: it is polled"
        return Finding("ok", "kinds", f"{resource.kind} is served as {served.api_version}{how}")
    product = "Syndesis" if resource.group == "syndesis.io" else "EnMasse"
    return Finding("warning", "kinds", f"{resource.kind} is not served", f"install {product}, or use another delivery")


async def own_kinds(visit: Visit) -> list[Finding]:
    """Compare the CustomResourceDefinitions with those of this version."""
    findings = []
    for _, text in schema.manifests():
        desired = yaml.safe_load(text)
        name, kind = desired["metadata"]["name"], desired["spec"]["names"]["kind"]
        try:
            live = await visit.client.get(f"/apis/apiextensions.k8s.io/v1/customresourcedefinitions/{name}")
        except NotFound:
            findings.append(Finding("problem", "kinds", f"{kind} is not served", APPLY_CRDS))
            continue
        labels = desired["metadata"].get("labels") or {}
        foreign = [key for key, value in labels.items() if (live["metadata"].get("labels") or {}).get(key) != value]
        if foreign:  # a Connection of Syndesis itself, which is not ours to change
            findings.append(Finding("ok", "kinds", f"{kind} is served, and is not the operator's placeholder"))
        elif _versions(live) != _versions(desired):
            findings.append(Finding("problem", "kinds", f"{kind} is of another version of the operator", APPLY_CRDS))
        else:
            findings.append(Finding("ok", "kinds", f"{kind} is the one of this version"))
    return findings


def _versions(definition: Document) -> dict[str, Any]:
    """Return the schemas and columns by version, which the API server stores as they were applied."""
    return {
        version["name"]: (version.get("schema"), version.get("additionalPrinterColumns"))
        for version in definition["spec"]["versions"]
    }


async def permissions(visit: Visit) -> list[Finding]:
    """Check verb by verb what the operator needs, for this user or for a service account."""
    whose = f"service account {visit.service_account}" if visit.service_account else "you"
    needed = list(needed_permissions(visit.settings))
    answers = await asyncio.gather(*(_allowed(visit, permission) for permission in needed))
    missing: dict[str, list[str]] = {}
    for permission, allowed in zip(needed, answers, strict=True):
        if not allowed:
            missing.setdefault(str(permission), []).append(permission.verb)
    if not missing:
        return [Finding("ok", "permissions", f"{whose}: all {len(needed)} that the operator needs")]
    lines = [f"{resource} ({', '.join(verbs)})" for resource, verbs in missing.items()]
    if visit.service_account:
        fix = APPLY_ROLES_IN_NAMESPACES if visit.settings.namespaces else APPLY_ROLES
        return [Finding("problem", "permissions", f"{whose} lacks {line}", fix) for line in lines]
    return [Finding("warning", "permissions", f"you lack what the operator needs: {'; '.join(lines)}", CHECK_OPERATOR)]


def needed_permissions(settings: Settings) -> Iterator[Permission]:
    """Yield the permissions of the shipped ClusterRole, or of the Roles in the namespaces that are watched."""
    if not settings.namespaces:
        yield from _granted("base/cluster-role.yaml")
        return
    for namespace in settings.namespaces:
        yield from _granted("watched-namespace/role.yaml", namespace)
    yield from _granted("authentication-services/role.yaml", settings.enmasse_namespace)


def _granted(role: str, namespace: str = "") -> Iterator[Permission]:
    for rule in yaml.safe_load((shipped_directory("deploy") / role).read_text())["rules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                yield from (Permission(group, resource, verb, namespace) for verb in rule["verbs"])


async def _allowed(visit: Visit, permission: Permission) -> bool:
    plural, _, subresource = permission.resource.partition("/")
    attributes = {**permission._asdict(), "resource": plural, "subresource": subresource}
    spec: Document = {"resourceAttributes": {key: value for key, value in attributes.items() if value}}
    path, kind = f"{REVIEWS}/selfsubjectaccessreviews", "SelfSubjectAccessReview"
    if visit.service_account:
        namespace, _, name = visit.service_account.partition("/")
        path, kind = f"{REVIEWS}/subjectaccessreviews", "SubjectAccessReview"
        spec["user"] = f"system:serviceaccount:{namespace}:{name}"
        spec["groups"] = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated"]
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": kind, "spec": spec}
    return bool((await visit.client.post(path, review)).get("status", {}).get("allowed"))
