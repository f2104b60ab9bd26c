"""Converts a queue system's objects to events by a replay mapping; it must not request or store anything.

A column is the path of a field: `ticket.no` within an object, `periods.0.start` or `periods.-1.start` within a list.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edge_agent.mapping.cell_parsing import CellError
from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.expressions import ReplayContext
from edge_agent.sources.parsing import BadEvent, refuse_personal_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from telemetry.core.protocol.events import Event

MAX_WHOLE_FLOAT: Final = 1 << 53
_INDEX = re.compile(r"-?(?:0|[1-9]\d{0,8})")


def build_row_mapper(name_or_path: str) -> Callable[[dict[str, Any]], list[Event]]:
    """Return a function from objects, whose fields are the columns of a replay mapping, to events.

    It returns no event when a skip matches or no rule applies, and raises BadEvent.  Ticket ids are derived from the
    mapping's name, so that correcting its rules does not change them.  Raises MappingError with all its faults.
    """
    mapping = load_mapping(name_or_path)
    context = ReplayContext(mapping.zone, mapping.service_by_value, f"queue:{mapping.name}")

    def map_object(value: dict[str, Any]) -> list[Event]:
        row = _ObjectRow(value)
        if any(all(test.matches(row) for test in skip.when) for skip in mapping.skips):
            return []
        context.begin_row()
        try:
            events = [rule.build_event(1, row, context, "") for rule in mapping.rules if rule.applies(row)]
        except CellError as error:
            raise BadEvent(error.column, error.problem, error.remedy) from None
        for event in events:
            refuse_personal_data(event)
        return events

    return map_object


class _ObjectRow(dict[str, str]):
    """The columns of an object that were looked up so far; a column that it does not have is empty."""

    def __init__(self, value: dict[str, Any]) -> None:
        super().__init__()
        self._value = normalize_texts(value)

    def __missing__(self, column: str) -> str:
        text = self[column] = read_column(self._value, column)
        return text


def read_column(value: object, column: str) -> str:
    """Return the text of the field at a path, empty without one; a key with dots goes before nested objects.

    Raises BadEvent when a list or an object is there: its text would mean nothing.
    """
    part = _find_field(value, column.split("."))
    if isinstance(part, list | dict):
        kind, remedy = ("list", f"write {column}.0, or {column}.-1 for the last")
        if isinstance(part, dict):
            kind, remedy = "object", f"write {column}.FIELD"
        raise BadEvent(column, f"is a {kind}, no text", f"{remedy}, in the mapping")
    return _scalar_text(part)


def _find_field(value: object, path: list[str]) -> object:
    """Return what is at the path, None when nothing is."""
    if not path:
        return value
    if isinstance(value, list):
        if not _INDEX.fullmatch(path[0]):
            remedy = "write the index before it, 0 or -1, in the mapping"
            raise BadEvent(".".join(path), "is looked for in a list", remedy)
        index = int(path[0])
        return _find_field(value[index], path[1:]) if -len(value) <= index < len(value) else None
    if isinstance(value, dict):
        for length in range(len(path), 0, -1):
            key = ".".join(path[:length])
            if key in value and (part := _find_field(value[key], path[length:])) is not None:
                return part
    return None


def _scalar_text(value: object) -> str:
    """Return a text, number or true/false as JSON writes it; 7.0 is the number 7."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < MAX_WHOLE_FLOAT:
        return str(int(value))
    return str(value).strip() if isinstance(value, str) else msgspec.json.encode(value).decode()


def normalize_texts(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    """Return the JSON value with all keys and texts in Unicode's composed form (NFC). Raises RecursionError."""
    if isinstance(value, str):
        return value if value.isascii() else unicodedata.normalize("NFC", value)
    if isinstance(value, list):
        return [normalize_texts(part) for part in value]
    if isinstance(value, dict):
        return {normalize_texts(key): normalize_texts(part) for key, part in value.items()}
    return value
