"""httpx's way to a server, with a bound on each answer. The library reads answers whole and unpacks what comes packed.

httpx reads the body through the stream that the transport gives it, so the bound is there: for every request of the
library, its log-in among them. Headers are bounded by h11, to 100 KiB together; redirects are not followed.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator

import httpx

from integration_operator.backends.limits import ERROR_BYTES, Limits
from integration_operator.runtime.responses import IDENTITY_ENCODING, TooLarge, Unreadable
from integration_operator.runtime.text import sanitized


def client(context: ssl.SSLContext, in_flight: int, limits: Limits) -> httpx.AsyncClient:
    """Return a client whose answers are bounded. Proxies of the environment are not used, as by all clients here."""
    inner = httpx.AsyncHTTPTransport(verify=context, limits=httpx.Limits(max_connections=in_flight))
    return httpx.AsyncClient(
        transport=_Bounded(inner, limits.answer_bytes),
        headers=IDENTITY_ENCODING,
        trust_env=False,
        follow_redirects=False,
    )


class _Bounded(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, most: int) -> None:
        self._inner = inner
        self._most = most

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self._inner.handle_async_request(request)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            await response.aclose()
            raise Unreadable(f"the answer came packed ({sanitized(encoding, 32)}), which was not asked for")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        most = self._most if response.status_code < 300 else ERROR_BYTES
        response.stream = _BoundedStream(response.stream, most)
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, most: int) -> None:
        self._inner = inner
        self._most = most

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._inner:
            length += len(chunk)
            if length > self._most:
                raise TooLarge(f"the answer has more than {self._most} bytes")
            yield chunk

    async def aclose(self) -> None:
        await self._inner.aclose()
