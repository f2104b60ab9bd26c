"""Finds the whole events in a line that is no JSON: the rest of a torn line stands before them; it does no IO."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.sources.parsing import BadEvent, parse_event

if TYPE_CHECKING:
    from telemetry.core.protocol.events import Event

MAX_LOOKS = 64
"""Most places of a line at which an event is looked for."""


@dataclass(slots=True)
class DamagedLine:
    """The whole events of a line, and how many parts between them were none."""

    events: list[Event] = field(default_factory=list)
    damaged_parts: int = 0


def find_events(line: bytes) -> DamagedLine:
    """Return the events that stand in the line as a whole, and the number of damaged parts.

    A power cut or a killed program leaves the start of a line; the next line is appended to it.
    """
    text = line.decode("utf-8", "replace")
    line_parts, start, at = DamagedLine(), 0, text.find("{")
    for _ in range(MAX_LOOKS):
        if at < 0:
            break
        event, end = _event_at(text, at)
        if event is not None:
            line_parts.damaged_parts += bool(text[start:at].strip())
            line_parts.events.append(event)
            start = end
        at = text.find("{", max(end, at + 1))
    line_parts.damaged_parts += bool(text[start:].strip())
    return line_parts


def _event_at(text: str, at: int) -> tuple[Event | None, int]:
    """Return the event that begins here and where it ends."""
    try:
        value, end = json.JSONDecoder().raw_decode(text, at)
        return parse_event(value), end
    except (BadEvent, ValueError, RecursionError):
        return None, at
