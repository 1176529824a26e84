"""YAML that users hand in: settings, kubeconfigs, Kubernetes documents; read with bounds, or refused in one line.

A file is UTF-8 text of at most ``LARGEST_FILE`` bytes. Dates stay text, as in kubectl (sigs.k8s.io/yaml keeps what
looks like a timestamp as a string). Aliases are counted before anything is built from them, because 500 bytes of
nested aliases or merge keys stand for gigabytes ("billion laughs").
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from integration_operator.runtime.text import sanitized

MAX_FILE_BYTES = 64 * 1024 * 1024
"""Bytes of one file: 40 objects of etcd's largest size (1.5 MiB), or 30,000 AddressSpaces as kubectl prints them."""

MAX_ALIASED_VALUES = 1_000_000
"""Values that the aliases of one document may stand for. Documents of Kubernetes rarely have any; go-yaml refuses at
4,000,000 (decode.go, ``alias_ratio_range_high`` @v2.4.0)."""

MAX_DEPTH = 100
"""Levels of one document: three times what the deepest CRD has, far below Python's limit on recursion."""


STDIN = "-"


class UnreadableFile(Exception):
    """A file cannot be read or is not the YAML that it should be; the message says which, and where."""


class _Loader(yaml.CSafeLoader):
    """Plain values as kubectl reads them."""


_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.CSafeLoader.yaml_implicit_resolvers.items()
}


def read_text(file: Path) -> str:
    """Return the text of a file, or of standard input if it is ``-``. Raises ``UnreadableFile``."""
    if str(file) == STDIN:
        return decoded(sys.stdin.buffer.read(MAX_FILE_BYTES + 1), "standard input")
    try:
        with file.open("rb") as stream:
            return decoded(stream.read(MAX_FILE_BYTES + 1), shown(file))
    except OSError as error:
        raise UnreadableFile(f"{shown(file)}: {reason(error)}") from error


def decoded(content: bytes, name: str) -> str:
    """Return bytes as text; a byte order mark of UTF-8 is dropped. Raises ``UnreadableFile``."""
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
    """Return the documents in a text, each with the line on which it begins. Raises ``UnreadableFile``."""
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
        last = text.count("\n") + (not text.endswith("\n"))  # libyaml finds the end behind it
        line = min(error.problem_mark.line + 1, last) if error.problem_mark else line
        raise UnreadableFile(f"{name}:{line}: not YAML: {sanitized(error.problem)}") from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1 if isinstance(error.position, int) else line
        raise UnreadableFile(f"{name}:{line}: not YAML: control characters are not allowed") from error
    except (ValueError, IndexError, yaml.YAMLError) as error:  # a number without end or without digits
        raise UnreadableFile(f"{name}:{line}: not YAML: {sanitized(error, 200)}") from error


def _check_depth(text: str, name: str) -> None:
    """Check that no document is too deep: libyaml's binding composes by recursion in C, without a limit."""
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
    """Check that a document is finite, and that its aliases do not stand for too many values."""
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
        raise UnreadableFile(f"{name}:{line}: its aliases stand for more than {MAX_ALIASED_VALUES:,} values")


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def shown(file: Path | str) -> str:
    """Return a file's name as it may be printed."""
    return "standard input" if str(file) == STDIN else sanitized(file)


def reason(error: OSError) -> str:
    """Return why a file cannot be read, in the words of a shell."""
    text = error.strerror or str(error)
    return "no such file" if isinstance(error, FileNotFoundError) else text[:1].lower() + text[1:]
