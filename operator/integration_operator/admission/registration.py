"""What the operator writes into its ValidatingWebhookConfiguration: how the API server trusts a process, and a path.

* ``caBundle``: each process adds its own certificate, so no process needs the key of another one, and no Secret holds a
  key. The certificates of processes that ended stay until newer ones take their place.
* the path: API servers present no certificate of theirs unless they are configured to, and a warning says what only
  users of the namespace may know. So only a client that knows the path gets an answer. The first process chooses it at
  random, and the others use it.

The configuration is watched. Each write has its resourceVersion as a precondition, because the processes write it
beside each other, and without a Lease.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import structlog

from integration_operator.resources import WEBHOOK_CONFIGURATION
from integration_operator.runtime.client import Client
from integration_operator.runtime.errors import ApiError, Conflict
from integration_operator.runtime.ref import Ref
from integration_operator.runtime.reflector import Reflector
from integration_operator.runtime.resources import APIResource
from integration_operator.runtime.store import Store
from integration_operator.runtime.token_bucket import TokenBucket

Document = dict[str, Any]

WEBHOOK = "integrations.integreatly.org"
"""The name of the webhook in the configuration."""

STRATEGIC_MERGE = "application/strategic-merge-patch+json"
"""It merges the list of webhooks by their name."""

MAX_AUTHORITIES = 8
"""Certificates in ``caBundle``: two replicas, twice as many during an update, and as many again that ended."""

MIN_PATH = 32
"""Minimum length of the path in characters. A shorter one could be guessed, and is replaced."""

WRITES, WRITES_PER_SECOND = 6, 6 / 60
"""As for each object that another controller changes again and again."""

RETRY_DELAY = 30.0
"""Seconds after which a write that failed is sent again."""

CERTIFICATE = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----")

log = structlog.get_logger(__name__)


class Webhook(NamedTuple):
    """How the API server reaches the webhook: ``path`` without its first slash, ``authorities`` as PEM."""

    url: str
    path: str
    authorities: tuple[str, ...]


class Registration:
    """Keeps the configuration of one name so that the API server reaches and trusts this process."""

    def __init__(self, client: Client, name: str, clock: Callable[[], float]) -> None:
        self._client = client
        self._ref = Ref("", name)
        self._authority = ""
        self._clock = clock
        self._changed = asyncio.Event()
        self._store: Store[Webhook | None] = Store(_webhook)
        self._store.subscribe(lambda old, new: self._changed.set())
        self._reflector = Reflector(client, replace(WEBHOOK_CONFIGURATION, name=name), self._store)

    @property
    def path(self) -> str:
        """The path that only the API server knows; empty while there is none."""
        webhook = self._store.get(self._ref)
        return webhook.path if webhook is not None and len(webhook.path) >= MIN_PATH else ""

    def trust(self, authority: str) -> None:
        """Have the API server trust a certificate of this process, in PEM."""
        self._authority = authority
        self._changed.set()

    async def watch(self) -> None:
        """Watch the configuration until cancelled."""
        await self._reflector.run()

    async def repair(self) -> None:
        """Write what the configuration lacks until cancelled; ``watch`` runs beside it."""
        writes = TokenBucket(WRITES_PER_SECOND, WRITES, self._clock())
        while True:
            await self._changed.wait()
            self._changed.clear()
            webhook = self._store.get(self._ref)
            if webhook is None or not (changes := missing(webhook, self._authority)):
                continue
            if seconds := writes.take(self._clock()):
                await asyncio.sleep(seconds)
                self._changed.set()  # what is missing then may be something else
                continue
            try:
                await self._write(changes)
            except Conflict:
                continue  # the watch brings what another process wrote
            except ApiError as error:
                log.warning("webhook configuration not repaired", error=str(error), retry_in=RETRY_DELAY)
                await asyncio.sleep(RETRY_DELAY)
                self._changed.set()

    async def _write(self, changes: Document) -> None:
        path = APIResource(WEBHOOK_CONFIGURATION, "v1").item(*self._ref)
        body = {
            "metadata": {"resourceVersion": self._store.version(self._ref)},
            "webhooks": [{"name": WEBHOOK, "clientConfig": changes}],
        }
        await self._client.patch(path, body, content_type=STRATEGIC_MERGE)
        log.info("webhook configuration repaired", name=self._ref.name, fields=sorted(changes))


def missing(webhook: Webhook, authority: str) -> Document:
    """Return the changes of ``clientConfig`` after which the API server reaches and trusts a process; empty if it does.

    ``authority`` is the certificate of the process, empty if the configuration need not have it.
    """
    changes: Document = {}
    if authority and authority not in webhook.authorities:
        kept = [authority, *webhook.authorities][:MAX_AUTHORITIES]
        changes["caBundle"] = base64.b64encode("\n".join((*kept, "")).encode()).decode()
    if len(webhook.path) < MIN_PATH:
        path = f"/{secrets.token_hex(MIN_PATH)}"
        if webhook.url:
            changes["url"] = urlsplit(webhook.url)._replace(path=path).geturl()
        else:
            changes["service"] = {"path": path}
    return changes


def _webhook(document: Document) -> Webhook | None:
    """Return the operator's webhook in a configuration, None if it has none."""
    for webhook in document.get("webhooks") or ():
        if webhook["name"] == WEBHOOK:
            config = webhook["clientConfig"]
            url = config.get("url") or ""
            path = urlsplit(url).path if url else (config.get("service") or {}).get("path") or ""
            return Webhook(url, path.removeprefix("/"), _authorities(config.get("caBundle") or ""))
    return None


def _authorities(bundle: str) -> tuple[str, ...]:
    """Return the certificates in a ``caBundle``; none if it is not text."""
    try:
        return tuple(CERTIFICATE.findall(base64.b64decode(bundle).decode()))
    except (binascii.Error, UnicodeDecodeError):
        return ()
