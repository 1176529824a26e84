"""From REST to resources and back: one connection at all times, with the same id and the same login."""

from __future__ import annotations

from integration_operator.api import names
from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller
from tests.support.documents import decoded
from tests.support.rest_delivery import (
    always_one_connection,
    annotate_delivery,
    deliver_over_rest,
    delivered_by,
    delivered_connection,
    finalizers,
    rest_pair,
)
from tests.support.world import World


async def test_auto_follows_the_cluster(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        identifier = connection["id"]
        secret = decoded(await world.get("Secret", naming.secret_ref(pair)))
        await delivered_by(world, pair, "rest", identifier)

        async with connection_controller(world, syndesis_server), always_one_connection(syndesis_server):
            ciphertext = connection["configuredProperties"]["password"]
            await annotate_delivery(world, pair, "native")
            await delivered_by(world, pair, "native", identifier)
            kept = syndesis_server.stored()[identifier]["configuredProperties"]["password"]
            assert kept == ciphertext, "the password was not even written again"

            await annotate_delivery(world, pair, None)
            await delivered_by(world, pair, "rest", identifier)
            assert syndesis_server.stored()[identifier]["configuredProperties"]["password"] == ciphertext
        again = decoded(await world.get("Secret", naming.secret_ref(pair)))
        assert again == secret
        assert (await world.get("MessagingUser", naming.user_ref(pair))) is not None


async def test_without_the_controller_nothing_is_let_go(world: World, syndesis_server: SyndesisServer) -> None:
    async with world.enmasse_alone(), world.operator(syndesis_url=syndesis_server.url):
        pair = await rest_pair(world)
        connection = await deliver_over_rest(world, syndesis_server, pair)
        async with always_one_connection(syndesis_server):
            await annotate_delivery(world, pair, "native")
            await world.has_reason(pair, "ConnectionPending")
            integration = await world.integration(pair)
            assert delivered_connection(integration) == ("rest", connection["id"])
            assert integration is not None
            assert finalizers(integration) == [names.REST_STATE_FINALIZER]
            await annotate_delivery(world, pair, None)
            await delivered_by(world, pair, "rest", connection["id"])
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        await world.patch("Integration", ref, {"spec": {"enabled": False}})

        async def gone() -> bool:
            return not syndesis_server.stored()

        await world.eventually("the connection goes when the pair is disabled", gone)
