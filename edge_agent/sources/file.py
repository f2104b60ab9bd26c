"""Follows a growing file of JSON lines, through rotation and truncation; it must not log a line's content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from edge_agent.sources.parsing import BadEvent, parse_event, parse_json
from edge_agent.sources.tail import FileTail

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import Event

_log = Logger(__name__)


@dataclass(slots=True)
class FileSource:
    """Appends the file's events; invalid lines are skipped and counted in `skipped_lines`."""

    path: Path
    state: DeviceState
    name: str = "file"
    poll_s: float = 0.5
    skipped_lines: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Follow the file until stopped, from the position of the last commit."""
        tail = FileTail(self.path, outbox.cursor(self.name))
        try:
            while not stop.is_set():
                if not self.read_once(tail, outbox):
                    stop.wait(self.poll_s)
        finally:
            tail.close()

    def read_once(self, tail: FileTail, outbox: Sink) -> bool:
        """Append the next lines' events with the cursor after them; returns whether there were any lines."""
        lines = tail.next_lines()
        if not lines:
            return False
        events = self._parse_lines(lines)
        outbox.append(events, source=self.name, cursor=tail.cursor)
        for event in events:
            self.state.update(event)
        return True

    def _parse_lines(self, lines: list[bytes]) -> list[Event]:
        events, bad = [], 0
        for line in lines:
            try:
                if line.strip():
                    events.append(parse_event(parse_json(line)))
            except BadEvent:
                bad += 1
        self.skipped_lines += bad
        if bad:
            _log.warning("bad_lines_skipped", source=self.name, lines=bad, since_start=self.skipped_lines)
        return events
