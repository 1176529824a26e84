"""Error answers of the server: three families of bodies, and no status of its own for a conflict.

Spring answers before the API is reached, RESTEasy if no method matches, and Syndesis itself otherwise. There, often
only the text for developers tells two failures apart.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

from aiohttp import web

BAD_BODY = "Please make sure that you're sending the correct parameters"
BAD_DATA = "Please check your request data"
BAD_LIST = "Please check your sorting arguments"
DEFECT = "Please contact the administrator and file a bug report"
NOT_ACCEPTABLE = "Given request is not acceptable"


class Refused(Exception):
    """A request that is answered with an error."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


def rest_error(status: int, user: str, developer: str) -> Refused:
    """Return an error of Syndesis itself."""
    return Refused(status, {"errorCode": status, "userMsg": user, "developerMsg": developer})


def violation(error: str, message: str, prop: str) -> Refused:
    """Return the error for an object that violates a rule of the model. The body is a list."""
    return Refused(400, [{"error": error, "message": message, "property": prop}])


def not_found(message: str | None = None) -> Refused:
    """Return the error for an entity that does not exist; Java prints a missing message as ``null``."""
    return rest_error(404, BAD_DATA, f"Entity Not Found Exception {message or 'null'}")


def defect(message: str) -> Refused:
    """Return the error for everything that Syndesis does not handle, such as a conflict."""
    return rest_error(500, DEFECT, f"Internal Server Exception. {message}")


def forbidden(path: str) -> Refused:
    """Return Spring's error for a request without a user, or for a write without the XSRF token."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds")
    body = {"timestamp": now, "status": 403, "error": "Forbidden", "message": "", "path": path}
    return Refused(403, body)


def as_json(body: Any, status: int = 200) -> web.Response:
    """Return an answer with a body."""
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return web.Response(status=status, body=text.encode(), headers={"Content-Type": "application/json"})


def empty(status: int = 204) -> web.Response:
    """Return an answer without a body."""
    return web.Response(status=status)
