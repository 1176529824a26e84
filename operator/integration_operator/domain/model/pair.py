"""The pair: the unit of work, and the key of the work queue."""

from __future__ import annotations

from typing import Literal, NamedTuple

from integration_operator.runtime.ref import Ref

ConsumerKind = Literal["Syndesis", "Integration"]


class Pair(NamedTuple):
    """An AddressSpace and its consumer: a Syndesis that may use it, or an Integration with ``spec.consumer: binding``.

    Such an Integration represents the workloads in its namespace that use its Secret. It is in one pair only.
    """

    space: Ref
    consumer: Ref
    kind: ConsumerKind = "Syndesis"

    def __str__(self) -> str:
        consumer = f"Integration {self.consumer}" if self.is_binding else str(self.consumer)
        return f"{self.space} → {consumer}"

    @property
    def is_binding(self) -> bool:
        """True if the consumer is the Integration itself."""
        return self.kind == "Integration"

    @property
    def syndesis(self) -> Ref:
        """The consumer of a pair that is no binding."""
        return self.consumer

    @property
    def crosses_namespaces(self) -> bool:
        """True if the giver of the messages and their receiver are two tenants."""
        return self.space.namespace != self.consumer.namespace
