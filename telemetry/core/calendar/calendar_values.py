"""What a calendar is made of: hours, swapped days, weeks with validity, centre modes, planned maintenance.

Values only, and plain mappings where a library knows better; it must not decide when a centre is open.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import time
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from telemetry.core.calendar.windows import Window
    from telemetry.core.protocol.event_types import CentreMode

Hours = tuple[tuple[time, time], ...]
"""Opening intervals of one day, local wall time; an end not after its start lies on the following day."""

ALWAYS: tuple[Hours, ...] = tuple(((time(0), time(0)),) for _ in range(7))
"""Open round the clock: what an imported log's centre has when its mapping names no hours."""

FOREVER = 253_370_764_800_000
"""Unix ms of 1 January 9999: the end of what is declared without one."""

Basis = Literal["exception", "swap", "holiday", "week"]
"""What decides a day, the strongest first."""
Cause = Literal["online_only", "emergency", "maintenance"]
"""Why time inside the opening hours counts in no objective."""


@dataclass(frozen=True, slots=True)
class Swap:
    """A day worked like another weekday (0 is Monday), or off when that is None; `other` changed places with it."""

    like: int | None
    other: date | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class Week:
    """Weekly hours in force from the day `first` up to, but without, `end`."""

    first: date
    end: date
    hours: tuple[Hours, ...]


@dataclass(frozen=True, slots=True)
class ModeSpan:
    """A centre's declared mode over a window."""

    mode: CentreMode
    window: Window
    reason: str = ""


class Planned(Protocol):
    """Planned maintenance, perhaps without end: its windows are found when they are asked for."""

    @property
    def name(self) -> str:
        """What is done."""
        ...

    def windows(self, window: Window) -> Iterable[Window]:
        """Return the windows that touch `window`, whole or cut."""
        ...


@dataclass(frozen=True, slots=True)
class Once:
    """Maintenance that is planned one time."""

    name: str
    window: Window

    def windows(self, window: Window) -> list[Window]:
        """Return the window when it touches `window`."""
        return [self.window] if self.window.clip(window) else []


@dataclass(frozen=True)
class Rules:
    """What bends a centre's week; of weeks, modes and maintenance that overlap the last wins."""

    holidays: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    swaps: Mapping[date, Swap] = field(default_factory=lambda: MappingProxyType({}))
    weeks: tuple[Week, ...] = ()
    modes: tuple[ModeSpan, ...] = ()
    maintenance: tuple[Planned, ...] = ()
    names: Mapping[date, str] = field(default_factory=lambda: MappingProxyType({}))
    """Why a day is in the exception table."""

    @cached_property
    def version(self) -> str:
        """A digest of everything that decides figures."""
        tables = sorted(self.holidays.items()), sorted(self.swaps.items(), key=lambda item: item[0])
        return digest((*tables, self.weeks, self.modes, self.maintenance, sorted(self.names.items())))


@dataclass(frozen=True, slots=True)
class Plan:
    """The regular hours of one day and what decided them."""

    basis: Basis
    hours: Hours
    name: str = ""
    other: date | None = None
    """The day it was swapped with."""


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Time inside the opening hours that counts in no objective, with its cause."""

    window: Window
    cause: Cause
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Day:
    """One local day explained; `window` is the day itself, 23 or 25 h where clocks change."""

    date: date
    window: Window
    plan: Plan
    open: tuple[Window, ...]
    excluded: tuple[Exclusion, ...]
    modes: tuple[ModeSpan, ...]

    @property
    def open_ms(self) -> int:
        """How long the open clock ran."""
        return sum(w.length for w in self.open)

    @property
    def excluded_ms(self) -> int:
        """How much of the opening hours was excluded."""
        return sum(part.window.length for part in self.excluded)


def digest(value: object) -> str:
    """Return a short digest of a value whose repr tells all of it."""
    return hashlib.blake2b(repr(value).encode(), digest_size=6).hexdigest()
