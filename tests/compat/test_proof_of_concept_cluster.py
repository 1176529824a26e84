"""A cluster of the proof of concept's time: AddressSpaces in ConfigMaps, users in Keycloak, connections over REST."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.keycloak import Keycloak
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import condition
from tests.support.earlier_enmasse import drop_space, realm_of, store_space
from tests.support.keycloak_access import store_keycloak_access
from tests.support.logins import login
from tests.support.proof_of_concept import left_behind, poc_pair, poc_settings
from tests.support.rest_delivery import always_one_connection
from tests.support.world import World


async def test_life_of_a_pair(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    await store_keycloak_access(old, keycloak)
    async with old.operator(**poc_settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        integration = await old.has_reason(pair, "Ready")
        assert condition(integration, "DeliveryChosen")["reason"] == "KeycloakUserRestConnection"
        known = await login(old, pair)
        assert keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
        assert keycloak.groups_of(realm_of(pair), known["username"]) == {"send_*", "recv_*"}
        (connection,) = syndesis_server.stored().values()
        assert syndesis_server.password(connection["id"]) == known["password"]
        await old.audit.quiet()
        await drop_space(old, pair.space)

        async def gone() -> bool:
            return not syndesis_server.stored() and await old.integration(pair) is None

        await old.eventually("connection and offer go with the AddressSpace", gone)


async def test_disabled_opens_nothing(old: World, keycloak: Keycloak, syndesis_server: SyndesisServer) -> None:
    await store_keycloak_access(old, keycloak)
    async with old.operator(**poc_settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        await old.has_reason(pair, "Ready")
        known = await login(old, pair)
        await old.enable(pair, enabled=False)

        async def gone() -> bool:
            found = await old.integration(pair)
            return not keycloak.users(realm_of(pair)) and not (found or {})["metadata"].get("finalizers")

        await old.eventually("the user is gone, and the finalizer", gone)
        assert not keycloak.can_log_in(realm_of(pair), known["username"], known["password"])
        await drop_space(old, pair.space)


async def test_what_the_proof_of_concept_left_is_taken_over(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    """Its Integration, its user without attributes, its connection without a mark: adopted, and repaired.

    It kept no password, so the credential is a new one; the user's name and the connection's id stay.
    """
    await store_keycloak_access(old, keycloak)
    pair = await poc_pair(old, keycloak)
    ref = await left_behind(old, keycloak, syndesis_server, pair)
    name = ref.name
    async with old.operator(**poc_settings(keycloak, syndesis_server)), always_one_connection(syndesis_server):
        integration = await old.ready(ref)
        known = await login(old, pair)
        assert known["username"] == name
        assert keycloak.can_log_in(realm_of(pair), name, known["password"])
        (user,) = keycloak.users(realm_of(pair))
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
    await store_keycloak_access(old, keycloak, "wrong password")
    async with old.operator(**poc_settings(keycloak, syndesis_server)):
        pair = await poc_pair(old, keycloak)
        await old.offered(pair)
        await old.enable(pair)
        integration = await old.has_reason(pair, "AdminRefused")
        assert "wrong password" not in str(integration)
        assert keycloak.users(realm_of(pair)) == []
        assert syndesis_server.stored() == {}
        await store_keycloak_access(old, keycloak)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await old.patch("Integration", ref, {"spec": {"tls": "disabled"}})
        await old.has_reason(pair, "Ready")
        await old.enable(pair, enabled=False)
        await drop_space(old, pair.space)


async def test_a_realm_of_another_namespace_is_refused(
    old: World, keycloak: Keycloak, syndesis_server: SyndesisServer
) -> None:
    await store_keycloak_access(old, keycloak)
    async with old.operator(**poc_settings(keycloak, syndesis_server)):
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
