"""What is tested, and the result of each step.

StepFailed          a step found what is wrong; the probe ends
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from integration_operator.runtime.text import sanitized

Operation = Literal["send", "recv"]


class StepName(StrEnum):
    """The steps, in their order."""

    NAME = "name"
    TCP = "TCP"
    TLS = "TLS"
    LOG_IN = "log-in"
    PERMISSION = "permission"
    MESSAGE = "message"


class Outcome(StrEnum):
    """What came of a step."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_TRIED = "not tried"


class Reason(StrEnum):
    """Why a step failed, for programs and for the choice of a next step."""

    NO_SUCH_HOST = "NoSuchHost"
    NAME_SERVER_FAILED = "NameServerFailed"
    CONNECTION_REFUSED = "ConnectionRefused"
    HOST_UNREACHABLE = "HostUnreachable"
    NO_TLS_PORT = "NoTLSPort"
    CERTIFICATE_EXPIRED = "CertificateExpired"
    CERTIFICATE_NOT_YET_VALID = "CertificateNotYetValid"
    CERTIFICATE_NOT_TRUSTED = "CertificateNotTrusted"
    CERTIFICATE_OF_ANOTHER_HOST = "CertificateOfAnotherHost"
    CA_MALFORMED = "CAMalformed"
    TLS_FAILED = "TLSFailed"
    NO_AMQP = "NoAMQP"
    NO_PLAIN = "NoPlain"
    CREDENTIAL_REFUSED = "CredentialRefused"
    LOG_IN_UNAVAILABLE = "LogInUnavailable"
    BROKER_CLOSED = "BrokerClosed"
    NOT_PERMITTED = "NotPermitted"
    NO_SUCH_ADDRESS = "NoSuchAddress"
    LINK_REFUSED = "LinkRefused"
    MESSAGE_REFUSED = "MessageRefused"
    MESSAGE_NOT_RECEIVED = "MessageNotReceived"
    NO_ANSWER = "NoAnswer"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A broker and a user of it.

    With ``tls``, the broker must show a certificate for ``host`` that ``ca`` (PEM) has signed; without a ``ca``, one
    that this machine trusts. ``via`` is another host and port to connect to, such as the local end of a forwarded port.
    """

    host: str
    port: int
    tls: bool
    username: str
    password: str = field(repr=False)
    ca: str | None = None
    via: tuple[str, int] | None = None

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of the TCP connection."""
        return self.via or (self.host, self.port)


@dataclass(frozen=True, slots=True)
class Use:
    """What is tried after the log-in.

    Without an ``address``, nothing. At an address, whether the user may do the ``operations`` there, which transfers
    nothing. With ``message``, one is sent and received there, as far as the operations allow.
    """

    address: str | None = None
    operations: tuple[Operation, ...] = ()
    message: bool = False

    @property
    def chosen(self) -> tuple[Operation, ...]:
        """The operations, both if none is named."""
        return self.operations or ("send", "recv")


@dataclass(frozen=True, slots=True)
class Step:
    """The result of one step. ``detail`` is one line that is safe to print. ``reason`` is set if the step failed."""

    name: StepName
    outcome: Outcome
    detail: str
    reason: Reason | None = None


class StepFailed(Exception):
    """A step found what is wrong. Texts of the broker are bounded, and safe to print."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = sanitized(detail)
