"""No password in any log, event, status, metric or error text, whatever happens to it."""

from __future__ import annotations

import base64
import io
import json

from prometheus_client import generate_latest

from integration_operator.domain.model import naming
from integration_operator.runtime.ref import Ref
from tests.support.documents import decoded
from tests.support.world import World


async def test_nothing_shows_a_password(world: World, operator_log: io.StringIO) -> None:
    async with world.platforms(), world.operator(enable_new=True):
        pair = await world.pair()
        await world.has_reason(pair, "Ready")
        secret = (await world.children(pair))["Secret"]
        assert secret is not None
        password = decoded(secret)["password"]
        guess = "guessed-by-a-user"
        edited = {"data": {"password": base64.b64encode(guess.encode()).decode()}}
        await world.patch("Secret", naming.secret_ref(pair), edited)
        await world.delete("MessagingUser", naming.user_ref(pair))
        await world.has_reason(pair, "Ready")
        own = Ref(pair.syndesis.namespace, "own")
        stranger = {"login": base64.b64encode(b"UPPER").decode(), "word": base64.b64encode(b"third-word").decode()}
        await world.create("Secret", *own, metadata={"labels": {"integreatly.org/integration": "x"}}, data=stranger)
        ref = Ref(pair.syndesis.namespace, naming.integration_name(pair))
        keys = {"name": "own", "usernameKey": "login", "passwordKey": "word"}
        await world.patch("Integration", ref, {"spec": {"credentialsSecretRef": keys}})
        await world.has_reason(pair, "UsernameInvalid")
        shown = [
            json.dumps(await world.items("Integration")),
            json.dumps(await world.items("Event", pair.syndesis.namespace)),
            json.dumps(await world.items("Connection")),
            generate_latest().decode(),
            world.control_plane.audit_log.read_text(),
        ]
    logged = operator_log.getvalue()
    shown.append(logged)
    assert '"applied"' in logged, "the operator logged what it did"
    for text in shown:
        for word in (password, guess, "third-word"):
            assert word not in text
            assert base64.b64encode(word.encode()).decode() not in text
