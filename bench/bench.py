"""Benchmark: N AddressSpaces to N delivered pairs on a local control plane, then rest, drift, restart and removal.

The operator runs as a process of its own, with the permissions of deploy/. Requests are counted in the server's audit
log, by user. Times vary on a shared machine: a bare load generator that makes the same writes in the same run shows
what the server allows at best.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from integration_operator.api import names
from integration_operator.controllers.integration.dry_run import DryRun
from integration_operator.controllers.integration.offline import cache_of_documents
from integration_operator.domain.model.actions import Apply
from integration_operator.domain.model.conditions import summarize
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.plan.status import integration_status
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import install_all
from integration_operator_sandbox.localhost import parent_death_signal
from integration_operator_sandbox.platforms.enmasse import CERTIFICATE

ROOT = Path(__file__).parents[1]
OPERATOR = "system:serviceaccount:integration-operator:integration-operator"
NAMESPACE = "bench"
CONCURRENCY = 32
SAMPLES = 50
REST_SECONDS = 15.0
WHOLE_LISTS = 256 * 1024 * 1024  # this program lists 10,000 objects at once; the operator does not

SPACES = f"/apis/enmasse.io/v1beta1/namespaces/{NAMESPACE}/addressspaces"
INTEGRATIONS = f"/apis/integreatly.org/v1alpha1/namespaces/{NAMESPACE}/integrations"
CONNECTIONS = f"/apis/syndesis.io/v1alpha1/namespaces/{NAMESPACE}/connections"
USERS = f"/apis/user.enmasse.io/v1beta1/namespaces/{NAMESPACE}/messagingusers"
SECRETS = f"/api/v1/namespaces/{NAMESPACE}/secrets"

Document = dict[str, Any]

RECONCILED = {names.CONNECTION_DELIVERY: "native"}
"""Annotation of the Syndesis: the native path is measured."""


def space(name: str, host: str = "messaging-a.enmasse.svc") -> Document:
    """Return a ready AddressSpace."""
    ports = [{"name": "amqp", "port": 5672}, {"name": "amqps", "port": 5671}]
    return {
        "apiVersion": "enmasse.io/v1beta1",
        "kind": "AddressSpace",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {"type": "standard", "plan": "standard-small", "authenticationService": {"name": "standard"}},
        "status": {
            "isReady": True,
            "caCert": b64encode(CERTIFICATE.encode()).decode(),
            "endpointStatuses": [{"name": "messaging", "serviceHost": host, "servicePorts": ports}],
        },
    }


async def at_once(work: Iterable[Callable[[], Awaitable[Any]]]) -> None:
    """Run coroutines, ``CONCURRENCY`` at a time."""
    slots = asyncio.Semaphore(CONCURRENCY)

    async def one(job: Callable[[], Awaitable[Any]]) -> None:
        async with slots:
            await job()

    await asyncio.gather(*(one(job) for job in work))


class Audit:
    """Reads the operator's requests from the server's audit log, a stretch at a time."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._at = 0

    def since_last(self) -> Counter[str]:
        """Return the requests since the last call, as ``verb resource``, without watches."""
        found: Counter[str] = Counter()
        with self._log.open() as log:
            log.seek(self._at)
            for line in log:
                if not line.endswith("\n"):
                    break
                self._at += len(line.encode())
                entry = json.loads(line)
                if entry["user"].get("username") == OPERATOR and entry["verb"] != "watch":
                    target = entry.get("objectRef") or {}
                    resource = "/".join(filter(None, (target.get("resource"), target.get("subresource"))))
                    found[f"{entry['verb']} {resource or 'discovery'}"] += 1
        return found


def writes(requests: Counter[str]) -> int:
    """Return the writes among requests, without Events."""
    return sum(n for key, n in requests.items() if key.split()[0] not in ("get", "list") and not key.endswith("events"))


class OperatorProcess:
    """The operator's process."""

    def __init__(self, plane: ControlPlane) -> None:
        command = [sys.executable, parent_death_signal.__file__, str(os.getpid())]  # it dies with this process
        command += [sys.executable, "-m", "integration_operator", "run", "--enable-new", "--log-level", "warning"]
        command += ["--kubeconfig", str(plane.kubeconfig("operator")), "--probe-port", "0", "--metrics-port", "0"]
        self._process = subprocess.Popen(command)
        self._ps = psutil.Process(self._process.pid)

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        times = self._ps.cpu_times()
        return float(times.user + times.system)

    def memory_mib(self) -> float:
        """Resident memory now."""
        return float(self._ps.memory_info().rss) / 2**20

    def stop(self) -> None:
        """Send SIGTERM and wait."""
        self._process.terminate()
        self._process.wait(60)


def documents_of_a_pair(number: int) -> tuple[list[Document], Document]:
    """Return what the operator applies for one pair, without owners, and its status."""
    syndesis = {
        "apiVersion": "syndesis.io/v1beta3",
        "kind": "Syndesis",
        "metadata": {"name": "syndesis", "namespace": NAMESPACE, "annotations": RECONCILED},
        "status": {"phase": "Installed"},
    }
    documents = cache_of_documents([space(f"bare-{number}"), syndesis])
    snapshot = DryRun(documents, PlanSettings(rules=("same-namespace",), enable_new=True))
    (pair,) = snapshot.pairs()
    actions, decision = snapshot.settle(pair, TemplateFiles())
    documents = [action.document for action in actions if isinstance(action, Apply)]
    for document in documents:
        document["metadata"].pop("ownerReferences", None)
    (integration,) = snapshot.cache.integrations
    findings = summarize(decision.conditions or ())
    return documents, integration_status(
        integration, findings, decision.delivered, decision.host, "2024-01-01T00:00:00Z"
    )


async def bare_writes(client: Client, count: int) -> float:
    """Return the writes a second of a bare generator: the operator's own five writes, for ``count`` pairs.

    It knows what to write beforehand, decides nothing and watches nothing.
    """
    documents, status = documents_of_a_pair(0)
    texts = [json.dumps(document) for document in documents]
    plurals = {"Integration": INTEGRATIONS, "Secret": SECRETS, "MessagingUser": USERS, "Connection": CONNECTIONS}

    def pair(number: int) -> Callable[[], Awaitable[Any]]:
        made = [json.loads(text.replace("bare-0", f"bare-{number}")) for text in texts]
        integration = made[0]

        async def go() -> None:
            for document in made:
                path = f"{plurals[document['kind']]}/{document['metadata']['name']}"
                await client.apply(path, document, manager="bare", force=False)
            path = f"{INTEGRATIONS}/{integration['metadata']['name']}"
            body = {**{key: integration[key] for key in ("apiVersion", "kind", "metadata")}, "status": status}
            await client.apply(f"{path}/status", body, manager="bare", force=True)

        return go

    work = [pair(number) for number in range(count)]
    began = time.monotonic()
    await at_once(work)
    rate = 5 * count / (time.monotonic() - began)
    for plural in plurals.values():
        items = (await client.get(plural, {"labelSelector": names.INTEGRATION_LABEL})).get("items") or []
        await at_once([lambda i=i, p=plural: client.delete(f"{p}/{i['metadata']['name']}") for i in items])  # type: ignore[misc]
    return rate


async def command(plane: ControlPlane, *arguments: str) -> float:
    """Return the seconds that a command takes, the start of its process included."""
    words = [sys.executable, "-m", "integration_operator", *arguments, "--kubeconfig", str(plane.kubeconfig("bench"))]
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
    assert await process.wait() == 0, arguments
    return time.monotonic() - began


async def until(what: str, check: Callable[[], Awaitable[bool]], seconds: float, every: float = 0.05) -> float:
    """Wait for a condition; return the seconds that it took."""
    began = time.monotonic()
    while not await check():
        if time.monotonic() - began > seconds:
            raise SystemExit(f"bench: not within {seconds} s: {what}")
        await asyncio.sleep(every)
    return time.monotonic() - began


async def follow(client: Client, path: str, seen: Callable[[Document], None]) -> None:
    """Call ``seen`` with each event of a collection until cancelled."""
    while True:
        with suppress(ApiError):
            async for event in client.watch(path, {"timeoutSeconds": "3000"}):
                seen(event)


async def latencies(
    client: Client, disturb: Callable[[int], Awaitable[Any]], mended: Callable[[int, Document], bool]
) -> list[float]:
    """Return the milliseconds from a disturbance of a pair to the event that shows its repair, one after another."""
    found = []
    for number in range(SAMPLES):
        done = asyncio.Event()
        at = 0.0

        def seen(event: Document, number: int = number, done: asyncio.Event = done) -> None:
            nonlocal at
            if not done.is_set() and event["type"] != "BOOKMARK" and mended(number, event):
                at = time.monotonic()
                done.set()

        version = (await client.get(CONNECTIONS, {"limit": "1"}))["metadata"]["resourceVersion"]
        watch = asyncio.create_task(_events(client, version, seen))
        await asyncio.sleep(0.03)
        began = time.monotonic()
        await disturb(number)
        async with asyncio.timeout(30):
            await done.wait()
        watch.cancel()
        found.append((at - began) * 1000)
    return found


async def _events(client: Client, version: str, seen: Callable[[Document], None]) -> None:
    async for event in client.watch(CONNECTIONS, {"resourceVersion": version}):
        seen(event)


def percentiles(values: list[float]) -> dict[str, float]:
    """Return p50, p95 and p99 in milliseconds."""
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p95": round(cuts[94], 1), "p99": round(cuts[98], 1)}


def connection_name(number: int) -> str:
    """Return the name of a space's Connection."""
    return f"{NAMESPACE}.space-{number}.syndesis"


async def measure(plane: ControlPlane, count: int, say: Callable[[str], None]) -> Document:
    """Run the whole measurement."""
    audit = Audit(plane.audit_log)
    result: Document = {"pairs": count, "machine": f"{platform.machine()}, {psutil.cpu_count()} cores"}
    async with Client.from_kubeconfig(plane.kubeconfig("bench"), max_in_flight=64, page_bytes=WHOLE_LISTS) as client:
        await client.post("/api/v1/namespaces", {"metadata": {"name": NAMESPACE}})
        syndesis = {
            "apiVersion": "syndesis.io/v1beta3",
            "kind": "Syndesis",
            "metadata": {"name": "syndesis", "annotations": RECONCILED},
            "spec": {},
        }
        at = f"/apis/syndesis.io/v1beta3/namespaces/{NAMESPACE}/syndesises"
        await client.post(at, syndesis)
        await client.patch(f"{at}/syndesis/status", {"status": {"phase": "Installed"}})

        say("bare load generator")
        async with Client.from_kubeconfig(plane.kubeconfig("operator"), max_in_flight=CONCURRENCY) as bare:
            result["bare_writes_per_second"] = round(await bare_writes(bare, min(count, 500)))

        say(f"{count} AddressSpaces")
        await at_once([lambda n=n: client.post(SPACES, space(f"space-{n}")) for n in range(count)])  # type: ignore[misc]
        delivered: set[str] = set()

        def note(event: Document) -> None:
            document = event["object"]
            status = document.get("status") or {}
            if event["type"] == "DELETED":
                delivered.discard(document["metadata"]["name"])
            elif (status.get("delivered") or {}).get("connection"):
                delivered.add(document["metadata"]["name"])

        watching = asyncio.create_task(follow(client, INTEGRATIONS, note))
        audit.since_last()

        async def all_delivered() -> bool:
            return len(delivered) >= count

        async def syncing() -> bool:
            return any(key.startswith("list integrations") for key in audit.since_last())

        say("converge")
        operator = OperatorProcess(plane)
        await until("the operator starts", syncing, 30, every=0.01)
        seconds = await until("all are delivered", all_delivered, 60 + count / 10, every=0.01)
        await asyncio.sleep(2)
        requests = audit.since_last()
        result["converge"] = {
            "seconds": round(seconds, 2),
            "writes_per_pair": round(writes(requests) / count, 2),
            "writes_per_second": round(writes(requests) / seconds),
            "share_of_bare": round(writes(requests) / seconds / result["bare_writes_per_second"], 2),
            "cpu_ms_per_pair": round(operator.cpu_seconds() * 1000 / count, 2),
            "memory_mib": round(operator.memory_mib(), 1),
            "requests": dict(requests.most_common()),
        }

        say("rest")
        cpu = operator.cpu_seconds()
        await asyncio.sleep(REST_SECONDS)
        result["rest"] = {
            "seconds": REST_SECONDS,
            "requests": sum(audit.since_last().values()),
            "cpu_ms": round((operator.cpu_seconds() - cpu) * 1000),
        }

        say("commands")
        result["commands"] = {
            name: round(await command(plane, *arguments), 2)
            for name, arguments in (("get", ("get", "-A")), ("explain", ("explain", "-A")))
        }

        say("drift")
        step = max(1, count // SAMPLES)

        async def edit(number: int) -> None:
            await client.patch(f"{CONNECTIONS}/{connection_name(number * step % count)}", {"spec": {"name": "edited"}})

        async def delete(number: int) -> None:
            await client.delete(f"{CONNECTIONS}/{connection_name(number * step % count)}")

        async def move(number: int) -> None:
            status = space("x", f"messaging-{number}.moved.svc")["status"]
            await client.patch(f"{SPACES}/space-{number * step % count}", {"status": status})

        def named(number: int, event: Document) -> bool:
            return bool(event["object"]["metadata"]["name"] == connection_name(number * step % count))

        def mended(number: int, event: Document) -> bool:
            return named(number, event) and event["object"]["spec"]["name"] != "edited" and event["type"] == "MODIFIED"

        def made_again(number: int, event: Document) -> bool:
            return named(number, event) and event["type"] == "ADDED"

        def moved(number: int, event: Document) -> bool:
            uri = event["object"]["spec"]["configuredProperties"]["connectionUri"]
            return named(number, event) and f"messaging-{number}.moved" in uri

        result["edit_repaired_ms"] = percentiles(await latencies(client, edit, mended))
        result["delete_repaired_ms"] = percentiles(await latencies(client, delete, made_again))
        result["endpoint_followed_ms"] = percentiles(await latencies(client, move, moved))
        operator.stop()

        say("restart")
        audit.since_last()
        operator = OperatorProcess(plane)
        began = time.monotonic()
        await until("the operator starts", syncing, 30, every=0.01)
        started = time.monotonic()
        idle_cpu = -1.0
        while operator.cpu_seconds() - idle_cpu > 0.01 or idle_cpu < 0:
            idle_cpu = operator.cpu_seconds()
            await asyncio.sleep(0.25)
        requests = audit.since_last()
        result["restart"] = {
            "process_start_seconds": round(started - began, 2),
            "settled_seconds": round(time.monotonic() - started - 0.25, 2),
            "writes": writes(requests),
            "events": sum(n for key, n in requests.items() if key.endswith("events")),
            "cpu_seconds": round(operator.cpu_seconds(), 2),
            "memory_mib": round(operator.memory_mib(), 1),
        }

        say("removal")
        began = time.monotonic()
        await at_once([lambda n=n: client.delete(f"{SPACES}/space-{n}") for n in range(count)])  # type: ignore[misc]

        async def nothing_left() -> bool:
            for path in (INTEGRATIONS, CONNECTIONS, USERS):
                if (await client.get(path, {"limit": "1"})).get("items"):
                    return False
            query = {"limit": "1", "labelSelector": "integreatly.org/integration"}
            return not (await client.get(SECRETS, query)).get("items")

        await until("nothing is left", nothing_left, 60 + count / 10, every=0.2)
        result["removal"] = {"seconds": round(time.monotonic() - began, 2)}
        operator.stop()
        watching.cancel()
    return result


def show(result: Document, console: Console) -> None:
    """Return the result as a table."""
    table = Table(title=f"{result['pairs']} pairs, {result['machine']}", show_header=False)
    for key, value in result.items():
        if isinstance(value, dict):
            for inner, figure in value.items():
                if inner != "requests" or not isinstance(figure, dict):
                    table.add_row(f"{key}: {inner}".replace("_", " "), str(figure))
        elif key not in ("pairs", "machine"):
            table.add_row(key.replace("_", " "), str(value))
    console.print(table)
    for request, number in result["converge"]["requests"].items():
        console.print(f"  {number:>7} {request}", highlight=False)


def main() -> None:
    """Run the benchmark and write its JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--output", type=Path, default=ROOT / "bench" / "results")
    arguments = parser.parse_args()
    console = Console()
    with ControlPlane.start(before_controllers=install_all) as plane:
        result = asyncio.run(measure(plane, arguments.pairs, lambda what: console.print(f"… {what}", style="dim")))
    show(result, console)
    arguments.output.mkdir(parents=True, exist_ok=True)
    file = arguments.output / f"{arguments.pairs}.json"
    file.write_text(json.dumps(result, indent=2) + "\n")
    console.print(f"written to {file.relative_to(Path.cwd()) if file.is_relative_to(Path.cwd()) else file}")


if __name__ == "__main__":
    main()
