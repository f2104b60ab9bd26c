"""The named figures of a window from totals: what indicators are made of, by level and over all; pure, no division.

A flow (`received_online`) is the sum of the window.  A snapshot (`catalogue_full`, `backlog_overdue`) is the newest one
in the window, as the mean of its day's snapshots.  Distinct procedures are those with a sum above 0.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.administrative_counts import ADMINISTRATION_FIELDS, CATALOGUE_COUNTS
from telemetry.core.fold.totals import add_to_sums
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.fold.totals import Total

SNAPSHOT_FIELDS: dict[str, str] = {
    **{f"catalogue_{name}": f"snapshots_{name}" for name in CATALOGUE_COUNTS},
    "backlog_open": "backlog_snapshots",
    "backlog_overdue": "backlog_snapshots",
}
"""Each snapshot's sum, and the sum that counts its snapshots."""
FLOW_FIELDS = tuple(
    name for name in ADMINISTRATION_FIELDS
    if name not in SNAPSHOT_FIELDS and name not in SNAPSHOT_FIELDS.values() and not name.endswith("_histogram")
)  # fmt: skip
_FLOWS = frozenset(FLOW_FIELDS)
DISTINCT_PROCEDURES = {
    "procedures_with_dossiers": "received",
    "procedures_with_online_dossiers": "received_online",
    "procedures_resolved_online": "resolved_online",
    "procedures_paid_online": "payments_ok",
}
"""Each count of distinct procedures, and the sum that must be above 0."""


@dataclass(slots=True)
class FigureSet:
    """Figures over all levels and by level, and when each was last above 0 (start of its bucket, Unix ms)."""

    overall: dict[str, int] = field(default_factory=dict)
    by_level: dict[str, dict[str, int]] = field(default_factory=dict)
    latest: dict[str, int] = field(default_factory=dict)

    def add(self, level: str, name: str, value: int, at: int | None = None) -> None:
        """Add to a figure of a level (empty: of no level) and to that over all."""
        self.overall[name] = self.overall.get(name, 0) + value
        if level:
            figures = self.by_level.setdefault(level, {})
            figures[name] = figures.get(name, 0) + value
        if value > 0 and at is not None:
            self.latest[name] = max(at, self.latest.get(name, at))

    def newest(self, names: Iterable[str]) -> int | None:
        """Return when any of the figures was last above 0, None when none was."""
        return max((self.latest[name] for name in names if name in self.latest), default=None)


def add_administration_figures(figures: FigureSet, totals: Iterable[Total]) -> None:
    """Add the flows of administrative levels, and the newest snapshot of each centre and level."""
    newest: dict[tuple[str, str], Total] = {}
    for total in totals:
        level = Scope(total.scope).name
        for name, value in total.sums.items():
            if value and name in _FLOWS:
                figures.add(level, name, value, total.start)
        for name, count in SNAPSHOT_FIELDS.items():
            key = (total.scope, name)
            if total.sums.get(count, 0) and (key not in newest or newest[key].start <= total.start):
                newest[key] = total
    for (scope, name), total in newest.items():
        value = round(total.sums.get(name, 0) / total.sums[SNAPSHOT_FIELDS[name]])
        figures.add(Scope(scope).name, name, value, total.start)


def add_procedure_figures(figures: FigureSet, totals: Iterable[Total]) -> None:
    """Add how many distinct procedures have dossiers, online dossiers, online results and online payments."""
    sums: dict[str, dict[str, int]] = defaultdict(dict)
    newest = 0
    for total in totals:
        add_to_sums(sums[Scope(total.scope).name], total.sums)
        newest = max(newest, total.start)
    for figure, name in DISTINCT_PROCEDURES.items():
        figures.add("", figure, sum(procedure.get(name, 0) > 0 for procedure in sums.values()), newest)


def add_queue_figures(figures: FigureSet, level: str, sums: Mapping[str, int], newest: int | None) -> None:
    """Add the queue sums of all halls of a level; histograms give the count of waits and service times."""
    queue = queue_figures(sums)
    for name, value in sums.items():
        if not name.endswith("_histogram") and "_le_" not in name:
            figures.add(level, name, value, newest)
    figures.add(level, "wait_count", queue.wait.count, newest)
    if "service_count" not in sums:
        figures.add(level, "service_count", queue.service_time.count, newest)


def set_wait_percentile(
    figures: FigureSet, sums_by_level: Mapping[str, Mapping[str, int]], all_sums: Mapping[str, int]
) -> None:
    """Set the 90th percentile of waits of each level and over all: percentiles are merged, never added."""
    for target, sums in (
        (figures.overall, all_sums),
        *((figures.by_level.setdefault(k, {}), v) for k, v in sums_by_level.items()),
    ):
        percentile_s = queue_figures(sums).wait.percentile_s(0.9)
        if percentile_s is not None:
            target["wait_p90_ms"] = round(percentile_s * 1000)
