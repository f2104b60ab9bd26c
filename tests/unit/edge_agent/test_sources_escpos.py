"""The printer source against a byte-level printer over TCP and a serial line, well-behaved and not."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from edge_agent.sources.byte_stream import DeviceBusy, open_stream
from edge_agent.sources.escpos import EscposSource
from edge_agent.sources.escpos_status import (
    UNREACHABLE,
    PrinterStatus,
    StatusByteFilter,
    interpret_status,
    status_request,
    status_without_answer,
)
from edge_agent.sources.state import DeviceState
from telemetry.core.protocol import codec, events as ev
from telemetry.source_settings import DeviceAddress, parse_device_address
from tests.escpos_printer import ASB, Behaviour, SerialPrinter, TcpPrinter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge_agent.outbox import Outbox

OK = PrinterStatus("in_service", "ok")
Printer = TcpPrinter | SerialPrinter


@pytest.fixture(params=[TcpPrinter, SerialPrinter], ids=["tcp", "serial"])
def printer(request: pytest.FixtureRequest) -> Iterator[Printer]:
    if request.param is SerialPrinter:
        request.getfixturevalue("pseudo_terminals")
    one = request.param(Behaviour())
    yield one
    one.close()


def source(address: str, timeout_s: float = 0.25, text_pause_s: float = 0.1) -> EscposSource:
    return EscposSource(
        parse_device_address(address),
        lambda: 7,
        DeviceState(),
        every_ms=10,
        timeout_s=timeout_s,
        text_pause_s=text_pause_s,
    )


BITS = [
    ({}, OK),
    ({1: 0x04}, OK),
    ({4: 0x0C}, PrinterStatus("degraded", "paper_low")),
    ({4: 0x60}, PrinterStatus("out_of_order", "paper_out")),
    ({1: 0x08, 2: 0x20}, PrinterStatus("out_of_order", "paper_out")),
    ({1: 0x08, 2: 0x04}, PrinterStatus("out_of_order", "cover_open")),
    ({1: 0x08, 2: 0x04 | 0x20, 4: 0x60}, PrinterStatus("out_of_order", "cover_open")),
    ({1: 0x08, 2: 0x40, 3: 0x08}, PrinterStatus("out_of_order", "jam")),
    ({1: 0x08, 2: 0x40, 3: 0x20}, PrinterStatus("out_of_order", "jam")),
    ({1: 0x08, 2: 0x40, 3: 0x40}, PrinterStatus("degraded", "offline")),
    ({1: 0x08 | 0x40, 2: 0x08}, PrinterStatus("degraded", "offline")),
    ({1: 0x08}, PrinterStatus("degraded", "offline")),
    ({3: 0x20, 4: 0x0C}, PrinterStatus("out_of_order", "jam")),
]


@pytest.mark.parametrize(("bits", "expected"), BITS)
def test_each_bit_has_its_meaning(bits: dict[int, int], expected: PrinterStatus) -> None:
    assert interpret_status({n: 0x12 | bits.get(n, 0) for n in (1, 2, 3, 4)}) == expected


@pytest.mark.parametrize(("bits", "expected"), [BITS[0], BITS[2], BITS[3], BITS[5], BITS[7]])
def test_a_printer_is_read_over_its_line(printer: Printer, bits: dict[int, int], expected: PrinterStatus) -> None:
    printer.behaviour.bits = bits
    assert source(printer.address).poll_printer() == expected
    assert sorted(printer.behaviour.asked) == [1, 2, 3, 4]


NOISE = [
    ("before", ASB),
    ("after", ASB),
    ("before", ASB + ASB),
    ("before", b"\x13\x11\x00\xff\x81"),
    ("before", ASB[:2]),
    ("after", b"\x00\x01\xff"),
]


@pytest.mark.parametrize(("where", "noise"), NOISE)
def test_asb_flow_control_and_garbage_are_skipped(printer: Printer, where: str, noise: bytes) -> None:
    printer.behaviour.bits = {4: 0x0C}
    setattr(printer.behaviour, where, noise)
    assert source(printer.address).poll_printer() == PrinterStatus("degraded", "paper_low")


def test_a_text_is_no_status_of_a_printer(printer: Printer) -> None:
    printer.behaviour.before = b"HTTP/1.1 400 Bad Request\r\nServer: printer\r\n\r\n"
    assert source(printer.address, timeout_s=5.0, text_pause_s=5.0).poll_printer() == PrinterStatus("in_service", "ok")
    assert StatusByteFilter().find_status_byte(printer.behaviour.before) is None
    printer.behaviour.before = b""
    printer.behaviour.bits = dict.fromkeys((1, 2, 3, 4), 96)  # 0x72 is the letter r
    assert source(printer.address).poll_printer() == interpret_status(dict.fromkeys((1, 2, 3, 4), 0x72))


def test_the_sieve_remembers_a_packet_that_comes_in_parts() -> None:
    sieve = StatusByteFilter()
    for byte in (ASB + ASB)[:-1]:
        assert sieve.find_status_byte(bytes((byte,))) is None
    assert sieve.find_status_byte(ASB[-1:] + b"\x12") == 0x12
    assert [b for b in range(256) if StatusByteFilter().find_status_byte(bytes((b,))) is not None] == [
        b for b in range(256) if b & 1 == 0 and b & 2 and b & 16 and not b & 128
    ]


def test_what_is_asked_is_dle_eot() -> None:
    assert [status_request(n) for n in (1, 4)] == [b"\x10\x04\x01", b"\x10\x04\x04"]


def test_silence_is_degraded_with_the_last_cause_and_not_offline(printer: Printer) -> None:
    printer.behaviour.mute = frozenset({1, 2, 3, 4})
    one = source(printer.address)
    assert one.poll_printer(OK) == PrinterStatus("degraded", "ok")
    assert one.poll_printer(PrinterStatus("out_of_order", "paper_out")) == PrinterStatus("out_of_order", "paper_out")
    assert one.poll_printer(PrinterStatus("degraded", "paper_low")) == PrinterStatus("degraded", "paper_low")
    assert one.poll_printer() == status_without_answer(None) != OK


def test_nothing_is_asked_after_a_question_without_answer(printer: Printer) -> None:
    printer.behaviour.mute = frozenset({4})
    printer.behaviour.bits = {2: 0x04}
    assert source(printer.address).poll_printer() == PrinterStatus("out_of_order", "cover_open")
    assert printer.behaviour.asked == [1, 2, 4]


def test_a_chattering_line_without_status_ends_at_its_deadline(printer: Printer) -> None:
    printer.behaviour.mute = frozenset({1, 2, 3, 4})
    stop = threading.Event()

    class Chatter(Behaviour):
        def answer(self, n: int) -> bytes:
            return b"" if stop.is_set() else b"\xff" * (200 + n)

    printer.behaviour = Chatter()
    assert source(printer.address).poll_printer(OK) == PrinterStatus("degraded", "ok")
    stop.set()


def test_a_refused_and_a_lost_connection_are_offline(free_port: int, tmp_path: Path) -> None:
    assert source(f"tcp://127.0.0.1:{free_port}").poll_printer(OK) == UNREACHABLE
    assert source(f"serial://{tmp_path}/none").poll_printer(OK) == UNREACHABLE
    assert source(f"file://{tmp_path}/none").poll_printer(OK) == UNREACHABLE
    printer = TcpPrinter(Behaviour(hang_up=True))
    assert source(printer.address).poll_printer(OK) == UNREACHABLE
    printer.close()


@pytest.mark.usefixtures("pseudo_terminals")
def test_a_serial_line_whose_cable_is_pulled_is_offline() -> None:
    master, slave = os.openpty()
    path = os.ttyname(slave)
    with open_stream(parse_device_address(f"serial://{path}"), 1) as line:
        os.close(slave)
        os.close(master)
        with pytest.raises(OSError, match=r"closed the connection|error"):
            line.read(time.monotonic() + 1)


@pytest.mark.usefixtures("pseudo_terminals")
def test_a_device_file_is_asked_like_a_line() -> None:
    printer = SerialPrinter(Behaviour({4: 0x60}))
    assert source(f"file://{printer.path}").poll_printer() == PrinterStatus("out_of_order", "paper_out")
    printer.close()


@pytest.mark.usefixtures("pseudo_terminals")
def test_a_plain_file_is_no_serial_line(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_bytes(b"")
    assert source(f"serial://{path}").poll_printer() == UNREACHABLE
    printer = SerialPrinter(Behaviour())
    with pytest.raises(OSError, match="is not a speed of a serial line; use 9600"):
        open_stream(parse_device_address(f"serial://{printer.path}?baud=12345"), 1)
    printer.close()


NO_ADDRESS = [
    "",
    "tcp://",
    "http://x",
    "serial://",
    "file://host/x",
    "serial:///d?baud=x",
    "tcp://h:x",
    "tcp://h:0",
    "tcp://h:99999",
    "tcp://a b",
    "tcp://u@h",
    "tcp://10.0.0.256",
    "tcp://h/p",
]


@pytest.mark.parametrize("text", NO_ADDRESS)
def test_an_address_that_is_none_names_the_remedy(text: str) -> None:
    with pytest.raises(ValueError, match=r"write tcp://HOST:9100"):
        parse_device_address(text)


def said(outbox: Outbox) -> list[ev.KioskState]:
    events = [codec.decode_event(row.body) for row in outbox.rows_after(0, 100)]
    return [event for event in events if isinstance(event, ev.KioskState)]


def until(true: threading.Event) -> None:
    assert true.wait(10)


def test_changes_are_told_once_and_heartbeats_know_them(outbox: Outbox) -> None:
    printer = TcpPrinter(Behaviour())
    one, stop, told = source(printer.address), threading.Event(), threading.Event()
    outbox.on_appended = told.set
    thread = threading.Thread(target=one.run, args=(outbox, stop), daemon=True)
    thread.start()
    until(told)
    told.clear()
    printer.behaviour.bits = {4: 0x60}
    until(told)
    stop.set()
    thread.join(5)
    printer.close()
    assert [(e.state, e.printer) for e in said(outbox)][:1] == [("in_service", "ok")]
    assert [(e.state, e.printer) for e in said(outbox)][-1] == ("out_of_order", "paper_out")
    assert len(said(outbox)) == 2
    assert (one.state.service, one.state.printer) == ("out_of_order", "paper_out")


def test_the_last_cause_survives_a_restart(outbox: Outbox) -> None:
    outbox.append([], source="escpos", cursor="out_of_order:paper_out")
    printer = TcpPrinter(Behaviour(mute=frozenset({1, 2, 3, 4})))
    one, stop, told = source(printer.address), threading.Event(), threading.Event()
    outbox.on_appended = told.set
    thread = threading.Thread(target=one.run, args=(outbox, stop), daemon=True)
    thread.start()
    until(told)
    stop.set()
    thread.join(5)
    printer.close()
    assert [(e.state, e.printer) for e in said(outbox)] == [("out_of_order", "paper_out")]


def test_the_kiosks_own_word_and_the_printers_do_not_hide_each_other() -> None:
    state = DeviceState()
    state.update(ev.KioskState(n=1, t=1, state="out_of_order"))
    state.update(ev.KioskState(n=1, t=1, state="degraded", printer="paper_low"), "escpos")
    state.update(ev.KioskState(n=1, t=2, state="out_of_order"))
    assert (state.service, state.printer) == ("out_of_order", "paper_low")
    state.update(ev.KioskState(n=1, t=3, state="in_service"))
    assert (state.service, state.printer) == ("degraded", "paper_low")
    state.update(ev.KioskState(n=1, t=4, state="in_service", printer="ok"), "escpos")
    assert (state.service, state.printer) == ("in_service", "ok")


def test_the_line_is_free_between_looks() -> None:
    """The program that prints must find the printer's only connection free."""
    printer = TcpPrinter(Behaviour())
    one = source(printer.address)
    assert one.poll_printer() == OK
    host, port = one.address.location, one.address.port
    with socket.create_connection((host, port), 2) as other:
        other.sendall(status_request(1))
        other.settimeout(5)
        assert other.recv(1) == b"\x12"
    printer.close()


class Polls:
    """A source whose printer and clock a test plays: one status or None for each poll, 10 s apart."""

    def __init__(self, outbox: Outbox, answers: list[PrinterStatus | str], cursor: str = "in_service:ok") -> None:
        outbox.append([], source="escpos", cursor=cursor)
        self.outbox, self.answers, self.now = outbox, answers, 0.0
        self.waits: list[float] = []
        self.source = EscposSource(
            parse_device_address("tcp://127.0.0.1:9"), lambda: 7, DeviceState(), every_ms=300_000,
            monotonic=lambda: self.now,
        )  # fmt: skip

    def is_set(self) -> bool:
        return not self.answers

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        self.now += min(timeout, 10)
        return self.is_set()

    def run(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str | None]]:
        def open_next(*_: object) -> object:
            answer = self.answers.pop(0)
            if answer == "held":
                raise DeviceBusy
            if isinstance(answer, str):
                raise OSError(answer)
            return answer

        monkeypatch.setattr("edge_agent.sources.escpos.open_stream", open_next)
        self.source.run(self.outbox, self)
        return [(event.state, event.printer) for event in said(self.outbox)]


@pytest.mark.parametrize("failed", [1, 6])
def test_a_printer_that_is_not_reached_is_offline_after_a_minute_and_not_before(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, failed: int
) -> None:
    polls = Polls(outbox, ["refused"] * failed)
    assert polls.run(monkeypatch) == [("in_service", "ok")]
    assert set(polls.waits) == {10.0}


def test_a_printer_that_is_gone_is_offline_after_seven_polls(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    polls = Polls(outbox, ["no route to host"] * 7)
    assert polls.run(monkeypatch) == [("in_service", "ok"), ("out_of_order", "offline")]


def test_a_device_file_that_another_program_holds_is_no_fault(outbox: Outbox, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Polls(outbox, ["held"] * 50).run(monkeypatch) == [("in_service", "ok")]


@pytest.mark.parametrize(("cursor", "told"), [("", []), ("out_of_order:paper_out", [("out_of_order", "paper_out")])])
def test_an_agent_that_starts_while_the_printer_is_busy_reports_the_last_state(
    outbox: Outbox, monkeypatch: pytest.MonkeyPatch, cursor: str, told: list[tuple[str, str]]
) -> None:
    assert Polls(outbox, ["reset"] * 3, cursor).run(monkeypatch) == told


@pytest.mark.parametrize("failure", ["mute", "hang_up", "garbage", "half"])
def test_one_poll_without_a_whole_answer_changes_nothing(failure: str, outbox: Outbox) -> None:
    outbox.append([], source="escpos", cursor="out_of_order:paper_out")
    printer = TcpPrinter(Behaviour({4: 0x60}))
    one, stop, asked = source(printer.address), threading.Event(), threading.Event()

    class Doubtful(Behaviour):
        def answer(self, n: int) -> bytes:
            if failure == "garbage":
                asked.set()
                return b"\xff\x81"
            if failure == "half" and n == 1:
                return super().answer(n)
            asked.set()
            return b""

    printer.behaviour = Doubtful(hang_up=failure == "hang_up")
    if failure == "hang_up":
        asked.set()
    thread = threading.Thread(target=one.run, args=(outbox, stop), daemon=True)
    thread.start()
    until(asked)
    answered = threading.Event()

    class Whole(Behaviour):
        def answer(self, n: int) -> bytes:
            if n == 3:
                answered.set()
            return super().answer(n)

    printer.behaviour = Whole({4: 0x60})
    until(answered)
    stop.set()
    thread.join(5)
    printer.close()
    assert {(e.state, e.printer) for e in said(outbox)} == {("out_of_order", "paper_out")}


def test_a_name_that_is_no_host_name_is_a_printer_that_is_not_reached() -> None:
    one = source("tcp://127.0.0.1:9100")
    one.address = DeviceAddress("tcp", f"{'x' * 70}.example", 9100)
    assert one.poll_printer(OK) == UNREACHABLE
    assert one.has_failed
