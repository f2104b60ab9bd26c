"""Polls an ESC/POS printer's status (paper, cover, errors) and appends an event on change; it must never print.

The stream is open only during a poll: a printer accepts one connection, and the printing program needs it.  So a poll
without a whole answer is no state: it becomes one when it was repeated for `lost_after_s`.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import msgspec

from edge_agent.log import Logger
from edge_agent.sources.byte_stream import DeviceBusy, open_stream
from edge_agent.sources.escpos_status import (
    IN_SERVICE,
    STATUS_REQUESTS,
    UNREACHABLE,
    FailedPolls,
    PrinterStatus,
    StatusByteFilter,
    interpret_status,
    is_letter,
    status_request,
    status_without_answer,
)
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.byte_stream import ByteStream
    from edge_agent.sources.state import DeviceState
    from telemetry.source_settings import DeviceAddress

_log = Logger(__name__)
RETRY_MS = 10_000


@dataclass(slots=True)
class EscposSource:
    """Polls every `every_ms`; a printer has `timeout_s` for each answer; `clock` returns Unix ms, `monotonic` seconds.

    After a failed poll it polls at least every `RETRY_MS`.
    """

    address: DeviceAddress
    clock: Callable[[], int]
    state: DeviceState
    every_ms: int = 10_000
    timeout_s: float = 1.0
    name: str = "escpos"
    lost_after_s: float = 60.0
    text_pause_s: float = 0.1
    monotonic: Callable[[], float] = time.monotonic
    has_failed: bool = False
    """Whether the last poll got no whole answer."""

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Poll until stopped; the last known state survives a restart, and the first poll is always reported."""
        last, reported = _parse_cursor(outbox.cursor(self.name)), False
        failed_polls = FailedPolls(self.lost_after_s)
        while not stop.is_set():
            now = self.poll_printer(last)
            if now is None or not failed_polls.is_state(failed=self.has_failed, now=self.monotonic()):
                now = None if reported else last
            if now is not None and (now != last or not reported):
                self._emit_state(outbox, now)
                last, reported = now, True
            if stop.wait((min(self.every_ms, RETRY_MS) if self.has_failed else self.every_ms) / 1000):
                return

    def poll_printer(self, last: PrinterStatus | None = None) -> PrinterStatus | None:
        """Return the printer's status, None while another program has it open; `last` is its previous status.

        `has_failed` is set when it comes from no answer, or from a part of one that shows no fault.
        """
        had_failed, self.has_failed = self.has_failed, False
        try:
            with open_stream(self.address, self.timeout_s) as stream:
                answers = self._query_status(stream)
        except DeviceBusy:
            return None
        except (OSError, UnicodeError) as error:
            self.has_failed = True
            if last != UNREACHABLE and not had_failed:
                _log.warning("printer_not_reached", source=self.name, error=str(error), lost_after_s=self.lost_after_s)
            return UNREACHABLE
        status = interpret_status(answers) if answers else status_without_answer(last)
        is_part = len(answers) < len(STATUS_REQUESTS)
        self.has_failed = not answers or (is_part and status == IN_SERVICE and last != IN_SERVICE)
        return status

    def _query_status(self, stream: ByteStream) -> dict[int, int]:
        """Return the answers, by request; after one without an answer no more are sent, since it may arrive late."""
        answers: dict[int, int] = {}
        stream.discard_input()
        for n in STATUS_REQUESTS:
            byte = self._query_byte(stream, n)
            if byte is None:
                return answers
            answers[n] = byte
        return answers

    def _query_byte(self, stream: ByteStream, n: int) -> int | None:
        """Return the status byte; one that is a letter only after a pause, since more letters would make it a text."""
        deadline = time.monotonic() + self.timeout_s
        if not stream.write(status_request(n), deadline):
            return None
        data, byte, read_until = b"", None, deadline
        while part := stream.read(read_until):
            data += part
            byte = StatusByteFilter().find_status_byte(data)
            if byte is not None and not is_letter(byte):
                return byte
            read_until = deadline if byte is None else min(deadline, time.monotonic() + self.text_pause_s)
        return byte

    def _emit_state(self, outbox: Sink, now: PrinterStatus) -> None:
        printer_event = ev.KioskState(n=1, t=self.clock(), state=now.service, printer=now.printer)
        self.state.update(printer_event, self.name)
        event = msgspec.structs.replace(printer_event, state=self.state.service)
        outbox.append([event], source=self.name, cursor=f"{now.service}:{now.printer}")


def _parse_cursor(cursor: str) -> PrinterStatus | None:
    service, _, printer = cursor.partition(":")
    for known_service in get_args(ev.ServiceState):
        for known_printer in get_args(ev.PrinterState):
            if (service, printer) == (known_service, known_printer):
                return PrinterStatus(known_service, known_printer)
    return None
