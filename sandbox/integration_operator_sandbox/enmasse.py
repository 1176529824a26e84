"""A SIMULATION of EnMasse 0.33, for tests and the demo: no broker, nobody can send a message.

It does to AddressSpaces and MessagingUsers what EnMasse's controllers were seen to do, in the same order of states, so
that what waits for EnMasse can be tried without it. What its Keycloak would know is in ``logins``; where it is given a
real one, there too.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import random
from typing import Any, NamedTuple

import structlog

from integration_operator.runtime.client import Client
from integration_operator_sandbox.following import Copy, Document, Key, Queue, key_of, run_until
from integration_operator_sandbox.keycloak.controller import KeptLogins

SPACES = "/apis/enmasse.io/v1beta1"
USERS = "/apis/user.enmasse.io/v1beta1"
SERVICES = "/apis/admin.enmasse.io/v1beta1/authenticationservices"

FINALIZER = "enmasse.io/standard-authservice"
REALM = "enmasse.io/realm-name"
INFRA_UUID = "enmasse.io/infra-uuid"
INFRA_NAMESPACE = "enmasse-infra"
NONE_SERVICES = ("none", "none-authservice")
"""Names that mean "no authentication" where no AuthenticationService of the name says otherwise."""

NO_REALM = "400 Bad Request: missingNormalization"
"""What newer Keycloaks answer when the AddressSpace has no realm annotation."""

NO_ATTRIBUTES = "Unable to find user attribute resourceName"
"""What the controller says of a user that it has just made, in a realm that drops attributes (observed)."""

LATE_MESSAGE = 1.5
REAL_DELETION = (0.1, 1.1)
"""Seconds from Terminating to gone, with EnMasse 0.33.1 and a Keycloak that is not slow."""
QUICK_DELETION = (0.1, 0.1)

CERTIFICATE = """\
-----BEGIN CERTIFICATE-----
MIIBDDCBv6ADAgECAgEBMAUGAytlcDAvMS0wKwYDVQQDDCRzaW11bGF0ZWQgRW5N
YXNzZSwgY2VydGlmaWVzIG5vdGhpbmcwIBcNMjAwMTAxMDAwMDAwWhgPMjEyMDAx
MDEwMDAwMDBaMC8xLTArBgNVBAMMJHNpbXVsYXRlZCBFbk1hc3NlLCBjZXJ0aWZp
ZXMgbm90aGluZzAqMAUGAytlcAMhAGtCoTtnMsZkbzYKFAacGh2Zq8TQvij0Ai2J
QqUOt6U2MAUGAytlcANBAGuDiUyb8Q7RbCkX+LNT6ibyGHRCJ/x+doANGM1nF9LQ
YyQ9+JMqsoK40xb2r2HS0dDVkkYM3F/7CREr+Pt0/w0=
-----END CERTIFICATE-----
"""
"""A real one, whose key nobody has."""

log = structlog.get_logger()


class Login(NamedTuple):
    """Who may log in, and where."""

    namespace: str
    space: str
    username: str


class SimulatedEnMasse:
    """What EnMasse does with AddressSpaces and MessagingUsers, simulated.

    ``ready_after`` is how long a new AddressSpace takes, in seconds, ``realm_kept`` how long its realm, with the logins
    in it, outlives it. EnMasse looks at one MessagingUser after another; ``workers`` looks at more at once. An
    AddressSpace that somebody else gave a status is left alone. ``keycloak`` is a real one, whose realms somebody else
    makes and removes. The deletion of a MessagingUser takes ``deletion`` seconds, from and to, by chance out of
    ``seed``; meanwhile it shows Terminating and its finalizer, and its login works. In a realm of
    ``drops_attributes`` a user that is Active, and whose generation is applied, gets a message ``late_message``
    seconds later: the controller looks again after its own write of the status, and does not find its attributes.
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
    ) -> None:
        self.logins: dict[Login, str] = {}
        self._client = client
        self._keycloak = keycloak
        self._ready_after = ready_after
        self._realm_kept = realm_kept
        self._workers = workers
        self._deletion = deletion
        self._late_message = late_message
        self._chance = random.Random(seed)  # noqa: S311  only a duration
        self.drops_attributes: set[str] = set()
        """Realms whose user profile drops the attributes by which EnMasse knows its users."""
        self._found_out: set[str] = set()
        """The uids of the MessagingUsers of which that has been seen."""
        self._space_queue, self._user_queue = Queue(), Queue()
        self._spaces = Copy(client, f"{SPACES}/addressspaces", self._space_changed)
        self._users = Copy(client, f"{USERS}/messagingusers", self._user_changed)
        self._services = Copy(client, SERVICES, lambda _: self._all_users())
        self._undecodable: set[Key] = set()
        self._due: dict[str, float] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Be EnMasse until ``stop`` is set."""
        log.info("EnMasse is simulated: nobody can send a message", platform="simulated EnMasse")
        await run_until(
            stop,
            *(copy.follow() for copy in (self._spaces, self._users, self._services)),
            self._space_queue.work(self._reconcile_space),
            *(self._work_on_users() for _ in range(self._workers)),
        )

    async def _work_on_users(self) -> None:
        """A user whose AddressSpace is not known yet must not be taken for one whose AddressSpace is gone."""
        for copy in (self._spaces, self._services):
            await copy.known.wait()
        await self._user_queue.work(self._reconcile_user)

    def _space_changed(self, key: Key) -> None:
        self._space_queue.add(key)
        for user in self._users.inside(key[0]):
            if _space_of(user) == key:
                self._user_queue.add(user)

    def _user_changed(self, key: Key) -> None:
        """EnMasse decodes all MessagingUsers or none: one whose password is not base64 stops it for all of them."""
        user = self._users.objects.get(key)
        stopped = bool(self._undecodable)
        if user is not None and _password(user) is None:
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
        """Make a new AddressSpace ready, and forget the realm of one that is gone."""
        space = self._spaces.objects.get(key)
        if space is None:
            asyncio.get_running_loop().call_later(self._realm_kept, self._remove_realm, key)
        elif not space.get("status") and "deletionTimestamp" not in space["metadata"]:
            uid, now = space["metadata"]["uid"], asyncio.get_running_loop().time()
            wait = self._due.setdefault(uid, now + self._ready_after) - now
            if wait > 0:
                asyncio.get_running_loop().call_later(wait, self._space_queue.add, key)
                return
            patch = _ready(space)
            self._spaces.put(await self._client.patch(f"{SPACES}/namespaces/{key[0]}/addressspaces/{key[1]}", patch))
            del self._due[uid]
            log.info("AddressSpace is ready", platform="simulated EnMasse", object="/".join(key))

    def _remove_realm(self, key: Key) -> None:
        if key not in self._spaces.objects:
            for login in [login for login in self.logins if login[:2] == key]:
                del self.logins[login]

    async def _reconcile_user(self, key: Key) -> None:
        """Bring one MessagingUser a whole way through its states, as EnMasse's controller does."""
        user = self._users.objects.get(key)
        if user is None or self._undecodable:
            return
        if "deletionTimestamp" in user["metadata"]:
            await self._finalize(user)
            return
        finalizers = user["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            user = await self._write_finalizers(user, [*finalizers, FINALIZER])
        if not _status(user).get("phase"):
            user = await self._write_status(user, phase="Pending")
        space = self._spaces.objects.get(_space_of(key))
        applied, message = user["metadata"]["generation"], None
        if space is not None and self._authenticates(space):
            if _status(user)["phase"] == "Pending":
                user = await self._write_status(user, phase="Configuring")
            applied = user["metadata"]["generation"]  # what follows may see a newer spec, which is not applied yet
            message = await self._keep_login(space, user)
            if message is None and _status(user)["phase"] != "Active":
                user = await self._write_status(user, phase="Active")
            if message is None and _realm(space) in self.drops_attributes:
                message = self._late_message_of(user)
        await self._write_status(user, generation=applied, message=message)

    def _late_message_of(self, user: Document) -> str | None:
        """Return what is found out about a user later; None for now."""
        uid = user["metadata"]["uid"]
        if uid not in self._found_out:

            def found_out() -> None:
                self._found_out.add(uid)
                self._user_queue.add(key_of(user))

            asyncio.get_running_loop().call_later(self._late_message, found_out)
            return None
        return NO_ATTRIBUTES

    async def _keep_login(self, space: Document, user: Document) -> str | None:
        """Have the user log in with the password that it has now; return EnMasse's message where it cannot."""
        if not (realm := _realm(space)):
            return NO_REALM
        password = _password(user) or ""
        if self._keycloak is not None and (message := await self._keycloak.keep(realm, user, password)):
            return message
        self.logins[_login(user)] = password
        return None

    async def _finalize(self, user: Document) -> None:
        """Take the login away and let the MessagingUser go.

        Where its AddressSpace is gone, the login is left to the realm's own end. Where that has no authentication
        service to ask, the MessagingUser waits for its AddressSpace to go.
        """
        finalizers = user["metadata"].get("finalizers") or []
        if FINALIZER not in finalizers:
            return
        if _status(user).get("phase") != "Terminating":
            user = await self._write_status(user, phase="Terminating")
        uid, now = user["metadata"]["uid"], asyncio.get_running_loop().time()
        if (wait := self._due.setdefault(uid, now + self._chance.uniform(*self._deletion)) - now) > 0:
            asyncio.get_running_loop().call_later(wait, self._user_queue.add, key_of(user))
            return
        space = self._spaces.objects.get(_space_of(key_of(user)))
        if space is not None and not self._authenticates(space):
            return
        if space is not None:
            self.logins.pop(_login(user), None)
            if self._keycloak is not None and (realm := _realm(space)):
                await self._keycloak.remove(realm, user["spec"]["username"])
        await self._write_finalizers(user, [name for name in finalizers if name != FINALIZER])
        del self._due[uid]
        self._found_out.discard(uid)

    def _authenticates(self, space: Document) -> bool:
        """Whether there is an authentication service of EnMasse's own, of type standard, to keep users in."""
        wanted = (space.get("spec") or {}).get("authenticationService") or {}
        name = wanted.get("name") or wanted.get("type")
        for (_, service), document in self._services.objects.items():
            if service == name:
                return bool((document.get("spec") or {}).get("type") == "standard")
        return bool(name) and name not in NONE_SERVICES

    async def _write_finalizers(self, user: Document, finalizers: list[str]) -> Document:
        version = user["metadata"]["resourceVersion"]
        return await self._write_user(user, "", {"metadata": {"finalizers": finalizers, "resourceVersion": version}})

    async def _write_status(self, user: Document, **changes: Any) -> Document:
        if all(_status(user).get(name) == value for name, value in changes.items()):
            return user
        return await self._write_user(user, "/status", {"status": changes})

    async def _write_user(self, user: Document, subresource: str, patch: Document) -> Document:
        namespace, name = key_of(user)
        path = f"{USERS}/namespaces/{namespace}/messagingusers/{name}{subresource}"
        written = await self._client.patch(path, patch)
        if written["metadata"].get("finalizers") or "deletionTimestamp" not in written["metadata"]:
            self._users.put(written)  # else this was the write that let it go
        return written


def _space_of(user: Key) -> Key:
    """The AddressSpace of a MessagingUser: what stands before the first dot of its name."""
    return user[0], user[1].split(".")[0]


def _realm(space: Document) -> str | None:
    """The realm of an AddressSpace, where it names one."""
    return (space["metadata"].get("annotations") or {}).get(REALM)


def _status(document: Document) -> Document:
    return document.get("status") or {}


def _login(user: Document) -> Login:
    namespace, space = _space_of(key_of(user))
    return Login(namespace, space, user["spec"]["username"])


def _password(user: Document) -> str | None:
    """The password in clear, empty where there is none; None where it is not base64."""
    encoded = ((user.get("spec") or {}).get("authentication") or {}).get("password") or ""
    try:
        # Go's decoder passes over line breaks, and over nothing else.
        return base64.b64decode(encoded.replace("\n", "").replace("\r", ""), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return None


def _ready(space: Document) -> Document:
    """The patch that makes an AddressSpace ready; refused where somebody has written to it meanwhile."""
    namespace, name = key_of(space)
    annotations = space["metadata"].get("annotations") or {}
    infra = annotations.get(INFRA_UUID) or hashlib.sha256(f"{namespace}.{name}".encode()).hexdigest()[:7]
    host = f"messaging-{infra}.{INFRA_NAMESPACE}.svc"
    ports = [{"name": "amqps", "port": 5671}, {"name": "amqp", "port": 5672}]
    if space["spec"]["type"] == "standard":
        ports.append({"name": "amqp-wss", "port": 443})
    return {
        "metadata": {
            "resourceVersion": space["metadata"]["resourceVersion"],
            "annotations": {REALM: annotations.get(REALM) or f"{namespace}-{name}", INFRA_UUID: infra},
        },
        "status": {
            "isReady": True,
            "phase": "Active",
            "messages": [],
            "caCert": base64.b64encode(CERTIFICATE.encode()).decode(),
            "endpointStatuses": [
                {"name": endpoint, "serviceHost": host, "servicePorts": ports}
                for endpoint in ("messaging-wss", "messaging")
            ],
        },
    }
