"""Builds families of gauges with the prefix `motcua_`; it must not depend on what they measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from telemetry.core.figures.histograms import queue_figures

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

TICKET_EVENTS = ("issued", "called", "served", "abandoned", "no_show")
WAITS_HELP = (
    "Today's waits at or under the bound (seconds; +Inf: all), counted cumulatively. Gauges, not a histogram, because "
    "the counts fall at midnight and late data may lower them."
)


def gauge_family(
    name: str, help_text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]
) -> Metric:
    """Return a family with one sample per row: label values and value."""
    metric = GaugeMetricFamily(f"motcua_{name}", help_text, labels=labels)
    for values, value in rows:
        metric.add_metric(values, value)
    return metric


def single_gauge(name: str, help_text: str, value: float) -> Metric:
    """Return a family with one sample and no label."""
    return GaugeMetricFamily(f"motcua_{name}", help_text, value=value)


def wait_histogram(sums: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield each bound and how many waits did not exceed it."""
    waits = queue_figures(sums).wait
    yield from ((str(bound), count) for bound, count in waits.counts_within())
    yield "+Inf", waits.count
