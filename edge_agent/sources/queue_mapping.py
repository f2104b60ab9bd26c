"""Converts a queue system's objects to events by a replay mapping; it must not request or store anything.

A column is the path of a field: `ticket.no` within an object, `periods.0.start` or `periods.-1.start` within a list.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import msgspec

from edge_agent.mapping.cell_parsing import CellError
from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.expressions import ReplayContext
from edge_agent.sources.parsing import BadEvent, refuse_personal_data

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.mapping.cell_parsing import RowCells
    from edge_agent.mapping.document import ReplayMapping
    from telemetry.core.protocol.events import Event

MAX_WHOLE_FLOAT: Final = 1 << 53
_INDEX = re.compile(r"-?(?:0|[1-9]\d{0,8})")


@dataclass(frozen=True, slots=True)
class RowMapper:
    """Converts rows to events by a mapping; `ids_from` is what ticket and dossier ids are derived from."""

    mapping: ReplayMapping
    ids_from: str

    def map_cells(self, cells: RowCells) -> list[Event]:
        """Return the row's events, none when a skip matches or no rule applies. Raises BadEvent."""
        mapping = self.mapping
        if any(all(test.matches(cells) for test in skip.when) for skip in mapping.skips):
            return []
        context = ReplayContext(mapping.zone, mapping.service_by_value, self.ids_from, mapping.decimal)
        try:
            events = [rule.build_event(1, cells, context, "") for rule in mapping.rules if rule.applies(cells)]
        except CellError as error:
            raise BadEvent(error.column, error.problem, error.remedy) from None
        for event in events:
            refuse_personal_data(event)
        return events


def build_row_mapper(name_or_path: str) -> Callable[[dict[str, Any]], list[Event]]:
    """Return a function from objects, whose fields are the columns of a replay mapping, to events.

    It returns no event when a skip matches or no rule applies, and raises BadEvent.  Ticket ids are derived from the
    mapping's name, so that correcting its rules does not change them.  Raises MappingError with all its faults.
    """
    mapping = load_mapping(name_or_path)
    mapper = RowMapper(mapping, f"queue:{mapping.name}")
    return lambda value: mapper.map_cells(ObjectRow(value))


class ObjectRow(dict[str, str]):
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
        kind, remedy = ("a list", f"write {column}.0, or {column}.-1 for the last")
        if isinstance(part, dict):
            kind, remedy = "an object", f"write {column}.FIELD"
        raise BadEvent(column, f"is {kind}, no text", f"{remedy}, in the mapping")
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
