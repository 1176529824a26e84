"""`kubectl apply` of an Integration prints what its user would have to change, and admits it all the same.

Each warning is the condition that the operator reports of the stored Integration, and says nothing else.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import pytest

from integration_operator.api import names
from integration_operator.runtime.ref import Ref
from tests.support.admission import Webhook, integration, webhook
from tests.support.documents import Document, secret_data, space_status
from tests.support.earlier_enmasse import drop_space, store_space
from tests.support.go_programs import BUILD_TIMEOUT
from tests.support.world import World

pytestmark = pytest.mark.timeout(BUILD_TIMEOUT + 180)

BINDING = {"client": None, "consumer": "binding"}
LABELLED = {"labels": {names.INTEGRATION_LABEL: "yes"}}
LOGIN = secret_data({"username": "taken", "password": "secret"})


class Row(NamedTuple):
    """An Integration for a space, in a namespace, and what its user is warned of."""

    reason: str
    namespace: str
    space: str
    spec: dict[str, Any]
    says: str


def own_secret(name: str) -> dict[str, Any]:
    return {"credentialsSecretRef": {"name": name}}


ROWS = [
    Row(
        "NamespaceNotAllowed",
        "fuse",
        "{shop}/closed",
        {},
        f"must add {{fuse}} to its annotation {names.ALLOWED_NAMESPACES}",
    ),
    Row(
        "NamespaceNotAccepted", "picky", "{shop}/shared", {}, f"must add {{shop}} to its annotation {names.ACCEPT_FROM}"
    ),
    Row("AddressSpaceNotFound", "shop", "nowhere", {}, "AddressSpace {shop}/nowhere does not exist"),
    Row("SyndesisNotFound", "empty", "orders", {}, "Syndesis {empty}/syndesis does not exist"),
    Row("ClientMissing", "empty", "orders", {"client": None}, "Set spec.client: namespace {empty} has 0 Syndesis"),
    Row("AddressSpaceMissing", "shop", "orders", {"addressSpaceRef": None}, "Set spec.addressSpaceRef"),
    Row(
        "SecretNotFound", "shop", "s-1", own_secret("absent"), "kubectl label secret absent -n {shop} integreatly.org/"
    ),
    Row("SecretNotFound", "shop", "s-2", own_secret("unlabelled"), "Secret {shop}/unlabelled does not exist, or lacks"),
    Row("SecretMalformed", "shop", "s-3", own_secret("empty"), "must have the keys username and password"),
    Row("SecretNotReleased", "fuse", "{shop}/shared", own_secret("login"), "kubectl annotate secret login -n {fuse}"),
    Row("NameTaken", "shop", "s-4", own_secret("login"), "choose another in Secret login"),
    Row(
        "AuthorizationNotAllowed",
        "fuse",
        "{shop}/shared-too",
        {"authorization": [{"operations": ["manage"]}]},
        names.ALLOWED_OPERATIONS,
    ),
    Row("NoTLSPort", "shop", "plain", {"tls": "required"}, "TLS"),
    Row("KeycloakNotAllowed", "shop", "s-5", {"delivery": {"user": "keycloak"}}, "has no effect"),
    Row("NamespaceNotAllowed", "empty", "{shop}/shared", BINDING, "must add {empty} to its annotation"),
    Row("AddressSpaceNotFound", "shop", "nowhere", BINDING, "AddressSpace {shop}/nowhere does not exist"),
    Row("Duplicate", "shop", "twice", {}, "Integration {shop}/first is used for this pair"),
]


async def prepare(world: World) -> dict[str, str]:
    """Create what the rows are about; return the full names of the namespaces."""
    full = {name: await world.namespace(name) for name in ("shop", "fuse", "picky", "empty")}
    shop, fuse = full["shop"], full["fuse"]
    await world.syndesis(shop)
    await world.syndesis(fuse)
    await world.syndesis(full["picky"], annotations={names.ACCEPT_FROM: ""})
    for name in ("orders", "closed", "twice", *(f"s-{n}" for n in range(1, 6))):
        await world.space(shop, name)
    for name in ("shared", "shared-too"):
        await world.space(shop, name, allowed=f"{fuse},{full['picky']}")
    plain = space_status(ca=False)
    for endpoint in plain["endpointStatuses"]:
        endpoint["servicePorts"] = [{"name": "amqp", "port": 5672}]
    await world.space(shop, "plain", status=plain)
    await world.create("Secret", shop, "unlabelled", data=LOGIN)
    await world.create("Secret", shop, "empty", metadata=LABELLED)
    for namespace in (shop, fuse):
        await world.create("Secret", namespace, "login", metadata=LABELLED, data=LOGIN)
    login = {"authentication": {"type": "password", "password": LOGIN["password"]}, "authorization": []}
    await world.create("MessagingUser", shop, "s-4.taken", spec={"username": "taken", **login})
    return full


async def reports(world: World, ref: Ref, warning: str) -> None:
    """Wait until the operator reports of an Integration what its user was warned of."""

    async def reported() -> bool:
        found = await world.get("Integration", ref) or {}
        conditions = (found.get("status") or {}).get("conditions") or ()
        return any(f"{c['reason']}: {c['message']}" == warning and c["status"] != "True" for c in conditions)

    await world.eventually(f"{ref} reports {warning}", reported)


async def test_each_warning_is_what_the_operator_reports_afterwards(world: World, hook: Webhook) -> None:
    full = await prepare(world)
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(full["shop"])
        assert await hook.warnings(integration(full["shop"], "first", "twice")) == []
        warned: dict[Ref, str] = {}
        for number, row in enumerate(ROWS):
            applied = integration(full[row.namespace], f"row-{number}", row.space.format(**full), **row.spec)
            warnings = await hook.warnings(applied)
            assert len(warnings) == 1, (row, warnings)
            assert warnings[0].startswith(f"{row.reason}: "), (row, warnings)
            assert row.says.format(**full) in warnings[0], (row, warnings)
            warned[Ref(full[row.namespace], f"row-{number}")] = warnings[0]
        for ref, warning in warned.items():
            await reports(world, ref, warning)


async def test_a_good_one_is_not_warned_of(world: World, hook: Webhook) -> None:
    full = await prepare(world)
    shop, fuse = full["shop"], full["fuse"]
    good = {
        "enabled": integration(shop, "enabled", "orders"),
        "across namespaces": integration(fuse, "across", f"{shop}/shared"),
        "disabled": integration(shop, "disabled", "s-1", enabled=False, **own_secret("absent")),
        "suspended": integration(shop, "suspended", "s-2", suspend=True, **own_secret("absent")),
        "a binding where a Syndesis accepts nothing": integration(full["picky"], "bound", f"{shop}/shared", **BINDING),
        "with a Secret": integration(shop, "provided", "s-3", **own_secret("login")),
    }
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        warned = {what: await hook.warnings(document) for what, document in good.items()}
        assert not any(warned.values()), warned
        good["enabled"]["spec"]["tls"] = "auto"
        assert await hook.warnings(good["enabled"]) == [], "nor is its update"


async def test_an_update_is_warned_of(world: World, hook: Webhook) -> None:
    pair = await world.pair()
    shop = pair.space.namespace
    document = integration(shop, "mine", "orders", enabled=False, **own_secret("absent"))
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        assert await hook.warnings(document) == []
        document["spec"]["enabled"] = True
        (warning,) = await hook.warnings(document)
        assert warning.startswith("SecretNotFound: ")


async def test_what_is_applied_together_in_order_is_not_warned_of(world: World, hook: Webhook) -> None:
    """The AddressSpace may not be in the cache yet when the Integration after it is reviewed."""
    shop = await world.namespace("shop")
    await world.syndesis(shop)
    items: list[Document] = []
    for number in range(20):
        space = {"namespace": shop, "name": f"orders-{number}"}
        spec = {"type": "standard", "plan": "standard-small"}
        items.append({"apiVersion": "enmasse.io/v1beta1", "kind": "AddressSpace", "metadata": space, "spec": spec})
        items.append(integration(shop, f"mine-{number}", f"orders-{number}"))
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(shop)
        output = await hook.kubectl("apply", "-f", "-", stdin={"apiVersion": "v1", "kind": "List", "items": items})
    assert "Warning: " not in output, output
    assert output.count("created") == len(items), output


async def test_a_space_of_another_namespace_is_not_told_apart_from_none(world: World, hook: Webhook) -> None:
    full = await prepare(world)
    await hook.install()
    async with world.operator(**hook.settings):
        await hook.answered(full["shop"])

        async def warned(space: str) -> str:
            document = integration(full["fuse"], "mine", f"{full['shop']}/{space}")
            (warning,) = await hook.warnings(document, "--dry-run=server")
            return warning.replace(f"/{space} ", "/SPACE ")

        assert await warned("closed") == await warned("nowhere")


async def test_a_kind_that_the_cluster_does_not_serve(old: World, tmp_path: Path) -> None:
    fuse = await old.namespace("fuse")
    await old.syndesis(fuse)
    await store_space(old, Ref(fuse, "orders"))
    try:
        async with webhook(old, tmp_path) as hook:
            await hook.install()
            async with old.operator(**hook.settings):
                await hook.answered(fuse)
                (warning,) = await hook.warnings(integration(fuse, "mine", "orders", delivery={"user": "native"}))
        assert warning.startswith("MessagingUserNotServed: ")
    finally:
        await drop_space(old, Ref(fuse, "orders"))
