"""``integration-operator uninstall``: no finalizer, login or orphan is left; with --retain all outlive the operator."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from integration_operator.domain.model import naming
from integration_operator.domain.model.pair import Pair
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.documents import Document, reason
from tests.support.rest_delivery import deliver_over_rest, finalizers, rest_pair
from tests.support.world import World

CHILDREN = ("Secret", "MessagingUser", "Connection")


async def uninstall(world: World, *flags: str, syndesis_url: str = "http://127.0.0.1:9") -> tuple[int, str]:
    environment = {
        "PATH": "/usr/bin:/bin",
        "KUBECONFIG": str(world.control_plane.kubeconfig("user")),
        "INTEGRATION_OPERATOR_SYNDESIS_URL": syndesis_url,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "integration_operator", "uninstall", *flags, env=environment,
        stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, output.decode()


async def two_pairs(world: World, server: SyndesisServer) -> tuple[Pair, Pair]:
    """Deliver one pair over REST and one by resources; the second one's Integration is a user's."""
    async with world.platforms(), world.operator(syndesis_url=server.url):
        over_rest = await rest_pair(world)
        await deliver_over_rest(world, server, over_rest)
        second = await world.namespace("second")
        by_resources = Pair(await world.space(second), await world.syndesis(second))
        spec = {
            "addressSpaceRef": by_resources.space._asdict(),
            "client": by_resources.syndesis.name,
            "enabled": True,
        }
        await world.create("Integration", second, "mine", spec=spec)
        await world.ready(Ref(second, "mine"))
        await world.audit.quiet()
    return over_rest, by_resources


async def everything(world: World) -> list[Document]:
    return [item for kind in ("Integration", *CHILDREN) for item in await world.items(kind)]


async def test_nothing_is_left(world: World, syndesis_server: SyndesisServer) -> None:
    over_rest, by_resources = await two_pairs(world, syndesis_server)
    before = await everything(world)
    code, output = await uninstall(world, "--dry-run")
    assert code == 0, output
    assert str(over_rest) in output
    assert str(by_resources) in output
    assert f"delete Connection {naming.connection_ref(over_rest)} by rest" in output
    assert await everything(world) == before, "a dry run changes nothing"
    assert (await uninstall(world))[0] == 2, "without a terminal it asks nobody"
    async with world.platforms() as enmasse:
        code, output = await uninstall(world, "--yes", syndesis_url=syndesis_server.url)
        assert code == 0, output
        assert output.splitlines()[-1].startswith("done")
        assert enmasse.logins == {}
        assert syndesis_server.stored() == {}
        (mine,) = await everything(world)
        assert mine["metadata"]["name"] == "mine", "only what a user wrote is left"
        assert finalizers(mine) == []
        assert reason(mine) == "Uninstalling"
        code, output = await uninstall(world, "--yes", syndesis_url=syndesis_server.url)
        assert (code, output.strip()) == (0, "Nothing is left.")


async def test_what_is_retained_outlives_the_operator(world: World, syndesis_server: SyndesisServer) -> None:
    over_rest, by_resources = await two_pairs(world, syndesis_server)
    async with world.platforms() as enmasse:
        logins = dict(enmasse.logins)
        code, output = await uninstall(world, "--retain", "--yes", syndesis_url=syndesis_server.url)
        assert code == 0, output
        integrations = await world.items("Integration")
        assert {tuple(finalizers(integration)) for integration in integrations} == {()}
        for integration in integrations:  # as the deletion of the kind does
            await world.delete("Integration", Ref(*(integration["metadata"][key] for key in ("namespace", "name"))))
        await asyncio.sleep(2)  # the garbage collector removes an orphan within 0.6 s
        for pair in (over_rest, by_resources):
            assert await world.get("Secret", naming.secret_ref(pair)) is not None
            assert await world.get("MessagingUser", naming.user_ref(pair)) is not None
        assert await world.get("Connection", naming.connection_ref(by_resources)) is not None
        assert list(syndesis_server.stored()) == [naming.connection_id(over_rest)]
        assert enmasse.logins.items() >= logins.items()


async def test_a_server_that_is_away_is_waited_for(world: World, syndesis_server: SyndesisServer) -> None:
    over_rest, _ = await two_pairs(world, syndesis_server)
    async with world.platforms() as enmasse:
        code, output = await uninstall(world, "--yes", "--within", "3")
        assert code == 5, output
        assert str(over_rest) in output.splitlines()[-1]
        assert enmasse.logins == {}, "no login waits for a Syndesis server"
        code, output = await uninstall(world, "--yes", syndesis_url=syndesis_server.url)
        assert code == 0, output
        assert syndesis_server.stored() == {}


DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "operator", "labels": {"app.kubernetes.io/name": "integration-operator"}},
    "spec": {
        "replicas": 1,
        "selector": {"matchLabels": {"a": "b"}},
        "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}},
    },
}


def lease(renewed: datetime) -> Document:
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": "integration-operator"},
        "spec": {
            "holderIdentity": "one-abc",
            "leaseDurationSeconds": 50,
            "renewTime": renewed.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        },
    }


@pytest.mark.parametrize(
    ("path", "make", "said"),
    [
        (
            "/apis/apps/v1/namespaces/{}/deployments",
            lambda: DEPLOYMENT,
            "kubectl scale deployment operator -n {} --replicas=0",
        ),
        (
            "/apis/coordination.k8s.io/v1/namespaces/{}/leases",
            lambda: lease(datetime.now(UTC)),
            "one-abc leads",
        ),
    ],
    ids=["a Deployment", "a Lease"],
)
async def test_it_refuses_while_the_operator_runs(
    world: World, path: str, make: Callable[[], Document], said: str
) -> None:
    document = make()
    namespace = await world.namespace("infra")
    await world.kubectl.post(path.format(namespace), document)
    try:
        code, output = await uninstall(world, "--yes")
        assert code == 2, output
        assert said.format(namespace) in output
    finally:
        await world.kubectl.delete(f"{path.format(namespace)}/{document['metadata']['name']}")
    assert (await uninstall(world, "--yes"))[1].strip() == "Nothing is left."


async def test_a_lease_that_ran_out_refuses_nothing(world: World) -> None:
    namespace = await world.namespace("infra")
    leases = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"
    await world.kubectl.post(leases, lease(datetime.now(UTC) - timedelta(minutes=1)))
    assert (await uninstall(world, "--yes"))[1].strip() == "Nothing is left."
