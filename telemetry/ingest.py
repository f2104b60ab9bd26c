"""Frames in, rows stored, receipts out: decode, check, write, then acknowledge. It must not fold or divide.

An MQTT message is acknowledged only after the store has committed its rows, and the receipt is sent
after that; whatever fails before is delivered again and changes nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

import structlog

from telemetry.core import codec, events as ev
from telemetry.core.codec import MAX_NAMED_ROWS, Decoded, Receipt, Unreadable
from telemetry.core.completeness import ranges_of
from telemetry.core.events import unit_of
from telemetry.core.spans import dirty
from telemetry.core.topics import Topic, parse
from telemetry.core.windows import MINUTE, floor
from telemetry.errors import StoreUnavailable
from telemetry.store import CONTACT_SPOOL, SERVER_SPOOLS, Batch, Change, DeadLetter, Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.mqtt import Message
    from telemetry.store import Store

_log = structlog.get_logger()
BATCH_MESSAGES = 256
LINGER_MS = 20
MAX_ROW = 1 << 53
MAX_NAMES = 1_000
"""Most names of each kind in one receipt; three kinds take about 120 kB."""
_NUMBER = re.compile(r"\d{9}")
"""A foreign device id with a phone's or a citizen's number in it is not written down."""


class Outlet(Protocol):
    """What ingest needs of a link."""

    def ack(self, message: Message) -> None:
        """Acknowledge a message."""

    def publish(self, topic: str, payload: bytes, *, qos: int = 0) -> int | None:
        """Send a message."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What becomes of one message."""

    topic: Topic | None
    decoded: Decoded
    dead: tuple[DeadLetter, ...] = ()


@dataclass(slots=True)
class _Reply:
    stored: list[int] = field(default_factory=list)
    rejected: list[tuple[int, str]] = field(default_factory=list)
    deferred: list[tuple[int, str]] = field(default_factory=list)


def judge(message: Message, inventory: Inventory, now: int) -> Verdict:
    """Sort a message's rows by outcome; never raises, whatever the bytes."""
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
    return Verdict(topic, decoded, _letters(topic.device, decoded, now, len(message.payload)))


def _by_properties(message: Message, reason: str) -> Decoded:
    """Reject the rows that the user properties name; an unreadable payload can still be answered."""
    try:
        first, last = int(message.user["from"]), int(message.user["to"])
        spool = message.user["spool"]
    except (KeyError, ValueError):
        return Decoded("", unnamed=[reason])
    if not 1 <= first <= last < first + MAX_NAMED_ROWS or last > MAX_ROW or not 1 <= len(spool) <= 64:
        return Decoded("", unnamed=[reason])
    return Decoded(spool, rejected=[(n, reason) for n in range(first, last + 1)])


def _foreign(decoded: Decoded) -> Decoded:
    """Put off the rows of a device that is not declared (yet); nothing of it is stored."""
    put_off = [(event.n, "unknown_device") for event in decoded.events]
    return Decoded(decoded.spool, [], decoded.rejected, decoded.deferred + put_off, decoded.unnamed)


def _letters(device: str, decoded: Decoded, now: int, size: int) -> tuple[DeadLetter, ...]:
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
        self._waiting: list[Message] = []
        self._since = 0
        self.frames = 0
        self.rows = 0

    def take(self, message: Message) -> None:
        """Keep a message for the next write."""
        if not self._waiting:
            self._since = self._clock()
        self._waiting.append(message)

    def ripe(self) -> bool:
        """Tell whether a write is due: enough messages, or the first has waited long enough."""
        if len(self._waiting) >= BATCH_MESSAGES:
            return True
        return bool(self._waiting) and abs(self._clock() - self._since) >= LINGER_MS

    def full(self) -> bool:
        """Tell whether no more should be taken in before a write."""
        return len(self._waiting) >= BATCH_MESSAGES

    def flush(self, outlet: Outlet) -> None:
        """Write what waits, acknowledge it, send receipts. Raises StoreUnavailable; nothing is lost then."""
        messages = self._waiting
        if not messages:
            return
        now, inventory = self._clock(), self._inventory()
        verdicts = [judge(message, inventory, now) for message in messages]
        batch = self._batch(verdicts, now)
        self._store.append(batch)
        self._waiting = []
        self._heard.update({s.device: s.event.t for s in batch.events if s.spool == CONTACT_SPOOL})
        self.frames += len(messages)
        for message in messages:
            outlet.ack(message)
        self._answer(verdicts, now, outlet)

    def _batch(self, verdicts: Sequence[Verdict], now: int) -> Batch:
        events = [s for v in verdicts if v.topic for s in _stored(v.topic, v.decoded)]
        self.rows += len(events)
        events += self._contacts(verdicts, now)
        cells = dirty((unit_of(s.centre, s.event), s.event) for s in events)
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

    def _answer(self, verdicts: Sequence[Verdict], now: int, outlet: Outlet) -> None:
        """Send receipts: one per outbox and write, unless very many rows must be named."""
        replies: dict[tuple[Topic, str], _Reply] = {}
        for v in verdicts:
            if v.topic is None or not v.decoded.spool:
                continue
            reply = replies.setdefault((v.topic, v.decoded.spool), _Reply())
            reply.stored += [event.n for event in v.decoded.events]
            reply.rejected += v.decoded.rejected
            reply.deferred += v.decoded.deferred
        for (topic, spool), reply in replies.items():
            for receipt in _receipts(spool, reply, now):
                outlet.publish(topic.on("receipt").path, codec.encode_receipt(receipt))


def _stored(topic: Topic, decoded: Decoded) -> list[Stored]:
    return [Stored(topic.centre, topic.device, decoded.spool, event) for event in decoded.events]


def _receipts(spool: str, reply: _Reply, now: int) -> Iterator[Receipt]:
    """Yield one receipt, or as many as keep each below what a broker takes."""
    ranges, size = ranges_of(reply.stored), MAX_NAMES
    for at in range(0, max(len(ranges), len(reply.rejected), len(reply.deferred), 1), size):
        part = slice(at, at + size)
        rejected, deferred = reply.rejected[part], reply.deferred[part]
        yield Receipt(spool=spool, ranges=list(ranges[part]), rejected=rejected, deferred=deferred, at=now)


def try_flush(ingest: Ingest, outlet: Outlet) -> bool:
    """Flush; on a store that cannot write keep everything, unacknowledged, and say so."""
    try:
        ingest.flush(outlet)
    except StoreUnavailable as error:
        _log.error("store_unavailable", error=str(error), remedy="frames stay unacknowledged; trying again")
        return False
    return True
