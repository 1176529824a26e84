"""The servers of a run behind proxies, and the command line of an operator that is given the proxies."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Self

import yaml

from integration_operator_sandbox.localhost.machine import free_port, write_private
from tests.support.faults.admin import Admin
from tests.support.faults.injection import Injection
from tests.support.faults.list_proxy import StaleLists
from tests.support.faults.proxy import Proxy, Upstream
from tests.support.faults.traffic import Traffic

SETTING = {"syndesis": "syndesis_url", "keycloak": "keycloak_url"}
"""The setting that names each server; the API server is named in the kubeconfig."""


class Servers:
    """Starts proxies for each process of the operator, for the life of an ``async with``."""

    def __init__(self, directory: Path, tag: str, kubernetes: Admin, traffic: Traffic, injection: Injection) -> None:
        self.stale = StaleLists()
        self.token = kubernetes.token
        self.metrics_ports: dict[int, int] = {}
        """The port of each process at which it serves its metrics."""
        self.log = directory / f"{tag}.log"
        self.settings: dict[str, Any] = {}
        """Settings of the operator beside the addresses of its servers."""
        self._directory, self._tag = directory, tag
        self._traffic, self._injection = traffic, injection
        self._upstreams = [Upstream("kubernetes", kubernetes.server, kubernetes.session)]
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        await self._stack.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()
        for file in (self.log, *map(self._kubeconfig, self.metrics_ports)):
            file.unlink(missing_ok=True)

    def add(self, upstream: Upstream) -> None:
        """Put a server behind a proxy, too."""
        self._upstreams.append(upstream)

    async def take_lists(self) -> None:
        """Keep the answers to all LISTs as they are now."""
        await self.stale.take(self._upstreams[0].session, self._upstreams[0].url)

    async def arguments(self, life: int) -> list[str]:
        """Start the proxies of a process; return its arguments."""
        self._traffic.start(life)
        settings = dict(self.settings)
        for upstream in self._upstreams:
            proxy = Proxy(upstream, self._traffic, self._injection, life, self.stale)
            await self._stack.enter_async_context(proxy)
            if upstream.name == "kubernetes":
                self._write_kubeconfig(life, proxy.url)
            else:
                settings[SETTING[upstream.name]] = proxy.url
        port = self.metrics_ports[life] = free_port()
        line = ["run", "--kubeconfig", str(self._kubeconfig(life)), "--log-level", "debug", "--log-format", "json"]
        line += ["--probe-port", "0", "--metrics-port", str(port), "--bind-address", "127.0.0.1"]
        for name, value in settings.items():
            line += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
        return line

    def _kubeconfig(self, life: int) -> Path:
        return self._directory / f"{self._tag}-{life}.kubeconfig"

    def _write_kubeconfig(self, life: int, url: str) -> None:
        one = {
            "clusters": [{"name": "one", "cluster": {"server": url}}],
            "users": [{"name": "one", "user": {"token": self.token}}],
            "contexts": [{"name": "one", "context": {"cluster": "one", "user": "one"}}],
        }
        document = {"apiVersion": "v1", "kind": "Config", "current-context": "one", **one}
        write_private(self._kubeconfig(life), yaml.safe_dump(document))
