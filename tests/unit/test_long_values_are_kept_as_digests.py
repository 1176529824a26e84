"""Of a long value in a Secret, such as certificates, a digest is kept, and a change of it is noticed all the same."""

from __future__ import annotations

import pickle
from copy import deepcopy
from typing import Any

from integration_operator import pruning
from integration_operator.api import names
from integration_operator.domain.model.credential import encode
from integration_operator.runtime.live_object import Digest, LiveObject, differences
from integration_operator.runtime.managed_fields import managed_fields

CHAIN = encode("-----BEGIN CERTIFICATE-----\n" * 2000)


def secret(**data: str) -> dict[str, Any]:
    metadata = {"name": "s", "namespace": "n"}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": {"username": encode("app"), **data}}


def live(document: dict[str, Any], *, applied: bool = True) -> LiveObject:
    """Return a Secret as the cache keeps it."""
    document = deepcopy(document)
    if applied:
        document["metadata"]["managedFields"] = managed_fields(document, names.FIELD_MANAGER)
    return LiveObject.of(pruning.secret(document), names.FIELD_MANAGER)


def test_the_same_value_is_no_difference() -> None:
    desired = secret(certificates=CHAIN)
    kept = live(desired)
    assert isinstance(kept.document["data"]["certificates"], Digest)
    assert len(pickle.dumps(kept.document)) < 1000
    assert differences(kept, desired) == []
    assert differences(kept, secret(certificates=kept.document["data"]["certificates"])) == []


def test_another_value_is_a_difference() -> None:
    changed = encode("-----BEGIN CERTIFICATE-----\n" * 2000 + "x")
    assert differences(live(secret(certificates=changed)), secret(certificates=CHAIN)) == ["data.certificates"]
    assert differences(live(secret(certificates=CHAIN)), secret()) == ["data.certificates (no longer desired)"]


def test_a_text_that_looks_like_a_digest_stands_for_nothing() -> None:
    forged = secret(certificates=str(Digest.of(CHAIN)))
    assert differences(live(forged), secret(certificates=CHAIN)) == ["data.certificates"]


def test_short_values_are_kept_and_long_ones_of_others_are_not() -> None:
    kept = live(secret(host=encode("broker.svc"), certificates=CHAIN), applied=False)
    assert kept.document["data"] == {"username": encode("app"), "host": encode("broker.svc")}
