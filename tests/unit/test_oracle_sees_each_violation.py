"""The oracle of the fault harness accepts a pair that is as it should be, and names each thing that is not."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace

import pytest

from integration_operator_sandbox.platforms.enmasse import CERTIFICATE
from tests.support.documents import Document, encoded
from tests.support.faults.evidence import recreated, renewed
from tests.support.faults.expectation import Delivered, Expectation, Offered, Ref
from tests.support.faults.oracle import crowded, shut_out, violations
from tests.support.faults.snapshot import Snapshot, StoredConnection
from tests.support.faults.sweep import leaks

SPACE, SYNDESIS = Ref("shop", "orders"), Ref("fuse", "syndesis")
WANTED = Delivered(SPACE, SYNDESIS, "messaging.svc", CERTIFICATE)
EXPECTED = Expectation(delivered=(WANTED,))
PASSWORD = "a-password-of-the-pair"


def thing(kind: str, namespace: str, name: str, **rest: object) -> Document:
    annotations = {"integreatly.org/address-space": str(SPACE), "integreatly.org/syndesis": str(SYNDESIS)}
    metadata = {"namespace": namespace, "name": name, "annotations": annotations, "generation": 1}
    return {"kind": kind, "metadata": metadata, **rest}


def delivered() -> Snapshot:
    """Return a pair that is delivered with resources."""
    reference = {"namespace": SPACE.namespace, "name": SPACE.name}
    ready = {"observedGeneration": 1, "conditions": [{"type": "Ready", "status": "True"}]}
    spec = {"addressSpaceRef": reference, "client": SYNDESIS.name, "enabled": True}
    login = {"username": encoded("app"), "password": encoded(PASSWORD)}
    user = {"username": "app", "authentication": {"type": "password", "password": encoded(PASSWORD)}}
    properties = {"connectionUri": "amqps://messaging.svc:5671", "brokerCertificate": CERTIFICATE}
    stored = StoredConnection("i-1", {**properties, "username": "app", "password": PASSWORD})
    return Snapshot(
        {
            "Integration": [thing("Integration", "fuse", "offer", spec=spec, status=ready)],
            "Secret": [thing("Secret", "fuse", "offer-credentials", data=login)],
            "MessagingUser": [thing("MessagingUser", "shop", "orders.app", spec=user)],
            "Connection": [thing("Connection", "fuse", "offer", spec={})],
            "AddressSpace": [thing("AddressSpace", *SPACE, spec={"plan": "small"})],
            "Syndesis": [],
        },
        logins={("shop", "orders", "app"): PASSWORD},
        reconciled={Ref("fuse", "offer"): stored},
    )


FOREIGN = {("AddressSpace", SPACE): delivered().objects["AddressSpace"][0]}


def double(kind: str) -> Callable[[Snapshot], None]:
    """Return what adds another object of a kind."""

    def change(snapshot: Snapshot) -> None:
        other = copy.deepcopy(snapshot.objects[kind][0])
        other["metadata"]["name"] += "-2"
        snapshot.objects[kind].append(other)

    return change


def change_stored(**properties: str) -> Callable[[Snapshot], None]:
    return lambda snapshot: snapshot.reconciled[Ref("fuse", "offer")].properties.update(properties)


def change_metadata(kind: str, **metadata: object) -> Callable[[Snapshot], None]:
    return lambda snapshot: snapshot.objects[kind][0]["metadata"].update(metadata)


CHECKOUT = Ref("fuse", "checkout")


def bound() -> Snapshot:
    """Return a binding that is delivered."""
    snapshot = delivered()
    snapshot.reconciled.clear()
    snapshot.objects["Connection"].clear()
    (integration,), (secret,) = snapshot.objects["Integration"], snapshot.objects["Secret"]
    integration["metadata"]["name"] = CHECKOUT.name
    reference = {"namespace": SPACE.namespace, "name": SPACE.name}
    integration["spec"] = {"addressSpaceRef": reference, "consumer": "binding"}
    integration["status"]["binding"] = {"name": "offer-credentials"}
    annotations = secret["metadata"]["annotations"]
    annotations["integreatly.org/binding"] = annotations.pop("integreatly.org/syndesis").replace("syndesis", "checkout")
    secret["data"]["host"] = encoded("messaging.svc")
    return snapshot


BROKEN: dict[str, tuple[Callable[[Snapshot], None], str]] = {
    "no user": (lambda s: s.objects["MessagingUser"].clear(), "MessagingUser shop/orders.app does not exist"),
    "no Secret": (lambda s: s.objects["Secret"].clear(), "0 Secrets"),
    "no connection": (lambda s: s.objects["Connection"].clear(), "0 Connections"),
    "two users": (double("MessagingUser"), "MessagingUser shop/orders.app-2 is left"),
    "two Secrets": (double("Secret"), "2 Secrets"),
    "two connections": (double("Connection"), "2 Connections"),
    "two Integrations": (double("Integration"), "2 Integrations"),
    "not stored": (lambda s: s.reconciled.clear(), "Syndesis has 0 connections"),
    "another password in Syndesis": (change_stored(password="other"), "credential of the connection"),
    "another host": (change_stored(connectionUri="amqps://other:5671"), "leads to amqps://other"),
    "no TLS": (change_stored(connectionUri="amqp://messaging.svc:5672"), "leads to amqp://"),
    "no certificate": (change_stored(brokerCertificate=""), "trusts another certificate"),
    "another password in EnMasse": (lambda s: s.logins.update({("shop", "orders", "app"): "x"}), "EnMasse's password"),
    "a login too much": (lambda s: s.logins.update({("shop", "orders", "old"): "x"}), "EnMasse knows the logins"),
    "a login of another space": (lambda s: s.logins.update({("shop", "gone", "a"): "x"}), "still accepts the login"),
    "a connection over REST too much": (lambda s: s.rest.append(StoredConnection("i-2", {})), "Syndesis has"),
    "a finalizer": (change_metadata("Integration", finalizers=["integreatly.org/rest-state"]), "has finalizers"),
    "stuck": (change_metadata("Secret", deletionTimestamp="now"), "is being deleted"),
    "an old status": (change_metadata("Integration", generation=2), "of an earlier generation"),
    "a changed AddressSpace": (change_metadata("AddressSpace", labels={"a": "b"}), "of another was changed"),
    "a deleted AddressSpace": (lambda s: s.objects["AddressSpace"].clear(), "of another was deleted"),
}


def test_a_pair_as_it_should_be_violates_nothing() -> None:
    assert violations(delivered(), EXPECTED, FOREIGN) == []


@pytest.mark.parametrize("name", BROKEN)
def test_each_violation_is_named(name: str) -> None:
    break_it, sentence = BROKEN[name]
    snapshot = copy.deepcopy(delivered())
    break_it(snapshot)
    found = violations(snapshot, EXPECTED, FOREIGN)
    assert any(sentence in problem for problem in found), found


def test_what_should_be_gone_is_left() -> None:
    snapshot = delivered()
    found = violations(snapshot, Expectation(), FOREIGN)
    kinds = ("Integration", "Secret", "MessagingUser", "Connection")
    assert all(any(problem.startswith(kind) for problem in found) for kind in kinds), found
    disabled = violations(snapshot, Expectation(offered=(Offered(SPACE, SYNDESIS),)), FOREIGN)
    assert any("has enabled True" in problem for problem in disabled), disabled


@pytest.mark.parametrize("shown", [PASSWORD, encoded(PASSWORD), encoded(f"{PASSWORD} and more")])
def test_a_leak_is_seen_in_plain_text_and_encoded(shown: str) -> None:
    assert list(leaks([("the log", f"before {shown} after")], {PASSWORD})) == ["the log has a password or token in it"]
    assert list(leaks([("the log", "nothing")], {PASSWORD})) == []


def test_a_third_user_of_an_address_space_is_named() -> None:
    snapshot = delivered()
    snapshot.logins["shop", "orders", "app-b"] = "of the next one"
    snapshot.keycloak["shop-orders"] = [{"username": "app"}, {"username": "app-b"}]
    assert list(crowded(snapshot)) == []
    snapshot.logins["shop", "orders", "app-c"] = "of a third one"
    assert list(crowded(snapshot)) == ["shop-orders has 3 users, expected at most 2"]


def test_a_connection_that_cannot_log_in_is_named() -> None:
    snapshot = delivered()
    assert list(shut_out(snapshot)) == []
    snapshot.logins["shop", "orders", "app"] = "another password"
    assert list(shut_out(snapshot)) == ["EnMasse refuses the credential of connection i-1"]


@pytest.mark.parametrize("changes", [0, 1, 2])
def test_a_credential_changes_as_often_as_it_was_asked_for(changes: int) -> None:
    seen = [f"password {number}" for number in range(changes + 1)]
    passwords = {"fuse/offer-credentials": seen, "fuse/offer-credentials (next)": seen[1:]}
    for renewals in range(3):
        expected = Expectation(delivered=(replace(WANTED, renewals=renewals),))
        assert bool(list(renewed(expected, passwords))) == (renewals != changes)


@pytest.mark.parametrize("times", [0, 1, 2])
def test_a_user_that_was_created_again_unasked_is_named(times: int) -> None:
    users = {"shop/orders.app": {f"uid {number}" for number in range(times + 1)}}
    for renewals in range(3):
        expected = Expectation(delivered=(replace(WANTED, renewals=renewals),))
        assert bool(list(recreated(expected, users))) == (times > renewals)


def test_a_credential_that_is_prepared_twice_is_named() -> None:
    passwords = {"fuse/offer-credentials": ["first", "third"], "fuse/offer-credentials (next)": ["second", "third"]}
    (problem,) = renewed(Expectation(delivered=(replace(WANTED, renewals=1),)), passwords)
    assert "prepared 2 credentials" in problem


BROKEN_BINDING: dict[str, tuple[Callable[[Snapshot], None], str]] = {
    "no Secret in the status": (lambda s: s.objects["Integration"][0]["status"].pop("binding"), "names Secret ''"),
    "another Secret in the status": (
        lambda s: s.objects["Integration"][0]["status"].update(binding={"name": "other"}),
        "names Secret 'other', which does not exist",
    ),
    "another host": (lambda s: s.objects["Secret"][0]["data"].update(host=encoded("other")), "has host 'other'"),
    "a connection": (
        lambda s: s.objects["Connection"].append(thing("Connection", "fuse", "offer", spec={})),
        "Connection fuse/offer is left",
    ),
    "two Secrets": (double("Secret"), "2 Secrets"),
    "no user": (lambda s: s.objects["MessagingUser"].clear(), "MessagingUser shop/orders.app does not exist"),
}


@pytest.mark.parametrize("name", ["", *BROKEN_BINDING])
def test_of_a_binding(name: str) -> None:
    snapshot = bound()
    expected = Expectation(delivered=(Delivered(SPACE, CHECKOUT, "messaging.svc", CERTIFICATE, connection=""),))
    change, sentence = BROKEN_BINDING.get(name, (lambda s: None, ""))
    change(snapshot)
    found = violations(snapshot, expected, FOREIGN)
    assert any(sentence in problem for problem in found) if name else found == []
