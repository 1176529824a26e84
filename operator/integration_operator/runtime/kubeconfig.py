"""Kubeconfig files, found and merged as kubectl does.

In this order: ``--kubeconfig``, the files of ``$KUBECONFIG``, ``~/.kube/config``, the pod's service account. The merger
of the client library takes ``current-context`` from the last file and fails on an empty file, so files are merged here
(client-go's ``tools/clientcmd/loader.go``: the first file to set a value wins, and files of ``$KUBECONFIG`` that do not
exist are skipped).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, display_name, documents, read_text

Document = dict[str, Any]

VARIABLE = "KUBECONFIG"
LISTS = {"clusters": "cluster", "contexts": "context", "users": "user"}
"""The named lists of a kubeconfig, and the key that holds the content of each entry."""
FILES = {
    "clusters": ("certificate-authority",),
    "contexts": (),
    "users": ("client-certificate", "client-key", "tokenFile"),
}
"""Keys that hold a path relative to the kubeconfig (clientcmd's ``ResolveLocalPaths``)."""


class ClusterNotFound(Exception):
    """No cluster is configured. The message lists the sources that were tried."""


class KubeconfigInvalid(ClusterNotFound):
    """A kubeconfig exists and cannot be used. The message names the file and the reason."""


NO_CLUSTER = "No cluster: tried --kubeconfig, $KUBECONFIG, ~/.kube/config and the pod's service account."


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A merged kubeconfig. ``origin`` names its files, for messages."""

    document: Document
    origin: str

    @property
    def namespace(self) -> str:
        """The namespace of the current context, the default of commands."""
        return str(self._part("contexts", self.document["current-context"]).get("namespace") or "default")

    @property
    def token_file(self) -> Path | None:
        """The file that holds the token of the user, None if there is none."""
        user = self._part("contexts", self.document["current-context"]).get("user")
        path = self._part("users", user).get("tokenFile") if user else None
        return Path(path) if isinstance(path, str) and path else None

    def _part(self, part: str, name: str) -> Document:
        return next((item[LISTS[part]] for item in self.document[part] if item["name"] == name), {})


def find(
    path: Path | None, context: str | None = None, environment: Mapping[str, str] | None = None
) -> Kubeconfig | None:
    """Return the kubeconfig that kubectl would use, None if there is none. Raises ``ClusterNotFound``."""
    environment = os.environ if environment is None else environment
    if path is not None:
        return load([path], context, "--kubeconfig")
    if files := [Path(part).expanduser() for part in environment.get(VARIABLE, "").split(os.pathsep) if part]:
        return load([file for file in files if file.exists()] or files[:1], context, f"${VARIABLE}")
    default = Path(environment.get("HOME") or "/nonexistent") / ".kube" / "config"
    if default.is_file():
        return load([default], context, "kubeconfig")
    if context is not None:
        raise KubeconfigInvalid(f"--context {sanitized(context)}: no kubeconfig in $KUBECONFIG or ~/.kube/config")
    return None


def load(files: Iterable[Path], context: str | None = None, source: str = "kubeconfig") -> Kubeconfig:
    """Return the merged kubeconfig of files, with the current context set. Raises ``ClusterNotFound``."""
    names = [file.absolute() for file in files]
    origin = f"{source} {':'.join(map(display_name, names))}"
    try:
        merged = _merged([_checked(file, _document(file)) for file in names])
    except UnreadableFile as error:
        kind = ClusterNotFound if isinstance(error.__cause__, FileNotFoundError) else KubeconfigInvalid
        raise kind(f"{source} {error}") from error
    current = context or merged["current-context"]
    contexts = {item["name"]: item["context"] for item in merged["contexts"]}
    choices = f"; it has {', '.join(map(sanitized, sorted(contexts)))}" if contexts else "; it has none"
    if not current:
        raise KubeconfigInvalid(f"{origin}: current-context is not set; name one with --context{choices}")
    if current not in contexts:
        raise KubeconfigInvalid(f'{origin}: no context "{sanitized(current)}"{choices}')
    cluster = contexts[current].get("cluster")
    if cluster not in {item["name"] for item in merged["clusters"]}:
        raise KubeconfigInvalid(
            f'{origin}: no cluster "{sanitized(cluster)}", which context "{sanitized(current)}" names'
        )
    return Kubeconfig({**merged, "current-context": current}, origin)


def _document(file: Path) -> Document:
    contents = [document for _, document in documents(read_text(file), display_name(file)) if document is not None]
    if not contents:
        return {}
    if len(contents) > 1 or not isinstance(contents[0], dict):
        raise UnreadableFile(f"{display_name(file)}: not a kubeconfig")
    document: Document = contents[0]
    return document


def _checked(file: Path, document: Document) -> Document:
    """Return the parts of one file with absolute paths. Raises ``UnreadableFile`` if a part is malformed."""
    parts: Document = {"current-context": document.get("current-context") or ""}
    if not isinstance(parts["current-context"], str):
        raise UnreadableFile(f"{display_name(file)}: not a kubeconfig: current-context is not text")
    for part, key in LISTS.items():
        items = document.get(part) or []
        if not isinstance(items, list):
            raise UnreadableFile(f"{display_name(file)}: not a kubeconfig: {part} is not a list")
        for item in items:
            if not isinstance(item, dict) or not isinstance(item.get("name"), str):
                raise UnreadableFile(f"{display_name(file)}: not a kubeconfig: an entry of {part} has no name")
            if not isinstance(item.get(key) or {}, dict):
                raise UnreadableFile(f"{display_name(file)}: not a kubeconfig: {part}: {key} is not a mapping")
        parts[part] = [{"name": i["name"], key: _resolved(file, part, i.get(key) or {})} for i in items]
    return parts


def _resolved(file: Path, part: str, content: Document) -> Document:
    """Return a part with absolute paths; the command of a plugin only if it contains a separator.

    An empty text counts as absent, as in client-go.
    """
    resolved = {key: value for key, value in content.items() if value not in (None, "")}
    for key in FILES[part]:
        if isinstance(resolved.get(key), str):
            resolved[key] = str(file.parent / resolved[key])
    plugin = resolved.get("exec") if part == "users" else None
    if isinstance(plugin, dict) and os.sep in str(plugin.get("command")):
        resolved["exec"] = {**plugin, "command": str(file.parent / plugin["command"])}
    return resolved


def _merged(parts: Iterable[Document]) -> Document:
    """Merge files: the first to set a name or the current context wins."""
    merged: Document = {"apiVersion": "v1", "kind": "Config", "current-context": "", **{part: [] for part in LISTS}}
    for file in parts:
        merged["current-context"] = merged["current-context"] or file["current-context"]
        for part in LISTS:
            names = {item["name"] for item in merged[part]}
            merged[part] += [item for item in file[part] if item["name"] not in names]
    return merged
