"""A cache without a cluster: filled from documents in files, as reflectors would fill it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from integration_operator import resources
from integration_operator.cache import DEFAULT_ENMASSE_NAMESPACE, Cache
from integration_operator.controllers.integration import document_shape
from integration_operator.platforms import config_map
from integration_operator.runtime.client import Client
from integration_operator.runtime.reflector import State
from integration_operator.runtime.resources import APIResource
from integration_operator.runtime.text import sanitized
from integration_operator.runtime.yaml_documents import UnreadableFile, display_name, documents, read_text

Document = dict[str, Any]

DEFAULT_VERSIONS = {
    "AddressSpace": "v1beta1",
    "MessagingUser": "v1beta1",
    "AuthenticationService": "v1beta1",
    "Syndesis": "v1beta3",
}
"""Versions that current releases serve, for documents that are rendered and not read."""

RESOURCES = {
    resource.kind: resource
    for resource in (
        resources.ADDRESS_SPACE,
        resources.SPACE_CONFIG_MAP,
        resources.AUTHENTICATION_SERVICE,
        resources.SYNDESIS,
        resources.INTEGRATION,
        resources.SECRET,
        resources.MESSAGING_USER,
        resources.CONNECTION,
    )
}
"""The resources that are read from files, by kind."""

API_VERSION = r"([a-z0-9.-]+/)?v[a-z0-9]+"

EXTENSIONS = (".yaml", ".yml", ".json")
"""Extensions of the files in a directory that are read, as in kubectl."""


def read(files: Iterable[Path]) -> list[Document]:
    """Return the documents of the kinds that the operator reads; ``-`` is standard input, a directory its files.

    The items of a List are returned one by one; documents of other kinds are ignored. Raises ``UnreadableFile``.
    """
    result: list[Document] = []
    for file in _expanded(files):
        name = display_name(file)
        for line, document in documents(read_text(file), name):
            where = f"{name}:{line}"
            checked = (_checked(item, where) for item in _items(document, where))
            result += [item for item in checked if item is not None]
    return result


def _expanded(files: Iterable[Path]) -> Iterator[Path]:
    for file in files:
        if not file.is_dir():
            yield file
            continue
        members = sorted(path for path in file.iterdir() if path.suffix in EXTENSIONS and path.is_file())
        if not members:
            raise UnreadableFile(f"{display_name(file)}: no file in it ends with {', '.join(EXTENSIONS)}")
        yield from members


def _items(document: Any, where: str) -> Iterator[Any]:
    """Yield a document, or the items of a List, which need not name their kind."""
    kind = document.get("kind") if isinstance(document, dict) else None
    if document is None:
        return
    if not (isinstance(kind, str) and kind.endswith("List") and "items" in document):
        yield document
        return
    items = document["items"] or []
    if not isinstance(items, list):
        raise UnreadableFile(f"{where}: items of {sanitized(kind, 60)} is not a list")
    defaults = {"kind": kind.removesuffix("List"), "apiVersion": document.get("apiVersion")} if kind != "List" else {}
    for item in items:
        yield {**defaults, **item} if isinstance(item, dict) else item


def _checked(document: Any, where: str) -> Document | None:
    """Return a validated document; None if the operator does not read its kind."""
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise UnreadableFile(f"{where}: a document without kind")
    resource = RESOURCES.get(document["kind"])
    if resource is None:
        return None
    metadata = document.get("metadata")
    name = metadata.get("name") if isinstance(metadata, dict) else None
    at = f"{where}: {resource.kind} {sanitized(name, 60)}" if name is not None else f"{where}: {resource.kind}"
    if name is None:
        raise UnreadableFile(f"{at}: no metadata.name")
    version = document.get("apiVersion")
    if not isinstance(version, str) or not re.fullmatch(API_VERSION, version):
        raise UnreadableFile(f"{at}: apiVersion is {sanitized(repr(version), 60)}, not GROUP/VERSION")
    if version.rpartition("/")[0] != resource.group:
        return None  # the kind of another group, such as Camel's Integration
    try:
        checked = document_shape.checked(document)
    except document_shape.WrongShape as error:
        raise UnreadableFile(f"{at}: {error}") from error
    labels = checked["metadata"].get("labels") or {}
    if resource.selector is None:
        return checked
    key, _, value = resource.selector.partition("=")
    return checked if key in labels and value in ("", labels[key]) else None


def cache_of_documents(
    documents: Iterable[Document],
    *,
    served: Mapping[str, APIResource | None] | None = None,
    enmasse_namespace: str = DEFAULT_ENMASSE_NAMESPACE,
) -> Cache:
    """Return a cache that holds documents.

    ``served`` says where kinds are served, None for one that is not; a kind that it does not name is served as its
    documents have it.
    """
    cache = Cache(Client.in_cluster(), enmasse_namespace=enmasse_namespace)
    by_kind: dict[str, list[Document]] = {}
    for document in documents:
        by_kind.setdefault(document["kind"], []).append(document)
    for kind in cache.reflectors:
        _fill(cache, kind, by_kind.get(kind, []), served or {})
    of_kind, in_config_maps = (by_kind.get(r.kind) for r in (resources.ADDRESS_SPACE, resources.SPACE_CONFIG_MAP))
    cache.from_config_maps = bool(in_config_maps) and not of_kind
    return cache


def completed(document: Document) -> Document:
    """Return a document with the fields that only a server sets; a uid that is unknown names its object."""
    metadata = {**document["metadata"]}
    metadata.setdefault("namespace", "default")
    metadata.setdefault("uid", f"(uid of {document['kind']} {metadata['namespace']}/{metadata['name']})")
    return {**document, "metadata": metadata}


def _fill(cache: Cache, kind: str, documents: list[Document], served: Mapping[str, APIResource | None]) -> None:
    """Fill a store with what its reflector would have listed."""
    reflector = cache.reflectors[kind]
    resource = reflector.resource
    version = resource.version or DEFAULT_VERSIONS[kind]
    if documents and resource.version is None:
        version = documents[0]["apiVersion"].rpartition("/")[2]
    reflector.served = served.get(kind, APIResource(resource, version))
    if reflector.served is None:
        reflector.state = State.ABSENT
        return
    reflector.read_from = reflector.served
    listed = reflector.served.watchable or resource.polled
    reflector.state = State.SYNCED if listed else State.UNWATCHED
    if resource is resources.SPACE_CONFIG_MAP:
        documents = [space for space in map(config_map.address_space_document, map(completed, documents)) if space]
    elif resource.namespaced:
        documents = [completed(document) for document in documents]
    if listed:
        reflector.store.replace(map(reflector.store.read, documents), reflector.store.epoch())
