"""Sample variables; templates are checked with them at start."""

from __future__ import annotations

from typing import Any

from integration_operator.domain.model.credential import Credential
from integration_operator.domain.model.pair import Pair
from integration_operator.domain.model.platforms import AddressSpace, Syndesis
from integration_operator.domain.plan import manifests as desired
from integration_operator.domain.plan.manifests import Identity, TemplateName, transport_variables
from integration_operator.domain.policies.readiness import Transport
from integration_operator.runtime.ref import Ref

Document = dict[str, Any]

_PAIR = Pair(Ref("shop", "orders"), Ref("fuse", "syndesis"))
_SPACE = AddressSpace(_PAIR.space, "11111111-0000-4000-8000-000000000001", "enmasse.io/v1beta1", realm="shop-orders")
_SYNDESIS = Syndesis(_PAIR.syndesis, "11111111-0000-4000-8000-000000000002", "syndesis.io/v1beta3")
_CREDENTIAL = Credential("fuse-syndesis-00000000", "sample-password")
_TRANSPORTS = (
    Transport("amqps", "messaging.enmasse.svc", 5671, "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"),
    Transport("amqp", "messaging.enmasse.svc", 5672),
)
_OF_TRANSPORT: dict[str, list[Document]] = {
    "connection": [transport_variables(transport) for transport in _TRANSPORTS],
    "secret": [transport_variables(transport) for transport in (*_TRANSPORTS, None)],
}
_OWNER = desired.owner_reference(
    "integreatly.org/v1alpha1", "Integration", "sample", "11111111-0000-4000-8000-000000000003"
)


def _identity(api_version: str, kind: str, *, owned: bool) -> Identity:
    return desired.identity(_PAIR, api_version, kind, Ref("fuse", "sample"), (_OWNER,) if owned else ())


def _samples(name: TemplateName, api_version: str, kind: str) -> list[tuple[Identity, Document]]:
    credential = None if name in ("integration", "connection") else _CREDENTIAL
    return [
        (
            _identity(api_version, kind, owned=owned),
            desired.variables(_PAIR, _SPACE, _SYNDESIS, credential=credential) | of_transport,
        )
        for owned in (True, False)
        for of_transport in _OF_TRANSPORT.get(name, [{}])
    ]


SAMPLES: dict[TemplateName, list[tuple[Identity, Document]]] = {
    "integration": _samples("integration", "integreatly.org/v1alpha1", "Integration"),
    "secret": _samples("secret", "v1", "Secret"),
    "messaginguser": _samples("messaginguser", "user.enmasse.io/v1beta1", "MessagingUser"),
    "connection": _samples("connection", "syndesis.io/v1alpha1", "Connection"),
}
"""Samples by template, with and without an owner, with and without TLS, the Secret also without a way to the broker."""

_IDENTITY = {"apiVersion", "kind", "metadata"}

VARIABLES: dict[TemplateName, set[str]] = {
    name: {variable for _, variables in samples for variable in variables} | _IDENTITY
    for name, samples in SAMPLES.items()
}
"""The variables of each template."""
