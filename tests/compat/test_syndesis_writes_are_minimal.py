"""A connection is written only where it differs, and then no more of it than has to be.

Each write has a cost: a password that is encrypted anew flags integrations as outdated, a PUT resets the
count of uses, and whatever a PUT leaves out is lost.
"""

from __future__ import annotations

from typing import Any

import aiohttp
import pytest

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import PASSWORD, Deliverer, Wish, delivering, writes
from tests.support.syndesis_data import HEADERS

WISH = Wish()
WITH_CERTIFICATE = WISH.with_property("brokerCertificate", "-----BEGIN CERTIFICATE-----")
PUBLIC = f"POST /public/connections/{WISH.id}/properties"
PUT = f"PUT /connections/{WISH.id}"


def connection(server: SyndesisServer) -> dict[str, Any]:
    """Return the only connection."""
    (found,) = server.stored().values()
    return found


def ciphertext(server: SyndesisServer) -> str:
    password: str = connection(server)["configuredProperties"]["password"]
    assert password.startswith("»ENC:")
    return password


def touched_by_people(server: SyndesisServer) -> dict[str, Any]:
    """Give the connection what users and Syndesis itself add to one; return what only they may change."""
    theirs: dict[str, Any] = {"userId": "ann", "createdDate": 1234, "uses": 3, "icon": "assets:mine.svg",
                              "options": {"theirs": "1"}, "organizationId": "acme"}  # fmt: skip
    found = connection(server)
    found["tags"] = ["favourite"]
    found["metadata"]["theirs"] = "kept"
    found["configuredProperties"]["clientID"] = "theirs"
    server.put_stored(found | theirs)
    return theirs


def assert_kept(server: SyndesisServer, theirs: dict[str, Any]) -> None:
    found = connection(server)
    assert {key: found.get(key) for key in theirs} == theirs
    assert found["tags"] == ["favourite"]
    assert found["metadata"]["theirs"] == "kept"
    assert found["configuredProperties"]["clientID"] == "theirs"


async def test_a_look_at_what_is_right_writes_nothing(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    assert writes(syndesis_server) == ["POST /connections"]
    touched_by_people(syndesis_server)
    before = syndesis_server.stored()
    await deliverer.deliver(WISH)
    assert writes(syndesis_server) == ["POST /connections"]
    assert syndesis_server.stored() == before


async def test_without_notes_the_mark_beside_the_connection_tells_that_nothing_differs(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    await deliverer.deliver(WISH)
    async with delivering(syndesis_server) as without_notes:
        made = await without_notes.deliver(WISH)
    assert made.id == WISH.id
    assert writes(syndesis_server) == ["POST /connections"]


async def test_a_new_password_touches_nothing_else(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    theirs = touched_by_people(syndesis_server)
    await deliverer.deliver(WISH.but(password="second"))
    assert writes(syndesis_server)[1:] == [PUBLIC]
    assert syndesis_server.password(WISH.id) == "second"
    assert_kept(syndesis_server, theirs)
    await deliverer.deliver(WISH.but(password="second"))
    assert writes(syndesis_server)[1:] == [PUBLIC]


async def test_a_password_that_comes_back_is_written_again(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    """The hash beside the connection is still the first one's then: the properties call leaves it as it is."""
    await deliverer.deliver(WISH)
    await deliverer.deliver(WISH.but(password="second"))
    await deliverer.deliver(WISH)
    assert syndesis_server.password(WISH.id) == PASSWORD


async def test_a_new_address_touches_nothing_else(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    theirs, secret = touched_by_people(syndesis_server), ciphertext(syndesis_server)
    await deliverer.deliver(WISH.with_property("connectionUri", "amqp://moved.svc:5672"))
    assert writes(syndesis_server)[1:] == [PUBLIC]
    assert connection(syndesis_server)["configuredProperties"]["connectionUri"] == "amqp://moved.svc:5672"
    assert ciphertext(syndesis_server) == secret
    assert_kept(syndesis_server, theirs)


async def test_a_property_that_is_not_wanted_any_more_goes_and_nothing_with_it(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    await deliverer.deliver(WITH_CERTIFICATE)
    theirs, secret = touched_by_people(syndesis_server), ciphertext(syndesis_server)
    theirs.pop("uses")  # counted anew by the server within a minute
    await deliverer.deliver(WISH)
    assert writes(syndesis_server)[1:] == [PUT]
    assert "brokerCertificate" not in connection(syndesis_server)["configuredProperties"]
    assert ciphertext(syndesis_server) == secret
    assert_kept(syndesis_server, theirs)


async def test_a_property_that_came_later_can_go_again(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    for wish in (WISH, WITH_CERTIFICATE, WISH):
        await deliverer.deliver(wish)
    assert "brokerCertificate" not in connection(syndesis_server)["configuredProperties"]
    assert syndesis_server.password(WISH.id) == PASSWORD


@pytest.mark.parametrize("changed", [{"description": "Another"}, {"name": "Another"}, {"tags": ("another",)}])
async def test_other_fields_change_beside_the_ciphertext(
    deliverer: Deliverer, syndesis_server: SyndesisServer, changed: dict[str, Any]
) -> None:
    await deliverer.deliver(WISH)
    secret = ciphertext(syndesis_server)
    await deliverer.deliver(WISH.but(**changed))
    await deliverer.deliver(WISH.but(**changed))
    assert writes(syndesis_server)[1:] == [PUT]
    assert ciphertext(syndesis_server) == secret


@pytest.mark.parametrize(
    "wish",
    [
        WISH.but(name="  surrounded "),
        WISH.but(tags=(" surrounded ", "  ")),
        WISH.with_property("clientID", ""),
        WISH.but(description=""),
    ],
    ids=["name", "tags", "empty property", "empty description"],
)
async def test_what_the_server_trims_or_leaves_out_is_no_difference(
    deliverer: Deliverer, syndesis_server: SyndesisServer, wish: Wish
) -> None:
    await deliverer.deliver(wish)
    await deliverer.deliver(wish)
    assert writes(syndesis_server) == ["POST /connections"]


async def test_a_release_without_the_properties_call_is_sent_the_whole_connection() -> None:
    async with SyndesisServer.running(release="1.5.0") as server, delivering(server) as deliverer:
        await deliverer.deliver(WISH)
        theirs = touched_by_people(server)
        theirs.pop("uses")
        await deliverer.deliver(WISH.but(password="second"))
        await deliverer.deliver(WISH.but(password="second"))
        assert writes(server)[1:] == [PUBLIC, PUT], "the release is asked for the call, and has none"
        assert server.password(WISH.id) == "second"
        assert_kept(server, theirs)


@pytest.mark.parametrize("tags", [(), ("ours",)], ids=["without tags", "with tags"])
async def test_a_release_without_metadata_is_not_written_at_every_look(tags: tuple[str, ...]) -> None:
    wish = WISH.but(tags=tags)
    async with SyndesisServer.running(release="1.4.8") as server, delivering(server) as deliverer:
        made = await deliverer.deliver(wish)
        await deliverer.deliver(wish)
        assert writes(server) == ["POST /connections"]
        await deliverer.deliver(wish.but(description="Another"))
        assert writes(server)[1:] == [PUT]
        assert server.password(WISH.id) == PASSWORD
        async with delivering(server) as restarted:
            restarted.known[wish.pair] = deliverer.known[wish.pair]
            assert (await restarted.deliver(wish.but(description="Another"))).id == made.id
        assert writes(server)[1:] == [PUT]
        await deliverer.withdraw(wish)
        assert server.stored() == {}


async def test_a_mark_that_somebody_took_off_is_put_back_once(
    deliverer: Deliverer, syndesis_server: SyndesisServer
) -> None:
    await deliverer.deliver(WISH)
    found = connection(syndesis_server)
    marked = found.pop("metadata")
    syndesis_server.put_stored(found)
    await deliverer.deliver(WISH)
    await deliverer.deliver(WISH)
    assert writes(syndesis_server)[1:] == [PUT]
    assert connection(syndesis_server)["metadata"] == marked


async def test_what_people_change_of_ours_is_put_right(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    await deliverer.deliver(WISH)
    found = connection(syndesis_server)
    found["configuredProperties"].pop("password")
    syndesis_server.put_stored(found)
    await deliverer.deliver(WISH)
    assert syndesis_server.password(WISH.id) == PASSWORD
    async with aiohttp.ClientSession(headers=HEADERS) as user:
        url, body = f"{syndesis_server.url}/api/v1/connections/{WISH.id}", '{"configuredProperties":{"password":"x"}}'
        async with user.patch(url, data=body) as answer:
            assert answer.status == 204
    await deliverer.deliver(WISH)
    assert syndesis_server.password(WISH.id) == PASSWORD
    assert ciphertext(syndesis_server)


async def test_what_is_sent_never_does_harm(deliverer: Deliverer, syndesis_server: SyndesisServer) -> None:
    """Of all that a connection goes through: no PATCH, no ``_`` in an id, no null, no token."""
    for wish in (WITH_CERTIFICATE, WISH.but(password="second"), WISH.but(name="Another")):
        await deliverer.deliver(wish, verify=True)
    await deliverer.withdraw(WISH)
    assert {request.method for request in syndesis_server.requests} == {"GET", "POST", "PUT", "DELETE"}
    for request in syndesis_server.requests:
        assert "_" not in request.path.partition("?")[0]
        assert "_" not in str((request.body or {}).get("id"))
        assert not list(nulls(request.body)) or request.body is None
        assert request.headers["X-Forwarded-Access-Token"] == "none"
        assert "Authorization" not in request.headers


def nulls(value: Any) -> list[Any]:
    """Yield the path of every null in a document."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        return [found for inner in value for found in nulls(inner)]
    return [value] if value is None else []
