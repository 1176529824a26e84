"""docs/logs.md: each event of the log with its level, and each field, from the log calls in the code."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tools.reference.markdown import GENERATED, code, table

PACKAGE = Path(__file__).parents[2] / "operator" / "integration_operator"
THROTTLED = "_log_failure"
"""A method that passes its event to a logger, now and then."""

LEVELS = {
    **{level: level for level in ("debug", "info", "warning", "error")},
    "exception": "error",
    "log": "debug, warning",
    THROTTLED: "warning",
}
"""The level of each method. ``log`` is called with one that depends on the case."""

HEAD = f"""\
# Logs

{GENERATED.format(source="the log calls in operator/integration_operator")}
One line for each event, on stderr: JSON, or text on a terminal (`log_format`). `event` is a constant phrase, the other
fields say which object and why. At the default level `info` an operator at rest logs nothing. `log_level: debug` adds a
line for each request. No line has a password, a token or a key.

<!-- not run: needs the pods of a cluster -->

```console
$ kubectl logs deploy/integration-operator | grep '"level": "warning"'
$ kubectl logs deploy/integration-operator | grep '"namespace": "shop"'
```

`info` says what changed, `warning` what an administrator should know, `error` a defect or that the process ends.

"""

MEANINGS = {
    "access not reviewed": "the API server does not say who may read /metrics or /status; access is refused",
    "action failed": "a step for a pair failed; it is tried again, and the condition says the same",
    "applied": "an object was created or changed, and why",
    "certificate loaded": "the certificate of a server of the operator was read",
    "certificate not loaded": "it cannot be read; the one before stays in use",
    "circuit closed": "a Syndesis server or Keycloak answers again; all that waited for it is tried",
    "circuit opened": "it failed five times in a row; requests are held back and one tries it every few seconds",
    "connection in use": "a connection was deleted in Syndesis although integrations use it",
    "connection not accepted": "a server of the operator could not accept a connection",
    "deleted": "an object was deleted, and why",
    "deleted over REST": "a login or a connection was deleted over REST",
    "ensured over REST": "a login or a connection is as it should be over REST",
    "event not posted": "an Event was lost; nothing depends on it",
    "fields dropped by the server": "the kind that is served lacks fields that the operator sets",
    "finalizer removed": "no state over REST is left",
    "finalizer set": "state over REST is about to exist",
    "kind state changed": "a kind came into sync, failed, appeared or disappeared",
    "kopf restarting": "the library that hosts the process ended and is started again; the controllers go on",
    "leadership lost": "another process may lead; this one ends",
    "leading": "this process leads",
    "lease not available": "the Lease cannot be read or written",
    "lease not renewed": "a renewal failed; the process goes on until its time is over",
    "lease released": "this process stops, and another one may lead at once",
    "lease watch ended": "the watch of a process that stands by failed",
    "mass deletion held": "the guard holds pairs whose objects vanished at once",
    "properties endpoint not found": "the release of Syndesis has none; the whole connection is replaced",
    "protocol not supported": "the variable of OpenTelemetry names a protocol that traces cannot be sent with",
    "reconcile failed": "nothing could be done for a pair, or it could not be reported; it is tried again",
    "reconcile panicked": "a defect; the pair is tried again",
    "reflector failed": "a kind cannot be read; the first, the fifth and every twentieth failure in a row",
    "reflector panicked": "a defect; the kind is read again",
    "released": "an object or a connection is no longer tracked, and stays",
    "relisting": "a watch was too old for the server, and the kind is listed again",
    "remote call failed": "a request over REST failed; `debug` if it was not sent because the server is known to fail",
    "remote call panicked": "a defect; the call is tried again",
    "request": "a request to the API server",
    "request failed": "a defect; /metrics, /readyz or the status page answered 500",
    "review failed": "a defect; the API server stores the Integration without warnings",
    "standing by": "another process leads",
    "started": "the process has started",
    "stopped": "the process ends",
    "stopped unexpectedly": "a part of the process ended, which is a defect; the process ends",
    "stopping": "the process got a signal and finishes what runs",
    "traces not exported": "the library is not installed, or a variable of OpenTelemetry is wrong; the process goes on",
    "webhook configuration not repaired": "the webhook configuration cannot be written",
    "webhook configuration repaired": "it had another path or certificate",
    "workers started": "the stores are up to date, and this process reconciles",
}
"""What each event means."""

FIELDS = {
    "delivery": "how the object is made: `aggregated`, `keycloak` or `rest`",
    "directory": "the directory of a certificate",
    "error": "what failed, bounded and without secrets",
    "fields": "names of fields",
    "holder": "the process that holds the Lease",
    "host": "the address of a server",
    "identity": "this process, in the Lease",
    "in_flight_seconds": "for how long the oldest reconcile has been running",
    "kind": "the kind of the object",
    "known": "number of objects that Integrations refer to",
    "name": "the name of the object; of the Integration, for a pair",
    "namespace": "its namespace",
    "pair": "AddressSpace and consumer",
    "part": "the part of the process",
    "path": "the path of a request",
    "reason": "a reason, as in a condition",
    "refresh_seconds": "how long all kinds took to be listed",
    "retry_in": "seconds until the next attempt",
    "seconds": "how long a request took",
    "served": "the API version under which a kind is served",
    "server": "the address of the API server or of a Syndesis server",
    "state": "the state of a kind",
    "status": "the HTTP status code, 0 without an answer",
    "vanished": "number of objects that a LIST lacks",
    "verb": "the HTTP verb",
    "version": "the version of the operator",
    "warning": "what a user is warned of",
    "why": "what made the action necessary",
}
"""What each field means, in every event."""


class Call(NamedTuple):
    """A log call: where it is, its level, the events that it may have, and the fields that it names."""

    where: str
    level: str
    events: tuple[str, ...]
    fields: tuple[str, ...]


def calls() -> Iterator[Call]:
    """Yield all log calls of the operator."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)) or not node.args:
                continue
            name, method = ast.unparse(node.func.value).rpartition(".")[2], node.func.attr
            if method in LEVELS and (name.endswith("log") or method == THROTTLED):
                event = node.args[method == "log"]
                fields = tuple(k.arg for k in node.keywords if k.arg not in (None, "exc_info"))
                yield Call(f"{file.relative_to(PACKAGE)}:{node.lineno}", LEVELS[method], _constants(event), fields)


def _constants(event: ast.expr) -> tuple[str, ...]:
    """Return the texts that an expression may be; a name is one that its callers choose."""
    if isinstance(event, ast.IfExp):
        return (*_constants(event.body), *_constants(event.orelse))
    return (event.value,) if isinstance(event, ast.Constant) and isinstance(event.value, str) else ()


def bound_fields() -> Iterator[tuple[str, str]]:
    """Yield the fields that are bound to loggers, with where."""
    for file in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "bind":
                for keyword in node.keywords:
                    if keyword.arg is not None:
                        yield f"{file.relative_to(PACKAGE)}:{node.lineno}", keyword.arg


def page() -> str:
    """Return the text of the page."""
    levels = {event: call.level for call in calls() for event in call.events}
    events = [(code(event), levels[event], text) for event, text in MEANINGS.items()]
    fields = [(code(field), text) for field, text in FIELDS.items()]
    return (
        f"{HEAD}## Events\n\n{table(('event', 'level', 'meaning'), events)}\n"
        f"## Fields\n\n{table(('field', 'meaning'), fields)}"
        "\nEach line begins with `timestamp` (UTC), `level` and `event`; that of a defect also has `exception`.\n"
    )
