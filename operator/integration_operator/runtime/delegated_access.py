"""Who may read a path of this process: the API server decides.

It authenticates the token (TokenReview) and authorizes ``get`` on the path (SubjectAccessReview of a non-resource URL),
as it does for the kubelet and other servers of Kubernetes that delegate both.
Answers are kept for a short time, so that a scrape costs requests once a minute at most. If the API server gives no
answer, access is refused.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Callable
from enum import Enum
from typing import Any, Protocol

import structlog

from integration_operator.runtime.errors import ApiError
from integration_operator.runtime.token_bucket import TokenBucket

Document = dict[str, Any]

log = structlog.get_logger(__name__)

TOKEN_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"  # noqa: S105  a path
ACCESS_REVIEWS = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

ALLOWED_SECONDS, REFUSED_SECONDS = 60.0, 10.0
"""For how long an answer is kept: a withdrawn permission ends within a minute, a new one works after seconds."""

MAX_ANSWERS = 1000
"""Answers of each kind that are kept. The least recently asked for is forgotten."""

REVIEWS, BURST = 5.0, 20
"""Reviews of tokens that were never allowed, a second and at once: guessing costs the API server no more."""

REVIEW_SECONDS = 5.0
"""Seconds for both reviews. Prometheus waits 10 s for a scrape by default."""


class Decision(Enum):
    """The answer to a request."""

    ALLOWED = "allowed"
    UNAUTHENTICATED = "unauthenticated"
    FORBIDDEN = "forbidden"
    UNAVAILABLE = "unavailable"


class API(Protocol):
    """What reviews need of a client."""

    async def post(self, path: str, body: Document) -> Document:
        """POST a document."""


class Access:
    """Reviews requests. No token is kept, only its digest."""

    def __init__(self, client: API, clock: Callable[[], float]) -> None:
        self._client = client
        self._clock = clock
        self._allowed: dict[tuple[bytes, str], float] = {}
        """Until when an answer counts. One that has run out shows that the token was allowed before."""
        self._refused: dict[tuple[bytes, str], tuple[float, Decision]] = {}
        self._unknown_tokens = TokenBucket(REVIEWS, BURST, clock())
        self._is_failing = False

    async def review(self, authorization: str, path: str) -> Decision:
        """Return if a request with this header ``Authorization`` may read a path."""
        token = token_of(authorization)
        if not token:
            return Decision.UNAUTHENTICATED
        key, now = (hashlib.sha256(token.encode(errors="surrogateescape")).digest(), path), self._clock()
        until = self._allowed.get(key)
        if until is not None and now < until:
            return Decision.ALLOWED
        refused_until, decision = self._refused.get(key, (now, Decision.UNAVAILABLE))
        if now < refused_until:
            return decision
        if until is None and self._unknown_tokens.take(now):
            return Decision.UNAVAILABLE
        decision = await self._ask(token, path)
        self._keep(key, decision)
        return decision

    def _keep(self, key: tuple[bytes, str], decision: Decision) -> None:
        now = self._clock()
        if decision is Decision.UNAVAILABLE:
            return
        self._allowed.pop(key, None)
        self._refused.pop(key, None)
        if decision is Decision.ALLOWED:
            self._allowed[key] = now + ALLOWED_SECONDS
            _bound(self._allowed)
        else:
            self._refused[key] = now + REFUSED_SECONDS, decision
            _bound(self._refused)

    async def _ask(self, token: str, path: str) -> Decision:
        try:
            async with asyncio.timeout(REVIEW_SECONDS):
                review = await self._client.post(TOKEN_REVIEWS, _token_review(token))
                status = review.get("status") or {}
                if status.get("authenticated") is not True:
                    decision = Decision.UNAUTHENTICATED
                else:
                    review = await self._client.post(ACCESS_REVIEWS, _access_review(status.get("user") or {}, path))
                    allowed = (review.get("status") or {}).get("allowed") is True
                    decision = Decision.ALLOWED if allowed else Decision.FORBIDDEN
        except (ApiError, TimeoutError) as error:
            if not self._is_failing:
                log.warning("access not reviewed", error=str(error) or "no answer in time")
            self._is_failing = True
            return Decision.UNAVAILABLE
        self._is_failing = False
        return decision


def token_of(authorization: str) -> str:
    """Return the token in a header ``Authorization``, empty if there is none.

    It is a bearer token, or the password of ``Basic``, with any user name: browsers can send nothing else.
    """
    scheme, _, value = authorization.strip().partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() == "basic":
        try:
            return base64.b64decode(value.strip(), validate=True).decode("ascii").partition(":")[2].strip()
        except (binascii.Error, UnicodeDecodeError):
            return ""
    return ""


def _token_review(token: str) -> Document:
    return {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}


def _access_review(user: Document, path: str) -> Document:
    spec = {"user": user.get("username", ""), "nonResourceAttributes": {"path": path, "verb": "get"}}
    spec |= {key: user[key] for key in ("uid", "groups", "extra") if user.get(key)}
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}


def _bound(answers: dict[Any, Any]) -> None:
    """Forget the oldest answer if there are too many."""
    if len(answers) > MAX_ANSWERS:
        del answers[next(iter(answers))]
