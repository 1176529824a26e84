"""One running Keycloak on loopback, and questions that tests ask it.

Data, certificate and log are in a temporary directory. Keycloak dies with this process, even if that is killed.
Requests are made with the standard library, so that no test uses the client under test to check that client.
"""

from __future__ import annotations

import http.client
import json
import secrets
import shlex
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote, urlencode

from integration_operator_sandbox.errors import SandboxError, StartFailed
from integration_operator_sandbox.java.programs import find_java
from integration_operator_sandbox.localhost.certificates import self_signed
from integration_operator_sandbox.localhost.machine import LOOPBACK, OwnedDirectory, free_port, write_private
from integration_operator_sandbox.localhost.process import Process, spawn
from integration_operator_sandbox.platforms.keycloak import distribution

TEMPORARY = "integration-operator-keycloak-"
ATTEMPTS = 3  # a port that was free a moment ago is taken now and then
START_TIMEOUT = 150.0  # seconds; 20 on two idle cores, and a test run leaves none idle
PATIENCE = 3.0  # seconds to stop; the data is not needed
TOKEN_LIFE = 30.0  # seconds; a token of the master realm lives 60
POLL = 0.2
SHOWN_LINES = 15

USER_PROFILE = {
    "attributes": [{"name": "username"}, {"name": "email"}],
    "unmanagedAttributePolicy": "ENABLED",
}
"""Since Keycloak 24 a realm drops attributes that its user profile does not name, and refuses log-ins of users without
the names and e-mail that the default profile requires. EnMasse's Keycloak 3 and 4 did neither."""

KEY_PROVIDERS = [
    {"name": "signing", "providerId": "ecdsa-generated"},
    {"name": "hashing", "providerId": "hmac-generated", "config": {"algorithm": ["HS512"]}},
    {"name": "encryption", "providerId": "aes-generated"},
]
"""Instead of the two RSA keys of 2048 bits that a realm gets by default and that take seconds to generate."""


class NotAnswered(SandboxError):
    """Keycloak refused a request of a test."""


@dataclass(slots=True)
class Keycloak:
    """A running Keycloak. Created by ``start``."""

    directory: Path
    url: str
    certificate: str
    admin_username: str
    admin_password: str = field(repr=False)
    _process: Process = field(repr=False)
    _owned: OwnedDirectory = field(repr=False)
    _token: str = field(default="", repr=False)
    _token_until: float = field(default=0.0, repr=False)

    @classmethod
    def start(cls) -> Keycloak:
        """Start a Keycloak and return when it serves. Fetch it first if it is not cached."""
        java, home = find_java("Keycloak"), distribution.provide()
        owned = OwnedDirectory.create(TEMPORARY)
        directory = owned.path
        try:
            pair = self_signed()
            (directory / "tls.crt").write_text(pair.certificate)
            write_private(directory / "tls.key", pair.key)
            for attempt in range(ATTEMPTS):
                port = free_port()
                password = secrets.token_urlsafe(24)
                launcher = _launcher(java, home, directory, port, password)
                process = spawn(["/bin/sh", str(launcher)], log=directory / "log", directory=directory, detached=False)
                made = cls(
                    directory,
                    f"https://{LOOPBACK}:{port}/auth",
                    pair.certificate,
                    "admin",
                    password,
                    process,
                    owned,
                )
                try:
                    made._wait(time.monotonic() + START_TIMEOUT)
                except StartFailed as error:
                    process.stop(PATIENCE)
                    if attempt == ATTEMPTS - 1 or "already bound" not in error.detail:
                        raise
                else:
                    launcher.unlink()
                    return made
            raise AssertionError("unreachable: the last attempt returns or raises")
        except BaseException:
            owned.delete()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop Keycloak and delete all its files."""
        self._process.stop(PATIENCE)
        self._owned.delete()

    def create_realm(self, name: str, namespace: str) -> None:
        """Create a realm as EnMasse does for an AddressSpace of that namespace, without groups and users.

        EnMasse's ``passwordPolicy`` is left out: its hash algorithm is a plug-in that a plain Keycloak does not have.
        """
        profile = {
            "providerId": "declarative-user-profile",
            "config": {"kc.user.profile.config": [json.dumps(USER_PROFILE)]},
        }
        realm = {
            "realm": name,
            "enabled": True,
            "attributes": {"namespace": namespace, "enmasse-realm": "true"},
            "defaultSignatureAlgorithm": "ES256",
            "components": {
                "org.keycloak.userprofile.UserProfileProvider": [profile],
                "org.keycloak.keys.KeyProvider": KEY_PROVIDERS,
            },
        }
        self.admin("POST", "", realm)

    def delete_realm(self, name: str) -> None:
        """Delete a realm and all its users, if it exists."""
        with suppress(NotAnswered):
            self.admin("DELETE", f"/{quote(name, safe='')}")

    def can_log_in(self, realm: str, username: str, password: str) -> bool:
        """Return True if this user can log in, by a direct grant of the realm's own ``admin-cli``."""
        status, _ = self._log_in(realm, username, password)
        return status == http.HTTPStatus.OK

    def users(self, realm: str) -> list[dict[str, Any]]:
        """Return all users of a realm, with their attributes."""
        found: list[dict[str, Any]] = self.admin("GET", f"/{quote(realm, safe='')}/users?first=0&max=100000")
        return found

    def user(self, realm: str, username: str) -> dict[str, Any]:
        """Return the user of exactly this name."""
        (found,) = [user for user in self.users(realm) if user["username"] == username]
        return found

    def groups_of(self, realm: str, username: str) -> set[str]:
        """Return the names of a user's groups."""
        path = f"/{quote(realm, safe='')}/users/{self.user(realm, username)['id']}/groups"
        return {group["name"] for group in self.admin("GET", path)}

    def make_user(self, realm: str, username: str, password: str = "", **more: Any) -> str:
        """Create a user without the operator, and return its id."""
        user: dict[str, Any] = {"username": username, "enabled": True, **more}
        if password:
            user["credentials"] = [{"type": "password", "value": password, "temporary": False}]
        self.admin("POST", f"/{quote(realm, safe='')}/users", user)
        return str(self.user(realm, username.lower())["id"])

    def admin(self, verb: str, path: str, body: object = None) -> Any:
        """Send a request below ``/admin/realms`` as the admin, and return the document of the answer, if any."""
        headers = {"Authorization": f"Bearer {self._admin_token()}", "Content-Type": "application/json"}
        content = None if body is None else json.dumps(body)
        status, answer = self._request(verb, f"/admin/realms{path}", content, headers)
        if status >= http.HTTPStatus.BAD_REQUEST:
            raise NotAnswered(f"{verb} {path}: HTTP {status}", answer.decode(errors="replace"))
        return json.loads(answer) if answer else None

    def _admin_token(self) -> str:
        if time.monotonic() > self._token_until:
            began = time.monotonic()
            status, answer = self._log_in("master", self.admin_username, self.admin_password)
            if status != http.HTTPStatus.OK:
                raise NotAnswered(f"Keycloak does not let its admin in: HTTP {status}")
            self._token, self._token_until = json.loads(answer)["access_token"], began + TOKEN_LIFE
        return self._token

    def _log_in(self, realm: str, username: str, password: str) -> tuple[int, bytes]:
        form = {"grant_type": "password", "client_id": "admin-cli", "username": username, "password": password}
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        path = f"/realms/{quote(realm, safe='')}/protocol/openid-connect/token"
        return self._request("POST", path, urlencode(form), headers)

    def _request(self, verb: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, bytes]:
        host, _, prefix = self.url.removeprefix("https://").partition("/")
        context = ssl.create_default_context(cadata=self.certificate)
        connection = http.client.HTTPSConnection(host, timeout=30, context=context)
        try:
            connection.request(verb, f"/{prefix}{path}", body, headers)
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def _wait(self, deadline: float) -> None:
        """Wait until Keycloak serves; raise if it has ended, or after the deadline."""
        while True:
            with suppress(OSError, http.client.HTTPException):
                if self._request("GET", "/realms/master", None, {})[0] == http.HTTPStatus.OK:
                    return
            if not self._process.runs():
                raise StartFailed(f"Keycloak {self._process.ending()}", self._last_words())
            if time.monotonic() > deadline:
                raise StartFailed(f"Keycloak was not ready within {START_TIMEOUT:g} s", self._last_words())
            time.sleep(POLL)

    def _last_words(self) -> str:
        lines = (self.directory / "log").read_text(errors="replace").splitlines()
        return "\n".join(line[:300] for line in lines[-SHOWN_LINES:])


def _launcher(java: Path, home: Path, directory: Path, port: int, password: str) -> Path:
    """Write a script that executes Keycloak with the admin's password in its environment.

    All users of the machine can read the arguments of a process, but not its environment. Only this account can read
    the script, which is deleted once Keycloak runs.
    """
    command = distribution.command(
        java,
        home,
        "start",
        "--optimized",
        f"--http-host={LOOPBACK}",
        f"--https-port={port}",
        "--hostname-strict=false",
        f"--https-certificate-file={directory / 'tls.crt'}",
        f"--https-certificate-key-file={directory / 'tls.key'}",
        f"--db-url=jdbc:h2:file:{directory / 'h2' / 'keycloakdb'};NON_KEYWORDS=VALUE;DB_CLOSE_ON_EXIT=FALSE",
        "--cache=local",  # else it opens ports and looks for others to form a cluster with
        properties=[
            f"-Djava.io.tmpdir={directory}",
            f"-Dquarkus.transaction-manager.object-store.directory={directory / 'transactions'}",
        ],
    )
    path = directory / "launch.sh"
    write_private(
        path,
        "export KC_BOOTSTRAP_ADMIN_USERNAME=admin\n"
        f"export KC_BOOTSTRAP_ADMIN_PASSWORD={shlex.quote(password)}\n"
        f"exec {shlex.join(command)}\n",
    )
    return path
