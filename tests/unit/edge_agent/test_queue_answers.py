"""Queue systems' answers as the world writes them: cursors that fall back, bad elements, other codings and shapes."""

from __future__ import annotations

import codecs
import gzip
import json
import logging
import socket
import threading
import time
import unicodedata
import zlib
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import zstandard

from edge_agent.sources import seen_events
from edge_agent.sources.content_coding import MAX_RESPONSE_BYTES, UnusableAnswer, decompress_body
from edge_agent.sources.parsing import BadEvent
from edge_agent.sources.queue_answer import parse_answer
from edge_agent.sources.queue_http import QueueHttpSource, QueueUnavailable, load_row_mapper
from edge_agent.sources.queue_mapping import read_column
from edge_agent.sources.state import DeviceState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from edge_agent.outbox import Outbox

NOW = 1_767_225_600_000


def paid(t: int, **more: object) -> dict[str, Any]:
    return {"id": f"e{t}", "type": "payment.result", "t": t, "outcome": "ok", **more}


@dataclass
class Answer:
    """One answer of a queue system."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """Answers by a function of the cursor; `asked` are the requests' paths."""

    url: str = ""
    respond: Callable[[str], Answer] = lambda _: Answer(b"[]")
    asked: list[str] = field(default_factory=list)


class _Handler(BaseHTTPRequestHandler):
    server: Any

    def do_GET(self) -> None:
        one: Server = self.server.one
        one.asked.append(self.path)
        answer = one.respond(parse_qs(urlsplit(self.path).query).get("since", [""])[0])
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as http_server:
        one = Server(f"http://127.0.0.1:{http_server.server_address[1]}/q")
        http_server.one = one  # type: ignore[attr-defined]
        thread = threading.Thread(target=http_server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield one
        http_server.shutdown()
        thread.join(5)


def source_of(server: Server) -> QueueHttpSource:
    return QueueHttpSource(server.url, DeviceState(), every_ms=10, clock=lambda: NOW)


def times(outbox: Outbox) -> list[int]:
    return [json.loads(row.body)["t"] for row in outbox.rows_after(0, 100_000)]


def answered(events: list[Any], **more: object) -> Answer:
    return Answer(json.dumps({"events": events, **more}).encode())


@pytest.mark.parametrize(
    "end", ['""', "null", None, '"  "', "false", "[]", '{"at": 1}', f'"{"9" * 5_000}"', "9" * 5_000]
)
def test_a_cursor_never_falls_back_to_the_start(server: Server, outbox: Outbox, end: str | None) -> None:
    """The last page gives no cursor that can be used: the source stays where it is, and repeats nothing."""

    def respond(since: str) -> Answer:
        at = int(since or 0)
        tail = f', "next": "{at + 2}"' if at < 4 else "" if end is None else f', "next": {end}'
        return Answer(f'{{"events": {json.dumps([paid(at + 1), paid(at + 2)])}{tail}}}'.encode())

    server.respond = respond
    source = source_of(server)
    for _ in range(6):
        source.poll_once(outbox)
    assert times(outbox) == [1, 2, 3, 4, 5, 6]
    assert server.asked[-1] == "/q?since=4"


@pytest.mark.parametrize(
    ("written", "sent"), [("12", "12"), ("12.50", "12.50"), ('"a b/ế"', "a%20b%2F%E1%BA%BF"), ("1e3", "1e3")]
)
def test_a_cursor_is_sent_back_as_the_server_wrote_it(server: Server, outbox: Outbox, written: str, sent: str) -> None:
    server.respond = lambda _: Answer(f'{{"events": [], "next": {written}}}'.encode())
    source = source_of(server)
    source.poll_once(outbox)
    source.poll_once(outbox)
    assert server.asked == ["/q", f"/q?since={sent}"]


def test_a_cursor_that_stays_or_alternates_counts_nothing_twice(server: Server, outbox: Outbox) -> None:
    pages = {"": ([1, 2], "a"), "a": ([3], "b"), "b": ([4, 5], "a")}
    server.respond = lambda since: answered([paid(t) for t in pages[since][0]], next=pages[since][1])
    source = source_of(server)
    for _ in range(9):
        source.poll_once(outbox)
    assert times(outbox) == [1, 2, 3, 4, 5]
    server.respond = lambda since: answered([paid(len(server.asked) * 100)], next=since)
    assert not source.poll_once(outbox), "new events at the same cursor need no poll at once"
    assert len(times(outbox)) == 6


def test_a_server_that_begins_again_with_an_empty_history_is_followed(server: Server, outbox: Outbox) -> None:
    history = [paid(t) for t in range(10)]
    server.respond = lambda since: answered(history[int(since or 0) :], next=len(history))
    source = source_of(server)
    source.poll_once(outbox)
    history[:] = []
    source.poll_once(outbox)
    history[:] = [paid(50), paid(51)]
    source.poll_once(outbox)
    assert times(outbox) == [*range(10), 50, 51]


@pytest.mark.parametrize("with_ids", [True, False])
def test_more_events_than_the_cursor_holds_are_remembered(
    server: Server, outbox: Outbox, monkeypatch: pytest.MonkeyPatch, with_ids: bool
) -> None:
    """A history that goes round, longer than the digests in the cursor; also after a restart of the agent."""
    monkeypatch.setattr(seen_events, "PAGE_DIGESTS", 20)
    monkeypatch.setattr(seen_events, "MAX_RECENT_DIGESTS", 40)
    history = [paid(t) if with_ids else {k: v for k, v in paid(t).items() if k != "id"} for t in range(500)]
    server.respond = lambda since: answered(
        history[int(since or 0) : int(since or 0) + 30], next=(int(since or 0) + 30) % 510
    )
    for _ in range(3):
        source = source_of(server)
        for _ in range(17):
            source.poll_once(outbox)
    assert times(outbox) == list(range(500))
    assert len(outbox.cursor("queue_http")) < 1_500


def test_an_empty_or_odd_id_does_not_make_different_events_equal(server: Server, outbox: Outbox) -> None:
    server.respond = lambda _: answered(
        [paid(t, id=own) for t, own in enumerate(["", "", None, None, True, True, 1.5], 1)]
    )
    source = source_of(server)
    source.poll_once(outbox)
    source.poll_once(outbox)
    assert times(outbox) == [1, 2, 3, 4, 5, 6, 7]


BAD_ELEMENTS = [
    b"null", b"7", b'"x"', b"[1]", b"NaN", b"-Infinity", b"1" * 5_000, b'{"t":' + b"1" * 5_000 + b"}",
    b'{"id":"b","wait":NaN}', b'{"id":"b","type":"payment.result","t":Infinity}', b'{"a":"\\ud800"}', b'{"a":"\xff"}',
    b'{"type":"payment.result","t":1,"t":2,"outcome":"ok"}', b"[" * 5_000 + b"]" * 5_000,
    b'{"a":' * 3_000 + b"1" + b"}" * 3_000,
    b"{'a': 1}", b'{"a": 1e999}', b'{"a": "\t"}', b'{"a": .5}', b'{"t": 1e400}',
]  # fmt: skip


@pytest.mark.parametrize("bad", BAD_ELEMENTS, ids=range(len(BAD_ELEMENTS)))
def test_a_bad_element_is_skipped_once_and_its_neighbours_are_taken(server: Server, outbox: Outbox, bad: bytes) -> None:
    body = (
        b'{"events":[' + b",".join([json.dumps(paid(1)).encode(), bad, json.dumps(paid(2)).encode()]) + b'],"next":""}'
    )
    server.respond = lambda _: Answer(body)
    source = source_of(server)
    for _ in range(3):
        source.poll_once(outbox)
    assert (times(outbox), source.skipped_events) == ([1, 2], 1)


compress = partial(gzip.compress, mtime=0)
"""Without the time, so that every worker names a test alike."""
TWO = json.dumps({"events": [paid(1), paid(2)], "next": "c"}).encode()
RAW_DEFLATE = zlib.compressobj(wbits=-15)
ZSTD = zstandard.ZstdCompressor().compress(TWO)
BROTLI = bytes.fromhex(
    "1b8800e82d8e77102f5255119e17d419c25f8ae4ed79ca62265604135ede2c3a5d7d5b2446666b8bb894c175ca8986dc96421e9ef28b1ec40e0e"
    "393c588485516ba6a7be5a027c9f2c4801b0c5a9476ece1148d751672a07"
)
"""TWO, without the spaces that json.dumps writes."""


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (compress(TWO), "gzip"),
        (compress(TWO), "X-GZIP"),
        (compress(TWO), ""),
        (compress(TWO[:9]) + compress(TWO[9:]), "gzip"),
        (compress(TWO) + b"\x00\x00", "gzip"),
        (zlib.compress(TWO), "deflate"),
        (RAW_DEFLATE.compress(TWO) + RAW_DEFLATE.flush(), "deflate"),
        (compress(zlib.compress(TWO)), "deflate, gzip"),
        (TWO, "identity"),
        (codecs.BOM_UTF8 + TWO, ""),
        (TWO.decode().encode("utf-16"), ""),
        (b"\x00\x00" + TWO, ""),
        (json.dumps([paid(1), paid(2)]).encode(), ""),
        (ZSTD, "zstd"),
        (ZSTD, ""),
        (BROTLI, "br"),
        (zlib.compress(TWO), ""),
    ],
    ids=range(17),
)
def test_codings_and_marks_of_an_answer_are_understood(
    server: Server, outbox: Outbox, body: bytes, encoding: str
) -> None:
    server.respond = lambda _: Answer(body, headers={"Content-Encoding": encoding} if encoding else {})
    source_of(server).poll_once(outbox)
    assert times(outbox) == [1, 2]


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (TWO, "gzip"),
        (TWO, "deflate"),
        (TWO, "br"),
        (TWO, "utf-8"),
        (codecs.BOM_UTF8 + b"\r\n" + TWO, "gzip"),
        (compress(TWO), "deflate"),
        (compress(TWO), "br"),
        (zlib.compress(TWO), "gzip"),
        (compress(TWO), "aws-chunked"),
        (compress(TWO) + b"<!-- proxy -->", "gzip"),
    ],
    ids=range(10),
)
def test_a_body_is_what_its_bytes_say_whatever_its_header_names(
    server: Server, outbox: Outbox, body: bytes, encoding: str
) -> None:
    server.respond = lambda _: Answer(body, headers={"Content-Encoding": encoding})
    source_of(server).poll_once(outbox)
    assert times(outbox) == [1, 2]


@pytest.mark.parametrize(
    ("body", "encoding", "problem"),
    [
        (b"\x1b\x03", "br", "brotli"),
        (ZSTD[:4] + b"\xff" * 40, "zstd", "damaged|incomplete"),
        (ZSTD[:-3], "zstd", "incomplete"),
        (compress(TWO)[:-9], "gzip", "incomplete"),
        (b"<html>", "deflate", "damaged"),
        (compress(b" " * (MAX_RESPONSE_BYTES + 1)), "gzip", "over 4194304 bytes"),
        (compress(compress(b"\x00" * 5_000_000)), "gzip, gzip", "over 4194304 bytes"),
        (zstandard.ZstdCompressor().compress(b" " * (MAX_RESPONSE_BYTES + 1)), "", "over 4194304 bytes"),
    ],
    ids=range(8),
)
def test_a_coding_that_cannot_be_undone_is_named(body: bytes, encoding: str, problem: str) -> None:
    with pytest.raises(UnusableAnswer, match=problem):
        parse_answer(decompress_body(body, encoding))


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b'{"data":[]}', "without `events`; it has `data` instead"),
        (b'{"tickets": [{}]}', "it has `tickets` instead"),
        (b"{}", "without `events`"),
        (b'{"events": 5}', "`events` that is no list"),
        (b'{"events": [], "events": [1]}', "`events` more than once"),
        (b'{"type":"a"}\n{"type":"b"}', "JSON lines"),
        (b'{"events": [{}', "incomplete JSON"),
        (b"<html>", "no JSON"),
        (b"", "no JSON"),
        (b'"text"', "no JSON"),
    ],
)
def test_another_shape_is_refused_by_name(body: bytes, problem: str) -> None:
    with pytest.raises(UnusableAnswer, match=problem):
        parse_answer(body)


def test_null_instead_of_a_list_is_no_event() -> None:
    assert (parse_answer(b'{"events": null, "next": 5}').elements, parse_answer(b"[ ]").elements) == ([], [])


@pytest.mark.parametrize("status", [204, 304])
def test_nothing_new_is_no_fault(server: Server, outbox: Outbox, status: int) -> None:
    server.respond = lambda _: Answer(status=status, headers={})
    assert not source_of(server).poll_once(outbox)


@pytest.mark.parametrize("status", [206, 400, 404, 500])
def test_other_answers_are_refused(server: Server, outbox: Outbox, status: int) -> None:
    server.respond = lambda _: Answer(TWO, status)
    with pytest.raises(QueueUnavailable, match=f"answered {status}"):
        source_of(server).poll_once(outbox)
    assert times(outbox) == []


def test_redirects_on_the_same_server_are_followed_and_others_refused(server: Server, outbox: Outbox) -> None:
    places = {"/q": "/r?x=1", "/r?x=1": server.url.replace("/q", "/s")}
    server.respond = lambda _: (
        Answer(status=307, headers={"Location": places[server.asked[-1]]})
        if server.asked[-1] in places
        else Answer(TWO)
    )
    source_of(server).poll_once(outbox)
    assert (times(outbox), server.asked) == ([1, 2], ["/q", "/r?x=1", "/s"])
    for location, problem in (("/q", "more than 5 times"), ("http://[", "another server"), ("", "another server")):
        server.respond = lambda _, place=location: Answer(status=302, headers={"Location": place})  # type: ignore[misc]
        with pytest.raises(QueueUnavailable, match=problem):
            source_of(server).poll_once(outbox)


@dataclass
class Waits:
    """A stop signal that records the waits, s, and stops after `count` of them."""

    count: int
    waits: list[float] = field(default_factory=list)

    def is_set(self) -> bool:
        return len(self.waits) >= self.count

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0)
        return self.is_set()


@pytest.mark.parametrize(
    ("status", "header", "wait_s"),
    [(429, "7", 7), (503, "Thu, 01 Jan 2026 00:02:00 GMT", 120), (503, "999999999", 3_600), (500, "30", 30)],
)
def test_the_wait_that_a_server_asks_for_is_obeyed(
    server: Server, outbox: Outbox, status: int, header: str, wait_s: float
) -> None:
    """It is no failure of the source, however often it is asked for."""
    server.respond = lambda _: Answer(b"", status, {"Retry-After": header})
    stop = Waits(7)
    source_of(server).run(outbox, stop)
    assert stop.waits == [wait_s] * 7


def test_times_in_another_unit_are_skipped_and_named_with_the_unit(
    server: Server, outbox: Outbox, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger("edge_agent").propagate = True
    call = {"type": "ticket.called", "ticket": "k", "queue": "a", "service": "land", "counter": "c", "t": NOW}
    server.respond = lambda _: answered([
        paid(NOW), paid(NOW // 1000), paid(NOW * 1000), paid(NOW * 1_000_000), paid(NOW // 60_000),
        {**call, "entered": NOW // 1000}, {**call, "entered": NOW - 5},
    ])  # fmt: skip
    source = source_of(server)
    source.poll_once(outbox)
    assert (times(outbox), source.skipped_events) == ([NOW, NOW], 5)
    named = {
        (r.fields["field"], r.fields["unit"]) for r in caplog.records if hasattr(r, "fields") and "unit" in r.fields
    }
    assert named == {
        ("t", "seconds"),
        ("t", "microseconds"),
        ("t", "nanoseconds"),
        ("t", "minutes"),
        ("entered", "seconds"),
    }


VALUE = {
    "a": {"b": 1, "": 2},
    "a.b": "dotted",
    "list": [{"x": {"y": 1}}, {"x": {"y": 7.0}}],
    "flag": True,
    "half": 0.5,
    "big": 1e300,
    "none": None,
    "text": " Hộ tịch ",
    "0": "zero",
}


@pytest.mark.parametrize(
    ("column", "text"),
    [
        ("a.b", "dotted"),
        ("list.0.x.y", "1"),
        ("list.1.x.y", "7"),
        ("list.-1.x.y", "7"),
        ("list.2.x.y", ""),
        ("list.-3.x.y", ""),
        ("flag", "true"),
        ("half", "0.5"),
        ("big", "1e300"),
        ("none", ""),
        ("text", "Hộ tịch"),
        ("0", "zero"),
        ("missing", ""),
        ("flag.deeper", ""),
        ("a.", "2"),
    ],
)
def test_a_column_is_a_path(column: str, text: str) -> None:
    assert read_column(VALUE, column) == text


@pytest.mark.parametrize(
    ("column", "remedy"), [("list", "list.-1"), ("a", "a.FIELD"), ("list.x.y", "index"), ("list.0", "list.0.FIELD")]
)
def test_a_list_or_object_is_refused_by_name_and_never_a_text(column: str, remedy: str) -> None:
    with pytest.raises(BadEvent, match=remedy):
        read_column(VALUE, column)


MAPPING = """name = "hall"
title = { vi = "S", en = "Hall" }
zone = "Asia/Ho_Chi_Minh"
[services]
civil = { vi = "Hộ tịch", en = "Civil", values = ["Hộ tịch"] }
[[event]]
type = "ticket.issued"
ticket = { ticket = ["Số"] }
service = { service = "Lĩnh vực" }
t = { column = "at", format = "unix_s" }
"""


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("escaped", [True, False])
def test_texts_and_fields_match_in_every_form_of_unicode(
    server: Server, outbox: Outbox, tmp_path: Path, form: Literal["NFC", "NFD"], escaped: bool
) -> None:
    (tmp_path / "m.toml").write_text(MAPPING, "utf-8")
    fields = {"Số": 5.0, "Lĩnh vực": unicodedata.normalize(form, "Hộ tịch"), "at": NOW // 1000}
    value = {unicodedata.normalize(form, name): field for name, field in fields.items()}
    server.respond = lambda _: Answer(json.dumps([value], ensure_ascii=escaped).encode())
    source = source_of(server)
    source.row_mapper = load_row_mapper(str(tmp_path / "m.toml"))
    source.poll_once(outbox)
    (row,) = [json.loads(row.body) for row in outbox.rows_after(0, 9)]
    assert (row["service"], row["t"], source.skipped_events) == ("civil", NOW, 0)


@pytest.mark.parametrize(
    ("content", "header"),
    [
        ("Authorization: Bearer ế\n".encode(), ""),
        (b"X: a\x00b", ""),
        ("Authorization: é".encode("latin-1"), ""),
        ("X-Đ: 1".encode(), ""),
    ],
)
def test_a_header_that_http_cannot_carry_is_named(
    server: Server, outbox: Outbox, tmp_path: Path, content: bytes, header: str
) -> None:
    del header
    source = source_of(server)
    source.header_file = tmp_path / "h"
    source.header_file.write_bytes(content)
    with pytest.raises(QueueUnavailable, match="not a"):
        source.poll_once(outbox)
    source.header_file.write_bytes(codecs.BOM_UTF8 + b"Authorization: Bearer x\r\n")
    source.poll_once(outbox)


def test_an_address_with_spaces_and_letters_is_encoded_as_a_browser_does(server: Server, outbox: Outbox) -> None:
    source = source_of(server)
    source.url = f"{server.url} hộ?tên=ế%20b"
    source.poll_once(outbox)
    assert server.asked == ["/q%20h%E1%BB%99?t%C3%AAn=%E1%BA%BF%20b"]


def test_one_answer_with_many_events_is_split_in_time() -> None:
    body = b'{"events":[' + b",".join([b'{"a":[1,{"b":2}]}'] * 50_000) + b',NaN],"next":1}'
    started = time.process_time()
    assert len(parse_answer(body).elements) == 50_001
    assert time.process_time() - started < 10


def test_skipped_events_raise_an_alarm_and_a_server_that_always_asks_for_a_wait_too(
    server: Server, outbox: Outbox
) -> None:
    alarms: list[tuple[str, str]] = []
    source = source_of(server)
    source.raise_alarm = lambda alarm, name: alarms.append((alarm, name))
    server.respond = lambda _: answered([paid(1)])
    source.poll_once(outbox)
    assert alarms == []
    server.respond = lambda _: answered([paid(1), None, paid(NOW // 1000)])
    source.poll_once(outbox)
    source.poll_once(outbox)
    assert alarms == [("events_skipped", "queue_http")]
    server.respond = lambda _: Answer(b"", 503, {"Retry-After": "9"})
    source.run(outbox, Waits(5))
    assert alarms[1:] == [("source_failed", "queue_http")]


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 3, b"HTTP/1.1 100 Continue\r\n\r\n"],
)
def test_interim_answers_many_headers_and_chunks_stop_nothing(outbox: Outbox, head: bytes) -> None:
    headers = b"".join(b"X-%d: %s\r\n" % (i, b"a" * 200) for i in range(300))
    answer = head + b"HTTP/1.1 200 OK\r\n" + headers + b"Transfer-Encoding: chunked\r\n\r\n"
    answer += b"%x;ext=1\r\n%s\r\n0\r\nTrailer: 1\r\n\r\n" % (len(TWO), TWO)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        QueueHttpSource(f"http://127.0.0.1:{listener.getsockname()[1]}/", DeviceState()).poll_once(outbox)
        thread.join(5)
    assert times(outbox) == [1, 2]


def test_an_answer_that_is_no_http_is_named(server: Server, outbox: Outbox) -> None:
    server.respond = lambda _: Answer(TWO, headers={"X-Long": "a" * 350_000})
    with pytest.raises(QueueUnavailable, match="no HTTP"):
        source_of(server).poll_once(outbox)
    assert times(outbox) == []


def test_an_event_of_the_year_9999_is_skipped(server: Server, outbox: Outbox) -> None:
    body = json.dumps({"events": [paid(1), paid(253_402_300_799_000), paid(2)]}).encode()
    server.respond = lambda _: Answer(body)
    source = source_of(server)
    source.poll_once(outbox)
    assert (times(outbox), source.skipped_events) == ([1, 2], 1)
