"""The declarative expressions of a replay mapping; they must not run code, read files or depend on event types.

Each kind of expression is a strict struct whose field names are the keys of the TOML file;
`docs/reference/replay-mapping.md` explains them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, Protocol, cast, get_args

import msgspec
from msgspec import Struct

from edge_agent.mapping.cell_parsing import (
    FORMAT_READERS,
    CellError,
    CellValue,
    ClockChanges,
    DateCell,
    RowCells,
    as_tuple,
    base32_digest,
    check_time_ms,
    find_pattern_problem,
    has_clock_change,
    has_time_format,
    is_iso_time,
    is_shortened_number,
    is_skipped,
    local_time_ms,
    parse_date,
    parse_duration_ms,
    parse_iso,
    parse_pattern,
    parse_time_of_day,
    refuse_missing_cell,
    required_cell,
    to_decimal_point,
    to_unix_ms,
)
from edge_agent.mapping.clock_forms import DAY_S
from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date as Date  # noqa: N812
    from zoneinfo import ZoneInfo

DurationUnit = Literal["ms", "s", "min", "h", "day", "h:mm:ss", "mm:ss", "h:mm"]
TimeForm = Literal["auto", "h.mm", "hhmm", "day", "min"]


_OFFSET = re.compile(r"(?:[Zz]|[+-][0-9]{2}:?[0-9]{2}(?::?[0-9]{2})?)$")
UNKNOWN_SERVICE = "is no known service"
"""The kind of fault of a text that no service lists."""


class ExpressionError(Exception):
    """An invalid expression, with the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class ReplayContext:
    """What all rows of one replay share: time zone, services by raw value, outbox id, decimal sign.

    `earlier_ids` returns the id under which a ticket's key is already stored, None for a new ticket.  `occurrence` is
    the row's place among those with the same key, where a mapping says that each is a ticket of its own.
    """

    zone: ZoneInfo
    service_by_value: Mapping[str, str]
    outbox_id: str
    decimal: str = "."
    earlier_ids: Callable[[str], str | None] | None = None
    occurrence: int = 1
    clock_changes: ClockChanges = field(default_factory=ClockChanges)
    row_values: dict[int, CellValue] = field(default_factory=dict)
    """The values of the present row by the expression's `id`: several events of a row have the same ones."""

    def begin_row(self) -> None:
        """Forget the values and the clock changes of the row before."""
        self.row_values.clear()
        self.clock_changes.repeated.clear()
        self.clock_changes.has_skipped = False

    def ticket_id(self, cells: Sequence[str]) -> str:
        """Return the random-looking id of the ticket with this key: the stored one when there is one."""
        key = "\x1f".join([*cells, *([f"#{self.occurrence}"] if self.occurrence > 1 else [])])
        stored_id = self.earlier_ids(key) if self.earlier_ids is not None else None
        return stored_id or derive_ticket_id(self.outbox_id, key)


def derive_ticket_id(outbox_id: str, key: str) -> str:
    """Return the id of the ticket with this key in the import that first had it."""
    return base32_digest(f"{outbox_id}\x1f{key}")


class Expression(Protocol):
    """Computes one field's value from a row; None omits the field."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that it reads."""

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return the value of the field in this row."""


class _MappingStruct(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of the structs of a mapping."""


class ConstExpression(_MappingStruct, frozen=True, kw_only=True):
    """The same value in every row."""

    const: str | int | float | bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Return no column."""
        return ()

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:  # noqa: ARG002
        """Return the constant."""
        return self.const


class ChoiceExpression(_MappingStruct, frozen=True, kw_only=True):
    """A cell's text looked up in a table."""

    map: str
    values: dict[str, str | int | float | bool]
    default: str | int | float | bool | None = None
    optional: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column looked up."""
        return (self.map,)

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:  # noqa: ARG002
        """Return the table's value, else the default."""
        text = row[self.map]
        value = self.values.get(text, self.default)
        if value is None and not (self.optional and not text):
            refuse_missing_cell(row, self.map)
            raise CellError(self.map, "is not among the values", "add it, or give a default", text)
        return value


class FlagsExpression(_MappingStruct, frozen=True, kw_only=True):
    """A list of the values whose columns say yes."""

    flags: dict[str, str]
    yes: tuple[str, ...]

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns of the values."""
        return tuple(self.flags)

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:  # noqa: ARG002
        """Return the values, none when no column says yes."""
        return tuple(value for column, value in self.flags.items() if row[column] in self.yes)


class ServiceExpression(_MappingStruct, frozen=True, kw_only=True):
    """The service whose `values` list has the cell's text."""

    service: str

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column looked up."""
        return (self.service,)

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return the service id."""
        text = row[self.service]
        service_id = context.service_by_value.get(text) or context.service_by_value.get(" ".join(text.split()))
        if service_id is None:
            refuse_missing_cell(row, self.service)
            known = ", ".join(sorted(context.service_by_value))
            remedy = f"add it to the values of a service, or skip such rows; known: {known}"
            raise CellError(self.service, UNKNOWN_SERVICE, remedy, text)
        return service_id


class TicketIdExpression(_MappingStruct, frozen=True, kw_only=True):
    """A random-looking id from the columns that identify the ticket; the original id is not passed on."""

    ticket: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse an empty list of columns."""
        if not self.ticket:
            raise ValueError("ticket names no column")

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the columns that identify the ticket together."""
        return self.ticket

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return 26 lower-case base32 characters."""
        cells = [required_cell(row, column) for column in self.ticket]
        for column, text in zip(self.ticket, cells, strict=True):
            if is_shortened_number(text):
                remedy = "format the column as text (or number without decimals) and export it again"
                raise CellError(column, "identifies no ticket: a spreadsheet has shortened this number", remedy, text)
        return context.ticket_id(cells)


class Duration(_MappingStruct, frozen=True, kw_only=True):
    """A column of durations and its unit."""

    column: str
    unit: DurationUnit


Durations = Duration | tuple[Duration, ...]


class _ShiftedTime(_MappingStruct, frozen=True, kw_only=True):
    """The durations that are added to a time, and those that are taken from it."""

    plus_s: str | tuple[str, ...] = ()
    minus_s: str | tuple[str, ...] = ()
    plus: Durations = ()
    minus: Durations = ()

    @property
    def shifts(self) -> tuple[tuple[int, Duration], ...]:
        """Return each duration with its sign."""
        return _signed_durations(self.plus_s, self.minus_s, self.plus, self.minus)

    @property
    def shift_columns(self) -> tuple[str, ...]:
        """Return the columns of the durations."""
        return tuple(duration.column for _, duration in self.shifts)

    def shift_ms(self, row: RowCells, context: ReplayContext) -> int:
        """Return what to add to the time, ms."""
        return sum(
            sign * parse_duration_ms(row, duration.column, duration.unit, context.decimal)
            for sign, duration in self.shifts
        )


@lru_cache(maxsize=1024)
def _signed_durations(
    plus_s: str | tuple[str, ...], minus_s: str | tuple[str, ...], plus: Durations, minus: Durations
) -> tuple[tuple[int, Duration], ...]:
    """Return each duration with its sign; a mapping's few are asked for in every row."""
    return (
        *((1, Duration(column=column, unit="s")) for column in as_tuple(plus_s)),
        *((-1, Duration(column=column, unit="s")) for column in as_tuple(minus_s)),
        *((1, duration) for duration in _as_durations(plus)),
        *((-1, duration) for duration in _as_durations(minus)),
    )


def _as_durations(durations: Durations) -> tuple[Duration, ...]:
    return (durations,) if isinstance(durations, Duration) else durations


class ColumnExpression(_ShiftedTime, frozen=True, kw_only=True):
    """A cell read as text, id, number, duration (`unit`) or time (iso, unix_s, unix_ms, or a % pattern)."""

    column: str
    format: str = "text"
    unit: DurationUnit | None = None
    optional: bool = False
    date_only: Literal["start", "end"] | None = None
    """How a date without a time of day is read: as the day's first or last millisecond; None: it is a fault."""

    def __post_init__(self) -> None:
        """Refuse unknown formats and additions to a value that is no time."""
        if self.date_only and not date_part(self.format):
            raise ValueError("date_only needs a format with date, space and time, such as %d/%m/%Y %H:%M")
        if not (self.format in FORMAT_READERS or "%" in self.format):
            raise ValueError(f"format must be one of {', '.join(FORMAT_READERS)} or a pattern such as %d/%m/%Y %H:%M")
        problem = find_pattern_problem(self.format, has_time=True) if "%" in self.format else None
        if problem:
            raise ValueError(f"format {self.format} {problem}")
        if self.shifts and not has_time_format(self.format):
            raise ValueError("plus and minus need a format that is a time")
        if self.unit and self.format != "text":
            raise ValueError("unit makes a duration; it takes no format")

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column and those added."""
        return (self.column, *self.shift_columns)

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return the cell's value in ms, or as text or number."""
        if self.optional and not row[self.column]:
            return None
        text = required_cell(row, self.column)
        if self.unit:
            return parse_duration_ms(row, self.column, self.unit, context.decimal)
        value = self._parse(text, context)
        if not has_time_format(self.format):
            return value
        time_ms = check_time_ms(self.column, text, cast("int", value)) + self.shift_ms(row, context)
        if self.date_only == "end" and self._has_no_time(text):
            return time_ms
        if self._is_local(text):
            context.clock_changes.add(cast("int", value), time_ms, context.zone)
        return time_ms

    def _is_local(self, text: str) -> bool:
        """Return whether the cell is a time of a local clock, without an offset."""
        if self.format == "iso" or isinstance(text, DateCell):
            return not _OFFSET.search(text)
        return self.format == "excel" or ("%" in self.format and "%z" not in self.format)

    def _has_no_time(self, text: str) -> bool:
        """Return whether the cell is a date alone, which `date_only` allows."""
        try:
            parse_date(text, "%Y-%m-%d" if isinstance(text, DateCell) else date_part(self.format))
        except (ValueError, re.error):
            return False
        return True

    def _parse(self, text: str, context: ReplayContext) -> CellValue:
        try:
            if self.date_only and self._has_no_time(text):
                day = parse_date(text, "%Y-%m-%d" if isinstance(text, DateCell) else date_part(self.format))
                is_end = self.date_only == "end"
                return local_time_ms(day, DAY_S if is_end else 0, context.zone) - is_end
            is_iso = isinstance(text, DateCell) and has_time_format(self.format) and is_iso_time(text)
            read = FORMAT_READERS.get("iso" if is_iso else self.format)
            if is_iso or self.format == "iso" or read is None:
                when = parse_pattern(text, self.format) if read is None else parse_iso(text)
                if when.tzinfo is None and is_skipped(when, context.zone):
                    context.clock_changes.has_skipped = True
                return to_unix_ms(when, context.zone)
            return read(to_decimal_point(text, context.decimal) if self.format == "number" else text, context.zone)
        except (ValueError, OverflowError, re.error):
            remedy = "correct the cell, or the format in the mapping"
            raise CellError(self.column, f"cannot be read as {self.format}", remedy, text) from None


@lru_cache(maxsize=1024)
def date_part(pattern: str) -> str:
    """Return what of a pattern reads the date, empty when it does not begin with it and a space.

    >>> date_part("%d/%m/%Y %H:%M"), date_part("%H:%M %d/%m/%Y"), date_part("iso")
    ('%d/%m/%Y', '', '')
    """
    date_pattern, space, _ = pattern.partition(" ")
    is_date = "%" in pattern and space and find_pattern_problem(date_pattern, has_time=False) is None
    return date_pattern if is_date else ""


class DateTimeExpression(_ShiftedTime, frozen=True, kw_only=True):
    """A date and a time-of-day column; `near` chooses the day so that the time is closest to another of the row."""

    date: str
    time: str
    date_format: str = "%Y-%m-%d"
    time_format: TimeForm = "auto"
    near: str | None = None
    optional: bool = False

    def __post_init__(self) -> None:
        """Refuse a pattern that reads no date."""
        problem = None if self.date_format == "excel" else find_pattern_problem(self.date_format, has_time=False)
        if problem:
            raise ValueError(f"date_format {self.date_format} {problem}")

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all columns it reads."""
        return (self.date, self.time, *as_tuple(self.near or ()), *self.shift_columns)

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return the time, Unix ms."""
        if self.optional and not (row[self.date] and row[self.time]):
            return None
        seconds_of_day = parse_time_of_day(row, self.time, self.time_format)
        if self.near is not None:
            near_seconds = parse_time_of_day(row, self.near, self.time_format)
            seconds_of_day = near_seconds + (seconds_of_day - near_seconds + DAY_S / 2) % DAY_S - DAY_S / 2
        day = self._parse_day(row)
        try:
            time_ms = local_time_ms(day, seconds_of_day, context.zone)
        except (OverflowError, ValueError):
            problem = "is no time of a calendar"
            raise CellError(
                self.date, problem, "correct the cell, or date_format in the mapping", row[self.date]
            ) from None
        value = check_time_ms(self.date, row[self.date], time_ms) + self.shift_ms(row, context)
        context.clock_changes.add(time_ms, value, context.zone)
        if has_clock_change(day, context.zone):
            shown = to_local(time_ms, context.zone)
            if abs((shown.hour * 3600 + shown.minute * 60 + shown.second - seconds_of_day) % DAY_S) >= 1:
                context.clock_changes.has_skipped = True
        return value

    def _parse_day(self, row: RowCells) -> Date:
        text = required_cell(row, self.date)
        try:
            is_iso = isinstance(text, DateCell) and is_iso_time(text)
            return parse_date(text[:10], "%Y-%m-%d") if is_iso else parse_date(text, self.date_format)
        except (ValueError, re.error):
            remedy = "correct the cell, or date_format in the mapping"
            raise CellError(self.date, f"is no date like {self.date_format}", remedy, text) from None


ExpressionType = (
    type[ConstExpression | ColumnExpression | DateTimeExpression]
    | type[ChoiceExpression | FlagsExpression | ServiceExpression | TicketIdExpression]
)
EXPRESSION_TYPES: dict[str, ExpressionType] = {
    "const": ConstExpression, "column": ColumnExpression, "date": DateTimeExpression, "map": ChoiceExpression,
    "flags": FlagsExpression, "service": ServiceExpression, "ticket": TicketIdExpression,
}  # fmt: skip


def parse_expression(spec: object) -> Expression:
    """Return the expression of a TOML table."""
    keys = [key for key in EXPRESSION_TYPES if isinstance(spec, dict) and key in spec]
    if len(keys) != 1:
        remedy = f"write a table with exactly one of the keys {', '.join(EXPRESSION_TYPES)}"
        raise ExpressionError("is no expression", remedy)
    try:
        expression = msgspec.convert(spec, EXPRESSION_TYPES[keys[0]])
    except msgspec.ValidationError as error:
        remedy = f"see `{keys[0]}` in docs/reference/replay-mapping.md"
        if str(error).endswith("unit`"):
            remedy = f"use one of {', '.join(get_args(DurationUnit))}"
        raise ExpressionError(str(error), remedy) from None
    unshared = ConstExpression | ChoiceExpression | FlagsExpression  # the constants true and 1 are equal
    return expression if isinstance(expression, unshared) else _share_expression(expression)


@lru_cache(maxsize=1024)
def _share_expression(expression: Expression) -> Expression:
    """Return the first of equal expressions, so that its value is read once for all events of a row."""
    return expression
