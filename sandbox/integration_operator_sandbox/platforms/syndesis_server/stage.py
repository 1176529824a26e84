"""Stages of a server's start. A client gets another answer in each of them."""

from __future__ import annotations

from enum import Enum


class Stage(Enum):
    """The stages of a start, in order."""

    NO_PATHS = "Spring listens and authenticates; RESTEasy has no resources yet and answers 404 for every path"
    NO_CONNECTORS = "the API answers; connectors are not loaded yet, so whatever is written is stored in clear"
    COMPLETE = "connectors are loaded, and the connections that every database has"
