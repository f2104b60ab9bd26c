"""The queue system's source against a real HTTP server that hangs, cuts, repeats, refuses and overflows."""

from __future__ import annotations

import json
import logging
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from edge_agent.http_client import HttpFailure
from edge_agent.sources.content_coding import MAX_RESPONSE_BYTES
from edge_agent.sources.queue_http import QueueHttpSource, QueueUnavailable, load_row_mapper
from edge_agent.sources.skipped_events import MAX_NAMED_EVENTS
from edge_agent.sources.state import DeviceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.outbox import Outbox
    from telemetry.core.protocol.events import Event

    Mapped = Callable[[dict[str, Any]], list[Event]]


def issued(i: int) -> dict[str, Any]:
    return {"id": i, "type": "ticket.issued", "t": 1_000 + i, "ticket": f"k{i}", "queue": "land", "service": "land"}


@dataclass
class Vendor:
    """A queue system: `events` by age, the cursor is a count; a fault is done to the next answer."""

    events: list[dict[str, Any]] = field(default_factory=list)
    page: int = 3
    fault: str = ""
    repeats: int = 0
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    release: threading.Event = field(default_factory=threading.Event)

    def answer(self, since: str) -> dict[str, Any]:
        at = max(0, int(since or 0) - self.repeats)
        some = self.events[at : at + self.page + self.repeats]
        return {"events": some, "next": at + len(some)}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Any

    def do_GET(self) -> None:
        vendor: Vendor = self.server.vendor
        vendor.asked.append((self.path, dict(self.headers)))
        fault, vendor.fault = vendor.fault, ""
        if fault == "hang":
            vendor.release.wait(20)
            self.close_connection = True
            return
        since = parse_qs(urlsplit(self.path).query).get("since", [""])[0]
        body = json.dumps(vendor.answer(since)).encode()
        if fault == "big":
            body = b'{"events":[],"next":"' + b"9" * MAX_RESPONSE_BYTES + b'"}'
        if fault == "odd":
            body = b'{"tickets": []}'
        self.send_response(503 if fault == "busy" else 302 if fault == "moved" else 200)
        self.send_header("Location", "http://127.0.0.1:1/")
        if fault != "close-cut":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if fault == "trickle":
            self.trickle(body, vendor)
        else:
            self.wfile.write(body[: len(body) // 2] if "cut" in fault else body)
        self.close_connection = True

    def trickle(self, body: bytes, vendor: Vendor) -> None:
        for i in range(len(body)):
            try:
                self.wfile.write(body[i : i + 1])
            except OSError:
                return
            if vendor.release.wait(0.05):
                return

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        pass


@pytest.fixture
def vendor() -> Iterator[tuple[Vendor, str]]:
    one = Vendor()
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        server.vendor = one  # type: ignore[attr-defined]
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield one, f"http://127.0.0.1:{server.server_address[1]}/tickets?branch=7"
        one.release.set()
        server.shutdown()
        thread.join(5)


def poll(url: str, header_file: Path | None = None, mapped: Mapped | None = None) -> QueueHttpSource:
    return QueueHttpSource(
        url,
        DeviceState(),
        every_ms=10,
        header_file=header_file,
        row_mapper=mapped,
        total_timeout_s=1.0,
    )


def tickets(outbox: Outbox) -> list[str]:
    return [json.loads(row.body)["ticket"] for row in outbox.rows_after(0, 1_000)]


def drain(source: QueueHttpSource, outbox: Outbox) -> None:
    while source.poll_once(outbox):
        pass


def test_pages_are_taken_to_the_end_and_on_from_the_cursor(vendor: tuple[Vendor, str], outbox: Outbox) -> None:
    there, url = vendor
    there.events = [issued(i) for i in range(8)]
    drain(poll(url), outbox)
    there.events += [issued(i) for i in range(8, 10)]
    drain(poll(url), outbox)
    assert tickets(outbox) == [f"k{i}" for i in range(10)]
    assert there.asked[0][0] == "/tickets?branch=7"
    assert there.asked[1][0] == "/tickets?branch=7&since=3"


@pytest.mark.parametrize("with_ids", [True, False])
def test_what_is_delivered_again_is_not_taken_again(vendor: tuple[Vendor, str], outbox: Outbox, with_ids: bool) -> None:
    there, url = vendor
    there.repeats = 4
    for i in range(12):
        event = issued(i)
        there.events.append(event if with_ids else {k: v for k, v in event.items() if k != "id"})
        drain(poll(url), outbox)
    assert tickets(outbox) == [f"k{i}" for i in range(12)]


def test_a_repeat_inside_one_answer_is_taken_once(vendor: tuple[Vendor, str], outbox: Outbox) -> None:
    there, url = vendor
    there.events = [issued(1), issued(1), issued(2)]
    drain(poll(url), outbox)
    assert sorted(tickets(outbox)) == ["k1", "k2"]


@pytest.mark.parametrize("fault", ["hang", "cut", "close-cut", "trickle", "big", "odd", "busy", "moved"])
def test_a_bad_answer_takes_nothing_and_the_next_takes_all(
    vendor: tuple[Vendor, str], outbox: Outbox, fault: str
) -> None:
    there, url = vendor
    there.events, there.fault = [issued(i) for i in range(3)], fault
    source = poll(url)
    with pytest.raises(OSError):  # noqa: PT011 - each fault has its own words
        source.poll_once(outbox)
    assert (outbox.pending_count(), outbox.cursor(source.name)) == (0, "")
    there.release.set()
    drain(source, outbox)
    assert tickets(outbox) == ["k0", "k1", "k2"]


def test_a_commit_that_fails_takes_nothing(
    vendor: tuple[Vendor, str], outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, url = vendor
    there.events = [issued(i) for i in range(3)]

    def full(*_: object, **__: object) -> None:
        raise OSError("no space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(outbox, "append", full)
        with pytest.raises(OSError, match="no space"):
            poll(url).poll_once(outbox)
    drain(poll(url), outbox)
    assert tickets(outbox) == ["k0", "k1", "k2"]


def test_bad_events_are_counted_skipped_and_never_logged(
    vendor: tuple[Vendor, str], outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("edge_agent").propagate = True
    there, url = vendor
    there.events = [issued(0), {**issued(1), "name": "Nguyen"}, {**issued(2), "ticket": "079123456789"}]
    source = poll(url)
    drain(source, outbox)
    assert (tickets(outbox), source.skipped_events) == (["k0"], 2)
    assert "bad_events_skipped" in caplog.text
    assert "Nguyen" not in caplog.text
    assert "079123456789" not in caplog.text


def test_each_skipped_event_is_named_by_position_field_and_reason_and_its_neighbours_are_taken(
    vendor: tuple[Vendor, str], outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("edge_agent").propagate = True
    there, url = vendor
    there.page = 9
    there.events = [
        issued(0), {**issued(1), "t": "8h05 bà Lan"}, {**issued(2), "Lan": 1, "tikcet": 1}, {**issued(3), "call": 1},
        {**issued(4), "class": "bà Lan"}, {key: part for key, part in issued(5).items() if key != "queue"},
        {**issued(6), "ticket": "079123456789"}, {**issued(7), "type": "Lan"}, issued(8),
    ]  # fmt: skip
    source = poll(url)
    drain(source, outbox)
    assert (tickets(outbox), source.skipped_events) == (["k0", "k8"], 7)
    named = [
        (r.fields["position"], r.fields["field"], r.fields["reason"])
        for r in caplog.records if r.getMessage() == "event_skipped" and hasattr(r, "fields")
    ]  # fmt: skip
    assert named == [
        (2, "t", "Expected `int`, got `str`"),
        (3, "event", "has a field that is not a field of this type; remove it"),
        (4, "call", "not a field of this type"),
        (5, "class", "is none of the values allowed"),
        (6, "queue", "is missing"),
        (7, "event", "a value looks like personal data"),
        (8, "type", "is none of the values allowed"),
    ]
    assert "Lan" not in caplog.text
    assert "079123456789" not in caplog.text
    assert "bà Lan" not in "".join(str(getattr(r, "fields", "")) for r in caplog.records)


def test_many_skipped_events_are_named_up_to_a_limit_and_all_counted(
    vendor: tuple[Vendor, str], outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("edge_agent").propagate = True
    there, url = vendor
    there.page = MAX_NAMED_EVENTS + 5
    there.events = [{**issued(i), "queue": 1} for i in range(there.page)]
    source = poll(url)
    drain(source, outbox)
    assert source.skipped_events == there.page
    assert sum(r.getMessage() == "event_skipped" for r in caplog.records) == MAX_NAMED_EVENTS


def test_a_token_is_read_from_its_file_each_time(vendor: tuple[Vendor, str], outbox: Outbox, tmp_path: Path) -> None:
    there, url = vendor
    header = tmp_path / "header"
    header.write_text("Authorization: Bearer one\n")
    source = poll(url, header_file=header)
    source.poll_once(outbox)
    header.write_text("Authorization: Bearer two\n")
    source.poll_once(outbox)
    assert [headers["Authorization"] for _, headers in there.asked] == ["Bearer one", "Bearer two"]
    header.write_text("just a token\n")
    with pytest.raises(QueueUnavailable, match=r"header:1: not a header; write NAME: VALUE"):
        source.poll_once(outbox)


def test_no_server_and_odd_urls(free_port: int, outbox: Outbox) -> None:
    with pytest.raises(HttpFailure) as failure:
        poll(f"http://127.0.0.1:{free_port}/").poll_once(outbox)
    assert failure.value.kind == "refused"
    with pytest.raises(QueueUnavailable, match="use http or https"):
        poll("file:///etc/passwd").poll_once(outbox)


def test_supervision_is_told_after_several_failures_in_a_row(free_port: int, outbox: Outbox) -> None:
    source = poll(f"http://127.0.0.1:{free_port}/")
    source.every_ms = 1
    with pytest.raises(QueueUnavailable):
        source.run(outbox, threading.Event())


def test_it_polls_until_stopped(vendor: tuple[Vendor, str], outbox: Outbox) -> None:
    there, url = vendor
    there.events = [issued(0)]
    stop = threading.Event()
    thread = threading.Thread(target=poll(url).run, args=(outbox, stop), daemon=True)
    thread.start()
    wait(lambda: outbox.highest_n == 1)
    there.events.append(issued(1))
    wait(lambda: outbox.highest_n == 2)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def wait(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


MAPPING = """name = "acme"
title = { vi = "Acme", en = "Acme" }
zone = "Asia/Ho_Chi_Minh"
[services]
land = { vi = "Đất đai", en = "Land", values = ["L"] }
[[skip]]
label = "tests"
when = { column = "desk", equals = "TEST" }
[[event]]
type = "ticket.issued"
when = { column = "what", equals = "print" }
ticket = { ticket = ["ticket.no"] }
service = { service = "desk" }
t = { column = "at", format = "iso" }
"""


def test_a_vendors_own_fields_go_through_a_mapping(vendor: tuple[Vendor, str], outbox: Outbox, tmp_path: Path) -> None:
    there, url = vendor
    (tmp_path / "acme.toml").write_text(MAPPING, "utf-8")
    good = {"id": "a", "what": "print", "desk": "L", "at": "2026-01-05T08:00:00", "ticket": {"no": 17}, "more": None}
    there.events = [good, {**good, "id": "b", "desk": "TEST"}, {**good, "id": "c", "at": "soon"}, {"what": "blink"}]
    there.page = 9
    source = poll(url, mapped=load_row_mapper(str(tmp_path / "acme.toml")))
    drain(source, outbox)
    (only,) = [json.loads(row.body) for row in outbox.rows_after(0, 9)]
    assert (only["type"], only["service"], only["t"]) == ("ticket.issued", "land", 1_767_574_800_000)
    assert "17" not in only["ticket"][:3]
    assert source.skipped_events == 1
