"""Reads a queue system's answer into single elements; it must not decide which of them are events, nor log any.

One element that cannot be read (NaN, a number of 5,000 digits, nesting without end) does not spoil its neighbours: when
the answer as a whole is no strict JSON, its elements are cut out by their brackets and read one by one.  Where the list
ends must be certain: an answer that was cut off is refused as a whole.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from edge_agent.sources.content_coding import UnusableAnswer
from edge_agent.sources.damaged_list import ListCutter
from telemetry.core.protocol.json_bytes import to_plain_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_CURSOR_LENGTH = 4_096
"""Longest `next`; a longer one would not fit into a request's first line everywhere."""
SHAPE_REMEDY = 'make it answer {"events": [...], "next": ...}, or a list of events'
_OTHER_LISTS = ("data", "items", "results", "records", "rows", "value", "tickets", "content")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|[\[\]{},]', re.DOTALL)
_LIST_START = re.compile(rb"\s*+:\s*+\[")
_AFTER_LIST = re.compile(rb'\s*+(?:\}|,\s*+")')
_MEMBER = re.compile(rb'\s*+("(?:[^"\\]++|\\.)*+")\s*+:(.*)', re.DOTALL)


class QueueAnswer(msgspec.Struct, frozen=True):
    """The events' JSON, and the cursor of the next request; None when the answer gives none that can be used."""

    elements: list[bytes]
    next: str | None = None


class _Envelope(msgspec.Struct, frozen=True):
    events: list[msgspec.Raw]
    next: msgspec.Raw = msgspec.Raw(b"")


def parse_answer(body: bytes) -> QueueAnswer:
    """Return the answer's elements and cursor, whatever stands in single elements. Raises UnusableAnswer."""
    text = to_plain_utf8(body).strip()
    if text[:1] not in {b"[", b"{"}:
        raise UnusableAnswer(f"answered no JSON; {SHAPE_REMEDY}")
    try:
        if text[:1] == b"[":
            return QueueAnswer([bytes(element) for element in msgspec.json.decode(text, type=list[msgspec.Raw])])
        if text.count(b'"events"') == 1:
            envelope = msgspec.json.decode(text, type=_Envelope)
            return QueueAnswer([bytes(element) for element in envelope.events], _read_cursor(bytes(envelope.next)))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass
    return _cut_list(text) if text[:1] == b"[" else _cut_object(text)


def _cut_list(text: bytes) -> QueueAnswer:
    """Return the elements of a list that is no strict JSON."""
    cut = ListCutter(text, 0, lambda end: not text[end + 1 :].strip(b"]}, \t\r\n")).cut()
    if cut is None:
        list(_split_parts(text))  # names what is wrong
        raise UnusableAnswer(f"answered incomplete JSON; {SHAPE_REMEDY}")
    return QueueAnswer(cut.elements)


def _cut_object(text: bytes) -> QueueAnswer:
    """Return the answer of an object that is no strict JSON as a whole, or has another shape."""
    start = _find_events(text)
    if start is not None:
        cut = ListCutter(text, start, lambda end: _is_rest_whole(text, start, end)).cut()
        if cut is not None:
            members = _read_members(text[: start + 1] + text[cut.end :])
            return QueueAnswer(cut.elements, _read_cursor(members.get("next", b"")))
    members = _read_members(text)
    events = members.get("events")
    if events is None:
        other = next((f"; it has `{name}` instead" for name in _OTHER_LISTS if name in members), "")
        raise UnusableAnswer(f"answered an object without `events`{other}; {SHAPE_REMEDY}")
    if events == b"null":
        return QueueAnswer([], _read_cursor(members.get("next", b"")))
    problem = "incomplete JSON" if events[:1] == b"[" else "with `events` that is no list"
    raise UnusableAnswer(f"answered {problem}; {SHAPE_REMEDY}")


def _find_events(text: bytes) -> int | None:
    """Return where the list of the object's own member `events` begins."""
    depth = 0
    for token in _TOKEN.finditer(text):
        depth += (token[0] in b"[{") - (token[0] in b"]}")
        if depth == 1 and token[0] == b'"events"' and (match := _LIST_START.match(text, token.end())):
            return match.end() - 1
    return None


def _is_rest_whole(text: bytes, start: int, end: int) -> bool:
    """Return whether the object is whole when its events are the list from `start` to `end`."""
    if _AFTER_LIST.match(text, end + 1) is None:
        return False
    try:
        _read_members(text[: start + 1] + text[end:])
    except UnusableAnswer:
        return False
    return True


def _read_members(text: bytes) -> dict[str, bytes]:
    """Return an object's members as they stand. Raises UnusableAnswer."""
    members: dict[str, bytes] = {}
    for part in _split_parts(text):
        match = _MEMBER.fullmatch(part)
        if match is None:
            raise UnusableAnswer(f"answered no JSON; {SHAPE_REMEDY}")
        name = match[1][1:-1].decode("utf-8", "replace")
        if name in members and name in {"events", "next"}:
            raise UnusableAnswer(f"answered with `{name}` more than once; {SHAPE_REMEDY}")
        members[name] = match[2].strip()
    return members


def _split_parts(text: bytes) -> Iterator[bytes]:
    """Yield what stands between the commas of one list or object. Raises UnusableAnswer."""
    depth, start = 0, 1
    for token in _TOKEN.finditer(text):
        sign = token[0]
        if sign in b"[{":
            depth += 1
        elif sign in b"]}":
            depth -= 1
        if (sign == b"," and depth == 1) or depth == 0:
            part = text[start : token.start()]
            if part.strip() or depth:
                yield part
            start = token.end()
        if depth == 0:
            break
    if depth or text[start:].strip():
        what = "JSON lines" if not depth and text[start:].lstrip()[:1] in {b"{", b"["} else "incomplete JSON"
        raise UnusableAnswer(f"answered {what}; {SHAPE_REMEDY}")


def _read_cursor(raw: bytes) -> str | None:
    """Return `next` as the server wrote it; None for none, an empty one, and what is neither text nor number."""
    if raw[:1] == b'"':
        try:
            cursor = msgspec.json.decode(raw, type=str)
        except (msgspec.MsgspecError, ValueError):
            return None
    elif raw[:1].isdigit() or raw[:1] == b"-":
        cursor = raw.decode("ascii", "replace")
    else:
        return None
    return cursor if cursor.strip() and len(cursor) <= MAX_CURSOR_LENGTH else None
