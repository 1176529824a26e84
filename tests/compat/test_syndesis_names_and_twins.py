"""A name and an id belong to one connection: a foreign one is left alone, and of ours there is never more than one.

The server checks that a name is free and writes afterwards: whoever writes at the same moment is accepted as well.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from integration_operator.backends.syndesis.client import PAGES
from integration_operator.backends.syndesis.errors import ForeignObject, Refused
from integration_operator.domain.model.remote_state import Presence, RemoteState
from integration_operator.runtime.errors import Failure
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import PASSWORD, Deliverer, Wish, delivering, writes

WISH = Wish()
THEIRS: dict[str, Any] = {
    "id": "theirs",
    "name": WISH.shown_name,
    "connectorId": "amqp",
    "configuredProperties": {"connectionUri": "amqp://theirs", "password": "their own"},
}
LEFT = THEIRS | {"configuredProperties": {"connectionUri": "amqp://left", "username": "enmasse-orders-to-fuse"}}
"""One that the proof of concept left: no mark, an id that the server made, and its own user name."""


async def eventually_delivered(deliverer: Deliverer, wish: Wish) -> RemoteState:
    """Try again as the engine does where a failure does not stall."""
    for _ in range(5):
        try:
            return await deliverer.deliver(wish)
        except Failure as error:
            if error.stalls:
                raise
            await asyncio.sleep(0.02)
    raise AssertionError("it does not come to an end")


def before_next(
    server: SyndesisServer, monkeypatch: pytest.MonkeyPatch, call: str, do: Callable[[], Awaitable[None]]
) -> None:
    """Run something when the next such call has arrived and is not done yet."""
    connections = server._api._connections
    original = getattr(connections, call)

    async def happens_first(*args: Any) -> Any:
        monkeypatch.setattr(connections, call, original)
        answer = await original(*args)
        await do()
        return answer

    monkeypatch.setattr(connections, call, happens_first)


@pytest.mark.parametrize("connector", ["amqp", "log"])
async def test_a_strangers_name_is_refused_and_nothing_is_touched(
    deliverer: Deliverer, syndesis_server: SyndesisServer, connector: str
) -> None:
    syndesis_server.put_stored(THEIRS | {"connectorId": connector})
    before = syndesis_server.stored()
    with pytest.raises(ForeignObject) as caught:
        await deliverer.deliver(WISH)
    assert caught.value.stalls
    assert WISH.shown_name in caught.value.message
    await deliverer.withdraw(WISH)
    assert syndesis_server.stored() == before
    assert "DELETE" not in " ".join(writes(syndesis_server))


async def test_a_stranger_seen_by_us_costs_not_even_a_write(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    syndesis_server.put_stored(THEIRS)
    with pytest.raises(ForeignObject):
        await deliverer.deliver(WISH)
    assert writes(syndesis_server) == []


async def test_a_name_that_is_free_again_is_taken(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    syndesis_server.put_stored(THEIRS)
    with pytest.raises(ForeignObject):
        await deliverer.deliver(WISH)
    syndesis_server.put_stored(THEIRS | {"name": "Renamed"})
    await deliverer.deliver(WISH)
    assert set(syndesis_server.stored()) == {"theirs", WISH.id}


@pytest.mark.parametrize("connector", ["amqp", "log"])
async def test_a_stranger_that_races_in_is_left_alone_and_ours_is_taken_back(
    deliverer: Deliverer, syndesis_server: SyndesisServer, monkeypatch: pytest.MonkeyPatch, connector: str
) -> None:
    theirs = THEIRS | {"connectorId": connector}

    async def race() -> None:
        syndesis_server.put_stored(theirs)

    before_next(syndesis_server, monkeypatch, "create", race)
    with pytest.raises(ForeignObject):
        await deliverer.deliver(WISH)
    assert list(syndesis_server.stored()) == ["theirs"]
    assert syndesis_server.password("theirs") == "their own"


async def test_a_rename_into_a_strangers_name_is_refused(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    syndesis_server.put_stored(THEIRS | {"name": "Wanted too"})
    before = syndesis_server.stored()
    with pytest.raises(ForeignObject):
        await deliverer.deliver(WISH.but(name="Wanted too"))
    assert syndesis_server.stored() == before


async def test_two_of_ours_that_want_one_name_get_one_connection(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    """Two AddressSpaces, by a template that names both alike: one gets the name, the other is told."""
    wishes = [WISH.but(name="Same"), Wish(space="payments", name="Same")]
    results = await asyncio.gather(*(deliverer.deliver(wish) for wish in wishes), return_exceptions=True)
    assert {type(result) for result in results} == {RemoteState, ForeignObject}
    assert [found["name"] for found in syndesis_server.stored().values()] == ["Same"]


async def test_operators_that_race_for_one_id_end_in_one_connection(syndesis_server: SyndesisServer) -> None:
    async with (
        delivering(syndesis_server) as one,
        delivering(syndesis_server) as two,
        delivering(syndesis_server) as three,
    ):
        for _ in range(5):
            made = await asyncio.gather(*(eventually_delivered(each, WISH) for each in (one, two, three)))
            assert {each.id for each in made} == {WISH.id}
            assert list(syndesis_server.stored()) == [WISH.id]
            assert syndesis_server.password(WISH.id) == PASSWORD
            await one.withdraw(WISH)
            for each in (one, two, three):
                each.known.clear()


async def test_operators_that_race_for_one_name_end_in_one_connection(syndesis_server: SyndesisServer) -> None:
    """They know the connection by other ids: one of them has it from a Connection, or from an earlier operator."""
    async with delivering(syndesis_server) as one, delivering(syndesis_server) as two:
        one.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "a-noted-one")
        two.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "another-noted-one")
        await asyncio.gather(eventually_delivered(one, WISH), eventually_delivered(two, WISH))
        await asyncio.gather(eventually_delivered(one, WISH), eventually_delivered(two, WISH))
        (left,) = syndesis_server.stored()
        assert syndesis_server.password(left) == PASSWORD
        assert {each.known[WISH.pair].id for each in (one, two)} == {left}


async def test_a_twin_that_a_race_has_left_goes(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    syndesis_server.put_stored(syndesis_server.stored()[WISH.id] | {"id": "twin"})
    await deliverer.deliver(WISH)
    assert list(syndesis_server.stored()) == [WISH.id]


async def test_a_twin_goes_with_the_withdrawal(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    syndesis_server.put_stored(syndesis_server.stored()[WISH.id] | {"id": "twin", "name": "Twin"})
    await deliverer.withdraw(WISH)
    assert syndesis_server.stored() == {}


async def test_ours_under_a_persons_name_is_put_right(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    syndesis_server.put_stored(syndesis_server.stored()[WISH.id] | {"name": "My favourite"})
    await deliverer.deliver(WISH)
    assert syndesis_server.stored()[WISH.id]["name"] == WISH.shown_name
    assert len(syndesis_server.stored()) == 1


async def test_ours_is_known_by_its_mark_under_any_id(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    found = syndesis_server.stored()[WISH.id]
    await deliverer.withdraw(WISH)
    syndesis_server.put_stored(found | {"id": "restored"})
    assert (await deliverer.deliver(WISH)).id == "restored"
    assert list(syndesis_server.stored()) == ["restored"]


async def test_what_is_still_shown_of_a_deleted_connection_is_in_nobodys_way(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    syndesis_server.cache_keeps_deleted = True
    await deliverer.deliver(WISH)
    await deliverer.withdraw(WISH)
    await deliverer.deliver(WISH)
    assert list(syndesis_server.stored()) == [WISH.id]


class TestIds:
    """An id is part of a path, and on the server part of a pattern."""

    async def test_an_underscore_means_no_other_connection(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer
    ) -> None:
        """An id that was noted by an earlier operator may have one: the server made it."""
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "i_1")
        syndesis_server.put_stored(LEFT | {"id": "i_1"})
        syndesis_server.put_stored(THEIRS | {"id": "ix1", "name": "Another"})
        before = syndesis_server.stored()
        with pytest.raises(Refused, match="another connection"):
            await deliverer.deliver(WISH)
        with pytest.raises(Refused, match="another connection"):
            await deliverer.withdraw(WISH)
        assert syndesis_server.stored() == before

    async def test_an_underscore_that_means_nobody_else_is_kept(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer
    ) -> None:
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "i_1")
        syndesis_server.put_stored(LEFT | {"id": "i_1"})
        assert (await deliverer.deliver(WISH)).id == "i_1"
        assert syndesis_server.password("i_1") == PASSWORD
        await deliverer.withdraw(WISH)
        assert syndesis_server.stored() == {}

    async def test_none_is_made_with_a_noted_id(self, deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "i_1")
        for _ in range(2):
            assert (await deliverer.deliver(WISH)).id == WISH.id
        assert list(syndesis_server.stored()) == [WISH.id]

    async def test_a_noted_id_alone_proves_nothing(self, deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
        """Whoever may write an Integration's status must not choose what is changed or deleted in Syndesis."""
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "theirs")
        syndesis_server.put_stored(THEIRS | {"name": "Another"})
        before = syndesis_server.stored()["theirs"]
        assert (await deliverer.deliver(WISH)).id == WISH.id
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, "theirs")
        await deliverer.withdraw(WISH)
        assert syndesis_server.stored() == {"theirs": before}

    @pytest.mark.parametrize("noted", ["../integrations/i-1", "a/b", "a?b", "a b", "a.b", "é", "%2e%2e"])
    async def test_a_noted_id_that_would_lead_elsewhere_is_not_asked_for(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer, noted: str
    ) -> None:
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, noted)
        assert (await deliverer.deliver(WISH)).id == WISH.id
        deliverer.known[WISH.pair] = RemoteState("rest", Presence.PRESENT, noted)
        await deliverer.withdraw(WISH)
        assert writes(syndesis_server) == ["POST /connections", f"DELETE /connections/{WISH.id}"]


@pytest.mark.parametrize("count", [25, PAGES[0] - 1, PAGES[0], PAGES[0] + 30])
async def test_ours_is_found_behind_many(deliverer: Deliverer, syndesis_server: SyndesisServer, count: int) -> None:
    """The server shows 20 where nothing is said, and our id comes after all of theirs."""
    for n in range(count):
        syndesis_server.put_stored(THEIRS | {"id": f"c-{n:04}", "name": f"c-{n:04}"})
    await deliverer.deliver(WISH)
    await deliverer.deliver(WISH)
    assert writes(syndesis_server) == ["POST /connections"]
    with pytest.raises(ForeignObject):
        await deliverer.deliver(Wish(space="payments", name=f"c-{count - 1:04}"))
    await deliverer.withdraw(WISH)
    assert len(syndesis_server.stored()) == count
