"""The review of a request: from an AdmissionReview to its response (admission.k8s.io/v1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Literal

from pydantic import BaseModel, Field, ValidationError

from integration_operator import pruning
from integration_operator.controllers.integration import document_shape
from integration_operator.domain.model.integration import Integration
from integration_operator.domain.policies.integrations import parse_integration
from integration_operator.runtime.conditions import Condition
from integration_operator.runtime.text import sanitized

Document = dict[str, Any]

MAX_WARNING, MAX_WARNINGS = 512, 7
"""Bytes and number. Above 4,096 characters in a response, API servers cut each warning to 256 (pkg/endpoints/filters/
warning.go, k8s.io/apiserver @v0.36.3). A command in a message needs more."""

SETTLING = 0.3
"""Seconds after which a warning must still be true: what was applied just before may not be in the cache yet."""


class _Object(BaseModel):
    api_version: Literal["integreatly.org/v1alpha1"] = Field(alias="apiVersion")
    kind: Literal["Integration"]


class _Request(BaseModel):
    uid: str = Field(max_length=128)
    object: _Object


class _Review(BaseModel):
    api_version: Literal["admission.k8s.io/v1"] = Field(alias="apiVersion")
    request: _Request


class NotAReview(ValueError):
    """The document is not an AdmissionReview of an Integration."""


class Reviewer:
    """Answers reviews; ``problems`` returns what the user of an Integration would have to act on."""

    def __init__(self, problems: Callable[[Integration], list[Condition]]) -> None:
        self._problems = problems

    async def __call__(self, review: object) -> Document:
        """Return the response to an AdmissionReview, which always allows. Raises ``NotAReview``."""
        uid, integration = _parsed(review)
        problems = self._problems(integration)
        if problems:
            await asyncio.sleep(SETTLING)
            problems = self._problems(integration)
        response: Document = {"uid": uid, "allowed": True}
        if problems:
            response["warnings"] = [_warning(condition) for condition in problems[:MAX_WARNINGS]]
        return {"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response}


def _parsed(review: object) -> tuple[str, Integration]:
    """Return the uid of a review and its Integration."""
    try:
        uid = _Review.model_validate(review).request.uid
        document = document_shape.checked(review["request"]["object"])  # type: ignore[index]
    except (ValidationError, document_shape.WrongShape):
        raise NotAReview from None
    return uid, parse_integration(pruning.integration(document))


def _warning(condition: Condition) -> str:
    return sanitized(f"{condition.reason}: {condition.message}", MAX_WARNING)
