"""Appends the events of a file of JSON lines, objects or lists; it must not log a line's content.

That content was lost or changed is reported in the commit of the cursor that leaves it behind: a process that ends at
any point reports it once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.alarm_repeats import AlarmRepeats
from edge_agent.log import Logger
from edge_agent.sources import ignore_alarm
from edge_agent.sources.damaged_line import find_events
from edge_agent.sources.parsing import BadEvent, parse_event, parse_json, refuse_impossible_times
from edge_agent.sources.skipped_events import SkippedEvents, current_time_ms
from edge_agent.sources.supervisor import event_subject
from edge_agent.sources.tail import FileTail
from telemetry.core.protocol.events import AgentAlarm

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
    _repeats: AlarmRepeats = field(default_factory=AlarmRepeats)

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
        """Append the next lines' events with the cursor after them; returns whether anything was committed."""
        lost, rewritten = tail.counters.lost, tail.counters.rewritten
        lines = tail.next_lines()
        faults: list[AlarmCode] = ["input_lost"] * (tail.counters.lost > lost)
        faults += ["input_rewritten"] * (tail.counters.rewritten > rewritten)
        if not lines and not faults:
            return False
        now, events = self.clock(), self._parse_lines(lines)
        alarms = [alarm for fault in faults if (alarm := self._alarm_due(fault, now))]
        outbox.append([*events, *alarms], source=self.name, cursor=tail.cursor)
        for fault in faults:
            self._repeats.record(fault, self.name, now)
        for alarm in alarms:
            _log.warning("alarm", alarm=alarm.alarm, subject=alarm.subject, count=alarm.count)
        for event in events:
            self.state.update(event)
        return True

    def _alarm_due(self, fault: AlarmCode, now: int) -> AgentAlarm | None:
        count = self._repeats.count_due(fault, self.name, now)
        return AgentAlarm(n=1, t=now, alarm=fault, subject=event_subject(self.name), count=count) if count else None

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
