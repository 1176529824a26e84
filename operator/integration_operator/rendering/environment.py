"""The Jinja environment: sandboxed, strict, with a map from lines of output to lines of a template.

The author of a template may not be the one who runs the operator, so templates run in the immutable sandbox: no access
to Python internals, no change of variables, no loop over a huge range. An unknown variable is an error, never an empty
string.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Generator, Iterator, Sized
from pathlib import Path
from typing import Any, cast

from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, StrictUndefined, Template, TemplateRuntimeError
from jinja2.ext import Extension
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment

from integration_operator.rendering.skeleton import Json

MAX_DOCUMENT = 256 * 1024
"""Characters of one rendered document; the shipped templates render 1 to 4 KiB, and etcd accepts 1.5 MiB."""

MAX_STEPS = 10_000
"""Items of all ``range``s of one rendering, and pieces of its output: thousands of times what a template needs, and a
tenth of a second."""


class LimitExceeded(TemplateRuntimeError):
    """A template exceeds a limit on output or steps."""


class BoundedSandbox(ImmutableSandboxedEnvironment):
    """The immutable sandbox with limits on memory and time."""

    intercepted_binops = frozenset({"*", "**"})

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Multiply numbers, and repeat texts and lists within limits."""
        if operator == "**":
            raise LimitExceeded("powers (**) are not supported in templates")
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, Sized) and isinstance(times, int) and len(sequence) * times > MAX_DOCUMENT:
                raise LimitExceeded(f"a value of more than {MAX_DOCUMENT} characters or items")
        return super().call_binop(context, operator, left, right)


def render_bounded(template: Template, variables: dict[str, Any]) -> str:
    """Render a template within limits. Raises ``LimitExceeded``."""
    steps, size = MAX_STEPS, 0

    def bounded_range(*arguments: int) -> range:
        nonlocal steps
        items = range(*arguments)
        steps -= len(items)
        if steps < 0:
            raise LimitExceeded(f"loops of more than {MAX_STEPS} steps")
        return items

    pieces: list[str] = []
    generated = cast("Generator[str]", template.generate({**variables, "range": bounded_range}))
    for piece in generated:
        size += len(piece)
        if size > MAX_DOCUMENT or len(pieces) > MAX_STEPS:
            message = f"a document of more than {MAX_DOCUMENT} characters or {MAX_STEPS} pieces"
            generated.throw(LimitExceeded(message))  # in the generator, so that the traceback has the line
        pieces.append(piece)
    return "".join(pieces)


_MARK = re.compile("\x02(\\d+)\x03")


class LineMarks(Extension):
    """Appends the line number of the template to each line of output that ends in literal text.

    Jinja has no map from output to source. The marks are control characters that YAML does not allow, so no document
    contains them otherwise; ``strip_marks`` removes them.
    """

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        """Add a mark before each newline of literal template text; expressions and tags are not changed."""
        for token in stream:
            if token.type != "data" or "\n" not in token.value:
                yield token
                continue
            first, *rest = token.value.split("\n")
            text = first
            for offset, line in enumerate(rest):
                text += f"\x02{token.lineno + offset}\x03\n{line}"
            yield Token(token.lineno, token.type, text)


def strip_marks(text: str) -> tuple[str, list[int]]:
    """Return the text without marks, and the template's line for each of its lines (0 if unknown)."""
    lines, numbers = [], []
    for line in text.split("\n"):
        marks = _MARK.findall(line)
        lines.append(_MARK.sub("", line))
        numbers.append(int(marks[-1]) if marks else 0)
    return "\n".join(lines), numbers


def environment(
    directories: list[Path], *, marks: bool = False, finalize: Callable[[Any], Any] | None = None
) -> BoundedSandbox:
    """Return the environment for template files in ``directories``; the first that has a file wins."""
    loaders: list[BaseLoader] = [FileSystemLoader(str(directory)) for directory in directories]
    sandbox = BoundedSandbox(
        loader=ChoiceLoader(loaders),
        undefined=StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
        finalize=finalize,
        extensions=[LineMarks] if marks else [],
    )
    # JSON is YAML with correct quoting. Jinja's own filter also escapes HTML.
    sandbox.filters["tojson"] = Json.of
    sandbox.filters["b64encode"] = _b64encode
    return sandbox


def _b64encode(value: str) -> str:
    """Encode as padded base64 on one line, as Secrets and MessagingUsers need."""
    return base64.b64encode(value.encode()).decode()
