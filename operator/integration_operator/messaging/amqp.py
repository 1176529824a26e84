"""The steps of AMQP 1.0: log-in, links and one message, with python-qpid-proton's protocol engine.

The engine does no I/O: this module gives it the bytes of a connection that is open, and sends what it answers. So the
log-in by SASL PLAIN uses the connection on which the broker was verified, and no CA has to be written to a file.
"""

from __future__ import annotations

import importlib.util
import socket
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from integration_operator.messaging.deadline import Deadline
from integration_operator.messaging.model import Endpoint, Reason, StepFailed

READ = 16 * 1024
TICK = 1.0
"""Seconds after which heartbeats are due at the latest."""

MESSAGE_LIFE = 60
"""Seconds after which the broker may drop a message that was not received."""

MARK = "connectionTest"
"""The property of the message that a selector finds; a hyphen is not allowed in it (JMS 2.0, section 3.8.1.1)."""

BUFFER = 1024 * 1024
"""Bytes of messages that the broker may send before they are read."""

MOST_OTHERS = 100
"""Messages of others that are held until the own one comes, from a broker that ignores the selector."""

GOODBYE = 2.0


def available() -> bool:
    """Check if the protocol engine is installed."""
    return importlib.util.find_spec("proton") is not None


class Session:
    """A connection that is logged in, with one session. ``log_in`` comes first, ``close`` last."""

    def __init__(self, channel: socket.socket, endpoint: Endpoint) -> None:
        import proton

        self._proton = proton
        self._channel = channel
        self._endpoint = endpoint
        self._connection = proton.Connection()
        self._connection.hostname = endpoint.host
        self._connection.container = f"connection-test-{uuid.uuid4()}"
        self._connection.user, self._connection.password = endpoint.username, endpoint.password
        self._transport = proton.Transport()
        self._sasl = self._transport.sasl()
        self._sasl.allowed_mechs("PLAIN")
        self._sasl.allow_insecure_mechs = True  # the engine does not see that TLS is below it
        self._transport.bind(self._connection)
        self._session = self._connection.session()
        self._session.incoming_capacity = BUFFER
        self._ended = False

    def log_in(self, deadline: Deadline) -> None:
        """Log in and open the connection. Raises ``StepFailed``."""
        self._connection.open()
        self._session.open()
        self._run(lambda: self._connection.state & self._proton.Endpoint.REMOTE_ACTIVE, "log-in", deadline)

    def open_sender(self, address: str, deadline: Deadline) -> Any:
        """Return a link that sends to an address. Raises ``StepFailed`` if the broker refuses it."""
        sender = self._session.sender(f"send-{uuid.uuid4()}")
        sender.target.address = address
        self._open_link(sender, f"sending to {address}", deadline)
        return sender

    def open_receiver(self, address: str, mark: str, deadline: Deadline) -> Any:
        """Return a link that receives marked messages from an address. Raises ``StepFailed`` if it is refused."""
        from proton.reactor import Selector

        receiver = self._session.receiver(f"recv-{uuid.uuid4()}")
        receiver.source.address = address
        Selector(f"{MARK} = '{mark}'").apply(receiver)
        self._open_link(receiver, f"receiving from {address}", deadline)
        return receiver

    def send(self, sender: Any, mark: str, deadline: Deadline) -> None:
        """Send one marked message, and wait until the broker has accepted it. Raises ``StepFailed``."""
        message = self._proton.Message(
            id=mark, address=sender.target.address, ttl=MESSAGE_LIFE, durable=False, properties={MARK: mark},
            body="A test of the connection.",
        )  # fmt: skip
        self._run(lambda: sender.credit > 0, f"credit to send to {sender.target.address}", deadline)
        delivery = sender.send(message)
        self._run(lambda: delivery.settled or delivery.remote_state, "acceptance of the message", deadline)
        if delivery.remote_state != self._proton.Delivery.ACCEPTED:
            raise StepFailed(
                Reason.MESSAGE_REFUSED,
                f"the broker does not accept a message for {sender.target.address}{_why(delivery.remote.condition)}",
            )

    def receive(self, receiver: Any, mark: str, deadline: Deadline) -> None:
        """Receive the marked message. Those of others go back to the broker. Raises ``StepFailed``."""
        others: list[Any] = []
        try:
            for _ in range(MOST_OTHERS):
                receiver.flow(1)
                self._run(lambda: _complete(receiver), "the message", deadline)
                message = self._proton.Message()
                delivery = message.recv(receiver)
                if (message.properties or {}).get(MARK) == mark:
                    delivery.update(self._proton.Delivery.ACCEPTED)
                    delivery.settle()
                    return
                others.append(delivery)
        except StepFailed as failure:
            if failure.reason is not Reason.NO_ANSWER:
                raise
            raise StepFailed(
                Reason.MESSAGE_NOT_RECEIVED,
                f"the broker accepted the message, and did not deliver it in {deadline.seconds:g} s",
            ) from None
        finally:
            for delivery in others:
                delivery.update(self._proton.Delivery.RELEASED)
                delivery.settle()
        raise StepFailed(
            Reason.MESSAGE_NOT_RECEIVED, f"{MOST_OTHERS} messages of others came before the one that was sent"
        )

    def close(self) -> None:
        """Say goodbye, if the broker still listens. Does not raise."""
        closed = self._proton.Endpoint.REMOTE_CLOSED
        self._connection.close()
        with suppress(StepFailed, OSError, self._proton.ProtonException):
            self._run(lambda: self._ended or self._connection.state & closed, "goodbye", Deadline(GOODBYE))

    def _open_link(self, link: Any, what: str, deadline: Deadline) -> None:
        """Open a link. A broker refuses one by an answer without a source or target, then closes it with a reason."""
        endpoint, unspecified = self._proton.Endpoint, self._proton.Terminus.UNSPECIFIED
        link.open()

        def answered() -> bool:
            if link.state & endpoint.REMOTE_CLOSED:
                return True
            terminus = link.remote_target if link.is_sender else link.remote_source
            return bool(link.state & endpoint.REMOTE_ACTIVE) and terminus.type != unspecified

        self._run(answered, what, deadline)
        if link.state & endpoint.REMOTE_CLOSED:
            condition = link.remote_condition
            link.close()
            raise _link_refused(what, condition)

    def _run(self, done: Callable[[], Any], waiting_for: str, deadline: Deadline) -> None:
        """Exchange bytes with the broker until ``done``. Raises ``StepFailed`` if that does not happen."""
        try:
            while True:
                self._transport.tick(time.monotonic())
                self._write(waiting_for, deadline)
                if done():
                    return
                self._check_open()
                self._read(waiting_for, deadline)
        except self._proton.ProtonException as error:
            raise StepFailed(Reason.NO_AMQP, f"the broker's answer is not AMQP 1.0: {error}") from None

    def _write(self, waiting_for: str, deadline: Deadline) -> None:
        while (pending := self._transport.pending()) > 0:
            data = self._transport.peek(pending)
            self._channel.settimeout(deadline.left(waiting_for))
            try:
                self._channel.sendall(data)
            except TimeoutError:
                raise deadline.passed(waiting_for) from None
            except OSError:
                self._end()
                return
            self._transport.pop(len(data))

    def _read(self, waiting_for: str, deadline: Deadline) -> None:
        self._channel.settimeout(min(deadline.left(waiting_for), TICK))
        try:
            data = self._channel.recv(READ)
        except TimeoutError:
            return
        except OSError:
            data = b""
        if not data:
            self._end()
        while data and (room := self._transport.capacity()) > 0:
            self._transport.push(data[:room])
            data = data[room:]

    def _end(self) -> None:
        """Note that the broker has closed the TCP connection."""
        self._ended = True
        with suppress(self._proton.ProtonException):
            self._transport.close_tail()

    def _check_open(self) -> None:
        """Raise ``StepFailed`` if the broker refuses the log-in, or has closed the connection."""
        endpoint, sasl = self._proton.Endpoint, self._proton.SASL
        user = f"user {self._endpoint.username!r}"
        if self._sasl.outcome == sasl.AUTH:
            if "mech=none" in str(self._transport.condition) or not self._sasl.mech:
                raise StepFailed(Reason.NO_PLAIN, "the broker does not offer the log-in with a password (SASL PLAIN)")
            raise StepFailed(Reason.CREDENTIAL_REFUSED, f"the broker refuses {user}, or the password")
        if self._sasl.outcome not in (None, sasl.OK):
            raise StepFailed(Reason.LOG_IN_UNAVAILABLE, f"the broker cannot check the password of {user} now")
        if self._connection.state & endpoint.REMOTE_CLOSED:
            condition = self._connection.remote_condition
            raise StepFailed(Reason.BROKER_CLOSED, f"the broker closed the connection of {user}{_why(condition)}")
        if self._ended or self._transport.condition is not None:
            if self._sasl.outcome is None:
                raise StepFailed(Reason.NO_AMQP, f"port {self._endpoint.address[1]} does not speak AMQP 1.0 with SASL")
            raise StepFailed(Reason.BROKER_CLOSED, f"the connection of {user} ended{_why(self._transport.condition)}")


def _complete(receiver: Any) -> bool:
    delivery = receiver.current
    return delivery is not None and delivery.readable and not delivery.partial


def _link_refused(what: str, condition: Any) -> StepFailed:
    name = condition.name if condition is not None else ""
    if name == "amqp:unauthorized-access":
        return StepFailed(Reason.NOT_PERMITTED, f"{what} is not permitted{_why(condition)}")
    if name == "amqp:not-found":
        return StepFailed(Reason.NO_SUCH_ADDRESS, f"{what}: the address does not exist{_why(condition)}")
    return StepFailed(Reason.LINK_REFUSED, f"{what} is refused{_why(condition)}")


def _why(condition: Any) -> str:
    """Return the broker's own words, after a colon."""
    words = [condition.name, condition.description] if condition is not None else []
    return "".join(f": {word}" for word in words if word)
