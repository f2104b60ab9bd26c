"""The catalogue of all indicators by id, with those that an inventory declares; it must hold no rows of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.fold.totals import CONNECTOR_FIELDS, COUNT_FIELDS, COUNTER_FIELDS, HISTOGRAM_FIELDS, SEGMENT_FIELDS
from telemetry.core.kpi.digital_indicators import DIGITAL_INDICATORS
from telemetry.core.kpi.figures import DISTINCT_PROCEDURES, FLOW_FIELDS, SNAPSHOT_FIELDS
from telemetry.core.kpi.service_indicators import SERVICE_INDICATORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.kpi.indicators import Indicator, IndicatorSource

INDICATORS: Mapping[str, Indicator] = MappingProxyType({row.id: row for row in DIGITAL_INDICATORS + SERVICE_INDICATORS})
"""Every indicator of the product in the order in which it is shown."""
ADMINISTRATION_FIGURES = frozenset((*FLOW_FIELDS, *SNAPSHOT_FIELDS, *DISTINCT_PROCEDURES))
"""The figures that events of digital administration and catalogue snapshots give."""
OPERATION_FIGURES = frozenset(
    (
        *COUNT_FIELDS,
        *COUNTER_FIELDS,
        *(name for name in SEGMENT_FIELDS if name not in HISTOGRAM_FIELDS),
        *CONNECTOR_FIELDS,
        "wait_sum_ms",
        "wait_count",
        "service_sum_ms",
        "service_count",
    )
)
"""The figures that totals of queues, counters and connectors give, of those that an inventory may name."""


def all_indicators(own: Iterable[Indicator]) -> Mapping[str, Indicator]:
    """Return the catalogue with the indicators that an inventory declares after it."""
    return INDICATORS if not own else {**INDICATORS, **{row.id: row for row in own}}


def own_source(figures: Iterable[str]) -> IndicatorSource:
    """Return where the figures of a declared indicator come from; of mixed ones, totals."""
    names = set(figures)
    if names <= SNAPSHOT_FIELDS.keys():
        return "catalogue"
    return "events" if names <= ADMINISTRATION_FIGURES else "totals"
