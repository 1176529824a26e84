"""docs/reference/template-variables.md: what a template can use, from the samples that templates are checked with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from integration_operator.rendering.samples import SAMPLES
from integration_operator.rendering.templates import with_identity
from tools.reference.markdown import GENERATED, code, codes, table

HEAD = f"""\
# Variables of templates

{GENERATED.format(source="operator/integration_operator/rendering/samples.py")}
[Templates](../templates.md) says how to write a template, and what is refused. A variable that a template does not
have is an error.

"""

MEANINGS = {
    "apiVersion": "of the document",
    "kind": "of the document",
    "metadata.name": "of the document",
    "metadata.namespace": "of the document",
    "metadata.labels": "labels that the document must have",
    "metadata.annotations": "annotations that it must have",
    "metadata.ownerReferences": "its owners",
    "space.namespace": "namespace of the AddressSpace",
    "space.name": "name of the AddressSpace",
    "space.uid": "its uid",
    "space.realm": "its realm in Keycloak",
    "syndesis": "the Syndesis; none for a binding",
    "syndesis.namespace": "its namespace",
    "syndesis.name": "its name",
    "syndesis.uid": "its uid",
    "integration.namespace": "namespace of the Integration",
    "integration.name": "name of the Integration",
    "integration.consumer": "`syndesis` or `binding`",
    "integration.enabled": "initial value of `spec.enabled`",
    "authorization": "what the user may do: each item has `operations` and `addresses`",
    "secret.name": "the Secret with the credential",
    "secret.usernameKey": "its key with the user name",
    "secret.passwordKey": "its key with the password",
    "credential.username": "user name of the credential",
    "credential.password": "its password, as text",
    "transport": "the way to the broker; none in a Secret while the AddressSpace shows none",
    "transport.scheme": "`amqps` or `amqp`",
    "transport.host": "host of the broker",
    "transport.port": "its port",
    "transport.server": "its URI",
    "transport.uri": "its URI, with an option for Syndesis's connector",
    "transport.certificate": "CA of the broker as PEM; none without TLS, and if EnMasse shows no CA",
}
"""What each variable is. A group has an entry of its own if it may be none."""

TYPES = {str: "text", int: "number", bool: "true or false", list: "list", dict: "map", type(None): "none"}
MAPS = ("labels", "annotations")
"""Maps whose keys are no variables of their own."""


def page() -> str:
    """Return the text of the page."""
    found = variables()
    rows = (
        (code(name), " or ".join(sorted(found[name].types)), found[name].place, meaning)
        for name, meaning in MEANINGS.items()
    )
    return HEAD + table(("variable", "type", "in", "meaning"), rows)


class Variable:
    """The types that a variable has in samples, and the templates that have it."""

    def __init__(self) -> None:
        self.types: set[str] = set()
        self.templates: set[str] = set()

    @property
    def place(self) -> str:
        """The templates, in words."""
        return "all" if self.templates == set(SAMPLES) else codes(sorted(self.templates))


def variables() -> dict[str, Variable]:
    """Return all variables by name."""
    found: dict[str, Variable] = defaultdict(Variable)
    for template, samples in SAMPLES.items():
        for identity, given in samples:
            for name, value in _flat(with_identity(identity, given)):
                found[name].types.add(TYPES[type(value)])
                found[name].templates.add(template)
    return found


def _flat(variables: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in variables.items():
        yield prefix + name, value
        if isinstance(value, dict) and name not in MAPS:
            yield from _flat(value, f"{prefix}{name}.")
