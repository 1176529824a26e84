"""Users are told what Syndesis knows: that a deleted connection was in use, and whether a created one works.

Neither holds anything up: the connection goes all the same, and a verdict on it is no more than advice.
"""

from __future__ import annotations

from typing import Any

import pytest

from integration_operator_sandbox.platforms.syndesis_server import SyndesisServer
from tests.support.deliveries import PASSWORD, Deliverer, Wish

WISH = Wish()


def result(status: Any = "ERROR", description: Any = "it is away", code: Any = "CONNECTION") -> dict[str, Any]:
    """Return one result of the verifier."""
    return {"status": status, "scope": "CONNECTIVITY", "errors": [{"code": code, "description": description}]}


class TestUse:
    @pytest.mark.parametrize(("uses", "said"), [(1, "1 integration uses it"), (3, "3 integrations use it")])
    async def test_a_removed_connection_that_was_in_use_is_named(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer, uses: int, said: str
    ) -> None:
        await deliverer.deliver(WISH)
        syndesis_server.put_stored(syndesis_server.stored()[WISH.id] | {"uses": uses})
        warning = await deliverer.withdraw(WISH)
        assert warning.endswith(said)
        assert WISH.shown_name in warning
        assert syndesis_server.stored() == {}

    @pytest.mark.parametrize("uses", [0, "3", None])
    async def test_nothing_is_said_of_one_that_nobody_used(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer, uses: Any
    ) -> None:
        await deliverer.deliver(WISH)
        syndesis_server.put_stored(syndesis_server.stored()[WISH.id] | {"uses": uses})
        assert await deliverer.withdraw(WISH) == ""
        assert syndesis_server.stored() == {}

    async def test_nothing_is_said_of_one_that_was_not_there(self, deliverer: Deliverer) -> None:
        assert await deliverer.withdraw(WISH) == ""


OK = {"status": "OK", "scope": "PARAMETERS"}
VERDICTS: dict[str, tuple[Any, bool, str, str]] = {
    "works": ([OK, OK], True, "Verified", "it works"),
    "an error": ([OK, result()], False, "VerificationFailed", "it is away"),
    "two errors": (
        [{"status": "ERROR", "errors": [{"description": "one"}, {"code": "TWO"}]}],
        False,
        "VerificationFailed",
        "one; TWO",
    ),
    "an error without a word": ([{"status": "ERROR"}], False, "VerificationFailed", "no reason given"),
    "unsupported": ([{"status": "UNSUPPORTED"}], False, "VerificationUnsupported", "cannot test"),
    "the backend is away": (
        [result(code="SYNDESIS000", description="Unable to perform verification")],
        False,
        "VerifierUnavailable",
        "Unable to perform verification",
    ),
    "nothing tried": ([], False, "VerifierUnavailable", "returned no result"),
    "no status": ([{"scope": "PARAMETERS"}], False, "VerifierUnavailable", "no reason given"),
    "another status": ([result(status="MAYBE")], False, "VerifierUnavailable", "it is away"),
    "a number for errors": ([{"status": "ERROR", "errors": 7}], False, "VerificationFailed", "no reason given"),
    "texts for errors": ([{"status": "ERROR", "errors": ["x"]}], False, "VerificationFailed", "no reason given"),
    "a list for a description": ([result(description=["a"])], False, "VerificationFailed", "CONNECTION"),
    "texts for results": (["OK"], False, "VerifierUnavailable", "the verifier's answer has an unexpected type"),
    "an object": ({"status": "OK"}, False, "VerifierUnavailable", "the verifier's answer has an unexpected type"),
}


class TestVerdict:
    @pytest.mark.parametrize(("answer", "allowed", "reason", "message"), VERDICTS.values(), ids=VERDICTS)
    async def test_what_the_verifier_says_is_advice(
        self,
        deliverer: Deliverer,
        syndesis_server: SyndesisServer,
        answer: Any,
        allowed: bool,
        reason: str,
        message: str,
    ) -> None:
        syndesis_server.verifier_answer = answer
        verified = (await deliverer.deliver(WISH, verify=True)).verified
        assert verified is not None
        assert (verified.passed, verified.reason) == (allowed, reason)
        assert message in verified.message
        assert list(syndesis_server.stored()) == [WISH.id]

    async def test_the_password_that_is_tried_is_the_one_that_is_stored(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer
    ) -> None:
        await deliverer.deliver(WISH, verify=True)
        assert syndesis_server.verified[-1]["password"] == PASSWORD

    @pytest.mark.parametrize("status", [0, 302, 400, 401, 403, 404, 500, 503])
    async def test_a_verifier_that_does_not_answer_holds_nothing_up(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer, status: int
    ) -> None:
        syndesis_server.fail(times=2, status=status, path_prefix="/api/v1/connectors/amqp/verifier")
        made = await deliverer.deliver(WISH, verify=True)
        assert made.confirmed(made.applied, made.credentials, made.platform)
        assert made.verified is not None
        assert made.verified.reason == "VerifierUnavailable"

    async def test_a_secret_that_the_verifier_repeats_is_masked(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer
    ) -> None:
        await deliverer.deliver(WISH)
        ciphertext = syndesis_server.stored()[WISH.id]["configuredProperties"]["password"]
        syndesis_server.verifier_answer = [result(description=f"user x, {PASSWORD} or {ciphertext}, is not known")]
        verified = (await deliverer.deliver(WISH, verify=True)).verified
        assert verified is not None
        assert verified.message.endswith("user x, *** or ***, is not known")

    async def test_a_secret_is_masked_before_the_message_is_cut(
        self, deliverer: Deliverer, syndesis_server: SyndesisServer
    ) -> None:
        for code in ("CONNECTION", "SYNDESIS000"):
            said = "x" * (1024 - len(PASSWORD) // 2) + PASSWORD + "y" * 100_000
            syndesis_server.verifier_answer = [result(description=said, code=code)]
            verified = (await deliverer.deliver(WISH, verify=True)).verified
            assert verified is not None
            assert PASSWORD[:5] not in verified.message
            assert len(verified.message) < 1100

    async def test_a_changed_connection_has_to_be_tried_anew(self, deliverer: Deliverer) -> None:
        assert (await deliverer.deliver(WISH, verify=True)).verified
        assert (await deliverer.deliver(WISH)).verified, "as it was tried"
        assert (await deliverer.deliver(WISH.but(password="second"))).verified is None
