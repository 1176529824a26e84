"""The body of an answer, read within a bound of bytes: a server decides neither our memory nor our time.

Bytes count as they are used. An answer that is packed is not unpacked: 600 kB of gzip may be 600 MB of text, and
nothing that is asked here asks for it. The time of a whole answer is the session's ``ClientTimeout``; headers are
bounded by aiohttp, to 128 lines of 8 KiB.
"""

from __future__ import annotations

from typing import NoReturn

import aiohttp

from integration_operator.runtime.text import sanitized

IDENTITY_ENCODING = {"Accept-Encoding": "identity"}
"""What to ask for, in a session with ``auto_decompress=False``."""


class Unreadable(Exception):
    """The answer is not one that can be used; the message says why, in words, and quotes nothing of it."""


class TooLarge(Unreadable):
    """The answer has more bytes than it may have."""


async def body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the body, of at most ``most`` bytes. Raises ``Unreadable``, and closes the connection then."""
    unpacked(response)
    if (response.content_length or 0) > most:
        _refuse(response, most)
    chunks, length = [], 0
    async for chunk in response.content.iter_any():
        length += len(chunk)
        if length > most:
            _refuse(response, most)
        chunks.append(chunk)
    return b"".join(chunks)


def unpacked(response: aiohttp.ClientResponse) -> None:
    """Raise ``Unreadable`` for an answer that is packed, and close the connection."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        response.close()
        raise Unreadable(f"the answer is packed ({sanitized(encoding, 32)}), which was not requested")


def _refuse(response: aiohttp.ClientResponse, most: int) -> NoReturn:
    response.close()
    raise TooLarge(f"the answer has more than {most} bytes")
