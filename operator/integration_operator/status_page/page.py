"""The page as HTML, and the headers that keep a browser from running or loading anything for it."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from integration_operator.status_page.report import Report

DIRECTORY = Path(__file__).parent

STYLE = (DIRECTORY / "style.css").read_text()

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "img-src data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Of the page and of each refusal. No script is allowed, and no style but the page's own."""

_ENVIRONMENT = ImmutableSandboxedEnvironment(
    loader=FileSystemLoader(DIRECTORY), autoescape=True, undefined=StrictUndefined, auto_reload=False
)


def page(report: Report) -> str:
    """Return a report as HTML. Each text is escaped: tenants write names, reasons and messages."""
    return _ENVIRONMENT.get_template("page.html.j2").render(report=report, style=Markup(STYLE))  # noqa: S704  our own
