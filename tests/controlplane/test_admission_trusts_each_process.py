"""The API server trusts every process of the operator, with a certificate that it created or was given."""

from __future__ import annotations

import asyncio
import base64
import signal
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from integration_operator.admission.registration import MAX_AUTHORITIES, MIN_PATH, RETRY_DELAY, WRITES, Registration
from integration_operator.admission.server import SERVICE
from integration_operator.runtime import certificate_files
from integration_operator.runtime.client import Client
from integration_operator_sandbox.localhost.certificates import self_signed
from integration_operator_sandbox.localhost.machine import free_port, write_private
from tests.support.admission import DEPLOY, NAME, Webhook, integration
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.replicas import USERS, Replicas
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)


def bundle(*certificates: str) -> str:
    return base64.b64encode("".join(certificates).encode()).decode()


def give(directory: Path) -> str:
    """Write a new certificate and its key as a mounted Secret has them; return the certificate."""
    made = self_signed()
    for name, text in (("tls.crt", made.certificate), ("tls.key", made.key)):
        write_private(directory / name, text)
    return made.certificate


async def test_both_of_two_replicas(world: World, hook: Webhook, replicas: Replicas) -> None:
    """Each adds its own certificate, also the one that stands by, and both answer on one path."""
    shop = await world.namespace("shop")
    await hook.install()
    ports = dict(zip(USERS, (hook.port, free_port()), strict=True))
    started = {user: replicas.start(user, *hook.flags(port)) for user, port in ports.items()}
    for user, port in ports.items():
        await started[user].synced()
        await hook.leads_to(port)
        await hook.answered(shop)
    assert len(await hook.authorities()) == 2
    (standby,) = [user for user in USERS if not started[user].events("leading")]
    (leader,) = [user for user in USERS if user != standby]
    await hook.leads_to(ports[standby])
    started[leader].send(signal.SIGKILL)
    await hook.answered(shop)
    path = (await hook.client_config())["url"].rpartition("/")[2]
    for replica in started.values():
        assert path not in replica.log
        assert "PRIVATE KEY" not in replica.log


async def test_processes_that_write_at_once_lose_nothing(world: World, hook: Webhook) -> None:
    """One of them succeeds at a time, and the others write again at once; all use the first path."""
    own = [self_signed().certificate.strip() for _ in range(4)]
    clock = asyncio.get_running_loop().time
    async with Client.from_kubeconfig(world.control_plane.kubeconfig("operator")) as client:
        registrations = [Registration(client, NAME, clock) for _ in own]
        tasks = [asyncio.create_task(run()) for each in registrations for run in (each.watch, each.repair)]
        for registration, certificate in zip(registrations, own, strict=True):
            registration.trust(certificate)
        await asyncio.sleep(1)  # all watch
        await hook.install()

        async def complete() -> bool:
            return set(await hook.authorities()) == {*own}

        await world.eventually("all are trusted", complete, within=RETRY_DELAY / 2)
        path = (await hook.client_config())["url"].rpartition("/")[2]
        await world.eventually("all use one path", partial(same_path, registrations, path))
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def same_path(registrations: list[Registration], path: str) -> bool:
    return {registration.path for registration in registrations} == {path}


async def test_a_wrong_bundle_is_repaired(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    other = self_signed().certificate
    await hook.install(caBundle=bundle(other))
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        own, kept = await hook.authorities()
        assert kept == other.strip()
        await hook.patched(caBundle=bundle(other))
        await hook.answered(shop)
        assert await hook.authorities() == [own, kept]
        await hook.patched(caBundle=base64.b64encode(b"\xff garbage").decode())
        await hook.answered(shop)
        assert await hook.authorities() == [own]


async def test_a_fight_over_the_bundle_is_bounded(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    other = bundle(self_signed().certificate)
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        world.audit.mark()
        for _ in range(30):
            await hook.patched(caBundle=other)
            await asyncio.sleep(0.1)
        writes = world.audit.writes()
        assert 2 <= writes.count("patch validatingwebhookconfigurations") <= WRITES, writes


async def test_processes_that_ended_do_not_pile_up(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    await hook.install(caBundle=bundle(*(self_signed().certificate for _ in range(MAX_AUTHORITIES))))
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        assert len(await hook.authorities()) == MAX_AUTHORITIES


async def test_a_configuration_that_is_created_later_or_again(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    async with world.operator(**hook.settings):
        for _ in range(2):
            await hook.install()
            await hook.answered(shop)
            await hook.remove()
        assert await hook.warnings(integration(shop, "mine", "nowhere")) == []


async def test_a_given_certificate_and_its_successor(
    world: World, hook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever gives it writes the caBundle; the operator only chooses the path."""
    shop = await world.namespace("shop")
    monkeypatch.setattr(certificate_files, "FILE_CHECK_SECONDS", 0.1)
    directory = tmp_path / "given"
    directory.mkdir()
    async with world.operator(**hook.settings, admission_certificate=directory):
        await asyncio.sleep(0.5)  # there is none yet
        first = give(directory)
        await hook.install(caBundle=bundle(first))
        await hook.answered(shop)
        second = give(directory)
        await hook.patched(caBundle=bundle(second))
        await hook.answered(shop)
        assert await hook.authorities() == [second.strip()]


async def test_a_path_that_is_long_enough_stays(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    chosen = "a" * MIN_PATH
    await hook.install(url=f"https://127.0.0.1:{hook.port}/{chosen}")
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        assert (await hook.client_config())["url"].endswith(f"/{chosen}")


async def test_at_rest_nothing_is_asked(world: World, hook: Webhook) -> None:
    shop = await world.namespace("shop")
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        await world.audit.quiet()
        world.audit.mark()
        assert await hook.warnings(integration(shop, "mine", "nowhere"), "--dry-run=server") != []
        await asyncio.sleep(15)
        assert world.audit.requests() == []


@pytest.mark.parametrize("flags", [(), ("--server-side",)], ids=["on the client", "on the server"])
async def test_an_apply_of_the_manifest_keeps_what_the_operator_wrote(
    world: World, hook: Webhook, flags: tuple[str, ...]
) -> None:
    apply = ("apply", "-f", str(DEPLOY / "admission" / "webhook.yaml"), *flags)
    await hook.kubectl(*apply)
    async with world.operator(**hook.settings):

        async def written() -> Any:
            found = await hook.client_config()
            return found if "caBundle" in found and "path" in found["service"] else None

        config = await world.eventually("the operator has completed it", written)
    await hook.kubectl(*apply)
    assert await hook.client_config() == config
    assert config["service"]["name"] == SERVICE
