"""A probe has one deadline over name lookup, connect, TLS, headers, body and redirects, and leaves nothing behind."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from edge_agent import name_lookup
from edge_agent.outbox import Outbox
from edge_agent.sources.probe import Probe, ProbeOutcome, ProbeSource, run_probe
from tests.raw_server import raw_server, saying

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

OK = b"HTTP/1.1 200 OK\r\n"
DEADLINE_S = 0.4
DRIP = [b"x"] * 10_000


def ask(target: str, timeout_s: float = DEADLINE_S) -> ProbeOutcome:
    return run_probe(Probe("vn-ngsp", "http", target, timeout_s))


@pytest.mark.parametrize(
    "talk",
    [
        pytest.param(saying(OK, b"Content-Length: 5000\r\n\r\n", *DRIP, every_s=0.05), id="body dripped"),
        pytest.param(saying(OK, *[b"X-A: b\r\n"] * 10_000, every_s=0.05), id="headers dripped"),
        pytest.param(saying(*[b"H"], hold=True), id="half a status line"),
        pytest.param(saying(*[b"HTTP/1.1 103 Early Hints\r\n\r\n"] * 10_000, every_s=0.05), id="103 for ever"),
        pytest.param(saying(OK, b"Content-Length: 9\r\n\r\nok", hold=True), id="longer than the body, left open"),
        pytest.param(saying(OK, b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", hold=True), id="half a chunk"),
        pytest.param(saying(hold=True), id="silence"),
    ],
)
def test_what_never_ends_is_down_at_the_deadline(talk: Callable[..., None]) -> None:
    with raw_server(talk) as server:
        assert ask(server.url) == ProbeOutcome("timeout")


def test_the_deadline_is_over_all_redirects() -> None:
    hop = b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"
    with raw_server(saying(b"", hop, every_s=DEADLINE_S / 3)) as server:
        assert ask(server.url) == ProbeOutcome("timeout")
        assert len(server.requests) <= 4


def test_a_loop_of_redirects_is_down_with_its_status() -> None:
    hop = b"HTTP/1.1 302 Found\r\nLocation: /a\r\nContent-Length: 0\r\n\r\n"
    with raw_server(saying(hop)) as server:
        assert ask(server.url, 10) == ProbeOutcome("status", 302)
        assert len(server.requests) == 21


def test_1xx_answers_without_end_are_down() -> None:
    with raw_server(saying(*[b"HTTP/1.1 100 Continue\r\n\r\n"] * 20_000)) as server:
        assert ask(server.url, 10).error in {"other", "timeout"}


@pytest.mark.parametrize("kind", ["text/event-stream", "multipart/x-mixed-replace; boundary=x"])
def test_a_stream_without_end_is_up_once_it_has_answered(kind: str) -> None:
    with raw_server(saying(OK + f"Content-Type: {kind}\r\n\r\n".encode(), hold=True)) as server:
        assert ask(server.url, 10) == ProbeOutcome(None, 200)


def test_a_huge_body_is_read_in_part() -> None:
    with raw_server(saying(OK + b"Content-Length: 9000000000\r\n\r\n", b"x" * 100_000, hold=True)) as server:
        assert ask(server.url, 10) == ProbeOutcome(None, 200)


@pytest.mark.parametrize("talk", [saying(), saying(OK + b"Content-Length: 9\r\n\r\nok")])
def test_an_answer_that_is_cut_off_is_down(talk: Callable[..., None]) -> None:
    with raw_server(talk) as server:
        assert ask(server.url, 10) == ProbeOutcome("other")


@pytest.mark.parametrize("kind", ["tls", "http"])
def test_a_hanging_tls_handshake_is_down_at_the_deadline(kind: str) -> None:
    record = b"\x16\x03\x03\x40\x00"
    with raw_server(saying(record, *DRIP, every_s=0.05)) as server:
        target = f"127.0.0.1:{server.port}" if kind == "tls" else f"https://127.0.0.1:{server.port}/"
        assert run_probe(Probe("s", kind, target, DEADLINE_S)) == ProbeOutcome("timeout")  # type: ignore[arg-type]


@pytest.fixture
def full_listener() -> Iterator[str]:
    """A place that answers no connection: its queue is full."""
    with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for line in (first, second):
            line.setblocking(False)
            line.connect_ex(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize("kind", ["tcp", "tls", "http"])
def test_a_connection_that_is_not_answered_is_down_at_the_deadline(kind: str, full_listener: str) -> None:
    target = f"http://{full_listener}/" if kind == "http" else full_listener
    assert run_probe(Probe("s", kind, target, DEADLINE_S)) == ProbeOutcome("timeout")  # type: ignore[arg-type]


@pytest.fixture
def hanging_lookup(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The system's lookup never answers; the list has the names that were looked up."""
    release, asked = threading.Event(), []

    def hang(host: str, *_: object, **__: object) -> list[object]:
        asked.append(host)
        release.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    yield asked
    release.set()
    for thread in threading.enumerate():
        if thread.name == "name-lookup":
            thread.join(5)


@pytest.mark.parametrize(
    ("kind", "target"),
    [("dns", "a.example"), ("http", "http://a.example/"), ("tcp", "a.example:1"), ("tls", "a.example:1")],
)
def test_a_lookup_that_hangs_is_down_at_the_deadline(kind: str, target: str, hanging_lookup: list[str]) -> None:
    assert run_probe(Probe("s", kind, target, DEADLINE_S)) == ProbeOutcome("timeout")  # type: ignore[arg-type]
    assert hanging_lookup == ["a.example"]


def test_lookups_of_one_name_do_not_pile_up(hanging_lookup: list[str]) -> None:
    for _ in range(20):
        assert run_probe(Probe("s", "dns", "b.example", 0.01)) == ProbeOutcome("timeout")
    assert hanging_lookup == ["b.example"]
    assert sum(thread.name == "name-lookup" for thread in threading.enumerate()) == 1


def test_lookups_of_many_names_are_bounded(hanging_lookup: list[str]) -> None:
    for number in range(name_lookup.MAX_LOOKUPS + 10):
        assert run_probe(Probe("s", "dns", f"c{number}.example", 0.001)) == ProbeOutcome("timeout")
    assert len(hanging_lookup) == name_lookup.MAX_LOOKUPS


def test_a_name_is_looked_up_again_after_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = [socket.gaierror(socket.EAI_NONAME, "unknown"), None]

    def look_up(*_: object, **__: object) -> list[object]:
        if (error := answers.pop(0)) is not None:
            raise error
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert run_probe(Probe("s", "dns", "d.example", 5)) == ProbeOutcome("dns")
    assert run_probe(Probe("s", "dns", "d.example", 5)) == ProbeOutcome()


def test_a_hung_system_gets_an_event_each_interval(tmp_path: Path) -> None:
    outbox, stop, enough = Outbox(tmp_path / "o.db", lambda: "s"), threading.Event(), threading.Event()
    outbox.on_appended = lambda: enough.set() if outbox.highest_n >= 3 else None
    with raw_server(saying(hold=True)) as server:
        source = ProbeSource(Probe("s", "http", server.url, 10), lambda: 1, every_ms=100)
        thread = threading.Thread(target=source.run, args=(outbox, stop))
        thread.start()
        assert enough.wait(9)  # shorter than one probe's own time-out
        stop.set()
        thread.join(5)
    assert all(b'"ok":false' in row.body and b'"error":"timeout"' in row.body for row in outbox.rows_after(0, 3))
    outbox.close()


def test_probes_leave_no_socket_and_no_thread_behind() -> None:
    descriptors, threads = set(Path("/proc/self/fd").iterdir()), threading.active_count()
    with raw_server(saying(OK, *DRIP, every_s=0.05)) as server:
        for _ in range(5):
            assert ask(server.url, 0.1) == ProbeOutcome("timeout")
    assert set(Path("/proc/self/fd").iterdir()) == descriptors
    assert threading.active_count() == threads
