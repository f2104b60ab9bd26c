"""Tells systemd how the agent fares, and only while it gets on; it must not restart anything itself."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Log

if TYPE_CHECKING:
    from edge_agent.agent import Agent

_log = Log(__name__)
TICK_LATE_MS = 30_000
RECEIPTS_LATE_MS = 1_200_000
"""Twice what the agent itself waits before it connects afresh."""
PROBE_EVERY_MS = 15_000


@dataclass(frozen=True, slots=True)
class Notifier:
    """`sd_notify` to the socket systemd names; an empty address tells nobody."""

    address: str

    def tell(self, state: str) -> None:
        """Send `READY=1`, `WATCHDOG=1` or `STOPPING=1`; a service manager that does not listen is no fault of ours."""
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
            line.setblocking(False)  # noqa: FBT003
            line.connect(name)
            line.send(state.encode())


@dataclass(slots=True)
class Progress:
    """Whether an agent gets on: its loop ticks, its outbox takes writes, and receipts come while the link stands.

    Without a link nothing can come and that is no fault; nor is a full disk, which a restart would not empty.
    """

    agent: Agent
    _probe_at: int = 0
    _highest: int = -1
    _writable: bool = True
    _said: str = ""

    def fault(self, now: int) -> str:
        """Return what stands still, empty when nothing does; `now` is monotonic ms."""
        self._look_at_outbox(now)
        found = ""
        if now - self.agent.ticked_at > TICK_LATE_MS:
            found = "loop"
        elif not self._writable:
            found = "outbox"
        elif self.agent.unanswered_ms() > RECEIPTS_LATE_MS:
            found = "receipts"
        if found and found != self._said:
            _log.error("standing_still", what=found)
        self._said = found
        return found

    def _look_at_outbox(self, now: int) -> None:
        """Write a little, but only where no source has written since the last look."""
        if now < self._probe_at:
            return
        self._probe_at = now + PROBE_EVERY_MS
        outbox = self.agent.outbox
        try:
            if outbox.highest == self._highest or not self._writable:
                outbox.probe()
            self._highest, self._writable = outbox.highest, True
        except sqlite3.Error:
            self._writable = outbox.file.full
