"""Probes against real sockets of the loopback: every way a system can fail has its own word."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from edge_agent.http_client import HttpFailure
from edge_agent.outbox import Outbox
from edge_agent.sources.builder import probe_phase_ms
from edge_agent.sources.probe import NoEvidence, Probe, ProbeOutcome, ProbeSource, run_probe
from telemetry.core.protocol import codec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import Literal

    Kind = Literal["http", "tcp", "tls", "dns", "closed"]


def probe(kind: Kind, target: str, timeout_s: float = 5.0) -> ProbeOutcome:
    return run_probe(Probe("vn-ngsp", kind, target, timeout_s))


class _Page(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(int(self.path.rpartition("/")[2]))
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def page() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(5)


@pytest.fixture
def silent() -> Iterator[str]:
    """A place that accepts and then says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_a_page_that_answers_is_up(page: str) -> None:
    assert probe("http", f"{page}/200") == ProbeOutcome(None, 200)


@pytest.mark.parametrize("status", [404, 500, 503])
def test_a_bad_status_is_down_and_named(page: str, status: int) -> None:
    assert probe("http", f"{page}/{status}") == ProbeOutcome("status", status)


def test_refused_silent_and_odd_targets(free_port: int, silent: str) -> None:
    assert probe("http", f"http://127.0.0.1:{free_port}/") == ProbeOutcome("refused")
    assert probe("tcp", f"127.0.0.1:{free_port}") == ProbeOutcome("refused")
    assert probe("http", f"http://{silent}/", 0.2) == ProbeOutcome("timeout")
    assert probe("tls", silent, 0.2) == ProbeOutcome("timeout")
    assert probe("http", "file:///etc/passwd") == ProbeOutcome("other")
    assert probe("tcp", "127.0.0.1:99999999") == ProbeOutcome("other")


def test_tcp_is_up_when_it_accepts(silent: str) -> None:
    assert probe("tcp", silent) == ProbeOutcome()
    assert probe("tcp", f"tcp://{silent}") == ProbeOutcome()


def test_a_server_that_talks_no_http_is_down() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def babble() -> None:
            line, _ = listener.accept()
            line.sendall(b"220 mail ready\r\n\r\n")
            line.close()

        thread = threading.Thread(target=babble)
        thread.start()
        answer = probe("http", f"http://127.0.0.1:{listener.getsockname()[1]}/")
        thread.join(5)
    assert answer == ProbeOutcome("other")


def test_dns() -> None:
    assert probe("dns", "localhost") == ProbeOutcome()


def test_a_name_that_does_not_resolve_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert probe("dns", "nowhere.invalid") == ProbeOutcome("dns")
    assert probe("http", "http://nowhere.invalid/") == ProbeOutcome("dns")


# --- the source -------------------------------------------------------------------------------


def test_a_probe_becomes_one_valid_event(page: str, free_port: int) -> None:
    good = ProbeSource(Probe("vn-ngsp", "http", f"{page}/200"), lambda: 5, 60_000).probe_once()
    assert (good.t, good.system, good.ok, good.status, good.error) == (5, "vn-ngsp", True, 200, None)
    bad = ProbeSource(Probe("vn-ngsp", "tcp", f"127.0.0.1:{free_port}"), lambda: 5, 60_000).probe_once()
    assert (bad.ok, bad.error) == (False, "refused")
    for event in (good, bad):
        assert codec.decode_event(codec.encode_event(event)) == event


def test_it_probes_after_its_phase_until_stopped(tmp_path: Path, silent: str) -> None:
    outbox, stop, twice = Outbox(tmp_path / "o.db", lambda: "s"), threading.Event(), threading.Event()
    outbox.on_appended = lambda: twice.set() if outbox.highest_n >= 2 else None
    source = ProbeSource(Probe("vn-ngsp", "tcp", silent), lambda: 1, every_ms=10, phase_ms=5)
    thread = threading.Thread(target=source.run, args=(outbox, stop))
    thread.start()
    assert twice.wait(5)
    stop.set()
    thread.join(5)
    assert b'"type":"probe.result"' in outbox.rows_after(0, 1)[0].body
    outbox.close()


def test_a_stop_during_the_phase_probes_nothing(tmp_path: Path) -> None:
    outbox, stop = Outbox(tmp_path / "o.db", lambda: "s"), threading.Event()
    stop.set()
    ProbeSource(Probe("vn-ngsp", "tcp", "x"), lambda: 1, phase_ms=60_000).run(outbox, stop)
    assert outbox.pending_count() == 0
    outbox.close()


def test_a_fleets_phases_are_spread_and_steady() -> None:
    phases = [probe_phase_ms(f"vn83-28756-kiosk{i}/vn-ngsp", 60_000) for i in range(400)]
    assert phases == [probe_phase_ms(f"vn83-28756-kiosk{i}/vn-ngsp", 60_000) for i in range(400)]
    quarters = [sum(low <= p < low + 15_000 for p in phases) for low in range(0, 60_000, 15_000)]
    assert sum(quarters) == 400
    assert min(quarters) > 60


def test_a_closed_port_is_what_a_negative_probe_wants_and_an_open_one_fails_it(page: str) -> None:
    open_port = page.removeprefix("http://")
    assert probe("closed", open_port) == ProbeOutcome("reached")
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        assert probe("closed", f"127.0.0.1:{bound.getsockname()[1]}") == ProbeOutcome()


@pytest.mark.parametrize(
    "failure", [HttpFailure("other", "no route"), socket.gaierror("no such name"), TimeoutError("no answer")]
)
def test_a_negative_probe_that_could_not_be_tried_reports_nothing(
    monkeypatch: pytest.MonkeyPatch, failure: Exception
) -> None:
    def fail(*_: object) -> None:
        raise failure

    name = "open_connection" if isinstance(failure, HttpFailure) else "look_up_addresses"
    monkeypatch.setattr(f"edge_agent.sources.probe.{name}", fail)
    source = ProbeSource(Probe("vn83-x--dmz-to-db", "closed", "db.example:5432"), lambda: 1_000, 60_000)
    with pytest.raises(NoEvidence):
        source.probe_once()
    stored: list[object] = []
    source.run(_Rows(stored), _Once())  # type: ignore[arg-type]
    assert stored == []


class _Rows:
    def __init__(self, rows: list[object]) -> None:
        self.rows = rows

    def append(self, events: list[object]) -> None:
        self.rows += events


class _Once:
    """Stops after the first probe."""

    def __init__(self) -> None:
        self.waits = 0

    def wait(self, seconds: float) -> bool:
        del seconds
        self.waits += 1
        return self.waits > 1
