"""The four templates: loading, rendering and validation.

A template may not change the identity of a document: kind, name, namespace, owners and the labels and annotations of
the operator must be those of the variables. It may not drop the credential either. That is checked on each rendering,
and at start with sample variables, so that an error ends the start with file, line and reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError, meta

from integration_operator.domain.plan.manifests import Identity, TemplateName, TemplateRefused
from integration_operator.rendering.credential import Fault, credential_fault
from integration_operator.rendering.environment import LimitExceeded, environment, render_bounded, strip_marks
from integration_operator.rendering.samples import SAMPLES, VARIABLES
from integration_operator.rendering.skeleton import EmbeddedValue, Values, parse_in_full
from integration_operator.shipped import shipped_directory

Document = dict[str, Any]

NAMES: tuple[TemplateName, ...] = ("integration", "secret", "messaginguser", "connection")

YAML_ENDINGS = (".yaml", ".yml")
ENDINGS = (".j2", ".jinja", ".jinja2", *YAML_ENDINGS)
"""Suffixes of misnamed templates. Other YAML files, such as kustomization.yaml, are ignored."""
MIN_SIMILARITY = 0.7
"""Minimum similarity of a misspelt name to that of a template (difflib's ratio): connection.yml has 0.75."""


class TemplateFiles:
    """Templates in files; a file in ``directory`` replaces the shipped one of the same name."""

    def __init__(self, directory: Path | None = None) -> None:
        if directory is not None and not directory.is_dir():
            raise TemplateRefused(f"{directory}: no such directory of templates")
        self._directories = [d for d in (directory, shipped_directory("templates")) if d is not None]
        self._values = Values()
        self._environment = environment(self._directories, finalize=self._values.finalize)
        self._plain = environment(self._directories)
        self._compiled = {}
        self._in_full: set[TemplateName] = set()
        for name in NAMES:
            try:
                self._compiled[name] = self._environment.get_template(_file(name))
            except (TemplateError, UnicodeDecodeError) as error:
                self._refuse(name, error)
        if directory is not None:
            self._refuse_unused(directory)

    def render(self, name: TemplateName, identity: Identity, variables: Document) -> Document:
        """Render one document.

        ``variables`` are those of docs/reference/template-variables.md except ``metadata``, ``apiVersion`` and
        ``kind``, which come from the identity. Raises ``TemplateRefused`` with file, line and reason; the message
        quotes no value.
        """
        try:
            document = self._document(name, with_identity(identity, variables))
        except (TemplateError, yaml.YAMLError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError):
            self._explain(name, identity, variables)
        if _fault(name, document, identity, variables) is not None:
            self._explain(name, identity, variables)
        return document

    def _document(self, name: TemplateName, variables: Document) -> Document:
        """Render with a skeleton, or in full if the template embeds values in text."""
        if name not in self._in_full:
            self._values.begin()
            try:
                document: Document = self._values.parse(render_bounded(self._compiled[name], variables))
            except EmbeddedValue:
                self._in_full.add(name)
            else:
                return document
        return parse_in_full(render_bounded(self._plain.get_template(_file(name)), variables))  # type: ignore[no-any-return]

    def check(self) -> None:
        """Render all templates with sample variables. Raises ``TemplateRefused`` for the first broken one."""
        for name in NAMES:
            self._check_variables(name)
            for identity, variables in SAMPLES[name]:
                self.render(name, identity, variables)

    def file(self, name: TemplateName) -> Path:
        """Return the file of a template."""
        return next(d / _file(name) for d in self._directories if (d / _file(name)).is_file())

    def _refuse_unused(self, directory: Path) -> None:
        """Refuse a file that looks like a template but is not used."""
        used = {_file(name) for name in NAMES}
        for name in NAMES:
            references = meta.find_referenced_templates(self._environment.parse(self.file(name).read_text()))
            used |= {reference for reference in references if reference is not None}
        for file in sorted(directory.iterdir()):
            if file.name in used or file.name.startswith(".") or file.suffix not in ENDINGS:
                continue
            close = get_close_matches(file.name, map(_file, NAMES), n=1, cutoff=MIN_SIMILARITY)
            if close or file.suffix not in YAML_ENDINGS:
                hint = f"; did you mean {close[0]}?" if close else f"; templates are {', '.join(map(_file, NAMES))}"
                raise TemplateRefused(f"{file}: no template has this name{hint}")

    def _check_variables(self, name: TemplateName) -> None:
        """Refuse an unknown variable, also in a branch that no sample takes."""
        source = self.file(name).read_text()
        tree = self._environment.parse(source)
        for unknown in sorted(meta.find_undeclared_variables(tree) - VARIABLES[name]):
            line = next((n for n, text in enumerate(source.splitlines(), 1) if unknown in text), 0)
            raise TemplateRefused(f"{self.file(name)}:{line}: this template has no variable {unknown!r}")

    def _explain(self, name: TemplateName, identity: Identity, variables: Document) -> NoReturn:
        """Render once more with marks, to find the line of the error."""
        marked = environment(self._directories, marks=True)
        try:
            text = render_bounded(marked.get_template(_file(name)), with_identity(identity, variables))
        except Exception as error:
            self._refuse(name, error)
        plain, numbers = strip_marks(text)
        try:
            node = yaml.compose(plain, Loader=yaml.SafeLoader)
            document = yaml.safe_load(plain)
        except yaml.MarkedYAMLError as error:
            at = error.problem_mark.line if error.problem_mark else 0
            raise TemplateRefused(f"{self.file(name)}:{_line(numbers, at)}: not YAML: {error.problem}") from None
        except yaml.YAMLError:
            raise TemplateRefused(f"{self.file(name)}:1: not YAML") from None
        fault = _fault(name, document, identity, variables)
        if fault is None:
            raise TemplateRefused(f"{self.file(name)}:1: renders differently each time")
        path, reason = fault
        raise TemplateRefused(f"{self.file(name)}:{_line(numbers, _find(node, path))}: {reason}")

    def _refuse(self, name: TemplateName, error: Exception) -> NoReturn:
        file = str(self.file(name)) if not isinstance(error, TemplateNotFound) else _file(name)
        line = error.lineno if isinstance(error, TemplateSyntaxError) else _line_of_traceback(error, name)
        is_safe = isinstance(error, (TemplateSyntaxError, UndefinedError, LimitExceeded))  # other texts quote values
        reason = str(error) if is_safe else type(error).__name__
        raise TemplateRefused(f"{file}:{line}: {' '.join(reason.split())}") from None


def _file(name: str) -> str:
    return f"{name}.yaml.j2"


def with_identity(identity: Identity, variables: Document) -> Document:
    """Return the variables of a template with those of the identity: all that it may use."""
    metadata = {
        "name": identity.ref.name,
        "namespace": identity.ref.namespace,
        "labels": identity.labels,
        "annotations": identity.annotations,
        "ownerReferences": list(identity.owners),
    }
    return {**variables, "apiVersion": identity.api_version, "kind": identity.kind, "metadata": metadata}


def _fault(name: TemplateName, document: object, identity: Identity, variables: Document) -> Fault | None:
    """Return the first field that a template must not have changed."""
    fault = _identity_fault(document, identity)
    if fault is None and isinstance(document, dict):
        fault = credential_fault(name, document, variables)
    return fault


def _identity_fault(document: object, identity: Identity) -> Fault | None:
    """Return the first field of the identity that a document changes."""
    if not isinstance(document, dict):
        return (), "renders no document"
    metadata = document.get("metadata")
    if not isinstance(metadata, dict):
        return ("metadata",), "metadata is missing"
    fixed: list[tuple[tuple[str, ...], object, object]] = [
        (("apiVersion",), document.get("apiVersion"), identity.api_version),
        (("kind",), document.get("kind"), identity.kind),
        (("metadata", "name"), metadata.get("name"), identity.ref.name),
        (("metadata", "namespace"), metadata.get("namespace"), identity.ref.namespace),
        (("metadata", "ownerReferences"), metadata.get("ownerReferences") or [], list(identity.owners)),
    ]
    for path, value, desired in fixed:
        if value != desired:
            return path, f"{'.'.join(path)} may not be changed"
    return (
        _text_map_fault("labels", metadata, identity.labels)
        or _text_map_fault("annotations", metadata, identity.annotations)
        or _forbidden_field(document, metadata)
    )


def _text_map_fault(field: str, metadata: Document, required: Mapping[str, str]) -> Fault | None:
    """Return the error in labels or annotations."""
    texts = metadata.get(field) or {}
    if not isinstance(texts, dict) or not all(isinstance(value, str) for value in texts.values()):
        return ("metadata", field), f"metadata.{field} must be a mapping of texts"
    for key, value in required.items():
        if texts.get(key) != value:
            return ("metadata", field), f"metadata.{field} must keep {key}"
    if field == "labels" and "owner" in texts:
        return ("metadata", field), "a label named 'owner' would have Syndesis delete the object"
    return None


def _forbidden_field(document: Document, metadata: Document) -> Fault | None:
    """Return the first field that a template may not set."""
    for key in ("uid", "resourceVersion", "managedFields", "finalizers", "generateName"):
        if key in metadata:
            return ("metadata", key), f"metadata.{key} may not be set"
    return (("status",), "status may not be set") if "status" in document else None


def _find(node: yaml.Node | None, path: tuple[str, ...]) -> int:
    """Return the line of the deepest existing field of a path."""
    line = node.start_mark.line if node is not None else 0
    for part in path:
        if not isinstance(node, yaml.MappingNode):
            break
        entry = next(((key, value) for key, value in node.value if key.value == part), None)
        if entry is None:
            break
        line, node = entry[0].start_mark.line, entry[1]
    return line


def _line(numbers: list[int], index: int) -> int:
    """Return the template's line for a line of output; if it has no mark, the next mark counts."""
    return next((n for n in numbers[index:] if n), max(numbers, default=0) + 1)


def _line_of_traceback(error: Exception, name: str) -> int:
    line = 1
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.endswith(_file(name)):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
