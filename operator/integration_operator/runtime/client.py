"""The HTTP client of the API server.

It uses ``kubernetes.aio``'s ``ApiClient`` and its authentication with raw paths and dicts: no generated model is on the
hot path. ``trust_env`` is off, because it costs two thread hops for each request (half of the throughput).

All requests of a client share one session, one limit on requests in flight and, if set, one rate limit. If it has a
fence, a request that writes is sent only while the fence is open.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlencode

import aiohttp
import structlog
from kubernetes.aio import config as kubernetes_config
from kubernetes.aio.client import ApiClient, Configuration

from integration_operator.runtime import kubeconfig
from integration_operator.runtime.errors import Invalid, TooLarge, Unauthorized, Unavailable, error_of
from integration_operator.runtime.fence import READS, Fence, fenced_request
from integration_operator.runtime.json_text import Malformed, parse_pruned
from integration_operator.runtime.kubeconfig import ClusterNotFound, Kubeconfig, KubeconfigInvalid
from integration_operator.runtime.network_errors import describe_network_error
from integration_operator.runtime.responses import IDENTITY_ENCODING, Unreadable, check_encoding
from integration_operator.runtime.responses import TooLarge as AnswerTooLarge
from integration_operator.runtime.responses import body as body_of
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.token_bucket import TokenBucket

log = structlog.get_logger(__name__)
REQUESTS_LOG = logging.getLogger(__name__)
"""Tells if requests are logged. Commands do not configure structlog, which then prints every level."""

Document = dict[str, Any]
Query = Mapping[str, str]
Observer = Callable[[str, str, str, int, float], None]
"""Called after each request with (verb, server, path, status, seconds). The URL is server and path; status 0 means no
answer."""

APPLY = "application/apply-patch+yaml"
MERGE = "application/merge-patch+json"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json"
METADATA = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json"

PATH = re.compile(r"(/(?!\.{1,2}(?:/|$))[A-Za-z0-9._:~-]+)+")
"""A path whose segments are names; ``..`` in one would be resolved before the request is sent."""

POOL = 128  # connections; each watch takes one, too
CONNECT_TIMEOUT = 5.0
ERROR_BYTES = 256 * 1024  # of a Status; for a refused document it lists the errors, not the document
SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105  a path
SERVICE_ACCOUNT_NAMESPACE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace"
TOKEN_FILE_PERIOD = 60.0  # a kubelet renews a projected token at 80 % of its life, at least 10 minutes (KEP-1205)
PAGE_BYTES = 8 * 1024 * 1024
"""Maximum bytes of a response and of a watch event. etcd refuses objects over 1.5 MiB (its --max-request-bytes); 500
AddressSpaces or Secrets have 1 to 3 MiB. Parsing takes two to ten times as much memory."""

READ_BUFFER = 256 * 1024
"""Bytes that aiohttp buffers of each response; its default of 2 MiB is for reading whole lines."""

MAX_DEPTH = 100
"""Levels of nesting of a document. The API server accepts 10,000 in fields without a schema."""


class Client:
    """GET, POST, PUT, PATCH, DELETE and WATCH of raw paths; responses are dicts, failures are ``ApiError``."""

    def __init__(
        self,
        configure: Callable[[], Awaitable[Configuration]],
        *,
        max_in_flight: int = 32,
        rate: float = 0.0,
        burst: int = 100,
        timeout: float = 30.0,
        page_bytes: int = PAGE_BYTES,
        user_agent: str = "kubernetes-controller",
        observe: Observer | None = None,
        fence: Fence | None = None,
    ) -> None:
        self._configure = configure
        self._slots = asyncio.Semaphore(max_in_flight)
        self._bucket = TokenBucket(rate, burst, time.monotonic()) if rate > 0 else None
        self._timeout = timeout
        self._page_bytes = page_bytes
        self._user_agent = user_agent
        self._observe = observe
        self._fence = fence
        self._api: ApiClient | None = None
        self._connector: aiohttp.TCPConnector | None = None
        self.namespace = "default"
        """The default namespace of commands."""

    @classmethod
    def find(cls, path: Path | None = None, context: str | None = None, **limits: Any) -> Self:
        """Return a client for the cluster that kubectl would use; ``limits`` are those of the constructor.

        Without a kubeconfig the client uses the service account of the pod. Raises ``ClusterNotFound``.
        """
        config = kubeconfig.find(path, context)
        return cls.in_cluster(**limits) if config is None else cls.of(config, **limits)

    @classmethod
    def from_kubeconfig(cls, path: Path, context: str | None = None, **limits: Any) -> Self:
        """Return a client for the cluster of one kubeconfig file. Raises ``ClusterNotFound``."""
        return cls.of(kubeconfig.load([path], context), **limits)

    @classmethod
    def of(cls, config: Kubeconfig, **limits: Any) -> Self:
        """Return a client for the cluster of a kubeconfig."""

        async def configure() -> Configuration:
            configuration = type.__call__(Configuration)
            document, context = config.document, config.document["current-context"]
            try:
                await kubernetes_config.load_kube_config_from_dict(document, context, configuration)
            except Exception as error:  # the library does not check types
                raise KubeconfigInvalid(f"{config.origin}: {sanitized(error)}") from error
            if config.token_file is not None:
                configuration.refresh_api_key_hook = TokenFile(config.token_file)
            return configuration

        client = cls(configure, **limits)
        client.namespace = config.namespace
        return client

    @classmethod
    def in_cluster(cls, **limits: Any) -> Self:
        """Return a client with the service account of the pod; the token is read again each minute."""

        async def configure() -> Configuration:
            configuration = type.__call__(Configuration)
            try:
                kubernetes_config.load_incluster_config(configuration, try_refresh_token=False)
            except kubernetes_config.ConfigException as error:
                raise ClusterNotFound(kubeconfig.NO_CLUSTER) from error
            configuration.refresh_api_key_hook = TokenFile(Path(SERVICE_ACCOUNT_TOKEN))
            return configuration

        client = cls(configure, **limits)
        with suppress(OSError):
            client.namespace = Path(SERVICE_ACCOUNT_NAMESPACE).read_text().strip() or client.namespace
        return client

    async def __aenter__(self) -> Self:
        configuration = await self._configure()
        configuration.client_session_kwargs = {
            "trust_env": False,
            "auto_decompress": False,
            "read_bufsize": READ_BUFFER,
        }
        configuration.connection_pool_maxsize = POOL
        configuration.retries = None
        try:
            self._api = ApiClient(configuration)
        except OSError as error:  # ssl.SSLError is one
            raise KubeconfigInvalid(f"certificate or key of the kubeconfig: {sanitized(error)}") from error
        self._api.user_agent = self._user_agent
        if self._fence is not None:
            context = self._api.rest_client.ssl_context
            self._connector = aiohttp.TCPConnector(limit=POOL, ssl=context, socket_factory=self._fence.socket)
            configuration.client_session_kwargs["connector"] = self._connector
            configuration.client_session_kwargs["request_class"] = fenced_request(self._fence)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the session. Cancel open watches before: a watch that waits for an event is not ended by it."""
        if self._api is not None:
            await self._api.close()
            self._api = None
        if self._connector is not None:
            await self._connector.close()

    @property
    def server(self) -> str:
        """The address of the API server, for messages."""
        return str(self._api.configuration.host) if self._api else "(not connected)"

    def session(self) -> aiohttp.ClientSession:
        """Return a second session with the same connections and credentials, for the library that hosts the process.

        Closing it does not close this client.
        """
        if self._api is None:
            raise Unavailable(0, "Closed", "the client is closed")
        api = self._api
        if api.rest_client.pool_manager is None:
            api.rest_client.pool_manager = api.rest_client._create_pool_manager()

        async def authenticate(
            request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
        ) -> aiohttp.ClientResponse:
            headers: dict[str, str] = {}
            await api.update_params_for_auth(headers, [], ["BearerToken"], request.url.path, request.method, None)
            request.headers.update(headers)
            return await handler(request)

        return aiohttp.ClientSession(
            connector=api.rest_client.pool_manager.connector, connector_owner=False, middlewares=(authenticate,)
        )

    async def get(
        self, path: str, query: Query | None = None, *, accept: str = "application/json", max_bytes: int | None = None
    ) -> Document:
        """GET a path, with a response of at most ``max_bytes``. Raises ``TooLarge``."""
        return await self._request("GET", path, query, accept=accept, max_bytes=max_bytes)

    async def post(self, path: str, body: Document, query: Query | None = None) -> Document:
        """POST a document."""
        return await self._request("POST", path, query, body=body)

    async def put(self, path: str, body: Document, query: Query | None = None) -> Document:
        """PUT a document."""
        return await self._request("PUT", path, query, body=body)

    async def patch(
        self, path: str, body: Document, query: Query | None = None, *, content_type: str = MERGE
    ) -> Document:
        """PATCH with a merge patch, or with the patch type ``content_type``."""
        return await self._request("PATCH", path, query, body=body, content_type=content_type)

    async def apply(self, path: str, body: Document, *, manager: str, force: bool) -> Document:
        """Apply a document (server-side apply).

        Without ``force`` a field that another manager owns raises ``Conflict``.
        """
        query = {"fieldManager": manager, "force": "true" if force else "false"}
        return await self.patch(path, body, query, content_type=APPLY)

    async def delete(self, path: str, body: Document | None = None) -> Document:
        """DELETE a path; ``body`` are DeleteOptions."""
        return await self._request("DELETE", path, None, body=body)

    async def watch(
        self,
        path: str,
        query: Query,
        *,
        accept: str = "application/json",
        silence: float = 330.0,
        opened: Callable[[], None] = lambda: None,
    ) -> AsyncIterator[Document]:
        """Yield the events of a watch until the server ends it.

        Raises ``ApiError`` if the server refuses or the connection breaks. ``silence`` is the maximum time in seconds
        without a byte: the caller asks the server for bookmarks. ``opened`` is called when the server accepts the
        watch.
        """
        timeout = aiohttp.ClientTimeout(total=None, connect=CONNECT_TIMEOUT, sock_read=silence)
        try:
            response = await self._send("GET", path, {**query, "watch": "true"}, None, None, accept, timeout)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(0, "NoAnswer", f"WATCH {self.server}{path}: {describe_network_error(error)}") from error
        try:
            if response.status != 200:
                raise error_of(response.status, await body_of(response, ERROR_BYTES))
            opened()
            async for line in _lines(response, self._page_bytes):
                yield parse_pruned(line, max_depth=MAX_DEPTH)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unavailable(
                0, "ConnectionLost", f"WATCH {self.server}{path}: {describe_network_error(error)}"
            ) from error
        except Unreadable as error:
            raise Unavailable(0, "Unreadable", f"WATCH {path}: {error}") from None
        except Malformed as error:
            raise Unavailable(0, "NotJSON", f"WATCH {path}: the stream ended in the middle of an event") from error
        finally:
            response.close()

    async def _request(
        self,
        verb: str,
        path: str,
        query: Query | None,
        *,
        body: Document | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        max_bytes: int | None = None,
    ) -> Document:
        if self._bucket is not None and (wait := self._bucket.reserve(time.monotonic())) > 0:
            await asyncio.sleep(wait)
        async with self._slots:
            seconds = self._seconds(verb)
            limits = aiohttp.ClientTimeout(total=seconds, connect=CONNECT_TIMEOUT)
            began = time.perf_counter()
            status = 0
            try:
                response = await self._send(verb, path, query, body, content_type, accept, limits)
                try:
                    status = response.status
                    data = await body_of(response, (max_bytes or self._page_bytes) if status < 300 else ERROR_BYTES)
                    retry_after = response.headers.get("Retry-After")
                finally:
                    response.release()
                if status >= 300:
                    raise error_of(status, data, retry_after=retry_after)
                document = parse_pruned(data, max_depth=MAX_DEPTH) if data else {}
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise Unavailable(
                    0,
                    "NoAnswer",
                    f"{verb} {self.server}{path}: {describe_network_error(error, seconds=seconds)}",
                ) from error
            except AnswerTooLarge as error:
                kind = TooLarge if status < 300 else Unavailable
                raise kind(status, "TooLarge", f"{verb} {path}: {error}") from None
            except Unreadable as error:
                raise Unavailable(status, "Unreadable", f"{verb} {path}: {error}") from None
            except Malformed as error:
                raise Unavailable(status, "NotJSON", f"{verb} {path}: the answer is not JSON") from error
            finally:
                took = time.perf_counter() - began
                if REQUESTS_LOG.isEnabledFor(logging.DEBUG):
                    log.debug("request", verb=verb, path=path, status=status, seconds=round(took, 4))
                if self._observe is not None:
                    self._observe(verb, self.server, path, status, took)
        return document if isinstance(document, dict) else {}

    def _seconds(self, verb: str) -> float:
        """Return the time-out of a request. Raises ``NotLeading`` for a write if the fence is closed.

        A write ends before another process may lead, so that none is under way then as far as this process knows.
        """
        if self._fence is None or verb in READS:
            return self._timeout
        return min(self._timeout, self._fence.seconds())

    async def _send(
        self,
        verb: str,
        path: str,
        query: Query | None,
        body: Document | None,
        content_type: str | None,
        accept: str,
        limits: aiohttp.ClientTimeout,
    ) -> aiohttp.ClientResponse:
        if self._api is None:
            raise Unavailable(0, "Closed", "the client is closed")
        if not PATH.fullmatch(path):  # a name in it could lead to another path
            raise Invalid(0, "PathUnusable", f"{verb}: invalid path {path}")
        url = self._api.configuration.host + path + (f"?{urlencode(query)}" if query else "")
        for attempt in (1, 2):
            headers = {"Accept": accept, "User-Agent": self._api.user_agent, **IDENTITY_ENCODING}
            if content_type is not None:
                headers["Content-Type"] = content_type
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, verb, body)
            answer = await self._api.call_api(verb, url, headers, body, _request_timeout=limits)
            response: aiohttp.ClientResponse = answer.response
            if response.status == 401 and attempt == 1 and _forget_token(self._api.configuration):
                response.release()
                continue
            return response
        raise Unauthorized(401, "Unauthorized", "the API server does not accept the token")  # pragma: no cover


async def _lines(response: aiohttp.ClientResponse, max_bytes: int) -> AsyncIterator[bytes]:
    """Split a stream at newlines, with a limit on the length of a line in place of aiohttp's."""
    check_encoding(response)
    rest = b""
    async for chunk in response.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n") if rest else chunk.split(b"\n")
        for line in lines:
            if line:
                yield line
        if len(rest) > max_bytes:
            raise AnswerTooLarge(f"an event has more than {max_bytes} bytes")
    if rest.strip():
        yield rest


class TokenFile:
    """A token that is read from its file each minute, and at once after a 401.

    The library reads the ``tokenFile`` of a kubeconfig only once, and does not read the token of a pod after a 401.
    """

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._path = path
        self._clock = clock
        self._fresh_until = 0.0

    def __call__(self, configuration: Configuration) -> None:
        """Set the token of the configuration; the library calls this before each request."""
        if self._clock() >= self._fresh_until:
            with suppress(OSError):  # between two versions of a mounted file the old token is still valid
                configuration.api_key["BearerToken"] = f"Bearer {self._path.read_text().strip()}"
                self._fresh_until = self._clock() + TOKEN_FILE_PERIOD

    def forget(self) -> None:
        """Read the file again before the next request."""
        self._fresh_until = 0.0


def _forget_token(configuration: Configuration) -> bool:
    """Read the token again before the next request; return False if it is not in a file."""
    hook = configuration.refresh_api_key_hook
    if isinstance(hook, TokenFile):
        hook.forget()
        return True
    return False
