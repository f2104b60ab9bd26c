"""The declarative expressions of a replay mapping; they must not run code, read files or depend on event types.

Each kind of expression is a strict struct whose field names are the keys of the TOML file;
`docs/reference/replay-mapping.md` explains them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast

import msgspec
from msgspec import Struct

from edge_agent.mapping.cell_parsing import (
    DAY_S,
    FORMAT_READERS,
    CellError,
    CellValue,
    RowCells,
    as_tuple,
    base32_digest,
    local_time_ms,
    parse_date,
    parse_number,
    parse_pattern_ms,
    parse_time_of_day,
    quote_excerpt,
    required_cell,
    sum_columns_ms,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date as Date  # noqa: N812
    from zoneinfo import ZoneInfo

UNIT_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}


class ExpressionError(Exception):
    """An invalid expression, with the remedy."""

    def __init__(self, problem: str, remedy: str) -> None:
        self.problem, self.remedy = problem, remedy
        super().__init__(f"{problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class ReplayContext:
    """What all rows of one replay share: time zone, services by raw value, outbox id."""

    zone: ZoneInfo
    service_by_value: Mapping[str, str]
    outbox_id: str


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
            raise CellError(self.map, f"{quote_excerpt(text)} is not among the values", "add it, or give a default")
        return value


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
        service_id = context.service_by_value.get(text)
        if service_id is None:
            known = ", ".join(sorted(context.service_by_value))
            remedy = f"add it to the values of a service, or skip such rows; known: {known}"
            raise CellError(self.service, f"{quote_excerpt(text)} is no known service", remedy)
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
        return base32_digest("\x1f".join([context.outbox_id, *cells]))


class ColumnExpression(_MappingStruct, frozen=True, kw_only=True):
    """A cell read as text, id, number, duration (`unit`) or time (iso, unix_s, unix_ms, or a % pattern)."""

    column: str
    format: str = "text"
    unit: Literal["ms", "s", "min", "h"] | None = None
    plus_s: str | tuple[str, ...] = ()
    optional: bool = False

    def __post_init__(self) -> None:
        """Refuse unknown formats and additions to a value that is no time."""
        if not (self.format in FORMAT_READERS or "%" in self.format):
            raise ValueError(f"format must be one of {', '.join(FORMAT_READERS)} or a pattern such as %d/%m/%Y %H:%M")
        if self.plus_s and not self.is_time:
            raise ValueError("plus_s needs a format that is a time")
        if self.unit and self.format != "text":
            raise ValueError("unit makes a duration; it takes no format")

    @property
    def is_time(self) -> bool:
        """Return whether the format is a time."""
        return self.format in {"iso", "unix_s", "unix_ms"} or "%" in self.format

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the column and those added."""
        return (self.column, *as_tuple(self.plus_s))

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return the cell's value in ms, or as text or number."""
        if self.optional and not row[self.column]:
            return None
        text = required_cell(row, self.column)
        if self.unit:
            return round(parse_number(row, self.column) * UNIT_MS[self.unit])
        value = self._parse(text, context.zone)
        return value if not self.plus_s else cast("int", value) + sum_columns_ms(row, self.plus_s)

    def _parse(self, text: str, zone: ZoneInfo) -> CellValue:
        try:
            read = FORMAT_READERS.get(self.format)
            return read(text, zone) if read else parse_pattern_ms(text, self.format, zone)
        except (ValueError, OverflowError):
            remedy = "correct the cell, or the format in the mapping"
            raise CellError(self.column, f"{quote_excerpt(text)} cannot be read as {self.format}", remedy) from None


class DateTimeExpression(_MappingStruct, frozen=True, kw_only=True):
    """A date and a time-of-day column; `near` chooses the day so that the time is closest to another of the row."""

    date: str
    time: str
    date_format: str = "%Y-%m-%d"
    near: str | None = None
    plus_s: str | tuple[str, ...] = ()
    optional: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """Return all columns it reads."""
        return (self.date, self.time, *as_tuple(self.near or ()), *as_tuple(self.plus_s))

    def read_value(self, row: RowCells, context: ReplayContext) -> CellValue:
        """Return the time, Unix ms."""
        if self.optional and not (row[self.date] and row[self.time]):
            return None
        seconds_of_day = parse_time_of_day(row, self.time)
        if self.near is not None:
            near_seconds = parse_time_of_day(row, self.near)
            seconds_of_day = near_seconds + (seconds_of_day - near_seconds + DAY_S / 2) % DAY_S - DAY_S / 2
        return local_time_ms(self._parse_day(row), seconds_of_day, context.zone) + sum_columns_ms(row, self.plus_s)

    def _parse_day(self, row: RowCells) -> Date:
        text = required_cell(row, self.date)
        try:
            return parse_date(text, self.date_format)
        except ValueError:
            remedy = "correct the cell, or date_format in the mapping"
            raise CellError(self.date, f"{quote_excerpt(text)} is no date like {self.date_format}", remedy) from None


class Condition(_MappingStruct, frozen=True, kw_only=True):
    """One test of one cell: `equals`, `in` or `not_empty` (false: must be empty)."""

    column: str
    equals: str | None = None
    any_of: tuple[str, ...] | None = msgspec.field(default=None, name="in")
    not_empty: bool | None = None

    def __post_init__(self) -> None:
        """Refuse none or several tests."""
        if sum(test is not None for test in (self.equals, self.any_of, self.not_empty)) != 1:
            raise ValueError("give exactly one of equals, in, not_empty")

    def matches(self, row: RowCells) -> bool:
        """Return whether the row passes."""
        text = row[self.column]
        if self.not_empty is not None:
            return bool(text) == self.not_empty
        return text == self.equals if self.any_of is None else text in self.any_of


ExpressionType = (
    type[ConstExpression | ColumnExpression | DateTimeExpression]
    | type[ChoiceExpression | ServiceExpression | TicketIdExpression]
)
EXPRESSION_TYPES: dict[str, ExpressionType] = {
    "const": ConstExpression, "column": ColumnExpression, "date": DateTimeExpression, "map": ChoiceExpression,
    "service": ServiceExpression, "ticket": TicketIdExpression,
}  # fmt: skip


def parse_expression(spec: object) -> Expression:
    """Return the expression of a TOML table."""
    keys = [key for key in EXPRESSION_TYPES if isinstance(spec, dict) and key in spec]
    if len(keys) != 1:
        remedy = f"write a table with exactly one of the keys {', '.join(EXPRESSION_TYPES)}"
        raise ExpressionError("is no expression", remedy)
    try:
        return msgspec.convert(spec, EXPRESSION_TYPES[keys[0]])
    except msgspec.ValidationError as error:
        raise ExpressionError(str(error), f"see the key {keys[0]} in docs/reference/replay-mapping.md") from None


def parse_conditions(spec: object) -> tuple[Condition, ...]:
    """Return the tests of a `when`: one table, or a list of tables that must all hold."""
    try:
        return msgspec.convert(spec if isinstance(spec, list) else [spec], tuple[Condition, ...])
    except msgspec.ValidationError as error:
        raise ExpressionError(str(error), 'write for example { column = "outcome", equals = "AGENT" }') from None
