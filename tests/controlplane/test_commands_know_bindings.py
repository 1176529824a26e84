"""The commands say of a binding what is the case, and ask for no Syndesis."""

from __future__ import annotations

import json

from integration_operator.api import names
from integration_operator.domain.model import naming
from tests.support.command_line import piped
from tests.support.world import World


async def test_what_they_print(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.platforms(), world.operator():
        apps = await world.namespace("apps")
        space = await world.space(await world.namespace("shop"), allowed=apps)
        pair = await world.bind(space, apps)
        await world.ready(pair.consumer)
        secret, login = naming.secret_ref(pair), naming.user_ref(pair)

        explained = await piped(user, "explain", str(pair.consumer))
        assert explained.code == 0, explained
        assert f"AddressSpace {space} × Integration {pair.consumer}: a pair" in explained.out
        assert f"✓ allowed-namespaces: NamespaceAllowed: AddressSpace {space} allows namespace {apps}" in explained.out
        assert "create Secret and MessagingUser, and keep them up to date" in explained.out
        (explanation,) = json.loads((await piped(user, "explain", str(pair.consumer), "-o", "json")).out)
        assert explanation["syndesis"] is None
        assert explanation["consumer"] == {"kind": "Integration", **pair.consumer._asdict()}

        shown = await piped(user, "tree", str(pair.consumer))
        for line in (f"Integration {pair.consumer}", f"└─ Secret {secret}", f"└─ MessagingUser {login}"):
            assert line in shown.out, shown
        assert "Syndesis" not in shown.out

        wide = await piped(user, "get", "-n", apps, "-o", "wide")
        assert secret.name in wide.out
        assert "does not" not in (await piped(user, "events", "-n", apps)).err

        same = await piped(user, "diff", str(pair.consumer))
        assert (same.code, same.out) == (0, ""), same
        moved = await piped(user, "migrate", str(pair.consumer), "--to", "rest")
        assert "has no connection to migrate" in moved.out, moved

        rotated = await piped(user, "rotate", str(pair.consumer))
        assert rotated.code == 0, rotated
        assert "The Secret has user" in rotated.out


async def test_explain_names_the_command_of_the_giver(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.operator():
        apps = await world.namespace("apps")
        space = await world.space(await world.namespace("shop"))
        pair = await world.bind(space, apps)
        await world.has_reason(pair, "NamespaceNotAllowed")
        explained = await piped(user, "explain", str(pair.consumer))
        assert f"AddressSpace {space} × Integration {pair.consumer}: no pair" in explained.out
        command = f"kubectl annotate addressspace {space.name} -n {space.namespace} --overwrite"
        assert f"{command} {names.ALLOWED_NAMESPACES}={apps}" in explained.out


async def test_uninstall_leaves_nothing_of_it(world: World) -> None:
    async with world.platforms():
        apps = await world.namespace("apps")
        async with world.operator():
            pair = await world.bind(await world.space(apps), apps)
            await world.ready(pair.consumer)
        done = await piped(world.control_plane.kubeconfig("user"), "uninstall", "--yes")
        assert done.code == 0, done
        assert not any((await world.children(pair)).values())
        assert await world.integration(pair) is not None, "it is the user's"
