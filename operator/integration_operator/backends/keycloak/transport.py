"""An httpx transport that limits each answer. python-keycloak reads whole answers and decompresses them.

httpx reads the body from the stream of the transport, so the limit applies to every request of the library, including
the login. h11 bounds all headers to 100 KiB. Redirects are not followed.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import httpx

from integration_operator import metrics
from integration_operator.backends.limits import ERROR_BYTES, Limits
from integration_operator.runtime.fence import READS, Fence
from integration_operator.runtime.responses import IDENTITY_ENCODING, TooLarge, Unreadable
from integration_operator.runtime.text import sanitized


def client(context: ssl.SSLContext, in_flight: int, limits: Limits) -> httpx.AsyncClient:
    """Return a client with limited answers. It ignores proxies in the environment, as all clients here do."""
    options = [limits.fence.socket_option] if limits.fence is not None else None
    pool = httpx.Limits(max_connections=in_flight)
    inner = httpx.AsyncHTTPTransport(verify=context, limits=pool, socket_options=options)
    return httpx.AsyncClient(
        transport=_Bounded(inner, limits),
        headers=IDENTITY_ENCODING,
        trust_env=False,
        follow_redirects=False,
    )


class _Bounded(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport, limits: Limits) -> None:
        self._inner = inner
        self._max_bytes = limits.answer_bytes
        self._fence = limits.fence

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self._fence is not None and request.method not in READS:
            request.extensions = {**request.extensions, "trace": _Passing(self._fence)}
        counted = _Counted(request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException:  # a time-out of the session cancels it
            counted.end(0)
            raise
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            await response.aclose()
            counted.end(response.status_code)
            raise Unreadable(f"the answer is compressed ({sanitized(encoding, 32)}), which was not requested")
        assert isinstance(response.stream, httpx.AsyncByteStream)
        max_bytes = self._max_bytes if response.status_code < 300 else ERROR_BYTES
        response.stream = _BoundedStream(response.stream, max_bytes, partial(counted.end, response.status_code))
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()


class _Passing:
    """Lets a write pass the fence when a connection is ready for it, before its header and before its body."""

    STEPS = ("http11.send_request_headers.started", "http11.send_request_body.started")

    def __init__(self, fence: Fence) -> None:
        self._fence = fence

    async def _check(self, step: str) -> None:
        if step in self.STEPS:
            self._fence.check()

    def __call__(self, step: str, info: dict[str, Any]) -> Any:
        """Return the check of a step of httpcore (its extension ``trace``)."""
        return self._check(step)


class _BoundedStream(httpx.AsyncByteStream):
    def __init__(self, inner: httpx.AsyncByteStream, max_bytes: int, closed: Callable[[], None]) -> None:
        self._inner = inner
        self._max_bytes = max_bytes
        self._closed = closed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        length = 0
        async for chunk in self._inner:
            length += len(chunk)
            if length > self._max_bytes:
                raise TooLarge(f"the answer has more than {self._max_bytes} bytes")
            yield chunk

    async def aclose(self) -> None:
        self._closed()
        await self._inner.aclose()


class _Counted:
    """A request that the metrics count once, when its answer is read or given up."""

    def __init__(self, request: httpx.Request) -> None:
        self._request = request
        self._began = time.monotonic()
        self._ended = False

    def end(self, status: int) -> None:
        """Count the request; ``status`` 0 means no answer."""
        if not self._ended:
            url = self._request.url
            server, path = f"{url.scheme}://{url.netloc.decode('ascii')}", url.raw_path.decode("ascii")
            # As it was sent: a decoded realm could look like other segments.
            metrics.KEYCLOAK_REQUEST(self._request.method, server, path, status, time.monotonic() - self._began)
        self._ended = True
