"""Accepts events from programs on this device by HTTP; it must not listen on anything but the loopback.

The answer 201 is sent only after the commit, so a caller that repeats a request with the same `Idempotency-Key` until
it gets one loses and repeats nothing.
"""

from __future__ import annotations

import sqlite3
import sys
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import msgspec

from edge_agent.log import Logger
from edge_agent.sources.parsing import BadEvent, parse_event, parse_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import Event

_log = Logger(__name__)
MAX_BODY_BYTES = 1024 * 1024
MAX_KEY_LENGTH = 255
LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
IDLE_TIMEOUT_S = 10
"""An idle connection is closed after this time."""


class HttpProblem(Exception):
    """An error answer: status, problem and remedy."""

    def __init__(self, status: int, title: str, field: str = "", remedy: str = "") -> None:
        super().__init__(title)
        self.status = status
        self.body = {"type": "about:blank", "title": title, "status": status, "field": field, "remedy": remedy}


@dataclass(slots=True)
class HttpSource:
    """Serves `POST /events` and `GET /healthz`; `clock` returns Unix ms, port 0 uses a free port (see `bound_port`)."""

    port: int
    state: DeviceState
    clock: Callable[[], int]
    name: str = "http"
    bound_port: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Serve until stopped."""
        with _EventServer(self, outbox) as server:
            self.bound_port = server.server_address[1]
            while not stop.is_set():
                server.handle_request()

    def commit_events(self, outbox: Sink, key: str, body: bytes) -> dict[str, Any]:
        """Commit a request's events; returns the answer. Raises BadEvent, sqlite3.Error."""
        events = parse_events(body)
        if key:
            text, repeated = outbox.append_idempotent(key, events, self.clock())
            answer = {**msgspec.json.decode(text), "repeated": repeated}
        else:
            first, last = outbox.append(events)
            answer = {"first": first, "last": last, "repeated": False}
        if not answer["repeated"]:
            for event in events:
                self.state.update(event)
        return answer


def parse_events(body: bytes) -> list[Event]:
    """Return the events of one object, a list, or one object a line. Raises BadEvent."""
    try:
        document = parse_json(body)
        values = document if isinstance(document, list) else [document]
    except BadEvent:
        lines = [line for line in body.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        values = [parse_json(line) for line in lines]
    if not values:
        raise BadEvent("body", "contains no event", "send at least one")
    return [_parse_nth_event(i, value) for i, value in enumerate(values, 1)]


def _parse_nth_event(i: int, value: object) -> Event:
    try:
        return parse_event(value)
    except BadEvent as error:
        raise BadEvent(error.field, f"event {i}: {error.problem}", error.remedy) from None


class _EventServer(ThreadingHTTPServer):
    """One thread per connection."""

    timeout = 0.25

    def __init__(self, source: HttpSource, outbox: Sink) -> None:
        super().__init__(("127.0.0.1", source.port), _EventHandler)
        self.source, self.outbox = source, outbox

    def handle_error(self, request: object, client_address: object) -> None:
        """Log a fault of this program, never a request's content; a caller that disconnects is no fault."""
        del request, client_address
        if not isinstance(sys.exc_info()[1], OSError):
            _log.exception("http_fault", source=self.source.name)


class _EventHandler(BaseHTTPRequestHandler):
    """Handles HTTP; the source decides which events are accepted."""

    server: _EventServer
    protocol_version = "HTTP/1.1"
    server_version = "motcua"
    sys_version = ""
    timeout = IDLE_TIMEOUT_S

    def do_GET(self) -> None:
        """Answer the health check."""
        if self.path == "/healthz":
            self._send_json(200, {"status": "ok", "pending": self.server.outbox.pending_count()})
        else:
            self._send_problem(HttpProblem(404, "no such page", remedy="GET /healthz or POST /events"))

    def do_POST(self) -> None:
        """Accept events."""
        try:
            key, body = self._read_request()
            self._send_json(201, self.server.source.commit_events(self.server.outbox, key, body))
        except HttpProblem as problem:
            self._send_problem(problem)
        except BadEvent as error:
            self._send_problem(HttpProblem(400, error.problem, error.field, error.remedy))
        except sqlite3.Error as error:
            _log.warning("http_not_kept", source=self.server.source.name, error=str(error))
            remedy = "send it again with the same key"
            self._send_problem(HttpProblem(503, "the outbox cannot be written now", remedy=remedy))

    def _refuse_other_hosts(self) -> None:
        """Refuse requests that another site's web page sends through this host's browser."""
        hosts = [urlsplit(f"//{self.headers.get('Host', '')}").hostname]
        if "Origin" in self.headers:
            hosts.append(urlsplit(self.headers["Origin"]).hostname)
        if any(host not in LOOPBACK_HOSTS for host in hosts):
            remedy = "post to 127.0.0.1 from a local program"
            raise HttpProblem(403, "only programs on this host may post", "Origin", remedy)

    def _read_request(self) -> tuple[str, bytes]:
        self._refuse_other_hosts()
        length = self._content_length()
        if self.path != "/events":
            raise HttpProblem(404, "no such page", remedy="POST /events")
        key = self.headers.get("Idempotency-Key", "").strip()
        if len(key) > MAX_KEY_LENGTH:
            raise HttpProblem(400, f"longer than {MAX_KEY_LENGTH}", "Idempotency-Key", "use a UUID or ULID")
        body = self.rfile.read(length)
        if len(body) < length:
            raise HttpProblem(400, "shorter than Content-Length", "body", "send it again")
        return key, body

    def _content_length(self) -> int:
        header = self.headers.get("Content-Length")
        if header is None:
            raise HttpProblem(411, "no Content-Length", "Content-Length", "send the body's length, not chunks")
        if not (header.isascii() and header.isdigit()):
            raise HttpProblem(400, "not a number", "Content-Length", "send the body's length in bytes")
        if int(header) > MAX_BODY_BYTES:
            raise HttpProblem(413, f"over {MAX_BODY_BYTES} bytes", "body", "send fewer events at once")
        return int(header)

    def _send_problem(self, problem: HttpProblem) -> None:
        """Answer with problem+json and close the connection: the body may be unread."""
        self.close_connection = True
        self._send_json(problem.status, problem.body, "application/problem+json")

    def _send_json(self, status: int, body: dict[str, Any], content_type: str = "application/json") -> None:
        data = msgspec.json.encode(body)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(data)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Log no single request."""
