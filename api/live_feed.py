"""What changes in the live rows, looked for once for all open event streams of the process.

One thread reads while anybody listens; it must not know what a listener does with the messages.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import structlog

from api.times import rfc3339, rfc3339_or_none
from telemetry.errors import MotcuaError
from telemetry.queries.errors import NotFound
from telemetry.queries.views import count_states

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.queries.network import NetworkView
    from telemetry.queries.service import Queries
    from telemetry.queries.snapshot import Snapshot
    from telemetry.queries.views import CentreView, SystemView

_log = structlog.get_logger()
POLL_INTERVAL_S = 0.5
MESSAGE_INTERVAL_S = 2.0
"""At most one message of each kind about a centre or system in this time; the first change is sent at once."""
PING_INTERVAL_S = 15.0
MAX_BATCHES = 120
"""Who is further behind has read nothing for a minute: its stream ends, and it begins another from where it was."""
RETRY_MS = 5_000
"""How long a client waits before it connects again."""


@dataclass(frozen=True, slots=True)
class LiveMessage:
    """One server-sent event as bytes; `entity` is the centre or system that it is about, empty for all."""

    entity: str
    frame: bytes


@dataclass(frozen=True, slots=True)
class MessageBatch:
    """The messages of one poll; numbers count from 1 without gaps."""

    number: int
    messages: tuple[LiveMessage, ...]
    all_frames: bytes

    def frames_of(self, centre: str | None) -> bytes:
        """Return the messages for a listener to one centre, or with None to everything; empty when there are none."""
        if centre is None:
            return self.all_frames
        return b"".join(m.frame for m in self.messages if m.entity in ("", centre))


@dataclass(slots=True)
class _SentData:
    """What was last sent of one kind about one entity, and when (s); without the fields that change all the time."""

    data: dict[str, Any]
    at: float


@dataclass(slots=True)
class _Progress:
    """How far the feed has read, and what it has still to send."""

    seen_version: int = 0
    pending: set[str] = field(default_factory=set)
    sent: dict[tuple[str, str], _SentData] = field(default_factory=dict)
    ping_at: float = 0.0


def centre_state_data(view: CentreView) -> dict[str, Any]:
    """Return a centre's condition for the stream."""
    return {
        "centre": view.centre.id,
        "condition": view.condition,
        "open": view.open,
        "counters_open": view.counters_open,
        "devices": count_states(view.devices_in_service),
        "last_data": rfc3339_or_none(view.last_data, view.centre.zone),
    }


def queue_data(view: CentreView) -> dict[str, Any]:
    """Return a centre's queues for the stream."""
    rows = [{"service": s.service, "waiting": s.waiting, "serving": s.serving} for s in view.services]
    return {"centre": view.centre.id, "waiting": view.waiting, "services": rows}


def system_state_data(view: SystemView) -> dict[str, Any]:
    """Return a digital system's condition for the stream."""
    return {"system": view.system.id, "condition": view.condition}


def encode_event(event: str, version: int, data: dict[str, Any], retry_ms: int | None = None) -> bytes:
    """Return a server-sent event; its id is the live version that it shows."""
    lines = [f"event: {event}".encode(), b"data: " + msgspec.json.encode(data), f"id: {version}".encode()]
    if retry_ms is not None:
        lines.append(f"retry: {retry_ms}".encode())
    return b"\n".join((*lines, b"", b""))


def _lasting(data: dict[str, Any]) -> dict[str, Any]:
    """Remove the fields that change with every heartbeat."""
    return {name: value for name, value in data.items() if name != "last_data"}


def _data_of(network: NetworkView, entity: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the events about an entity with their data; none when it is no longer declared."""
    with suppress(NotFound):
        if entity in network.snapshot.systems:
            yield "system.state", system_state_data(network.system(entity))
        else:
            view = network.centre_view(network.centre(entity))
            yield "centre.state", centre_state_data(view)
            yield "queue", queue_data(view)


def _changed_since(snapshot: Snapshot, version: int) -> list[str]:
    return [*snapshot.centres_changed_since(version), *snapshot.systems_changed_since(version)]


class LiveFeed:
    """Numbers and keeps the newest batches of messages; safe to call from many threads.

    `monotonic` returns seconds. Methods that read may raise StoreUnavailable.
    """

    def __init__(
        self, queries: Queries, monotonic: Callable[[], float] = time.monotonic, interval_s: float = POLL_INTERVAL_S
    ) -> None:
        self._queries, self._monotonic, self._interval_s = queries, monotonic, interval_s
        self._lock = threading.Lock()
        self._listeners: set[Callable[[], object]] = set()
        self._poller: threading.Thread | None = None
        self._batches: deque[MessageBatch] = deque(maxlen=MAX_BATCHES)
        self._number = 0
        self._progress = _Progress()
        self._hello: tuple[Snapshot, bytes] | None = None

    def listen(self, wake: Callable[[], object]) -> int:
        """Call `wake`, from another thread, after every batch; returns the number of the last one before."""
        with self._lock:
            if self._poller is None:
                self._progress = self._begin()
                self._poller = threading.Thread(target=self._run, name="live-feed", daemon=True)
                self._poller.start()
            self._listeners.add(wake)
            return self._number

    def leave(self, wake: Callable[[], object]) -> None:
        """Wake it no more; without listeners nothing is read."""
        with self._lock:
            self._listeners.discard(wake)

    def batches_after(self, number: int) -> list[MessageBatch] | None:
        """Return the batches after a number, None when some of them are no longer kept."""
        with self._lock:
            if number < self._number - len(self._batches):
                return None
            return [batch for batch in self._batches if batch.number > number]

    def hello(self, centre: str | None, last_version: int | None) -> bytes:
        """Return what a stream begins with: everything, or what has changed since the version that the client has."""
        network = self._queries.network()
        if last_version is not None and last_version <= network.snapshot.version:
            return self._resumed_hello(network, centre, last_version)
        if centre is not None:
            return _encode_hello(network, [centre])
        cached = self._hello
        if cached is None or cached[0] is not network.snapshot:
            cached = self._hello = (network.snapshot, _encode_hello(network, sorted(network.snapshot.centres)))
        return cached[1]

    def _resumed_hello(self, network: NetworkView, centre: str | None, last_version: int) -> bytes:
        entities = _changed_since(network.snapshot, last_version)
        version = network.snapshot.version
        events = (pair for e in entities if centre in (None, e) for pair in _data_of(network, e))
        frames = (encode_event(event, version, data) for event, data in events)
        return b"".join((_encode_hello(network, [], resumed=True), *frames))

    def _begin(self) -> _Progress:
        """Begin at the present: only what changes from now on is a message."""
        network = self._queries.network()
        version, now = network.snapshot.version, self._monotonic()
        sent = {
            (event, entity): _SentData(_lasting(data), now - MESSAGE_INTERVAL_S)
            for entity in _changed_since(network.snapshot, -1)
            for event, data in _data_of(network, entity)
        }
        return _Progress(version, set(), sent, now + PING_INTERVAL_S)

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._interval_s):
            with self._lock:
                if not self._listeners:
                    self._poller = None
                    return
            try:
                self.poll()
            except MotcuaError:
                continue
            except Exception as error:  # noqa: BLE001  # the next poll may succeed, and many streams depend on it
                _log.error("live_feed_failed", error=repr(error), exc_info=error, remedy="trying again")

    def poll(self) -> None:
        """Read once and publish what has changed; a ping when it is due."""
        network, now, progress = self._queries.network(), self._monotonic(), self._progress
        version = network.snapshot.version
        progress.pending.update(_changed_since(network.snapshot, progress.seen_version))
        progress.seen_version = version
        messages = [m for entity in sorted(progress.pending) for m in self._take_messages(network, entity, now)]
        if now >= progress.ping_at:
            progress.ping_at = now + PING_INTERVAL_S
            messages.append(LiveMessage("", encode_event("ping", version, {"revision": version})))
        if messages:
            self._publish(tuple(messages))

    def _take_messages(self, network: NetworkView, entity: str, now: float) -> list[LiveMessage]:
        """Return what is new about an entity and due; what is not due yet stays pending."""
        progress, messages, is_pending = self._progress, [], False
        for event, data in _data_of(network, entity):
            lasting, sent = _lasting(data), progress.sent.get((event, entity))
            if sent is not None and sent.data == lasting:
                continue
            if sent is not None and now - sent.at < MESSAGE_INTERVAL_S:
                is_pending = True
                continue
            progress.sent[event, entity] = _SentData(lasting, now)
            messages.append(LiveMessage(entity, encode_event(event, network.snapshot.version, data)))
        if not is_pending:
            progress.pending.discard(entity)
        return messages

    def _publish(self, messages: tuple[LiveMessage, ...]) -> None:
        with self._lock:
            self._number += 1
            self._batches.append(MessageBatch(self._number, messages, b"".join(m.frame for m in messages)))
            listeners = list(self._listeners)
        for wake in listeners:
            wake()


def _encode_hello(network: NetworkView, centres: list[str], *, resumed: bool = False) -> bytes:
    views = []
    for ident in centres:
        with suppress(NotFound):
            views.append(network.centre_view(network.centre(ident)))
    data = {
        "revision": network.snapshot.version,
        "as_of": rfc3339(network.now, network.inventory.zone),
        "resumed": resumed,
        "centres": [{**centre_state_data(v), "waiting": v.waiting} for v in views],
    }
    return encode_event("hello", network.snapshot.version, data, RETRY_MS)
