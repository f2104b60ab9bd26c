"""The local HTTP source over a real socket: 201 only after the commit, every refusal with field and remedy."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from edge_agent.outbox import Outbox
from edge_agent.sources import local_http
from edge_agent.sources.local_http import MAX_BODY_BYTES, HttpSource
from edge_agent.sources.parsing import TIME_BOUNDS
from edge_agent.sources.posted_events import MAX_EVENTS_PER_POST
from edge_agent.sources.state import DeviceState
from telemetry.core.protocol import codec, events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_767_225_600_000
"""The device's clock: 2026-01-01 00:00 UTC."""
PAID: dict[str, Any] = {"type": "payment.result", "t": NOW, "outcome": "ok"}
TICKET: dict[str, Any] = {"type": "ticket.issued", "t": NOW, "ticket": "t1", "queue": "a", "service": "land"}


@dataclass
class Kiosk:
    """A caller and the source it calls."""

    source: HttpSource
    outbox: Outbox
    headers: dict[str, str] = field(default_factory=dict)
    """The headers of the last answer."""

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, dict[str, Any]]:
        line = http.client.HTTPConnection("127.0.0.1", self.source.bound_port, timeout=5)
        try:
            line.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = line.getresponse()
            problem = "problem+json" in str(answer.getheader("Content-Type"))
            assert problem == (answer.status >= 400)
            self.headers = dict(answer.getheaders())
            text = answer.read()
            return answer.status, json.loads(text) if text else {}
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
def kiosk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kiosk]:
    monkeypatch.setattr(local_http._EventServer, "timeout", 0.01)
    outbox = Outbox(tmp_path / "o.db", lambda: "s")
    source = HttpSource(0, DeviceState(), lambda: NOW, "vn83-a-kiosk1", frozenset({"land", "tax"}))
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
    assert kiosk.post(body) == (201, {"first": 1, "last": count, "repeated": False, "warnings": []})
    assert kiosk.outbox.pending_count() == count


def test_a_repeated_key_adds_nothing_and_gets_the_same_answer(kiosk: Kiosk) -> None:
    kiosk.post(PAID)
    assert kiosk.post([PAID, PAID], Idempotency_Key="a") == (
        201,
        {"first": 2, "last": 3, "repeated": False, "warnings": []},
    )
    assert kiosk.post([PAID, PAID], Idempotency_Key="a") == (
        201,
        {"first": 2, "last": 3, "repeated": True, "warnings": []},
    )
    assert kiosk.post(PAID, Idempotency_Key="b")[1]["first"] == 4
    assert kiosk.outbox.pending_count() == 4


def test_without_a_key_every_post_counts(kiosk: Kiosk) -> None:
    assert [kiosk.post(PAID)[1]["first"] for _ in range(3)] == [1, 2, 3]


def test_heartbeats_learn_what_was_posted(kiosk: Kiosk) -> None:
    kiosk.post({"type": "centre.mode", "t": NOW, "mode": "emergency"})
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
    ({"type": "device.contact", "t": 1}, "type"),
    ({**PAID, "type": "ticket.resumed", "ticket": "079123456789"}, "outcome"),
    ({"type": "ticket.issued", "t": NOW, "ticket": "079123456789", "queue": "q", "service": "s"}, "event"),
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
    assert kiosk.post(PAID, Idempotency_Key="a") == (201, {"first": 1, "last": 1, "repeated": False, "warnings": []})


def test_health_and_unknown_pages(kiosk: Kiosk) -> None:
    assert kiosk.ask("GET", "/healthz") == (200, {"status": "ok", "pending": 0})
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
    dropped = {"type": "outbox.dropped", "t": NOW, "ranges": [[1, 5]], "count": 5}
    status, problem = kiosk.post(dropped)
    assert (status, problem["field"]) == (400, "type")


def stored_events(kiosk: Kiosk) -> list[ev.Event]:
    return [codec.decode_event(row.body) for row in kiosk.outbox.rows_after(0, 99)]


def test_an_event_without_a_time_happened_now(kiosk: Kiosk) -> None:
    assert kiosk.post({"type": "payment.result", "outcome": "ok"})[0] == 201
    assert [event.t for event in stored_events(kiosk)] == [NOW]


DAY_MS = 86_400_000


@pytest.mark.parametrize(
    ("field", "value", "unit"),
    [
        ("t", NOW // 1000, "seconds"),
        ("t", NOW // 60_000, "minutes"),
        ("t", NOW * 1000, "microseconds"),
        ("t", NOW * 1_000_000, "nanoseconds"),
        ("t", NOW / 1000 + 0.5, "seconds"),
        ("entered", NOW // 1000, "seconds"),
        ("t", NOW - 400 * DAY_MS - 1, ""),
        ("t", NOW + 300_001, ""),
        ("entered", NOW + 300_001, ""),
        ("t", 0, ""),
    ],
)
def test_a_time_in_another_unit_or_far_away_is_refused_with_its_unit(
    kiosk: Kiosk, field: str, value: float, unit: str
) -> None:
    call = {**TICKET, "type": "ticket.called", "entered": NOW - 60_000, "counter": "c1"}
    status, problem = kiosk.post({**call, field: value})
    assert (status, problem["field"]) == (400, field)
    assert "milliseconds" in problem["remedy"]
    assert (f"looks like {unit}" in problem["remedy"]) == bool(unit), problem
    assert kiosk.outbox.pending_count() == 0


@pytest.mark.parametrize("t", [1, NOW // 2])
def test_a_time_of_a_clock_that_was_never_set_is_stored_with_a_warning(kiosk: Kiosk, t: int) -> None:
    """The sender cannot correct it: the event must not be lost."""
    status, answer = kiosk.post({**PAID, "t": t})
    assert (status, [warning["field"] for warning in answer["warnings"]]) == (201, ["t"])


@pytest.mark.parametrize("t", [NOW - 400 * DAY_MS, NOW + 300_000])
def test_times_at_the_bounds_are_accepted(kiosk: Kiosk, t: int) -> None:
    assert kiosk.post({**PAID, "t": t})[0] == 201


def test_a_clock_that_was_never_set_judges_no_time(kiosk: Kiosk) -> None:
    kiosk.source.clock = lambda: 5_000
    assert kiosk.post(PAID)[0] == 201


def test_every_time_field_of_every_event_has_bounds() -> None:
    times = {
        name
        for kind in ev.AGENT_EVENTS
        for owner in kind.__mro__
        for name, hint in vars(owner).get("__annotations__", {}).items()
        if hint in {"Ms", "Ms | None"} and not name.endswith("_ms")
    }
    assert times == set(TIME_BOUNDS)


def test_a_key_used_with_another_body_is_refused(kiosk: Kiosk) -> None:
    kiosk.post(PAID, Idempotency_Key="a")
    status, problem = kiosk.post([PAID, PAID], Idempotency_Key="a")
    assert (status, problem["field"]) == (422, "Idempotency-Key")
    assert kiosk.outbox.pending_count() == 1


def test_an_undeclared_service_is_stored_with_a_warning(kiosk: Kiosk) -> None:
    moved = {**TICKET, "type": "ticket.transferred", "entered": NOW, "to_queue": "b", "to_service": "lend"}
    status, answer = kiosk.post([TICKET, {**TICKET, "service": "lan"}, moved])
    assert (status, answer["first"], answer["last"]) == (201, 1, 3)
    assert [(w["index"], w["field"]) for w in answer["warnings"]] == [(2, "service"), (3, "to_service")]
    assert "land, tax" in answer["warnings"][0]["detail"]


def test_without_declared_services_nothing_is_warned_of(kiosk: Kiosk) -> None:
    kiosk.source.services = frozenset()
    assert kiosk.post({**TICKET, "service": "anything"})[1]["warnings"] == []


def test_validate_checks_and_stores_nothing(kiosk: Kiosk) -> None:
    body = json.dumps([PAID, {**TICKET, "service": "x"}]).encode()
    status, answer = kiosk.ask("POST", "/events?validate=1", body, Idempotency_Key="a")
    assert (status, answer["valid"], answer["events"]) == (200, True, 2)
    assert [w["index"] for w in answer["warnings"]] == [2]
    assert kiosk.ask("POST", "/events?validate=1", b"[{}]")[0] == 400
    assert kiosk.outbox.pending_count() == 0
    assert kiosk.ask("POST", "/events?validate=0", body, Idempotency_Key="a")[0] == 201


@pytest.mark.parametrize("query", ["valdate=1", "validate=2", "validate=1&validate=1", "validate", "validate="])
def test_an_unknown_or_doubtful_parameter_is_refused(kiosk: Kiosk, query: str) -> None:
    status, problem = kiosk.ask("POST", f"/events?{query}", json.dumps(PAID).encode())
    assert (status, problem["field"], bool(problem["remedy"])) == (400, query.partition("=")[0], True)
    assert kiosk.outbox.pending_count() == 0


def test_all_faults_of_a_list_are_reported_with_their_index(kiosk: Kiosk) -> None:
    status, problem = kiosk.post([PAID, {**PAID, "outcome": "x"}, 7, {**PAID, "t": 0, "n": 1}, {**PAID, "t": 0}])
    assert (status, problem["error_count"], problem["status"]) == (400, 5, 400)
    found = [(e["index"], e["field"]) for e in problem["errors"]]
    assert found == [(2, "outcome"), (3, "event"), (4, "n"), (4, "t"), (5, "t")]
    assert all("line" not in e for e in problem["errors"])


def test_all_faults_of_one_event_are_reported(kiosk: Kiosk) -> None:
    """A sender with several wrong fields corrects them in one step."""
    status, problem = kiosk.post(
        {
            "type": "ticket.called",
            "tikcet": "t1",
            "queue": "QUẦY 1",
            "service": "land",
            "call": 0,
            "name": "x",
            "t": NOW // 1000,
        }
    )
    fields = ["call", "counter", "entered", "name", "queue", "t", "ticket", "tikcet"]
    assert (status, problem["error_count"]) == (400, 8)
    assert sorted(error["field"] for error in problem["errors"]) == fields
    remedies = {error["field"]: error["remedy"] for error in problem["errors"]}
    assert remedies["queue"] == "use an id of a-z, 0-9 and -, at most 63 characters"
    assert remedies["tikcet"] == "remove it; did you mean `ticket`?"


@pytest.mark.parametrize(
    ("t", "distance"),
    [
        (NOW // 1000, "20,433 days before"),
        (NOW + 3_600_000, "60 minutes after"),
        (NOW + 30 * 3_600_000, "30 hours after"),
    ],
)
def test_a_far_time_is_named_in_units_that_people_read(kiosk: Kiosk, t: int, distance: str) -> None:
    assert kiosk.post({**TICKET, "t": t})[1]["detail"] == f"event 1: {t} is {distance} this device's clock ({NOW})"


def test_a_call_before_the_entry_is_stored_with_a_warning(kiosk: Kiosk) -> None:
    """Its wait would be negative; it is not counted, and the sender learns that at once."""
    call = {**TICKET, "type": "ticket.called", "counter": "c1"}
    status, answer = kiosk.post([{**call, "entered": NOW}, {**call, "entered": NOW + 5_000}])
    assert (status, [(w["index"], w["field"]) for w in answer["warnings"]]) == (201, [(2, "entered")])


def test_faults_of_json_lines_have_their_line(kiosk: Kiosk) -> None:
    body = b"\n".join([json.dumps(PAID).encode(), b"", b"{no json", json.dumps({**PAID, "outcome": "x"}).encode()])
    status, problem = kiosk.post(body)
    assert status == 400
    assert [(e["index"], e["line"], e["field"]) for e in problem["errors"]] == [(2, 3, "line"), (3, 4, "outcome")]
    status, problem = kiosk.post(b"{no json", Content_Type="application/x-ndjson")
    assert [(e["index"], e["line"]) for e in problem["errors"]] == [(1, 1)]
    assert kiosk.outbox.pending_count() == 0


def test_a_broken_list_over_many_lines_has_one_fault(kiosk: Kiosk) -> None:
    status, problem = kiosk.post(json.dumps([PAID] * 3, indent=1).encode()[:-2])
    assert (status, problem["error_count"], problem["field"]) == (400, 1, "body")


@pytest.mark.parametrize("start", [b"\xef\xbb\xbf", b"\x00\x00", b"\x00\xef\xbb\xbf\xef\xbb\xbf"])
@pytest.mark.parametrize("end", [b"", b"\x00"])
def test_marks_and_nuls_around_a_body_are_no_fault(kiosk: Kiosk, start: bytes, end: bytes) -> None:
    assert kiosk.post(start + json.dumps(PAID).encode() + end)[0] == 201
    assert kiosk.post(start + b"\n".join([json.dumps(PAID).encode()] * 2) + end)[0] == 201


@pytest.mark.parametrize(
    ("headers", "body", "field"),
    [
        ({"Content_Type": "application/json; charset=utf-8"}, json.dumps(PAID).encode(), ""),
        ({"Content_Type": 'application/json; charset="UTF_8"'}, json.dumps(PAID).encode(), ""),
        ({"Content_Type": "application/json; charset=us-ascii"}, json.dumps(PAID).encode(), ""),
        ({"Content_Type": "application/json; charset=utf-16"}, json.dumps(PAID).encode("utf-16"), ""),
        ({"Content_Type": "application/json; charset=utf-16le"}, json.dumps(PAID).encode("utf-16-le"), ""),
        ({"Content_Type": "application/json; charset=utf-16"}, json.dumps(PAID).encode() + b" ", "body"),
        ({"Content_Type": "application/json; charset=utf-16"}, json.dumps(PAID).encode() * 2 + b" ", "Content-Type"),
        ({"Content_Type": "application/json; charset=utf-32"}, json.dumps(PAID).encode(), "Content-Type"),
        ({"Content_Type": "application/json; charset=utf-16-x"}, json.dumps(PAID).encode(), "Content-Type"),
        ({"Content_Type": "application/json; charset=windows-1258"}, json.dumps(PAID).encode(), "Content-Type"),
        ({"Content_Type": "application/json; charset=no-such"}, json.dumps(PAID).encode(), "Content-Type"),
        ({"Content_Type": "application/json; charset*=utf-9'x'%ff"}, json.dumps(PAID).encode(), ""),
        ({"Content_Type": "; ; ="}, json.dumps(PAID).encode(), ""),
        ({"Content_Encoding": "gzip"}, gzip.compress(json.dumps(PAID).encode()), "Content-Encoding"),
        ({"Content_Encoding": "br"}, b"\x1b", "Content-Encoding"),
        ({"Content_Encoding": "Identity"}, json.dumps(PAID).encode(), ""),
    ],
    ids=range(16),
)
def test_a_declared_coding_is_undone_or_refused_by_name(
    kiosk: Kiosk, headers: dict[str, str], body: bytes, field: str
) -> None:
    status, answer = kiosk.post(body, **headers)
    assert (status, answer.get("field", "")) == (400 if field else 201, field)


@pytest.mark.parametrize(
    "head",
    [
        "Transfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: " + "9" * 5_000 + "\r\n",
        "Content-Length: \u0665\r\n",
        "Expect: 100-continue\r\nTransfer-Encoding: chunked\r\n",
        "X-Long: " + "a" * 70_000 + "\r\n",
        "".join(f"X-{i}: 1\r\n" for i in range(200)),
    ],
    ids=range(11),
)
def test_an_odd_request_head_gets_a_problem_and_the_next_request_an_answer(kiosk: Kiosk, head: str) -> None:
    answer = kiosk.raw(f"POST /events HTTP/1.1\r\nHost: 127.0.0.1\r\n{head}\r\n".encode() + b"5\r\nhello\r\n0\r\n\r\n")
    answer = answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert not answer or answer.startswith(b"HTTP/1.1 4"), answer
    assert kiosk.post(PAID)[0] == 201


def test_head_is_wherever_get_is(kiosk: Kiosk) -> None:
    for path in ("/", "/healthz", "/openapi.json"):
        got, head = kiosk.ask("GET", path), kiosk.ask("HEAD", path)
        assert (got[0], head) == (200, (200, {}))
    assert kiosk.raw(b"HEAD /none HTTP/1.1\r\nHost: localhost\r\n\r\n").startswith(b"HTTP/1.1 404")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be"])
def test_other_forms_of_unicode_are_read(kiosk: Kiosk, encoding: str) -> None:
    assert kiosk.post(json.dumps(PAID).encode(encoding))[0] == 201


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"payment.result","outcome":"ok","t":' + b"9" * 400 + b"}",
        b'{"type":"payment.result","outcome":"ok","t":' + b"9" * 5_000 + b"}",
        b'{"type":"payment.result","outcome":"ok","t":NaN}',
        b'{"type":"payment.result","outcome":"ok","t":1e400}',
        b'{"type":"payment.result","outcome":"ok","outcome":"user_cancel"}',
        b'[{"type":"payment.result","outcome":"ok","outcome":"user_cancel"}]',
        b"[" * 20_000 + b"]" * 20_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b'{"type":"payment.result","outcome":"\\ud800"}',
        b'{"type":"payment.result","outcome":"\xff"}',
        b"\xff\xfe{\x00",
        b"\xfe\xff",
        b"\x00",
        b"NaN",
    ],
)
def test_poison_is_refused_with_a_remedy(kiosk: Kiosk, body: bytes) -> None:
    status, problem = kiosk.post(body)
    assert (status, bool(problem["remedy"]), kiosk.outbox.pending_count()) == (400, True, 0)
    assert kiosk.post(PAID)[0] == 201


def test_more_events_than_one_request_may_have_are_refused(kiosk: Kiosk) -> None:
    assert kiosk.post(b"[" + b",".join([b"0"] * (MAX_EVENTS_PER_POST + 1)) + b"]")[0] == 413
    assert kiosk.post(b"0\n" * (MAX_EVENTS_PER_POST + 1), Content_Type="application/x-ndjson")[0] == 413


@pytest.mark.parametrize(
    ("event", "suggestion"),
    [({**PAID, "type": "payment.resutl"}, "payment.result"), ({**TICKET, "chanel": "kiosk"}, "channel")],
)
def test_a_misspelt_name_gets_a_suggestion(kiosk: Kiosk, event: dict[str, Any], suggestion: str) -> None:
    assert f"did you mean `{suggestion}`?" in kiosk.post(event)[1]["remedy"]


def test_pages_describe_themselves(kiosk: Kiosk) -> None:
    status, index = kiosk.ask("GET", "/")
    assert (status, index["device"], set(index["links"])) == (
        200,
        "vn83-a-kiosk1",
        {"/events", "/healthz", "/openapi.json"},
    )
    status, document = kiosk.ask("GET", "/openapi.json")
    assert (status, document["openapi"], set(document["paths"])) == (
        200,
        "3.1.0",
        {"/", "/events", "/healthz", "/openapi.json"},
    )
    for path in ("/", "/healthz", "/openapi.json"):
        assert kiosk.ask("HEAD", path) == (200, {})
        assert int(kiosk.headers["Content-Length"]) > 20


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/events", "OPTIONS, POST"), ("DELETE", "/", "GET, HEAD, OPTIONS"), ("QUERY", "/events", "OPTIONS, POST")],
)
def test_a_method_that_a_page_has_not_is_a_problem_with_allow(
    kiosk: Kiosk, method: str, path: str, allowed: str
) -> None:
    assert kiosk.ask(method, path)[0] == 405
    assert kiosk.headers["Allow"] == allowed


def test_a_page_of_this_host_may_ask_first(kiosk: Kiosk) -> None:
    assert kiosk.ask("OPTIONS", "/events", Origin="http://localhost:3000") == (204, {})
    assert kiosk.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert "Idempotency-Key" in kiosk.headers["Access-Control-Allow-Headers"]
    kiosk.post(PAID, Origin="http://localhost:3000")
    assert kiosk.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
    assert kiosk.ask("OPTIONS", "/events", Origin="http://[")[0] == 403


def test_what_is_no_http_gets_a_problem(kiosk: Kiosk) -> None:
    assert b"application/problem+json" in kiosk.raw(b"nonsense\r\n\r\n")
    assert b" 403 " in kiosk.raw(b"GET / HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("head", ["GET / HTTP/1.1", "HEAD /healthz HTTP/1.1", "OPTIONS /events HTTP/1.1"])
@pytest.mark.parametrize("length", ["Content-Length: {}", "Content-Length: +{}", "Transfer-Encoding: chunked"])
def test_a_body_that_no_page_reads_is_never_taken_for_a_request(kiosk: Kiosk, head: str, length: str) -> None:
    event = json.dumps(PAID).encode()
    hidden = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s" % (len(event), event)
    request = f"{head}\r\nHost: localhost\r\n{length.format(len(hidden))}\r\n\r\n".encode() + hidden
    with socket.create_connection(("127.0.0.1", kiosk.source.bound_port), 5) as line:
        line.sendall(request)
        line.shutdown(socket.SHUT_WR)
        with line.makefile("rb") as answers:
            answer = answers.read()
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"Connection: close\r\n" in answer
    assert kiosk.outbox.pending_count() == 0


def test_one_connection_serves_many_requests(kiosk: Kiosk) -> None:
    line = http.client.HTTPConnection("127.0.0.1", kiosk.source.bound_port, timeout=5)
    for method, path, body in (("GET", "/", b""), ("POST", "/events", json.dumps(PAID).encode()), ("GET", "/", b"")):
        line.request(method, path, body or None)
        answer = line.getresponse()
        assert (answer.status < 300, answer.will_close) == (True, False)
        answer.read()
    line.close()


def test_a_body_that_comes_too_slowly_is_given_up(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_http, "REQUEST_TIMEOUT_S", 0.3)
    head = b"POST /events HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n"
    with socket.create_connection(("127.0.0.1", kiosk.source.bound_port), 5) as line:
        line.sendall(head + b"[")
        assert b" 408 " in line.recv(65_536)


def test_more_connections_than_allowed_are_refused(kiosk: Kiosk) -> None:
    lines = [
        socket.create_connection(("127.0.0.1", kiosk.source.bound_port), 5)
        for _ in range(local_http.MAX_CONNECTIONS + 1)
    ]
    assert b" 503 " in lines[-1].recv(65_536)
    for line in lines:
        line.close()
