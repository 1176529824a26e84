"""Response bodies, read up to a limit in bytes, so that no server can exhaust memory.

A compressed response is refused: 600 kB of gzip may hold 600 MB of text, and no request here asks for compression. The
``ClientTimeout`` of the session bounds the time. aiohttp bounds the headers to 128 lines of 8 KiB.
"""

from __future__ import annotations

from typing import NoReturn

import aiohttp

from integration_operator.runtime.text import sanitized

IDENTITY_ENCODING = {"Accept-Encoding": "identity"}
"""Request header that asks for uncompressed responses; the session needs ``auto_decompress=False``."""


class Unreadable(Exception):
    """The response cannot be used. The message says why and quotes nothing of the response."""


class TooLarge(Unreadable):
    """The response exceeds the limit in bytes."""


async def body(response: aiohttp.ClientResponse, max_bytes: int) -> bytes:
    """Return the body, of at most ``max_bytes``. Close the connection and raise ``Unreadable`` if it is unusable."""
    check_encoding(response)
    if (response.content_length or 0) > max_bytes:
        _refuse(response, max_bytes)
    chunks, length = [], 0
    async for chunk in response.content.iter_any():
        length += len(chunk)
        if length > max_bytes:
            _refuse(response, max_bytes)
        chunks.append(chunk)
    return b"".join(chunks)


def check_encoding(response: aiohttp.ClientResponse) -> None:
    """Close the connection and raise ``Unreadable`` if the response is compressed."""
    encoding = response.headers.get("Content-Encoding", "identity")
    if encoding.lower() != "identity":
        response.close()
        raise Unreadable(f"the answer is compressed ({sanitized(encoding, 32)}), which was not requested")


def _refuse(response: aiohttp.ClientResponse, max_bytes: int) -> NoReturn:
    response.close()
    raise TooLarge(f"the answer has more than {max_bytes} bytes")
