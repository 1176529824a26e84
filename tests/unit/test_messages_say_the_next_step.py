"""What users read says what is wrong, on which object, and what to do next, as a command if there is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from integration_operator.api import names
from integration_operator.cli import app
from integration_operator.domain.model.conditions import summarize
from integration_operator.domain.model.credential import encode
from integration_operator.domain.model.facts import Facts
from integration_operator.domain.model.patterns import NamespacePatterns
from integration_operator.domain.plan.plan import plan_duplicate, plan_pair
from integration_operator.domain.policies.readiness import can_connect, can_serve, transport
from integration_operator.platforms.address_space import address_space
from integration_operator.platforms.syndesis import syndesis as instance
from integration_operator.rendering.templates import TemplateFiles
from tests.support.builders import integration, space, syndesis
from tests.support.changed_facts import changed_facts
from tests.support.documents import Document
from tests.support.dry_runs import dry_run

TEMPLATES = TemplateFiles()
RULES = ("same-namespace", "allowed-namespaces")
ALLOW = {names.ALLOWED_NAMESPACES: "*"}


def secret(username: str = "boss", **metadata: Any) -> Document:
    labels = {names.INTEGRATION_LABEL: "yes"}
    data = {"username": encode(username), "password": encode("of the user")}
    released = {names.ADDRESS_SPACE_ANNOTATION: "shop/orders"}
    metadata = {"namespace": "fuse", "name": "byo", "labels": labels, "annotations": released, **metadata}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data}


def user(name: str) -> Document:
    metadata = {"namespace": "shop", "name": f"orders.{name}", "uid": "of somebody"}
    return {
        "apiVersion": "user.enmasse.io/v1beta1",
        "kind": "MessagingUser",
        "metadata": metadata,
        "spec": {"username": name, "authentication": {"type": "password", "password": encode("theirs")}},
    }


def facts_of(*documents: Document) -> Facts:
    snapshot = dry_run(documents, RULES)
    (key,) = {snapshot.gatherer.key_of(i) for i in snapshot.cache.integrations}
    return snapshot.facts(key)  # type: ignore[arg-type]


def ready(facts: Facts) -> str:
    summary = summarize(plan_pair(facts, TEMPLATES).conditions or ())[0]
    return f"{summary.reason}: {summary.message}"


def mine(**spec: Any) -> Document:
    return integration("fuse", enabled=True, **spec)


BYO = {"credentialsSecretRef": {"name": "byo"}}
SHARED = space(annotations=ALLOW)

SAID: dict[str, tuple[tuple[Document, ...], str]] = {
    "not enabled": (
        (SHARED, syndesis("fuse"), integration("fuse")),
        'NotEnabled: Enable it: kubectl patch integration mine -n fuse --type=merge -p \'{"spec":{"enabled":true}}\'',
    ),
    "no consent of the giver": (
        (space(annotations={names.ALLOWED_NAMESPACES: "team-*"}), syndesis("fuse"), mine()),
        "NamespaceNotAllowed: AddressSpace shop/orders does not exist, or does not allow namespace fuse; its owner "
        "must add fuse to its annotation integreatly.org/allowed-namespaces, beside what is in it",
    ),
    "no consent of the receiver": (
        (SHARED, syndesis("fuse", annotations={names.ACCEPT_FROM: "team-*"}), mine()),
        "NamespaceNotAccepted: Syndesis fuse/syndesis does not accept offers from namespace shop; its owner must add "
        "shop to its annotation integreatly.org/accept-from (now 'team-*')",
    ),
    "a Secret that is not read": (
        (SHARED, syndesis("fuse"), mine(**BYO)),
        "SecretNotFound: Secret fuse/byo does not exist, or lacks the label integreatly.org/integration, without which "
        "it is not read; create it, or label it: kubectl label secret byo -n fuse integreatly.org/integration=yes",
    ),
    "a Secret that is not released": (
        (SHARED, syndesis("fuse"), secret(annotations={}), mine(**BYO)),
        "SecretNotReleased: Secret fuse/byo is not released for an AddressSpace of another namespace, where others may "
        "read its password; release it: kubectl annotate secret byo -n fuse integreatly.org/address-space=shop/orders",
    ),
    "a Secret of another form": (
        (SHARED, syndesis("fuse"), secret(username=""), mine(**BYO)),
        "SecretMalformed: Secret fuse/byo must have the keys username and password, each UTF-8 text of 1 to 1024 bytes",
    ),
    "a user name that nobody takes": (
        (SHARED, syndesis("fuse"), secret("B"), mine(**BYO)),
        "UsernameInvalid: Secret fuse/byo: the user name must have 3 to 63 characters of a-z, 0-9 and '-', and begin "
        "and end with a letter or a digit",
    ),
    "a user name that is taken": (
        (SHARED, syndesis("fuse"), secret(), user("boss"), mine(**BYO)),
        "NameTaken: User name 'boss' is taken in AddressSpace shop/orders; choose another in Secret byo",
    ),
    "operations that the giver does not allow": (
        (SHARED, syndesis("fuse"), mine(authorization=[{"operations": ["view"]}])),
        "AuthorizationNotAllowed: spec.authorization asks for view, and AddressSpace shop/orders allows other "
        "namespaces only recv,send; ask for less, or its owner must set its annotation "
        "integreatly.org/allowed-operations to recv,send,view",
    ),
    "a Syndesis that does not exist": (
        (SHARED, syndesis("fuse", "another"), mine()),
        "SyndesisNotFound: Syndesis fuse/syndesis does not exist",
    ),
}


@pytest.mark.parametrize(("documents", "said"), SAID.values(), ids=SAID.keys())
def test_of_a_pair(documents: tuple[Document, ...], said: str) -> None:
    assert ready(facts_of(*documents)) == said


def test_of_a_duplicate() -> None:
    facts = facts_of(SHARED, syndesis("fuse"), mine())
    assert facts.integration is not None
    (said,) = plan_duplicate(facts.integration).conditions or ()
    assert said.message == (
        "Integration fuse/mine is used for this pair; delete it (kubectl delete integration mine -n fuse) and this one "
        "takes its place"
    )


@pytest.mark.parametrize("reason", ["MassDeletionHeld", "AddressSpaceMoved"])
def test_a_deletion_is_confirmed_by_a_command(reason: str) -> None:
    facts = facts_of(SHARED, syndesis("fuse"), mine())
    assert facts.integration is not None
    if reason == "MassDeletionHeld":
        said = ready(changed_facts(facts, mass_deletion=True, space=None))
    else:
        live = replace(facts.integration.live)
        live.document["status"] = {"delivered": {"source": "configmap"}}
        said = ready(replace(facts, space=None, integration=replace(facts.integration, live=live)))
    assert said.startswith(f"{reason}: AddressSpace shop/orders")
    assert said.endswith(": kubectl annotate integration mine -n fuse integreatly.org/confirm-deletion=true")


def test_of_an_address_space() -> None:
    odd = address_space(space(ports=({"name": "mqtt", "port": 1883}, {"name": "amqp-wss", "port": 443})))
    assert getattr(transport(odd, "auto"), "message", "") == (
        "AddressSpace shop/orders has no port that can be used (there: amqp-wss 443, mqtt 1883)"
    )
    late = address_space(space(ready=False))
    assert can_serve(late, None).message == "AddressSpace shop/orders is not ready (no status.isReady: true)"
    assert can_serve(replace(late, messages=("broker is down",)), None).message.endswith("not ready: broker is down")
    assert "choose one of type standard" in can_serve(late, "none").message
    assert "a-z, 0-9 and '-'" in can_serve(address_space(space(name="a.b")), None).message


def test_of_a_syndesis() -> None:
    assert can_connect(instance(syndesis(phase="Starting"))).message == (
        "Syndesis shop/syndesis has status.phase 'Starting', not 'Installed'"
    )


@pytest.mark.parametrize(
    ("there", "value"), [(None, "=fuse"), ("team-*", "='team-*,fuse'"), ("b,a,team-*", "='a,b,team-*,fuse'")]
)
def test_explain_keeps_what_is_in_the_annotation(tmp_path: Path, there: str | None, value: str) -> None:
    """Whoever explains reads the AddressSpace, and may know; a condition must not tell."""
    file = tmp_path / "file.yaml"
    annotations = {} if there is None else {names.ALLOWED_NAMESPACES: there}
    file.write_text(yaml.safe_dump_all([space(annotations=annotations), syndesis("fuse")]))
    result = CliRunner().invoke(app, ["explain", "-f", str(file)])
    command = f"kubectl annotate addressspace orders -n shop --overwrite {names.ALLOWED_NAMESPACES}{value}\n"
    assert command in result.output
    patterns = NamespacePatterns.parse(command.split("=")[-1].strip().strip("'"))
    assert patterns.match("fuse")
    assert there is None or patterns.match("team-a")


def test_explain_does_not_drop_what_it_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    annotations = {names.ALLOWED_NAMESPACES: "team-*,[abc]"}
    file.write_text(yaml.safe_dump_all([space(annotations=annotations), syndesis("fuse")]))
    result = CliRunner().invoke(app, ["explain", "-f", str(file)])
    assert "kubectl annotate" not in result.output
    assert "beside what is in it" in result.output


def test_render_says_why_an_integration_stands_for_no_pair(tmp_path: Path) -> None:
    file = tmp_path / "file.yaml"
    nameless = integration("fuse")
    del nameless["spec"]["addressSpaceRef"]
    file.write_text(yaml.safe_dump_all([syndesis("fuse"), nameless]))
    result = CliRunner().invoke(app, ["render", "-f", str(file)])
    assert result.exit_code == 3
    assert (
        "Integration fuse/mine has no pair: AddressSpaceMissing: Set spec.addressSpaceRef to the AddressSpace's "
        "namespace and name"
    ) in result.output
