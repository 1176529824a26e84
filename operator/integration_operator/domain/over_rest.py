"""What is asked for over REST, and the finalizer around it: on before the first request, off after the last."""

from __future__ import annotations

from typing import Any

from integration_operator.domain import naming
from integration_operator.domain.actions import Action, Child, Deliver, Finalize
from integration_operator.domain.credentials import Credential
from integration_operator.domain.facts import Facts
from integration_operator.domain.remote import OverRest, Remote, applied_hash, credentials_hash

Document = dict[str, Any]


class OverRestSteps:
    """Adds to the ``actions`` of one pass over an enabled pair."""

    def __init__(self, facts: Facts, actions: list[Action]) -> None:
        assert facts.integration is not None
        assert facts.space is not None
        self._facts = facts
        self._integration = facts.integration
        self._space = facts.space
        self._actions = actions

    def deliver(
        self,
        kind: Child,
        how: OverRest,
        document: Document,
        credential: Credential | None,
        known: Remote,
        *,
        platform: str,
        verify: bool = False,
        handed_over: str | None = None,
    ) -> bool:
        """Ask for a delivery if one is needed; return True if the side stands as it is wanted.

        ``platform`` is the uid of the AddressSpace or Syndesis. ``verify`` has Syndesis try a connection that it was
        not seen to work with yet.
        """
        assert credential is not None
        applied = applied_hash(document)
        credentials = credentials_hash(credential, naming.integration_label(self._facts.pair))
        stands = known.delivery == how and known.confirmed(applied, credentials, platform)
        verify = verify and stands and (known.verified is None or (known.due and not known.verified))
        self._hold()
        if stands and not known.due and not verify:
            return True
        self._actions.append(
            Deliver(
                kind=kind,
                how=how,
                pair=self._facts.pair,
                document=document,
                credential=credential,
                space=self._space,
                known=known,
                applied=applied,
                credentials=credentials,
                why="it is time to look at it" if stands else "it is not confirmed as it is wanted",
                verify=verify,
                platform=platform,
                handed_over=handed_over,
            )
        )
        return stands

    def release(self) -> None:
        """Take our finalizer off once nothing is left over REST, and nothing is asked for."""
        asked = any(isinstance(action, Deliver) for action in self._actions)
        if self._integration.holds_rest_state and self._facts.remote.nothing and not asked:
            self._finalize(present=False, why="nothing is left over REST")

    def _hold(self) -> None:
        """Make sure that our finalizer is there before anything is that no garbage collector reaches."""
        asked = any(isinstance(action, Finalize) for action in self._actions)
        if not asked and not self._integration.holds_rest_state:
            self._finalize(present=True, why="what stands over REST is reached by no garbage collector")

    def _finalize(self, *, present: bool, why: str) -> None:
        self._actions.append(Finalize(self._integration.ref, self._integration.live.uid, present, why))
