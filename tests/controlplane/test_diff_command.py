"""``diff`` shows what the operator would change now, changes nothing, and exits with 1 if there is anything."""

from __future__ import annotations

import shutil
from pathlib import Path

from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from integration_operator.shipped import shipped_directory
from tests.support.command_line import on_terminal, piped
from tests.support.documents import decoded
from tests.support.world import World


async def test_a_changed_template(world: World, tmp_path: Path) -> None:
    templates = tmp_path / "templates"
    shutil.copytree(shipped_directory("templates"), templates)
    file = templates / "connection.yaml.j2"
    file.write_text(file.read_text().replace("Messaging of AddressSpace", "The messages of"))
    user = world.control_plane.kubeconfig("user")
    async with world.platforms(), world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        await world.has_reason(pair, "Ready")
        here = ("diff", "-n", pair.syndesis.namespace)
        assert (await piped(user, *here)).code == 0
        await world.audit.quiet()
        world.audit.mark()
        answer = await piped(user, *here, "--templates", str(templates))
        assert not world.audit.writes()
        coloured = await on_terminal(user, *here, "--templates", str(templates))
        plain = await on_terminal(user, *here, "--templates", str(templates), NO_COLOR="1")
    assert answer.code == 1
    changed = [line for line in answer.out.splitlines() if line[:1] in "+-"]
    assert changed == [
        f"--- cluster/Connection {naming.connection_ref(pair)}",
        f"+++ operator/Connection {naming.connection_ref(pair)}",
        f"-  description: Messaging of AddressSpace {pair.space}",
        f"+  description: The messages of {pair.space}",
    ]
    assert "\x1b[31m" in coloured.out
    assert "\x1b[32m" in coloured.out
    assert plain.out == answer.out


async def test_what_the_operator_would_create_and_delete_while_it_is_away(world: World) -> None:
    user = world.control_plane.kubeconfig("user")
    async with world.platforms():
        async with world.operator():
            pair = await world.pair()
            await world.deliver(pair)
            await world.has_reason(pair, "Ready")
        secret = await world.get("Secret", naming.secret_ref(pair))
        assert secret is not None
        await world.delete("Connection", naming.connection_ref(pair))
        name = str(Ref(pair.syndesis.namespace, naming.integration_name(pair)))
        created = await piped(user, "diff", name)
        assert created.code == 1
        assert f"--- /dev/null\n+++ operator/Connection {naming.connection_ref(pair)}" in created.out
        await world.enable(pair, enabled=False)
        deleted = await piped(user, "diff", name)
        assert f"--- cluster/Secret {naming.secret_ref(pair)}\n+++ /dev/null" in deleted.out
        assert decoded(secret)["password"] not in deleted.out
        assert secret["data"]["password"] not in deleted.out
        assert "-  password: '********'" in deleted.out
