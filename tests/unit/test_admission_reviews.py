"""A review is answered from the operator's own plan, with bounded and printable warnings, and never with a refusal."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import pytest

from integration_operator.admission import review
from integration_operator.admission.registration import MAX_AUTHORITIES, MIN_PATH, Webhook, missing
from integration_operator.admission.review import Reviewer
from integration_operator.controllers.integration.offline import cache_of_documents
from integration_operator.controllers.integration.preview import problems
from integration_operator.domain.model.facts import PlanSettings
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.domain.policies.pairing import DEFAULT_RULES
from integration_operator.rendering.templates import TemplateFiles
from integration_operator.runtime.conditions import Condition
from integration_operator_sandbox.localhost.certificates import self_signed
from tests.support import builders
from tests.support.documents import Document

PATH = "p" * MIN_PATH
SETTINGS = PlanSettings(rules=DEFAULT_RULES)
MANY = 1000


def reviewed(document: Document, **request: Any) -> Document:
    request = {"uid": "u-1", "object": document, **request}
    return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}


def reasons(documents: Iterable[Document], proposed: Document, **cluster: Any) -> list[str]:
    cache = cache_of_documents(documents, **cluster)
    return [c.reason for c in problems(cache, SETTINGS, TemplateFiles(), parse_integration(proposed))]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "SETTLING", 0.0)


async def test_texts_of_others_are_bounded_and_printable() -> None:
    foreign = "\x1b[31m\r\nWarning: all is well\u202e" + "x" * 3000
    found = [Condition("Paired", "False", f"Reason{number}", foreign) for number in range(20)]
    answer = await Reviewer(lambda integration: found)(reviewed(builders.integration()))
    warnings = answer["response"]["warnings"]
    assert sum(len(warning) for warning in warnings) <= 4096
    assert all(warning.isprintable() for warning in warnings)
    assert answer["response"]["allowed"] is True


async def test_what_is_true_no_more_is_not_said() -> None:
    answers = iter([[Condition("Paired", "False", "AddressSpaceNotFound", "it does not exist")], []])
    answer = await Reviewer(lambda integration: next(answers))(reviewed(builders.integration()))
    assert answer["response"] == {"uid": "u-1", "allowed": True}


def test_kinds_that_the_cluster_does_not_serve() -> None:
    pair = (builders.space(), builders.syndesis())
    delivery = {"user": "native", "connection": "native"}
    proposed = builders.integration(enabled=True, delivery=delivery)
    assert reasons(pair, proposed, served={"Connection": None}) == ["ConnectionNotServed"]
    assert reasons(pair, builders.integration(enabled=True, delivery=delivery)) == []


def test_nothing_is_said_before_the_cache_is_in_sync() -> None:
    cache = cache_of_documents([builders.syndesis()])
    proposed = parse_integration(builders.integration(enabled=True))
    assert problems(cache, SETTINGS, TemplateFiles(), proposed) != []
    cache.reflectors["AddressSpace"].state = type(cache.reflectors["AddressSpace"].state).FAILING
    assert problems(cache, SETTINGS, TemplateFiles(), proposed) == []


def test_one_that_is_being_deleted_is_left_alone() -> None:
    proposed = builders.integration(enabled=True)
    proposed["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    assert reasons([builders.syndesis()], proposed) == []


def test_what_passes_by_itself_is_not_warned_of() -> None:
    pair = (builders.space(ready=False), builders.syndesis(phase="Installing"))
    assert reasons(pair, builders.integration(enabled=True)) == []


def test_a_review_among_many_pairs_takes_little() -> None:
    """Nothing is searched: a hundred times the pairs do not take a hundred times as long."""

    def seconds(count: int) -> float:
        documents = [builders.syndesis()]
        for number in range(count):
            documents.append(builders.space(name=f"space-{number}"))
            reference = {"namespace": "shop", "name": f"space-{number}"}
            documents.append(builders.integration(name=f"i-{number}", addressSpaceRef=reference, enabled=True))
        preview = partial(problems, cache_of_documents(documents), SETTINGS, TemplateFiles())
        reference = {"namespace": "shop", "name": "space-0"}
        proposed = parse_integration(
            builders.integration(name="i-0", addressSpaceRef=reference, enabled=True, suspend=False)
        )
        preview(proposed)
        began = time.process_time()
        for _ in range(50):
            assert preview(proposed) == []
        return (time.process_time() - began) / 50

    few, many = seconds(MANY // 100), seconds(MANY)
    assert many < 10 * few
    assert many < 0.02


def test_a_configuration_that_is_as_it_should_be_is_not_written() -> None:
    own = self_signed().certificate.strip()
    assert missing(Webhook("", PATH, (own,)), own) == {}
    assert missing(Webhook("", PATH, ()), "") == {}, "a given certificate is not the operator's to trust"


@pytest.mark.parametrize("path", ["", "short"])
def test_a_path_that_can_be_guessed_is_replaced(path: str) -> None:
    first, second = (missing(Webhook("", path, ()), "")["service"]["path"] for _ in range(2))
    assert first != second
    assert len(first.removeprefix("/")) >= MIN_PATH
    url = missing(Webhook(f"https://[::1]:9443/{path}", path, ()), "")["url"]
    assert url.startswith("https://[::1]:9443/")
    assert len(url.removeprefix("https://[::1]:9443/")) >= MIN_PATH


def test_the_newest_certificates_are_trusted() -> None:
    before = tuple(self_signed().certificate.strip() for _ in range(MAX_AUTHORITIES))
    own = self_signed().certificate.strip()
    bundle = base64.b64decode(missing(Webhook("", PATH, before), own)["caBundle"]).decode()
    assert bundle.count("BEGIN CERTIFICATE") == MAX_AUTHORITIES
    assert bundle.startswith(own)
    assert before[-1] not in bundle
