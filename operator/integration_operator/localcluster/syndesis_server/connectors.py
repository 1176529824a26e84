"""The connectors that the server knows. AMQP's seven properties are the same in every release from 1.3 to 1.15."""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

BUILT_IN = {
    "api-provider": ("API Provider", "Expose Restful APIs"),
    "flow": ("Flow", "Connect with different flows using direct endpoint"),
    "log": ("Log", "Log the exchange with different options"),
    "timer": ("Timer", "Trigger integration execution based on an interval or a cron expression"),
    "webhook": ("Webhook", "Create direct connections with external systems through Webhooks"),
}
HIDDEN_FROM_STEPS = "flow"


def amqp(release: tuple[int, int]) -> Document:
    """The AMQP connector, as much of it as a client needs to know."""
    icon = "assets:amqp.svg" if release >= (1, 7) else "fa-amqp"
    properties: Document = {
        "connectionUri": _property("string", required=True),
        "username": _property("string"),
        "password": _property("string", secret=True),
        "clientID": _property("string"),
        "skipCertificateCheck": {**_property("string"), "defaultValue": "false"},
        "brokerCertificate": _property("textarea"),
        "clientCertificate": _property("textarea"),
    }
    return {"id": "amqp", "name": "AMQP Message Broker", "icon": icon, "tags": ["verifier"], "properties": properties}


def built_in() -> list[Document]:
    """The connectors of the connections that every Syndesis has."""
    return [{"id": identifier, "name": name, "properties": {}} for identifier, (name, _) in BUILT_IN.items()]


def built_in_connections() -> list[Document]:
    """The connections of a fresh database: five built-in ones, and one to a sample database."""
    found = []
    for identifier, (name, description) in BUILT_IN.items():
        metadata = {"hide-from-connection-pages": "true"}
        if identifier == HIDDEN_FROM_STEPS:
            metadata["hide-from-step-select"] = "true"
        found.append(
            {
                "id": identifier,
                "name": name,
                "description": description,
                "connectorId": identifier,
                "icon": f"assets:{identifier}.svg",
                "metadata": metadata,
            }
        )
    sample = {
        "id": "5",
        "name": "PostgresDB",
        "description": "Connection to SampleDB",
        "connectorId": "sql",
        "icon": "assets:sql.svg",
        "tags": ["sampledb"],
        "configuredProperties": {
            "password": "@ENC:POSTGRESQL_SAMPLEDB_PASSWORD@",
            "schema": "sampledb",
            "url": "jdbc:postgresql://syndesis-db:5432/sampledb",
            "user": "sampledb",
        },
    }
    return [sample, *found]


def _property(kind: str, *, required: bool = False, secret: bool = False) -> Document:
    return {"type": kind, "required": required, "secret": secret}
