"""Secrets as Syndesis stores them: ``»ENC:`` and a ciphertext that differs each time, under a key of this instance.

The cipher is not that of Syndesis, only its output looks the same: hexadecimal, with a random start, in blocks, so that
ciphertexts cannot be compared and do not show the length of a password.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Iterable, Mapping

PREFIX = "»ENC:"
BLOCK = 16


class Encryption:
    """Encrypts and decrypts under one key, which is lost with the instance."""

    def __init__(self) -> None:
        self._key = os.urandom(32)

    def renew(self) -> None:
        """Change the key, as a new instance does: what the old key encrypted cannot be decrypted any more."""
        self._key = os.urandom(32)

    def encrypt(self, value: str) -> str:
        """Return the ciphertext. A value that looks like a ciphertext is returned as it is."""
        if value.startswith(PREFIX):
            return value
        plain, start = value.encode(), os.urandom(BLOCK)
        missing = BLOCK - len(plain) % BLOCK
        cipher = self._combine(start, plain + bytes([missing]) * missing)
        return PREFIX + (start + cipher + self._seal(start + cipher)).hex()

    def encrypt_secrets(self, properties: Mapping[str, str], secret: Iterable[str]) -> dict[str, str]:
        """Return the properties with the values of the ``secret`` ones encrypted."""
        names = set(secret)
        return {name: self.encrypt(value) if name in names else value for name, value in properties.items()}

    def decrypt(self, value: str) -> str | None:
        """Return the password; plain text as it is, None for a ciphertext of another instance."""
        if not value.startswith(PREFIX):
            return value
        try:
            whole = bytes.fromhex(value.removeprefix(PREFIX))
        except ValueError:
            return None
        start, cipher, seal = whole[:BLOCK], whole[BLOCK:-BLOCK], whole[-BLOCK:]
        if not cipher or not hmac.compare_digest(seal, self._seal(start + cipher)):
            return None
        plain = self._combine(start, cipher)
        return plain[: -plain[-1]].decode()

    def _combine(self, start: bytes, data: bytes) -> bytes:
        stream = hashlib.shake_256(self._key + start).digest(len(data))
        return bytes(a ^ b for a, b in zip(data, stream, strict=True))

    def _seal(self, data: bytes) -> bytes:
        return hmac.digest(self._key, data, "sha256")[:BLOCK]
