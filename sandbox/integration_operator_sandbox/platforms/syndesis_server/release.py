"""What differs between the releases of Syndesis, as far as a client of connections can see it."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Release:
    """A release by its name, such as ``1.13.2``, ``1.15`` or ``1.5.x``."""

    name: str

    def since(self, major: int, minor: int) -> bool:
        """Whether it is this one or a later one."""
        numbers = [int(number) for number in re.findall(r"\d+", self.name)[:2]]
        return numbers >= [major, minor]

    @property
    def keeps_metadata(self) -> bool:
        """Before, a connection's metadata is dropped without a word."""
        return self.since(1, 5)

    @property
    def has_public_properties(self) -> bool:
        """Whether properties can be changed one by one."""
        return self.since(1, 6)

    @property
    def requires_refresh_integrations(self) -> bool:
        """Whether that call insists on its parameter."""
        return self.since(1, 10)

    @property
    def counts_all_pages(self) -> bool:
        """Before, ``totalCount`` is the number of items on the page."""
        return self.since(1, 14)

    @property
    def amqp_icon(self) -> str:
        """The icon of the AMQP connector, which a connection is expected to repeat."""
        if self.since(1, 7):
            return "assets:amqp.svg"
        return "data:image/svg+xml;base64,PHN2Zy8+" if self.since(1, 5) else "fa-amqp"

    @property
    def amqp_name(self) -> str:
        """The name of the AMQP connector."""
        return "AMQP Message Broker" if self.since(1, 4) else "AMQP"
