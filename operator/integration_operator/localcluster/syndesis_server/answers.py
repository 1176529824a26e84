"""The bodies of answers other than what was asked for. There is no 409 anywhere."""

from __future__ import annotations

import json
from typing import Any

from aiohttp import web

Document = dict[str, Any]

CHECK_REQUEST = "Please check your request data"
CHECK_ARGUMENTS = "Please check your sorting arguments"
CHECK_PARAMETERS = "Please make sure that you're sending the correct parameters"
NOT_ACCEPTABLE = "Given request is not acceptable"
FILE_A_BUG = "Please contact the administrator and file a bug report"


class Refusal(Exception):
    """An answer that ends the handling of a request."""

    def __init__(self, status: int, body: Any = None) -> None:
        super().__init__(str(status))
        self.status = status
        self.body = body

    @property
    def response(self) -> web.Response:
        """The answer."""
        return answer(self.status, self.body)


def answer(status: int, body: Any = None) -> web.Response:
    """An answer with a JSON body, or with none."""
    if body is None:
        return web.Response(status=status)
    return web.Response(status=status, text=json.dumps(body, ensure_ascii=False), content_type="application/json")


def rest_error(status: int, user: str, developer: str) -> Refusal:
    """What every handled exception becomes (RestError.java)."""
    return Refusal(status, {"errorCode": status, "userMsg": user, "developerMsg": developer})


def not_found(what: str = "null") -> Refusal:
    """An id that is not there."""
    return rest_error(404, CHECK_REQUEST, f"Entity Not Found Exception {what}")


def internal(message: str) -> Refusal:
    """Any exception that nobody mapped (SyndesisServerExceptionMapper)."""
    return rest_error(500, FILE_A_BUG, f"Internal Server Exception. {message}")


def argument(message: str) -> Refusal:
    """A parameter of a list that is refused."""
    return rest_error(400, CHECK_ARGUMENTS, f"Illegal Argument on Call {message}")


def violation(error: str, message: str, where: str) -> Refusal:
    """A constraint that does not hold."""
    return Refusal(400, [{"error": error, "message": message, "property": where}])


def not_unique(name: str, where: str) -> Refusal:
    """A name that is taken."""
    return violation("UniqueProperty", f"Value '{name}' is not unique", where)


def missing(where: str) -> Refusal:
    """A value that is required."""
    return violation("NotNull", "Value is required", where)
