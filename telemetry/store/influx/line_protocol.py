"""Events and records as InfluxDB line protocol. Pure; written by hand, because the client's Point truncates ns to µs.

A raw point's time is `t` with six more digits: the row number, shifted by a checksum of the outbox's id, so that
neither two rows of one millisecond nor equal row numbers of two outboxes share a time.  A point has nothing
that can differ between two deliveries, so a repeat overwrites itself.  It must not decide what is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from telemetry.core.figures import completeness
from telemetry.core.protocol.events import SYSTEM_EVENTS, OutboxDropped, OutboxRefused, event_type_of
from telemetry.store import SERVER_OUTBOX_IDS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.protocol.events import Event
    from telemetry.store import StoredEvent

NS_IN_MS: Final = 1_000_000
MAX_TIME_NS: Final = (1 << 63) - 2
"""The last time that InfluxDB accepts, ns."""
_SYSTEM_EVENTS = frozenset(SYSTEM_EVENTS)
_LOSS_EVENTS = frozenset({OutboxDropped, OutboxRefused})
_MAX_CACHED_PREFIXES = 20_000
_ENCODER = msgspec.json.Encoder()


class OutboxDelta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One write's rows of one outbox: stored, refused, dropped; [first, last] t, ms; `at` is the write time, µs."""

    device: str
    outbox_id: str
    stored: completeness.ClosedRanges
    refused: completeness.ClosedRanges
    dropped: completeness.ClosedRanges
    first: int
    last: int
    at: int = 0


class SeriesBatch:
    """The events of one write that share centre, device, outbox and type."""

    __slots__ = ("device", "head", "losses", "outbox_id", "prefix", "row_numbers", "shift", "times")

    def __init__(self, device: str, outbox_id: str, prefix: bytes, head: int, shift: int) -> None:
        self.device, self.outbox_id = device, outbox_id
        self.prefix, self.head, self.shift = prefix, head, shift
        self.row_numbers: list[int] = []
        self.times: list[int] = []
        self.losses: list[Event] = []


_prefix_cache: dict[object, tuple[bytes, int, int]] = {}


def escape_tag(text: str) -> bytes:
    """Return a tag's value, escaped for line protocol; ids have no backslash, for which there is no escape."""
    return text.encode().replace(b",", b"\\,").replace(b"=", b"\\=").replace(b" ", b"\\ ")


def quote_field(value: bytes) -> bytes:
    """Return a string field's value, quoted."""
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def _series_prefix(s: StoredEvent) -> tuple[bytes, int, int]:
    """Return the prefix of the lines of a series and outbox, the JSON head's length and the time digits' shift."""
    name = event_type_of(s.event)
    parts = [b"server" if s.outbox_id in SERVER_OUTBOX_IDS else b"event", b"centre=" + escape_tag(s.centre)]
    parts += [b"device=" + escape_tag(s.device)]
    if isinstance(s.event, SYSTEM_EVENTS):
        parts.append(b"system=" + escape_tag(s.event.system))
    parts.append(b"type=" + escape_tag(name))
    outbox_id = s.outbox_id.encode()
    return (
        b"%b spool=%b,n=" % (b",".join(parts), quote_field(outbox_id)),
        len(f'{{"type":"{name}","n":,"t":,'),
        crc32(outbox_id),
    )


def _new_batch(key: object, s: StoredEvent) -> SeriesBatch:
    cached = _prefix_cache.get(key)
    if cached is None:
        if len(_prefix_cache) >= _MAX_CACHED_PREFIXES:
            _prefix_cache.clear()
        cached = _prefix_cache[key] = _series_prefix(s)
    return SeriesBatch(s.device, s.outbox_id, *cached)


def event_lines(events: Iterable[StoredEvent]) -> tuple[list[bytes], list[SeriesBatch]]:
    """Return one line per event, in order, and the batches to count them by; raises TypeError on a non-event."""
    out: list[bytes] = []
    batches: dict[object, SeriesBatch] = {}
    add, encode = out.append, _ENCODER.encode
    centre = device = outbox_id = last_kind = batch = None
    for s in events:
        event = s.event
        kind = event.__class__
        # the rows of one frame share these objects, and comparing identities is cheaper than hashing
        if not (kind is last_kind and s.outbox_id is outbox_id and s.device is device and s.centre is centre):
            centre, device, outbox_id = s.centre, s.device, s.outbox_id
            last_kind = None if kind in _SYSTEM_EVENTS else kind
            batch = _batch_for(batches, s, kind)
        n, t = event.n, event.t
        batch.row_numbers.append(n)  # type: ignore[union-attr]
        batch.times.append(t)  # type: ignore[union-attr]
        if kind in _LOSS_EVENTS:
            batch.losses.append(event)  # type: ignore[union-attr]
        row, ms = b"%d" % n, b"%d" % t
        body = encode(event)[batch.head + len(row) + len(ms) : -1]  # type: ignore[union-attr]
        body = body.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        add(b'%b%bi,body="%b" %b%06d' % (batch.prefix, row, body, ms, (n + batch.shift) % 1_000_000))  # type: ignore[union-attr]
    return out, list(batches.values())


def _batch_for(batches: dict[object, SeriesBatch], s: StoredEvent, kind: type[Event]) -> SeriesBatch:
    key: object = (s.centre, s.device, s.outbox_id, kind)
    if kind in _SYSTEM_EVENTS:
        key = (key, s.event.system)  # type: ignore[attr-defined]
    batch = batches.get(key)
    if batch is None:
        batch = batches[key] = _new_batch(key, s)
    return batch


def earliest_of_each(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """Return the events with each id once, at its smallest t, in order."""
    earliest: dict[tuple[str, str, int], StoredEvent] = {}
    for s in events:
        event_id = (s.device, s.outbox_id, s.event.n)
        if event_id not in earliest or s.event.t < earliest[event_id].event.t:
            earliest[event_id] = s
    return list(earliest.values())


def has_repeated_ids(batches: Iterable[SeriesBatch]) -> bool:
    """Return whether an event id occurs twice within one write."""
    for group in _by_outbox(batches).values():
        numbers = [n for batch in group for n in batch.row_numbers]
        if len(set(numbers)) != len(numbers):
            return True
    return False


def _by_outbox(batches: Iterable[SeriesBatch]) -> dict[tuple[str, str], list[SeriesBatch]]:
    groups: dict[tuple[str, str], list[SeriesBatch]] = {}
    for batch in batches:
        groups.setdefault((batch.device, batch.outbox_id), []).append(batch)
    return groups


def outbox_deltas(batches: Iterable[SeriesBatch], at: int = 0) -> list[OutboxDelta]:
    """Return the write's rows by outbox; points that servers write themselves belong to no outbox."""
    groups = _by_outbox(batch for batch in batches if batch.outbox_id not in SERVER_OUTBOX_IDS)
    return [_outbox_delta(device, outbox_id, group, at) for (device, outbox_id), group in groups.items()]


def _outbox_delta(device: str, outbox_id: str, group: list[SeriesBatch], at: int) -> OutboxDelta:
    losses = [event for batch in group for event in batch.losses]
    refused = completeness.union_ranges((e.row, e.row) for e in losses if isinstance(e, OutboxRefused))
    dropped = completeness.union_ranges(*(e.ranges for e in losses if isinstance(e, OutboxDropped)))
    stored = completeness.ranges_of(n for batch in group for n in batch.row_numbers)
    first, last = min(min(batch.times) for batch in group), max(max(batch.times) for batch in group)
    return OutboxDelta(device, outbox_id, stored, refused, dropped, first, last, at)


def json_point(series: bytes, body: object, time: int) -> bytes:
    """Return a point whose field `body` is JSON."""
    return b"%b body=%b %d" % (series, quote_field(_ENCODER.encode(body)), time)
