"""The probe: one connection, taken through its steps until one fails."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

from integration_operator.messaging import network
from integration_operator.messaging.amqp import Session
from integration_operator.messaging.deadline import Deadline
from integration_operator.messaging.model import Endpoint, Outcome, Step, StepFailed, StepName, Use
from integration_operator.runtime.text import sanitized


def probe(endpoint: Endpoint, use: Use, *, seconds: float) -> Iterator[Step]:
    """Yield the result of each step as it ends; the last one may be a failure. ``seconds`` limits each step."""
    run = _Probe(endpoint, seconds)
    with run.stack:
        try:
            yield from run.connect()
            yield from run.use(use)
        except StepFailed as failure:
            yield Step(run.step, Outcome.FAILED, failure.detail, failure.reason)


class _Probe:
    """One run. ``step`` is the one that runs now."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self.stack = ExitStack()
        self.step = StepName.NAME
        self._endpoint = endpoint
        self._seconds = seconds
        self._session: Session

    def connect(self) -> Iterator[Step]:
        """Take the connection to the log-in."""
        endpoint = self._endpoint
        host, port = endpoint.address
        addresses = network.resolve(host, port, self._begin(StepName.NAME))
        numbers = ", ".join(dict.fromkeys(str(address[4][0]) for address in addresses))
        yield self._passed(f"{host} is {numbers}" if numbers != host else f"{host} is an address")
        channel, number = network.connect(addresses, self._begin(StepName.TCP))
        self.stack.callback(network.close, channel)
        yield self._passed(f"{number} accepts connections on port {port}")
        deadline = self._begin(StepName.TLS)
        if endpoint.tls:
            secure = network.handshake(channel, endpoint, deadline)
            self.stack.callback(network.close, secure)
            channel = secure
            by = "the CA" if endpoint.ca else "this machine's CAs"
            yield self._passed(f"{secure.version()}, with a certificate for {endpoint.host} that {by} trusts")
        else:
            yield Step(self.step, Outcome.NOT_TRIED, "the endpoint is without TLS: the password is sent in plain text")
        deadline = self._begin(StepName.LOG_IN)
        self._session = Session(channel, endpoint)
        self._session.log_in(deadline)
        self.stack.callback(self._session.close)
        yield self._passed(f"the broker accepts user {endpoint.username!r} and the password")

    def use(self, use: Use) -> Iterator[Step]:
        """Open links for the operations, and transfer a message if asked to."""
        deadline = self._begin(StepName.PERMISSION)
        address, operations = use.address, use.chosen
        if address is None:
            yield Step(self.step, Outcome.NOT_TRIED, "no address was given")
            return
        mark = uuid.uuid4().hex
        sender: Any = None
        receiver: Any = None
        if "send" in operations:
            sender = self._session.open_sender(address, deadline)
        if "recv" in operations:
            receiver = self._session.open_receiver(address, mark, deadline)
        words = " and ".join({"send": "send to", "recv": "receive from"}[operation] for operation in operations)
        yield self._passed(f"the user may {words} {address}")
        if not use.message:
            return
        deadline = self._begin(StepName.MESSAGE)
        if sender is None:
            yield Step(self.step, Outcome.NOT_TRIED, "the user may only receive, and a message is sent first")
            return
        self._session.send(sender, mark, deadline)
        if receiver is None:
            yield self._passed(f"{address} accepted a message; it is not received, because the user may only send")
            return
        self._session.receive(receiver, mark, deadline)
        yield self._passed(f"a message went through {address}")

    def _begin(self, step: StepName) -> Deadline:
        self.step = step
        return Deadline(self._seconds)

    def _passed(self, detail: str) -> Step:
        return Step(self.step, Outcome.PASSED, sanitized(detail))
