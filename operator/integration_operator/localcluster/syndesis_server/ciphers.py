"""Secrets at rest: a ciphertext that is another one with each encryption (EncryptionComponent.java:38-71).

The cipher itself is of no account here, only that it looks like Syndesis's and that this server alone can undo it.
"""

from __future__ import annotations

import secrets

PREFIX = "\u00bbENC:"
KEY_LENGTH = 16


def encrypted(text: str) -> str:
    """A ciphertext of a text; what is one already stays as it is."""
    if text.startswith(PREFIX):
        return text
    pad = secrets.token_bytes(KEY_LENGTH)
    return PREFIX + pad.hex() + _mixed(text.encode(), pad).hex()


def decrypted(text: str) -> str:
    """The text of a ciphertext; what is none stays as it is."""
    if not text.startswith(PREFIX):
        return text
    data = bytes.fromhex(text.removeprefix(PREFIX))
    return _mixed(data[KEY_LENGTH:], data[:KEY_LENGTH]).decode()


def _mixed(data: bytes, pad: bytes) -> bytes:
    return bytes(byte ^ pad[at % len(pad)] for at, byte in enumerate(data))
