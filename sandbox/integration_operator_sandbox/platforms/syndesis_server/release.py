"""Differences between the releases of Syndesis that a client of connections can see."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """A release by its name, such as ``1.13.2``, ``1.15`` or ``1.5.x``."""

    name: str

    def since(self, major: int, minor: int) -> bool:
        """Return True if it is this release or a later one."""
        numbers = [int(number) for number in re.findall(r"\d+", self.name)[:2]]
        return numbers >= [major, minor]

    @property
    def keeps_metadata(self) -> bool:
        """True if metadata of a connection is stored; earlier releases drop it silently."""
        return self.since(1, 5)

    @property
    def has_public_properties(self) -> bool:
        """True if single properties can be changed."""
        return self.since(1, 6)

    @property
    def requires_refresh_integrations(self) -> bool:
        """True if that call requires its parameter."""
        return self.since(1, 10)

    @property
    def counts_all_pages(self) -> bool:
        """True if ``totalCount`` counts all pages; in earlier releases it counts the items of the page."""
        return self.since(1, 14)

    @property
    def amqp_icon(self) -> str:
        """Icon of the AMQP connector, which a connection must repeat."""
        if self.since(1, 7):
            return "assets:amqp.svg"
        return "data:image/svg+xml;base64,PHN2Zy8+" if self.since(1, 5) else "fa-amqp"

    @property
    def amqp_name(self) -> str:
        """Name of the AMQP connector."""
        return "AMQP Message Broker" if self.since(1, 4) else "AMQP"
