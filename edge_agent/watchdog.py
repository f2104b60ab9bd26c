"""Notifies systemd while the agent makes progress; it must not restart anything itself."""

from __future__ import annotations

import contextlib
import socket
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Logger

if TYPE_CHECKING:
    from edge_agent.agent import Agent

_log = Logger(__name__)
TICK_STALL_MS = 30_000
RECEIPT_STALL_MS = 1_200_000
"""Twice the time after which the agent itself reconnects."""
OUTBOX_CHECK_EVERY_MS = 15_000


@dataclass(frozen=True, slots=True)
class SystemdNotifier:
    """`sd_notify` to the socket named by systemd; with an empty address nothing is sent."""

    address: str

    def notify(self, state: str) -> None:
        """Send `READY=1`, `WATCHDOG=1` or `STOPPING=1`; a service manager that does not listen is no fault."""
        if not self.address:
            return
        name = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            connection.setblocking(False)  # noqa: FBT003
            connection.connect(name)
            connection.send(state.encode())


@dataclass(slots=True)
class ProgressMonitor:
    """Whether an agent makes progress: its loop ticks, its outbox is writable, and receipts arrive while connected.

    Without a link no receipt can arrive, and that is no fault; nor is a full disk, which a restart would not empty.
    """

    agent: Agent
    _check_outbox_at: int = 0
    _highest_n: int = -1
    _writable: bool = True
    _last_reason: str = ""

    def stall_reason(self, now: int) -> str:
        """Return what is stalled (loop, outbox, receipts), empty when nothing is; `now` is monotonic ms."""
        self._check_outbox(now)
        reason = ""
        if now - self.agent.last_tick_at > TICK_STALL_MS:
            reason = "loop"
        elif not self._writable:
            reason = "outbox"
        elif self.agent.receipt_wait_ms() > RECEIPT_STALL_MS:
            reason = "receipts"
        if reason and reason != self._last_reason:
            _log.error("standing_still", what=reason)
        self._last_reason = reason
        return reason

    def _check_outbox(self, now: int) -> None:
        """Test whether the outbox is writable, unless a source has appended since the last check."""
        if now < self._check_outbox_at:
            return
        self._check_outbox_at = now + OUTBOX_CHECK_EVERY_MS
        outbox = self.agent.outbox
        try:
            if outbox.highest_n == self._highest_n or not self._writable:
                outbox.check_writable()
            self._highest_n, self._writable = outbox.highest_n, True
        except sqlite3.Error:
            self._writable = outbox.file.is_disk_full
