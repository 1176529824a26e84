"""docs/conditions.md: each condition with its reasons, from the list that the code has."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from integration_operator.domain.model.conditions import INFORMATIVE
from integration_operator.domain.model.reasons import OF_A_CONNECTION, REASONS, SIDES, Effect, Reason
from tools.reference.markdown import GENERATED, codes

HEAD = f"""\
# Conditions

{GENERATED.format(source="operator/integration_operator/domain/model/reasons.py")}
Each condition of an Integration and of a Connection, with each of its reasons. `Ready` has the reasons of `Paired`,
`CredentialsReady`, `UserReady` and `ConnectionReady`: the first that a user has to act on, else the first that passes
without a user. `Reconciling` has the reasons below that pass by themselves, `Stalled` those that a user has to act on.
`Ready` does not depend on {codes(INFORMATIVE)}. [GitOps](gitops.md) says what Flux and Argo CD make of them.

| condition | meaning | is there |
| --- | --- | --- |
"""

TYPES = (
    (
        "Ready",
        "the user can log in, and Syndesis has its connection, if any",
        "unless `Disabled` or `Suspended` is",
    ),
    ("Disabled", "`spec.enabled` is not true", "in place of `Ready`; always True"),
    ("Suspended", "`spec.suspend` is true", "in place of `Ready`; always True"),
    ("Reconciling", "something is not as desired, and passes by itself", "only while that is so; always True"),
    ("Stalled", "something is not as desired until a user acts", "only while that is so; always True"),
    ("Paired", "both sides consent", "always"),
    ("CredentialsReady", "the Secret holds the credential", "once there is a pair"),
    ("UserReady", "the user can log in", "once there is a pair"),
    ("ConnectionReady", "Syndesis has the connection", "once there is a pair; not with `consumer: binding`"),
    ("DeliveryChosen", "how both sides are delivered, and why", "while it is enabled"),
    ("ConnectionVerified", "the result of Syndesis's check of a connection over REST", "once Syndesis was asked"),
    ("Rotating", "True while there are two users", "if rotation is asked for or was done"),
)
"""Each condition of an Integration. A Connection has Ready, Reconciling and Stalled."""

OF_THE_PAIR = "Also each reason of `Paired`, while that is not True: nothing is delivered without a pair.\n\n"
"""What the sections of CredentialsReady, UserReady and ConnectionReady begin with."""

CONNECTION_HEAD = """\
## Ready of a Connection

The [connection controller](compatibility.md#the-connection-controller) writes it, with `Reconciling` or `Stalled`
beside it.

"""

ACTS = {
    Effect.FINE: "",
    Effect.CHOSEN: "a user, to change it",
    Effect.PASSES: "passes by itself",
    Effect.USER: "a user",
    Effect.INFORMATIVE: "",
}


def page() -> str:
    """Return the text of docs/conditions.md."""
    kinds = "".join(f"| `{type_}` | {meaning} | {when} |\n" for type_, meaning, when in TYPES)
    sections = "\n".join(section(type_) for type_, _, _ in TYPES if reasons_of(type_))
    (connection,) = OF_A_CONNECTION
    return f"{HEAD}{kinds}\n{sections}\n{CONNECTION_HEAD}{table(connection)}"


def section(type_: str) -> str:
    """Return the section of a type."""
    return f"## {type_}\n\n{OF_THE_PAIR if type_ in SIDES else ''}{table(type_)}"


def reasons_of(type_: str) -> list[Reason]:
    """Return the reasons that conditions of a type can have."""
    return [reason for reason in REASONS if type_ in reason.types]


def table(type_: str) -> str:
    """Return the table of a type; reasons that share their text share a row."""
    return "| reason | meaning | who acts | next step |\n| --- | --- | --- | --- |\n" + "".join(rows(type_))


def rows(type_: str) -> Iterator[str]:
    """Yield the rows of the table of a type."""

    def text(reason: Reason) -> tuple[str, str, str]:
        return reason.meaning, ACTS[reason.effect], reason.next_step

    for (meaning, acts, step), alike in groupby(reasons_of(type_), text):
        names = ", ".join(f"`{reason.name}`" for reason in alike)
        yield f"| {names} | {meaning} | {acts} | {step} |\n".replace("|  |", "| |").replace("|  |", "| |")
