"""One `[[event]]` of a replay mapping: from its TOML table to an event per row; it must not read files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from edge_agent.mapping.cell_parsing import CellError, ClockChanges, RowCells
from edge_agent.mapping.conditions import Condition, parse_conditions
from edge_agent.mapping.expressions import (
    ChoiceExpression,
    ConstExpression,
    Expression,
    ExpressionError,
    FlagsExpression,
    ReplayContext,
    TicketIdExpression,
    parse_expression,
)
from edge_agent.mapping.personal_columns import is_personal_column
from telemetry.core.protocol import text_validation
from telemetry.core.protocol.events import AGENT_EVENTS, Event

MAPPABLE_EVENT_TYPES = {str(k.__struct_config__.tag): k for k in AGENT_EVENTS if not k.__name__.startswith("Outbox")}
"""The event types of a mapping: all that an agent may send except the outbox's own reports."""
FaultReporter = Callable[[str, str, str], None]
"""Called with key, problem and remedy of each fault."""
_QUEUE_FIELDS = ("queue", "to_queue")
_HASHED_ID_FIELDS = ("ticket", "dossier")
_TIMES_IN_ORDER = ("received", "entered", "called", "started", "t")
_AUTOMATIC_FIELDS = {"n", "queue"}


@dataclass(frozen=True, slots=True)
class MappingRule:
    """One event made from each row that passes `when`."""

    event_type: type[Event]
    when: tuple[Condition, ...]
    fields: tuple[tuple[str, Expression], ...]
    has_queue: bool

    def applies(self, row: RowCells) -> bool:
        """Return whether the rule makes an event of this row."""
        return all(test.matches(row) for test in self.when)

    def build_event(self, n: int, row: RowCells, context: ReplayContext, queue_prefix: str) -> Event:
        """Return the row's event; raises CellError."""
        values: dict[str, object] = {"n": n}
        known = context.row_values
        for name, expression in self.fields:
            key = id(expression)
            if key not in known:
                known[key] = expression.read_value(row, context)
            if (value := known[key]) is not None:
                values[name] = value
        _order_repeated_times(values, context.clock_changes)
        if self.has_queue:
            values.setdefault("queue", values.get("service"))
            values |= {key: f"{queue_prefix}{values[key]}" for key in _QUEUE_FIELDS if key in values}
        try:
            event: Event = text_validation.convert_event(values, self.event_type)
            return event
        except msgspec.ValidationError as error:
            raise self._to_cell_error(str(error)) from None

    def _to_cell_error(self, message: str) -> CellError:
        match = re.search(r"`\$\.(\w+)", message)
        name = match[1] if match else ""
        columns = dict(self.fields).get(name, ConstExpression(const="")).columns
        problem = f"makes no valid {name or 'event'} of {self.event_type.__struct_config__.tag} ({message})"
        return CellError(" + ".join(columns) or name, problem, "correct the cell, or the field in the mapping")


def _order_repeated_times(values: dict[str, object], changes: ClockChanges) -> None:
    """Read a time of the hour that clocks show twice as the second one where it would lie before what it follows."""
    if not changes.repeated:
        return
    previous = None
    for name in _TIMES_IN_ORDER:
        time_ms = values.get(name)
        if not isinstance(time_ms, int):
            continue
        later_ms = changes.repeated.get(time_ms, 0)
        if previous is not None and time_ms < previous <= time_ms + later_ms:
            values[name] = time_ms = time_ms + later_ms
        previous = time_ms


def parse_rule(common: Mapping[str, Any], entry: Mapping[str, Any], report: FaultReporter) -> MappingRule | None:
    """Return the rule of one table, or None when its type is unknown; every fault is reported."""
    event_type = MAPPABLE_EVENT_TYPES.get(str(entry.get("type")))
    if event_type is None:
        report("type", f"{entry.get('type')!r} is no event type", f"use {', '.join(MAPPABLE_EVENT_TYPES)}")
        return None
    infos = {info.encode_name: info for info in fields(event_type)}
    own_specs = {key: value for key, value in entry.items() if key not in {"type", "when"}}
    specs = {key: value for key, value in common.items() if key in infos} | own_specs
    expressions = [(key, _parse_field(key, spec, infos, report)) for key, spec in specs.items()]
    for key, info in infos.items():
        if info.required and key not in specs.keys() | _AUTOMATIC_FIELDS:
            report(key, "is missing", f"{entry['type']} needs it: give it here or in [common]")
    return MappingRule(
        event_type, parse_when(entry, report), tuple((k, e) for k, e in expressions if e is not None), "queue" in infos
    )


def parse_when(entry: Mapping[str, Any], report: FaultReporter) -> tuple[Condition, ...]:
    """Return the tests of a table's `when`; none when it is absent."""
    try:
        return parse_conditions(entry["when"]) if "when" in entry else ()
    except ExpressionError as error:
        report("when", error.problem, error.remedy)
        return ()


def _parse_field(key: str, spec: object, infos: Mapping[str, FieldInfo], report: FaultReporter) -> Expression | None:
    if key not in infos or key == "n":
        report(key, "is no field of this event", f"use {', '.join(name for name in infos if name != 'n')}")
        return None
    try:
        expression = parse_expression(spec)
    except ExpressionError as error:
        report(key, error.problem, error.remedy)
        return None
    if (key in _HASHED_ID_FIELDS) != isinstance(expression, TicketIdExpression):
        report(key, "must hide the original id" if key in _HASHED_ID_FIELDS else "is no place for a ticket id",
               "write { ticket = [columns] } for ticket and dossier, and only there")  # fmt: skip
    for column in filter(is_personal_column, expression.columns):
        remedy = "leave it out; identify a dossier or ticket by its own number, never by a person"
        report(key, f"reads the column {column!r}, which has data of persons", remedy)
    _check_literals(key, expression, infos[key], report)
    return expression


def _check_literals(key: str, expression: Expression, info: FieldInfo, report: FaultReporter) -> None:
    literals: list[object] = []
    if isinstance(expression, ConstExpression):
        literals = [expression.const]
    elif isinstance(expression, ChoiceExpression):
        literals = [*expression.values.values(), *([] if expression.default is None else [expression.default])]
    elif isinstance(expression, FlagsExpression):
        literals = [tuple(expression.flags.values())]
    for literal in literals:
        try:
            msgspec.convert(literal, info.type)
            text_validation.check_literal(literal, info.type)
        except msgspec.ValidationError as error:
            report(key, f"{literal!r} cannot be its value", str(error))
