"""YAML files of users (settings, kubeconfigs, Kubernetes documents), read with limits.

A file is UTF-8 text of at most ``MAX_FILE_BYTES``. A date is read as text, as in kubectl (sigs.k8s.io/yaml). Aliases
are counted before they are expanded, because 500 bytes of nested aliases or merge keys may expand to gigabytes
("billion laughs").
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from integration_operator.runtime.text import sanitized

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Bytes of one file: 40 objects of etcd's maximum size (1.5 MiB), or 30,000 AddressSpaces as kubectl prints them."""

MAX_ALIASED_VALUES = 1_000_000
"""Values after expansion of the aliases of one document. Kubernetes documents rarely have aliases; go-yaml refuses
4,000,000 (decode.go, ``alias_ratio_range_high`` @v2.4.0)."""

MAX_DEPTH = 100
"""Levels of one document: three times those of the deepest CRD, far below Python's recursion limit."""


STDIN = "-"


class UnreadableFile(Exception):
    """A file cannot be read or is not valid. The message names the file, the line and the reason."""


class _Loader(yaml.CSafeLoader):
    """The loader; it reads scalars as kubectl does."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_text(file: Path) -> str:
    """Return the text of a file, or of standard input for ``-``. Raises ``UnreadableFile``."""
    if str(file) == STDIN:
        return decode(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), "standard input")
    try:
        with file.open("rb") as stream:
            return decode(stream.read(MAX_FILE_BYTES + 1), display_name(file))
    except OSError as error:
        raise UnreadableFile(f"{display_name(file)}: {os_error_reason(error)}") from error


def decode(content: bytes, name: str) -> str:
    """Decode UTF-8, with or without a byte order mark. Raises ``UnreadableFile``."""
    if len(content) > MAX_FILE_BYTES:
        raise UnreadableFile(f"{name}: larger than {MAX_FILE_BYTES // 1024**2} MiB")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise UnreadableFile(f"{name}: UTF-16 text; save it as UTF-8") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise UnreadableFile(f"{name}:{line}: not UTF-8 text (byte 0x{content[error.start]:02x})") from None


def documents(text: str, name: str) -> Iterator[tuple[int, Any]]:
    """Yield the documents of a text, each with the number of its first line. Raises ``UnreadableFile``."""
    line = 1
    try:
        _check_depth(text, name)
        loader = _Loader(text)
        while loader.check_node():
            node = loader.get_node()
            assert node is not None
            line = node.start_mark.line + 1
            _check_size(node, name)
            yield line, loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        last = text.count("\n") + (not text.endswith("\n"))  # libyaml reports the end one line later
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else line
        raise UnreadableFile(f"{name}:{line}: not YAML: {sanitized(error.problem)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else line
        raise UnreadableFile(f"{name}:{line}: not YAML: control characters are not allowed") from error
    except (ValueError, IndexError, yaml.YAMLError) as error:  # an overlong or empty number
        raise UnreadableFile(f"{name}:{line}: not YAML: {sanitized(error, 200)}") from error


def _check_depth(text: str, name: str) -> None:
    """Check the depth of all documents: the libyaml binding recurses in C, without a limit."""
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                line = event.start_mark.line + 1 if event.start_mark else 1
                raise UnreadableFile(f"{name}:{line}: nested more than {MAX_DEPTH} levels deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _check_size(root: yaml.Node, name: str) -> None:
    """Check that a document is finite and that its aliases do not expand to too many values."""
    sizes: dict[int, int] = {}
    values = 0
    stack: list[tuple[yaml.Node, bool]] = [(root, False)]
    open_nodes: set[int] = set()
    while stack:
        node, is_done = stack.pop()
        key = id(node)
        if is_done:
            open_nodes.discard(key)
            sizes[key] = 1 + sum(sizes[id(child)] for child in _children(node))
            continue
        if key in sizes:
            continue
        if key in open_nodes:
            raise UnreadableFile(f"{name}:{node.start_mark.line + 1}: not YAML: a value contains itself")
        values += 1
        open_nodes.add(key)
        stack.append((node, True))
        stack += [(child, False) for child in _children(node)]
    if sizes[id(root)] - values > MAX_ALIASED_VALUES:
        line = root.start_mark.line + 1
        raise UnreadableFile(f"{name}:{line}: its aliases expand to more than {MAX_ALIASED_VALUES:,} values")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def display_name(file: Path | str) -> str:
    """Return the name of a file for messages."""
    return "standard input" if str(file) == STDIN else sanitized(file)


def os_error_reason(error: OSError) -> str:
    """Return the reason of an ``OSError`` as a shell prints it."""
    text = error.strerror or str(error)
    return "no such file" if isinstance(error, FileNotFoundError) else text[:1].lower() + text[1:]
