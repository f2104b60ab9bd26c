"""Which figures of an indicator count people or their cases, and in which columns of other datasets they stand; pure.

It must not read values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.core.fold.administrative_counts import ADMINISTRATION_FIELDS
from telemetry.core.fold.totals import COUNT_FIELDS, SERVICE_LEVEL_FIELDS
from telemetry.core.kpi.digital_indicators import RECEIVED, RESOLVED
from telemetry.core.open_data.suppression import is_disclosive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.open_data.suppression import Counts

_NO_PEOPLE = ("catalogue_", "snapshots_")
PEOPLE_FIGURES = frozenset(
    {*COUNT_FIELDS, *SERVICE_LEVEL_FIELDS}
    | {"wait_count", "service_count", "way_count", "promises", "promises_within", "forecast_actual"}
    | {name for name in ADMINISTRATION_FIELDS if not name.startswith(_NO_PEOPLE) and not name.endswith(("_ms", "gram"))}
)
"""Figures that count people or their cases; times, procedures, devices and requests between systems do not."""
SAMPLE_OF = {"wait_p90_ms": "wait_count"}
"""A percentile, and the figure that counts what it is of."""
TICKET_COLUMNS: Mapping[str, str] = {
    "issued": "issued", "abandoned": "abandoned", "no_show": "no_show", "wait_count": "waits",
    "wait_p90_ms": "waits", "service_count": "service_times", "level_good_900": "within_15min",
    "level_bad_900": "decided_15min",
}  # fmt: skip
"""Figures of queues, and the column of the dataset `queues` that has their parts (or tells them)."""
DOSSIER_COLUMNS: Mapping[str, str] = {
    **{name: name for name in RECEIVED},
    **{name: name for name in ("resolved_on_time", "resolved_late", "resolved_digital")},
}
"""Likewise figures of dossiers and columns of the dataset `dossiers`."""
_SUMS = ((frozenset(RECEIVED), "received"), (frozenset(RESOLVED), "resolved"))


def people_counts(indicator: Indicator, figures: Mapping[str, int]) -> Counts:
    """Return the counts of people that a value of an indicator shows or is made of: numerator, then denominator."""
    sides = []
    for names in (indicator.numerator, indicator.denominator):
        counted = [SAMPLE_OF.get(name, name) for name in names]
        if counted and PEOPLE_FIGURES.issuperset(counted):
            sides.append(sum(figures.get(name, 0) for name in counted))
    return tuple(sides)


def discloses(counts: Counts) -> bool:
    """Return whether an indicator's counts are small, or a small rest of its denominator."""
    return is_disclosive(counts, ((1, 0),) if len(counts) > 1 else ())


def columns_of(indicator: Indicator) -> frozenset[str]:
    """Return the columns of other datasets whose sum over all rows an indicator shows."""
    columns = set[str]()
    for names in (indicator.numerator, indicator.denominator):
        whole = next((column for figures, column in _SUMS if figures == set(names)), "")
        columns |= {whole} if whole else {
            column for name in names if (column := TICKET_COLUMNS.get(name) or DOSSIER_COLUMNS.get(name))
        }  # fmt: skip
    return frozenset(columns)
