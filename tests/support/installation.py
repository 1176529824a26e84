"""The operator as a way of installing leaves it in a cluster: its objects, and the processes that its pods would run.

No kubelet runs, so the processes of the pods are started here: with the arguments and variables of the container that
the API server has stored, and with a token of its service account.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import NamedTuple

import yaml

from integration_operator_sandbox.controlplane.users import NAMESPACE
from tests.support import helm, olm
from tests.support.documents import Document
from tests.support.gitops import Kubectl
from tests.support.tenants import write_kubeconfig
from tests.support.world import World

TOKEN = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {}}
GRACE_PERIOD = 40
"""Seconds that a Deployment of deploy/ gives its pods to end."""
ROLES = ("Role", "ClusterRole")


class Use(NamedTuple):
    """A request as the rules of a role see it; ``name`` is empty if the rule names none."""

    group: str
    resource: str
    verb: str
    name: str = ""


class Installation:
    """An installation in the namespace integration-operator of a control plane."""

    def __init__(self, world: World, directory: Path) -> None:
        self._world = world
        self._directory = directory
        self._kubectl = Kubectl(world.control_plane.kubeconfig(), directory)
        self._helm = helm.Helm(world.control_plane.kubeconfig(), directory)
        self._logs: list[Path] = []
        self._running: list[subprocess.Popen[bytes]] = []

    @asynccontextmanager
    async def by_kustomize(self, *overlays: Path) -> AsyncIterator[list[Document]]:
        """Install with `kubectl apply -k`."""
        rendered = [await self._kubectl("kustomize", str(overlay)) for overlay in overlays]
        documents = [document for text in rendered for document in yaml.safe_load_all(text)]
        async with self._deleted(documents):
            for overlay in overlays:
                await self._kubectl("apply", "-k", str(overlay))
            yield documents

    @asynccontextmanager
    async def by_helm(self, values: Document) -> AsyncIterator[list[Document]]:
        """Install with `helm install`, and remove with `helm uninstall`. The kinds are there already."""
        values = {**values, "crds": {"enabled": False}}
        release = (helm.NAME, "--namespace", NAMESPACE)
        await self._helm("install", *release, str(helm.CHART), values=values)
        try:
            yield helm.rendered(values)
        finally:
            await self._helm("uninstall", *release)

    @asynccontextmanager
    async def by_olm(self, targets: Sequence[str]) -> AsyncIterator[list[Document]]:
        """Apply what OLM makes of the bundle for an OperatorGroup with these targets."""
        documents = [d for d in olm.installed(NAMESPACE, targets=targets) if d["kind"] != "CustomResourceDefinition"]
        async with self._deleted(documents):
            await self._kubectl("apply", "-f", "-", stdin=_list(documents))
            yield documents

    @asynccontextmanager
    async def running(self, *flags: str, deployment: str = "integration-operator") -> AsyncIterator[None]:
        """Run a process for each replica of a Deployment; end one after the other, as the kubelet does."""
        stored = json.loads(await self._kubectl("get", "deployment", deployment, "-n", NAMESPACE, "-o", "json"))
        pod = stored["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        kubeconfig = await self._kubeconfig(pod["serviceAccountName"])
        command = [sys.executable, "-m", "integration_operator", *container["args"], "--log-format", "json"]
        command += ["--kubeconfig", str(kubeconfig), "--probe-port", "0", "--metrics-port", "0", *flags]
        variables = {variable["name"]: variable.get("value", "") for variable in container.get("env", ())}
        assert pod["terminationGracePeriodSeconds"] == GRACE_PERIOD
        with self._processes(command, variables, stored["spec"]["replicas"]) as processes:
            await self._world.eventually("one leads, the others stand by", self._elected)
            self._running = processes
            yield
            while self._running:
                await self._end(self._running[0])

    async def end_leader(self) -> None:
        """End the process that leads, and return when it has ended."""
        (leader,) = [n for n, log in enumerate(self._logs) if '"workers started"' in log.read_text()]
        await self._end(self._running[leader])

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End a process as the kubelet does."""
        assert process.poll() is None, "it ended by itself"
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, GRACE_PERIOD) == 0
        self._running.remove(process)

    @asynccontextmanager
    async def _deleted(self, documents: list[Document]) -> AsyncIterator[None]:
        """Delete objects at the end. Namespaces stay: an aggregated API may keep them from ending."""
        left = [document for document in documents if document["kind"] != "Namespace"]
        try:
            yield
        finally:
            await self._kubectl("delete", "-f", "-", "--ignore-not-found", "--wait=false", stdin=_list(left))

    async def _elected(self) -> bool:
        """Return True once each process leads or stands by, and the one that leads has begun to work."""
        texts = [log.read_text() for log in self._logs]
        standing_by = sum('"standing by"' in text for text in texts)
        return standing_by == len(texts) - 1 and any('"workers started"' in text for text in texts)

    async def _kubeconfig(self, account: str) -> Path:
        path = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token"
        token = await self._world.kubectl.post(path, TOKEN)
        file = self._directory / f"{account}.kubeconfig"
        write_kubeconfig(self._world, file, token["status"]["token"], NAMESPACE)
        return file

    @contextmanager
    def _processes(
        self, command: list[str], variables: dict[str, str], replicas: int
    ) -> Iterator[list[subprocess.Popen[bytes]]]:
        """Run processes whose output is shown if the test fails."""
        environment = {"PATH": os.environ["PATH"], **variables}
        self._logs = [self._directory / f"process-{number}.log" for number in range(replicas)]
        processes = []
        for log in self._logs:
            with log.open("wb") as output:
                processes.append(subprocess.Popen(command, env=environment, stdout=output, stderr=output))
        try:
            yield processes
        except BaseException:
            for log in self._logs:
                print(log.read_text()[-3000:])
            raise
        finally:
            for process in processes:
                process.kill()
                process.wait()


def _list(documents: list[Document]) -> Document:
    return {"apiVersion": "v1", "kind": "List", "items": documents}


def granted(documents: list[Document], account: str) -> set[Use]:
    """Return what the roles that are bound to a service account grant, in whichever namespaces."""
    bound = {
        (document["roleRef"]["kind"], document["metadata"].get("namespace"), document["roleRef"]["name"])
        for document in documents
        if document["kind"] in ("RoleBinding", "ClusterRoleBinding")
        and any(subject["name"] == account for subject in document["subjects"])
    }
    roles = [
        document
        for document in documents
        if document["kind"] in ROLES
        and (document["kind"], document["metadata"].get("namespace"), document["metadata"]["name"]) in bound
    ]
    assert len(roles) == len(bound), "each binding has its role"
    return {
        Use(group, resource, verb, name)
        for role in roles
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        for name in rule.get("resourceNames") or [""]
    }


def used(requests: list[Document]) -> set[Use]:
    """Return what the entries of an audit log used, once without and once with the name of the object.

    An apply that creates an object needs ``create`` and ``patch``; the log calls it ``patch`` and its answer 201.
    """
    found = set()
    for entry in requests:
        about = entry["objectRef"]
        resource = "/".join(filter(None, (about["resource"], about.get("subresource"))))
        use = Use(about.get("apiGroup", ""), resource, entry["verb"])
        found |= {use, use._replace(name=about.get("name", ""))}
        if entry["verb"] == "patch" and entry["responseStatus"].get("code") == 201:
            found.add(use._replace(verb="create"))
    return found


def refused(requests: list[Document]) -> list[str]:
    """Return the requests that were forbidden."""
    return [f"{e['verb']} {e['requestURI']}" for e in requests if e.get("responseStatus", {}).get("code") == 403]
