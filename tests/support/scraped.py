"""What a scrape of a collector or of the whole process returns."""

from __future__ import annotations

from prometheus_client import REGISTRY
from prometheus_client.registry import Collector

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def series(*collectors: Collector) -> Series:
    """Return all samples of collectors, by name and labels."""
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for collector in collectors
        for family in collector.collect()
        for sample in family.samples
    }


def sample(collector: Collector, name: str, **labels: str) -> float | None:
    """Return one sample of a collector, None if it has none with these labels."""
    return series(collector).get((name, frozenset(labels.items())))


def counted(name: str, **labels: str) -> float:
    """Return a counter of this process, 0 if nothing was counted."""
    return REGISTRY.get_sample_value(name, labels) or 0.0
