"""What only the whole of a run shows: credentials that changed, and secrets that leaked."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

import aiohttp

from tests.support.documents import path
from tests.support.faults import sweep
from tests.support.faults.credentials import KEYS, CredentialWatch
from tests.support.faults.expectation import Expectation
from tests.support.faults.servers import Servers
from tests.support.faults.snapshot import secret_value
from tests.support.faults.stage import Stage

GENERATED = "-credentials"
"""End of the name of a Secret that the operator generates."""


MOST_WHILE_SILENT = 2
"""Creations of a user that the garbage collector deletes, while a watch is silent for two seconds: at once, and after
one second."""


def renewed(expected: Expectation, passwords: Mapping[str, list[str]]) -> Iterator[str]:
    """Say which generated credential changed, in the whole run, more or less often than it was asked for.

    ``passwords`` are those of a ``CredentialWatch``.
    """
    renewals = {delivered.syndesis.namespace: delivered.renewals for delivered in expected.delivered}
    for name, seen in passwords.items():
        asked = renewals.get(name.partition("/")[0], 0)
        if name.endswith(GENERATED) and len(seen) - 1 != asked:
            yield f"the credential in Secret {name} changed {len(seen) - 1} times, expected {asked}"
        if name.endswith(KEYS["next-password"]) and len(seen) > asked:
            yield f"Secret {name} prepared {len(seen)} credentials, expected {asked}"


def recreated(expected: Expectation, users: Mapping[str, set[str]]) -> Iterator[str]:
    """Say which MessagingUser was deleted and created again, in the whole run, more often than was asked for.

    Where nothing is delivered at last, the garbage collector may delete it before the operator knows why.
    ``users`` are those of a ``CredentialWatch``.
    """
    renewals = {delivered.space.namespace: delivered.renewals for delivered in expected.delivered}
    for name, uids in users.items():
        asked = renewals.get(name.partition("/")[0], MOST_WHILE_SILENT)
        if len(uids) - 1 > asked:
            yield f"MessagingUser {name} was created again {len(uids) - 1} times, expected at most {asked}"


async def logins(stage: Stage, expected: Expectation, credentials: CredentialWatch) -> list[str]:
    """Try every credential of the run on Keycloak: those in the Secrets open it, and no others."""
    keycloak = stage.platforms.keycloak
    if keycloak is None:
        return []
    snapshot, problems = await stage.snapshot(), []
    current = {
        (f"{d.space.namespace}-{d.space.name}", secret_value(secret, "password"))
        for d in expected.delivered
        for secret in snapshot.objects["Secret"]
        if secret["metadata"]["namespace"] == d.syndesis.namespace
    }
    for realm in stage.platforms.realms:
        for user in snapshot.keycloak[realm]:
            for password in credentials.all():
                opens = await asyncio.to_thread(keycloak.can_log_in, realm, user["username"], password)
                if opens != ((realm, password) in current):
                    problems.append(f"a credential {'opens' if opens else 'does not open'} {user['username']}")
    return problems


async def leaked(stage: Stage, servers: Servers, credentials: CredentialWatch) -> list[str]:
    """Search logs, metrics, Events and all objects but those that hold it by design for passwords and tokens."""
    assert stage.deployment is not None
    texts = [sweep.log_text(servers.log)]
    texts += [("the metrics", await _metrics(servers.metrics_ports[life])) for life in stage.deployment.running]
    kinds = ("Integration", "Connection", "Event")
    lists = await asyncio.gather(
        *(stage.admin.items(path(kind, namespace)) for kind in kinds for namespace in stage.namespaces)
    )
    for items in lists:
        texts += [sweep.document_text(f"{i.get('kind', 'Event')} {i['metadata']['name']}", i) for i in items]
    tokens = {servers.token}
    if stage.platforms.keycloak is not None:
        tokens.add(stage.platforms.keycloak.admin_password)
    return list(sweep.leaks(texts, credentials.all() | tokens))


async def _metrics(port: int) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        return await answer.text()
