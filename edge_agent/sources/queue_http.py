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

from edge_agent.log import Log
from edge_agent.sources.parsing import BadEvent, event_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.state import DeviceState
    from telemetry.core.protocol.events import Event

_log = Log(__name__)
MAX_BODY = 4 * 1024 * 1024
SILENCE_S = 10.0
"""Longest wait for the next bytes."""
WHOLE_S = 30.0
"""Longest time one answer may take in all."""
REMEMBERED = 512
"""Ids kept to know what is delivered again; at least those of the last two answers."""
TRIES = 5
"""Failures in a row after which supervision is told."""
LONGEST_MS = 600_000


class QueueUnavailable(OSError):
    """The queue system gave no usable answer; nothing was taken."""


class Answer(msgspec.Struct, frozen=True):
    """What the endpoint answers; without `next` the cursor stays."""

    events: list[dict[str, Any]]
    next: str | int | None = None


class Cursor(msgspec.Struct, frozen=True):
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
    mapped: Callable[[dict[str, Any]], list[Event]] | None = None
    name: str = "queue_http"
    silence_s: float = SILENCE_S
    whole_s: float = WHOLE_S
    bad: int = 0

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Poll until stopped. Raises QueueUnavailable after several failures in a row."""
        failures = 0
        while not stop.is_set():
            try:
                more, failures = self.once(outbox), 0
            except (OSError, http.client.HTTPException) as error:
                more, failures = False, failures + 1
                _log.warning("queue_unavailable", source=self.name, error=_safe(error), failures=failures)
                if failures >= TRIES:
                    raise QueueUnavailable(_safe(error)) from None
            if not more:
                stop.wait(min(self.every_ms * 2 ** max(failures - 1, 0), LONGEST_MS) / 1000)

    def once(self, outbox: Sink) -> bool:
        """Take one answer; tells whether to ask again at once. Raises OSError, http.client.HTTPException."""
        cursor = _cursor_of(outbox.cursor(self.name))
        answer = self._fetched(cursor.next)
        known = dict.fromkeys(cursor.seen)
        fresh = {key: value for key, value in ((key_of(v), v) for v in answer.events) if key not in known}
        events = self._events(list(fresh.values()))
        following = cursor.next if answer.next is None else str(answer.next)
        kept = [*(key for key in known if key not in fresh), *fresh][-max(REMEMBERED, 2 * len(answer.events)) :]
        if fresh or following != cursor.next:
            text = msgspec.json.encode(Cursor(following, tuple(kept))).decode()
            outbox.append(events, source=self.name, cursor=text)
            for event in events:
                self.state.follow(event)
        return bool(fresh) and following != cursor.next

    def _events(self, given: list[dict[str, Any]]) -> list[Event]:
        events: list[Event] = []
        bad = 0
        for value in given:
            try:
                if self.mapped:
                    events += self.mapped(value)
                else:
                    events.append(event_of({key: part for key, part in value.items() if key != "id"}))
            except BadEvent:
                bad += 1
        self.bad += bad
        if bad:
            _log.warning("bad_events_skipped", source=self.name, events=bad, since_start=self.bad)
        return events

    def _fetched(self, since: str) -> Answer:
        connection = self._connection()
        connection.connect()
        timer = threading.Timer(self.whole_s, _cut, [connection.sock])
        timer.daemon = True
        timer.start()
        try:
            connection.request("GET", self._target(since), headers=self._headers())
            return _answer(connection.getresponse())
        finally:
            timer.cancel()
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        parts = urlsplit(self.url)
        if parts.scheme == "https":
            context = ssl.create_default_context()
            return http.client.HTTPSConnection(
                parts.hostname or "", parts.port, timeout=self.silence_s, context=context
            )
        if parts.scheme != "http":
            raise QueueUnavailable(f"url: {parts.scheme!r} is no way to ask; use http or https")
        return http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=self.silence_s)

    def _target(self, since: str) -> str:
        parts = urlsplit(self.url)
        query = "&".join(part for part in (parts.query, f"since={quote(since, safe='')}" if since else "") if part)
        return f"{parts.path or '/'}{'?' if query else ''}{query}"

    def _headers(self) -> dict[str, str]:
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


def key_of(event: dict[str, Any]) -> str:
    """Return the digest under which an event is remembered: of its `id`, else of all of it."""
    own = event.get("id")
    text = str(own).encode() if isinstance(own, str | int) else msgspec.json.encode(event, order="deterministic")
    return blake2b(text, digest_size=6).hexdigest()


def rows_through(mapping: str) -> Callable[[dict[str, Any]], list[Event]]:
    """Return what makes events of objects whose fields are the columns of a replay mapping. Raises MappingError."""
    from edge_agent.sources.queue_rows import Rows  # noqa: PLC0415 - only vendors' formats need it

    return Rows.of(mapping).events


def _answer(response: http.client.HTTPResponse) -> Answer:
    if response.status != http.client.OK:
        raise QueueUnavailable(f"answered {response.status}; see the queue system's log")
    body = response.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise QueueUnavailable(f"answered over {MAX_BODY} bytes; have it give fewer events at once")
    if response.length:
        raise QueueUnavailable("the answer was cut off")
    try:
        return msgspec.json.decode(body, type=Answer)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        raise QueueUnavailable('answered something else than {"events": [...], "next": ...}') from None


def _cursor_of(text: str) -> Cursor:
    return msgspec.json.decode(text, type=Cursor) if text else Cursor()


def _cut(connection: Any) -> None:  # noqa: ANN401 - a plain or a TLS socket
    """End a connection whose answer takes too long."""
    with suppress(OSError):
        connection.shutdown(SHUT_RDWR)


def _safe(error: BaseException) -> str:
    """Return the error without what the server said."""
    return str(error) if isinstance(error, OSError) else type(error).__name__
