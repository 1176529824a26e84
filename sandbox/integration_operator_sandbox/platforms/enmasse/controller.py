"""A SIMULATION of EnMasse 0.33: there is no broker and no message is transferred, unless a real broker is given.

It changes AddressSpaces and MessagingUsers as EnMasse's controllers were observed to do, in the same order of states.
The logins that EnMasse's Keycloak would have are in ``logins``; if a real Keycloak or a broker is given, they are
there, too.
"""

from __future__ import annotations

import asyncio
import random
from typing import Any

import structlog

from integration_operator.runtime.client import Client
from integration_operator_sandbox.platforms.enmasse.objects import (
    Login,
    Messaging,
    address_space_of,
    login_of,
    password_of,
    ready_patch,
    realm_of,
    status_of,
)
from integration_operator_sandbox.platforms.informer import Document, Informer, Key, WorkQueue, key_of, run_controllers
from integration_operator_sandbox.platforms.keycloak.controller import KeptLogins

SPACES = "/apis/enmasse.io/v1beta1"
USERS = "/apis/user.enmasse.io/v1beta1"
SERVICES = "/apis/admin.enmasse.io/v1beta1/authenticationservices"

FINALIZER = "enmasse.io/standard-authservice"
NONE_SERVICES = ("none", "none-authservice")
"""Names that mean "no authentication" unless an AuthenticationService of that name exists."""

NO_REALM = "400 Bad Request: missingNormalization"
"""Answer of newer Keycloaks if the AddressSpace has no realm annotation."""

NO_ATTRIBUTES = "Unable to find user attribute resourceName"
"""Message of the controller about a user that it has just created, in a realm that drops attributes (observed)."""

LATE_MESSAGE = 1.5
REAL_DELETION = (0.1, 1.1)
"""Seconds from Terminating to deleted, with EnMasse 0.33.1 and a Keycloak that is not slow."""
QUICK_DELETION = (0.1, 0.1)

log = structlog.get_logger()


class SimulatedEnMasse:
    """The simulated controllers of AddressSpaces and MessagingUsers.

    A new AddressSpace is ready after ``ready_after`` seconds; its realm, with the logins in it, is kept for
    ``realm_kept`` seconds after its deletion, or until another AddressSpace of its name exists. An AddressSpace that
    already has a status is left alone. EnMasse reconciles one MessagingUser after another; ``workers`` does more at
    the same time. ``keycloak`` is a real one, whose realms the caller creates and deletes. ``messaging`` is a real
    broker that all AddressSpaces share.

    The deletion of a MessagingUser takes a random time between the two ``deletion`` seconds, determined by ``seed``;
    meanwhile its phase is Terminating, its finalizer is there, and its login works. In a realm of
    ``drops_attributes`` a user that is Active, with its generation applied, gets a message ``late_message`` seconds
    later: the controller reconciles again after its own write of the status, and does not find its attributes.
    """

    def __init__(
        self,
        client: Client,
        *,
        ready_after: float = 0.2,
        realm_kept: float = 0.3,
        workers: int = 1,
        deletion: tuple[float, float] = QUICK_DELETION,
        late_message: float = LATE_MESSAGE,
        seed: int = 0,
        keycloak: KeptLogins | None = None,
        messaging: Messaging | None = None,
    ) -> None:
        self.logins: dict[Login, str] = {}
        self._messaging = messaging
        self._client = client
        self._keycloak = keycloak
        self._ready_after = ready_after
        self._realm_kept = realm_kept
        self._workers = workers
        self._deletion = deletion
        self._late_message = late_message
        self._chance = random.Random(seed)  # noqa: S311  it only sets durations
        self.drops_attributes: set[str] = set()
        """Realms whose user profile drops the attributes by which EnMasse finds its users."""
        self._messaged: set[str] = set()
        """The uids of MessagingUsers that have the message."""
        self._space_queue, self._user_queue = WorkQueue(), WorkQueue()
        self._spaces = Informer(client, f"{SPACES}/addressspaces", self._space_changed)
        self._users = Informer(client, f"{USERS}/messagingusers", self._user_changed)
        self._services = Informer(client, SERVICES, lambda _: self._all_users())
        self._undecodable: set[Key] = set()
        self._due: dict[str, float] = {}
        self._realms: dict[Key, str] = {}
        """The uid of the AddressSpace that each realm was created for."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run the controllers until ``stop`` is set."""
        log.info("EnMasse is simulated: no message is transferred", platform="simulated EnMasse")
        await run_controllers(
            stop,
            (self._spaces, self._users, self._services),
            self._space_queue.work(self._reconcile_space),
            *(self._user_queue.work(self._reconcile_user) for _ in range(self._workers)),
        )

    def _space_changed(self, key: Key) -> None:
        if space := self._spaces.objects.get(key):
            self._ensure_realm(space)
        self._space_queue.add(key)
        for user in self._users.inside(key[0]):
            if address_space_of(user) == key:
                self._user_queue.add(user)

    def _user_changed(self, key: Key) -> None:
        """Queue a MessagingUser. EnMasse decodes all or none: one password that is not base64 stops it for all."""
        user = self._users.objects.get(key)
        stopped = bool(self._undecodable)
        if user is not None and password_of(user) is None:
            self._undecodable.add(key)
        else:
            self._undecodable.discard(key)
        if stopped and not self._undecodable:
            self._all_users()
        self._user_queue.add(key)

    def _all_users(self) -> None:
        for key in self._users.objects:
            self._user_queue.add(key)

    async def _reconcile_space(self, key: Key) -> None:
        """Make a new AddressSpace ready, and remove the realm of a deleted one."""
        space = self._spaces.objects.get(key)
        if space is None:
            asyncio.get_running_loop().call_later(self._realm_kept, self._remove_realm, key)
        elif not space.get("status") and "deletionTimestamp" not in space["metadata"]:
            uid, now = space["metadata"]["uid"], asyncio.get_running_loop().time()
            wait = self._due.setdefault(uid, now + self._ready_after) - now
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self._space_queue.add, key)
                return
            patch = ready_patch(space, self._messaging)
            self._spaces.put(await self._client.patch(f"{SPACES}/namespaces/{key[0]}/addressspaces/{key[1]}", patch))
            del self._due[uid]
            log.info("AddressSpace is ready", platform="simulated EnMasse", object="/".join(key))

    def _remove_realm(self, key: Key) -> None:
        if key not in self._spaces.objects:
            self._empty_realm(key)
            self._realms.pop(key, None)

    def _ensure_realm(self, space: Document) -> None:
        """Create the realm of an AddressSpace without the logins of an earlier AddressSpace of its name.

        EnMasse deletes a realm before it lets the AddressSpace go (finalizer ``enmasse.io/realms``).
        """
        key, uid = key_of(space), space["metadata"]["uid"]
        if self._realms.setdefault(key, uid) != uid:
            self._empty_realm(key)
            self._realms[key] = uid

    def _empty_realm(self, key: Key) -> None:
        for login in [login for login in self.logins if login[:2] == key]:
            del self.logins[login]
        self._logins_changed()

    def _logins_changed(self) -> None:
        if self._messaging is not None:
            self._messaging.keep(self.logins)

    async def _reconcile_user(self, key: Key) -> None:
        """Take one MessagingUser through all its states, as EnMasse's controller does."""
        user = self._users.objects.get(key)
        if user is None or self._undecodable:
            return
        if "deletionTimestamp" in user["metadata"]:
            await self._finalize(user)
            return
        finalizers = user["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            user = await self._write_finalizers(user, [*finalizers, FINALIZER])
        if not status_of(user).get("phase"):
            user = await self._write_status(user, phase="Pending")
        space = self._spaces.objects.get(address_space_of(key))
        applied, message = user["metadata"]["generation"], None
        if space is not None and self._authenticates(space):
            if status_of(user)["phase"] == "Pending":
                user = await self._write_status(user, phase="Configuring")
            applied = user["metadata"]["generation"]  # a later read may have a newer spec, which is not applied yet
            message = await self._keep_login(space, user)
            if message is None and status_of(user)["phase"] != "Active":
                user = await self._write_status(user, phase="Active")
            if message is None and realm_of(space) in self.drops_attributes:
                message = self._late_message_of(user)
        await self._write_status(user, generation=applied, message=message)

    def _late_message_of(self, user: Document) -> str | None:
        """Return the message about a user once ``late_message`` seconds have passed; None until then."""
        uid = user["metadata"]["uid"]
        if uid not in self._messaged:

            def publish() -> None:
                self._messaged.add(uid)
                self._user_queue.add(key_of(user))

            asyncio.get_running_loop().call_later(self._late_message, publish)
            return None
        return NO_ATTRIBUTES

    async def _keep_login(self, space: Document, user: Document) -> str | None:
        """Create or update the login with the user's password; return EnMasse's message if that fails."""
        if not (realm := realm_of(space)):
            return NO_REALM
        password = password_of(user) or ""
        if self._keycloak is not None and (message := await self._keycloak.keep(realm, user, password)):
            return message
        if self.logins.get(login_of(user)) != password:
            self.logins[login_of(user)] = password
            self._logins_changed()
        return None

    async def _finalize(self, user: Document) -> None:
        """Delete the login and remove the finalizer.

        If the AddressSpace is deleted, the login goes with its realm. If the AddressSpace has no authentication
        service, the MessagingUser waits for the deletion of its AddressSpace.
        """
        finalizers = user["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        if status_of(user).get("phase") != "Terminating":
            user = await self._write_status(user, phase="Terminating")
        uid, now = user["metadata"]["uid"], asyncio.get_running_loop().time()
        if (wait := self._due.setdefault(uid, now + self._chance.uniform(*self._deletion)) - now) > 0:
            asyncio.get_running_loop().call_later(wait, self._user_queue.add, key_of(user))
            return
        space = self._spaces.objects.get(address_space_of(key_of(user)))
        if space is not None and not self._authenticates(space):
            return
        if space is not None:
            self.logins.pop(login_of(user), None)
            self._logins_changed()
            if self._keycloak is not None and (realm := realm_of(space)):
                await self._keycloak.remove(realm, user["spec"]["username"])
        await self._write_finalizers(user, [name for name in finalizers if name != FINALIZER])
        del self._due[uid]
        self._messaged.discard(uid)

    def _authenticates(self, space: Document) -> bool:
        """Return True if the AddressSpace has an authentication service of type standard, which keeps users."""
        reference = (space.get("spec") or {}).get("authenticationService") or {}
        name = reference.get("name") or reference.get("type")
        for (_, service), document in self._services.objects.items():
            if service == name:
                return bool((document.get("spec") or {}).get("type") == "standard")
        return bool(name) and name not in NONE_SERVICES

    async def _write_finalizers(self, user: Document, finalizers: list[str]) -> Document:
        version = user["metadata"]["resourceVersion"]
        return await self._write_user(user, "", {"metadata": {"finalizers": finalizers, "resourceVersion": version}})

    async def _write_status(self, user: Document, **changes: Any) -> Document:
        if all(status_of(user).get(name) == value for name, value in changes.items()):
            return user
        return await self._write_user(user, "/status", {"status": changes})

    async def _write_user(self, user: Document, subresource: str, patch: Document) -> Document:
        namespace, name = key_of(user)
        path = f"{USERS}/namespaces/{namespace}/messagingusers/{name}{subresource}"
        written = await self._client.patch(path, patch)
        if written["metadata"].get("finalizers") or "deletionTimestamp" not in written["metadata"]:
            self._users.put(written)  # else this write removed the last finalizer
        return written
