"""The kind Integration is deleted before anything is uninstalled: what remains goes once the kind exists again."""

from __future__ import annotations

from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from integration_operator_sandbox.controlplane import ControlPlane
from integration_operator_sandbox.deployment import install_all, operator_crds
from integration_operator_sandbox.platforms.crd import install_crds
from tests.support.control_planes import world_on

CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/integrations.integreatly.org"


async def test_the_kind_is_deleted_first() -> None:
    with ControlPlane.start(before_controllers=install_all) as plane:
        async with world_on(plane) as world:
            async with world.platforms(), world.operator():
                pair = await world.pair()
                await world.offered(pair)
                await world.enable(pair)
                await world.has_reason(pair, "Ready")
                theirs = Ref(pair.syndesis.namespace, "theirs")
                await world.create("Secret", *theirs, stringData={"a": "b"})
                await world.kubectl.delete(CRD)

                async def collected() -> bool:
                    secret = await world.get("Secret", naming.secret_ref(pair))
                    return secret is None and await world.get("Connection", naming.connection_ref(pair)) is None

                await world.eventually("the garbage collector deletes what an Integration owned", collected, within=90)
            user = naming.user_ref(pair)
            assert await world.get("MessagingUser", user) is not None, "no owner is left that the collector knows"

            install_crds(plane.kubeconfig(), operator_crds())
            async with world.platforms() as enmasse, world.operator():
                await world.has_reason(pair, "NotEnabled")

                async def closed() -> bool:
                    return await world.get("MessagingUser", user) is None

                await world.eventually("the login is closed", closed)
                assert enmasse.logins == {}
                assert await world.get("Secret", theirs) is not None
