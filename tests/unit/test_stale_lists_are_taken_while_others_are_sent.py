"""The answers that a lagging server would give are taken while the operator sends LISTs of other kinds."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.support.faults.list_proxy import StaleLists


class Answer:
    status = 200

    async def read(self) -> bytes:
        return b"{}"


async def test_a_list_of_another_kind_is_sent_meanwhile() -> None:
    stale = StaleLists(requests={"/api/v1/secrets": {}, "/api/v1/namespaces": {}})

    class Session:
        @asynccontextmanager
        async def get(self, url: object, **_: Any) -> AsyncIterator[Answer]:
            stale.requests[f"/another/for/{url}"] = {}
            yield Answer()

    await stale.take(cast(Any, Session()), "http://127.0.0.1")
    assert stale.answers.keys() == {"/api/v1/secrets", "/api/v1/namespaces"}
    assert len(stale.requests) == 4
