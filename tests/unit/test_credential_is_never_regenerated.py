"""As long as one copy of the credential is left, that is the credential."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from integration_operator.api import names
from integration_operator.domain.model.credential import (
    Credential,
    credential_of_secret,
    decode,
    encode,
    surviving_credential,
)
from integration_operator.runtime.live_object import LiveObject


def owned(fields: dict[str, Any] | None, *, ours: bool = True, **document: Any) -> LiveObject:
    labels = {"app.kubernetes.io/managed-by": "integration-operator"} if ours else {}
    managed = [{"manager": "integration-operator", "operation": "Apply", "fieldsV1": fields}] if fields else []
    metadata = {"name": "x", "namespace": "y", "uid": "z", "labels": labels, "managedFields": managed}
    return LiveObject.of({"metadata": metadata, **document}, names.FIELD_MANAGER)


def secret(password: str | None, *, edited: bool = False, ours: bool = True) -> LiveObject:
    fields = {"f:data": {"f:username": {}, **({} if edited else {"f:password": {}})}}
    data = {"username": encode("u"), **({"password": encode(password)} if password else {})}
    return owned(fields if ours else None, ours=ours, data=data)


def user(password: str | None, *, edited: bool = False) -> LiveObject:
    fields = {"f:spec": {"f:authentication": {} if edited else {"f:password": {}}}}
    authentication = {"type": "password", **({"password": encode(password)} if password else {})}
    return owned(fields, spec={"username": "u", "authentication": authentication})


def deleting(live: LiveObject) -> LiveObject:
    metadata = {**live.document["metadata"], "deletionTimestamp": "2024-01-01T00:00:00Z"}
    return replace(live, document={**live.document, "metadata": metadata})


CASES = [
    ("nothing is left", None, None, None),
    ("both agree", secret("p"), user("p"), "p"),
    ("the Secret is gone", None, user("p"), "p"),
    ("the user is gone", secret("p"), None, "p"),
    ("the Secret was edited", secret("guess", edited=True), user("p"), "p"),
    ("the user was edited", secret("p"), user("guess", edited=True), "p"),
    ("both were edited", secret("s", edited=True), user("u", edited=True), "s"),
    ("two unchanged copies differ", secret("s"), user("u"), "s"),
    ("the Secret lost its password", secret(None, edited=True), user("p"), "p"),
    ("only an edited Secret", secret("guess", edited=True), None, "guess"),
    ("a Secret that a backup tool put back", secret("p", ours=False), None, "p"),
    ("a Secret that is being deleted", deleting(secret("old")), None, None),
    ("Secret and user are being deleted", deleting(secret("old")), deleting(user("old")), None),
    ("only the user is being deleted", secret("p"), deleting(user("p")), "p"),
]


@pytest.mark.parametrize(("secret", "user", "password"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_which_copy_is_true(secret: LiveObject | None, user: LiveObject | None, password: str | None) -> None:
    found = surviving_credential(secret, user, "name")
    assert (found and found.password) == password
    assert found is None or found.username == "name"


def test_base64_is_exact() -> None:
    password = "x" * 300
    assert encode(password) == base64.b64encode(password.encode()).decode()
    assert "\n" not in encode(password)
    assert decode(encode("pässword")) == "pässword"


@pytest.mark.parametrize("text", ["not base64!", "YW*xpY2U=", "YWxpY2U=\n", "YQ", "", None, 3, "/w=="])
def test_what_is_no_credential(text: Any) -> None:
    assert decode(text) is None
    assert credential_of_secret(owned(None, data={"username": encode("u"), "password": text})) is None


def test_it_shows_no_password() -> None:
    assert "hidden" not in repr(Credential("u", "hidden"))
    assert "hidden" not in json.dumps(str(Credential("u", "hidden")))
