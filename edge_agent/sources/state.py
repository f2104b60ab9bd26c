"""The device's latest state, repeated in full by heartbeats; safe to share between sources; it does no IO."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import get_args

from telemetry.core.protocol import events as ev

_SERVICES_BY_SEVERITY: tuple[ev.ServiceState, ...] = get_args(ev.ServiceState)
"""From best to worst, in the order of the event type."""


def worst_service(*services: ev.ServiceState) -> ev.ServiceState:
    """Return the worst of these; in_service for none."""
    return max(services, key=_SERVICES_BY_SEVERITY.index, default="in_service")


@dataclass(slots=True)
class DeviceState:
    """The latest state of printer, display, counters and mode from the device's own events.

    A source that monitors one part passes its name: the device is as good as its worst part, and the printer's state
    comes from the source that monitors it.
    """

    printer: ev.PrinterState | None = None
    paper_pct: float | None = None
    display: ev.ScreenState | None = None
    mode: ev.CentreMode | None = None
    counters: dict[str, ev.CounterNow] = field(default_factory=dict)
    _services: dict[str, ev.ServiceState] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def service(self) -> ev.ServiceState:
        """Return the state of the device as a whole."""
        with self._lock:
            return worst_service(*self._services.values())

    def update(self, event: ev.Event, part: str = "") -> None:
        """Apply a state event, of the whole device or of the part that a source monitors."""
        with self._lock:
            match event:
                case ev.KioskState():
                    if part or not any(self._services):
                        self.printer, self.paper_pct = event.printer, event.paper_pct
                    self._services[part] = event.state
                case ev.DisplayState():
                    self.display = event.state
                case ev.CentreModeSet():
                    self.mode = event.mode
                case ev.CounterState():
                    now = ev.CounterNow(counter=event.counter, state=event.state, queues=event.queues)
                    self.counters[event.counter] = now

    def counter_states(self) -> tuple[ev.CounterNow, ...]:
        """Return the state of every known counter."""
        with self._lock:
            return tuple(self.counters[name] for name in sorted(self.counters))
