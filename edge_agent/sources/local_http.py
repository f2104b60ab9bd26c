"""Accepts events from programs on this device by HTTP; it must not listen on anything but the loopback.

The answer 201 is sent only after the commit, so a caller that repeats a request with the same `Idempotency-Key` until
it gets one loses and repeats nothing.
"""

from __future__ import annotations

import hashlib
import io
import sqlite3
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import msgspec

from edge_agent.log import Logger
from edge_agent.outbox import PostKey
from edge_agent.sources import local_openapi as api
from edge_agent.sources.posted_events import (
    MAX_EVENTS_PER_POST,
    PostedEvents,
    RefusedPost,
    TooManyEvents,
    read_posted_events,
)
from telemetry import __version__

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState

_log = Logger(__name__)
MAX_BODY_BYTES = api.MAX_BODY_BYTES
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
IDLE_TIMEOUT_S = 10.0
"""An idle connection is closed after this time."""
REQUEST_TIMEOUT_S = 30.0
"""A request must have arrived completely after this time."""
MAX_CONNECTIONS = 64
MAX_DISCARDED_BYTES = 4 * MAX_BODY_BYTES
"""How much of a refused body is read, so that its sender gets the answer instead of a broken connection."""
METHODS_BY_PATH = {
    "/": ("GET", "HEAD", "OPTIONS"),
    "/events": ("OPTIONS", "POST"),
    "/healthz": ("GET", "HEAD", "OPTIONS"),
    "/openapi.json": ("GET", "HEAD", "OPTIONS"),
}


class HttpProblem(Exception):
    """An error answer: its kind, what is wrong with this request, the field at fault and the remedy."""

    def __init__(self, kind: str, detail: str, field: str = "", remedy: str = "", **more: Any) -> None:  # noqa: ANN401
        super().__init__(detail)
        self.status, title = api.PROBLEMS[kind]
        self.body = api.EventProblem(
            type=f"urn:motcua:problem:{kind.replace('_', '-')}",
            title=title,
            status=self.status,
            detail=detail,
            field=field,
            remedy=remedy,
            **more,
        )


@dataclass(slots=True)
class HttpSource:
    """Serves programs on this device; `clock` returns Unix ms, port 0 uses a free port (see `bound_port`)."""

    port: int
    state: DeviceState
    clock: Callable[[], int]
    device: str = ""
    services: frozenset[str] = frozenset()
    """The services that the centre declares; others give a warning. Empty: not known."""
    name: str = "http"
    bound_port: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Serve until stopped."""
        with _EventServer(self, outbox) as server:
            self.bound_port = server.server_address[1]
            while not stop.is_set():
                server.handle_request()

    def read_events(self, body: bytes, content_type: str) -> PostedEvents:
        """Return a request's events. Raises HttpProblem."""
        try:
            return read_posted_events(body, content_type, self.clock(), self.services)
        except RefusedPost as refused:
            first, count = refused.findings[0], refused.fault_count
            place = f"event {first.index}: " if first.index else ""
            others = f" ({count} faults in all)" if count > 1 else ""
            raise HttpProblem(
                "bad_request", f"{place}{first.detail}{others}", first.field, first.remedy, error_count=count,
                errors=refused.findings,
            ) from None  # fmt: skip
        except TooManyEvents:
            detail = f"more than {MAX_EVENTS_PER_POST} events"
            raise HttpProblem("too_large", detail, "body", "send fewer events at once") from None

    def commit_events(self, outbox: Sink, key: str, body: bytes, posted: PostedEvents) -> api.StoredAnswer:
        """Commit a request's events; returns the answer. Raises HttpProblem, sqlite3.Error."""
        events, repeated = posted.events, False
        if key:
            post = PostKey(key, hashlib.sha256(body).hexdigest())
            result = outbox.append_idempotent(events, post, self.clock())
            if result.conflicts:
                detail = f"the key {key!r} was used with another body within 7 days"
                remedy = "use a new key for each new request; repeat a request with its own body unchanged"
                raise HttpProblem("key_reused", detail, "Idempotency-Key", remedy)
            first, last, repeated = result.first, result.last, result.repeated
        else:
            first, last = outbox.append(events)
        if not repeated:
            for event in events:
                self.state.update(event)
        return api.StoredAnswer(first, last, repeated, posted.warnings)


class _EventServer(ThreadingHTTPServer):
    """One thread per connection, at most MAX_CONNECTIONS."""

    timeout = 0.25
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, source: HttpSource, outbox: Sink) -> None:
        super().__init__(("127.0.0.1", source.port), _EventHandler)
        self.source, self.outbox = source, outbox
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)

    def process_request(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # as the library's own
        """Start the connection's thread, or refuse the connection."""
        if self._slots.acquire(blocking=False):
            super().process_request(request, client_address)
            return
        with suppress(OSError):
            request.sendall(b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401  # as above
        """Handle a connection and free its place."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._slots.release()

    def handle_error(self, request: object, client_address: object) -> None:
        """Log a fault of this program, never a request's content; a caller that disconnects is no fault."""
        del request, client_address
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("http_fault", source=self.source.name)


class _TimedReader(io.RawIOBase):
    """Reads a socket until a deadline, so that a caller who sends a byte now and then holds no thread for long."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.deadline = 0.0

    def readable(self) -> bool:
        """Return True."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401  # as the library's own
        """Read what has arrived. Raises TimeoutError."""
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        self._connection.settimeout(min(IDLE_TIMEOUT_S, remaining))
        return self._connection.recv_into(buffer)


class _EventHandler(BaseHTTPRequestHandler):
    """Handles HTTP; the source decides which events are accepted."""

    server: _EventServer
    protocol_version = default_request_version = "HTTP/1.1"
    server_version = f"motcua/{__version__}"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S
    disable_nagle_algorithm = True  # else a body after its headers waits 40 ms for the caller's acknowledgement
    _unread_bytes = 0

    def setup(self) -> None:
        """Read through a deadline."""
        super().setup()
        self._reader = _TimedReader(self.connection)
        self.rfile = io.BufferedReader(self._reader)

    def handle_one_request(self) -> None:
        """Handle a request that arrives in time; another ends the connection."""
        self._reader.deadline = time.monotonic() + REQUEST_TIMEOUT_S
        super().handle_one_request()

    def do_GET(self) -> None:
        """Answer the pages."""
        self._answer(self._page)

    def do_HEAD(self) -> None:
        """Answer the pages without their body."""
        self._answer(self._page)

    def do_POST(self) -> None:
        """Accept events."""
        self._answer(self._accept_events)

    def do_OPTIONS(self) -> None:
        """Tell a web page of this host what it may send."""
        self._answer(lambda: (204, None))

    def _answer(self, act: Callable[[], tuple[int, Any]]) -> None:
        length = self.headers.get("Content-Length", "0")
        self._unread_bytes = int(length) if _is_length(length) else 0
        try:
            self._path, _, query = self.path.partition("?")
            self._refuse_other_hosts()
            self._check_method()
            self._options = self._parse_query(query)
            status, body = act()
        except HttpProblem as problem:
            self._send_problem(problem)
        except TimeoutError:
            remedy = f"send the whole request within {REQUEST_TIMEOUT_S:g} s"
            self._send_problem(HttpProblem("too_slow", "the body did not arrive", "body", remedy))
        except sqlite3.Error as error:
            _log.warning("http_not_kept", source=self.server.source.name, error=str(error))
            remedy = "send it again with the same key"
            self._send_problem(HttpProblem("unavailable", "the outbox cannot be written now", remedy=remedy))
        else:
            self._send_answer(status, body)

    def _send_answer(self, status: int, body: Any) -> None:  # noqa: ANN401  # any struct of the document
        """Send an answer; a body that nobody reads ends the connection: it must not be taken for a next request."""
        has_body = self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers
        if has_body and self.command != "POST":
            self.close_connection = True
        self._send_json(status, body)
        self._discard_body()

    def _page(self) -> tuple[int, Any]:
        if self._path == "/healthz":
            return 200, api.AgentHealth("ok", self.server.outbox.pending_count())
        if self._path == "/openapi.json":
            return 200, api.build_openapi(self.server.source.clock())
        source = self.server.source
        return 200, api.EndpointIndex("Motcua agent, local endpoint", source.device, __version__, api.INDEX_LINKS)

    def _accept_events(self) -> tuple[int, Any]:
        key, body = self._read_request()
        source, content_type = self.server.source, self.headers.get_content_type()
        posted = source.read_events(self._plain_body(body), content_type)
        if self._options.get("validate") == "1":
            return 200, api.CheckedAnswer(valid=True, events=len(posted.events), warnings=posted.warnings)
        return 201, source.commit_events(self.server.outbox, key, body, posted)

    def _refuse_other_hosts(self) -> None:
        """Refuse requests that another site's web page sends through this host's browser."""
        addresses = [f"//{self.headers.get('Host', '')}", *self.headers.get_all("Origin", [])]
        if not all(_is_loopback(address) for address in addresses):
            remedy = "send it to 127.0.0.1 from a program or a page of this host"
            raise HttpProblem("forbidden", "the request comes from another host", "Origin", remedy)

    def _check_method(self) -> None:
        methods = METHODS_BY_PATH.get(self._path)
        if methods is None:
            raise HttpProblem("not_found", f"no page {self._path!r}", remedy="POST /events; GET / lists the pages")
        if self.command not in methods:
            raise HttpProblem("not_allowed", f"{self._path} has no {self.command}", remedy=f"use {', '.join(methods)}")

    def _parse_query(self, query: str) -> dict[str, str]:
        pairs = parse_qsl(query, keep_blank_values=True)
        known = {"validate"} if self._path == "/events" else set[str]()
        for name, value in pairs:
            if name not in known:
                remedy = f"the parameters are: {', '.join(known)}" if known else "remove it"
                raise HttpProblem("bad_request", f"unknown query parameter {name!r}", name, remedy)
            if value not in {"0", "1"}:
                raise HttpProblem("bad_request", f"neither 0 nor 1: {value!r}", name, "write ?validate=1")
        if len(pairs) > 1:
            raise HttpProblem("bad_request", "given more than once", pairs[0][0], "give it once")
        return dict(pairs)

    def _read_request(self) -> tuple[str, bytes]:
        key = self.headers.get("Idempotency-Key", "").strip()
        if len(key) > api.MAX_KEY_LENGTH:
            problem = f"longer than {api.MAX_KEY_LENGTH} characters"
            raise HttpProblem("bad_request", problem, "Idempotency-Key", "use a UUID or ULID")
        length = self._content_length()
        if length > MAX_BODY_BYTES:
            raise HttpProblem("too_large", f"over {MAX_BODY_BYTES} bytes", "body", "send fewer events at once")
        body = self.rfile.read(length)
        self._unread_bytes = 0
        if len(body) < length:
            raise HttpProblem("bad_request", "shorter than Content-Length", "body", "send it again")
        return key, body

    def _plain_body(self, body: bytes) -> bytes:
        """Return the body in UTF-8. Raises HttpProblem for a coding that is not the declared one, or unknown here."""
        coding = self.headers.get("Content-Encoding", "identity").strip().lower()
        if coding != "identity":
            raise HttpProblem("bad_request", "the body is compressed", "Content-Encoding", "send it uncompressed")
        charset = (self.headers.get_content_charset() or "utf-8").replace("_", "-")
        if charset in {"utf-8", "utf8", "us-ascii", "ascii"}:
            return body
        remedy = "send UTF-8, and charset=utf-8 or none"
        if not charset.startswith(("utf-16", "utf-32")):
            raise HttpProblem("bad_request", "the charset is not UTF-8", "Content-Type", remedy)
        try:
            return body.decode(charset).encode()
        except (LookupError, UnicodeError):
            raise HttpProblem("bad_request", "the body is not in its charset", "Content-Type", remedy) from None

    def _content_length(self) -> int:
        headers = set(self.headers.get_all("Content-Length", []))
        header = headers.pop() if len(headers) == 1 else None
        if header is None or "Transfer-Encoding" in self.headers:
            raise HttpProblem("no_length", "no Content-Length", "Content-Length", "send the body's length, not chunks")
        if not _is_length(header):
            raise HttpProblem("bad_request", "not a number", "Content-Length", "send the body's length in bytes")
        return int(header)

    def handle_expect_100(self) -> bool:
        """Let a caller that asks first send its body only when it is small enough."""
        length = self.headers.get("Content-Length", "")
        if _is_length(length) and int(length) > MAX_BODY_BYTES:
            return True
        return super().handle_expect_100()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Answer a method that no page has, or a request that is no HTTP."""
        del explain
        if code == 501:
            self._answer(self._page)
        else:
            problem = message or "not a valid HTTP request"
            self._send_problem(HttpProblem("bad_request", problem, remedy="send an HTTP/1.1 request"))

    def _send_problem(self, problem: HttpProblem) -> None:
        """Answer with problem+json and close the connection: the body may be unread."""
        self.close_connection = True
        self._send_json(problem.status, problem.body, api.PROBLEM_TYPE)
        self._discard_body()

    def _discard_body(self) -> None:
        """Read on for a moment: closing with unread bytes would break the connection before the answer is read."""
        left = min(self._unread_bytes, MAX_DISCARDED_BYTES)
        self._reader.deadline = min(self._reader.deadline, time.monotonic() + 2)
        with suppress(OSError):
            while left > 0 and (chunk := self.rfile.read1(min(left, 65_536))):
                left -= len(chunk)

    def _send_json(self, status: int, body: Any, content_type: str = api.JSON_TYPE) -> None:  # noqa: ANN401
        data = b"" if body is None else msgspec.json.encode(body)
        self.send_response(status)
        if body is not None:
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(data)))
        for name, value in self._extra_headers(status).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def _extra_headers(self, status: int) -> dict[str, str]:
        headers = {"Connection": "close"} if self.close_connection else {}
        methods = ", ".join(METHODS_BY_PATH.get(getattr(self, "_path", ""), ()))
        if status in {204, 405}:
            headers["Allow"] = methods
        origin = self.headers.get("Origin") if getattr(self, "headers", None) else None
        if origin is not None and _is_loopback(origin):
            headers |= {"Access-Control-Allow-Origin": origin, "Vary": "Origin"}
            if status == 204:
                headers["Access-Control-Allow-Methods"] = methods
                headers["Access-Control-Allow-Headers"] = "Content-Type, Idempotency-Key"
        return headers

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Log no single request."""


def _is_length(header: str) -> bool:
    return header.isascii() and header.isdigit() and len(header) < 16


def _is_loopback(address: str) -> bool:
    try:
        return urlsplit(address).hostname in LOOPBACK_HOSTS
    except ValueError:
        return False
