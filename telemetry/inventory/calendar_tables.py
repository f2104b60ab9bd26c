"""Everything calendar.toml says, ready to be asked for one centre's or system's part of it.

It must not read files, nor decide when a centre is open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry.core.calendar.calendar_values import FOREVER, Rules, Swap, Week
from telemetry.core.calendar.windows import Window
from telemetry.inventory.hours import week_with

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from datetime import date

    from telemetry.core.calendar.calendar_values import Hours, ModeSpan, Planned
    from telemetry.inventory.hours import Special
    from telemetry.inventory.record import Record
    from telemetry.inventory.recurrence import Publics

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom one table is; without a centre and a system it is for every centre."""

    record: Record
    centres: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()

    def holds(self, centre: str) -> bool:
        """Tell whether it is for the centre."""
        return centre in self.centres or not (self.centres or self.systems)

    def shares(self, other: Scope) -> bool:
        """Tell whether both are for every centre, or name the same one."""
        return self.centres == other.centres or bool(set(self.centres) & set(other.centres))


@dataclass(frozen=True, slots=True)
class Scoped(Generic[T]):
    """The value of one table, for whom it is and when."""

    scope: Scope
    value: T
    window: Window = Window(0, FOREVER)  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class PartWeek:
    """Hours of some weekdays from the day `first` up to, but without, `end`."""

    first: date
    end: date
    days: Mapping[int, Hours]


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of calendar.toml; `days` has the exceptions of all under the empty id."""

    days: Mapping[str, Mapping[date, Special]]
    publics: Publics
    swaps: tuple[Scoped[Mapping[date, Swap]], ...]
    weeks: tuple[Scoped[PartWeek], ...]
    modes: tuple[Scoped[ModeSpan], ...]
    maintenance: tuple[Scoped[Planned], ...]
    _shared: dict[tuple[str, tuple[Hours, ...]], Rules] = field(default_factory=dict, compare=False, repr=False)

    def exceptions(self, centre: str) -> Mapping[date, Hours]:
        """Return a centre's days that differ from everything else."""
        return MappingProxyType({day: hours for day, (hours, _) in self._special(centre).items()})

    def _special(self, centre: str) -> Mapping[date, Special]:
        return self.days.get(centre, self.days[""])

    def rules(self, centre: str, usual: tuple[Hours, ...]) -> Rules:
        """Return what bends a centre's week; centres that no table names share one value."""
        key = (centre if centre in self.days or any(centre in s.centres for s in self._scopes()) else "", usual)
        if key not in self._shared:
            self._shared[key] = self._rules(*key)
        return self._shared[key]

    def _rules(self, centre: str, usual: tuple[Hours, ...]) -> Rules:
        swaps = {day: Swap(0) for day in self.publics.worked}
        for found in _for(centre, self.swaps):
            swaps.update(found)
        names = {day: name for day, (_, name) in self._special(centre).items() if name}
        return Rules(
            holidays=self.publics.off,
            swaps=MappingProxyType(swaps),
            weeks=tuple(Week(w.first, w.end, week_with(w.days, usual)) for w in _for(centre, self.weeks)),
            modes=tuple(_for(centre, self.modes)),
            maintenance=tuple(_for(centre, self.maintenance)),
            names=MappingProxyType(names),
        )

    def maintenance_of(self, system: str) -> tuple[Planned, ...]:
        """Return what is planned for a digital system."""
        return tuple(s.value for s in self.maintenance if system in s.scope.systems)

    def check(self, centres: Container[str], systems: Container[str]) -> None:
        """Note a fault for each centre or system that is named and not declared."""
        for scope in self._scopes():
            for ident in scope.centres:
                scope.record.refer("centres", ident, centres, "centre")
            for ident in scope.systems:
                scope.record.refer("systems", ident, systems, "system")

    def _scopes(self) -> list[Scope]:
        swapped, weekly = [one.scope for one in self.swaps], [one.scope for one in self.weeks]
        return swapped + weekly + [one.scope for one in self.modes] + [one.scope for one in self.maintenance]


def _for(centre: str, table: Iterable[Scoped[T]]) -> list[T]:
    """Return what holds for a centre, what names it last: the last wins."""
    held = [one for one in table if one.scope.holds(centre)]
    return [one.value for one in sorted(held, key=lambda one: bool(one.scope.centres))]
