"""When a centre is open: its week, public holidays, swapped days, exceptions, modes and maintenance. Pure.

Windows are half-open, sorted and disjoint; hours belong to the local day they begin on, also past midnight.
It must not read the clock, nor load holidays: they are passed in as a plain mapping.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from telemetry.core.calendar.calendar_values import CalendarDay, CalendarRules, DayPlan, Exclusion, repr_digest
from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import (
    SLOT,
    Window,
    day_window,
    days_in,
    difference,
    intersection,
    to_local,
    wall_time_ms,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import ExclusionCause, ModeSpan, OpeningHours

ReadinessCheck = tuple[int, int]
"""The start of a local day, and five minutes after its first regular opening that counts, Unix ms."""
_ONE_DAY = timedelta(days=1)
_UNSERVED_MODES = ("online_only", "closed")
"""Modes in which nobody is served at a desk."""


@dataclass(frozen=True)
class Calendar:
    """The opening calendar of one centre, or of a digital system: `ALWAYS_OPEN` with maintenance alone."""

    hours: tuple[OpeningHours, ...]
    zone: ZoneInfo
    exceptions: Mapping[date, OpeningHours] = field(default_factory=lambda: MappingProxyType({}))
    rules: CalendarRules = field(default_factory=CalendarRules)

    @cached_property
    def version(self) -> str:
        """A digest of the declaration: equal versions give equal windows, everywhere and always."""
        return repr_digest((self.hours, self.zone.key, sorted(self.exceptions.items()), self.rules.version))

    def fingerprint(self, window: Window) -> int:
        """Return 48 bits of a digest of what is open and excluded in `window`; totals added with another are stale."""
        opening, exclusions = self._open_and_excluded(window)
        return int(repr_digest((opening, [part.window for part in exclusions])), 16)

    def day_plan(self, day: date) -> DayPlan:
        """Return a day's regular hours: exceptions win over swapped days, these over holidays, these over the week."""
        if day in self.exceptions:
            return DayPlan("exception", self.exceptions[day], self.rules.names.get(day, ""))
        if swap := self.rules.swaps.get(day):
            hours = () if swap.weekday is None else self._weekly_hours(day)[swap.weekday]
            return DayPlan("swap", hours, swap.name, swap.swapped_with)
        if day in self.rules.holidays:
            return DayPlan("holiday", (), self.rules.holidays[day])
        return DayPlan("week", self._weekly_hours(day)[day.weekday()])

    def _weekly_hours(self, day: date) -> tuple[OpeningHours, ...]:
        overrides = (week.hours for week in reversed(self.rules.weeks) if week.first <= day < week.end)
        return next(overrides, self.hours)

    def regular_windows(self, window: Window) -> list[Window]:
        """Return the regular opening hours, whatever mode the centre is in."""
        opening = (w for day in _days_reaching_into(window, self.zone) for w in self._opening_windows(day))
        return intersection(opening, [window])

    def _opening_windows(self, day: date) -> Iterator[Window]:
        for opens, closes in self.day_plan(day).hours:
            closing_day = day if closes > opens else day + _ONE_DAY
            yield Window(wall_time_ms(day, opens, self.zone), wall_time_ms(closing_day, closes, self.zone))

    def mode_spans(self, window: Window) -> list[ModeSpan]:
        """Return the declared modes other than normal, cut to `window`, in order."""
        spans = [span for span in self.rules.modes if span.window.clip(window)]
        inner = {edge for span in spans for edge in (span.window.start, span.window.end)}
        edges = sorted({window.start, window.end} | {edge for edge in inner if window.start < edge < window.end})
        effective = (_effective_mode(spans, Window(start, end)) for start, end in pairwise(edges))
        return [span for span in effective if span is not None and span.mode != "normal"]

    def desk_windows(self, window: Window) -> list[Window]:
        """Return when people are served at the desks: regular hours, neither closed nor online only."""
        unserved = [span.window for span in self.mode_spans(window) if span.mode in _UNSERVED_MODES]
        return difference(self.regular_windows(window), unserved)

    def open_windows(self, window: Window) -> list[Window]:
        """Return when the open clock runs: desk hours without emergencies and planned maintenance."""
        return self._open_and_excluded(window)[0]

    def open_ms(self, window: Window) -> int:
        """Return how long the open clock runs in `window`; sums over parts of a window add up to the whole."""
        return sum(w.length for w in self.open_windows(window))

    def exclusions(self, window: Window) -> list[Exclusion]:
        """Return the regular hours excluded from open time, each instant with one cause; closed is not an exclusion."""
        return self._open_and_excluded(window)[1]

    def excluded_windows(self, window: Window) -> list[Window]:
        """Return the exclusions' windows; none of them is open."""
        return intersection((part.window for part in self.exclusions(window)), [window])

    def _open_and_excluded(self, window: Window) -> tuple[list[Window], list[Exclusion]]:
        modes = self.mode_spans(window)
        remaining = difference(self.regular_windows(window), [span.window for span in modes if span.mode == "closed"])
        exclusions: list[Exclusion] = []
        for cause, reason, excluded in self._exclusion_windows(window, modes):
            exclusions.extend(Exclusion(part, cause, reason) for part in intersection(remaining, excluded))
            remaining = difference(remaining, excluded)
        return remaining, sorted(exclusions, key=lambda part: part.window)

    def _exclusion_windows(
        self, window: Window, modes: list[ModeSpan]
    ) -> Iterator[tuple[ExclusionCause, str, list[Window]]]:
        for span in modes:
            if span.mode != "closed":
                yield cast("ExclusionCause", span.mode), span.reason, [span.window]
        for plan in self.rules.maintenance:
            yield "maintenance", plan.name, intersection(plan.windows_in(window), [window])

    def readiness_checks(self, window: Window) -> tuple[ReadinessCheck, ...]:
        """Return the local days of `window` that have a regular opening which counts, in order.

        An opening counts when the open clock runs for ten minutes from it.  The end of maintenance is no opening,
        nor is midnight when the centre has been open since the day before.
        """
        extended = Window(window.start - SLOT, window.end)
        open_timeline = build_open_timeline(self.open_windows(window))
        checks: dict[int, int] = {}
        for opens in (w.start for w in self.regular_windows(extended) if w.start > extended.start):
            day = day_window(to_local(opens, self.zone).date(), self.zone)
            first_minutes = Window(opens, opens + 2 * SLOT)
            if first_minutes.end <= day.end and open_timeline.open_within(first_minutes) == first_minutes.length:
                checks.setdefault(day.start, opens + SLOT)
        return tuple(sorted(checks.items()))

    def explain_days(self, window: Window) -> list[CalendarDay]:
        """Explain every local day that `window` touches, whole."""
        return [self._explain_day(day) for day in days_in(window, self.zone)]

    def _explain_day(self, day: date) -> CalendarDay:
        window = day_window(day, self.zone)
        opening, exclusions = self._open_and_excluded(window)
        return CalendarDay(
            day, window, self.day_plan(day), tuple(opening), tuple(exclusions), tuple(self.mode_spans(window))
        )


def _days_reaching_into(window: Window, zone: ZoneInfo) -> Iterable[date]:
    """Yield the days whose hours may reach into `window`: yesterday's can run past midnight."""
    if window.length:
        yield to_local(window.start, zone).date() - _ONE_DAY
    yield from days_in(window, zone)


def _effective_mode(spans: list[ModeSpan], part: Window) -> ModeSpan | None:
    covering = (span for span in reversed(spans) if span.window.start <= part.start < span.window.end)
    span = next(covering, None)
    return span and replace(span, window=part)
