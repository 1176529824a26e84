"""MessagingUsers on EnMasse's aggregated API (0.22 to 0.30), by plain GET, POST, PUT and DELETE.

That API has no watch, no server-side apply, no uid and no labels. It never returns a password, and up to 0.24 requires
one with each change (HttpUserService.java @0.24.0). A POST is not atomic: it may create a user without a password, and
the same POST then returns 409. So a user that is not confirmed is written in full, until it is.

The metadata has only name and namespace: 0.22 to 0.24 return 400 for any other key, later releases drop it. Only the
user name shows who owns a user (domain/policies/ownership.py), so no other user is ever created, changed or deleted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from integration_operator.cache import Cache
from integration_operator.domain.model.actions import DeleteRemote, EnsureRemote
from integration_operator.domain.model.remote_state import Document, Presence, RemoteState
from integration_operator.domain.policies.ownership import judge_aggregated_user
from integration_operator.runtime.conditions import Event
from integration_operator.runtime.errors import AlreadyExists, Failure, NotFound
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.resources import APIResource


class UserTaken(Failure):
    """The user name does not show which pair owns the user."""

    stalls = True


class AggregatedBackend:
    """Creates and deletes users on the aggregated API."""

    def __init__(self, cache: Cache) -> None:
        self._cache = cache

    async def ensure(self, action: EnsureRemote) -> RemoteState:
        """Create the user, or replace it if it is not confirmed."""
        served = self._served()
        path = served.item(*action.ref)
        body = _body(action.document, served)
        _check(action)
        user = await self._get(path)
        if user is None:
            try:
                await self._cache.client.post(served.collection(action.ref.namespace), body)
            except AlreadyExists:  # of a POST that failed halfway, or not listed among more than 100
                await self._cache.client.put(path, body)
        elif not action.confirmed or _differs(user, body):
            await self._cache.client.put(path, body)
        return RemoteState(
            "aggregated", Presence.PRESENT, action.credential.username, action.applied, action.credentials
        )

    async def delete(self, action: DeleteRemote) -> Event | None:
        """Delete the user if it exists: 0.24 returns 500 for the deletion of a user that does not exist."""
        path = self._served().item(*action.ref)
        if await self._get(path) is None:
            return None
        if not judge_aggregated_user(action.pair, action.username or "", inherited=action.inherited).ours:
            message = (
                f"MessagingUser {action.ref} is retained: its name does not show that it was created for this pair; "
                "delete it if it was"
            )
            return Event("Warning", "LeftBehind", message)
        with suppress(NotFound):
            await self._cache.client.delete(path)
        return None

    def on_recovery(self, callback: Callable[[str | None], None]) -> None:
        """Do nothing: the API server has no circuit breaker."""

    def open_circuits(self) -> int:
        """Return 0: the API server has no circuit breaker."""
        return 0

    async def close(self) -> None:
        """Do nothing: the cache closes the client."""

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


def _check(action: EnsureRemote) -> None:
    """Refuse a user name that does not show that this pair owns it. Raises ``UserTaken``."""
    ownership = judge_aggregated_user(action.pair, action.username, inherited=action.inherited)
    if not ownership.ours:
        raise UserTaken("UsernameNotProvable", f"user {action.username!r} of {action.pair.space}: {ownership.why}")


def _body(document: Document, served: APIResource) -> Document:
    """Return the document in the form that every release accepts: ``view`` needs addresses, which have no effect."""
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


def _differs(user: Document, body: Document) -> bool:
    """Return True if the name or the permissions of a user differ; the password cannot be read."""
    live, desired = user.get("spec"), body["spec"]
    if not isinstance(live, dict):
        return True
    return live.get("username") != desired["username"] or _rules(live) != _rules(desired)


def _rules(spec: Document) -> set[tuple[str, str]]:
    """Return the permissions of a spec as (operation, address); the API may regroup and reorder rules."""
    return {
        (str(operation), str(address))
        for rule in _sequence(spec.get("authorization"))
        if isinstance(rule, dict)
        for operation in _sequence(rule.get("operations"))
        for address in (_sequence(rule.get("addresses")) or ("",) if operation in ("send", "recv") else ("",))
    }


def _sequence(value: object) -> Sequence[Any]:
    return value if isinstance(value, (list, tuple)) else ()
