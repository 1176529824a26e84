"""``integration-operator explain``: every AddressSpace × Syndesis, with the rule that matched or each reason why
not.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from integration_operator.cli.failure import NO_PAIR, WRONG_INPUT, fail
from integration_operator.cli.reading import reading
from integration_operator.cli.rules import ALL_DEFAULT_RULES, Rules, rules_of
from integration_operator.domain import pairing, readiness
from integration_operator.domain.pair import Pair
from integration_operator.domain.verdict import Verdict

if TYPE_CHECKING:
    from integration_operator.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each rule says of one AddressSpace and one Syndesis, and how far the two are."""

    pair: Pair
    rules: Sequence[tuple[str, Verdict]]
    space: Verdict
    syndesis: Verdict
    integrations: tuple[str, ...]

    @property
    def paired(self) -> bool:
        """Whether the pair exists."""
        return bool(self.rules) and bool(self.rules[-1][1])

    @property
    def obstacles(self) -> list[Verdict]:
        """What stands in the way: every rule's no where there is no pair, else what is not ready."""
        asked = (self.space, self.syndesis) if self.paired else (verdict for _, verdict in self.rules)
        return [verdict for verdict in asked if not verdict]


def explanations(cluster: Cluster, rules: Sequence[str]) -> list[Explanation]:
    """Every AddressSpace × Syndesis, by the functions that the operator decides with."""
    found = []
    for space in sorted(cluster.spaces, key=lambda s: s.ref):
        for syndesis in sorted(cluster.syndesises, key=lambda s: s.ref):
            offered = [
                f"{i.ref} {'enabled' if i.enabled else 'disabled'}"
                for i in cluster.integrations.by("space", space.ref)
                if i.ref.namespace == syndesis.ref.namespace and i.spec.client in (None, "", syndesis.ref.name)
            ]
            found.append(
                Explanation(
                    Pair(space.ref, syndesis.ref),
                    pairing.verdicts(space, syndesis, rules),
                    readiness.can_serve(space, cluster.authentication_type(space)),
                    readiness.can_connect(syndesis),
                    tuple(offered),
                )
            )
    return found


def explain(
    filename: Annotated[
        list[Path] | None, typer.Option("-f", "--filename", help="File to explain instead of a cluster.")
    ] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="Kubeconfig file; KUBECONFIG if left out.")] = None,
    pairing_rules: Rules = ALL_DEFAULT_RULES,
    output: Annotated[str, typer.Option("--output", "-o", help="text or json")] = "text",
) -> None:
    """Say for every AddressSpace and every Syndesis whether they are a pair, and why."""
    rules = rules_of(pairing_rules)
    if output not in ("text", "json"):
        fail(f"--output: {output!r} is neither text nor json", WRONG_INPUT)
    found = _from_files(filename, rules) if filename else asyncio.run(_from_cluster(kubeconfig, rules))
    if output == "json":
        typer.echo(json.dumps([_as_json(e) for e in found], indent=2))
    else:
        for explanation in found:
            typer.echo(_as_text(explanation))
    if not any(e.paired for e in found):
        fail("there is no pair" if found else "there are no AddressSpaces, or no Syndesis", NO_PAIR)


def _from_files(files: list[Path], rules: tuple[str, ...]) -> list[Explanation]:
    from integration_operator.engine.snapshot import Snapshot, UnreadableFile, read

    try:
        return explanations(Snapshot(read(files), rules).cluster, rules)
    except UnreadableFile as error:
        fail(error, WRONG_INPUT)


async def _from_cluster(kubeconfig: Path | None, rules: tuple[str, ...]) -> list[Explanation]:
    async with reading(kubeconfig) as cluster:
        return explanations(cluster, rules)


def _as_text(explanation: Explanation) -> str:
    pair = explanation.pair
    lines = [f"AddressSpace {pair.space} × Syndesis {pair.syndesis}: {'a pair' if explanation.paired else 'no pair'}"]
    lines += [f"  {'✓' if v else '✗'} {rule}: {v.reason}: {v.message}" for rule, v in explanation.rules]
    if explanation.paired:
        for verdict in (explanation.space, explanation.syndesis):
            lines.append(f"  {'✓' if verdict else '✗'} {': '.join(filter(None, (verdict.reason, verdict.message)))}")
        lines += [f"  Integration {text}" for text in explanation.integrations]
    return "\n".join(lines)


def _as_json(explanation: Explanation) -> dict[str, object]:
    def plain(verdict: Verdict) -> dict[str, object]:
        return {"allowed": verdict.allowed, "reason": verdict.reason, "message": verdict.message}

    return {
        "addressSpace": explanation.pair.space._asdict(),
        "syndesis": explanation.pair.syndesis._asdict(),
        "paired": explanation.paired,
        "rules": [{"rule": rule, **plain(verdict)} for rule, verdict in explanation.rules],
        "addressSpaceReady": plain(explanation.space),
        "syndesisReady": plain(explanation.syndesis),
        "integrations": list(explanation.integrations),
    }
