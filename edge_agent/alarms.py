"""Alarm events: one when a fault begins, then one an hour with a count while it lasts; no free text."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.alarm_repeats import AlarmRepeats
from edge_agent.log import Logger
from telemetry.core.protocol import events as ev
from telemetry.mqtt.link import NO_SUBSCRIBERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox
    from telemetry.core.protocol.events import AlarmCode

_log = Logger("edge_agent.alarms")


@dataclass(slots=True)
class AlarmReporter:
    """Reports active alarms, by (alarm, subject), through the outbox; clocks are in ms. Any thread may call."""

    outbox: Outbox
    wall: Callable[[], int]
    monotonic: Callable[[], int]
    enabled: bool = True
    _refusal_alarm: tuple[AlarmCode, str] | None = None
    _repeats: AlarmRepeats = field(default_factory=AlarmRepeats)
    _pending_events: list[ev.Event] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def raise_alarm(self, alarm: AlarmCode, subject: str = "") -> None:
        """Count one occurrence of a fault, and append an event when a report is due."""
        if not self.enabled:
            return
        with self._lock:
            count = self._repeats.record(alarm, subject, self.monotonic())
            if count:
                event = ev.AgentAlarm(n=1, t=self.wall(), alarm=alarm, subject=subject or None, count=count)
                self._pending_events.append(event)
        if count:
            _log.warning("alarm", alarm=alarm, subject=subject, count=count)
            self.flush()

    def clear(self, alarm: AlarmCode, subject: str = "") -> None:
        """End the alarm: the next occurrence is reported at once."""
        with self._lock:
            self._repeats.clear(alarm, subject)

    def on_puback(self, code: int, *, refused: bool) -> None:
        """Handle the broker's answer to a frame: a refusal is an alarm until another answer comes."""
        refusal = _refusal_alarm_of(code) if refused else None
        if refusal is not None:
            self.raise_alarm(*refusal)
        if self._refusal_alarm is not None and self._refusal_alarm != refusal:
            self.clear(*self._refusal_alarm)
        self._refusal_alarm = refusal

    def emit(self, event: ev.Event) -> None:
        """Append one of the agent's own events, now or as soon as the outbox can be written."""
        with self._lock:
            self._pending_events.append(event)
        self.flush()

    def flush(self) -> None:
        """Append the events that could not be appended so far."""
        with self._lock:
            if not self._pending_events:
                return
            try:
                self.outbox.append(self._pending_events)
            except sqlite3.Error as error:
                _log.warning("alarm_not_kept", error=str(error))
            else:
                self._pending_events = []


def _refusal_alarm_of(code: int) -> tuple[AlarmCode, str]:
    return ("no_subscribers", "") if code == NO_SUBSCRIBERS else ("publish_refused", f"0x{code:02x}")
