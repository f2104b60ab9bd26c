"""How a measured value relates to the path of its targets, and where the paces lead; pure, it must not measure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import INDICATORS
from telemetry.core.kpi.target_paths import TargetSubject, target_path, target_subject
from telemetry.core.kpi.trajectory import Measurement

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from telemetry.core.inventory import Target
    from telemetry.core.kpi.indicators import Indicator
    from telemetry.core.kpi.trajectory import Projection, TargetPath, TargetPoint


@dataclass(frozen=True, slots=True)
class PaceRule:
    """The least yearly gain that the programme asks for, and the value that it wants in the end."""

    points_a_year: float
    goal: float


PACE_RULES: Mapping[str, PaceRule] = {"DG-01": PaceRule(0.20, 1.0)}
"""At least 20 percentage points more a year, up to 100 %, from the minimum of 2021 (Decision 468/QĐ-TTg)."""


@dataclass(frozen=True, slots=True)
class MinimumPace:
    """Where the least yearly gain leads on the day of the last target; at most to the goal."""

    points_a_year: float
    goal: float
    final_value: float

    @property
    def reaches_goal(self) -> bool:
        """Return whether the least gain is enough."""
        return self.final_value >= self.goal


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A value against its path on a day: `measured` is None when there is no value.

    `history` are earlier values in order; the present pace is the one between its first and its last.
    """

    subject: TargetSubject
    path: TargetPath
    day: date
    measured: float | None = None
    history: Sequence[Measurement] = field(default=())

    @property
    def in_force(self) -> TargetPoint:
        """Return the target in force: the first whose date has not passed, else the last."""
        return self.path.next_target(self.day) or self.path.points[-1]

    @property
    def path_value(self) -> float:
        """Return what the path asks for on the day."""
        return self.path.value_on(self.day) or 0.0

    @property
    def gap(self) -> float | None:
        """Return measured − path, in the indicator's unit; None without a value."""
        return None if self.measured is None else self.path.gap(Measurement(self.day, self.measured))

    @property
    def on_track(self) -> bool | None:
        """Return whether the value fulfils the path on the day; None without a value, and of an open milestone."""
        if self.subject.indicator.unit == "milestone" and not self.measured and self.day <= self.in_force.by:
            return None
        return None if self.measured is None else self.path.is_reached(self.measured, self.path_value)

    @property
    def projection(self) -> Projection:
        """Return when the present pace reaches the last target, or why it does not."""
        return self.path.project(self.history)

    @property
    def minimum_pace(self) -> MinimumPace | None:
        """Return where the programme's least gain leads; None for an indicator without one."""
        rule = PACE_RULES.get(self.subject.indicator.id)
        final = None if rule is None else self.path.final_value_at_pace(rule.points_a_year)
        if rule is None or final is None:
            return None
        return MinimumPace(rule.points_a_year, rule.goal, min(rule.goal, round(final, 9)))


def target_paths(
    targets: Sequence[Target], indicators: Mapping[str, Indicator] = INDICATORS
) -> dict[TargetSubject, TargetPath]:
    """Return the path of every indicator and level that has targets; ids of no indicator are left out."""
    subjects_of_targets = (target_subject(target.id, indicators) for target in targets)
    subjects = dict.fromkeys(subject for subject in subjects_of_targets if subject is not None)
    return {subject: target_path(targets, subject.indicator, subject.level) for subject in subjects}
