"""Polls a queue system's JSON endpoint for ticket events since a cursor; it must not log an event's content.

The endpoint answers `GET URL?since=CURSOR` with `{"events": [...], "next": "CURSOR"}`.  Events have Motcua's field
names, or a mapping's columns, and may have the queue system's own `id`.  Events and cursor are committed together; the
cursor also contains digests of the last ids (without ids: of the events), so that a repeated event is skipped.
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
from edge_agent.sources.parsing import BadEvent, parse_event, refuse_personal_data

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import Event

_log = Logger(__name__)
MAX_RESPONSE_BYTES = 4 * 1024 * 1024
READ_TIMEOUT_S = 10.0
"""Longest wait for the next bytes, s."""
TOTAL_TIMEOUT_S = 30.0
"""Longest time for one whole answer, s."""
MIN_REMEMBERED_IDS = 512
"""Fewest ids stored to recognise repeats; at least those of the last two answers."""
MAX_FAILURES = 5
"""Failures in a row after which the source ends and the supervisor restarts it."""
MAX_BACKOFF_MS = 600_000


class QueueUnavailable(OSError):
    """The queue system's answer is missing or unusable; nothing was appended."""


class QueueResponse(msgspec.Struct, frozen=True):
    """The endpoint's answer; without `next` the cursor is unchanged."""

    events: list[dict[str, Any]]
    next: str | int | None = None


class QueueCursor(msgspec.Struct, frozen=True):
    """The source's cursor: the queue system's own, and digests of the last ids."""

    next: str = ""
    seen: tuple[str, ...] = ()


@dataclass(slots=True)
class QueueHttpSource:
    """Polls every `every_ms`; `row_mapper` converts other formats to events; invalid events are counted and skipped."""

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
        """Process one answer; returns whether to poll again at once. Raises OSError, http.client.HTTPException."""
        cursor = _parse_cursor(outbox.cursor(self.name))
        response = self._fetch(cursor.next)
        seen_keys = dict.fromkeys(cursor.seen)
        new_objects = {key: v for v in response.events if (key := event_key(v)) not in seen_keys}
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
            host = parts.hostname or ""
            return http.client.HTTPSConnection(host, parts.port, timeout=self.read_timeout_s, context=context)
        if parts.scheme != "http":
            raise QueueUnavailable(f"url: unknown scheme {parts.scheme!r}; use http or https")
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.read_timeout_s)

    def _request_target(self, since: str) -> str:
        parts = urlsplit(self.url)
        query = "&".join(part for part in (parts.query, f"since={quote(since, safe='')}" if since else "") if part)
        return f"{parts.path or '/'}{'?' if query else ''}{query}"

    def _request_headers(self) -> dict[str, str]:
        """Return the headers from the file, read at each request so that a token may change."""
        headers = {"Accept": "application/json", "Connection": "close"}
        if self.header_file is None:
            return headers
        for number, line in enumerate(self.header_file.read_text(encoding="utf-8").splitlines(), 1):
            name, colon, value = line.partition(":")
            if line.strip() and not colon:
                raise QueueUnavailable(f"{self.header_file}:{number}: not a header; write NAME: VALUE")
            if colon:
                headers[name.strip()] = value.strip()
        return headers


def event_key(event: dict[str, Any]) -> str:
    """Return the digest that identifies an event: of its `id`, else of the whole event."""
    own_id = event.get("id")
    text = str(own_id).encode() if isinstance(own_id, str | int) else msgspec.json.encode(event, order="deterministic")
    return blake2b(text, digest_size=6).hexdigest()


def load_row_mapper(name_or_path: str) -> Callable[[dict[str, Any]], list[Event]]:
    """Return a function from objects, whose fields are the columns of a replay mapping, to events.

    It returns no event when a skip matches or no rule applies, and raises BadEvent.  Ticket ids are derived from the
    mapping's name, so that correcting its rules does not change them.  Raises MappingError with all its faults.
    """
    from edge_agent.mapping.cell_parsing import CellError  # noqa: PLC0415 - only vendors' formats need a mapping
    from edge_agent.mapping.document import load_mapping  # noqa: PLC0415
    from edge_agent.mapping.expressions import ReplayContext  # noqa: PLC0415

    mapping = load_mapping(name_or_path)
    context = ReplayContext(mapping.zone, mapping.service_by_value, f"queue:{mapping.name}")

    def map_object(value: dict[str, Any]) -> list[Event]:
        row = dict.fromkeys(mapping.columns, "") | flatten(value)
        if any(all(test.matches(row) for test in skip.when) for skip in mapping.skips):
            return []
        try:
            events = [rule.build_event(1, row, context, "") for rule in mapping.rules if rule.applies(row)]
        except CellError as error:
            raise BadEvent(error.column, error.problem, error.remedy) from None
        for event in events:
            refuse_personal_data(event)
        return events

    return map_object


def flatten(value: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Return the object as one row of text: `{"ticket": {"no": 7}}` has the column `ticket.no`."""
    row: dict[str, str] = {}
    for key, part in value.items():
        if isinstance(part, dict):
            row |= flatten(part, f"{prefix}{key}.")
        else:
            row[f"{prefix}{key}"] = "" if part is None else str(part).strip()
    return row


def _parse_response(response: http.client.HTTPResponse) -> QueueResponse:
    if response.status != http.client.OK:
        raise QueueUnavailable(f"answered {response.status}; see the queue system's log")
    body = response.read(MAX_RESPONSE_BYTES + 1)
    if len(body) > MAX_RESPONSE_BYTES:
        raise QueueUnavailable(f"answered over {MAX_RESPONSE_BYTES} bytes; make it return fewer events at once")
    if response.length:
        raise QueueUnavailable("the answer was incomplete")
    try:
        return msgspec.json.decode(body, type=QueueResponse)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise QueueUnavailable('answered something other than {"events": [...], "next": ...}') from None


def _parse_cursor(text: str) -> QueueCursor:
    return msgspec.json.decode(text, type=QueueCursor) if text else QueueCursor()


def _shut_down(connection: Any) -> None:  # noqa: ANN401 - a plain or a TLS socket
    """Close a connection whose answer takes too long."""
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)


def _error_message(error: BaseException) -> str:
    """Return the error's message without the server's words."""
    return str(error) if isinstance(error, OSError) else type(error).__name__
