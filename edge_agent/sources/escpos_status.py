"""Reads ESC/POS real-time status bytes (DLE EOT n) and derives the kiosk's state from them. Pure.

In a status byte, bits 1 and 4 are set, bits 0 and 7 clear.  Automatic status back (ASB) is sent without a request: four
bytes; in the first, bit 4 is set and bits 0, 1 and 7 clear; in the others, bits 4 and 7 are clear.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.sources.state import worst_service

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.protocol.events import PrinterState, ServiceState

PRINTER, OFFLINE, ERROR, PAPER = 1, 2, 3, 4
"""The requests: printer status, cause of being offline, cause of an error, paper sensors."""
STATUS_REQUESTS = (PRINTER, OFFLINE, PAPER, ERROR)
"""The most useful first: not every printer answers all of them."""
_IS_OFFLINE = 0x08
_COVER, _FEEDING, _PAPER_STOP = 0x04, 0x08, 0x20
_CUTTER, _UNRECOVERABLE, _RECOVERABLE = 0x08, 0x20, 0x44
_NEAR_END, _END = 0x0C, 0x60
_TEXT_BYTE = re.compile(rb"[\t\r\n -~]")
_TEXT = re.compile(_TEXT_BYTE.pattern + rb"{8,}")


def is_letter(byte: int) -> bool:
    """Return whether a byte may be a part of a text."""
    return _TEXT_BYTE.fullmatch(bytes((byte,))) is not None


def status_request(n: int) -> bytes:
    """Return DLE EOT n."""
    return bytes((0x10, 0x04, n))


@dataclass(slots=True)
class StatusByteFilter:
    """Finds the status byte in a printer's data; ASB, flow control and noise are skipped."""

    _asb_remaining: int = 0

    def find_status_byte(self, data: bytes) -> int | None:
        """Return the first status byte, or None; an unfinished ASB block is continued by the next call.

        Text has no status: what listens there is no ESC/POS printer, and many letters look like a status byte.
        """
        for byte in _TEXT.sub(b"", data):
            if self._asb_remaining and not byte & 0x90:
                self._asb_remaining -= 1
                continue
            self._asb_remaining = 3 if byte & 0x93 == 0x10 else 0
            if byte & 0x93 == 0x12:
                return byte
        return None


@dataclass(frozen=True, slots=True)
class PrinterStatus:
    """The printer's state and the kiosk's state that follows from it."""

    service: ServiceState
    printer: PrinterState


UNREACHABLE = PrinterStatus("out_of_order", "offline")
"""No connection to the printer."""
IN_SERVICE = PrinterStatus("in_service", "ok")


@dataclass(slots=True)
class FailedPolls:
    """Decides when polls without an answer are the printer's state: repeated, for `lost_after_s`.

    A printer takes one connection at a time: while it prints, another one is refused, reset or left waiting.
    """

    lost_after_s: float
    _since: float = 0.0
    _count: int = 0

    def is_state(self, *, failed: bool, now: float) -> bool:
        """Return whether this poll's result is the printer's state; `now` is monotonic, s."""
        self._count = self._count + 1 if failed else 0
        if self._count == 1:
            self._since = now
        return not failed or (self._count > 1 and now - self._since >= self.lost_after_s)


def interpret_status(answers: Mapping[int, int]) -> PrinterStatus:
    """Return the status for the answers, by request; the first cause that matches is the one to repair first."""
    offline, error, paper = answers.get(OFFLINE, 0), answers.get(ERROR, 0), answers.get(PAPER, 0)
    if offline & _COVER:
        return PrinterStatus("out_of_order", "cover_open")
    if paper & _END or offline & _PAPER_STOP:
        return PrinterStatus("out_of_order", "paper_out")
    if error & (_CUTTER | _UNRECOVERABLE):
        return PrinterStatus("out_of_order", "jam")
    if error & _RECOVERABLE or offline & _FEEDING or answers.get(PRINTER, 0) & _IS_OFFLINE:
        return PrinterStatus("degraded", "offline")
    if paper & _NEAR_END:
        return PrinterStatus("degraded", "paper_low")
    return IN_SERVICE


def status_without_answer(previous: PrinterStatus | None) -> PrinterStatus:
    """Return the status for no answer over an open connection: some printers do not answer when out of paper.

    The last known cause is retained, and so is the state out of order; without an earlier status it is degraded.
    """
    if previous is None:
        return PrinterStatus("degraded", "offline")
    return PrinterStatus(worst_service("degraded", previous.service), previous.printer)
