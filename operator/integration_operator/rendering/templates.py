"""The four templates: loading, rendering, and the check that refuses a broken one before anything is applied.

A template decides what a document says, never which document it is: kind, name, namespace, owner and the labels that
the operator finds its objects by must come out as the variables gave them. That is checked on each rendering, and at
start against sample facts, so that a mistake ends the start with file, line and reason.
"""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn

import yaml
from jinja2 import TemplateError, TemplateNotFound, TemplateSyntaxError, UndefinedError, meta

from integration_operator.domain.plan.manifests import Identity, TemplateName, TemplateRefused
from integration_operator.rendering.environment import LimitExceeded, environment, rendered, strip_marks
from integration_operator.rendering.samples import SAMPLES, VARIABLES
from integration_operator.rendering.skeleton import NotWhole, Values, read_in_full
from integration_operator.shipped import shipped_directory

Document = dict[str, Any]

NAMES: tuple[TemplateName, ...] = ("integration", "secret", "messaginguser", "connection")


YAML_ENDINGS = (".yaml", ".yml")
ENDINGS = (".j2", ".jinja", ".jinja2", *YAML_ENDINGS)
"""What a template may be called by mistake; a YAML file of another name is somebody else's, as kustomization.yaml."""
CLOSE = 0.7
"""Share of a name that has to agree before it counts as misspelt (difflib's ratio): connection.yml is, at 0.75."""


class TemplateFiles:
    """Templates from files; a file in the user's directory takes the place of the shipped one of that name."""

    def __init__(self, directory: Path | None = None) -> None:
        if directory is not None and not directory.is_dir():
            raise TemplateRefused(f"{directory}: there is no such directory of templates")
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

        ``variables`` are those of docs/templates.md except ``metadata``, ``apiVersion`` and ``kind``, which come from
        the identity. Raises ``TemplateRefused`` with file, line and reason; values are in no message.
        """
        try:
            document = self._document(name, _with_identity(identity, variables))
        except (TemplateError, yaml.YAMLError, TypeError, ValueError, ArithmeticError, LookupError, RecursionError):
            self._explain(name, identity, variables)
        if _identity_fault(document, identity) is not None:
            self._explain(name, identity, variables)
        return document

    def _document(self, name: TemplateName, variables: Document) -> Document:
        """Render by skeleton, or in full where the template puts values inside of others."""
        if name not in self._in_full:
            self._values.begin()
            try:
                found: Document = self._values.read(rendered(self._compiled[name], variables))
            except NotWhole:
                self._in_full.add(name)
            else:
                return found
        return read_in_full(rendered(self._plain.get_template(_file(name)), variables))  # type: ignore[no-any-return]

    def check(self) -> None:
        """Render all templates against sample facts. Raises ``TemplateRefused`` for the first that is broken."""
        for name in NAMES:
            self._check_variables(name)
            for identity, variables in SAMPLES[name]:
                self.render(name, identity, variables)

    def file(self, name: TemplateName) -> Path:
        """The file that a template is read from."""
        return next(d / _file(name) for d in self._directories if (d / _file(name)).is_file())

    def _refuse_unused(self, directory: Path) -> None:
        """Refuse a file that looks like a template and is none: its author believes that it counts."""
        used = {_file(name) for name in NAMES}
        for name in NAMES:
            found = meta.find_referenced_templates(self._environment.parse(self.file(name).read_text()))
            used |= {reference for reference in found if reference is not None}
        for file in sorted(directory.iterdir()):
            if file.name in used or file.name.startswith(".") or file.suffix not in ENDINGS:
                continue
            close = get_close_matches(file.name, map(_file, NAMES), n=1, cutoff=CLOSE)
            if close or file.suffix not in YAML_ENDINGS:
                hint = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(map(_file, NAMES))}"
                raise TemplateRefused(f"{file}: no template has this name{hint}")

    def _check_variables(self, name: TemplateName) -> None:
        """Refuse a variable that no pair has, also in a branch that no sample takes."""
        source = self.file(name).read_text()
        tree = self._environment.parse(source)
        for unknown in sorted(meta.find_undeclared_variables(tree) - VARIABLES[name]):
            line = next((n for n, text in enumerate(source.splitlines(), 1) if unknown in text), 0)
            raise TemplateRefused(f"{self.file(name)}:{line}: there is no variable {unknown!r} for this template")

    def _explain(self, name: TemplateName, identity: Identity, variables: Document) -> NoReturn:
        """Render once more, with marks, to find the line to blame."""
        marked = environment(self._directories, marks=True)
        try:
            text = rendered(marked.get_template(_file(name)), _with_identity(identity, variables))
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
        fault = _identity_fault(document, identity)
        if fault is None:
            raise TemplateRefused(f"{self.file(name)}:1: does not render the same twice")
        path, why = fault
        raise TemplateRefused(f"{self.file(name)}:{_line(numbers, _find(node, path))}: {why}")

    def _refuse(self, name: TemplateName, error: Exception) -> NoReturn:
        where = str(self.file(name)) if not isinstance(error, TemplateNotFound) else _file(name)
        line = error.lineno if isinstance(error, TemplateSyntaxError) else _line_of_traceback(error, name)
        told = isinstance(error, (TemplateSyntaxError, UndefinedError, LimitExceeded))
        reason = str(error) if told else type(error).__name__
        raise TemplateRefused(f"{where}:{line}: {' '.join(reason.split())}") from None


def _file(name: str) -> str:
    return f"{name}.yaml.j2"


def _with_identity(identity: Identity, variables: Document) -> Document:
    metadata = {
        "name": identity.ref.name,
        "namespace": identity.ref.namespace,
        "labels": identity.labels,
        "annotations": identity.annotations,
        "ownerReferences": list(identity.owners),
    }
    return {**variables, "apiVersion": identity.api_version, "kind": identity.kind, "metadata": metadata}


def _identity_fault(document: object, identity: Identity) -> tuple[tuple[str, ...], str] | None:
    """The first field of the identity that a document changes, as (path, reason)."""
    if not isinstance(document, dict):
        return (), "gives no document"
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
    for path, there, wanted in fixed:
        if there != wanted:
            return path, f"{'.'.join(path)} may not be changed"
    for group, kept in (("labels", identity.labels), ("annotations", identity.annotations)):
        found = metadata.get(group) or {}
        if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
            return ("metadata", group), f"metadata.{group} must be a mapping of texts"
        for key, value in kept.items():
            if found.get(key) != value:
                return ("metadata", group), f"metadata.{group} must keep {key}"
        if "owner" in found and group == "labels":
            return ("metadata", group), "a label named 'owner' would have Syndesis delete the object"
    for key in ("uid", "resourceVersion", "managedFields", "finalizers", "generateName"):
        if key in metadata:
            return ("metadata", key), f"metadata.{key} may not be set"
    if "status" in document:
        return ("status",), "status may not be set"
    return None


def _find(node: yaml.Node | None, path: tuple[str, ...]) -> int:
    """The line of the deepest field of a path that is there."""
    line = node.start_mark.line if node is not None else 0
    for part in path:
        if not isinstance(node, yaml.MappingNode):
            break
        entry = next(((key, value) for key, value in node.value if key.value == part), None)
        if entry is None:
            break
        line, node = entry[0].start_mark.line, entry[1]
    return line


def _line(numbers: list[int], at: int) -> int:
    """The template's line for a line of output; expressions that give several lines belong to the next mark."""
    return next((n for n in numbers[at:] if n), max(numbers, default=0) + 1)


def _line_of_traceback(error: Exception, name: str) -> int:
    line = 1
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code.co_filename.endswith(_file(name)):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return line
