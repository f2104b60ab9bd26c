"""Records that writers store beside their events: packed into points, and each point read once.

Many writers write at once and a record may appear up to a minute after its time, so a reader reads the last minute
again: first the records' times, and then only the bodies that it has not read.  It must not interpret the items.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, TypeVar

import msgspec
from msgspec import Struct

from telemetry.store.influx.line_protocol import quote_field

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from telemetry.store.influx.server import InfluxServer
    from telemetry.store.unreadable import UnreadableRows

Item = TypeVar("Item")
MAX_BODY_BYTES: Final = 500_000
"""Longest body of one point, bytes; InfluxDB accepts 1 MiB."""


class WriterRecord(Struct, Generic[Item], frozen=True):
    """One writer's items of one time, ns."""

    time: int
    writer: str
    items: list[Item]


def pack_items(items: Iterable[object]) -> Iterator[tuple[int, bytes]]:
    """Yield (how many, JSON list) of the items, in order, each list short enough for a point."""
    chunk: list[bytes] = []
    size = 0
    for item in items:
        body = msgspec.json.encode(item)
        if chunk and size + len(body) > MAX_BODY_BYTES:
            yield len(chunk), b"[%b]" % b",".join(chunk)
            chunk, size = [], 0
        chunk.append(body)
        size += len(body) + 1
    if chunk:
        yield len(chunk), b"[%b]" % b",".join(chunk)


def record_lines(name: bytes, writer: bytes, items: Iterable[object], tick: Callable[[], int]) -> list[bytes]:
    """Return the lines of a writer's records; `tick` gives each its time, ns."""
    return [
        b"%b,writer=%b size=%di,body=%b %d" % (name, writer, size, quote_field(body), tick())
        for size, body in pack_items(items)
    ]


def unstamped_record_lines(name: bytes, writer: bytes, items: Iterable[object]) -> list[bytes]:
    """Return the lines of a write's records without a time: InfluxDB's clock stamps them, not this machine's."""
    return [
        b"%b,part=%d,writer=%b size=%di,body=%b" % (name, part, writer, size, quote_field(body))
        for part, (size, body) in enumerate(pack_items(items))
    ]


class WriterJournal(Generic[Item]):
    """The records of one measurement in a bucket; `item` is the type of a body's list."""

    def __init__(
        self, server: InfluxServer, bucket: str, name: str, item: type[Item], unreadable: UnreadableRows
    ) -> None:
        self._server, self._bucket, self._name, self._unreadable = server, bucket, name, unreadable
        self._decoder: msgspec.json.Decoder[list[Item]] = msgspec.json.Decoder(list[item])  # type: ignore[valid-type]
        self._seen_records: dict[tuple[int, str], WriterRecord[Item]] = {}

    def new_since(self, since: int) -> list[WriterRecord[Item]]:
        """Return the records from a time (ns) on that were not read before, by time; drops those before it."""
        query = f"SELECT size::integer FROM {self._name} WHERE time >= {since} GROUP BY *"
        (answer,) = self._server.query(self._bucket, tuple[int, int], query)
        self._seen_records = {key: record for key, record in self._seen_records.items() if key[0] >= since}
        keys = {(row[0], _series_key(series.tags)) for series in answer for row in series.values}
        return self._read_bodies(keys - self._seen_records.keys())

    def _read_bodies(self, keys: set[tuple[int, str]]) -> list[WriterRecord[Item]]:
        if not keys:
            return []
        low, high = min(keys)[0], max(keys)[0]
        query = f"SELECT body::string FROM {self._name} WHERE time >= {low} AND time <= {high} GROUP BY *"
        (answer,) = self._server.query(self._bucket, tuple[int, str], query)
        rows = [(time, _series_key(series.tags), body) for series in answer for time, body in series.values]
        new_rows = sorted((time, writer, body) for time, writer, body in rows if (time, writer) in keys)
        read = self._unreadable.read_each(
            new_rows,
            lambda row: WriterRecord(row[0], row[1], self._decoder.decode(row[2])),
            lambda row: ("", f"{self._name} {row[0]} {row[1]}"),
        )
        return list(read)

    def remember(self, records: Sequence[WriterRecord[Item]]) -> None:
        """Add records to those already read."""
        self._seen_records |= {(record.time, record.writer): record for record in records}

    def remembered_records(self) -> list[WriterRecord[Item]]:
        """Return the records already read, by time."""
        return [self._seen_records[key] for key in sorted(self._seen_records)]


def _series_key(tags: dict[str, str]) -> str:
    return "/".join(value for _, value in sorted(tags.items()))
