"""Which cluster to talk to: the kubeconfig files that kubectl would read, merged as kubectl does.

In this order: ``--kubeconfig``, the files of ``$KUBECONFIG``, ``~/.kube/config``; without any of them the pod's service
account. The library's own merger gives the last file's ``current-context`` and stumbles over an empty file, so files
are merged here (client-go's ``tools/clientcmd/loader.go``: the first file to set a value wins, files of ``$KUBECONFIG``
that do not exist are passed over).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, documents, read_text, shown

Document = dict[str, Any]

VARIABLE = "KUBECONFIG"
LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
"""The named parts of a kubeconfig, and the key of each under which its content stands."""
FILES = {
    "clusters": ("certificate-authority",),
    "contexts": (),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
"""Keys that hold the path of a file, relative to the kubeconfig that names it (clientcmd's ``ResolveLocalPaths``)."""


class ClusterNotFound(Exception):
    """There is no way to a cluster; the message says what was looked at."""


class KubeconfigInvalid(ClusterNotFound):
    """A kubeconfig is there and cannot be used; the message says which file, and why."""


NOWHERE = "No cluster: looked at --kubeconfig, $KUBECONFIG, ~/.kube/config and the pod's service account."


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """What is known of a cluster and of how to log in. ``origin`` names the files, for messages."""

    document: Document
    origin: str

    @property
    def namespace(self) -> str:
        """The namespace of the current context, which commands use if they are given none."""
        return str(self._part("contexts", self.document["current-context"]).get("namespace") or "default")

    @property
    def token_file(self) -> Path | None:
        """The file that holds the user's token, if the token is in a file."""
        user = self._part("contexts", self.document["current-context"]).get("user")
        path = self._part("users", user).get("tokenFile") if user else None
        return Path(path) if isinstance(path, str) and path else None

    def _part(self, part: str, name: str) -> Document:
        return next((item[LISTS[part]] for item in self.document[part] if item["name"] == name), {})


def find(
    given: Path | None, context: str | None = None, environment: Mapping[str, str] | None = None
) -> Kubeconfig | None:
    """Return the kubeconfig that kubectl would use, None if there is none. Raises ``NoCluster`` for a wrong one."""
    environment = os.environ if environment is None else environment
    if given is not None:
        return load([given], context, "--kubeconfig")
    if listed := [Path(part).expanduser() for part in environment.get(VARIABLE, "").split(os.pathsep) if part]:
        return load([file for file in listed if file.exists()] or listed[:1], context, f"${VARIABLE}")
    own = Path(environment.get("HOME") or "/nonexistent") / ".kube" / "config"
    if own.is_file():
        return load([own], context, "kubeconfig")
    if context is not None:
        raise KubeconfigInvalid(f"--context {sanitized(context)}: no kubeconfig in $KUBECONFIG or ~/.kube/config")
    return None


def load(files: Iterable[Path], context: str | None = None, asked_by: str = "kubeconfig") -> Kubeconfig:
    """Return the merged kubeconfig of files, with the context that is to be used. Raises ``NoCluster``."""
    names = [file.absolute() for file in files]
    origin = f"{asked_by} {':'.join(map(shown, names))}"
    try:
        merged = _merged([_checked(file, _document(file)) for file in names])
    except UnreadableFile as error:
        kind = ClusterNotFound if isinstance(error.__cause__, FileNotFoundError) else KubeconfigInvalid
        raise kind(f"{asked_by} {error}") from error
    chosen = context or merged["current-context"]
    contexts = {item["name"]: item["context"] for item in merged["contexts"]}
    there = f"; it has {', '.join(map(sanitized, sorted(contexts)))}" if contexts else "; it has none"
    if not chosen:
        raise KubeconfigInvalid(f"{origin}: current-context is not set; name one with --context{there}")
    if chosen not in contexts:
        raise KubeconfigInvalid(f'{origin}: no context "{sanitized(chosen)}"{there}')
    cluster = contexts[chosen].get("cluster")
    if cluster not in {item["name"] for item in merged["clusters"]}:
        raise KubeconfigInvalid(
            f'{origin}: no cluster "{sanitized(cluster)}", which context "{sanitized(chosen)}" names'
        )
    return Kubeconfig({**merged, "current-context": chosen}, origin)


def _document(file: Path) -> Document:
    found = [document for _, document in documents(read_text(file), shown(file)) if document is not None]
    if not found:
        return {}
    if len(found) > 1 or not isinstance(found[0], dict):
        raise UnreadableFile(f"{shown(file)}: not a kubeconfig")
    document: Document = found[0]
    return document


def _checked(file: Path, document: Document) -> Document:
    """Return the parts of one file, their paths absolute. Raises ``UnreadableFile`` if a part has a wrong shape."""
    parts: Document = {"current-context": document.get("current-context") or ""}
    if not isinstance(parts["current-context"], str):
        raise UnreadableFile(f"{shown(file)}: not a kubeconfig: current-context is not text")
    for part, key in LISTS.items():
        items = document.get(part) or []
        if not isinstance(items, list):
            raise UnreadableFile(f"{shown(file)}: not a kubeconfig: {part} is not a list")
        for item in items:
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise UnreadableFile(f"{shown(file)}: not a kubeconfig: an entry of {part} has no name")
            if not isinstance(item.get(key) or {}, dict):
                raise UnreadableFile(f"{shown(file)}: not a kubeconfig: {part}: {key} is not a mapping")
        parts[part] = [{"name": i["name"], key: _resolved(file, part, i.get(key) or {})} for i in items]
    return parts


def _resolved(file: Path, part: str, content: Document) -> Document:
    """Return a part with the paths in it made absolute; the command of a plugin only if it is a path.

    An empty text is as good as none, as in client-go.
    """
    found = {key: value for key, value in content.items() if value not in (None, "")}
    for key in FILES[part]:
        if isinstance(found.get(key), str):
            found[key] = str(file.parent / found[key])
    plugin = found.get("exec") if part == "users" else None
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command")):
        found["exec"] = {**plugin, "command": str(file.parent / plugin["command"])}
    return found


def _merged(parts: Iterable[Document]) -> Document:
    """Return several files as one: the first to set a name or the current context wins."""
    merged: Document = {"apiVersion": "v1", "kind": "Config", "current-context": "", **{part: [] for part in LISTS}}
    for found in parts:
        merged["current-context"] = merged["current-context"] or found["current-context"]
        for part in LISTS:
            known = {item["name"] for item in merged[part]}
            merged[part] += [item for item in found[part] if item["name"] not in known]
    return merged
