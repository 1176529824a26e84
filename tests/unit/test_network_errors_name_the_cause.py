"""Network errors are reported in plain words, whichever library raised them; no exception's name is shown."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import httpx
import pytest

from integration_operator.runtime.network_errors import describe_network_error
from integration_operator_sandbox.localhost.certificates import self_signed

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(answer: Answer, tls: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.close()


async def stops_halfway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readline()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
    writer.close()


async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def with_aiohttp(url: str) -> None:
    limits = aiohttp.ClientTimeout(total=0.5)
    async with aiohttp.ClientSession(trust_env=False) as session, session.get(url, timeout=limits) as response:
        await response.read()


async def with_httpx(url: str) -> None:
    async with httpx.AsyncClient(trust_env=False, timeout=0.5) as client:
        await client.get(url)


@pytest.fixture(params=[with_aiohttp, with_httpx], ids=["aiohttp", "httpx"])
def get(request: pytest.FixtureRequest) -> Callable[[str], Awaitable[None]]:
    return request.param  # type: ignore[no-any-return]


async def said(get: Callable[[str], Awaitable[None]], url: str) -> str:
    with pytest.raises((aiohttp.ClientError, TimeoutError, OSError, httpx.HTTPError)) as caught:
        await get(url)
    return describe_network_error(caught.value, seconds=0.5)


async def test_connection_refused(get: Any) -> None:
    assert await said(get, "http://127.0.0.1:1") == "connection refused"


async def test_no_such_host(get: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_name(*args: Any, **more: Any) -> Any:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr("socket.getaddrinfo", no_such_name)
    assert await said(get, "http://syndesis-server.fuse.svc") == "no such host"


async def test_a_name_server_that_is_away() -> None:
    assert describe_network_error(socket.gaierror(socket.EAI_AGAIN, "x")) == "temporary DNS failure"


async def test_certificate_not_trusted(get: Any, tmp_path: Any) -> None:
    pair = self_signed()
    (tmp_path / "tls").write_text(pair.certificate + pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "tls")
    async with listening(hangs, context) as port:
        assert await said(get, f"https://127.0.0.1:{port}") == "TLS certificate not trusted (self-signed certificate)"


async def test_no_tls_at_all(get: Any) -> None:
    async with listening(stops_halfway) as port:
        assert await said(get, f"https://127.0.0.1:{port}") == "TLS handshake failed; is this a plain HTTP port?"


async def test_no_answer_in_time(get: Any) -> None:
    async with listening(hangs) as port:
        assert await said(get, f"http://127.0.0.1:{port}") == "no answer in 0.5 s"


@pytest.mark.parametrize("answer", [closes, stops_halfway])
async def test_a_connection_that_ends_early(get: Any, answer: Answer) -> None:
    async with listening(answer) as port:
        assert await said(get, f"http://127.0.0.1:{port}") == (
            "the connection was closed before the answer was complete"
        )


def test_an_error_that_causes_itself_ends() -> None:
    error = OSError("x")
    error.__context__ = other = ValueError("y")
    other.__context__ = error
    assert describe_network_error(error) == "no usable answer (OSError)"


@pytest.mark.parametrize("number", [errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN])
def test_no_route(number: int) -> None:
    assert describe_network_error(OSError(number, "x")) == "no route to the host"


def test_the_causes_of_a_group_are_found() -> None:
    """A host with several addresses: each of them refused."""
    refused = ExceptionGroup("all attempts failed", [OSError(errno.ECONNREFUSED, "x"), OSError("y")])
    error = OSError("all attempts failed")
    error.__cause__ = refused
    assert describe_network_error(error) == "connection refused"


@pytest.mark.parametrize("cause", [ConnectionResetError(), BrokenPipeError()])
def test_a_connection_that_the_other_side_resets(cause: OSError) -> None:
    assert describe_network_error(cause) == "the connection was closed before the answer was complete"
