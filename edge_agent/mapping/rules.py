"""One `[[event]]` of a replay mapping: from its TOML table to an event per row; it must not read files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec.structs import FieldInfo, fields

from edge_agent.mapping.cell_parsing import CellError, Cells
from edge_agent.mapping.expressions import (
    Choice,
    Condition,
    Const,
    Expression,
    Key,
    Scope,
    SpecError,
    conditions,
    parse,
)
from telemetry.core.protocol import text_validation
from telemetry.core.protocol.events import AGENT_EVENTS, Event

TYPES = {str(k.__struct_config__.tag): k for k in AGENT_EVENTS if not k.__name__.startswith("Outbox")}
"""What a mapping may make: all an agent may send but the outbox's own reports."""
Report = Callable[[str, str, str], None]
"""Called with key, problem and remedy of each fault."""
_QUEUES = ("queue", "to_queue")
_SECRET = ("ticket", "dossier")
_GIVEN = {"n", "queue"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One event made from each row that passes `when`."""

    kind: type[Event]
    when: tuple[Condition, ...]
    fields: tuple[tuple[str, Expression], ...]
    queued: bool

    def applies(self, row: Cells) -> bool:
        """Tell whether this row makes the event."""
        return all(test.holds(row) for test in self.when)

    def event(self, n: int, row: Cells, scope: Scope, queue_prefix: str) -> Event:
        """Return the row's event; raises CellError."""
        read = ((name, expression.read(row, scope)) for name, expression in self.fields)
        values: dict[str, object] = {"n": n} | {name: value for name, value in read if value is not None}
        if self.queued:
            values.setdefault("queue", values.get("service"))
            values |= {key: f"{queue_prefix}{values[key]}" for key in _QUEUES if key in values}
        try:
            made: Event = text_validation.convert(values, self.kind)
            return made
        except msgspec.ValidationError as error:
            raise self._cell_error(str(error)) from None

    def _cell_error(self, message: str) -> CellError:
        found = re.search(r"`\$\.(\w+)", message)
        name = found[1] if found else ""
        columns = dict(self.fields).get(name, Const(const="")).columns
        problem = f"makes no valid {name or 'event'} of {self.kind.__struct_config__.tag} ({message})"
        return CellError(" + ".join(columns) or name, problem, "correct the cell, or the field in the mapping")


def rule_of(common: Mapping[str, Any], entry: Mapping[str, Any], report: Report) -> Rule | None:
    """Return the rule of one table, or None when its type is unknown; every fault is reported."""
    kind = TYPES.get(str(entry.get("type")))
    if kind is None:
        report("type", f"{entry.get('type')!r} is no event type", f"use {', '.join(TYPES)}")
        return None
    infos = {info.encode_name: info for info in fields(kind)}
    own = {key: value for key, value in entry.items() if key not in {"type", "when"}}
    specs = {key: value for key, value in common.items() if key in infos} | own
    made = [(key, _field(key, spec, infos, report)) for key, spec in specs.items()]
    for key, info in infos.items():
        if info.required and key not in specs.keys() | _GIVEN:
            report(key, "is missing", f"{entry['type']} needs it: give it here or in [common]")
    return Rule(kind, when_of(entry, report), tuple((k, e) for k, e in made if e is not None), "queue" in infos)


def when_of(entry: Mapping[str, Any], report: Report) -> tuple[Condition, ...]:
    """Return the tests of a table's `when`; none when it is absent."""
    try:
        return conditions(entry["when"]) if "when" in entry else ()
    except SpecError as error:
        report("when", error.problem, error.remedy)
        return ()


def _field(key: str, spec: object, infos: Mapping[str, FieldInfo], report: Report) -> Expression | None:
    if key not in infos or key == "n":
        report(key, "is no field of this event", f"use {', '.join(name for name in infos if name != 'n')}")
        return None
    try:
        expression = parse(spec)
    except SpecError as error:
        report(key, error.problem, error.remedy)
        return None
    if (key in _SECRET) != isinstance(expression, Key):
        report(key, "must hide the original id" if key in _SECRET else "is no place for a ticket id",
               "write { ticket = [columns] } for ticket and dossier, and only there")  # fmt: skip
    _check_literals(key, expression, infos[key], report)
    return expression


def _check_literals(key: str, expression: Expression, info: FieldInfo, report: Report) -> None:
    literals: list[object] = []
    if isinstance(expression, Const):
        literals = [expression.const]
    elif isinstance(expression, Choice):
        literals = [*expression.values.values(), *([] if expression.default is None else [expression.default])]
    for literal in literals:
        try:
            msgspec.convert(literal, info.type)
            text_validation.check_literal(literal, info.type)
        except msgspec.ValidationError as error:
            report(key, f"{literal!r} cannot be its value", str(error))
