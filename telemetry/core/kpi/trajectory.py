"""The path of targets of one indicator, and where the present pace leads; pure, it must not read a clock.

Between two targets the path is a straight line in days; before the first (or its start) and after the last it is level.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import ceil
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_PROJECTION_DAYS = 36_525
"""A pace that needs more than a hundred years reaches nothing."""


@dataclass(frozen=True, slots=True)
class TargetPoint:
    """A value that is to be reached by the end of a day."""

    by: date
    value: float


@dataclass(frozen=True, slots=True)
class Measurement:
    """An indicator's value on a day."""

    day: date
    value: float


ProjectionReason = Literal["reached", "at_present_pace", "no_value", "too_few_values", "no_progress", "too_slow"]
"""Why a date is given or not: reached already; at the present pace; there is no value, or no two of different days;
the pace is nil or leads away; it needs more than MAX_PROJECTION_DAYS."""


@dataclass(frozen=True, slots=True)
class Projection:
    """The day on which the last target is reached, None when it is not foreseeable, and why."""

    on: date | None
    reason: ProjectionReason


@dataclass(frozen=True, slots=True)
class TargetPath:
    """The targets of one indicator in order of their dates; `larger_is_better` is its direction.

    `start` is a measured value from which the path begins, earlier than the first target.
    """

    points: tuple[TargetPoint, ...]
    larger_is_better: bool = True
    start: TargetPoint | None = None

    @property
    def corners(self) -> tuple[TargetPoint, ...]:
        """Return the points between which the path is straight: its start, if it has one, and all targets."""
        return self.points if self.start is None or not self.points else (self.start, *self.points)

    def value_on(self, day: date) -> float | None:
        """Return the value that the path asks for at the end of a day, None without targets."""
        corners = self.corners
        if not corners:
            return None
        if day <= corners[0].by:
            return corners[0].value
        for left, right in pairwise(corners):
            if day <= right.by:
                share = (day - left.by).days / (right.by - left.by).days
                return left.value + share * (right.value - left.value)
        return corners[-1].value

    def next_target(self, day: date) -> TargetPoint | None:
        """Return the first target whose date has not passed, None after the last."""
        return next((point for point in self.points if point.by >= day), None)

    def gap(self, measured: Measurement) -> float | None:
        """Return measured − path, in the indicator's unit: positive is ahead when larger is better."""
        wanted = self.value_on(measured.day)
        return None if wanted is None else measured.value - wanted

    def is_reached(self, value: float, target: float) -> bool:
        """Return whether a value fulfils a target."""
        return value >= target if self.larger_is_better else value <= target

    def final_value_at_pace(self, points_a_year: float) -> float | None:
        """Return what a constant pace from the first target gives on the day of the last one, None without targets."""
        if not self.points:
            return None
        years = self.points[-1].by.year - self.points[0].by.year
        return self.points[0].value + years * points_a_year

    def project(self, measured: Sequence[Measurement]) -> Projection:
        """Return when the pace between the first and last measurement reaches the last target; needs a target.

        `reached` has the day of the last measurement.
        """
        if not measured:
            return Projection(None, "no_value")
        first, last, target = measured[0], measured[-1], self.points[-1].value
        if self.is_reached(last.value, target):
            return Projection(last.day, "reached")
        days = (last.day - first.day).days
        if days <= 0:
            return Projection(None, "too_few_values")
        change = last.value - first.value
        if change == 0 or (change > 0) != (target > last.value):
            return Projection(None, "no_progress")
        needed = days * (target - last.value) / change
        if needed > MAX_PROJECTION_DAYS:
            return Projection(None, "too_slow")
        return Projection(last.day + timedelta(days=ceil(round(needed, 6))), "at_present_pace")

    def reached_on(self, measured: Sequence[Measurement]) -> date | None:
        """Return the day on which the pace reaches the last target; None when not foreseeable, and without targets."""
        return self.project(measured).on if self.points else None
