"""Polls a queue system's JSON endpoint for ticket events since a cursor; it must not log an event's content.

The endpoint answers `GET URL?since=CURSOR` with `{"events": [...], "next": "CURSOR"}`.  Events have Motcua's field
names, or a mapping's columns, and may have the queue system's own `id`.  Events and cursor are committed together; the
cursor also contains digests of the ids (without ids: of the events), so that a repeated event is skipped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urljoin, urlsplit

import msgspec

from edge_agent.http_client import HttpAnswer, HttpFailure, HttpRequest, request
from edge_agent.log import Logger
from edge_agent.sources import ignore_alarm
from edge_agent.sources.content_coding import MAX_RESPONSE_BYTES, UnusableAnswer, decompress_body, needs_brotli
from edge_agent.sources.parsing import BadEvent, parse_event, parse_json, refuse_impossible_times
from edge_agent.sources.queue_answer import QueueAnswer, parse_answer
from edge_agent.sources.seen_events import DIGEST_LENGTH, QueueCursor, SeenEvents
from edge_agent.sources.skipped_events import SkippedEvents, current_time_ms
from telemetry.core.backoff import retry_after_ms
from telemetry.core.protocol.json_bytes import to_plain_utf8

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import AlarmCode, Event

_log = Logger(__name__)
TOTAL_TIMEOUT_S = 30.0
"""Longest time for one whole answer, s."""
MAX_FAILURES = 5
"""Failures in a row after which the source ends and the supervisor restarts it."""
MAX_BACKOFF_MS = 600_000
MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_NOTHING_NEW = {204, 304}
_URL_SAFE = "/%:@!$&'()*+,;=-._~?"


class QueueUnavailable(OSError):
    """The queue system's answer is missing or unusable; nothing was appended.

    `retry_after_ms`: the wait that it asked for, 0 when it asked for none.
    """

    retry_after_ms = 0


@dataclass(slots=True)
class QueueHttpSource:
    """Polls every `every_ms`; `row_mapper` converts other formats to events; invalid events are counted and skipped.

    `clock` returns Unix ms.
    """

    url: str
    state: DeviceState
    every_ms: int = 10_000
    header_file: Path | None = None
    row_mapper: Callable[[dict[str, Any]], list[Event]] | None = None
    name: str = "queue_http"
    total_timeout_s: float = TOTAL_TIMEOUT_S
    skipped_events: int = 0
    clock: Callable[[], int] = current_time_ms
    raise_alarm: Callable[[AlarmCode, str], None] = ignore_alarm
    _seen: SeenEvents | None = None

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Poll until stopped. Raises QueueUnavailable after several failures in a row.

        A server that asks for a wait (Retry-After) is alive: it gets the wait, and its answers are no failures.
        """
        failures = asked_waits = 0
        while not stop.is_set():
            wait_ms = self.every_ms
            try:
                more = self.poll_once(outbox)
                failures = asked_waits = 0
            except OSError as error:
                asked_ms = error.retry_after_ms if isinstance(error, QueueUnavailable) else 0
                more, failures, asked_waits = False, failures + (not asked_ms), asked_waits + bool(asked_ms)
                _log.warning(
                    "queue_unavailable", source=self.name, error=_error_message(error), failures=failures,
                    retry_after_ms=asked_ms,
                )  # fmt: skip
                if asked_waits >= MAX_FAILURES:
                    self.raise_alarm("source_failed", self.name)
                if failures >= MAX_FAILURES:
                    raise QueueUnavailable(_error_message(error)) from None
                wait_ms = max(min(self.every_ms * 2 ** max(failures - 1, 0), MAX_BACKOFF_MS), asked_ms)
            if not more:
                stop.wait(wait_ms / 1000)

    def poll_once(self, outbox: Sink) -> bool:
        """Process one answer; returns whether to poll again at once. Raises OSError."""
        if self._seen is None:
            self._seen = SeenEvents(self.name)
        cursor = self._seen.read_cursor(outbox)
        answer = self.fetch_answer(cursor.next)
        elements = [_read_element(raw, position) for position, raw in enumerate(answer.elements, 1)]
        unseen = self._seen.unseen(cursor, (element.digest for element in elements))
        new_elements = {element.digest: element for element in elements if element.digest in unseen}
        events = self._parse_elements(list(new_elements.values()))
        next_cursor = cursor.next if answer.next is None else answer.next
        if new_elements or next_cursor != cursor.next:
            committed = QueueCursor(next_cursor, (*cursor.seen, *new_elements), cursor.pages)
            outbox.append(events, source=self.name, cursor=msgspec.json.encode(committed).decode())
            for event in events:
                self.state.update(event)
        return bool(new_elements) and next_cursor != cursor.next

    def _parse_elements(self, elements: list[_Element]) -> list[Event]:
        events: list[Event] = []
        skipped, now = SkippedEvents(), self.clock()
        for element in elements:
            try:
                new_events = self._parse_element(element)
                for event in new_events:
                    refuse_impossible_times(event, now)
                events += new_events
            except (BadEvent, RecursionError) as error:
                skipped.add(error, element.position)
        self.skipped_events += skipped.count
        if skipped.count:
            skipped.log_units(_log, self.name)
            skipped.log_each(_log, self.name)
            _log.warning("bad_events_skipped", source=self.name, events=skipped.count, since_start=self.skipped_events)
            self.raise_alarm("events_skipped", self.name)
        return events

    def _parse_element(self, element: _Element) -> list[Event]:
        value = element.value
        if not isinstance(value, dict):
            raise BadEvent("event", "not a JSON object", "send objects")
        if self.row_mapper:
            return self.row_mapper(value)
        return [parse_event({key: part for key, part in value.items() if key != "id"})]

    def fetch_answer(self, since: str) -> QueueAnswer:
        """Return the answer to one request, after redirects on the same server. Raises OSError."""
        body = self.fetch_body(since)
        if body is None:
            return QueueAnswer([])
        try:
            return parse_answer(body)
        except UnusableAnswer as error:
            raise QueueUnavailable(str(error)) from None

    def fetch_body(self, since: str) -> bytes | None:
        """Return the body of an answer without its codings, None when nothing is new. Raises OSError."""
        url, headers = self._request_url(since), self._request_headers()
        for _ in range(MAX_REDIRECTS + 1):
            asked = HttpRequest(url, self.total_timeout_s, headers, MAX_RESPONSE_BYTES)
            answer = request(asked)
            if needs_brotli(answer.body, answer.headers.get("content-encoding", "")):
                decoded = request(replace(asked, decompress=True))  # libcurl undoes it, and leaves the header
                answer = replace(decoded, headers={**decoded.headers, "content-encoding": ""})
            if answer.status not in _REDIRECTS:
                return self._read_response(answer)
            url = _redirected_url(url, answer.headers.get("location", ""))
        raise QueueUnavailable(f"redirected more than {MAX_REDIRECTS} times; write the final address as `url`")

    def _read_response(self, response: HttpAnswer) -> bytes | None:
        if response.status in _NOTHING_NEW:
            return None
        if response.status != 200:
            error = QueueUnavailable(f"answered {response.status}; see the queue system's log")
            error.retry_after_ms = retry_after_ms(response.headers.get("retry-after"), self.clock())
            raise error
        if response.is_refused:
            raise QueueUnavailable("answered what is no HTTP (an odd header, 300 kB of them); correct server or proxy")
        if response.is_cut:
            raise QueueUnavailable(f"answered over {MAX_RESPONSE_BYTES} bytes; make it return fewer events at once")
        try:
            return decompress_body(response.body, response.headers.get("content-encoding", ""))
        except UnusableAnswer as error:
            raise QueueUnavailable(str(error)) from None

    def _request_url(self, since: str) -> str:
        """Return the address with the cursor, its other signs encoded as a browser does."""
        parts = urlsplit(self.url)
        if parts.scheme not in {"http", "https"}:
            raise QueueUnavailable(f"url: unknown scheme {parts.scheme!r}; use http or https")
        own_query = quote(parts.query, safe=_URL_SAFE)
        query = "&".join(part for part in (own_query, f"since={quote(since, safe='')}" if since else "") if part)
        return parts._replace(path=quote(parts.path, safe=_URL_SAFE) or "/", query=query, fragment="").geturl()

    def _request_headers(self) -> dict[str, str]:
        """Return the headers from the file, read at each request so that a token may change."""
        headers = {"Accept": "application/json", "Connection": "close"}
        if self.header_file is None:
            return headers
        try:
            lines = to_plain_utf8(self.header_file.read_bytes()).decode("utf-8").splitlines()
        except UnicodeDecodeError:
            raise QueueUnavailable(f"{self.header_file}: not a UTF-8 text; save it as UTF-8") from None
        for number, line in enumerate(lines, 1):
            name, colon, value = line.partition(":")
            if line.strip() and not (colon and _is_header(name.strip(), value.strip())):
                raise QueueUnavailable(f"{self.header_file}:{number}: not a header; write NAME: VALUE")
            if colon:
                headers[name.strip()] = value.strip()
        return headers


@dataclass(frozen=True, slots=True)
class _Element:
    """One element of an answer: the digest that identifies it, its value (None when it cannot be read), its place."""

    digest: str
    value: Any
    position: int


def _read_element(raw: bytes, position: int) -> _Element:
    try:
        value = parse_json(raw)
        return _Element(event_digest(value) if isinstance(value, dict) else _digest(raw), value, position)
    except (BadEvent, RecursionError):
        return _Element(_digest(raw), None, position)


def load_row_mapper(name_or_path: str) -> Callable[[dict[str, Any]], list[Event]]:
    """Return a function from objects to events by a replay mapping. Raises MappingError with all its faults."""
    from edge_agent.sources.queue_mapping import build_row_mapper  # noqa: PLC0415 - only vendors' formats need it

    return build_row_mapper(name_or_path)


def event_digest(event: dict[str, Any]) -> str:
    """Return the digest that identifies an event: of its `id`, else of the whole event. Raises RecursionError."""
    own_id = event.get("id")
    if isinstance(own_id, str | int) and not isinstance(own_id, bool) and own_id != "":
        return _digest(str(own_id).encode())
    return _digest(msgspec.json.encode(event, order="deterministic"))


def _digest(text: bytes) -> str:
    return blake2b(text, digest_size=DIGEST_LENGTH // 2).hexdigest()


def _is_header(name: str, value: str) -> bool:
    return name.isascii() and bool(name) and " " not in name and _is_latin(value)


def _is_latin(value: str) -> bool:
    return all(" " <= sign <= "\xff" or sign == "\t" for sign in value)


def _redirected_url(url: str, location: str) -> str:
    """Return where a redirect leads on the same server. Raises QueueUnavailable: a token must go nowhere else."""
    try:
        target = urlsplit(urljoin(url, quote(location, safe=_URL_SAFE + "#[]")))
        is_same = bool(location) and _server_of(target.geturl()) == _server_of(url)
    except ValueError:
        is_same = False
    if not is_same:
        raise QueueUnavailable("redirected to another server; write the final address as `url`")
    return target._replace(fragment="").geturl()


def _server_of(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _error_message(error: BaseException) -> str:
    """Return the error's message without the server's words."""
    return f"no answer: {error.kind}" if isinstance(error, HttpFailure) else str(error)
