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
from telemetry.core.fold.event_spans import dirty_frames
from telemetry.core.protocol import codec, events as ev
from telemetry.core.protocol.codec import MAX_NAMED_ROWS, Decoded, Receipt, Unreadable
from telemetry.core.protocol.topics import Topic, parse
from telemetry.errors import StoreUnavailable
from telemetry.ingest.heartbeat_writer import Beats
from telemetry.ingest.stats import Figures
from telemetry.store import CONTACT_SPOOL, SERVER_SPOOLS, Batch, Change, DeadLetter, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt.messages import Message
    from telemetry.store import Store

BATCH_MESSAGES, BATCH_ROWS, BATCH_BYTES = 4_000, 30_000, 16 * 1024 * 1024
"""What one write may hold; beyond it nothing is read from the broker, whose queue then grows, not our memory."""
LINGER_MS = 20
MAX_ROW = 1 << 53
MAX_NAMES = 1_000
"""Most names of each kind in one receipt; three kinds take about 120 kB."""
RETENTION_EVERY_MS = 600_000
"""How often the store is asked how far back it keeps events."""
_NUMBER = re.compile(r"\d{9}")
"""A foreign device id with a phone's or a citizen's number in it is not written down."""


class Outlet(Protocol):
    """What ingest needs of a link."""

    def acks(self, messages: Iterable[Message]) -> None:
        """Acknowledge messages."""

    def tell(self, messages: Iterable[tuple[str, bytes]]) -> None:
        """Send (topic, payload) at QoS 0."""


class Verdict(Struct, frozen=True):
    """What becomes of one message."""

    topic: Topic | None
    decoded: Decoded
    dead: tuple[DeadLetter, ...] = ()


@dataclass(frozen=True, slots=True)
class Write:
    """One write and the messages it answers."""

    messages: list[Message]
    verdicts: list[Verdict]
    batch: Batch
    began: int
    """When its first message came, ms."""


@dataclass(slots=True)
class _Reply:
    topic: Topic
    spool: str
    stored: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    deferred: list[tuple[int, str]] = field(default_factory=list)


def judge(message: Message, inventory: Inventory, now: int, oldest: int = 0) -> Verdict:
    """Sort a message's rows by outcome; never raises, whatever the bytes. Before `oldest` the store keeps nothing."""
    topic = parse(message.topic)
    if topic is None or topic.channel != "up":
        return Verdict(None, Decoded(""), (DeadLetter(now, "", "foreign_topic", 1, len(message.payload)),))
    try:
        decoded = codec.decode_frame(message.payload, message.content_type, now)
    except Unreadable as error:
        decoded = _by_properties(message, error.reason)
    if decoded.spool in SERVER_SPOOLS:
        decoded = Decoded("", unnamed=["malformed"])
    if not inventory.knows(topic.centre, topic.device):
        decoded = _foreign(decoded)
    elif oldest and decoded.events:
        decoded = _kept(decoded, oldest)
    return Verdict(topic, decoded, _letters(topic.device, decoded, now, len(message.payload)))


def _by_properties(message: Message, reason: str) -> Decoded:
    """Reject the rows that the user properties name; an unreadable payload can still be answered."""
    user = message.user
    try:
        first, last = int(user["from"]), int(user["to"])
        spool = user["spool"]
    except (KeyError, ValueError):
        return Decoded("", unnamed=[reason])
    if not 1 <= first <= last < first + MAX_NAMED_ROWS or last > MAX_ROW or not 1 <= len(spool) <= 64:
        return Decoded("", unnamed=[reason])
    return Decoded(spool, rejected=[(n, reason) for n in range(first, last + 1)])


def _foreign(decoded: Decoded) -> Decoded:
    """Put off the rows of a device that is not declared (yet); nothing of it is stored."""
    put_off = [(event.n, "unknown_device") for event in decoded.events]
    return Decoded(decoded.spool, [], decoded.rejected, decoded.deferred + put_off, decoded.unnamed)


def _kept(decoded: Decoded, oldest: int) -> Decoded:
    """Refuse rows from before the store's retention: it would never take them."""
    past = [(event.n, "too_old") for event in decoded.events if event.t < oldest]
    if not past:
        return decoded
    events = [event for event in decoded.events if event.t >= oldest]
    return Decoded(decoded.spool, events, decoded.rejected + past, decoded.deferred, decoded.unnamed)


def _letters(device: str, decoded: Decoded, now: int, size: int) -> tuple[DeadLetter, ...]:
    if not (decoded.rejected or decoded.deferred or decoded.unnamed):
        return ()
    reasons = Counter(reason for _, reason in (*decoded.rejected, *decoded.deferred))
    reasons.update(decoded.unnamed)
    said = "" if _NUMBER.search(device) else device
    return tuple(DeadLetter(now, said, reason, rows, size) for reason, rows in sorted(reasons.items()))


class Ingest:
    """Takes messages, writes them in batches and answers. `clock` gives ms."""

    def __init__(self, store: Store, inventory: Callable[[], Inventory], clock: Callable[[], int]) -> None:
        self._store = store
        self._inventory = inventory
        self._clock = clock
        self._heard: dict[str, int] = {}
        self._messages: list[Message] = []
        self._verdicts: list[Verdict] = []
        self._rows = self._bytes = 0
        self._since = 0
        self._oldest, self._asked = 0, 0
        self.figures = Figures()
        self.beats = Beats(store, clock)

    def take(self, message: Message) -> None:
        """Judge a message and keep it for the next write."""
        now = self._clock()
        if not self._messages:
            self._since = now
        verdict = judge(message, self._inventory(), now, self._oldest)
        self._messages.append(message)
        self._verdicts.append(verdict)
        self.figures.took(now)
        self._rows += len(verdict.decoded.events)
        self._bytes += len(message.payload)

    def ripe(self) -> bool:
        """Tell whether a write is due: enough messages, or the first has waited long enough."""
        return bool(self._messages) and (self.full() or abs(self._clock() - self._since) >= LINGER_MS)

    def full(self) -> bool:
        """Tell whether no more should be taken in before a write."""
        return len(self._messages) >= BATCH_MESSAGES or self._rows >= BATCH_ROWS or self._bytes >= BATCH_BYTES

    def gather(self) -> Write | None:
        """Return what waits as one write, as much as one may hold; the rest waits on."""
        if not self._messages:
            return None
        many = self._portion()
        messages, self._messages = self._messages[:many], self._messages[many:]
        verdicts, self._verdicts = self._verdicts[:many], self._verdicts[many:]
        self._rows -= sum(len(v.decoded.events) for v in verdicts)
        self._bytes -= sum(len(m.payload) for m in messages)
        return Write(messages, verdicts, self._batch(verdicts), self._since)

    def _portion(self) -> int:
        """Return how many of the waiting messages fit into a write; more wait only after a write has failed."""
        if self._rows <= 2 * BATCH_ROWS and len(self._messages) <= 2 * BATCH_MESSAGES:
            return len(self._messages)
        rows = list(accumulate(len(v.decoded.events) for v in self._verdicts))
        return min(bisect_left(rows, BATCH_ROWS) + 1, BATCH_MESSAGES, len(rows))

    def put_back(self, write: Write) -> None:
        """Keep a write that failed, before what has come since."""
        self._messages = write.messages + self._messages
        self._verdicts = write.verdicts + self._verdicts
        self._rows += sum(len(v.decoded.events) for v in write.verdicts)
        self._bytes += sum(len(m.payload) for m in write.messages)
        self._since = write.began

    def store(self, write: Write) -> Sequence[Stored]:
        """Store a write's batch; returns what the store will never take. Raises StoreUnavailable."""
        began = self._clock()
        refused = self._store.append(write.batch)
        self.figures.wrote(began, self._clock())
        self._ask(began)
        return refused

    def _ask(self, now: int) -> None:
        if not self._asked or now - self._asked >= RETENTION_EVERY_MS:
            kept = self._store.retention()
            self._oldest, self._asked = (now - kept if kept else 0), now

    def answer(self, write: Write, refused: Sequence[Stored], outlet: Outlet) -> None:
        """Acknowledge what is stored, in the order of delivery, then send the receipts."""
        contacts = [s for s in write.batch.events if s.spool == CONTACT_SPOOL]
        self._heard.update({s.device: s.event.t for s in contacts})
        outlet.acks(write.messages)
        replies = _replies(write.verdicts, refused)
        now = self._clock()
        said = [
            (reply.topic.on("receipt").path, codec.encode_receipt(receipt))
            for reply in replies
            for receipt in _receipts(reply, now)
        ]
        outlet.tell(said)
        rows = len(write.batch.events) - len(contacts) - len(refused)
        self.figures.answered(write.batch, len(write.messages), rows, len(said))

    def flush(self, outlet: Outlet) -> None:
        """Write what waits, acknowledge it, send receipts. Raises StoreUnavailable; nothing is lost then."""
        write = self.gather()
        if write is None:
            return
        try:
            refused = self.store(write)
        except StoreUnavailable:
            self.put_back(write)
            raise
        self.answer(write, refused, outlet)

    def _batch(self, verdicts: Sequence[Verdict]) -> Batch:
        now = self._clock()
        events = [
            Stored(v.topic.centre, v.topic.device, v.decoded.spool, event)
            for v in verdicts
            if v.topic is not None
            for event in v.decoded.events
        ]
        heard = self._contacts(verdicts, now)
        events += heard
        frames = [(v.topic.centre, v.decoded.events) for v in verdicts if v.topic is not None and v.decoded.events]
        cells = dirty_frames([*frames, *((s.centre, [s.event]) for s in heard)])
        dead = [letter for v in verdicts for letter in v.dead]
        return Batch(now * 1000, events, [Change(*cell) for cell in cells], dead)

    def _contacts(self, verdicts: Sequence[Verdict], now: int) -> list[Stored]:
        """Note once a minute that a known device was heard."""
        minute = floor(now, MINUTE)
        out: dict[str, Stored] = {}
        for v in verdicts:
            if v.topic is None or not v.decoded.events or self._heard.get(v.topic.device) == minute:
                continue
            event = ev.DeviceContact(n=minute // MINUTE, t=minute)
            out[v.topic.device] = Stored(v.topic.centre, v.topic.device, CONTACT_SPOOL, event)
        return list(out.values())


def _replies(verdicts: Sequence[Verdict], refused: Sequence[Stored]) -> Iterable[_Reply]:
    """Return what to tell each outbox: one reply for all its frames of a write."""
    replies: dict[tuple[str, str, str], _Reply] = {}
    for v in verdicts:
        spool = v.decoded.spool
        if v.topic is None or not spool:
            continue
        key = (v.topic.centre, v.topic.device, spool)
        reply = replies.get(key)
        if reply is None:
            reply = replies[key] = _Reply(v.topic, spool)
        reply.stored += [event.n for event in v.decoded.events]
        reply.rejected += v.decoded.rejected
        reply.deferred += v.decoded.deferred
    for s in refused:
        found = replies.get((s.centre, s.device, s.spool))
        if found is not None:
            found.stored = [n for n in found.stored if n != s.event.n]
            found.rejected.append((s.event.n, "store_refused"))
    return replies.values()


def _receipts(reply: _Reply, now: int) -> Iterator[Receipt]:
    """Yield one receipt, or as many as keep each below what a broker takes."""
    ranges, size = ranges_of(reply.stored), MAX_NAMES
    for at in range(0, max(len(ranges), len(reply.rejected), len(reply.deferred), 1), size):
        part = slice(at, at + size)
        rejected, deferred = reply.rejected[part], reply.deferred[part]
        yield Receipt(spool=reply.spool, ranges=list(ranges[part]), rejected=rejected, deferred=deferred, at=now)
