"""What happens to a pair whose user is a resource. The connection is a resource, too, or over REST (``over_rest``)."""

from __future__ import annotations

import base64

from integration_operator_sandbox.localhost.certificates import self_signed
from tests.support.documents import encoded, space_status
from tests.support.faults.expectation import Brought, Expectation, Offered, Ref
from tests.support.faults.oracle import crowded, shut_out, violations
from tests.support.faults.scenario import Scenario


class Create(Scenario):
    """An AddressSpace and a Syndesis appear, and a user enables what is offered."""

    name = "create"

    async def prepare(self) -> Expectation:
        self.shop = await self.stage.namespace("shop")
        return Expectation()

    async def act(self) -> Expectation:
        space, syndesis = await self.stage.space(self.shop), await self.syndesis_in(self.shop)
        await self.stage.enable(space, syndesis)
        return Expectation(delivered=(self.as_delivered(space, syndesis),))


class DeliveredPair(Scenario):
    """A pair that is delivered before the change, in one namespace or across two."""

    across = False

    async def prepare(self) -> Expectation:
        shop = await self.stage.namespace("shop")
        fuse = await self.stage.namespace("fuse") if self.across else shop
        allowed = {"allowed_namespaces": fuse} if self.across else {}
        self.space, self.syndesis = await self.stage.space(shop, **allowed), await self.syndesis_in(fuse)
        await self.stage.enable(self.space, self.syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis),))


class Endpoint(DeliveredPair):
    """EnMasse moves the messaging endpoint to another host."""

    name = "endpoint"

    async def act(self) -> Expectation:
        host = "messaging-b2.enmasse-infra.svc"
        await self.stage.patch("AddressSpace", self.space, {"status": space_status(host)})
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, host=host),))


class Certificate(DeliveredPair):
    """EnMasse renews the CA of an AddressSpace."""

    name = "ca-renewal"

    async def act(self) -> Expectation:
        certificate = self_signed().certificate
        status = {"caCert": base64.b64encode(certificate.encode()).decode()}
        await self.stage.patch("AddressSpace", self.space, {"status": status})
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, certificate=certificate),))


class Disable(DeliveredPair):
    """A user disables a pair."""

    name = "disable"

    async def act(self) -> Expectation:
        await self.stage.enable(self.space, self.syndesis, enabled=False)
        return Expectation(offered=(Offered(self.space, self.syndesis),))


class EnabledAgain(DeliveredPair):
    """A user disables a pair, and enables it again once it is taken down."""

    name = "enabled-again"

    async def act(self) -> Expectation:
        await self.stage.enable(self.space, self.syndesis, enabled=False)
        expected = Expectation(offered=(Offered(self.space, self.syndesis),))

        async def taken_down() -> bool:
            return not violations(await self.stage.snapshot(), expected, self.stage.foreign)

        await self.stage.eventually(f"{self.space} is taken down", taken_down)
        await self.stage.enable(self.space, self.syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, renewals=1),))


class Rotate(DeliveredPair):
    """A user requests another credential."""

    name = "rotate"

    async def act(self) -> Expectation:
        self.is_continuous = True
        await self.stage.rotate(self.space, self.syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, renewals=1),))

    def interrupted(self) -> str | None:
        """Two users at most, and one of them is the connection's."""
        stored = self.stage.stored()
        return next(iter((*crowded(stored), *shut_out(stored))), None) if self.is_continuous else None


class SyndesisAppears(Scenario):
    """A Syndesis is installed for an AddressSpace of another namespace, and a user enables what is offered."""

    name = "syndesis-appears"

    async def prepare(self) -> Expectation:
        shop, self.fuse = await self.stage.namespace("shop"), await self.stage.namespace("fuse")
        self.space = await self.stage.space(shop, allowed_namespaces=self.fuse)
        return Expectation()

    async def act(self) -> Expectation:
        syndesis = await self.syndesis_in(self.fuse)
        await self.stage.enable(self.space, syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, syndesis),))


class SyndesisLeaves(DeliveredPair):
    """A Syndesis is uninstalled whose pair is across namespaces."""

    name = "syndesis-leaves"
    across = True

    async def act(self) -> Expectation:
        await self.stage.delete("Syndesis", self.syndesis)
        return Expectation()


class SpaceDeleted(DeliveredPair):
    """An AddressSpace is deleted whose pair is across namespaces."""

    name = "space-deleted"
    across = True

    async def act(self) -> Expectation:
        await self.stage.delete("AddressSpace", self.space)
        return Expectation()


class BothDeleted(DeliveredPair):
    """AddressSpace and Syndesis of one namespace are deleted together."""

    name = "both-deleted"

    async def act(self) -> Expectation:
        await self.stage.delete("AddressSpace", self.space)
        await self.stage.delete("Syndesis", self.syndesis)
        return Expectation()


class NamespaceRecreated(DeliveredPair):
    """The namespace of a pair is deleted and created again, with the same objects in it."""

    name = "namespace-recreated"

    async def act(self) -> Expectation:
        await self.stage.delete_namespace(self.space.namespace)
        shop = await self.stage.namespace("shop")
        space, syndesis = await self.stage.space(shop), await self.syndesis_in(shop)
        await self.stage.enable(space, syndesis)
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, renewals=1),))


class Binding(Scenario):
    """A user writes an Integration for any workload of a namespace, and then EnMasse moves the messaging endpoint."""

    name = "binding"

    async def prepare(self) -> Expectation:
        shop, self.apps = await self.stage.namespace("shop"), await self.stage.namespace("apps")
        self.space = await self.stage.space(shop, allowed_namespaces=self.apps)
        return Expectation()

    async def act(self) -> Expectation:
        integration, host = Ref(self.apps, "checkout"), "messaging-b2.enmasse-infra.svc"
        spec = {"consumer": "binding", "enabled": True, "addressSpaceRef": self.space._asdict()}
        await self.stage.create("Integration", integration, spec=spec)
        await self.stage.is_ready(integration)
        await self.stage.patch("AddressSpace", self.space, {"status": space_status(host)})
        return Expectation(delivered=(self.as_delivered(self.space, integration, host=host, connection=""),))


class OwnSecret(DeliveredPair):
    """A user brings a Secret in place of the generated one, and changes its password later."""

    name = "own-secret"

    async def act(self) -> Expectation:
        secret = Ref(self.syndesis.namespace, "brought")
        labels = {"labels": {"integreatly.org/integration": "yes"}}
        data = {"login": encoded("alice"), "word": encoded("first-of-alice")}
        await self.stage.create("Secret", secret, metadata=labels, data=data)
        integration = await self.stage.integration(self.space, self.syndesis)
        reference = {"name": secret.name, "usernameKey": "login", "passwordKey": "word"}
        spec = {"credentialsSecretRef": reference, "rotation": {"overlap": "1s"}}
        await self.stage.patch("Integration", integration, {"spec": spec})
        await self.stage.is_ready(integration)
        await self.stage.patch("Secret", secret, {"data": {"word": encoded("second-of-alice")}})
        brought = Brought(secret.name, "alice", "second-of-alice")
        return Expectation(delivered=(self.as_delivered(self.space, self.syndesis, brought=brought),))


SCENARIOS: tuple[type[Scenario], ...] = (
    Create,
    Endpoint,
    Certificate,
    Disable,
    EnabledAgain,
    Rotate,
    SyndesisAppears,
    SyndesisLeaves,
    SpaceDeleted,
    BothDeleted,
    NamespaceRecreated,
    Binding,
    OwnSecret,
)
