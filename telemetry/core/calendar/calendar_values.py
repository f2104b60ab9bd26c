"""The parts of a calendar: hours, swapped days, weeks with validity, centre modes, planned maintenance.

Values only, and plain mappings for what a library computes; it must not decide when a centre is open.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from datetime import time
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

from telemetry.core.calendar.windows import difference, intersection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from telemetry.core.calendar.windows import Window
    from telemetry.core.protocol.events import CentreMode

OpeningHours = tuple[tuple[time, time], ...]
"""Opening intervals of one day, local wall time; an end not after its start belongs to the following day."""

ALWAYS_OPEN: tuple[OpeningHours, ...] = tuple(((time(0), time(0)),) for _ in range(7))
"""Open round the clock: the hours of an imported log's centre when its mapping names none."""


def describe_hours(hours: OpeningHours) -> str:
    """Return one day's opening intervals as the inventory writes them; empty for a closed day.

    >>> describe_hours(((time(7, 30), time(11, 30)), (time(13), time(0))))
    '07:30-11:30,13:00-24:00'
    """
    return ",".join(f"{start:%H:%M}-{f'{end:%H:%M}' if end != time() else '24:00'}" for start, end in hours)


END_OF_TIME_MS = 253_370_764_800_000
"""Unix ms of 1 January 9999: the end of a declaration without one."""

DayBasis = Literal["exception", "swap", "holiday", "week"]
"""The rule that decides a day's hours, the strongest first."""
ExclusionCause = Literal["online_only", "emergency", "maintenance", "not_in_service"]
"""Why time inside the opening hours counts in no objective."""


@dataclass(frozen=True, slots=True)
class Swap:
    """A day worked like another weekday (0 is Monday), or off (None); swapped with the day `swapped_with`."""

    weekday: int | None
    swapped_with: date | None = None
    name: str = ""

    # The calendar's version digests this text: it does not change when names in the code change.
    def __repr__(self) -> str:
        return f"Swap(like={self.weekday!r}, other={self.swapped_with!r}, name={self.name!r})"


@dataclass(frozen=True, slots=True)
class WeeklyHours:
    """Weekly hours in force from the day `first` up to, but without, `end`."""

    first: date
    end: date
    hours: tuple[OpeningHours, ...]

    # Digested into the calendar's version, see Swap.
    def __repr__(self) -> str:
        return f"Week(first={self.first!r}, end={self.end!r}, hours={self.hours!r})"


@dataclass(frozen=True, slots=True)
class ModeSpan:
    """A centre's declared mode over a window."""

    mode: CentreMode
    window: Window
    reason: str = ""


class MaintenancePlan(Protocol):
    """Planned maintenance, perhaps without end: its windows are computed on demand."""

    @property
    def name(self) -> str:
        """The name of the work."""
        ...

    def windows_in(self, window: Window) -> Iterable[Window]:
        """Return the windows that touch `window`, whole or cut."""
        ...


@dataclass(frozen=True, slots=True)
class SingleMaintenance:
    """Maintenance that is planned once."""

    name: str
    window: Window

    # Digested into the calendar's version, see Swap.
    def __repr__(self) -> str:
        return f"Once(name={self.name!r}, window={self.window!r})"

    def windows_in(self, window: Window) -> list[Window]:
        """Return the window when it touches `window`."""
        return [self.window] if self.window.clip(window) else []


@dataclass(frozen=True)
class CalendarRules:
    """The rules that change a centre's week; of weeks, modes and maintenance that overlap the last wins."""

    holidays: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    swaps: Mapping[date, Swap] = field(default_factory=lambda: MappingProxyType({}))
    weeks: tuple[WeeklyHours, ...] = ()
    modes: tuple[ModeSpan, ...] = ()
    maintenance: tuple[MaintenancePlan, ...] = ()
    names: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    """Why a day is in the exception table."""

    @cached_property
    def version(self) -> str:
        """A digest of everything that the figures depend on."""
        tables = sorted(self.holidays.items()), sorted(self.swaps.items(), key=lambda item: item[0])
        return repr_digest((*tables, self.weeks, self.modes, self.maintenance, sorted(self.names.items())))


@dataclass(frozen=True, slots=True)
class DayPlan:
    """The regular hours of one day and the rule that decided them."""

    basis: DayBasis
    hours: OpeningHours
    name: str = ""
    swapped_with: date | None = None
    """The day it was swapped with."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Time inside the opening hours that counts in no objective, with its cause."""

    window: Window
    cause: ExclusionCause
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CalendarDay:
    """One local day explained; `window` is the day itself, 23 or 25 h where clocks change."""

    date: date
    window: Window
    plan: DayPlan
    open: tuple[Window, ...]
    excluded: tuple[Exclusion, ...]
    modes: tuple[ModeSpan, ...]

    def within(self, in_service: Window) -> CalendarDay:
        """Return the day with open time outside a service period excluded, with that cause."""
        if in_service.start <= self.window.start and self.window.end <= in_service.end:
            return self
        unserved = [Exclusion(w, "not_in_service") for w in difference(self.open, [in_service])]
        excluded = sorted((*self.excluded, *unserved), key=lambda part: part.window)
        return replace(self, open=tuple(intersection(self.open, [in_service])), excluded=tuple(excluded))

    @property
    def open_ms(self) -> int:
        """How long the open clock ran."""
        return sum(w.length for w in self.open)

    @property
    def excluded_ms(self) -> int:
        """How much of the opening hours was excluded."""
        return sum(part.window.length for part in self.excluded)


def repr_digest(value: object) -> str:
    """Return a short digest of a value whose repr contains all of it."""
    return hashlib.blake2b(repr(value).encode(), digest_size=6).hexdigest()
