"""Asks an ESC/POS printer how it is (paper, cover, errors) and says so when it changes; it must never print.

The line is open only while asking: a printer takes one connection, and that belongs to the program that prints.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import msgspec

from edge_agent.log import Log
from edge_agent.sources.byte_stream import LineBusy, open_line
from edge_agent.sources.escpos_status import LOST, QUESTIONS, Reading, Sieve, question, read, silent
from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.byte_stream import Address, Line
    from edge_agent.sources.state import DeviceState

_log = Log(__name__)


@dataclass(slots=True)
class EscposSource:
    """Looks every `every_ms`; a printer has `timeout_s` for each answer; `clock` gives Unix ms."""

    address: Address
    clock: Callable[[], int]
    state: DeviceState
    every_ms: int = 10_000
    timeout_s: float = 1.0
    name: str = "escpos"

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Look until stopped; the last known cause survives a restart, and the first look is always told."""
        last, told = _kept(outbox.cursor(self.name)), False
        while not stop.is_set():
            now = self.look(last)
            if now is not None and (now != last or not told):
                self._tell(outbox, now)
                last, told = now, True
            if stop.wait(self.every_ms / 1000):
                return

    def look(self, last: Reading | None = None) -> Reading | None:
        """Return how the printer is, None when it is busy printing; `last` is what it was before."""
        try:
            with open_line(self.address, self.timeout_s) as line:
                answers = self._asked(line)
        except LineBusy:
            return None
        except OSError as error:
            if last != LOST:
                _log.warning("printer_lost", source=self.name, error=str(error))
            return LOST
        return read(answers) if answers else silent(last)

    def _asked(self, line: Line) -> dict[int, int]:
        """Return the answers, by question; none is asked after one without answer, which might come late."""
        answers: dict[int, int] = {}
        line.drain()
        for n in QUESTIONS:
            byte = self._answer(line, n)
            if byte is None:
                return answers
            answers[n] = byte
        return answers

    def _answer(self, line: Line, n: int) -> int | None:
        deadline, sieve = time.monotonic() + self.timeout_s, Sieve()
        if not line.write(question(n), deadline):
            return None
        while data := line.read(deadline):
            byte = sieve.find(data)
            if byte is not None:
                return byte
        return None

    def _tell(self, outbox: Sink, now: Reading) -> None:
        own = ev.KioskState(n=1, t=self.clock(), state=now.service, printer=now.printer)
        self.state.follow(own, self.name)
        event = msgspec.structs.replace(own, state=self.state.service)
        outbox.append([event], source=self.name, cursor=f"{now.service}:{now.printer}")


def _kept(cursor: str) -> Reading | None:
    service, _, printer = cursor.partition(":")
    for known_service in get_args(ev.Service):
        for known_printer in get_args(ev.Printer):
            if (service, printer) == (known_service, known_printer):
                return Reading(known_service, known_printer)
    return None
