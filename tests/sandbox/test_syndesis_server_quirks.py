"""The simulated Syndesis has the peculiarities that are known of the real one and that the recording does not show.

Each test is one of them, as a client meets it. What the recording does show is replayed elsewhere.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer

from tests.support.syndesis_data import HEADERS

AMQP = {"connectorId": "amqp", "configuredProperties": {"connectionUri": "amqp://h:5672", "password": "p"}}


class Client:
    """A client that believes everything and remembers nothing."""

    def __init__(self, server: SyndesisServer, session: aiohttp.ClientSession) -> None:
        self.server = server
        self.session = session

    async def __call__(self, method: str, path: str, body: Any = None, **more: str) -> tuple[int, Any]:
        headers = HEADERS | {"X-Forwarded-User": more.get("user", "developer")}
        async with self.session.request(
            method, f"{self.server.url}/api/v1{path}", json=body, headers=headers
        ) as response:
            text = await response.text()
            return response.status, json.loads(text) if text else None

    async def ids(self, query: str = "?query=connectorId=amqp&per_page=1000") -> list[str]:
        _, answer = await self("GET", f"/connections{query}")
        return [item["id"] for item in answer.get("items", ())]


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as opened:
        yield opened


@pytest.fixture
async def client(syndesis_server: SyndesisServer, session: aiohttp.ClientSession) -> Client:
    return Client(syndesis_server, session)


def named(id_: str, **fields: Any) -> dict[str, Any]:
    return {"id": id_, "name": id_, **AMQP, **fields}


class TestSecrets:
    async def test_the_ciphertext_changes_with_every_write_of_the_same_password(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        first = client.server.stored()["a"]["configuredProperties"]["password"]
        await client("PUT", "/connections/a", named("a"))
        second = client.server.stored()["a"]["configuredProperties"]["password"]
        assert first.startswith("»ENC:")
        assert second.startswith("»ENC:")
        assert first != second
        assert client.server.password("a") == "p"

    async def test_a_ciphertext_that_is_sent_back_is_kept(self, client: Client) -> None:
        _, created = await client("POST", "/connections", named("a"))
        await client("PUT", "/connections/a", created)
        assert client.server.stored()["a"]["configuredProperties"] == created["configuredProperties"]
        assert client.server.password("a") == "p"

    async def test_a_ciphertext_of_another_instance_is_kept_and_worthless(self, client: Client) -> None:
        async with SyndesisServer.running() as other:
            other.put_stored(named("a"))
            foreign = other.stored()["a"]
        assert (await client("POST", "/connections", foreign))[0] == 200
        assert client.server.stored()["a"]["configuredProperties"] == foreign["configuredProperties"]
        assert client.server.password("a") is None

    async def test_the_length_of_a_ciphertext_tells_nothing_of_a_short_password(self, client: Client) -> None:
        lengths = set()
        for password in ("p", "longer", "fifteen letters"):
            properties = AMQP["configuredProperties"] | {"password": password}
            _, answer = await client("POST", "/connections", named(password, configuredProperties=properties))
            lengths.add(len(answer["configuredProperties"]["password"]))
        assert len(lengths) == 1

    async def test_the_password_is_lost_where_a_replacement_omits_it(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        await client("PUT", "/connections/a", named("a", configuredProperties={"connectionUri": "amqp://h"}))
        assert client.server.password("a") is None


class TestRaces:
    async def test_one_name_is_accepted_several_times_at_once(self, client: Client) -> None:
        posts = (client("POST", "/connections", named(f"id-{n}", name="one")) for n in range(8))
        assert [status for status, _ in await asyncio.gather(*posts)] == [200] * 8
        assert {row["name"] for row in client.server.stored().values()} == {"one"}
        assert len(client.server.stored()) == 8

    async def test_twins_cannot_be_replaced_any_more(self, client: Client) -> None:
        await asyncio.gather(*(client("POST", "/connections", named(id_, name="one")) for id_ in "ab"))
        status, violations = await client("PUT", "/connections/a", named("a", name="one"))
        assert (status, violations[0]["error"]) == (400, "UniqueProperty")
        path = "/public/connections/a/properties?refreshIntegrations=false"
        assert (await client("POST", path, {"password": "q"}))[0] == 500

    async def test_one_id_is_accepted_once(self, client: Client) -> None:
        posts = (client("POST", "/connections", named("a", name=f"name {n}")) for n in range(8))
        statuses = Counter([status for status, _ in await asyncio.gather(*posts)])
        assert statuses == {200: 1, 500: 7}

    async def test_some_of_many_replacements_at_once_fail(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        puts = (client("PUT", "/connections/a", named("a")) for _ in range(8))
        statuses = Counter([status for status, _ in await asyncio.gather(*puts)])
        assert statuses[204] > statuses[500] > 0
        assert (await client("PUT", "/connections/a", named("a")))[0] == 204


class TestReplacing:
    async def test_uses_are_reset(self, client: Client) -> None:
        client.server.put_stored(named("put", uses=3))
        client.server.put_stored(named("patch", uses=3))
        client.server.put_stored(named("properties", uses=3))
        await client("PUT", "/connections/put", named("put", uses=3))
        await client("PATCH", "/connections/patch", {"description": "d"})
        path = "/public/connections/properties/properties?refreshIntegrations=false"
        await client("POST", path, {"username": "u"})
        uses = {id_: (await client("GET", f"/connections/{id_}"))[1]["uses"] for id_ in client.server.stored()}
        assert uses == {"put": 0, "patch": 0, "properties": 3}

    async def test_the_user_of_the_request_does_not_become_the_owner(self, client: Client) -> None:
        await client("POST", "/connections", named("a"), user="creator")
        assert client.server.stored()["a"]["userId"] == "creator"
        await client("PUT", "/connections/a", named("a"), user="other")
        assert "userId" not in client.server.stored()["a"]

    async def test_an_embedded_connector_is_stored(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        _, shown = await client("GET", "/connections/a")
        await client("PUT", "/connections/a", shown)
        stored = client.server.stored()["a"]
        assert stored["connector"] == shown["connector"]
        assert "board" not in stored

    async def test_a_null_is_refused(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        status, error = await client("PUT", "/connections/a", named("a", configuredProperties={"password": None}))
        assert status == 400
        assert "JsonMappingException: configuredProperties value" in error["developerMsg"]

    async def test_an_underscore_takes_a_sibling_along(self, client: Client) -> None:
        for id_ in ("u_1", "ux1"):
            await client("POST", "/connections", named(id_))
        await client("PUT", "/connections/u_1", named("u_1"))
        assert await client.ids() == ["u_1"]

    async def test_a_key_that_the_database_cannot_have_is_a_defect(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        for key in (*".%$#[]/", "enmasse.io/address-space", "x" * 769, "\x07"):
            status, _ = await client("PUT", "/connections/a", named("a", metadata={key: "v"}))
            assert status == 500, key
        assert (await client("PUT", "/connections/a", named("a", metadata={"x" * 768: ".%$#[]/"})))[0] == 204


class TestPatching:
    async def test_only_what_the_patch_names_changes(self, client: Client) -> None:
        _, created = await client("POST", "/connections", named("a", tags=["t"], metadata={"m": "1", "n": "2"}))
        await client("PATCH", "/connections/a", {"metadata": {"m": None}, "description": "d"})
        stored = client.server.stored()["a"]
        assert stored["metadata"] == {"n": "2"}
        assert (stored["description"], stored["tags"]) == ("d", ["t"])
        assert stored["lastUpdated"] == created["lastUpdated"]
        assert stored["configuredProperties"] == created["configuredProperties"]

    async def test_a_patch_of_another_id_writes_the_other_connection(self, client: Client) -> None:
        for id_ in "ab":
            await client("POST", "/connections", named(id_))
        await client("PATCH", "/connections/a", {"id": "b", "name": "both"})
        assert client.server.stored()["b"]["name"] == "both"
        assert client.server.stored()["a"]["name"] == "a"


class TestDeleting:
    async def test_the_deleted_is_answered_by_its_id_until_it_is_deleted_again(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        await client("DELETE", "/connections/a")
        assert await client.ids() == []
        assert (await client("GET", "/connections/a"))[0] == 200
        await client("DELETE", "/connections/a")
        assert (await client("GET", "/connections/a"))[0] == 404

    async def test_what_only_the_cache_has_cannot_be_created_and_is_replaced_in_vain(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        await client("DELETE", "/connections/a")
        assert (await client("POST", "/connections", named("a")))[0] == 500
        assert (await client("PUT", "/connections/a", named("a", description="new")))[0] == 204
        assert (await client("GET", "/connections/a"))[1]["description"] == "new"
        assert client.server.stored() == {}

    async def test_a_cache_that_was_not_read_meanwhile_forgets(self, client: Client) -> None:
        client.server.cache_keeps_deleted = False
        await client("POST", "/connections", named("a"))
        await client("DELETE", "/connections/a")
        assert (await client("GET", "/connections/a"))[0] == 404
        assert (await client("POST", "/connections", named("a")))[0] == 200

    async def test_a_restart_forgets(self, client: Client) -> None:
        await client("POST", "/connections", named("a"))
        await client("DELETE", "/connections/a")
        client.server.forget()
        assert (await client("GET", "/connections/a"))[0] == 404

    async def test_what_is_not_there_is_deleted_all_the_same(self, client: Client) -> None:
        assert (await client("DELETE", "/connections/nobody"))[0] == 204


class TestCreating:
    async def test_an_id_that_the_cache_does_not_know_is_accepted_and_not_written(self, client: Client) -> None:
        client.server.put_stored(named("a", description="of a person"))
        assert (await client("POST", "/connections", named("a", description="of ours")))[0] == 200
        assert client.server.stored()["a"]["description"] == "of a person"
        assert (await client("GET", "/connections/a"))[1]["description"] == "of ours"

    async def test_an_underscore_that_is_like_a_stored_id_is_accepted_and_not_written(self, client: Client) -> None:
        await client("POST", "/connections", named("ux1"))
        assert (await client("POST", "/connections", named("u_1")))[0] == 200
        assert await client.ids() == ["ux1"]

    async def test_tags_are_trimmed_and_sorted(self, client: Client) -> None:
        await client("POST", "/connections", named("a", tags=[" b ", "a", "", "b"]))
        assert client.server.stored()["a"]["tags"] == ["a", "b"]

    async def test_names_may_be_long_and_of_any_script(self, client: Client) -> None:
        for number, name in enumerate(("n" * 300, "Bestellungen für 東京")):
            assert (await client("POST", "/connections", named(f"id-{number}", name=name)))[0] == 200

    async def test_whatever_is_empty_is_left_out(self, client: Client) -> None:
        properties = {"connectionUri": "amqp://h", "username": ""}
        body = named("a", description="", tags=[], metadata={}, configuredProperties=properties)
        _, answer = await client("POST", "/connections", body)
        assert not {"description", "tags", "metadata"} & answer.keys()
        assert answer["configuredProperties"] == {"connectionUri": "amqp://h"}

    async def test_unknown_fields_are_dropped_and_numbers_become_text(self, client: Client) -> None:
        properties = {"connectionUri": 5, "skipCertificateCheck": True}
        await client("POST", "/connections", named("a", nobody=1, configuredProperties=properties))
        stored = client.server.stored()["a"]
        assert "nobody" not in stored
        assert stored["configuredProperties"] == {"connectionUri": "5", "skipCertificateCheck": "true"}


class TestListing:
    async def test_a_page_is_twenty_and_counts_itself(self, client: Client) -> None:
        for number in range(30):
            client.server.put_stored(named(f"c-{number:02}"))
        _, first = await client("GET", "/connections?query=connectorId=amqp")
        _, second = await client("GET", "/connections?query=connectorId=amqp&page=2")
        _, third = await client("GET", "/connections?query=connectorId=amqp&page=3")
        assert [page["totalCount"] for page in (first, second, third)] == [20, 10, 0]
        assert "items" not in third
        assert [len(page["items"]) for page in (first, second)] == [20, 10]

    async def test_several_filters_must_all_match(self, client: Client) -> None:
        client.server.put_stored(named("a", userId="x"))
        client.server.put_stored(named("b", userId="y"))
        assert await client.ids("?query=connectorId=amqp,userId=y") == ["b"]

    async def test_lists_are_sorted_by_few_fields(self, client: Client) -> None:
        client.server.put_stored(named("a", description="1"))
        client.server.put_stored(named("b", description="2"))
        query = "?query=connectorId=amqp&sort=description"
        assert await client.ids(query) == ["a", "b"]
        assert await client.ids(f"{query}&direction=desc") == ["b", "a"]

    async def test_connectors_are_found_by_name(self, client: Client) -> None:
        status, answer = await client("GET", "/connectors?query=name=AMQP Message Broker")
        assert status == 200
        assert [item["id"] for item in answer["items"]] == ["amqp"]


class TestHeaders:
    @pytest.mark.parametrize(
        ("method", "missing", "status"),
        [
            ("GET", {"X-Forwarded-User"}, 403),
            ("GET", {"X-Forwarded-Access-Token"}, 401),
            ("GET", {"SYNDESIS-XSRF-TOKEN"}, 200),
            ("DELETE", {"SYNDESIS-XSRF-TOKEN"}, 403),
            ("DELETE", {"SYNDESIS-XSRF-TOKEN", "X-Forwarded-Access-Token"}, 403),
            ("DELETE", {"X-Forwarded-Access-Token"}, 401),
        ],
    )
    async def test_each_is_missed(self, client: Client, method: str, missing: set[str], status: int) -> None:
        client.server.put_stored(named("a"))
        headers = {name: value for name, value in HEADERS.items() if name not in missing}
        url = f"{client.server.url}/api/v1/connections/a"
        async with client.session.request(method, url, headers=headers) as response:
            assert response.status == status
            assert bool(await response.read()) == (status != 401)
        assert "a" in client.server.stored()


class TestVerifier:
    async def test_secrets_are_decrypted_for_the_backend(self, client: Client) -> None:
        client.server.verifier_answer = [{"status": "OK", "scope": "PARAMETERS"}]
        _, created = await client("POST", "/connections", named("a"))
        answer = await client("POST", "/connectors/amqp/verifier", created["configuredProperties"])
        assert answer == (200, [{"status": "OK", "scope": "PARAMETERS"}])
        await client("POST", "/connectors/amqp/verifier", {"password": "»ENC:00"})
        assert client.server.verified == [AMQP["configuredProperties"], {"password": None}]


class TestPublicProperties:
    async def test_the_name_goes_before_the_id(self, client: Client) -> None:
        client.server.put_stored(named("a", name="b"))
        client.server.put_stored(named("b", name="a"))
        await client("POST", "/public/connections/a/properties?refreshIntegrations=false", {"username": "u"})
        users = {id_: row["configuredProperties"].get("username") for id_, row in client.server.stored().items()}
        assert users == {"a": None, "b": "u"}

    async def test_nothing_but_the_properties_changes(self, client: Client) -> None:
        _, before = await client("POST", "/connections", named("a", tags=["t"], metadata={"m": "1"}), user="creator")
        path = "/public/connections/a/properties?refreshIntegrations=false"
        status, after = await client("POST", path, {"password": "q", "username": "u"}, user="other")
        assert status == 200
        assert client.server.password("a") == "q"
        changed = {name for name in before if before[name] != after[name]}
        assert changed <= {"configuredProperties", "lastUpdated"}
        assert after["configuredProperties"]["connectionUri"] == before["configuredProperties"]["connectionUri"]

    async def test_an_unknown_connector_is_a_defect(self, client: Client) -> None:
        client.server.put_stored(named("a", connectorId="nope"))
        path = "/public/connections/a/properties?refreshIntegrations=false"
        assert (await client("POST", path, {"password": "q"}))[0] == 500


class TestReleases:
    @pytest.mark.parametrize(
        ("release", "metadata", "icon", "without_parameter", "total"),
        [
            ("1.4.12", None, "fa-amqp", 404, 1),
            ("1.5.3", {"m": "1"}, "data:image/svg+xml;base64", 404, 1),
            ("1.6.0", {"m": "1"}, "data:image/svg+xml;base64", 200, 1),
            ("1.9.4", {"m": "1"}, "assets:amqp.svg", 200, 1),
            ("1.10.0", {"m": "1"}, "assets:amqp.svg", 400, 1),
            ("1.13.2", {"m": "1"}, "assets:amqp.svg", 400, 1),
            ("1.15", {"m": "1"}, "assets:amqp.svg", 400, 6),
        ],
    )
    async def test_each_has_its_own(
        self,
        session: aiohttp.ClientSession,
        release: str,
        metadata: Any,
        icon: str,
        without_parameter: int,
        total: int,
    ) -> None:
        async with SyndesisServer.running(release=release) as server:
            client = Client(server, session)
            assert (await client("GET", "/version"))[1]["version"] == release
            assert (await client("GET", "/connectors/amqp"))[1]["icon"].startswith(icon)
            assert (await client("GET", "/connections?per_page=1"))[1]["totalCount"] == total
            assert (await client("GET", "/connections?query=connectorId=log"))[1]["totalCount"] == 1
            await client("POST", "/connections", named("a", metadata={"m": "1"}))
            assert (await client("GET", "/connections/a"))[1].get("metadata") == metadata
            status, _ = await client("POST", "/public/connections/a/properties", {"username": "u"})
            assert status == without_parameter


class TestFaults:
    async def test_the_next_answers_are_spoilt_and_no_more(self, client: Client) -> None:
        client.server.fail(times=2, status=503, body="<html>", content_type="text/html", method="POST")
        url = f"{client.server.url}/api/v1/connections"
        for expected in (503, 503, 200):
            async with client.session.post(url, json=named("a"), headers=HEADERS) as response:
                assert response.status == expected
                assert (await response.text() == "<html>") == (expected == 503)
            assert (await client("GET", "/version"))[0] == 200
        assert [r.status for r in client.server.requests if r.method == "POST"] == [503, 503, 200]

    async def test_only_what_is_below_the_path_is_spoilt(self, client: Client) -> None:
        client.server.fail(times=1, path_prefix="/api/v1/connectors")
        assert (await client("GET", "/connections"))[0] == 200
        assert (await client("GET", "/connectors/amqp"))[0] == 500

    async def test_a_lost_answer_belongs_to_a_request_that_took_effect(self, client: Client) -> None:
        client.server.fail(times=1, status=504, after=True)
        assert (await client("POST", "/connections", named("a")))[0] == 504
        assert client.server.password("a") == "p"

    @pytest.mark.parametrize("after", [False, True])
    async def test_the_connection_is_closed_without_an_answer(self, client: Client, after: bool) -> None:
        client.server.fail(times=1, status=0, method="POST", after=after)
        with pytest.raises(aiohttp.ClientConnectionError):
            await client("POST", "/connections", named("a"))
        assert ("a" in client.server.stored()) == after
        assert client.server.requests[-1].status == 0

    async def test_requests_are_remembered(self, client: Client) -> None:
        await client("POST", "/connections", named("a"), user="somebody")
        await client("GET", "/connections?page=2")
        posted, listed = client.server.requests
        assert (posted.method, posted.path, posted.body, posted.status) == (
            "POST",
            "/api/v1/connections",
            named("a"),
            200,
        )
        assert posted.headers["X-Forwarded-User"] == "somebody"
        assert (listed.path, listed.body) == ("/api/v1/connections?page=2", None)


async def test_the_command_runs_until_it_is_interrupted(session: aiohttp.ClientSession) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "integration_operator_sandbox", "syndesis"),
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert process.stdout is not None
        line = (await process.stdout.readline()).decode()
        assert "simulation" in line
        async with session.get(line.split()[-1] + "/version") as response:
            assert (await response.json())["version"] == "1.13.2"
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 10) == 0
    finally:
        if process.returncode is None:
            process.kill()
