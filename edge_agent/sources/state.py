"""The device's latest state, which heartbeats repeat in full; safe to share between sources. No IO."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from telemetry.core import events as ev


@dataclass(slots=True)
class DeviceState:
    """What the device's own events last said of printer, display, counters and mode."""

    service: ev.Service = "in_service"
    printer: ev.Printer | None = None
    paper_pct: float | None = None
    display: ev.Screen | None = None
    mode: ev.CentreMode | None = None
    counters: dict[str, ev.CounterNow] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def follow(self, event: ev.Event) -> None:
        """Take over what a state event says."""
        with self._lock:
            match event:
                case ev.KioskState():
                    self.service, self.printer, self.paper_pct = event.state, event.printer, event.paper_pct
                case ev.DisplayState():
                    self.display = event.state
                case ev.CentreModeSet():
                    self.mode = event.mode
                case ev.CounterState():
                    now = ev.CounterNow(counter=event.counter, state=event.state, queues=event.queues)
                    self.counters[event.counter] = now

    def counters_now(self) -> tuple[ev.CounterNow, ...]:
        """Return every counter heard of."""
        with self._lock:
            return tuple(self.counters[name] for name in sorted(self.counters))
