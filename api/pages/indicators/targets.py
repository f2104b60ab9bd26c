"""Which indicator misses its path, and by how much: targets with value, gap, pace and owner; it must not compute."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, get_args

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn
from api.pages.indicators.page import STRANDS, amount, gap_text, pace_text, value_text
from telemetry.core.kpi.indicators import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.kpi.targets import Trajectory
    from telemetry.queries.indicators import IndicatorOverview, IndicatorReading

TargetVerdict = Literal["missed", "met", "none"]
VERDICTS: tuple[TargetVerdict, ...] = get_args(TargetVerdict)
"""Missed first: that is what the page is asked for."""


@dataclass(frozen=True, slots=True)
class TargetStanding:
    """A target with where its indicator stands."""

    reading: IndicatorReading
    trajectory: Trajectory
    owner: str

    @property
    def verdict(self) -> TargetVerdict:
        """Whether the value keeps up with the path; none without a value."""
        on_track = self.trajectory.on_track
        return "none" if on_track is None else "met" if on_track else "missed"

    @property
    def sort_key(self) -> tuple[int, float, str, int]:
        """Return the sort key: missed first, the greatest gap for its size before."""
        gap, wanted = self.trajectory.gap, self.trajectory.path_value
        size = abs(gap) / abs(wanted) if gap is not None and wanted else 0.0
        subject = self.trajectory.subject
        return (
            VERDICTS.index(self.verdict),
            -size if self.verdict == "missed" else size,
            subject.indicator.id,
            subject.order,
        )


@dataclass(frozen=True, slots=True)
class TargetFilter:
    """Which targets are shown; empty texts narrow nothing."""

    verdict: str = ""
    strand: str = ""
    owner: str = ""
    level: str = ""

    @classmethod
    def from_query(cls, params: Mapping[str, str]) -> TargetFilter:
        """Read a page's parameters; values that there are not narrow nothing, but for owners."""

        def one_of(name: str, allowed: Sequence[str]) -> str:
            value = params.get(name, "")
            return value if value in allowed else ""

        return cls(
            one_of("verdict", VERDICTS), one_of("strand", STRANDS), params.get("owner", ""), one_of("level", LEVELS)
        )  # fmt: skip

    def includes(self, standing: TargetStanding) -> bool:
        """Return whether a target is shown."""
        subject = standing.trajectory.subject
        return (
            self.verdict in {"", standing.verdict}
            and self.strand in {"", subject.indicator.strand}
            and self.owner in {"", standing.owner}
            and self.level in {"", subject.level}
        )


def target_standings(overview: IndicatorOverview) -> list[TargetStanding]:
    """Return every target of an overview with where it stands: missed first."""
    readings = {reading.indicator.id: reading for reading in overview.readings}
    standings = [
        TargetStanding(readings[ident], trajectory, overview.owner(readings[ident].indicator))
        for ident, trajectories in overview.trajectories.items()
        for trajectory in trajectories
    ]
    return sorted(standings, key=lambda standing: standing.sort_key)


def count_verdicts(standings: Sequence[TargetStanding]) -> dict[TargetVerdict, int]:
    """Return how many targets are missed, met and without a value."""
    return {verdict: sum(s.verdict == verdict for s in standings) for verdict in VERDICTS}


def target_table(standings: Sequence[TargetStanding], locale: PageLocale) -> PageTable:
    """Return the targets with value, path, gap, when the present pace reaches the last one, and who answers."""
    columns = (
        TableColumn("indicator", locale.t("kpi_indicator")),
        TableColumn("level", locale.t("kpi_level")),
        TableColumn("verdict", locale.t("kpi_verdict")),
        TableColumn("gap", locale.t("kpi_gap"), "decimal"),
        TableColumn("value", locale.t("kpi_value"), "decimal"),
        TableColumn("path", locale.t("kpi_path_today"), "decimal"),
        TableColumn("target", locale.t("kpi_target_heading"), "decimal"),
        TableColumn("reached", locale.t("kpi_reached"), "date"),
        TableColumn("owner", locale.t("kpi_owner")),
    )
    return PageTable("targets", locale.t("kpi_targets"), columns, tuple(_target_row(one, locale) for one in standings))


VERDICT_ICONS: Mapping[TargetVerdict, str] = {"missed": "▲", "met": "✓", "none": "○"}


def _target_row(standing: TargetStanding, locale: PageLocale) -> PageTableRow:
    trajectory = standing.trajectory
    indicator, level = trajectory.subject.indicator, trajectory.subject.level
    value, point = standing.reading.at_level(level), trajectory.in_force
    verdict, projected = standing.verdict, trajectory.projection.on
    shown, words = value_text(indicator, value, locale), locale.t(f"kpi_target_{verdict}")
    return PageTableRow(
        (
            TableCell(locale.name(indicator), href=f"/kpis/{indicator.id}", note=indicator.id),
            TableCell(locale.t(f"level_{level}") if level else locale.t("kpi_all_levels")),
            TableCell(words, f"{VERDICT_ICONS[verdict]} {words}"),
            TableCell(trajectory.gap, gap_text(indicator, trajectory.gap, locale)),
            TableCell(value.value, shown.value, note=shown.parts),
            TableCell(trajectory.path_value, amount(indicator, trajectory.path_value, locale)),
            TableCell(point.value, amount(indicator, point.value, locale), note=locale.plain_date(point.by)),
            TableCell(
                None if projected is None else projected.isoformat(),
                locale.plain_date(projected) if projected else locale.t(f"kpi_short_{trajectory.projection.reason}"),
                note=partial(pace_text, indicator, trajectory, locale) if projected else "",
            ),
            TableCell(standing.owner),
        ),
        id=f"target-{indicator.id}{f'-{level}' if level else ''}",
    )


@dataclass(frozen=True, slots=True)
class WorstTarget:
    """The target that is furthest behind, in words."""

    name: str
    gap: str


def build_summary(overview: IndicatorOverview, locale: PageLocale, params: Mapping[str, str]) -> dict[str, Any]:
    """Gather what the page of all indicators shows of their targets."""
    standings, wanted = target_standings(overview), TargetFilter.from_query(params)
    first = next((standing for standing in standings if standing.verdict == "missed"), None)
    return {
        "tables": [target_table([standing for standing in standings if wanted.includes(standing)], locale)],
        "verdicts": count_verdicts(standings),
        "verdict_icons": VERDICT_ICONS,
        "target_count": len(standings),
        "worst": None if first is None else _worst_target(first, locale),
        "wanted": wanted,
        "strands": STRANDS,
        "levels": LEVELS,
        "owners": sorted({standing.owner for standing in standings}),
    }


def _worst_target(standing: TargetStanding, locale: PageLocale) -> WorstTarget:
    trajectory = standing.trajectory
    indicator, level = trajectory.subject.indicator, trajectory.subject.level
    name = locale.name(indicator) + (f", {locale.t(f'level_{level}')}" if level else "")
    return WorstTarget(name, gap_text(indicator, trajectory.gap, locale))
