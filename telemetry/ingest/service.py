"""Turns frames into stored rows and receipts: decode, check, write, then acknowledge. It must not fold or divide.

An MQTT message is acknowledged only after the store has committed its rows, and the receipt is sent
after that; on a failure before, the message is delivered again, which is idempotent.  Messages are checked when they
arrive and written together: a write (`WriteBatch`) may be in progress while the next one collects messages.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from dataclasses import dataclass, field
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Final, Literal, Protocol

from msgspec import Struct
from msgspec.structs import replace

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, floor
from telemetry.core.figures.completeness import ranges_of
from telemetry.core.fold.platform_heartbeat import HEARTBEAT_INTERVAL_MS, PLATFORM_ENTITY, PLATFORM_OUTBOX_ID
from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.codec import MAX_NAMED_ROWS, DecodedFrame, DeliveryReceipt, UnreadableFrame
from telemetry.core.protocol.topics import Topic, parse_topic
from telemetry.errors import StoreUnavailable
from telemetry.ingest import isolation, row_bounds
from telemetry.ingest.device_limits import DeviceLimits
from telemetry.ingest.isolation import UNPROCESSABLE, StoreOutcome
from telemetry.ingest.stats import IngestStats
from telemetry.store import CONTACT_OUTBOX_ID, SERVER_OUTBOX_IDS, Batch, ChangeRecord, DeadLetter, StoredEvent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.link import Message
    from telemetry.store import Store

BATCH_MESSAGES, BATCH_ROWS, BATCH_BYTES = 4_000, 30_000, 16 * 1024 * 1024
"""The limits of one write; above them reading from the broker pauses, so its queue grows, not this process's memory."""
BATCH_LINGER_MS = 20
MAX_ROW_NUMBER = 1 << 53
MAX_RECEIPT_ENTRIES = 1_000
"""Most entries of each kind in one receipt; three kinds take about 120 kB."""
MAX_RECEIPTS_PER_DEVICE = 100
"""Most receipts that a device gets for one write; what no receipt names it sends again."""
RETENTION_CHECK_MS = 600_000
"""How often the store's retention is read."""
_PERSONAL_NUMBER = re.compile(r"\d{9}")
"""An undeclared device id that contains a phone or citizen number is not stored."""
HEARTBEAT_DEVICE: Final = "ingest"
"""All workers write heartbeats under one device id: one of them is enough."""
HEARTBEAT_RETRY_MS: Final = 5_000


class ReplyChannel(Protocol):
    """What ingest needs of a link."""

    def largest_payload(self, topic: str) -> int:
        """Return the largest payload that the broker accepts on the topic at QoS 0, bytes."""

    def acknowledge(self, messages: Iterable[Message]) -> None:
        """Acknowledge messages."""

    def publish_many(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send (topic, payload) at QoS 0."""


class FrameResult(Struct, frozen=True):
    """The outcome of one message."""

    topic: Topic | None
    decoded: DecodedFrame
    dead_letters: tuple[DeadLetter, ...] = ()


@dataclass(frozen=True, slots=True)
class WriteBatch:
    """One write, and the messages to acknowledge and answer after it."""

    messages: list[Message]
    results: list[FrameResult]
    batch: Batch
    started_at: int
    """When its first message arrived, Unix ms."""


@dataclass(slots=True)
class _Reply:
    topic: Topic
    outbox_id: str
    stored: list[int] = field(default_factory=list)
    rejected: dict[int, str] = field(default_factory=dict)
    deferred: dict[int, str] = field(default_factory=dict)


def classify_frame(
    message: Message, inventory: Inventory, now: int, oldest: int = 0,
    max_age_ms: int = row_bounds.DEFAULT_MAX_AGE_MS, limits: DeviceLimits | None = None,
) -> FrameResult:  # fmt: skip
    """Sort a message's rows by outcome, whatever the bytes.

    `now` is the time of arrival and `oldest` the start of the store's retention (0: unlimited), Unix ms;
    rows of devices, not of imports, are stored up to an age of `max_age_ms` and within `limits`.
    """
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
        deferred = [(event.n, "unknown_device") for event in decoded.events]
        decoded = replace(decoded, events=[], deferred=decoded.deferred + deferred)
    elif decoded.events:
        oldest = row_bounds.oldest_accepted(topic, now, oldest, max_age_ms)
        times = [event.t for event in decoded.events]
        if (earliest := min(times)) < oldest:
            expired = [(event.n, "too_old") for event in decoded.events if event.t < oldest]
            decoded = row_bounds.reject_rows(decoded, expired)
        kinds = {*map(type, decoded.events)}
        decoded = row_bounds.reject_foreign_entities(decoded, kinds, inventory)
        decoded = row_bounds.defer_undeclared_systems(decoded, kinds, inventory)
        if limits:
            day = earliest // DAY
            decoded = limits.apply(topic, decoded, kinds, now, day if day == max(times) // DAY else None)
    return FrameResult(topic, decoded, _dead_letters(topic.device, decoded, now, len(message.payload)))


def _reject_by_properties(message: Message, reason: str) -> DecodedFrame:
    """Reject the rows in the user properties, so that an unreadable payload is answered too."""
    named = message.user_properties
    try:
        first, last, outbox_id = int(named["from"]), int(named["to"]), named["spool"]
    except (KeyError, ValueError):
        return DecodedFrame("", unidentified=[reason])
    if not 1 <= first <= last < first + MAX_NAMED_ROWS or last > MAX_ROW_NUMBER or not 1 <= len(outbox_id) <= 64:
        return DecodedFrame("", unidentified=[reason])
    return DecodedFrame(outbox_id, rejected=[(n, reason) for n in range(first, last + 1)])


def _dead_letters(device: str, decoded: DecodedFrame, now: int, size: int) -> tuple[DeadLetter, ...]:
    if not (decoded.rejected or decoded.deferred or decoded.unidentified):
        return ()
    reasons = Counter(reason for _, reason in (*decoded.rejected, *decoded.deferred))
    reasons.update(decoded.unidentified)
    safe_device = "" if _PERSONAL_NUMBER.search(device) else device
    return tuple(DeadLetter(now, safe_device, reason, rows, size) for reason, rows in sorted(reasons.items()))


def _topic_or_none(text: str) -> Topic | None:
    try:
        return parse_topic(text)
    except Exception:  # noqa: BLE001
        return None


class PlatformHeartbeatWriter:
    """Writes the platform's own heartbeat, once a minute; not called without a link. `clock` returns Unix ms."""

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self._store, self._clock, self._due_at = store, clock, 0

    def is_due(self) -> bool:
        """Return whether it is time for the next heartbeat."""
        return not 0 < self._due_at - self._clock() <= HEARTBEAT_INTERVAL_MS

    def write_heartbeat(self) -> bool:
        """Write a heartbeat and return whether it is stored; retry a little later when the store is unavailable."""
        now = self._clock()
        event = ev.PlatformBeat(n=now // HEARTBEAT_INTERVAL_MS + 1, t=now)
        change = ChangeRecord(PLATFORM_ENTITY, floor(now, HOUR), floor(now, HOUR) + HOUR)
        try:
            self._store.append(
                Batch(now * 1000, [StoredEvent(PLATFORM_ENTITY, HEARTBEAT_DEVICE, PLATFORM_OUTBOX_ID, event)], [change])
            )
        except StoreUnavailable:
            self._due_at = now + HEARTBEAT_RETRY_MS
            return False
        self._due_at = floor(now, HEARTBEAT_INTERVAL_MS) + HEARTBEAT_INTERVAL_MS
        return True


class Ingest:
    """Accepts messages, writes them in batches and answers them. `clock` returns Unix ms."""

    def __init__(
        self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int],
        max_age_ms: int = row_bounds.DEFAULT_MAX_AGE_MS,
    ) -> None:  # fmt: skip
        """`max_age_ms` is how old a device's event may be when it arrives."""
        self._store, self._inventory, self._clock, self._max_age_ms = store, inventory, clock, max_age_ms
        self._last_contact: dict[str, int] = {}
        self._messages: list[Message] = []
        self._results: list[FrameResult] = []
        self._rows = self._bytes = 0
        self._batch_started_at = 0
        self._oldest_retained, self._retention_checked_at = 0, 0
        self._limits = DeviceLimits()
        self.stats = IngestStats()
        self.heartbeats = PlatformHeartbeatWriter(store, clock)

    def accept(self, message: Message) -> None:
        """Check a message and add it to the next write."""
        now = self._clock()
        if not self._messages:
            self._batch_started_at = now
        try:
            result = self._classify(message, now)
        except Exception as error:  # noqa: BLE001  # one message never stops ingest
            result = self._classify_apart(message, now, error)
        self._messages.append(message)
        self._results.append(result)
        self.stats.record_message(now)
        self._rows += _count_rows(result)
        self._bytes += len(message.payload)

    def _classify(self, message: Message, now: int) -> FrameResult:
        return classify_frame(message, self._inventory(), now, self._oldest_retained, self._max_age_ms, self._limits)

    def _classify_apart(self, message: Message, now: int, error: Exception) -> FrameResult:
        """Classify each row of a frame alone, after an unexpected error of the whole; what fails is deferred."""
        size = len(message.payload)
        try:
            topic = parse_topic(message.topic)
            isolation.log_failure("frame_split", error, topic=topic.path if topic else "", size=size)
            decoded = isolation.classify_rows_apart(message, lambda part: self._classify(part, now).decoded)
        except Exception as split_error:  # noqa: BLE001
            isolation.log_failure("frame_deferred", split_error, size=size)
            named = _reject_by_properties(message, UNPROCESSABLE)
            topic = _topic_or_none(message.topic)
            decoded = replace(named, rejected=[], deferred=named.rejected)
        if topic is None:
            return FrameResult(None, DecodedFrame(""), (DeadLetter(now, "", UNPROCESSABLE, 1, size),))
        return FrameResult(topic, decoded, _dead_letters(topic.device, decoded, now, size))

    def is_batch_due(self) -> bool:
        """Return whether a write is due: enough messages, or the first has waited long enough."""
        return bool(self._messages) and (
            self.is_full() or abs(self._clock() - self._batch_started_at) >= BATCH_LINGER_MS
        )

    def is_full(self) -> bool:
        """Return whether no more messages should be received before a write."""
        return len(self._messages) >= BATCH_MESSAGES or self._rows >= BATCH_ROWS or self._bytes >= BATCH_BYTES

    def take_batch(self) -> WriteBatch | None:
        """Return the waiting messages as one write, up to the limits of one write; the rest remains waiting."""
        if not self._messages:
            return None
        size = len(self._messages)
        if self._rows > 2 * BATCH_ROWS or size > 2 * BATCH_MESSAGES:  # only after a failed write
            rows = list(accumulate(map(_count_rows, self._results)))
            size = min(bisect_left(rows, BATCH_ROWS) + 1, BATCH_MESSAGES, size)
        messages, self._messages = self._messages[:size], self._messages[size:]
        results, self._results = self._results[:size], self._results[size:]
        self._rows -= sum(map(_count_rows, results))
        self._bytes -= sum(len(m.payload) for m in messages)
        try:
            batch = self._build_batch(results)
        except Exception as error:  # noqa: BLE001  # one frame never stops a write
            isolation.log_failure("batch_split", error, frames=size)
            results = [self._checked_result(v) for v in results]
            batch = self._build_batch(results)
        return WriteBatch(messages, results, batch, self._batch_started_at)

    def _checked_result(self, result: FrameResult) -> FrameResult:
        """Return a frame's result when a batch of it alone can be built, else with all its rows deferred."""
        try:
            self._build_batch([result])
        except Exception as error:  # noqa: BLE001
            isolation.log_failure("frame_deferred", error, rows=len(result.decoded.events))
            if result.topic is None:
                return FrameResult(None, DecodedFrame(""))
            decoded = isolation.defer_all(result.decoded)
            letters = _dead_letters(result.topic.device, decoded, self._clock(), 0)
            return FrameResult(result.topic, decoded, letters)
        return result

    def put_back(self, write: WriteBatch) -> None:
        """Put the messages of a failed write before those received since."""
        self._messages = write.messages + self._messages
        self._results = write.results + self._results
        self._rows += sum(map(_count_rows, write.results))
        self._bytes += sum(len(m.payload) for m in write.messages)
        self._batch_started_at = write.started_at

    def store_batch(self, write: WriteBatch) -> StoreOutcome:
        """Store a write's batch; returns the events that are not stored. Raises StoreUnavailable."""
        began = self._clock()
        try:
            outcome = StoreOutcome(self._store.append(write.batch))
        except StoreUnavailable:
            raise
        except Exception as error:  # noqa: BLE001  # one row never stops the others
            isolation.log_failure("write_split", error, rows=len(write.batch.events))
            outcome = isolation.append_each(self._store, write.batch)
        self.stats.record_write(began, self._clock())
        if not self._retention_checked_at or began - self._retention_checked_at >= RETENTION_CHECK_MS:
            retention = self._store.raw_retention_ms()
            self._oldest_retained, self._retention_checked_at = (began - retention if retention else 0), began
        return outcome

    def answer(self, write: WriteBatch, outcome: StoreOutcome, channel: ReplyChannel) -> None:
        """Acknowledge the write's messages, in the order of delivery, then send the receipts."""
        contacts = [s for s in write.batch.events if s.outbox_id == CONTACT_OUTBOX_ID]
        self._last_contact.update({s.device: s.event.t for s in contacts})
        channel.acknowledge(write.messages)
        now = self._clock()
        receipts: list[tuple[str, bytes]] = []
        sent: Counter[str] = Counter()
        for reply in _build_replies(write.results, outcome):
            topic = reply.topic.with_channel("receipt").path
            limit = channel.largest_payload(topic)
            if sent[topic] >= MAX_RECEIPTS_PER_DEVICE:
                self.stats.receipts_withheld += 1
                continue
            if (payload := _encode_usual_receipt(reply, now)) is not None and len(payload) <= limit:
                sent[topic] += 1
                receipts.append((topic, payload))
                continue
            parts = (part for receipt in _split_receipts(reply, now) for part in _fit_receipt(receipt, limit))
            payloads = list(islice(parts, MAX_RECEIPTS_PER_DEVICE - sent[topic]))
            self.stats.receipts_withheld += any(True for _ in parts)
            sent[topic] += len(payloads)
            receipts += [(topic, payload) for payload in payloads if len(payload) <= limit]
            self.stats.receipts_too_large += sum(len(payload) > limit for payload in payloads)
        channel.publish_many(receipts)
        rows = len(write.batch.events) - len(contacts) - len(outcome.refused) - len(outcome.deferred)
        if outcome.deferred:
            self.stats.refused_by_reason[UNPROCESSABLE] += len(outcome.deferred)
        self.stats.record_answer(write.batch, len(write.messages), rows, len(receipts))

    def flush(self, channel: ReplyChannel) -> None:
        """Write waiting messages, acknowledge, send receipts. Raises StoreUnavailable; nothing is lost then."""
        if (write := self.take_batch()) is None:
            return
        try:
            outcome = self.store_batch(write)
        except StoreUnavailable:
            self.put_back(write)
            raise
        self.answer(write, outcome, channel)

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
        changes = isolation.changes_of([*frames, *((s.centre, [s.event]) for s in contacts)])
        dead_letters = [letter for v in results for letter in v.dead_letters]
        return Batch(now * 1000, events, changes, dead_letters)

    def _contact_events(self, results: Sequence[FrameResult], now: int) -> list[StoredEvent]:
        """Return a contact event for each device that sent accepted rows and has none in this minute."""
        minute = floor(now, MINUTE)
        event = ev.DeviceContact(n=minute // MINUTE, t=minute)
        contact_by_device = {
            v.topic.device: StoredEvent(v.topic.centre, v.topic.device, CONTACT_OUTBOX_ID, event)
            for v in results
            if v.topic is not None and v.decoded.events and self._last_contact.get(v.topic.device) != minute
        }
        return list(contact_by_device.values())


def _count_rows(result: FrameResult) -> int:
    """Return how many rows a message takes in memory: those that are not stored are answered one by one."""
    decoded = result.decoded
    if not result.dead_letters:
        return len(decoded.events)
    return len(decoded.events) + len(decoded.rejected) + len(decoded.deferred)


def _build_replies(results: Sequence[FrameResult], outcome: StoreOutcome) -> Iterable[_Reply]:
    """Return one reply for each outbox: it covers all its frames in a write."""
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
        reply.rejected.update(v.decoded.rejected)
        reply.deferred.update(v.decoded.deferred)
    _remove_from_stored(replies, outcome.refused, "store_refused", "rejected")
    _remove_from_stored(replies, outcome.deferred, UNPROCESSABLE, "deferred")
    return replies.values()


def _remove_from_stored(
    replies: Mapping[tuple[str, str, str], _Reply], events: Sequence[StoredEvent], reason: str,
    kind: Literal["rejected", "deferred"],
) -> None:  # fmt: skip
    """Answer events that are not stored with the reason instead."""
    numbers: dict[tuple[str, str, str], set[int]] = {}
    for s in events:
        numbers.setdefault((s.centre, s.device, s.outbox_id), set()).add(s.event.n)
    for key in numbers.keys() & replies.keys():
        replies[key].stored = [n for n in replies[key].stored if n not in numbers[key]]
        getattr(replies[key], kind).update(dict.fromkeys(sorted(numbers[key]), reason))


def _encode_usual_receipt(reply: _Reply, now: int) -> bytes | None:
    """Return the one receipt of rows that are all stored, None of others: most replies need no splitting."""
    if reply.rejected or reply.deferred or len(ranges := ranges_of(reply.stored)) > MAX_RECEIPT_ENTRIES:
        return None
    return codec.encode_receipt(DeliveryReceipt(spool=reply.outbox_id, ranges=list(ranges), at=now))


def _fit_receipt(receipt: DeliveryReceipt, limit: int) -> Iterator[bytes]:
    """Yield a receipt's payload, or those of its halves while it is over the broker's limit, bytes.

    A receipt of one entry is yielded whatever its size.
    """
    payload = codec.encode_receipt(receipt)
    entries = len(receipt.ranges) + len(receipt.rejected) + len(receipt.deferred)
    if len(payload) <= limit or entries <= 1:
        yield payload
        return
    for name in ("ranges", "rejected", "deferred"):
        values, empty = getattr(receipt, name), replace(receipt, ranges=[], rejected=[], deferred=[])
        middle = (len(values) + 1) // 2
        for half in (values[:middle], values[middle:]):
            if half:
                yield from _fit_receipt(replace(empty, **{name: half}), limit)


def _split_receipts(reply: _Reply, now: int) -> Iterator[DeliveryReceipt]:
    """Yield one receipt, or several of at most MAX_RECEIPT_ENTRIES; a row that came twice is named once."""
    ranges, size = ranges_of(reply.stored), MAX_RECEIPT_ENTRIES
    all_rejected, all_deferred = list(reply.rejected.items()), list(reply.deferred.items())
    for at in range(0, max(len(ranges), len(all_rejected), len(all_deferred), 1), size):
        part = slice(at, at + size)
        rejected, deferred = all_rejected[part], all_deferred[part]
        yield DeliveryReceipt(
            spool=reply.outbox_id, ranges=list(ranges[part]), rejected=rejected, deferred=deferred, at=now
        )
