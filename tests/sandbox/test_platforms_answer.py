"""With the simulated platforms a pair becomes Ready, and their messages are in its conditions."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms import Login
from tests.support.documents import condition, decoded
from tests.support.world import World


async def test_ready_means_that_the_user_can_log_in(world: World) -> None:
    async with world.platforms() as enmasse, world.operator():
        namespace = await world.namespace("shop")
        reconciled = {"annotations": {names.CONNECTION_DELIVERY: "native"}}
        await world.create("Syndesis", namespace, "syndesis", spec={}, metadata=reconciled)
        spec = {"type": "standard", "plan": "small", "authenticationService": {"name": "standard-authservice"}}
        await world.create("AddressSpace", namespace, "orders", spec=spec)
        (integration,) = await world.eventually("offered", lambda: world.items("Integration"))
        ref = Ref(namespace, integration["metadata"]["name"])
        await world.patch("Integration", ref, {"spec": {"enabled": True}})

        async def ready() -> object:
            found = await world.get("Integration", ref)
            return found if found and condition(found, "Ready").get("status") == "True" else None

        found = await world.eventually("ready", ready)
        assert found["status"]["phase"] == "complete"
        assert "realm" not in str(found["status"]), "the realm is the giver's"
        assert found["status"]["delivered"]["connection"]["id"]
        secret = await world.get("Secret", Ref(namespace, found["status"]["delivered"]["secretName"]))
        assert secret is not None
        credential = decoded(secret)
        login = Login(namespace, "orders", credential["username"])
        assert enmasse.logins[login] == credential["password"]
        types = [c["type"] for c in found["status"]["conditions"]]
        assert types == ["Ready", "Paired", "CredentialsReady", "UserReady", "ConnectionReady", "DeliveryChosen"]
        assert all(c["observedGeneration"] == found["metadata"]["generation"] for c in found["status"]["conditions"])

        await world.patch("Integration", ref, {"spec": {"enabled": False}})

        async def refused() -> bool:
            return login not in enmasse.logins

        await world.eventually("the credential opens nothing any more", refused)


async def test_an_error_of_enmasse_is_said(world: World) -> None:
    async with world.operator():
        pair = await world.pair()
        await world.deliver(pair)
        status = {"phase": "Active", "generation": 1, "message": "400 Bad Request: invalidPasswordMinLengthMessage"}
        await world.patch("MessagingUser", naming.user_ref(pair), {"status": status}, status=True)
        found = await world.has_reason(pair, "UserFailed")
        assert "invalidPasswordMinLengthMessage" in found["status"]["statusMessage"]
        before = condition(found, "UserReady")["lastTransitionTime"]
        status = {"phase": "Active", "generation": 1, "message": None}
        await world.patch("MessagingUser", naming.user_ref(pair), {"status": status}, status=True)
        found = await world.has_reason(pair, "UserActive", "UserReady")
        assert condition(found, "UserReady")["lastTransitionTime"] >= before
