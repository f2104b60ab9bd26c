"""Makes families of gauges with our prefix; it must not know what they measure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import GaugeMetricFamily

from telemetry.core.fold.totals import BOUNDS_S, OVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from prometheus_client.core import Metric

TICKETS = ("issued", "called", "served", "abandoned", "no_show")
WAITS = (
    "Today's waits at or under the bound (seconds; +Inf: all), counted cumulatively. Gauges and no histogram, because "
    "the counts fall at midnight and late data may lower them."
)


def family(name: str, text: str, labels: Sequence[str], rows: Iterable[tuple[Sequence[str], float]]) -> Metric:
    """Return a family with one sample per row: label values and value."""
    found = GaugeMetricFamily(f"motcua_{name}", text, labels=labels)
    for values, value in rows:
        found.add_metric(values, value)
    return found


def single(name: str, text: str, value: float) -> Metric:
    """Return a family with one sample and no label."""
    return GaugeMetricFamily(f"motcua_{name}", text, value=value)


def waits(sums: Mapping[str, int]) -> Iterator[tuple[str, int]]:
    """Yield each bound and how many waits did not exceed it."""
    count = 0
    for bound in (*BOUNDS_S, OVER):
        count += sums.get(f"wait_le_{bound}", 0)
        yield "+Inf" if bound == OVER else str(bound), count
