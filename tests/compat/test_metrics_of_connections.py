"""The connection controller's metrics show Connections by state, and servers that do not answer."""

from __future__ import annotations

from integration_operator.manager import ConnectionOperator
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.connection_controller import connection_controller, create_connection, in_phase
from tests.support.scraped import counted, sample
from tests.support.world import World


async def shown(world: World, control: ConnectionOperator, name: str, **labels: str) -> None:
    """Wait until a metric is 1."""

    async def there() -> bool:
        return sample(control.state, f"integration_operator_{name}", **labels) == 1.0

    await world.eventually(f"{name} {labels} is 1", there)


async def test_connections_by_state_and_open_circuits(world: World, syndesis_server: SyndesisServer) -> None:
    namespace = await world.namespace("fuse")
    labels = {"system": "syndesis", "verb": "POST", "resource": "connections", "code": "200"}
    async with connection_controller(world, syndesis_server) as control:
        ref = await create_connection(world, namespace)
        await shown(world, control, "connections", state="reconciling", reason="NoSyndesis")
        await world.syndesis(namespace)
        created = counted("integration_operator_requests_total", **labels)
        await in_phase(world, ref, "Ready")
        await shown(world, control, "connections", state="ready", reason="Delivered")
        assert counted("integration_operator_requests_total", **labels) == created + 1
        assert sample(control.state, "integration_operator_circuits_open", system="syndesis") == 0.0

        syndesis_server.fail(times=100, status=503)
        await world.patch("Connection", ref, {"spec": {"description": "changed"}})
        await shown(world, control, "circuits_open", system="syndesis")
        await shown(world, control, "connections", state="reconciling", reason="SyndesisFailed")
