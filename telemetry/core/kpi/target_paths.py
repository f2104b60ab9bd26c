"""Targets of the inventory as paths of indicators, and the state of milestones; pure, it must not measure anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.indicators import LEVELS
from telemetry.core.kpi.trajectory import TargetPath, TargetPoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from telemetry.core.inventory import Target
    from telemetry.core.kpi.indicators import Indicator

TARGET_ALIASES: Mapping[str, str] = {"wait_mean": "Q-04b"}
"""Other ids of targets, and the indicators that they are of."""
MilestoneState = Literal["done", "open", "late"]
"""`late`: its date has passed and it is not done."""


@dataclass(frozen=True, slots=True)
class TargetSubject:
    """What a target or a commitment is about: an indicator over all (`level` is empty), or at one level."""

    indicator: Indicator
    level: str = ""

    @property
    def order(self) -> int:
        """Return its place among the subjects of one indicator: over all first, then from the top level down."""
        return LEVELS.index(self.level) + 1 if self.level else 0


def target_subject(ident: str, indicators: Mapping[str, Indicator] = INDICATORS) -> TargetSubject | None:
    """Return what an id stands for: an indicator's id, ID-LEVEL of one that has levels, or an alias; None if nothing.

    `DG-01-commune` is DG-01 of the communes.
    """
    name = TARGET_ALIASES.get(ident, ident)
    if name in indicators:
        return TargetSubject(indicators[name])
    name, _, level = name.rpartition("-")
    indicator = indicators.get(TARGET_ALIASES.get(name, name))
    if indicator is None or level not in LEVELS or not indicator.by_level:
        return None
    return TargetSubject(indicator, level)


def targets_of(targets: Iterable[Target], indicator: Indicator, level: str = "") -> tuple[Target, ...]:
    """Return the targets of an indicator at a level (empty: over all), in order of their dates."""
    subject, known = TargetSubject(indicator, level), {indicator.id: indicator}
    return tuple(sorted((t for t in targets if target_subject(t.id, known) == subject), key=lambda t: t.by))


def target_path(targets: Iterable[Target], indicator: Indicator, level: str = "") -> TargetPath:
    """Return the path of an indicator's targets at a level; it has no points when there is no target."""
    rows = targets_of(targets, indicator, level)
    start = next((TargetPoint(t.start.day, t.start.value) for t in rows if t.start is not None), None)
    return TargetPath(tuple(TargetPoint(t.by, t.value) for t in rows), indicator.direction == "up", start)


def target_owner(targets: Iterable[Target], indicator: Indicator, level: str = "") -> str:
    """Return who answers for an indicator: the owner that its targets name, else that of the catalogue."""
    return next((t.owner for t in targets_of(targets, indicator, level) if t.owner), indicator.owner)


def milestone_state(target: Target, today: date) -> MilestoneState:
    """Return whether a milestone is done by `today`, still open, or late."""
    if target.done is not None and target.done <= today:
        return "done"
    return "late" if today > target.by else "open"
