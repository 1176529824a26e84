"""Defects of operators, planted into a copy of this one: each must be found by a fault run.

They are those of the proof of concept, and of published studies of operators: Sieve (OSDI 2022: stale, intermediate and
unobserved states) and Anvil (OSDI 2024).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
PACKAGE = Path("operator/integration_operator")

Edit = tuple[str, str, str]
"""A file of the package, a text that it has once, and what replaces it."""


@dataclass(frozen=True, slots=True)
class Defect:
    """A defect, and where it shows.

    ``scenario`` is one in which it shows, ``faults`` and ``matching`` choose the runs to try. Without faults it shows
    in the undisturbed scenario, a restart at rest included.
    """

    scenario: str
    edits: tuple[Edit, ...]
    faults: tuple[str, ...] = ()
    matching: str = ""

    def plant(self, directory: Path) -> Mapping[str, str]:
        """Write the operator with the defect into a directory; return the environment in which it is loaded."""
        shutil.copytree(ROOT / "operator", directory / "operator", ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("templates", "crds", "deploy", "pyproject.toml"):
            (directory / name).symlink_to(ROOT / name)
        for file, before, after in self.edits:
            path = directory / PACKAGE / file
            text = path.read_text()
            assert text.count(before) == 1, f"{file} has {text.count(before)} times: {before}"
            path.write_text(text.replace(before, after))
        return {"PYTHONPATH": str(directory / "operator")}


ONE_LIST_SUFFICES: Edit = (
    "controllers/integration/controller.py",
    "if plan.actions and not self._gatherer.saw_deletion(key) and await self._cache.confirm():",
    "if False:",
)
NO_CREATE_ONLY: Edit = (
    "runtime/writer.py",
    '**document["metadata"], "resourceVersion": NO_VERSION}}',
    '**document["metadata"]}}',
)
NO_CHECK_OF_THE_FINALIZER: Edit = (
    "controllers/integration/execute.py",
    "if isinstance(action, EnsureRemote) and not integration.holds_rest_state:",
    "if False:",
)
STATUS_IS_ALWAYS_WRITTEN: Edit = (
    "controllers/integration/controller.py",
    " is None or not status_changed(current.status, status):",
    " is None:",
)

OF_THE_PROOF_OF_CONCEPT: dict[str, Defect] = {
    "A server that does not answer ends the process": Defect(
        "rest-create",
        (
            (
                "controllers/integration/remote_calls.py",
                "        except Failure as error:\n            self._fail(side, error, log)\n",
                "        except Failure as error:\n            raise SystemExit(1) from error\n",
            ),
        ),
        ("unavailable", "reset"),
        "POST connections",
    ),
    "The Secret is never stored": Defect(
        "create",
        (
            (
                "domain/plan/credential.py",
                "        write_secret(secret, document, first=surviving is None),",
                "        (),",
            ),
        ),
    ),
    "The Secret is written after the MessagingUser": Defect(
        "create",
        (
            ("domain/plan/plan.py", "    for step in steps:\n", "    for step in (*steps[1:], steps[0]):\n"),
            ("domain/plan/plan.py", "        tuple(with_one_finalizer(actions)),\n", "        tuple(actions),\n"),
        ),
    ),
    "The finalizer is set on a copy of the Integration": Defect(
        "rest-create",
        (
            ("controllers/integration/execute.py", "                await self._set_finalizer(action)\n", ""),
            NO_CHECK_OF_THE_FINALIZER,
        ),
    ),
    "What is applied is logged": Defect(
        "create",
        (
            (
                "controllers/integration/execute.py",
                '        log.info("applied")\n',
                '        log.info("applied", document=action.document)\n',
            ),
        ),
    ),
    "Everything is written again every second": Defect(
        "create",
        (
            STATUS_IS_ALWAYS_WRITTEN,
            (
                "controllers/integration/controller.py",
                "        return Result(min((seconds for seconds in waits if seconds), default=0.0))\n",
                "        return Result(0.5)\n",
            ),
        ),
    ),
    "A start writes each status again": Defect("create", (STATUS_IS_ALWAYS_WRITTEN,)),
}

OF_STALE_AND_INTERMEDIATE_STATES: dict[str, Defect] = {
    "A stale LIST is trusted": Defect("create", (ONE_LIST_SUFFICES,), ("stale",), "LIST addressspaces"),
    "A LIST that is refused counts as an empty one": Defect(
        "create",
        (
            ONE_LIST_SUFFICES,
            (
                "runtime/reflector.py",
                "            except ApiError as error:\n",
                "            except Forbidden:\n"
                "                self.store.replace((), self.store.epoch())\n"
                "                self._listed.set()\n"
                "                self._enter(State.SYNCED)\n"
                "                self._read.set()\n"
                "                await self._pause(1.0)\n"
                "            except ApiError as error:\n",
            ),
        ),
        ("forbidden",),
        "LIST addressspaces",
    ),
    "A LIST whose next page has expired counts as complete": Defect(
        "create",
        (
            ONE_LIST_SUFFICES,
            (
                "runtime/reflector.py",
                "            except TooLarge:\n                if limit == 1",
                '            except Gone:\n                return reports, ""\n'
                "            except TooLarge:\n                if limit == 1",
            ),
        ),
        ("continue-expired",),
        "LIST",
    ),
    "A deletion that the watch reports is passed over": Defect(
        "space-deleted",
        (
            (
                "runtime/store.py",
                '        if kind == "DELETED":\n            self._remember_deleted(uid)\n',
                '        if kind == "DELETED":\n            return\n',
            ),
        ),
    ),
    "A watch that breaks is not opened again": Defect(
        "create",
        (
            (
                "runtime/reflector.py",
                "        await self._pause(delay)\n        self._wake.clear()\n",
                "        await self._pause(3600.0)\n",
            ),
        ),
        ("cut", "silent", "dropped"),
        "event",
    ),
    "A Secret that a LIST does not show gets another password": Defect(
        "create",
        (
            ONE_LIST_SUFFICES,
            NO_CREATE_ONLY,
            (
                "domain/model/credential.py",
                "    if user is not None and not user.deleting:\n        copies",
                "    if False:\n        copies",
            ),
        ),
        ("stale",),
        "LIST secrets",
    ),
    "The first write of a Secret has no precondition": Defect(
        "create", (NO_CREATE_ONLY,), ("overtaken", "late"), "PATCH secrets"
    ),
    "Every start generates the passwords again": Defect(
        "create",
        (
            (
                "domain/model/credential.py",
                "    return Credential(username, usable[0][1]) if usable else None\n",
                "    return None\n",
            ),
        ),
    ),
}

OF_WRITES_AND_RETRIES: dict[str, Defect] = {
    "A reconcile that failed is not retried": Defect(
        "create",
        (
            (
                "runtime/controller.py",
                "self._queue.add_rate_limited(key, at_least=error.retry_after or 0.0, max_delay=error.max_delay)",
                "pass",
            ),
        ),
        ("server-error", "unavailable", "reset", "timeout"),
        "write",
    ),
    "A DELETE has no uid as its precondition": Defect(
        "enabled-again",
        (("runtime/writer.py", '            "preconditions": {"uid": uid},\n', ""),),
        ("overtaken",),
        "DELETE messagingusers",
    ),
    "A request over REST is repeated without a look": Defect(
        "rest-create",
        (
            (
                "backends/syndesis/connection_service.py",
                "        stored = await self._find(desired)\n        if stored is None:\n",
                "        stored: Any = None\n        if stored is None:\n",
            ),
        ),
        ("answer-lost", "killed-after"),
        "POST connections",
    ),
    "State is created over REST before the finalizer": Defect(
        "rest-space-deleted",
        (
            NO_CHECK_OF_THE_FINALIZER,
            (
                "domain/plan/remote.py",
                '    if integration.holds_rest_state and user in ("", integration.rest_user):\n',
                "    if True:\n",
            ),
        ),
        ("killed-before", "killed-after", "late"),
    ),
    "The finalizer is never removed": Defect(
        "rest-disable",
        (
            (
                "domain/plan/remote.py",
                "    if remote.absent:\n        return (Set",
                "    if False:\n        return (Set",
            ),
        ),
    ),
    "The connection over REST is forgotten instead of deleted": Defect(
        "rest-disable",
        (
            (
                "domain/plan/teardown.py",
                'yield DeleteRemote("Connection", "rest", pair, ref, remote, why, login=facts.login.username)',
                'yield Release("Connection", ref, why)',
            ),
        ),
    ),
    "A change of the endpoint is not followed": Defect(
        "endpoint",
        (
            (
                "domain/model/actions.py",
                "    if not changed:\n        return ()\n",
                '    if not changed or kind == "Connection":\n        return ()\n',
            ),
        ),
    ),
    "The status shows the password": Defect(
        "create",
        (
            (
                "domain/plan/credential.py",
                'f"Credential stored in Secret {naming.secret_name(pair.pair)}{replaced}"',
                'f"Credential stored in Secret {naming.secret_name(pair.pair)}: {credential.password}{replaced}"',
            ),
        ),
    ),
    "A standby writes, too, and no fence stops it": Defect(
        "replicas-create",
        (
            (
                "controllers/integration/controller.py",
                "        self.queue.paused = True\n",
                "        self.queue.paused = False\n",
            ),
            ("runtime/client.py", "if self._fence is None or verb in READS:", "if True:"),
            ("runtime/client.py", "        if self._fence is not None:\n", "        if False:\n"),
        ),
    ),
}

OF_ROTATION: dict[str, Defect] = {
    "The earlier user stays": Defect(
        "rotate",
        (
            (
                "domain/plan/rotation.py",
                "    for user in previous.resources:\n        if not user.deleting:\n",
                "    for user in previous.resources:\n        if False:\n",
            ),
        ),
    ),
    "A request for a rotation is followed again and again": Defect(
        "rotate",
        (
            (
                "domain/plan/rotation.py",
                "record.request if password == credential.password else rotation.requested(pair.integration)",
                "record.request",
            ),
        ),
    ),
}

DEFECTS: dict[str, Defect] = {
    **OF_THE_PROOF_OF_CONCEPT,
    **OF_STALE_AND_INTERMEDIATE_STATES,
    **OF_WRITES_AND_RETRIES,
    **OF_ROTATION,
}
