"""Frames in, rows stored, receipts out: decode, check, write, then acknowledge. It must not fold or divide.

An MQTT message is acknowledged only after the store has committed its rows, and the receipt is sent
after that; whatever fails before is delivered again and changes nothing.  Messages are judged as they
come and written together: writes (`Write`) may be under way while the next one gathers.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from telemetry.core.calendar.windows import MINUTE, floor
from telemetry.core.figures.completeness import ranges_of
from telemetry.core.fold.event_spans import dirty_hours_of_frames
from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.codec import MAX_NAMED_ROWS, DecodedFrame, DeliveryReceipt, UnreadableFrame
from telemetry.core.protocol.topics import Topic, parse_topic
from telemetry.errors import StoreUnavailable
from telemetry.ingest.heartbeat_writer import PlatformHeartbeatWriter
from telemetry.ingest.stats import IngestStats
from telemetry.store import CONTACT_OUTBOX_ID, SERVER_OUTBOX_IDS, Batch, ChangeRecord, DeadLetter, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.store import Store

BATCH_MESSAGES, BATCH_ROWS, BATCH_BYTES = 4_000, 30_000, 16 * 1024 * 1024
"""What one write may hold; beyond it nothing is read from the broker, whose queue then grows, not our memory."""
BATCH_LINGER_MS = 20
MAX_ROW_NUMBER = 1 << 53
MAX_RECEIPT_ENTRIES = 1_000
"""Most names of each kind in one receipt; three kinds take about 120 kB."""
RETENTION_CHECK_MS = 600_000
"""How often the store is asked how far back it keeps events."""
_PERSONAL_NUMBER = re.compile(r"\d{9}")
"""A foreign device id with a phone's or a citizen's number in it is not written down."""


class ReplyChannel(Protocol):
    """What ingest needs of a link."""

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Acknowledge messages."""

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send (topic, payload) at QoS 0."""


class FrameResult(Struct, frozen=True):
    """What becomes of one message."""

    topic: Topic | None
    decoded: DecodedFrame
    dead_letters: tuple[DeadLetter, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """One write and the messages it answers."""

    messages: list[Message]
    results: list[FrameResult]
    batch: Batch
    started_at: int
    """When its first message came, ms."""


@dataclass(slots=True)
class _Reply:
    topic: Topic
    outbox_id: str
    stored: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    deferred: list[tuple[int, str]] = field(default_factory=list)


def classify_frame(message: Message, inventory: Inventory, now: int, oldest: int = 0) -> FrameResult:
    """Sort a message's rows by outcome; never raises, whatever the bytes. Before `oldest` the store keeps nothing."""
    topic = parse_topic(message.topic)
    if topic is None or topic.channel != "up":
        return FrameResult(None, DecodedFrame(""), (DeadLetter(now, "", "foreign_topic", 1, len(message.payload)),))
    try:
        decoded = codec.decode_frame(message.payload, message.content_type, now)
    except UnreadableFrame as error:
        decoded = _reject_by_properties(message, error.reason)
    if decoded.outbox_id in SERVER_OUTBOX_IDS:
        decoded = DecodedFrame("", unidentified=["malformed"])
    if not inventory.is_declared(topic.centre, topic.device):
        decoded = _defer_undeclared(decoded)
    elif oldest and decoded.events:
        decoded = _reject_expired(decoded, oldest)
    return FrameResult(topic, decoded, _dead_letters(topic.device, decoded, now, len(message.payload)))


def _reject_by_properties(message: Message, reason: str) -> DecodedFrame:
    """Reject the rows that the user properties name; an unreadable payload can still be answered."""
    user_properties = message.user_properties
    try:
        first, last = int(user_properties["from"]), int(user_properties["to"])
        outbox_id = user_properties["spool"]
    except (KeyError, ValueError):
        return DecodedFrame("", unidentified=[reason])
    if not 1 <= first <= last < first + MAX_NAMED_ROWS or last > MAX_ROW_NUMBER or not 1 <= len(outbox_id) <= 64:
        return DecodedFrame("", unidentified=[reason])
    return DecodedFrame(outbox_id, rejected=[(n, reason) for n in range(first, last + 1)])


def _defer_undeclared(decoded: DecodedFrame) -> DecodedFrame:
    """Put off the rows of a device that is not declared (yet); nothing of it is stored."""
    deferred = [(event.n, "unknown_device") for event in decoded.events]
    return DecodedFrame(decoded.outbox_id, [], decoded.rejected, decoded.deferred + deferred, decoded.unidentified)


def _reject_expired(decoded: DecodedFrame, oldest: int) -> DecodedFrame:
    """Refuse rows from before the store's retention: it would never take them."""
    expired = [(event.n, "too_old") for event in decoded.events if event.t < oldest]
    if not expired:
        return decoded
    events = [event for event in decoded.events if event.t >= oldest]
    return DecodedFrame(decoded.outbox_id, events, decoded.rejected + expired, decoded.deferred, decoded.unidentified)


def _dead_letters(device: str, decoded: DecodedFrame, now: int, size: int) -> tuple[DeadLetter, ...]:
    if not (decoded.rejected or decoded.deferred or decoded.unidentified):
        return ()
    reasons = Counter(reason for _, reason in (*decoded.rejected, *decoded.deferred))
    reasons.update(decoded.unidentified)
    safe_device = "" if _PERSONAL_NUMBER.search(device) else device
    return tuple(DeadLetter(now, safe_device, reason, rows, size) for reason, rows in sorted(reasons.items()))


class Ingest:
    """Takes messages, writes them in batches and answers. `clock` gives ms."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._last_contact: dict[str, int] = {}
        self._messages: list[Message] = []
        self._results: list[FrameResult] = []
        self._rows = self._bytes = 0
        self._batch_started_at = 0
        self._oldest_retained, self._retention_checked_at = 0, 0
        self.stats = IngestStats()
        self.heartbeats = PlatformHeartbeatWriter(store, clock)

    def accept(self, message: Message) -> None:
        """Judge a message and keep it for the next write."""
        now = self._clock()
        if not self._messages:
            self._batch_started_at = now
        result = classify_frame(message, self._inventory(), now, self._oldest_retained)
        self._messages.append(message)
        self._results.append(result)
        self.stats.record_message(now)
        self._rows += len(result.decoded.events)
        self._bytes += len(message.payload)

    def is_batch_due(self) -> bool:
        """Tell whether a write is due: enough messages, or the first has waited long enough."""
        return bool(self._messages) and (
            self.is_full() or abs(self._clock() - self._batch_started_at) >= BATCH_LINGER_MS
        )

    def is_full(self) -> bool:
        """Tell whether no more should be taken in before a write."""
        return len(self._messages) >= BATCH_MESSAGES or self._rows >= BATCH_ROWS or self._bytes >= BATCH_BYTES

    def take_batch(self) -> WriteBatch | None:
        """Return what waits as one write, as much as one may hold; the rest waits on."""
        if not self._messages:
            return None
        size = self._batch_size()
        messages, self._messages = self._messages[:size], self._messages[size:]
        results, self._results = self._results[:size], self._results[size:]
        self._rows -= sum(len(v.decoded.events) for v in results)
        self._bytes -= sum(len(m.payload) for m in messages)
        return WriteBatch(messages, results, self._build_batch(results), self._batch_started_at)

    def _batch_size(self) -> int:
        """Return how many of the waiting messages fit into a write; more wait only after a write has failed."""
        if self._rows <= 2 * BATCH_ROWS and len(self._messages) <= 2 * BATCH_MESSAGES:
            return len(self._messages)
        rows = list(accumulate(len(v.decoded.events) for v in self._results))
        return min(bisect_left(rows, BATCH_ROWS) + 1, BATCH_MESSAGES, len(rows))

    def put_back(self, write: WriteBatch) -> None:
        """Keep a write that failed, before what has come since."""
        self._messages = write.messages + self._messages
        self._results = write.results + self._results
        self._rows += sum(len(v.decoded.events) for v in write.results)
        self._bytes += sum(len(m.payload) for m in write.messages)
        self._batch_started_at = write.started_at

    def store_batch(self, write: WriteBatch) -> Sequence[StoredEvent]:
        """Store a write's batch; returns what the store will never take. Raises StoreUnavailable."""
        began = self._clock()
        refused = self._store.append(write.batch)
        self.stats.record_write(began, self._clock())
        self._refresh_retention(began)
        return refused

    def _refresh_retention(self, now: int) -> None:
        if not self._retention_checked_at or now - self._retention_checked_at >= RETENTION_CHECK_MS:
            retention = self._store.raw_retention_ms()
            self._oldest_retained, self._retention_checked_at = (now - retention if retention else 0), now

    def answer(self, write: WriteBatch, refused: Sequence[StoredEvent], channel: ReplyChannel) -> None:
        """Acknowledge what is stored, in the order of delivery, then send the receipts."""
        contacts = [s for s in write.batch.events if s.outbox_id == CONTACT_OUTBOX_ID]
        self._last_contact.update({s.device: s.event.t for s in contacts})
        channel.acknowledge(write.messages)
        replies = _build_replies(write.results, refused)
        now = self._clock()
        receipts = [
            (reply.topic.with_channel("receipt").path, codec.encode_receipt(receipt))
            for reply in replies
            for receipt in _split_receipts(reply, now)
        ]
        channel.publish_many(receipts)
        rows = len(write.batch.events) - len(contacts) - len(refused)
        self.stats.record_answer(write.batch, len(write.messages), rows, len(receipts))

    def flush(self, channel: ReplyChannel) -> None:
        """Write what waits, acknowledge it, send receipts. Raises StoreUnavailable; nothing is lost then."""
        write = self.take_batch()
        if write is None:
            return
        try:
            refused = self.store_batch(write)
        except StoreUnavailable:
            self.put_back(write)
            raise
        self.answer(write, refused, channel)

    def _build_batch(self, results: Sequence[FrameResult]) -> Batch:
        now = self._clock()
        events = [
            StoredEvent(v.topic.centre, v.topic.device, v.decoded.outbox_id, event)
            for v in results
            if v.topic is not None
            for event in v.decoded.events
        ]
        contacts = self._contact_events(results, now)
        events += contacts
        frames = [(v.topic.centre, v.decoded.events) for v in results if v.topic is not None and v.decoded.events]
        dirty_windows = dirty_hours_of_frames([*frames, *((s.centre, [s.event]) for s in contacts)])
        dead_letters = [letter for v in results for letter in v.dead_letters]
        return Batch(now * 1000, events, [ChangeRecord(*dirty_window) for dirty_window in dirty_windows], dead_letters)

    def _contact_events(self, results: Sequence[FrameResult], now: int) -> list[StoredEvent]:
        """Note once a minute that a known device was heard."""
        minute = floor(now, MINUTE)
        contact_by_device: dict[str, StoredEvent] = {}
        for v in results:
            if v.topic is None or not v.decoded.events or self._last_contact.get(v.topic.device) == minute:
                continue
            event = ev.DeviceContact(n=minute // MINUTE, t=minute)
            contact_by_device[v.topic.device] = StoredEvent(v.topic.centre, v.topic.device, CONTACT_OUTBOX_ID, event)
        return list(contact_by_device.values())


def _build_replies(results: Sequence[FrameResult], refused: Sequence[StoredEvent]) -> Iterable[_Reply]:
    """Return what to tell each outbox: one reply for all its frames of a write."""
    replies: dict[tuple[str, str, str], _Reply] = {}
    for v in results:
        outbox_id = v.decoded.outbox_id
        if v.topic is None or not outbox_id:
            continue
        key = (v.topic.centre, v.topic.device, outbox_id)
        reply = replies.get(key)
        if reply is None:
            reply = replies[key] = _Reply(v.topic, outbox_id)
        reply.stored += [event.n for event in v.decoded.events]
        reply.rejected += v.decoded.rejected
        reply.deferred += v.decoded.deferred
    for s in refused:
        refused_reply = replies.get((s.centre, s.device, s.outbox_id))
        if refused_reply is not None:
            refused_reply.stored = [n for n in refused_reply.stored if n != s.event.n]
            refused_reply.rejected.append((s.event.n, "store_refused"))
    return replies.values()


def _split_receipts(reply: _Reply, now: int) -> Iterator[DeliveryReceipt]:
    """Yield one receipt, or as many as keep each below what a broker takes."""
    ranges, size = ranges_of(reply.stored), MAX_RECEIPT_ENTRIES
    for at in range(0, max(len(ranges), len(reply.rejected), len(reply.deferred), 1), size):
        part = slice(at, at + size)
        rejected, deferred = reply.rejected[part], reply.deferred[part]
        yield DeliveryReceipt(
            spool=reply.outbox_id, ranges=list(ranges[part]), rejected=rejected, deferred=deferred, at=now
        )
