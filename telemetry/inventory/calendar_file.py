"""Reads calendar.toml: exceptions, holidays, swapped days, weeks with validity, modes, planned maintenance.

Faults go to the records; it must not decide which table wins, nor when a centre is open.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from itertools import combinations
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeVar, cast, get_args

from telemetry.core.calendar.calendar_values import FOREVER, ModeSpan, Once, Swap
from telemetry.core.calendar.windows import Window, day_window
from telemetry.core.calendar_windows import moment
from telemetry.core.protocol.event_types import CentreMode
from telemetry.inventory.calendar_tables import PartWeek, Scope, Scoped, Tables
from telemetry.inventory.hours import WEEK, days_of, some_days
from telemetry.inventory.record import Keys
from telemetry.inventory.recurrence import Publics, Recurring, RuleError, UnknownCountry, check_rule, publics

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import Planned
    from telemetry.inventory.files import Document
    from telemetry.inventory.hours import Special
    from telemetry.inventory.record import Record

T = TypeVar("T")
TOP = Keys(("days",), ("centre_days", "holidays", "swap", "week", "mode", "maintenance"))
HOLIDAYS = Keys(("country",), ("subdivision",))
SWAP = Keys(("off", "work"), ("name", "centres"))
WEEKS = Keys(("from",), ("to", "centres", *WEEK))
MODE = Keys(("mode", "from"), ("to", "reason", "centres"))
MAINTENANCE = Keys(("name", "from", "to"), ("repeat", "centres", "systems"))
LONGEST_REPEATED = timedelta(days=31)
_MODES = get_args(CentreMode)
_EPOCH, _END = date(1970, 1, 1), date(9999, 1, 1)
_NO_HOLIDAYS = Publics(MappingProxyType({}), frozenset())
_NOT_INSTALLED = "install motcua with its extra server or infra"
_RULE = 'write it like "FREQ=MONTHLY;BYDAY=1SA"; the first time is `from`'


def tables(doc: Document, zone: ZoneInfo) -> Tables:
    """Build the tables of calendar.toml; local times are of `zone`."""
    doc.record(TOP)
    weeks = [_week(record, zone) for record in doc.records("week", WEEKS)]
    modes = [_mode(record, zone) for record in doc.records("mode", MODE)]
    swaps = [_swap(record) for record in doc.records("swap", SWAP)]
    maintenance = [_maintenance(record, zone) for record in doc.records("maintenance", MAINTENANCE)]
    _refuse_overlaps(weeks)
    _refuse_overlaps(modes)
    _refuse_swapped_twice(swaps)
    return Tables(_exceptions(doc), _holidays(doc), tuple(swaps), tuple(weeks), tuple(modes), tuple(maintenance))


def _exceptions(doc: Document) -> dict[str, Mapping[date, Special]]:
    usual = days_of(doc.table("days"))
    own = doc.table("centre_days").values
    every: dict[str, Mapping[date, Special]] = {"": usual}
    return every | {ident: {**usual, **days_of(doc.table("centre_days", ident))} for ident in own}


def _holidays(doc: Document) -> Publics:
    if "holidays" not in doc.data:
        return _NO_HOLIDAYS
    record = doc.record(HOLIDAYS, "holidays")
    country, part = record.text("country"), record.text("subdivision", "")
    try:
        return publics(country, part) if country else _NO_HOLIDAYS
    except UnknownCountry as error:
        record.fault("subdivision" if part else "country", str(error), 'use an ISO 3166 code, such as "VN"')
    except ImportError:
        record.fault("country", "needs the library holidays, which is not installed", _NOT_INSTALLED)
    return _NO_HOLIDAYS


def _scope(record: Record) -> Scope:
    for key in ("centres", "systems"):
        if record.values.get(key) in ([], ""):
            record.fault(key, "names none", "write the ids in it, or remove it")
    return Scope(record, record.words("centres"), record.words("systems"))


def _swap(record: Record) -> Scoped[Mapping[date, Swap]]:
    off, work, name = record.day("off"), record.day("work"), record.text("name", "")
    if off == work and off != date.min:
        record.fault("work", f"{work} is the day off itself", "write the day that is worked instead")
    days = {off: Swap(None, work, name), work: Swap(off.weekday(), off, name)}
    return Scoped(_scope(record), MappingProxyType(days))


def _refuse_swapped_twice(swaps: Sequence[Scoped[Mapping[date, Swap]]]) -> None:
    for earlier, later in combinations(swaps, 2):
        for day in sorted(set(earlier.value) & set(later.value)) if later.scope.shares(earlier.scope) else ():
            problem = f"{day} is already swapped on line {earlier.scope.record.line}"
            later.scope.record.fault("off" if later.value[day].like is None else "work", problem, "keep one of them")


def _week(record: Record, zone: ZoneInfo) -> Scoped[PartWeek]:
    first, end = max(record.day("from"), _EPOCH), record.day_or_none("to") or _END
    if end <= first:
        _not_after(record, end)
        end = first
    days = some_days(record)
    if not days:
        record.fault("from", "changes no day of the week", f"add hours for one of {', '.join(WEEK)}")
    window = Window(day_window(first, zone).start, day_window(end, zone).start)
    return Scoped(_scope(record), PartWeek(first, end, days), window)


def _mode(record: Record, zone: ZoneInfo) -> Scoped[ModeSpan]:
    mode = cast("CentreMode", record.choice("mode", _MODES))
    window = _window(record, zone)
    return Scoped(_scope(record), ModeSpan(mode, window, record.text("reason", "")), window)


def _refuse_overlaps(table: Sequence[Scoped[T]]) -> None:
    for earlier, later in combinations(table, 2):
        if later.scope.shares(earlier.scope) and later.window.clip(earlier.window):
            problem = f"overlaps the table on line {earlier.scope.record.line}"
            later.scope.record.fault("from", problem, "end one with `to` before the other begins, or remove one")


def _maintenance(record: Record, zone: ZoneInfo) -> Scoped[Planned]:
    name, window = record.text("name"), _window(record, zone)
    planned: Planned = Once(name, window)
    if "repeat" in record.values:
        planned = _recurring(record, name, zone) or planned
    return Scoped(_scope(record), planned, window)


def _recurring(record: Record, name: str, zone: ZoneInfo) -> Recurring | None:
    first, end, rule = _wall(record, "from"), _wall(record, "to"), record.text("repeat")
    if first is None or end is None or not rule:
        return None
    if end - first > LONGEST_REPEATED:
        record.fault("to", "is more than 31 days after from", "write the first of the repeated times only")
    try:
        check_rule(rule, first)
    except RuleError as error:
        record.fault("repeat", f"{rule!r}: {error}", _RULE)
    except ImportError:
        record.fault("repeat", "needs the library python-dateutil, which is not installed", _NOT_INSTALLED)
    else:
        return Recurring(name, first, end - first, rule, zone)
    return None


def _window(record: Record, zone: ZoneInfo) -> Window:
    start, end = (_moment(_wall(record, key), zone) for key in ("from", "to"))
    if start is not None and end is not None and end <= start:
        _not_after(record, record.values["to"])
        end = start
    return Window(start or 0, FOREVER if end is None else max(end, start or 0))


def _not_after(record: Record, end: object) -> None:
    record.fault("to", f"{end} is not after from", "write the first moment at which it no longer holds")


def _moment(wall: datetime | None, zone: ZoneInfo) -> int | None:
    return None if wall is None else moment(wall.date(), wall.time(), zone)


def _wall(record: Record, key: str) -> datetime | None:
    """Return a local wall time on a 5-minute mark; a date is its midnight."""
    value = record.values.get(key)
    if value is None:
        return None
    if not isinstance(value, date):
        record.fault(key, f"{value!r} is no time", "write 2026-10-03T17:00:00, or 2026-10-03, without quotes")
        return None
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)  # noqa: DTZ001 - local, whatever the zone
    if value.tzinfo is not None:
        record.fault(key, f"{value} has an offset", "write the centre's local time without one")
        return None
    if value.minute % 5 or value.second or value.microsecond:
        record.fault(key, f"{value:%H:%M:%S} is not on a 5-minute mark", "move it to one")
        return None
    return value
