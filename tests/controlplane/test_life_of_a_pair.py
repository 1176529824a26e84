"""An AddressSpace becomes an offer, the offer a connection, and all of it goes again, in each direction."""

from __future__ import annotations

import base64

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from tests.support.documents import decoded, reason, space_status
from tests.support.world import World


async def test_offered_disabled_then_enabled_then_disabled(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        integration = await world.offered(pair)
        assert integration["spec"]["enabled"] is False
        await world.has_reason(pair, "NotEnabled")
        assert not any((await world.children(pair)).values())

        await world.enable(pair)
        found = await world.delivered(pair)
        credential = decoded(found["Secret"])
        user = found["MessagingUser"]
        assert user["metadata"]["name"] == f"{pair.space.name}.{credential['username']}"
        assert user["spec"]["username"] == credential["username"]
        assert base64.b64decode(user["spec"]["authentication"]["password"]).decode() == credential["password"]
        assert user["spec"]["authorization"] == [{"operations": ["send", "recv"], "addresses": ["*"]}]
        properties = found["Connection"]["spec"]["configuredProperties"]
        assert properties["connectionUri"] == "amqps://messaging-a1.enmasse-infra.svc:5671?amqp.saslMechanisms=PLAIN"
        assert properties["brokerCertificate"].startswith("-----BEGIN CERTIFICATE-----")
        for child in found.values():
            assert child["metadata"]["labels"][names.MANAGED_BY_LABEL] == "integration-operator"
            assert child["metadata"]["labels"][names.INTEGRATION_LABEL] == naming.integration_label(pair)
            assert "owner" not in child["metadata"]["labels"]

        await world.enable(pair, enabled=False)
        await world.taken_down(pair)
        await world.has_reason(pair, "NotEnabled")

        await world.enable(pair)
        again = decoded((await world.delivered(pair))["Secret"])
        assert again["username"] == credential["username"]
        assert again["password"] != credential["password"], "a credential that was taken down is not used again"


async def test_connection_follows_endpoint_and_certificate(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        before = await world.deliver(pair)
        await world.patch("AddressSpace", pair.space, {"status": space_status("messaging-b2.enmasse-infra.svc")})

        async def moved() -> bool:
            connection = await world.get("Connection", naming.connection_ref(pair))
            return bool(connection and "messaging-b2" in connection["spec"]["configuredProperties"]["connectionUri"])

        await world.eventually("the connection follows the host", moved)
        await world.patch("AddressSpace", pair.space, {"status": {"caCert": None}})

        found = await world.has_reason(pair, "TLSNotAvailable", "ConnectionReady")
        connection = await world.get("Connection", naming.connection_ref(pair))
        assert connection is not None
        uri = connection["spec"]["configuredProperties"]["connectionUri"]
        assert uri.startswith("amqps://"), "without a CA the connection stays as it is"

        ref = Ref(pair.syndesis.namespace, found["metadata"]["name"])
        await world.patch("Integration", ref, {"spec": {"tls": "disabled"}})

        async def plain() -> bool:
            connection = await world.get("Connection", naming.connection_ref(pair))
            properties = connection["spec"]["configuredProperties"] if connection else {}
            return properties.get("connectionUri", "").startswith("amqp://") and "brokerCertificate" not in properties

        await world.eventually("the receiver's own word makes it plain text", plain)
        secret = (await world.children(pair))["Secret"]
        assert secret is not None
        credential = {key: decoded(before["Secret"])[key] for key in ("username", "password")}
        assert credential.items() <= decoded(secret).items()


async def test_losing_readiness_tears_nothing_down(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        before = await world.deliver(pair)
        await world.audit.quiet()
        world.audit.mark()
        await world.patch("AddressSpace", pair.space, {"status": {"isReady": False, "phase": "Failed"}})
        await world.audit.quiet()
        assert [w for w in world.audit.writes() if "status" not in w] == []
        after = await world.children(pair)
        assert {k: v["metadata"]["uid"] for k, v in after.items() if v} == {
            k: v["metadata"]["uid"] for k, v in before.items()
        }


async def test_space_without_status_says_which_fact_is_missing(world: World) -> None:
    async with world.operator(enable_new=True):
        namespace = await world.namespace("shop")
        await world.syndesis(namespace)
        await world.space(namespace, "young", status={})
        await world.space(namespace, "odd", status={"isReady": True, "endpointStatuses": []})
        await world.space(namespace, "good")

        async def said() -> bool:
            reasons = {i["spec"]["addressSpaceRef"]["name"]: reason(i) for i in await world.items("Integration")}
            return reasons.get("odd") == "NoMessagingEndpoint" and reasons.get("young") == "AddressSpaceNotReady"

        await world.eventually("both say what is missing", said)
        users = [u["metadata"]["name"] for u in await world.items("MessagingUser")]
        assert len(users) == 1
        assert users[0].startswith("good.")
        events = await world.items("Event", namespace)
        assert {e["reason"] for e in events if e["involvedObject"]["kind"] == "Integration"} >= {"NoMessagingEndpoint"}


async def test_authentication_service_none_gets_no_user(world: World) -> None:
    enmasse = await world.namespace("enmasse")
    async with world.operator(enable_new=True, enmasse_namespace=enmasse):
        namespace = await world.namespace("shop")
        await world.create("AuthenticationService", enmasse, "nobody", spec={"type": "none"})
        await world.syndesis(namespace)
        pair = Pair(await world.space(namespace, authentication="nobody"), Ref(namespace, "syndesis"))
        await world.has_reason(pair, "NoAuthenticationService")
        assert not any((await world.children(pair)).values())


async def test_offer_that_a_person_deletes_is_offered_again_disabled(world: World) -> None:
    async with world.operator(enable_new=True):
        pair = await world.pair(across=True)
        await world.delivered(pair)
        first = await world.offered(pair)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.delete("Integration", ref)

        async def offered_again() -> bool:
            integration = await world.integration(pair)
            return bool(
                integration
                and integration["metadata"]["uid"] != first["metadata"]["uid"]
                and integration["spec"]["enabled"] is False
            )

        await world.eventually("offered again, disabled", offered_again)
        await world.taken_down(pair)
