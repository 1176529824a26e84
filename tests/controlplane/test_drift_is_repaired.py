"""What was delivered and is edited or deleted is restored, with the same credential."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import decoded
from tests.support.world import World

REFS = {"Secret": naming.secret_ref, "MessagingUser": naming.user_ref, "Connection": naming.connection_ref}


async def restored(world: World, pair: Pair, kind: str, before: dict[str, Any], *, new: bool) -> dict[str, Any]:
    """Wait until an object says again what it said before."""
    part = "data" if kind == "Secret" else "spec"

    async def as_before() -> Any:
        now = await world.get(kind, REFS[kind](pair))
        same = now and now[part] == before[part] and now["metadata"].get("labels") == before["metadata"]["labels"]
        owned = same and now["metadata"].get("ownerReferences") == before["metadata"].get("ownerReferences")
        return now if owned and (now["metadata"]["uid"] != before["metadata"]["uid"]) == new else None

    return await world.eventually(f"{kind} is restored", as_before)  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", REFS)
async def test_deleted_child_comes_back_with_the_same_credential(world: World, kind: str) -> None:
    async with world.operator():
        pair = await world.pair()
        before = await world.deliver(pair)
        await world.delete(kind, REFS[kind](pair))
        await restored(world, pair, kind, before[kind], new=True)
        after = await world.delivered(pair)
        assert decoded(after["Secret"]) == decoded(before["Secret"])
        assert after["MessagingUser"]["spec"] == before["MessagingUser"]["spec"]


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


EDITS = [
    ("Secret", {"data": {"password": b64("guessed")}}),
    ("Secret", {"data": {"password": None}}),
    ("Secret", {"data": {"host": b64("elsewhere")}}),
    ("Secret", {"data": {"certificates": b64("x" * 4096)}}),
    ("Secret", {"metadata": {"labels": {"integreatly.org/integration": "other"}}}),
    ("MessagingUser", {"spec": {"authentication": {"password": b64("guessed")}}}),
    ("MessagingUser", {"spec": {"authorization": [{"operations": ["manage"]}]}}),
    ("MessagingUser", {"metadata": {"ownerReferences": None}}),
    ("MessagingUser", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "somebody"}}}),
    ("Connection", {"spec": {"configuredProperties": {"connectionUri": "amqp://elsewhere:5672"}}}),
    ("Connection", {"spec": {"name": "Mine"}}),
    ("Connection", {"metadata": {"labels": None, "annotations": None}}),
]


@pytest.mark.parametrize(("kind", "edit"), EDITS, ids=[f"{k} {next(iter(e))} {i}" for i, (k, e) in enumerate(EDITS)])
async def test_edited_child_is_put_back(world: World, kind: str, edit: dict[str, Any]) -> None:
    async with world.operator():
        pair = await world.pair()
        before = await world.deliver(pair)
        await world.patch(kind, REFS[kind](pair), edit)
        await restored(world, pair, kind, before[kind], new=False)
        assert decoded((await world.delivered(pair))["Secret"]) == decoded(before["Secret"])


async def test_fields_of_others_stay(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        ref = naming.connection_ref(pair)
        theirs = {"metadata": {"labels": {"team": "a"}, "annotations": {"note": "b"}}, "spec": {"tags": ["c"]}}
        await world.patch("Connection", ref, theirs)
        await world.patch("Connection", ref, {"spec": {"name": "Mine"}})

        async def back() -> Any:
            connection = await world.get("Connection", ref)
            return connection if connection and connection["spec"]["name"] != "Mine" else None

        connection = await world.eventually("our field is back", back)
        assert connection["metadata"]["labels"]["team"] == "a"
        assert connection["metadata"]["annotations"]["note"] == "b"
        assert connection["spec"]["tags"] == ["c"]


async def test_what_happened_while_away_is_repaired_at_start(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        before = await world.deliver(pair)
    await world.delete("Secret", naming.secret_ref(pair))
    await world.patch("Connection", naming.connection_ref(pair), {"spec": {"name": "Mine"}})
    async with world.operator():
        await restored(world, pair, "Secret", before["Secret"], new=True)
        await restored(world, pair, "Connection", before["Connection"], new=False)


async def test_offer_keeps_its_owner_and_what_a_person_wrote(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        before = await world.offered(pair)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch(
            "Integration", ref, {"metadata": {"ownerReferences": None}, "spec": {"enabled": True, "tls": "disabled"}}
        )

        async def owned() -> Any:
            integration = await world.integration(pair)
            same = (
                integration and integration["metadata"].get("ownerReferences") == before["metadata"]["ownerReferences"]
            )
            return integration if same else None

        integration = await world.eventually("the owner is back", owned)
        assert integration["spec"]["enabled"] is True
        assert integration["spec"]["tls"] == "disabled"
        found = await world.delivered(pair)
        assert found["Connection"]["spec"]["configuredProperties"]["connectionUri"].startswith("amqp://")
