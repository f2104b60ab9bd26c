"""What writers note beside their events: packing it into points, and reading each point once.

Many writers note at once and a note may appear up to a minute after its time, so a reader looks again at the
last minute: first at the notes' times, and then only at the bodies that it has not seen.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from telemetry.store.influx.line_protocol import text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from telemetry.store.influx.server import Server

Item = TypeVar("Item")
MAX_BODY: Final = 500_000
"""Longest body of one point, bytes; InfluxDB takes 1 MiB."""


class Note(Struct, Generic[Item], frozen=True):
    """One writer's items of one time, ns."""

    time: int
    writer: str
    items: list[Item]


def packed(items: Iterable[object]) -> Iterator[tuple[int, bytes]]:
    """Yield (how many, JSON list) of the items, in order, each list short enough for a point."""
    some: list[bytes] = []
    size = 0
    for item in items:
        body = msgspec.json.encode(item)
        if some and size + len(body) > MAX_BODY:
            yield len(some), b"[%b]" % b",".join(some)
            some, size = [], 0
        some.append(body)
        size += len(body) + 1
    if some:
        yield len(some), b"[%b]" % b",".join(some)


def notes(name: bytes, writer: bytes, items: Iterable[object], tick: Callable[[], int]) -> list[bytes]:
    """Return the lines of a writer's notes; `tick` gives each its time, ns."""
    return [
        b"%b,writer=%b size=%di,body=%b %d" % (name, writer, size, text(body), tick()) for size, body in packed(items)
    ]


def notes_now(name: bytes, writer: bytes, items: Iterable[object]) -> list[bytes]:
    """Return the lines of a write's notes without a time: InfluxDB's own clock stamps them, whatever ours says."""
    return [
        b"%b,part=%d,writer=%b size=%di,body=%b" % (name, part, writer, size, text(body))
        for part, (size, body) in enumerate(packed(items))
    ]


class Journal(Generic[Item]):
    """The notes of one name in a bucket; `item` is what a body's list holds."""

    def __init__(self, server: Server, bucket: str, name: str, item: type[Item]) -> None:
        self._server, self._bucket, self._name = server, bucket, name
        self._decoder: msgspec.json.Decoder[list[Item]] = msgspec.json.Decoder(list[item])  # type: ignore[valid-type]
        self._kept: dict[tuple[int, str], Note[Item]] = {}

    def fresh(self, since: int) -> list[Note[Item]]:
        """Return the notes from a time (ns) on that are not kept yet, by time; forgets those before it."""
        asked = f"SELECT size FROM {self._name} WHERE time >= {since} GROUP BY *"
        (found,) = self._server.ask(self._bucket, tuple[int, int], asked)
        self._kept = {key: note for key, note in self._kept.items() if key[0] >= since}
        keys = {(row[0], _series(series.tags)) for series in found for row in series.values}
        return self._fetch(keys - self._kept.keys())

    def _fetch(self, keys: set[tuple[int, str]]) -> list[Note[Item]]:
        if not keys:
            return []
        low, high = min(keys)[0], max(keys)[0]
        asked = f"SELECT body FROM {self._name} WHERE time >= {low} AND time <= {high} GROUP BY *"
        (found,) = self._server.ask(self._bucket, tuple[int, str], asked)
        rows = [(time, _series(series.tags), body) for series in found for time, body in series.values]
        read = [Note(time, writer, self._decoder.decode(body)) for time, writer, body in rows if (time, writer) in keys]
        return sorted(read, key=lambda note: (note.time, note.writer))

    def keep(self, fresh: Sequence[Note[Item]]) -> None:
        """Remember notes as read."""
        self._kept |= {(note.time, note.writer): note for note in fresh}

    def kept(self) -> list[Note[Item]]:
        """Return the notes that are remembered, by time."""
        return [self._kept[key] for key in sorted(self._kept)]


def _series(tags: dict[str, str]) -> str:
    return "/".join(value for _, value in sorted(tags.items()))
