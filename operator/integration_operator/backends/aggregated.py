"""MessagingUsers on EnMasse's aggregated API (0.22 to 0.30), by plain GET, POST, PUT and DELETE.

That API has no watch, no server-side apply, no uid and no labels; it never shows a password, and asks for one with
each change up to 0.24 (HttpUserService.java @0.24.0). A POST is not atomic: a user may be left behind without a
password, and the same POST then meets 409. So what is not confirmed is written whole, as often as it takes.

Nothing but name and namespace stands in the metadata: 0.22 to 0.24 answer 400 to any other key, later releases drop
it. Only a name tells whose a user is (domain/policies/ownership.py), so no other is ever created, changed or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from integration_operator.cache import Cache
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.remote_state import Document, Presence, RemoteState
from integration_operator.domain.policies.ownership import judge_aggregated_user
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import AlreadyExists, Failure, NotFound
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.resources import APIResource


class UserTaken(Failure):
    """Nothing tells whose a user of that name is."""

    stalls = True


class AggregatedBackend:
    """Users by plain requests."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Create the user, or write it anew if it is not confirmed to be as desired."""
        served = self._served()
        path = served.item(*action.ref)
        body = _body(action.document, served)
        _check(action.pair, action.credential.username)
        there = await self._get(path)
        if there is None:
            try:
                await self._cache.client.post(served.collection(action.ref.namespace), body)
            except AlreadyExists:  # left behind by a POST that failed halfway, or not shown among more than 100
                await self._cache.client.put(path, body)
        elif not action.confirmed or _differs(there, body):
            await self._cache.client.put(path, body)
        return RemoteState(
            "aggregated", Presence.PRESENT, action.credential.username, action.applied, action.credentials
        )

    async def delete(self, action: DeleteRemote) -> Event | None:
        """Delete the user. It is asked for first: 0.24 answers 500 to the deletion of one that is not there."""
        path = self._served().item(*action.ref)
        if await self._get(path) is None:
            return None
        if not judge_aggregated_user(action.pair, action.username or "").ours:
            left = (
                f"MessagingUser {action.ref} stays: nothing tells that it was made for this pair; delete it if it was"
            )
            return Event("Warning", "LeftBehind", left)
        with suppress(NotFound):
            await self._cache.client.delete(path)
        return None

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Do nothing: the API server is the cluster's, and has no breaker."""

    async def close(self) -> None:
        """The client is the cluster's."""

    async def _get(self, path: str) -> Document | None:
        try:
            return await self._cache.client.get(path)
        except NotFound:
            return None

    def _served(self) -> APIResource:
        served = self._cache.served("MessagingUser")
        if served is None:
            raise NotFound(404, "NotFound", "the cluster does not serve MessagingUser")
        return served


def _check(pair: Pair, username: str) -> None:
    """Refuse a user whose name does not tell that it is this pair's. Raises ``UserTaken``."""
    judged = judge_aggregated_user(pair, username)
    if not judged.ours:
        raise UserTaken("UsernameNotProvable", f"user {username!r} of {pair.space}: {judged.why}")


def _body(document: Document, served: APIResource) -> Document:
    """The document as every release takes it: ``view`` needs addresses there, although they mean nothing."""
    ref = Ref(document["metadata"]["namespace"], document["metadata"]["name"])
    rules = [
        {**rule, "addresses": rule.get("addresses") or ["*"]} if "view" in rule["operations"] else rule
        for rule in document["spec"].get("authorization") or ()
    ]
    return {
        "apiVersion": served.api_version,
        "kind": "MessagingUser",
        "metadata": ref._asdict(),
        "spec": {**document["spec"], "authorization": rules},
    }


def _differs(there: Document, body: Document) -> bool:
    """Check if what can be seen of a user was changed: its name and what it may do."""
    found, desired = there.get("spec"), body["spec"]
    if not isinstance(found, dict):
        return True
    return found.get("username") != desired["username"] or _rules(found) != _rules(desired)


def _rules(spec: Document) -> set[tuple[str, str]]:
    """Return what a spec allows, as (operation, address); the API groups and orders rules as it likes."""
    return {
        (str(operation), str(address))
        for rule in _sequence(spec.get("authorization"))
        if isinstance(rule, dict)
        for operation in _sequence(rule.get("operations"))
        for address in (_sequence(rule.get("addresses")) or ("",) if operation in ("send", "recv") else ("",))
    }


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
