"""Connectors of the server, and the connections that every new database has.

The AMQP connector is reduced to what a client depends on: its properties, which of them are secret, and the names of
its actions. The other connectors exist because connections refer to them.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from typing import Any

from integration_operator_sandbox.platforms.syndesis_server.release import Release

Document = dict[str, Any]

AMQP_PROPERTIES = ("connectionUri", "username", "password", "clientID", "skipCertificateCheck")
AMQP_CERTIFICATES = ("brokerCertificate", "clientCertificate")
BUILT_IN = (
    ("api-provider", "API Provider", "Offers an API of your own"),
    ("flow", "Flow", "Joins two flows"),
    ("log", "Log", "Writes messages to the log"),
    ("timer", "Timer", "Starts an integration again and again"),
    ("webhook", "Webhook", "Is called by others over HTTP"),
)
"""Id, name and description, the same for the connector and its connection."""


def amqp_connector(release: Release) -> Document:
    """Return the AMQP connector. Its properties are the same in every release."""
    properties: Document = {
        name: {
            "type": "textarea" if name in AMQP_CERTIFICATES else "string",
            "required": name == "connectionUri",
            "secret": name == "password",
            "kind": "property",
            "order": str(order),
        }
        for order, name in enumerate((*AMQP_PROPERTIES, *AMQP_CERTIFICATES), start=1)
    }
    properties["skipCertificateCheck"] |= {
        "defaultValue": "false",
        "enum": [{"label": "Disable", "value": "true"}, {"label": "Enable", "value": "false"}],
    }
    actions = [
        {"id": f"io.syndesis:amqp-{verb}-action", "name": f"{verb.capitalize()} messages", "actionType": "connector"}
        for verb in ("publish", "subscribe", "request")
    ]
    return {
        "id": "amqp",
        "name": release.amqp_name,
        "icon": release.amqp_icon,
        "componentScheme": "amqp",
        "connectorFactory": "io.syndesis.connector.amqp.AMQPConnectorFactory",
        "tags": ["verifier"],
        "properties": properties,
        "actions": actions,
    }


class Connectors:
    """The connectors by id, read-only."""

    def __init__(self, release: Release, given: Iterable[Document] | None = None) -> None:
        built_in = [
            {"id": id_, "name": name, "description": description, "icon": f"assets:{id_}.svg", "actions": []}
            for id_, name, description in BUILT_IN
        ]
        chosen = [amqp_connector(release)] if given is None else list(given)
        self.loaded = True
        """True once the start of the server has loaded them; until then there are none."""
        self._by_id: dict[str, Document] = {document["id"]: document for document in (*built_in, *chosen)}

    def get(self, id_: str | None) -> Document | None:
        """Return a copy of one connector."""
        return copy.deepcopy(self._by_id.get(id_ or "")) if self.loaded else None

    def all(self) -> list[Document]:
        """Return all connectors by id."""
        return [copy.deepcopy(self._by_id[id_]) for id_ in sorted(self._by_id)] if self.loaded else []

    def secrets(self, id_: str | None) -> set[str]:
        """Return the properties that are stored encrypted: none, without an error, if the connector is unknown."""
        properties: Document = (self.get(id_) or {}).get("properties") or {}
        return {name for name, definition in properties.items() if definition.get("secret")}


def built_in_connections() -> list[Document]:
    """Return the connections of a new database: one for each connector without configuration, and a sample."""
    sample = {
        "id": "5",
        "name": "PostgresDB",
        "description": "A sample database",
        "connectorId": "sql",
        "icon": "assets:sql.svg",
        "tags": ["sampledb"],
        "configuredProperties": {"user": "sampledb", "schema": "sampledb", "password": "@ENC:SAMPLE@"},
    }
    hidden = {"hide-from-connection-pages": "true"}
    others: list[Document] = [
        {
            "id": id_,
            "name": name,
            "description": description,
            "connectorId": id_,
            "icon": f"assets:{id_}.svg",
            "metadata": hidden | ({"hide-from-step-select": "true"} if id_ == "flow" else {}),
        }
        for id_, name, description in BUILT_IN
    ]
    return [sample, *others]
