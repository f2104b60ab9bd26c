"""Events and records as InfluxDB line protocol. Pure; written by hand, because the client's Point cuts ns to µs.

A raw point's time is `t` with six digits more: the row number, shifted by the outbox's name, so that
neither two rows of one millisecond nor equal rows of two outboxes share a time.  A point holds nothing
that can differ between two deliveries, so a repeat overwrites itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from zlib import crc32

import msgspec

from telemetry.core.figures import completeness
from telemetry.core.protocol.events import ConnectorStats, OutboxDropped, OutboxRefused, ProbeResult, type_of
from telemetry.store import SERVER_SPOOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.protocol.events import Event
    from telemetry.store import Stored

NS_IN_MS: Final = 1_000_000
MAX_TIME_NS: Final = (1 << 63) - 2
"""The last time that InfluxDB knows, ns."""
_OF_SYSTEM = frozenset({ProbeResult, ConnectorStats})
_TELLS = frozenset({OutboxDropped, OutboxRefused})
_CACHED = 20_000
_ENCODER = msgspec.json.Encoder()


class Delta(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one write says of one outbox: rows stored, refused, dropped; [first, last] t; `at` stamps it, µs."""

    device: str
    spool: str
    stored: completeness.Ranges
    refused: completeness.Ranges
    dropped: completeness.Ranges
    first: int
    last: int
    at: int = 0


class Part:
    """The events of one write that share centre, device, outbox and type."""

    __slots__ = ("device", "head", "ns", "prefix", "shift", "spool", "told", "ts")

    def __init__(self, device: str, spool: str, prefix: bytes, head: int, shift: int) -> None:
        self.device, self.spool = device, spool
        self.prefix, self.head, self.shift = prefix, head, shift
        self.ns: list[int] = []
        self.ts: list[int] = []
        self.told: list[Event] = []


_prefixes: dict[object, tuple[bytes, int, int]] = {}


def tag(text: str) -> bytes:
    """Return a tag's value with what line protocol reserves escaped; ids hold no backslash, which has no escape."""
    return text.encode().replace(b",", b"\\,").replace(b"=", b"\\=").replace(b" ", b"\\ ")


def text(value: bytes) -> bytes:
    """Return a string field's value, quoted."""
    return b'"%b"' % value.replace(b"\\", b"\\\\").replace(b'"', b'\\"')


def time_ns(spool: str, n: int, t: int) -> int:
    """Return a raw point's time."""
    return t * NS_IN_MS + (n + crc32(spool.encode())) % NS_IN_MS


def _start(s: Stored) -> tuple[bytes, int, int]:
    """Return what all lines of a series and an outbox begin with, the JSON head's length and the digits' shift."""
    name = type_of(s.event)
    words = [b"server" if s.spool in SERVER_SPOOLS else b"event", b"centre=" + tag(s.centre)]
    words += [b"device=" + tag(s.device)]
    if isinstance(s.event, ProbeResult | ConnectorStats):
        words.append(b"system=" + tag(s.event.system))
    words.append(b"type=" + tag(name))
    spool = s.spool.encode()
    return b"%b spool=%b,n=" % (b",".join(words), text(spool)), len(f'{{"type":"{name}","n":,"t":,'), crc32(spool)


def _part(key: object, s: Stored) -> Part:
    found = _prefixes.get(key)
    if found is None:
        if len(_prefixes) >= _CACHED:
            _prefixes.clear()
        found = _prefixes[key] = _start(s)
    return Part(s.device, s.spool, *found)


def event_lines(events: Iterable[Stored]) -> tuple[list[bytes], list[Part]]:
    """Return one line per event, in order, and what is needed to account for them; raises TypeError on a non-event."""
    out: list[bytes] = []
    parts: dict[object, Part] = {}
    add, encode = out.append, _ENCODER.encode
    centre = device = spool = like = part = None
    for s in events:
        event = s.event
        kind = event.__class__
        # the rows of one frame share these very objects, so that looking is cheaper than hashing
        if not (kind is like and s.spool is spool and s.device is device and s.centre is centre):
            centre, device, spool = s.centre, s.device, s.spool
            like = None if kind in _OF_SYSTEM else kind
            part = _part_of(parts, s, kind)
        n, t = event.n, event.t
        part.ns.append(n)  # type: ignore[union-attr]
        part.ts.append(t)  # type: ignore[union-attr]
        if kind in _TELLS:
            part.told.append(event)  # type: ignore[union-attr]
        row, ms = b"%d" % n, b"%d" % t
        body = encode(event)[part.head + len(row) + len(ms) : -1]  # type: ignore[union-attr]
        body = body.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
        add(b'%b%bi,body="%b" %b%06d' % (part.prefix, row, body, ms, (n + part.shift) % 1_000_000))  # type: ignore[union-attr]
    return out, list(parts.values())


def _part_of(parts: dict[object, Part], s: Stored, kind: type[Event]) -> Part:
    key: object = (s.centre, s.device, s.spool, kind)
    if kind in _OF_SYSTEM:
        key = (key, s.event.system)  # type: ignore[attr-defined]
    part = parts.get(key)
    if part is None:
        part = parts[key] = _part(key, s)
    return part


def first_of_each(events: Sequence[Stored]) -> list[Stored]:
    """Return the events with each name once, at its smallest t, in order."""
    kept: dict[tuple[str, str, int], Stored] = {}
    for s in events:
        name = (s.device, s.spool, s.event.n)
        if name not in kept or s.event.t < kept[name].event.t:
            kept[name] = s
    return list(kept.values())


def repeats(parts: Iterable[Part]) -> bool:
    """Tell whether a name comes twice within one write."""
    return any(len(set(numbers)) != len(numbers) for numbers in _numbers(parts).values())


def _numbers(parts: Iterable[Part]) -> dict[tuple[str, str], list[int]]:
    out: dict[tuple[str, str], list[int]] = {}
    for part in parts:
        out.setdefault((part.device, part.spool), []).extend(part.ns)
    return out


def deltas(parts: Iterable[Part], at: int = 0) -> list[Delta]:
    """Return what the write says of each outbox; servers' own points are no rows of any."""
    groups: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.spool not in SERVER_SPOOLS:
            groups.setdefault((part.device, part.spool), []).append(part)
    return [_delta(device, spool, group, at) for (device, spool), group in groups.items()]


def _delta(device: str, spool: str, group: list[Part], at: int) -> Delta:
    told = [event for part in group for event in part.told]
    refused = completeness.union((e.row, e.row) for e in told if isinstance(e, OutboxRefused))
    dropped = completeness.union(*(e.ranges for e in told if isinstance(e, OutboxDropped)))
    stored = completeness.ranges_of(n for part in group for n in part.ns)
    first, last = min(min(part.ts) for part in group), max(max(part.ts) for part in group)
    return Delta(device, spool, stored, refused, dropped, first, last, at)


def record(series: bytes, body: object, time: int) -> bytes:
    """Return a point whose field `body` is JSON."""
    return b"%b body=%b %d" % (series, text(_ENCODER.encode(body)), time)
