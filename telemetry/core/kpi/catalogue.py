"""The catalogue of all indicators by id, with those that an inventory declares; it must hold no rows of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from telemetry.core.fold.totals import CONNECTOR_FIELDS, COUNT_FIELDS, COUNTER_FIELDS, HISTOGRAM_FIELDS, SEGMENT_FIELDS
from telemetry.core.kpi.digital_indicators import DIGITAL_INDICATORS
from telemetry.core.kpi.figures import DISTINCT_PROCEDURES, FLOW_FIELDS, SNAPSHOT_FIELDS
from telemetry.core.kpi.indicators import Indicator
from telemetry.core.kpi.service_indicators import SERVICE_INDICATORS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from telemetry.core.inventory import OwnIndicator
    from telemetry.core.kpi.indicators import Direction, IndicatorSource, Strand

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


def all_indicators(own: Collection[OwnIndicator]) -> Mapping[str, Indicator]:
    """Return the catalogue with the indicators that an inventory declares after it."""
    return {**INDICATORS, **{row.id: own_indicator(row) for row in own}} if own else INDICATORS


def own_indicator(row: OwnIndicator) -> Indicator:
    """Return a declared row as an indicator: a ratio, or a count without a denominator.

    Connectors have no administrative level, all other figures do.
    """
    names = {*row.numerator, *row.denominator}
    sides = (" + ".join(row.numerator), " + ".join(row.denominator))
    return Indicator(
        row.id, row.name_vi, row.name_en, cast("Strand", row.strand), row.owner,
        "ratio" if row.denominator else "count", _source_of(names), row.numerator, row.denominator,
        row.formula or " ÷ ".join(filter(None, sides)), cast("Direction", row.direction),
        by_level=not names & {*CONNECTOR_FIELDS},
    )  # fmt: skip


def _source_of(names: set[str]) -> IndicatorSource:
    """Return where figures come from; of mixed ones, totals."""
    if names <= SNAPSHOT_FIELDS.keys():
        return "catalogue"
    return "events" if names <= ADMINISTRATION_FIGURES else "totals"
