"""A cluster of the proof of concept's time: AddressSpaces in ConfigMaps, users in Keycloak, connections over REST."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.errors import ApiError
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.compat.test_migration_there_and_back import always_one
from tests.compat.test_users_on_the_aggregated_api import login, realm
from tests.support.planes import INFRASTRUCTURE, drop_space, store_space
from tests.support.scenes import encoded
from tests.support.world import World, condition

SECRETS = f"/api/v1/namespaces/{INFRASTRUCTURE}/secrets"


async def let_in(world: World, keycloak: Keycloak, password: str | None = None) -> None:
    """What EnMasse keeps about its Keycloak: the admin's credentials and the certificate."""
    login = {"admin.username": keycloak.admin_username, "admin.password": password or keycloak.admin_password}
    for name, data in (
        ("keycloak-credentials", login),
        ("standard-authservice-cert", {"tls.crt": keycloak.certificate}),
    ):
        with suppress(ApiError):
            await world.person.delete(f"{SECRETS}/{name}")
        body = {"metadata": {"name": name}, "data": {key: encoded(value) for key, value in data.items()}}
        await world.person.post(SECRETS, body)


async def poc_pair(world: World, keycloak: Keycloak) -> Pair:
    """An AddressSpace and a Syndesis that one person made, in two namespaces."""
    shop, fuse = await world.namespace("shop"), await world.namespace("fuse")
    made_by = {"annotations": {names.SYNDESIS_CREATED_BY: "ann"}}
    await world.create("Syndesis", fuse, "syndesis", spec={}, status={"phase": "Installed"}, metadata=made_by)
    pair = Pair(Ref(shop, "orders"), Ref(fuse, "syndesis"))
    keycloak.create_realm(realm(pair), shop)
    await store_space(world, pair.space, **{names.ENMASSE_CREATED_BY: "ann"})
    return pair


def settings(keycloak: Keycloak, server: SyndesisServer) -> dict[str, Any]:
    return {
        "address_spaces": "configmap",
        "pairing_rules": ("created-by",),
        "user_delivery": "keycloak",
        "connection_delivery": "rest",
        "enmasse_namespace": INFRASTRUCTURE,
        "keycloak_url": keycloak.url,
        "syndesis_url": server.url,
    }


async def left_behind(world: World, keycloak: Keycloak, server: SyndesisServer, pair: Pair) -> Ref:
    """What the proof of concept made of a pair; its user and its Integration have the same name, which is returned."""
    name = f"enmasse-{pair.space.name}-to-fuse"
    keycloak.make_user(realm(pair), name, "old password")
    server.put_stored(
        {
            "id": "i-old",
            "name": "made by the proof of concept",
            "connectorId": "amqp",
            "userId": "ann",
            "createdDate": 1,
            "configuredProperties": {
                "connectionUri": "amqp://messaging.old.svc:5672",
                "username": name,
                "password": "old password",
            },
        }
    )
    spec = {"serviceProvider": "fuse", "integrationType": "amqp", "client": "syndesis", "enabled": True}
    left = {"phase": "complete", "metaData": {"connectionID": "i-old", "realm": realm(pair)}}
    await world.create("Integration", pair.syndesis.namespace, name, spec=spec, status=left)
    return Ref(pair.syndesis.namespace, name)


async def taken_over(world: World, ref: Ref) -> dict[str, Any]:
    """Wait until an Integration of the proof of concept is Ready."""

    async def ready() -> Any:
        found = await world.get("Integration", ref)
        return found if found and condition(found, "Ready").get("status") == "True" else None

    return await world.eventually(f"{ref} is Ready", ready)  # type: ignore[no-any-return]


async def test_life_of_a_pair(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    await let_in(old, keycloak)
    async with old.operator(**settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        integration = await old.has_reason(pair, "Ready")
        assert condition(integration, "DeliveryChosen")["reason"] == "KeycloakUserRestConnection"
        known = await login(old, pair)
        assert keycloak.can_log_in(realm(pair), known["username"], known["password"])
        assert keycloak.groups_of(realm(pair), known["username"]) == {"send_*", "recv_*"}
        (connection,) = syndesis_server.stored().values()
        assert syndesis_server.password(connection["id"]) == known["password"]
        await old.quiet()
        await drop_space(old, pair.space)

        async def gone() -> bool:
            return not syndesis_server.stored() and await old.integration(pair) is None

        await old.eventually("connection and offer go with the AddressSpace", gone)


async def test_disabled_opens_nothing(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    await let_in(old, keycloak)
    async with old.operator(**settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        await old.has_reason(pair, "Ready")
        known = await login(old, pair)
        await old.enable(pair, enabled=False)

        async def gone() -> bool:
            found = await old.integration(pair)
            return not keycloak.users(realm(pair)) and not (found or {})["metadata"].get("finalizers")

        await old.eventually("the user is gone, and the finalizer", gone)
        assert not keycloak.can_log_in(realm(pair), known["username"], known["password"])
        await drop_space(old, pair.space)


async def test_what_the_proof_of_concept_left_is_taken_over(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    """Its Integration, its user without attributes, its connection without a mark: adopted, and repaired.

    It kept no password, so the credential is a new one; the user's name and the connection's id stay.
    """
    await let_in(old, keycloak)
    pair = await poc_pair(old, keycloak)
    ref = await left_behind(old, keycloak, syndesis_server, pair)
    name = ref.name
    async with old.operator(**settings(keycloak, syndesis_server)), always_one(syndesis_server):
        integration = await taken_over(old, ref)
        known = await login(old, pair)
        assert known["username"] == name
        assert keycloak.can_log_in(realm(pair), name, known["password"])
        (user,) = keycloak.users(realm(pair))
        assert user["attributes"]["resourceName"] == [f"orders.{name}"]
        adopted = syndesis_server.stored()["i-old"]
        assert adopted["configuredProperties"]["username"] == name
        assert syndesis_server.password("i-old") == known["password"]
        assert (adopted["userId"], adopted["createdDate"]) == ("ann", 1)
        assert integration["status"]["delivered"]["connection"]["id"] == "i-old"
        assert integration["status"]["metaData"]["connectionID"] == "i-old"
        assert "new" in condition(integration, "CredentialsReady")["message"], "that it was replaced is said"
    await old.delete("Integration", ref)
    await drop_space(old, pair.space)


async def test_wrong_admin_credentials_are_said_and_followed_when_they_are_right(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    await let_in(old, keycloak, "wrong password")
    async with old.operator(**settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        integration = await old.has_reason(pair, "AdminRefused")
        assert "wrong password" not in str(integration)
        assert keycloak.users(realm(pair)) == []
        assert syndesis_server.stored() == {}
        await let_in(old, keycloak)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await old.patch("Integration", ref, {"spec": {"tls": "disabled"}})
        await old.has_reason(pair, "Ready")
        await old.enable(pair, enabled=False)
        await drop_space(old, pair.space)


async def test_a_realm_of_another_namespace_is_refused(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    await let_in(old, keycloak)
    async with old.operator(**settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        keycloak.create_realm(f"{pair.space.namespace}-victim", "somebody-elses")
        annotations = {names.ENMASSE_CREATED_BY: "ann", names.ENMASSE_REALM: f"{pair.space.namespace}-victim"}
        await store_space(old, pair.space, **annotations)
        await old.offered(pair)
        await old.enable(pair)
        refused = await old.has_reason(pair, "RealmForeign")
        assert "-victim" not in str(refused["status"]), "whose realm it is is not the receiver's to know"
        assert keycloak.users(f"{pair.space.namespace}-victim") == []
        assert syndesis_server.stored() == {}
        await drop_space(old, pair.space)
