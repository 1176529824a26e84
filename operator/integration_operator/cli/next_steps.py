"""What a user can do about a step of a connection test that failed."""

from __future__ import annotations

from integration_operator.messaging import Endpoint, Reason, Step, StepName

INSIDE = (".svc", ".svc.cluster.local")
"""Ends of names that only the cluster's name server knows."""

NEXT_STEPS: dict[Reason, str] = {
    Reason.NO_SUCH_HOST: "ask the owner of the AddressSpace if its messaging endpoint exists",
    Reason.NAME_SERVER_FAILED: "try again; if it stays, check the name server of this machine or cluster",
    Reason.CONNECTION_REFUSED: "check that the broker runs, and that its Service has this port",
    Reason.HOST_UNREACHABLE: "check NetworkPolicies and firewalls on the way to the broker",
    Reason.NO_TLS_PORT: "check the port of the endpoint, or set spec.tls of the Integration to disabled",
    Reason.CERTIFICATE_EXPIRED: "the owner of the AddressSpace must renew the certificate of its messaging endpoint",
    Reason.CERTIFICATE_NOT_YET_VALID: "set the clock of this machine, or wait",
    Reason.CERTIFICATE_NOT_TRUSTED: "give the broker's CA with --ca; if that works, the owner of the AddressSpace must "
    "correct the CA in its status",
    Reason.CERTIFICATE_OF_ANOTHER_HOST: "the owner of the AddressSpace must have a certificate made for this host; if "
    "the port is forwarded, use --connect",
    Reason.CA_MALFORMED: "give a file with PEM certificates with --ca",
    Reason.TLS_FAILED: "check which versions of TLS the broker accepts; this machine needs 1.2 or newer",
    Reason.NO_AMQP: "check that the port is that of AMQP, and not of HTTP, WebSocket or MQTT",
    Reason.NO_PLAIN: "the AddressSpace needs an authentication service of type standard",
    Reason.CREDENTIAL_REFUSED: "check the condition UserReady of the Integration; to replace the credential, use "
    "integration-operator rotate",
    Reason.LOG_IN_UNAVAILABLE: "check that EnMasse's authentication service runs",
    Reason.BROKER_CLOSED: "check the broker's log, and its limit of connections",
    Reason.NOT_PERMITTED: "set spec.authorization of the Integration so that it covers the address",
    Reason.NO_SUCH_ADDRESS: "create the Address in the AddressSpace, or give another one with --address",
    Reason.LINK_REFUSED: "check the address and the broker's log",
    Reason.MESSAGE_REFUSED: "check if the address is full, or has a limit for messages",
    Reason.MESSAGE_NOT_RECEIVED: "check if another client receives from the address; test with an address of its own",
    Reason.NO_ANSWER: "check NetworkPolicies and firewalls on the way to the broker, and that it runs",
}

NO_ANSWER: dict[StepName, str] = {
    StepName.TLS: "check that the port speaks TLS, and that the broker runs",
    StepName.LOG_IN: "check that the port does not require TLS, and that the broker runs",
    StepName.PERMISSION: "check the broker's log",
    StepName.MESSAGE: "check if the address is full",
}


def next_step(step: Step, endpoint: Endpoint, *, of_integration: bool) -> str:
    """Return the next step for a failed one; empty for any other.

    ``of_integration`` is False if the user, or a pod, named the endpoint itself.
    """
    if step.reason is None:
        return ""
    if of_integration and step.reason is Reason.NO_SUCH_HOST and endpoint.address[0].endswith(INSIDE):
        return (
            "only the cluster knows this name: test from a pod (--from-pod), use the endpoint for clients outside "
            "(--external), or forward a port to the broker and use --connect"
        )
    if step.reason is Reason.NO_ANSWER:
        return NO_ANSWER.get(step.name, NEXT_STEPS[step.reason])
    return NEXT_STEPS[step.reason]
