"""Everything calendar.toml says, ready to be asked for one centre's or system's part of it.

It must not read files, nor decide when a centre is open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Generic, TypeVar

from telemetry.core.calendar.calendar_values import END_OF_TIME_MS, CalendarRules, Swap, WeeklyHours
from telemetry.core.calendar.windows import Window
from telemetry.inventory.hours import override_week

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping
    from datetime import date

    from telemetry.core.calendar.calendar_values import MaintenancePlan, ModeSpan, OpeningHours
    from telemetry.inventory.hours import SpecialDay
    from telemetry.inventory.record import Record
    from telemetry.inventory.recurrence import PublicHolidays

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TableScope:
    """For whom one table is; without a centre and a system it is for every centre."""

    record: Record
    centres: tuple[str, ...] = ()
    systems: tuple[str, ...] = ()

    def applies_to(self, centre: str) -> bool:
        """Tell whether it is for the centre."""
        return centre in self.centres or not (self.centres or self.systems)

    def overlaps(self, other: TableScope) -> bool:
        """Tell whether both are for every centre, or name the same one."""
        return self.centres == other.centres or bool(set(self.centres) & set(other.centres))


@dataclass(frozen=True, slots=True)
class ScopedTable(Generic[T]):
    """The value of one table, for whom it is and when."""

    scope: TableScope
    value: T
    window: Window = Window(0, END_OF_TIME_MS)  # noqa: RUF009 - frozen


@dataclass(frozen=True, slots=True)
class WeekOverride:
    """Hours of some weekdays from the day `first` up to, but without, `end`."""

    first: date
    end: date
    days: Mapping[int, OpeningHours]


@dataclass(frozen=True, slots=True)
class CalendarTables:
    """The tables of calendar.toml; `days` has the exceptions of all under the empty id."""

    days: Mapping[str, Mapping[date, SpecialDay]]
    public_holidays: PublicHolidays
    swaps: tuple[ScopedTable[Mapping[date, Swap]], ...]
    weeks: tuple[ScopedTable[WeekOverride], ...]
    modes: tuple[ScopedTable[ModeSpan], ...]
    maintenance: tuple[ScopedTable[MaintenancePlan], ...]
    _rules_cache: dict[tuple[str, tuple[OpeningHours, ...]], CalendarRules] = field(
        default_factory=dict, compare=False, repr=False
    )

    def exceptions(self, centre: str) -> Mapping[date, OpeningHours]:
        """Return a centre's days that differ from everything else."""
        return MappingProxyType({day: hours for day, (hours, _) in self._special_days(centre).items()})

    def _special_days(self, centre: str) -> Mapping[date, SpecialDay]:
        return self.days.get(centre, self.days[""])

    def rules(self, centre: str, usual: tuple[OpeningHours, ...]) -> CalendarRules:
        """Return what bends a centre's week; centres that no table names share one value."""
        key = (centre if centre in self.days or any(centre in s.centres for s in self._all_scopes()) else "", usual)
        if key not in self._rules_cache:
            self._rules_cache[key] = self._build_rules(*key)
        return self._rules_cache[key]

    def _build_rules(self, centre: str, usual: tuple[OpeningHours, ...]) -> CalendarRules:
        swaps = {day: Swap(0) for day in self.public_holidays.working_weekend_days}
        for swapped_days in _values_for(centre, self.swaps):
            swaps.update(swapped_days)
        names = {day: name for day, (_, name) in self._special_days(centre).items() if name}
        return CalendarRules(
            holidays=self.public_holidays.days_off,
            swaps=MappingProxyType(swaps),
            weeks=tuple(
                WeeklyHours(w.first, w.end, override_week(w.days, usual)) for w in _values_for(centre, self.weeks)
            ),
            modes=tuple(_values_for(centre, self.modes)),
            maintenance=tuple(_values_for(centre, self.maintenance)),
            names=MappingProxyType(names),
        )

    def maintenance_of(self, system: str) -> tuple[MaintenancePlan, ...]:
        """Return what is planned for a digital system."""
        return tuple(s.value for s in self.maintenance if system in s.scope.systems)

    def check_references(self, centres: Container[str], systems: Container[str]) -> None:
        """Note a fault for each centre or system that is named and not declared."""
        for scope in self._all_scopes():
            for ident in scope.centres:
                scope.record.check_reference("centres", ident, centres, "centre")
            for ident in scope.systems:
                scope.record.check_reference("systems", ident, systems, "system")

    def _all_scopes(self) -> list[TableScope]:
        swapped, weekly = [entry.scope for entry in self.swaps], [entry.scope for entry in self.weeks]
        return swapped + weekly + [entry.scope for entry in self.modes] + [entry.scope for entry in self.maintenance]


def _values_for(centre: str, table: Iterable[ScopedTable[T]]) -> list[T]:
    """Return what holds for a centre, what names it last: the last wins."""
    applicable = [entry for entry in table if entry.scope.applies_to(centre)]
    return [entry.value for entry in sorted(applicable, key=lambda entry: bool(entry.scope.centres))]
