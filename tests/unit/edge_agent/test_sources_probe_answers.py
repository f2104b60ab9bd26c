"""No way of writing an answer that a browser reads makes a healthy system down."""

from __future__ import annotations

import gzip
import socket
from typing import TYPE_CHECKING

import pytest

from edge_agent.http_client import HttpFailure, HttpRequest, request
from edge_agent.sources.probe import Probe, ProbeOutcome, run_probe
from tests.raw_server import answering, raw_server, saying

if TYPE_CHECKING:
    from collections.abc import Sequence

OK = b"HTTP/1.1 200 OK\r\n"
END = b"Content-Length: 2\r\n\r\nok"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
FOUND = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\n"


def ask(target: str, timeout_s: float = 10) -> ProbeOutcome:
    return run_probe(Probe("vn-ngsp", "http", target, timeout_s))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 300 + OK + END, id="many 1xx"),
        pytest.param(b"HTTP/1.1 102 Processing\r\n\r\n" + OK + END, id="102"),
        pytest.param(OK + b"".join(b"X-%d: a\r\n" % n for n in range(300)) + END, id="300 headers"),
        pytest.param(OK + b"".join(b"X-%d: a\r\n" % n for n in range(6000)) + END, id="6000 headers"),
        pytest.param(OK + b"X: " + b"a" * 90_000 + b"\r\n" + END, id="a header of 90 KB"),
        pytest.param(OK + b"X: " + b"a" * 400_000 + b"\r\n" + END, id="a header of 400 KB"),
        pytest.param(OK + (b"X: " + b"a" * 50_000 + b"\r\n") * 20 + END, id="a megabyte of headers"),
        pytest.param(OK + b"no colon\r\n" + END, id="a header without a colon"),
        pytest.param(OK + "Máy-chủ: cổng\r\n".encode() + END, id="headers in Vietnamese"),
        pytest.param(OK + b"X: \xe9\xff\r\n" + END, id="headers in Latin-1"),
        pytest.param(OK + b"X: a\r\n b\r\n" + END, id="a folded header"),
        pytest.param(OK + b"Content-Length: 2\r\n" + END, id="Content-Length twice"),
        pytest.param(OK + b"Content-Length: many\r\n\r\nok", id="Content-Length that is none"),
        pytest.param(b"HTTP/1.1 200\r\n" + END, id="no reason"),
        pytest.param("HTTP/1.1 200 Được\r\n".encode() + END, id="a reason in Vietnamese"),
        pytest.param(b"HTTP/1.0 200 OK\r\n\r\nok", id="HTTP/1.0"),
        pytest.param(b"HTTP/1.1 200 OK\nContent-Length: 2\n\nok", id="line feeds only"),
        pytest.param(OK + b"X: a\nY: b\r\n" + END, id="one line feed only"),
        pytest.param(OK + b"X: a\x01\x7fb\r\n" + END, id="control characters in a header"),
        pytest.param(OK + b"X Y: a\r\n" + END, id="a header's name with a space"),
        pytest.param(OK + b"X : a\r\n" + END, id="a space before the colon"),
        pytest.param(b"http/1.1 200 OK\r\n" + END, id="http in small letters"),
        pytest.param(CHUNKED + b"2;a=b;c\r\nok\r\n0\r\nX: y\r\n\r\n", id="chunk extensions and trailers"),
        pytest.param(CHUNKED + b"0002 \r\nok\r\n000\r\n\r\n", id="chunk sizes with zeros and spaces"),
        pytest.param(OK + b"Content-Length: 9\r\n" + CHUNKED[len(OK) :] + b"2\r\nok\r\n0\r\n\r\n", id="both lengths"),
        pytest.param(OK + END + b"and more", id="more than its length"),
        pytest.param(b"HTTP/1.1 204 No Content\r\nContent-Length: 20\r\n\r\n", id="204 with a length"),
        pytest.param(OK + b"Content-Encoding: gzip\r\n" + END, id="said to be gzip"),
        pytest.param(OK + b"Content-Encoding: zstd\r\n" + END, id="an encoding that nobody asked for"),
        pytest.param(OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", id="a coded transfer"),
    ],
)  # fmt: skip
def test_an_answer_of_200_is_up_however_it_is_written(answer: bytes) -> None:
    with raw_server(saying(answer)) as server:
        assert ask(server.url) == ProbeOutcome(None, 200 if b" 204 " not in answer else 204)


@pytest.mark.parametrize("status", [301, 304, 401, 403, 404, 451, 500, 503, 599])
def test_a_status_that_is_no_success_is_down_and_named(status: int) -> None:
    with raw_server(saying(f"HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n".encode())) as server:
        assert ask(server.url) == ProbeOutcome("status", status)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param([FOUND + b"Location: /a\r\n\r\n", OK + END], id="a path"),
        pytest.param([FOUND + b"Set-Cookie: s=1; Path=/\r\nLocation: /\r\n\r\n", OK + END], id="with a cookie"),
        pytest.param([FOUND + "Location: /tra cứu?q=hồ sơ#a\r\n\r\n".encode(), OK + END], id="not encoded"),
        pytest.param([FOUND + b"Location: ?a=1\r\n\r\n"] * 20 + [OK + END], id="twenty"),
        pytest.param([FOUND[:-19] + b"Location: /a\r\n\r\n" + b"x" * 200_000, OK + END], id="a long body"),
        pytest.param([FOUND.replace(b"302", b"308") + b"Location: /a\r\n\r\n", OK + END], id="308"),
    ],
)
def test_a_redirect_is_followed(answers: Sequence[bytes]) -> None:
    with raw_server(answering(answers)) as server:
        assert ask(server.url) == ProbeOutcome(None, 200)
        assert (b"Cookie: s=1" in server.requests[-1]) == (b"Set-Cookie" in answers[0])


@pytest.mark.parametrize("location", [b"file:///etc/passwd", b"http://[half", b"ftp://127.0.0.1/", b"http://"])
def test_a_redirect_to_no_web_address_is_not_followed(location: bytes) -> None:
    with raw_server(saying(FOUND + b"Location: " + location + b"\r\n\r\n")) as server:
        assert ask(server.url) == ProbeOutcome("status", 302)


def test_a_name_with_a_dead_ipv6_address_is_up_by_ipv4(monkeypatch: pytest.MonkeyPatch, free_port: int) -> None:
    """The first addresses refuse or never answer (RFC 5737, RFC 3849); the last is the server's."""
    with raw_server(saying(OK + END)) as server:
        addresses = ("2001:db8::1", "::1", "192.0.2.1", "127.0.0.1")
        monkeypatch.setattr(
            socket, "getaddrinfo", lambda *_, **__: [(0, socket.SOCK_STREAM, 6, "", (a, 0)) for a in addresses]
        )
        assert ask(f"http://portal.example:{server.port}/") == ProbeOutcome(None, 200)
        for kind in ("tcp", "tls"):
            outcome = run_probe(Probe("s", kind, f"portal.example:{server.port}", 10))
            assert outcome.error == (None if kind == "tcp" else "tls")
    assert free_port


def test_a_proxy_of_the_environment_is_used_unless_no_proxy_names_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    with raw_server(saying(OK + END)) as proxy:
        monkeypatch.setenv("http_proxy", f"127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert ask("http://portal.invalid/a") == ProbeOutcome(None, 200)
        assert proxy.requests[0].startswith(b"GET http://portal.invalid/a HTTP/1.1\r\n")
        with raw_server(saying(OK + END)) as server:
            assert ask(server.url) == ProbeOutcome(None, 200)
            assert server.requests
    assert len(proxy.requests) == 1


# --- the client -------------------------------------------------------------------------------


def test_a_compressed_body_is_decompressed_when_asked_for() -> None:
    body = gzip.compress(b'{"a": 1}')
    head = OK + b"Content-Encoding: gzip\r\nRetry-After: 7\r\nContent-Length: %d\r\n\r\n" % len(body)
    with raw_server(saying(head + body)) as server:
        answer = request(HttpRequest(server.url, 10, {"X-Key": "khóa"}, decompress=True))
        plain = request(HttpRequest(server.url, 10))
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (200, b'{"a": 1}', "7")
    assert b"gzip" in server.requests[0]
    assert "X-Key: khóa\r\n".encode() in server.requests[0]
    assert plain.body == body


def test_a_body_longer_than_asked_for_is_cut() -> None:
    with raw_server(saying(OK + b"Content-Length: 10\r\n\r\n0123456789")) as server:
        answer = request(HttpRequest(server.url, 10, max_body_bytes=4))
        assert (answer.body, answer.is_cut) == (b"0123", True)
        whole = request(HttpRequest(server.url, 10, max_body_bytes=10))
        assert (whole.body, whole.is_cut) == (b"0123456789", False)


def test_headers_are_not_sent_to_another_origin() -> None:
    with raw_server(saying(OK + END)) as other:
        hop = FOUND + f"Location: {other.url}/\r\n\r\n".encode()
        with raw_server(saying(hop)) as first:
            assert request(HttpRequest(first.url, 10, {"Authorization": "x"}, max_redirects=2)).status == 200
            assert request(HttpRequest(first.url, 10)).status == 302
    assert b"Authorization: x" in first.requests[0]
    assert b"Authorization" not in other.requests[0]


def test_a_failure_names_its_kind(free_port: int) -> None:
    with pytest.raises(HttpFailure) as caught:
        request(HttpRequest(f"http://127.0.0.1:{free_port}/", 5))
    assert caught.value.kind == "refused"
    with pytest.raises(ValueError, match="http://"):
        request(HttpRequest("ftp://127.0.0.1/", 5))
