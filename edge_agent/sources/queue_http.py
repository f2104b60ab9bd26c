"""Polls a queue system's JSON endpoint for ticket events since a cursor; it must not log what an event says.

The endpoint answers `GET URL?since=CURSOR` with `{"events": [...], "next": "CURSOR"}`.  Events have our field names, or
a mapping's columns, and may carry the queue system's own `id`.  Events and cursor are committed together; the cursor
also remembers the last ids (without ids: digests), so that what is delivered again is not taken again.
"""

from __future__ import annotations

import http.client
import ssl
import threading
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from socket import SHUT_RDWR
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from edge_agent.log import Logger
from edge_agent.sources.parsing import BadEvent, parse_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import Event

_log = Logger(__name__)
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
READ_TIMEOUT_S = 10.0
"""Longest wait for the next bytes."""
TOTAL_TIMEOUT_S = 30.0
"""Longest time one answer may take in all."""
MIN_REMEMBERED_IDS = 512
"""Ids kept to know what is delivered again; at least those of the last two answers."""
MAX_FAILURES = 5
"""Failures in a row after which supervision is told."""
MAX_BACKOFF_MS = 600_000


class QueueUnavailable(OSError):
    """The queue system gave no usable answer; nothing was taken."""


class QueueResponse(msgspec.Struct, frozen=True):
    """What the endpoint answers; without `next` the cursor stays."""

    events: list[dict[str, Any]]
    next: str | int | None = None


class QueueCursor(msgspec.Struct, frozen=True):
    """How far we are: the queue system's cursor, and digests of the ids last taken."""

    next: str = ""
    seen: tuple[str, ...] = ()


@dataclass(slots=True)
class QueueHttpSource:
    """Polls every `every_ms`; `mapped` makes events of what is not in our words; bad ones are counted and skipped."""

    url: str
    state: DeviceState
    every_ms: int = 10_000
    header_file: Path | None = None
    row_mapper: Callable[[dict[str, Any]], list[Event]] | None = None
    name: str = "queue_http"
    read_timeout_s: float = READ_TIMEOUT_S
    total_timeout_s: float = TOTAL_TIMEOUT_S
    skipped_events: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Poll until stopped. Raises QueueUnavailable after several failures in a row."""
        failures = 0
        while not stop.is_set():
            try:
                more, failures = self.poll_once(outbox), 0
            except (OSError, http.client.HTTPException) as error:
                more, failures = False, failures + 1
                _log.warning("queue_unavailable", source=self.name, error=_error_message(error), failures=failures)
                if failures >= MAX_FAILURES:
                    raise QueueUnavailable(_error_message(error)) from None
            if not more:
                stop.wait(min(self.every_ms * 2 ** max(failures - 1, 0), MAX_BACKOFF_MS) / 1000)

    def poll_once(self, outbox: Sink) -> bool:
        """Take one answer; tells whether to ask again at once. Raises OSError, http.client.HTTPException."""
        cursor = _parse_cursor(outbox.cursor(self.name))
        response = self._fetch(cursor.next)
        seen_keys = dict.fromkeys(cursor.seen)
        new_objects = {
            key: value for key, value in ((event_key(v), v) for v in response.events) if key not in seen_keys
        }
        events = self._parse_objects(list(new_objects.values()))
        next_cursor = cursor.next if response.next is None else str(response.next)
        remembered_keys = [*(key for key in seen_keys if key not in new_objects), *new_objects][
            -max(MIN_REMEMBERED_IDS, 2 * len(response.events)) :
        ]
        if new_objects or next_cursor != cursor.next:
            text = msgspec.json.encode(QueueCursor(next_cursor, tuple(remembered_keys))).decode()
            outbox.append(events, source=self.name, cursor=text)
            for event in events:
                self.state.update(event)
        return bool(new_objects) and next_cursor != cursor.next

    def _parse_objects(self, objects: list[dict[str, Any]]) -> list[Event]:
        events: list[Event] = []
        bad = 0
        for value in objects:
            try:
                if self.row_mapper:
                    events += self.row_mapper(value)
                else:
                    events.append(parse_event({key: part for key, part in value.items() if key != "id"}))
            except BadEvent:
                bad += 1
        self.skipped_events += bad
        if bad:
            _log.warning("bad_events_skipped", source=self.name, events=bad, since_start=self.skipped_events)
        return events

    def _fetch(self, since: str) -> QueueResponse:
        connection = self._create_connection()
        connection.connect()
        timer = threading.Timer(self.total_timeout_s, _shut_down, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            connection.request("GET", self._request_target(since), headers=self._request_headers())
            return _parse_response(connection.getresponse())
        finally:
            timer.cancel()
            connection.close()

    def _create_connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=self.read_timeout_s, context=context
            )
        if parts.scheme != "http":
            raise QueueUnavailable(f"url: {parts.scheme!r} is no way to ask; use http or https")
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.read_timeout_s)

    def _request_target(self, since: str) -> str:
        parts = urlsplit(self.url)
        query = "&".join(part for part in (parts.query, f"since={quote(since, safe='')}" if since else "") if part)
        return f"{parts.path or '/'}{'?' if query else ''}{query}"

    def _request_headers(self) -> dict[str, str]:
        """Return the headers of the file, read each time so that a token may change."""
        headers = {"Accept": "application/json", "Connection": "close"}
        if self.header_file is None:
            return headers
        for number, line in enumerate(self.header_file.read_text(encoding="utf-8").splitlines(), 1):
            name, colon, value = line.partition(":")
            if line.strip() and not colon:
                raise QueueUnavailable(f"{self.header_file}:{number}: no header; write NAME: VALUE")
            if colon:
                headers[name.strip()] = value.strip()
        return headers


def event_key(event: dict[str, Any]) -> str:
    """Return the digest under which an event is remembered: of its `id`, else of all of it."""
    own_id = event.get("id")
    text = str(own_id).encode() if isinstance(own_id, str | int) else msgspec.json.encode(event, order="deterministic")
    return blake2b(text, digest_size=6).hexdigest()


def load_row_mapper(mapping: str) -> Callable[[dict[str, Any]], list[Event]]:
    """Return what makes events of objects whose fields are the columns of a replay mapping. Raises MappingError."""
    from edge_agent.sources.queue_rows import RowMapper  # noqa: PLC0415 - only vendors' formats need it

    return RowMapper.load(mapping).map_object


def _parse_response(response: http.client.HTTPResponse) -> QueueResponse:
    if response.status != http.client.OK:
        raise QueueUnavailable(f"answered {response.status}; see the queue system's log")
    body = response.read(MAX_RESPONSE_BYTES + 1)
    if len(body) > MAX_RESPONSE_BYTES:
        raise QueueUnavailable(f"answered over {MAX_RESPONSE_BYTES} bytes; have it give fewer events at once")
    if response.length:
        raise QueueUnavailable("the answer was cut off")
    try:
        return msgspec.json.decode(body, type=QueueResponse)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise QueueUnavailable('answered something else than {"events": [...], "next": ...}') from None


def _parse_cursor(text: str) -> QueueCursor:
    return msgspec.json.decode(text, type=QueueCursor) if text else QueueCursor()


def _shut_down(connection: Any) -> None:  # noqa: ANN401 - a plain or a TLS socket
    """End a connection whose answer takes too long."""
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)


def _error_message(error: BaseException) -> str:
    """Return the error without what the server said."""
    return str(error) if isinstance(error, OSError) else type(error).__name__
