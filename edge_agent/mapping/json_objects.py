"""Reads the objects of a JSON export: lines, a list, or a list within one object; it must not know what fields mean.

A number of thousands of digits, NaN and infinity are no strict JSON; they are texts here, so that a column that nobody
reads stops no import, and one that is read is refused with its text.
"""

from __future__ import annotations

import json
import re
from itertools import chain
from typing import TYPE_CHECKING, Any, Final

import msgspec

from telemetry.delimited_text import normalize_cell, normalize_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

MAX_INTEGER_DIGITS: Final = 4_300
"""The longest integer that Python reads from a text."""
_IGNORED = "\ufeff\0 \t\r\n"
_GAP = re.compile(r"[\s,\0\ufeff]*")


def read_json_lines(lines: Iterable[str], columns: Collection[str]) -> Iterator[tuple[int, object]]:
    """Yield the object of each line with the line's number; None for a line that is no JSON.

    A text whose first line is no whole object is one document: objects written over several lines.  Where a document is
    a single object without any of the `columns`, and one of its members is a list of objects, these are yielded.
    """
    source = ((line, text) for line, text in enumerate(lines, 1) if text.strip(_IGNORED))
    first, second = next(source, None), next(source, None)
    if first is None:
        return
    line, text = first
    value = _decode(text)
    others: Iterable[tuple[int, str]] = chain([second] if second else [], source)
    if value is None and _begins_document(text):
        others = list(others)
        objects = list(_read_objects(text + "".join(more for _, more in others), 0, line))
        if objects[0][1] is not None:
            yield from _members(objects, columns)
            return
    yield from _members([(line, value)], columns) if second is None else [(line, value)]
    for number, other in others:
        yield number, _decode(other)


def read_json_list(text: str) -> Iterator[tuple[int, object]]:
    """Yield each element of a JSON list with its line; the element that cannot be read is None, and the last."""
    yield from _read_objects(text, text.index("[") + 1, 1, closing="]")


def _begins_document(text: str) -> bool:
    """Return whether a line begins an object that others end: all its brackets but the last ones are open."""
    return text.count("{") + text.count("[") > text.count("}") + text.count("]")


def _members(objects: list[tuple[int, object]], columns: Collection[str]) -> Iterable[tuple[int, object]]:
    """Return the elements of the only list of objects within a single object that has no column itself."""
    (line, value), *others = objects or [(1, None)]
    if others or not isinstance(value, dict) or not flatten_object(value).keys().isdisjoint(columns):
        return objects
    lists = [part for part in value.values() if isinstance(part, list) and part and isinstance(part[0], dict)]
    return [(line, element) for element in lists[0]] if len(lists) == 1 else objects


def _decode(text: str) -> object:
    """Return the value of a line, None when it is no JSON."""
    plain = text.strip(_IGNORED)
    try:
        return msgspec.json.decode(plain)
    except (ValueError, RecursionError):
        try:
            return _DECODER.decode(plain)
        except (ValueError, RecursionError):
            return None


def _read_integer(digits: str) -> int | str:
    return digits if len(digits) > MAX_INTEGER_DIGITS else int(digits)


_DECODER = json.JSONDecoder(parse_int=_read_integer, parse_constant=str)


def _read_objects(text: str, place: int, line: int, closing: str = "") -> Iterator[tuple[int, object]]:
    """Yield the values that follow each other from `place`, each with its line; one that cannot be read ends them."""
    counted = place
    while True:
        place = _GAP.match(text, place).end()  # type: ignore[union-attr]
        line, counted = line + text.count("\n", counted, place), place
        if text.startswith(closing, place) and not text[place + len(closing) :].strip(_IGNORED):
            return
        try:
            value, place = _DECODER.raw_decode(text, place)
        except (ValueError, RecursionError):
            yield line, None
            return
        yield line, value


def flatten_object(
    value: dict[str, Any], decimal: str = ".", prefix: str = "", *, from_end: bool = False
) -> dict[str, str]:
    """Return a JSON object as cells: `{"ticket": {"no": 7}}` has the column `ticket.no`; null is an empty cell.

    An element of a list has its place in the name, from 0: `calls.0.desk`; with `from_end` also `calls.-1.desk`.
    """
    cells: dict[str, str] = {}
    for key, part in value.items():
        name = normalize_name(f"{prefix}{key}")
        if isinstance(part, list):
            places = range(-len(part) if from_end else 0, len(part))
            part = {str(place): part[place] for place in places}  # noqa: PLW2901
        if isinstance(part, dict):
            cells |= flatten_object(part, decimal, f"{name}.", from_end=from_end)
        elif isinstance(part, bool):
            cells[name] = str(part).lower()
        elif isinstance(part, float):
            cells[name] = str(part).replace(".", decimal)
        else:
            cells[name] = "" if part is None else normalize_cell(str(part))
    return cells
