"""The named figures of a window from totals: what indicators are made of, by level and over all; pure, no division.

A flow (`received_online`) is the sum of the window.  A snapshot (`catalogue_full`, `backlog_overdue`) is the newest one
in the window, as the mean of its day's snapshots.  Distinct procedures are those with a sum above 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.administrative_counts import (
    ADMINISTRATION_FIELDS,
    ADMINISTRATIVE_LEVELS,
    CATALOGUE_COUNTS,
)
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
_PROCEDURE_SUMS = tuple(
    (level, figure, f"{name}_{level}" if level else name)
    for level in ("", *ADMINISTRATIVE_LEVELS)
    for figure, name in DISTINCT_PROCEDURES.items()
)
"""Level (empty: over all), count of distinct procedures, and the sum that must be above 0."""


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

    def add_flows(self, level: str, sums: Mapping[str, int], at: int) -> None:
        """Add the flows of a total that begins at `at`."""
        overall, latest = self.overall, self.latest
        figures = self.by_level.setdefault(level, {})
        for name, value in sums.items():
            if value and name in _FLOWS:
                overall[name] = overall.get(name, 0) + value
                figures[name] = figures.get(name, 0) + value
                if at > latest.get(name, -1):
                    latest[name] = at

    def merge(self, other: FigureSet) -> None:
        """Add the figures of another set."""
        add_to_sums(self.overall, other.overall)
        for level, figures in other.by_level.items():
            add_to_sums(self.by_level.setdefault(level, {}), figures)
        for name, at in other.latest.items():
            self.latest[name] = max(at, self.latest.get(name, at))

    def newest(self, names: Iterable[str]) -> int | None:
        """Return when any of the figures was last above 0, None when none was."""
        return max((self.latest[name] for name in names if name in self.latest), default=None)


@dataclass(frozen=True, slots=True)
class SnapshotFigure:
    """The newest snapshot of a figure in a period: the start of its total, and its value as the mean of that total."""

    at: int
    value: int


@dataclass(slots=True)
class PeriodFigures:
    """The figures of a period in a form that adds up over periods, unlike `FigureSet`.

    `flows` are additive figures; `snapshots` the newest ones by scope and figure; `procedures` the distinct procedures
    by level (empty: over all) and figure; `queues` the queue sums of each level, histograms included, and `queues_at`
    their newest data.
    """

    flows: FigureSet = field(default_factory=FigureSet)
    snapshots: dict[tuple[str, str], SnapshotFigure] = field(default_factory=dict)
    procedures: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    procedures_at: int = 0
    queues: dict[str, dict[str, int]] = field(default_factory=dict)
    queues_at: dict[str, int] = field(default_factory=dict)

    def add(self, other: PeriodFigures) -> None:
        """Add the figures of another period."""
        self.flows.merge(other.flows)
        for key, snapshot in other.snapshots.items():
            self._take_newer(key, snapshot)
        for group, names in other.procedures.items():
            self.procedures.setdefault(group, set()).update(names)
        self.procedures_at = max(self.procedures_at, other.procedures_at)
        for level, sums in other.queues.items():
            self.add_queue_sums(level, sums, other.queues_at.get(level))

    def add_administration(self, total: Total) -> None:
        """Add a total of an administrative level."""
        self.flows.add_flows(Scope(total.scope).name, total.sums, total.start)
        for name, count in SNAPSHOT_FIELDS.items():
            if snapshots := total.sums.get(count, 0):
                value = round(total.sums.get(name, 0) / snapshots)
                self._take_newer((total.scope, name), SnapshotFigure(total.start, value))

    def add_procedure(self, total: Total) -> None:
        """Add a total of a procedure, whoever reports it."""
        self.procedures_at = max(self.procedures_at, total.start)
        procedure, sums = Scope(total.scope).name, total.sums
        for figure in DISTINCT_PROCEDURES:
            self.procedures.setdefault(("", figure), set())
        for level, figure, name in _PROCEDURE_SUMS:
            if sums.get(name, 0) > 0:
                self.procedures.setdefault((level, figure), set()).add(procedure)

    def add_queue_sums(self, level: str, sums: Mapping[str, int], newest: int | None) -> None:
        """Add the queue sums of a hall to those of its level."""
        add_to_sums(self.queues.setdefault(level, {}), sums)
        if newest is not None:
            self.queues_at[level] = max(newest, self.queues_at.get(level, newest))

    def _take_newer(self, key: tuple[str, str], snapshot: SnapshotFigure) -> None:
        former = self.snapshots.get(key)
        if former is None or former.at <= snapshot.at:
            self.snapshots[key] = snapshot

    def figures(self) -> FigureSet:
        """Return the figures of the period."""
        figures = FigureSet()
        figures.merge(self.flows)
        for (scope, name), snapshot in self.snapshots.items():
            figures.add(Scope(scope).name, name, snapshot.value, snapshot.at)
        for (level, figure), names in self.procedures.items():
            if level:
                figures.by_level.setdefault(level, {})[figure] = len(names)
            else:
                figures.add("", figure, len(names), self.procedures_at)
        overall: dict[str, int] = {}
        for level, sums in self.queues.items():
            add_queue_figures(figures, level, sums, self.queues_at.get(level))
            add_to_sums(overall, sums)
        set_wait_percentile(figures, self.queues, overall)
        return figures


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
