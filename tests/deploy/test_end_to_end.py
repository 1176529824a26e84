"""The operator as it is installed, from the outside: only what users and the platforms write, and what they see.

On the local control plane, or in a cluster of which E2E_KUBECONFIG names the kubeconfig (`make e2e-kind`). EnMasse and
Syndesis are simulated in both.
"""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from tests.support.cluster import Cluster
from tests.support.documents import Document, decoded
from tests.support.world import World, integration_ref


def credential(secret: Document) -> tuple[str, str]:
    """Return user name and password of a Secret."""
    entries = decoded(secret)
    return entries["username"], entries["password"]


async def test_a_pair_is_offered_delivered_repaired_and_taken_down(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms() as enmasse:
        pair = await world.pair(across=True)
        await world.offered(pair)
        await world.has_reason(pair, "NotEnabled", "Disabled")
        children = await world.deliver(pair)
        await world.ready(integration_ref(pair))
        username, password = credential(children["Secret"])
        assert password in [secret for login, secret in enmasse.logins.items() if login.username == username]
        await world.patch("Connection", naming.connection_ref(pair), {"spec": {"description": "changed"}})

        async def repaired() -> bool:
            connection = await world.get("Connection", naming.connection_ref(pair))
            return connection is not None and connection["spec"]["description"] != "changed"

        await world.eventually("the Connection is repaired", repaired)
        await world.delete("MessagingUser", naming.user_ref(pair))
        assert credential((await world.delivered(pair))["Secret"]) == (username, password)
        await world.enable(pair, enabled=False)
        await world.taken_down(pair)
        assert not [login for login in enmasse.logins if login.username == username]


async def test_a_deleted_integration_is_offered_again(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms():
        pair = await world.pair()
        await world.deliver(pair)
        first = await world.offered(pair)
        await world.delete("Integration", integration_ref(pair))
        await world.taken_down(pair)

        async def again() -> bool:
            found = await world.integration(pair)
            return found is not None and found["metadata"]["uid"] != first["metadata"]["uid"]

        await world.eventually("it is offered again", again)
        await world.has_reason(pair, "NotEnabled", "Disabled")


async def test_a_pair_ends_with_its_address_space(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.delete("AddressSpace", pair.space)
        await world.taken_down(pair)
        await gone(world, pair.syndesis.namespace)


async def test_a_pair_ends_with_consent(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms():
        pair = await world.pair(across=True)
        await world.deliver(pair)
        await world.patch("AddressSpace", pair.space, {"metadata": {"annotations": {names.ALLOWED_NAMESPACES: None}}})
        await world.taken_down(pair)
        await gone(world, pair.syndesis.namespace)


async def gone(world: World, namespace: str) -> None:
    """Wait until a namespace has no Integration."""

    async def nothing() -> bool:
        return not await world.items("Integration", namespace)

    await world.eventually("the offer is withdrawn", nothing)


async def test_a_credential_is_rotated_while_the_connection_works(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms() as enmasse:
        pair = await world.pair()
        await world.deliver(pair)
        await world.patch("Integration", integration_ref(pair), {"spec": {"rotation": {"overlap": "1s"}}})
        await world.ready(integration_ref(pair))
        secret = (await world.children(pair))["Secret"]
        assert secret is not None
        before, _ = credential(secret)
        asked = {"metadata": {"annotations": {names.ROTATE: "now"}}}
        await world.patch("Integration", integration_ref(pair), asked)

        async def rotated() -> bool:
            users = {login.username for login in enmasse.logins if login.namespace == pair.space.namespace}
            return len(users) == 1 and before not in users

        await world.eventually("only the new user can log in", rotated)
        await world.ready(integration_ref(pair))


async def test_a_binding_needs_no_syndesis(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms() as enmasse:
        shop, apps = await world.namespace("shop"), await world.namespace("apps")
        pair = await world.bind(await world.space(shop, allowed=apps), apps)
        integration = await world.ready(pair.consumer)
        secret = await world.get("Secret", Ref(apps, integration["status"]["binding"]["name"]))
        assert secret is not None
        username, password = credential(secret)
        assert password in [kept for login, kept in enmasse.logins.items() if login.username == username]


async def test_another_process_takes_over(cluster: Cluster) -> None:
    world = cluster.world
    async with world.platforms():
        pair = await world.pair()
        await world.offered(pair)
        await cluster.end_leader()
        await world.deliver(pair)
        await world.ready(integration_ref(pair))
