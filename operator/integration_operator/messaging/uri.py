"""Addresses of a broker as AMQP clients write them."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit

PORTS = {"amqp": 5672, "amqps": 5671}
"""Registered ports of the two schemes (AMQP 1.0, part 2, section 1.4, and part 5, section 2.1)."""


class Server(NamedTuple):
    """A broker's host and port, and if TLS is used."""

    host: str
    port: int
    tls: bool

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'amqps' if self.tls else 'amqp'}://{host}:{self.port}"


def parse_uri(uri: str) -> Server:
    """Return the server of ``amqps://host:port?options``. Raises ``ValueError``; the text is not quoted in it."""
    parts = urlsplit(uri)
    if parts.scheme not in PORTS:
        raise ValueError("it must begin with amqp:// or amqps://")
    if parts.username is not None or parts.password is not None:
        raise ValueError("it must not contain a user name or a password")
    if not parts.hostname:
        raise ValueError("it has no host")
    return Server(parts.hostname, parts.port or PORTS[parts.scheme], parts.scheme == "amqps")


def parse_host_port(text: str) -> tuple[str, int]:
    """Return host and port of ``host:port``. Raises ``ValueError``."""
    parts = urlsplit(f"//{text}")
    if not parts.hostname or parts.port is None or parts.path or parts.username is not None:
        raise ValueError("it must be HOST:PORT")
    return parts.hostname, parts.port
