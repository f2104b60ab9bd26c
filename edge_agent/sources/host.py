"""Heartbeats with this host's metrics (psutil) and the device's full state; it must not block on anything else."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from edge_agent.sources.state import DeviceState
from telemetry import __version__
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop


@dataclass(slots=True)
class HostSource:
    """One heartbeat every `every_ms`; `clock` returns Unix ms."""

    clock: Callable[[], int]
    every_ms: int = 60_000
    state: DeviceState = field(default_factory=DeviceState)
    name: str = "host"

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Append heartbeats until stopped, the first at once."""
        psutil.cpu_percent()
        while True:
            outbox.append([self.build_heartbeat(outbox)])
            if stop.wait(self.every_ms / 1000):
                return

    def build_heartbeat(self, outbox: Sink) -> ev.DeviceHeartbeat:
        """Return a heartbeat with the current values."""
        now = self.clock()
        return ev.DeviceHeartbeat(
            n=1,
            t=now,
            every_ms=self.every_ms,
            state=self.state.service,
            uptime_s=max(0, int(time.time() - psutil.boot_time())),
            fw=__version__,
            cpu_pct=psutil.cpu_percent(),
            mem_pct=psutil.virtual_memory().percent,
            disk_pct=psutil.disk_usage("/").percent,
            temp_c=_max_temperature(),
            outbox_rows=outbox.pending_count(),
            dropped=outbox.dropped_count,
            printer=self.state.printer,
            paper_pct=self.state.paper_pct,
            display=self.state.display,
            mode=self.state.mode,
            counters=self.state.counter_states(),
        )


def _max_temperature() -> float | None:
    """Return the highest sensor temperature, °C, None without sensors."""
    read = getattr(psutil, "sensors_temperatures", None)
    readings = [entry.current for entries in (read() if read else {}).values() for entry in entries]
    return max(readings, default=None)
