"""The local HTTP source over a real socket: 201 only after the commit, every refusal with field and remedy."""

from __future__ import annotations

import http.client
import json
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.outbox import Outbox
from edge_agent.sources.local_http import MAX_BODY_BYTES, HttpSource
from edge_agent.sources.state import DeviceState

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAID: dict[str, Any] = {"type": "payment.result", "t": 1, "outcome": "ok"}


@dataclass
class Kiosk:
    """A caller and the source it calls."""

    source: HttpSource
    outbox: Outbox

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
        line = http.client.HTTPConnection("127.0.0.1", self.source.bound_port, timeout=5)
        try:
            line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = line.getresponse()
            problem = "problem+json" in str(answer.getheader("Content-Type"))
            assert problem == (answer.status >= 400)
            return answer.status, json.loads(answer.read())
        finally:
            line.close()

    def post(self, value: object, **headers: str) -> tuple[int, dict[str, Any]]:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", "/events", body, **headers)

    def raw(self, text: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.source.bound_port), 5) as line:
            line.sendall(text)
            return line.recv(65_536)


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    outbox = Outbox(tmp_path / "o.db", lambda: "s")
    source = HttpSource(0, DeviceState(), lambda: 1_000)
    stop = threading.Event()
    thread = threading.Thread(target=source.run, args=(outbox, stop))
    thread.start()
    deadline = time.monotonic() + 5
    while not source.bound_port and time.monotonic() < deadline:
        time.sleep(0.005)
    yield Kiosk(source, outbox)
    stop.set()
    thread.join(5)
    assert not thread.is_alive()
    outbox.close()


@pytest.mark.parametrize(
    ("body", "count"),
    [
        (json.dumps(PAID).encode(), 1),
        (json.dumps(PAID, indent=1).encode(), 1),
        (json.dumps([PAID] * 3).encode(), 3),
        (b"\n".join([json.dumps(PAID).encode()] * 2) + b"\n\n", 2),
    ],
)
def test_an_object_a_list_and_lines_are_taken(kiosk: Kiosk, body: bytes, count: int) -> None:
    assert kiosk.post(body) == (201, {"first": 1, "last": count, "repeated": False})
    assert kiosk.outbox.pending_count() == count


def test_a_repeated_key_adds_nothing_and_gets_the_same_answer(kiosk: Kiosk) -> None:
    kiosk.post(PAID)
    assert kiosk.post([PAID, PAID], Idempotency_Key="a") == (201, {"first": 2, "last": 3, "repeated": False})
    assert kiosk.post([PAID, PAID], Idempotency_Key="a") == (201, {"first": 2, "last": 3, "repeated": True})
    assert kiosk.post(PAID, Idempotency_Key="b")[1]["first"] == 4
    assert kiosk.outbox.pending_count() == 4


def test_without_a_key_every_post_counts(kiosk: Kiosk) -> None:
    assert [kiosk.post(PAID)[1]["first"] for _ in range(3)] == [1, 2, 3]


def test_heartbeats_learn_what_was_posted(kiosk: Kiosk) -> None:
    kiosk.post({"type": "centre.mode", "t": 1, "mode": "emergency"})
    assert kiosk.source.state.mode == "emergency"


BAD: list[tuple[object, str]] = [
    (b"no json", "body"),
    (b"", "body"),
    ([], "body"),
    (7, "event"),
    ({**PAID, "n": 1}, "n"),
    ({**PAID, "t": "now"}, "t"),
    ({**PAID, "outcome": "perhaps"}, "outcome"),
    ({**PAID, "amount": 5}, "amount"),
    ({"type": "payment.result", "outcome": "ok"}, "t"),
    ({"type": "device.contact", "t": 1}, "type"),
    ({**PAID, "type": "ticket.resumed", "ticket": "079123456789"}, "outcome"),
    ({"type": "ticket.issued", "t": 1, "ticket": "079123456789", "queue": "q", "service": "s"}, "event"),
]


@pytest.mark.parametrize(("body", "field"), BAD)
def test_a_bad_event_is_named_and_nothing_of_its_post_is_kept(kiosk: Kiosk, body: object, field: str) -> None:
    bad = [PAID, body] if isinstance(body, dict) else body
    status, problem = kiosk.post(bad)
    assert (status, problem["field"]) == (400, field), problem
    assert problem["remedy"]
    assert kiosk.outbox.pending_count() == 0


def test_lengths_are_insisted_on(kiosk: Kiosk) -> None:
    head = b"POST /events HTTP/1.1\r\nHost: localhost\r\n"
    assert b" 411 " in kiosk.raw(head + b"Transfer-Encoding: chunked\r\n\r\n")
    assert b" 413 " in kiosk.raw(head + b"Content-Length: %d\r\n\r\n" % (MAX_BODY_BYTES + 1))
    assert b" 400 " in kiosk.raw(head + b"Content-Length: -1\r\n\r\n")
    assert kiosk.post(PAID, Idempotency_Key="k" * 256)[0] == 400
    assert kiosk.outbox.pending_count() == 0


def test_an_outbox_that_cannot_be_written_answers_503_and_recovers(
    kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as broken:
        broken.setattr(kiosk.outbox, "append_idempotent", full)
        status, problem = kiosk.post(PAID, Idempotency_Key="a")
    assert (status, bool(problem["remedy"])) == (503, True)
    assert kiosk.post(PAID, Idempotency_Key="a") == (201, {"first": 1, "last": 1, "repeated": False})


def test_health_and_unknown_pages(kiosk: Kiosk) -> None:
    assert kiosk.ask("GET", "/healthz") == (200, {"status": "ok", "pending": 0})
    assert kiosk.ask("GET", "/events")[0] == 404
    assert kiosk.ask("POST", "/other")[0] == 404


def test_it_listens_on_the_loopback_only(kiosk: Kiosk) -> None:
    with socket.socket() as other:
        other.settimeout(1)
        assert other.connect_ex(("127.0.0.2", kiosk.source.bound_port)) != 0


def test_many_callers_at_once_get_rows_of_their_own(kiosk: Kiosk) -> None:
    firsts: list[int] = []
    callers = [threading.Thread(target=lambda: firsts.append(kiosk.post(PAID)[1]["first"])) for _ in range(8)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join(10)
    assert sorted(firsts) == list(range(1, 9))


@pytest.mark.parametrize("headers", [{"Origin": "https://elsewhere.example"}, {"Host": "elsewhere.example"}])
def test_a_web_page_of_elsewhere_cannot_post(kiosk: Kiosk, headers: dict[str, str]) -> None:
    assert kiosk.post(PAID, **headers)[0] == 403
    assert kiosk.outbox.pending_count() == 0


def test_a_page_of_this_host_may_post(kiosk: Kiosk) -> None:
    assert kiosk.post(PAID, Origin="http://localhost:3000")[0] == 201


def test_only_the_outbox_says_what_it_gave_up(kiosk: Kiosk) -> None:
    dropped = {"type": "outbox.dropped", "t": 1, "ranges": [[1, 5]], "count": 5}
    status, problem = kiosk.post(dropped)
    assert (status, problem["field"]) == (400, "type")
