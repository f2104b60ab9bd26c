"""Follows a growing file of JSON lines, through rotation and truncation; it must not log what a line says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Log
from edge_agent.sources.parsing import BadEvent, event_of, parsed
from edge_agent.sources.tail import Tail

if TYPE_CHECKING:
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import Event

_log = Log(__name__)


@dataclass(slots=True)
class FileSource:
    """Appends the file's events; lines that are none are counted in `bad` and skipped."""

    path: Path
    state: DeviceState
    name: str = "file"
    wait_s: float = 0.5
    bad: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Follow the file until stopped, from where the last commit ended."""
        tail = Tail(self.path, outbox.cursor(self.name))
        try:
            while not stop.is_set():
                if not self.once(tail, outbox):
                    stop.wait(self.wait_s)
        finally:
            tail.close()

    def once(self, tail: Tail, outbox: Sink) -> bool:
        """Commit the next lines with the cursor behind them; tells whether there were any."""
        lines = tail.lines()
        if not lines:
            return False
        events = self._events(lines)
        outbox.append(events, source=self.name, cursor=tail.cursor)
        for event in events:
            self.state.follow(event)
        return True

    def _events(self, lines: list[bytes]) -> list[Event]:
        events, bad = [], 0
        for line in lines:
            try:
                if line.strip():
                    events.append(event_of(parsed(line)))
            except BadEvent:
                bad += 1
        self.bad += bad
        if bad:
            _log.warning("bad_lines_skipped", source=self.name, lines=bad, since_start=self.bad)
        return events
