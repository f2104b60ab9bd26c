"""Appends the events of a file of JSON lines, objects or lists; it must not log a line's content."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from edge_agent.sources import ignore_alarm
from edge_agent.sources.damaged_line import find_events
from edge_agent.sources.parsing import BadEvent, parse_event, parse_json, refuse_impossible_times
from edge_agent.sources.skipped_events import SkippedEvents, current_time_ms
from edge_agent.sources.tail import FileTail

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import AlarmCode, Event

_log = Logger(__name__)


@dataclass(slots=True)
class FileSource:
    """Appends the file's events; invalid lines are skipped and counted in `skipped_lines`. `clock` returns Unix ms."""

    path: Path
    state: DeviceState
    name: str = "file"
    poll_s: float = 0.5
    skipped_lines: int = 0
    clock: Callable[[], int] = current_time_ms
    raise_alarm: Callable[[AlarmCode, str], None] = ignore_alarm

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
        lost, rewritten = tail.counters.lost, tail.counters.rewritten
        lines = tail.next_lines()
        if tail.counters.lost > lost:
            self.raise_alarm("input_lost", self.name)
        if tail.counters.rewritten > rewritten:
            self.raise_alarm("input_rewritten", self.name)
        if not lines:
            return False
        events = self._parse_lines(lines)
        outbox.append(events, source=self.name, cursor=tail.cursor)
        for event in events:
            self.state.update(event)
        return True

    def _parse_lines(self, lines: list[bytes]) -> list[Event]:
        events: list[Event] = []
        skipped, now = SkippedEvents(), self.clock()
        for line in lines:
            try:
                value = parse_json(line)
            except BadEvent:
                damaged = find_events(line)
                events += damaged.events
                skipped.count += damaged.damaged_parts
                continue
            for element in value if isinstance(value, list) and value else [value]:
                try:
                    event = parse_event(element)
                    refuse_impossible_times(event, now)
                    events.append(event)
                except BadEvent as error:
                    skipped.add(error)
        self.skipped_lines += skipped.count
        if skipped.count:
            skipped.log_units(_log, self.name)
            _log.warning("bad_lines_skipped", source=self.name, lines=skipped.count, since_start=self.skipped_lines)
            self.raise_alarm("events_skipped", self.name)
        return events
