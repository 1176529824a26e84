"""A write whose answer is lost, or that was never done, is followed by another try that ends where the first should.

The result is one connection as desired, or none; foreign connections stay as they are.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import pytest

from integration_operator.backends.syndesis.errors import SyndesisUnavailable
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import PASSWORD, Deliverer, Wish, delivering, writes

WISH = Wish().with_property("brokerCertificate", "-----BEGIN CERTIFICATE-----")
TRIES = 4


@dataclass(frozen=True)
class Write:
    """A write, and the wish that leads to it."""

    method: str
    path: str
    wish: Wish


STEPS = {
    "create": Write("POST", "/api/v1/connections", WISH),
    "properties": Write("POST", "/api/v1/public", WISH.but(password="second")),
    "replace": Write("PUT", "/api/v1/connections", Wish(description="Another")),
}
LOST = {
    "done, connection closed": {"after": True, "status": 0},
    "done, answered 500": {"after": True, "status": 500},
    "done, answered a page": {"after": True, "status": 200, "body": "<html>", "content_type": "text/html"},
    "not done, connection closed": {"status": 0},
    "not done, answered 500": {"status": 500},
    "not done, answered a page": {"status": 200, "body": "<html>", "content_type": "text/html"},
}


async def until_delivered(deliverer: Deliverer, wish: Wish) -> int:
    """Try again as the engine does; how often it failed."""
    for failures in range(TRIES):
        with suppress(SyndesisUnavailable):
            await deliverer.deliver(wish)
            return failures
    raise AssertionError("it does not come to an end")


def assert_is_as_wished(server: SyndesisServer, wish: Wish) -> None:
    """Check that there is one connection of ours, and that it is as desired."""
    assert [id_ for id_ in server.stored() if id_ != "theirs"] == [wish.id]
    found = server.stored()[wish.id]
    assert found["name"] == wish.shown_name
    assert found["description"] == wish.description
    assert server.password(wish.id) == wish.password
    assert found["configuredProperties"]["password"].startswith("»ENC:")
    assert wish.properties.items() <= found["configuredProperties"].items()
    assert ("brokerCertificate" in found["configuredProperties"]) == ("brokerCertificate" in wish.properties)


@pytest.fixture
def theirs(syndesis_server: SyndesisServer) -> dict[str, Any]:
    """Return a connection that another client created."""
    syndesis_server.put_stored({"id": "theirs", "name": "theirs", "connectorId": "amqp"})
    return syndesis_server.stored()["theirs"]


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("write", STEPS.values(), ids=STEPS)
@pytest.mark.parametrize("restarted", [False, True], ids=["same process", "restarted"])
async def test_a_write_whose_answer_is_lost(
    deliverer: Deliverer,
    syndesis_server: SyndesisServer,
    theirs: dict[str, Any],
    write: Write,
    lost: dict[str, Any],
    restarted: bool,
) -> None:
    if write is not STEPS["create"]:
        await deliverer.deliver(WISH)
    # A request over a connection that is kept open is sent again by itself, once, where it may be.
    syndesis_server.fail(times=2 if write.method == "PUT" else 1, method=write.method, path_prefix=write.path, **lost)
    with pytest.raises(SyndesisUnavailable):
        await deliverer.deliver(write.wish)
    async with delivering(syndesis_server) as another:
        then = another if restarted else deliverer
        then.known = dict(deliverer.known)
        assert await until_delivered(then, write.wish) <= 1
        assert_is_as_wished(syndesis_server, write.wish)
        before = len(syndesis_server.requests)
        await then.deliver(write.wish)
    assert writes(syndesis_server, before) == []
    assert syndesis_server.stored()["theirs"] == theirs


@pytest.mark.parametrize("lost", LOST.values(), ids=LOST)
@pytest.mark.parametrize("cache_keeps_deleted", [True, False])
async def test_a_deletion_whose_answer_is_lost(
    deliverer: Deliverer,
    syndesis_server: SyndesisServer,
    theirs: dict[str, Any],
    lost: dict[str, Any],
    cache_keeps_deleted: bool,
) -> None:
    syndesis_server.cache_keeps_deleted = cache_keeps_deleted
    await deliverer.deliver(WISH)
    syndesis_server.fail(times=2, method="DELETE", **lost)
    for _ in range(2):
        with suppress(SyndesisUnavailable):
            await deliverer.withdraw(WISH)
    await deliverer.withdraw(WISH)
    assert syndesis_server.stored() == {"theirs": theirs}
    await deliverer.withdraw(WISH)
    await until_delivered(deliverer, WISH)
    assert_is_as_wished(syndesis_server, WISH)


async def test_a_deletion_that_does_nothing_is_no_success(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    await deliverer.deliver(WISH)
    syndesis_server.fail(times=1, status=204, method="DELETE")
    with pytest.raises(SyndesisUnavailable, match="still listed"):
        await deliverer.withdraw(WISH)
    await deliverer.withdraw(WISH)
    assert syndesis_server.stored() == {}


@pytest.mark.parametrize("write", STEPS.values(), ids=STEPS)
async def test_a_write_that_is_said_to_be_done_and_is_not(
    deliverer: Deliverer, syndesis_server: SyndesisServer, write: Write
) -> None:
    """Syndesis itself reads and writes connections without a lock, so that the last write may be another's."""
    if write is not STEPS["create"]:
        await deliverer.deliver(WISH)
    answer = '{"id": "' + WISH.id + '", "name": "x", "configuredProperties": {"password": "»ENC:00"}}'
    syndesis_server.fail(times=1, status=200, body=answer, method=write.method, path_prefix=write.path)
    with pytest.raises(SyndesisUnavailable, match="overwritten"):
        await deliverer.deliver(write.wish)
    await deliverer.deliver(write.wish)
    assert_is_as_wished(syndesis_server, write.wish)


async def test_a_password_that_may_have_arrived_and_is_taken_back(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    """What was confirmed last says nothing any more once another password was sent."""
    await deliverer.deliver(WISH)
    syndesis_server.fail(times=1, status=500, after=True, path_prefix="/api/v1/public")
    with pytest.raises(SyndesisUnavailable):
        await deliverer.deliver(WISH.but(password="second"))
    assert syndesis_server.password(WISH.id) == "second"
    await deliverer.deliver(WISH)
    assert syndesis_server.password(WISH.id) == PASSWORD
    before = len(syndesis_server.requests)
    await deliverer.deliver(WISH)
    assert writes(syndesis_server, before) == []


async def test_a_wish_that_changes_while_nobody_knows_whether_it_came_true(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    syndesis_server.fail(times=1, status=0, after=True, method="POST")
    with pytest.raises(SyndesisUnavailable):
        await deliverer.deliver(WISH)
    await deliverer.deliver(WISH.but(name="Another"))
    assert_is_as_wished(syndesis_server, WISH.but(name="Another"))
    syndesis_server.fail(times=1, status=0, after=True, method="POST")
    await deliverer.withdraw(WISH)
    with pytest.raises(SyndesisUnavailable):
        await deliverer.deliver(WISH)
    await deliverer.withdraw(WISH)
    assert syndesis_server.stored() == {}


async def test_a_look_that_fails_after_the_write_is_made_up_for(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    """The write was done and answered, but not the look at what came of it."""
    syndesis_server.fail(times=1, status=500, method="GET", path_prefix="/api/v1/connections?per_page")
    with pytest.raises(SyndesisUnavailable):
        await deliverer.deliver(WISH)
    assert_is_as_wished(syndesis_server, WISH)
    await deliverer.deliver(WISH)
    assert writes(syndesis_server) == ["POST /connections"]
