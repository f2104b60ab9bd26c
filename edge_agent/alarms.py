"""Alarm events, when they are news: one as a trouble begins, then one an hour with a count; no free text."""

from __future__ import annotations

import sqlite3
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge_agent.log import Log
from telemetry.core.protocol import events as ev
from telemetry.mqtt.link import NO_SUBSCRIBERS

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.outbox import Outbox
    from telemetry.core.protocol.agent_events import Alarm

_log = Log("edge_agent.alarms")
REPEAT_MS = 3_600_000
"""A trouble that lasts is told again after this long."""


@dataclass(slots=True)
class _Trouble:
    told_at: int
    count: int = 0


@dataclass(slots=True)
class Alarms:
    """Troubles at hand by (alarm, subject), told through the outbox; clocks give ms. Any thread may call."""

    outbox: Outbox
    wall: Callable[[], int]
    monotonic: Callable[[], int]
    enabled: bool = True
    _refusal: tuple[Alarm, str] | None = None
    _troubles: dict[tuple[Alarm, str], _Trouble] = field(default_factory=dict)
    _untold: list[ev.Event] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def raised(self, alarm: Alarm, subject: str = "") -> None:
        """Note the trouble once more, and tell of it when that is news."""
        if not self.enabled:
            return
        with self._lock:
            count = self._count(alarm, subject, self.monotonic())
            if count:
                said = ev.AgentAlarm(n=1, t=self.wall(), alarm=alarm, subject=subject or None, count=count)
                self._untold.append(said)
        if count:
            _log.warning("alarm", alarm=alarm, subject=subject, count=count)
            self.tell()

    def _count(self, alarm: Alarm, subject: str, now: int) -> int:
        """Return the count to tell now, 0 when it is no news."""
        trouble = self._troubles.get((alarm, subject))
        if trouble is None:
            self._troubles[alarm, subject] = _Trouble(now)
            return 1
        trouble.count += 1
        if now - trouble.told_at < REPEAT_MS:
            return 0
        count, trouble.count, trouble.told_at = trouble.count, 0, now
        return count

    def over(self, alarm: Alarm, subject: str = "") -> None:
        """Note that the trouble has ended: the next time is news again."""
        with self._lock:
            self._troubles.pop((alarm, subject), None)

    def answered(self, code: int, *, refused: bool) -> None:
        """Note the broker's answer to a frame: a refusal is a trouble until it takes one, or refuses otherwise."""
        trouble = _refusal(code) if refused else None
        if trouble is not None:
            self.raised(*trouble)
        if self._refusal is not None and self._refusal != trouble:
            self.over(*self._refusal)
        self._refusal = trouble

    def say(self, event: ev.Event) -> None:
        """Keep an event of the agent's own, now or as soon as the outbox takes it."""
        with self._lock:
            self._untold.append(event)
        self.tell()

    def tell(self) -> None:
        """Keep in the outbox what could not be kept so far."""
        with self._lock:
            if not self._untold:
                return
            try:
                self.outbox.append(self._untold)
            except sqlite3.Error as error:
                _log.warning("alarm_not_kept", error=str(error))
            else:
                self._untold = []


def _refusal(code: int) -> tuple[Alarm, str]:
    return ("no_subscribers", "") if code == NO_SUBSCRIBERS else ("publish_refused", f"0x{code:02x}")
