"""Reads calendar.toml: exceptions, holidays, swapped days, weeks with validity, modes, planned maintenance.

It returns one centre's or system's part of them.  Faults go to the records; it must not read files, nor decide when a
centre is open.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, get_args

from telemetry.core.calendar.calendar_values import (
    END_OF_TIME_MS,
    CalendarRules,
    ModeSpan,
    SingleMaintenance,
    Swap,
    WeeklyHours,
)
from telemetry.core.calendar.windows import Window, day_window, wall_time_ms
from telemetry.core.protocol.events import CentreMode
from telemetry.inventory.hours import WEEKDAYS, override_week, special_days_of, weekday_hours
from telemetry.inventory.record import AllowedKeys
from telemetry.inventory.recurrence import (
    OutdatedHolidays,
    PublicHolidays,
    RecurringMaintenance,
    RuleError,
    UnknownCountry,
    check_rule,
    public_holidays,
)

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import MaintenancePlan, OpeningHours
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.hours import SpecialDay
    from telemetry.inventory.record import Record

T = TypeVar("T")
CALENDAR_KEYS = AllowedKeys(("days",), ("centre_days", "holidays", "swap", "week", "mode", "maintenance"))
HOLIDAY_KEYS = AllowedKeys(("country",), ("subdivision",))
SWAP_KEYS = AllowedKeys(("off", "work"), ("name", "centres"))
WEEK_KEYS = AllowedKeys(("from",), ("to", "centres", *WEEKDAYS))
MODE_KEYS = AllowedKeys(("mode", "from"), ("to", "reason", "centres"))
MAINTENANCE_KEYS = AllowedKeys(("name", "from", "to"), ("repeat", "centres", "systems"))
MAX_REPEATED_LENGTH = timedelta(days=31)
_CENTRE_MODES = get_args(CentreMode)
_ALWAYS = Window(0, END_OF_TIME_MS)
_EPOCH, _END = date(1970, 1, 1), date(9999, 1, 1)
_NO_HOLIDAYS = PublicHolidays(MappingProxyType({}), frozenset())
_INSTALL_REMEDY = 'pip install "motcua[server]" or pip install "motcua[infra]"'
_RULE_REMEDY = 'write it like "FREQ=MONTHLY;BYDAY=1SA"; the first time is `from`'


@dataclass(frozen=True, slots=True)
class ScopedTable(Generic[T]):
    """One table's value, its window, and the centres and systems that it names; naming none, it is for every centre."""

    record: Record
    value: T
    window: Window
    centres: tuple[str, ...]
    systems: tuple[str, ...]

    def applies_to(self, centre: str) -> bool:
        """Return whether it is for the centre."""
        return centre in self.centres or not (self.centres or self.systems)

    def overlaps(self, other: ScopedTable[T]) -> bool:
        """Return whether both are for every centre, or name the same one."""
        return self.centres == other.centres or bool(set(self.centres) & set(other.centres))


@dataclass(frozen=True, slots=True)
class WeekOverride:
    """Hours of some weekdays from the day `first` up to, but without, `end`."""

    first: date
    end: date
    days: Mapping[int, OpeningHours]


@dataclass(frozen=True, slots=True)
class CalendarTables:
    """The tables of calendar.toml; `days` has the exceptions of every centre under the empty id."""

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
        """Return the hours of a centre's exception days, which win over every other table."""
        return MappingProxyType({day: hours for day, (hours, _) in self.days.get(centre, self.days[""]).items()})

    def rules(self, centre: str, usual: tuple[OpeningHours, ...]) -> CalendarRules:
        """Return the rules that change a centre's usual week; centres that no table names share one value."""
        key = (centre if centre in self.days or any(centre in table.centres for table in self._tables) else "", usual)
        if key not in self._rules_cache:
            self._rules_cache[key] = self._build_rules(*key)
        return self._rules_cache[key]

    def _build_rules(self, centre: str, usual: tuple[OpeningHours, ...]) -> CalendarRules:
        swaps = {day: Swap(0) for day in self.public_holidays.working_weekend_days}
        for swapped_days in _values_for(centre, self.swaps):
            swaps.update(swapped_days)
        names = {day: name for day, (_, name) in self.days.get(centre, self.days[""]).items() if name}
        weeks = _values_for(centre, self.weeks)
        return CalendarRules(
            holidays=self.public_holidays.days_off,
            swaps=MappingProxyType(swaps),
            weeks=tuple(WeeklyHours(w.first, w.end, override_week(w.days, usual)) for w in weeks),
            modes=tuple(_values_for(centre, self.modes)),
            maintenance=tuple(_values_for(centre, self.maintenance)),
            names=MappingProxyType(names),
        )

    def maintenance_of(self, system: str) -> tuple[MaintenancePlan, ...]:
        """Return the maintenance of a digital system."""
        return tuple(s.value for s in self.maintenance if system in s.systems)

    def check_references(self, centres: Container[str], systems: Container[str]) -> None:
        """Add a fault for each centre or system that is named and not declared."""
        for table in self._tables:
            for ident in table.centres:
                table.record.check_reference("centres", ident, centres, "centre")
            for ident in table.systems:
                table.record.check_reference("systems", ident, systems, "system")

    @property
    def _tables(self) -> list[ScopedTable[Any]]:
        return [*self.swaps, *self.weeks, *self.modes, *self.maintenance]


def build_tables(doc: TomlDocument, zone: ZoneInfo) -> CalendarTables:
    """Build the tables of calendar.toml; local times are of `zone`."""
    doc.record(CALENDAR_KEYS)
    weeks = [_build_week(record, zone) for record in doc.records("week", WEEK_KEYS)]
    modes = [_build_mode(record, zone) for record in doc.records("mode", MODE_KEYS)]
    swaps = [_build_swap(record) for record in doc.records("swap", SWAP_KEYS)]
    maintenance = [_build_maintenance(record, zone) for record in doc.records("maintenance", MAINTENANCE_KEYS)]
    _check_overlaps(weeks)
    _check_overlaps(modes)
    _check_repeated_swaps(swaps)
    return CalendarTables(
        _special_days(doc), _read_holidays(doc), tuple(swaps), tuple(weeks), tuple(modes), tuple(maintenance)
    )


def _special_days(doc: TomlDocument) -> dict[str, Mapping[date, SpecialDay]]:
    usual = special_days_of(doc.table("days"))
    own = doc.table("centre_days").values
    by_centre: dict[str, Mapping[date, SpecialDay]] = {"": usual}
    return by_centre | {ident: {**usual, **special_days_of(doc.table("centre_days", ident))} for ident in own}


def _read_holidays(doc: TomlDocument) -> PublicHolidays:
    if "holidays" not in doc.data:
        return _NO_HOLIDAYS
    record = doc.record(HOLIDAY_KEYS, "holidays")
    country, part = record.text("country"), record.text("subdivision", "")
    try:
        return public_holidays(country, part) if country else _NO_HOLIDAYS
    except UnknownCountry as error:
        record.add_fault("subdivision" if part else "country", str(error), 'use an ISO 3166 code, such as "VN"')
    except OutdatedHolidays as error:
        record.add_fault("country", str(error), OutdatedHolidays.remedy)
    except ImportError:
        record.add_fault("country", "needs the library holidays, which is not installed", _INSTALL_REMEDY)
    return _NO_HOLIDAYS


def _build_scoped_table(record: Record, value: T, window: Window = _ALWAYS) -> ScopedTable[T]:
    for key in ("centres", "systems"):
        if record.values.get(key) in ([], ""):
            record.add_fault(key, "names none", "write the ids in it, or remove it")
    return ScopedTable(record, value, window, record.text_list("centres"), record.text_list("systems"))


def _build_swap(record: Record) -> ScopedTable[Mapping[date, Swap]]:
    off, work, name = record.day("off"), record.day("work"), record.text("name", "")
    if off == work and off != date.min:
        record.add_fault("work", f"{work} is the day off itself", "write the day that is worked instead")
    days = {off: Swap(None, work, name), work: Swap(off.weekday(), off, name)}
    return _build_scoped_table(record, MappingProxyType(days))


def _check_repeated_swaps(swaps: Sequence[ScopedTable[Mapping[date, Swap]]]) -> None:
    for earlier, later in combinations(swaps, 2):
        for day in sorted(set(earlier.value) & set(later.value)) if later.overlaps(earlier) else ():
            problem = f"{day} is already swapped on line {earlier.record.line}"
            later.record.add_fault("off" if later.value[day].weekday is None else "work", problem, "keep one of them")


def _build_week(record: Record, zone: ZoneInfo) -> ScopedTable[WeekOverride]:
    first, end = max(record.day("from"), _EPOCH), record.optional_day("to") or _END
    if end <= first:
        _fault_not_after(record, end)
        end = first
    days = weekday_hours(record)
    if not days:
        record.add_fault("from", "changes no day of the week", f"add hours for one of {', '.join(WEEKDAYS)}")
    window = Window(day_window(first, zone).start, day_window(end, zone).start)
    return _build_scoped_table(record, WeekOverride(first, end, days), window)


def _build_mode(record: Record, zone: ZoneInfo) -> ScopedTable[ModeSpan]:
    mode = cast("CentreMode", record.choice("mode", _CENTRE_MODES))
    window = _parse_window(record, zone)
    return _build_scoped_table(record, ModeSpan(mode, window, record.text("reason", "")), window)


def _check_overlaps(table: Sequence[ScopedTable[T]]) -> None:
    for earlier, later in combinations(table, 2):
        if later.overlaps(earlier) and later.window.clip(earlier.window):
            problem = f"overlaps the table on line {earlier.record.line}"
            later.record.add_fault("from", problem, "end one with `to` before the other begins, or remove one")


def _build_maintenance(record: Record, zone: ZoneInfo) -> ScopedTable[MaintenancePlan]:
    name, window = record.text("name"), _parse_window(record, zone)
    planned: MaintenancePlan = SingleMaintenance(name, window)
    if "repeat" in record.values:
        planned = _build_recurring(record, name, zone) or planned
    return _build_scoped_table(record, planned, window)


def _build_recurring(record: Record, name: str, zone: ZoneInfo) -> RecurringMaintenance | None:
    first, end, rule = _parse_wall_time(record, "from"), _parse_wall_time(record, "to"), record.text("repeat")
    if first is None or end is None or not rule:
        return None
    if end - first > MAX_REPEATED_LENGTH:
        record.add_fault("to", "is more than 31 days after from", "write the first of the repeated times only")
    try:
        check_rule(rule, first)
    except RuleError as error:
        record.add_fault("repeat", f"{rule!r}: {error}", _RULE_REMEDY)
    except ImportError:
        record.add_fault("repeat", "needs the library python-dateutil, which is not installed", _INSTALL_REMEDY)
    else:
        return RecurringMaintenance(name, first, end - first, rule, zone)
    return None


def _parse_window(record: Record, zone: ZoneInfo) -> Window:
    walls = (_parse_wall_time(record, key) for key in ("from", "to"))
    start, end = (None if wall is None else wall_time_ms(wall.date(), wall.time(), zone) for wall in walls)
    if start is not None and end is not None and end <= start:
        _fault_not_after(record, record.values["to"])
        end = start
    return Window(start or 0, END_OF_TIME_MS if end is None else max(end, start or 0))


def _fault_not_after(record: Record, end: object) -> None:
    record.add_fault("to", f"{end} is not after from", "write the first time at which it is no longer valid")


def _parse_wall_time(record: Record, key: str) -> datetime | None:
    """Return a local wall time on a 5-minute mark, None with a fault when it is not one; a date is its midnight."""
    value = record.values.get(key)
    if value is None:
        return None
    if not isinstance(value, date):
        record.add_fault(key, f"{value!r} is no time", "write 2026-10-03T17:00:00, or 2026-10-03, without quotes")
    elif not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local, whatever the zone
    elif value.tzinfo is not None:
        record.add_fault(key, f"{value} has an offset", "write the centre's local time without one")
    elif value.minute % 5 or value.second or value.microsecond:
        record.add_fault(key, f"{value:%H:%M:%S} is not on a 5-minute mark", "move it to one")
    else:
        return value
    return None


def _values_for(centre: str, table: Iterable[ScopedTable[T]]) -> list[T]:
    """Return the values for a centre, those of tables that name it last: the last one wins."""
    applicable = [entry for entry in table if entry.applies_to(centre)]
    return [entry.value for entry in sorted(applicable, key=lambda entry: bool(entry.centres))]
