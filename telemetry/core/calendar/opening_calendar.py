"""When a centre is open: its week, public holidays, swapped days, exceptions, modes and maintenance. Pure.

Windows are half-open, sorted and disjoint; hours belong to the local day they begin on, also past midnight.
It must not ask which day is today, nor load holidays: they come as a plain mapping.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from itertools import pairwise
from types import MappingProxyType
from typing import TYPE_CHECKING, cast

from telemetry.core.calendar.calendar_values import Day, Exclusion, Plan, Rules, digest
from telemetry.core.calendar.windows import Window, at, day_window, days_in
from telemetry.core.calendar_windows import clip, common, moment, without

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import Cause, Hours, ModeSpan

_ONE = timedelta(days=1)
_SHUT = ("online_only", "closed")
"""Modes in which nobody is served at a desk."""


@dataclass(frozen=True)
class Calendar:
    """The opening calendar of one centre, or with `ALWAYS` and maintenance alone that of a digital system."""

    hours: tuple[Hours, ...]
    zone: ZoneInfo
    exceptions: Mapping[date, Hours] = field(default_factory=lambda: MappingProxyType({}))
    rules: Rules = field(default_factory=Rules)

    @cached_property
    def version(self) -> str:
        """A digest of the declaration: equal versions give equal windows, everywhere and always."""
        return digest((self.hours, self.zone.key, sorted(self.exceptions.items()), self.rules.version))

    def stamp(self, window: Window) -> int:
        """Return 48 bits that tell what of `window` is open and excluded; totals added with another are stale."""
        opening, exclusions = self._split(window)
        return int(digest((opening, [part.window for part in exclusions])), 16)

    def plan(self, day: date) -> Plan:
        """Return a day's regular hours: exceptions win over swapped days, these over holidays, these over the week."""
        if day in self.exceptions:
            return Plan("exception", self.exceptions[day], self.rules.names.get(day, ""))
        if swap := self.rules.swaps.get(day):
            hours = () if swap.like is None else self._week(day)[swap.like]
            return Plan("swap", hours, swap.name, swap.other)
        if day in self.rules.holidays:
            return Plan("holiday", (), self.rules.holidays[day])
        return Plan("week", self._week(day)[day.weekday()])

    def _week(self, day: date) -> tuple[Hours, ...]:
        found = (week.hours for week in reversed(self.rules.weeks) if week.first <= day < week.end)
        return next(found, self.hours)

    def regular_windows(self, window: Window) -> list[Window]:
        """Return the regular opening hours, whatever mode the centre is in."""
        return clip((w for day in _from_the_day_before(window, self.zone) for w in self._day(day)), window)

    def _day(self, day: date) -> Iterator[Window]:
        for opens, closes in self.plan(day).hours:
            last = day if closes > opens else day + _ONE
            yield Window(moment(day, opens, self.zone), moment(last, closes, self.zone))

    def modes(self, window: Window) -> list[ModeSpan]:
        """Return the declared modes other than normal, cut to `window`, in order."""
        spans = [span for span in self.rules.modes if span.window.clip(window)]
        inner = {edge for span in spans for edge in (span.window.start, span.window.end)}
        edges = sorted({window.start, window.end} | {edge for edge in inner if window.start < edge < window.end})
        found = (_mode(spans, Window(start, end)) for start, end in pairwise(edges))
        return [span for span in found if span is not None and span.mode != "normal"]

    def desk_windows(self, window: Window) -> list[Window]:
        """Return when people are served at the desks: regular hours, neither closed nor online only."""
        shut = [span.window for span in self.modes(window) if span.mode in _SHUT]
        return without(self.regular_windows(window), shut)

    def open_windows(self, window: Window) -> list[Window]:
        """Return when the open clock runs: desk hours without emergencies and planned maintenance."""
        return self._split(window)[0]

    def open_ms(self, window: Window) -> int:
        """Return how long the open clock runs in `window`; sums over parts of a window add up to the whole."""
        return sum(w.length for w in self.open_windows(window))

    def exclusions(self, window: Window) -> list[Exclusion]:
        """Return the regular hours the open clock leaves out, each moment with one cause; closed is no exclusion."""
        return self._split(window)[1]

    def excluded_windows(self, window: Window) -> list[Window]:
        """Return the exclusions' windows; none of them is open."""
        return clip((part.window for part in self.exclusions(window)), window)

    def _split(self, window: Window) -> tuple[list[Window], list[Exclusion]]:
        modes = self.modes(window)
        left = without(self.regular_windows(window), [span.window for span in modes if span.mode == "closed"])
        out: list[Exclusion] = []
        for cause, reason, gone in self._paused(window, modes):
            out.extend(Exclusion(part, cause, reason) for part in common(left, gone))
            left = without(left, gone)
        return left, sorted(out, key=lambda part: part.window)

    def _paused(self, window: Window, modes: list[ModeSpan]) -> Iterator[tuple[Cause, str, list[Window]]]:
        for span in modes:
            if span.mode != "closed":
                yield cast("Cause", span.mode), span.reason, [span.window]
        for planned in self.rules.maintenance:
            yield "maintenance", planned.name, clip(planned.windows(window), window)

    def days(self, window: Window) -> list[Day]:
        """Explain every local day that `window` touches, whole."""
        return [self._explained(day) for day in days_in(window, self.zone)]

    def _explained(self, day: date) -> Day:
        window = day_window(day, self.zone)
        opening, exclusions = self._split(window)
        return Day(day, window, self.plan(day), tuple(opening), tuple(exclusions), tuple(self.modes(window)))


def _from_the_day_before(window: Window, zone: ZoneInfo) -> Iterable[date]:
    """Yield the days whose hours may reach into `window`: yesterday's can run past midnight."""
    if window.length:
        yield at(window.start, zone).date() - _ONE
    yield from days_in(window, zone)


def _mode(spans: list[ModeSpan], part: Window) -> ModeSpan | None:
    covering = (span for span in reversed(spans) if span.window.start <= part.start < span.window.end)
    span = next(covering, None)
    return span and replace(span, window=part)
