"""InfluxQL: conditions, the queries for raw events, one province's part of shared buckets, and results. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from msgspec import Struct

from telemetry.core.calendar.windows import DAY, Window, merge
from telemetry.core.protocol import codec
from telemetry.store import StoredEvent
from telemetry.store.influx.line_protocol import MAX_TIME_NS, NS_IN_MS, escape_tag

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from telemetry.core.protocol.events import Event
    from telemetry.store.influx.server import InfluxSeries
    from telemetry.store.unreadable import UnreadableRows

RowT = TypeVar("RowT")
MAX_LISTED_VALUES: Final = 8
MAX_BIRTHS: Final = 100
PROVINCE_TAG: Final = "province"


class EventRow(Struct, frozen=True, array_like=True, gc=False):
    """A row of an event query: time in ns, and the fields; None where a write is not complete, or never will be."""

    time: int
    outbox_id: str | None
    n: int | None
    body: str | None


_EVENTS_DECODER: msgspec.json.Decoder[list[Event]] = msgspec.json.Decoder(list[codec.AnyEvent])  # type: ignore[valid-type]


def quote_string(text: str) -> str:
    """Return a string literal of InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def to_ns(t: int) -> int:
    """Return a time in ms as ns, limited to what InfluxDB can compare."""
    return min(max(t, 0) * NS_IN_MS, MAX_TIME_NS)


def time_condition(window: Window) -> str:
    """Return the condition that a point is in the window."""
    return f"time >= {to_ns(window.start)} AND time < {to_ns(window.end)}"


def tag_condition(tag: str, values: Collection[str]) -> str:
    """Return the condition that a tag has one of the values; for many values a pattern is faster."""
    if len(values) <= MAX_LISTED_VALUES:
        return "(" + " OR ".join(f"{tag} = {quote_string(value)}" for value in sorted(values)) + ")"
    pattern = "|".join(re.escape(value).replace("/", "\\/") for value in sorted(values))
    return f"{tag} =~ /^(?:{pattern})$/"


def event_queries(entity: str, window: Window, types: Collection[str] | None) -> tuple[str, str]:
    """Return the queries for an entity's events: as a centre, and as a digital system."""
    conditions = (
        time_condition(window) if types is None else f"{tag_condition('type', types)} AND {time_condition(window)}"
    )
    fields, of_centre = (
        "SELECT spool::string, n::integer, body::string FROM",
        f"centre = {quote_string(entity)} AND system = ''",
    )
    return (
        f"{fields} event, server WHERE {of_centre} AND {conditions} GROUP BY device, type",
        f"{fields} event WHERE system = {quote_string(entity)} AND {conditions} GROUP BY centre, device, type",
    )


def last_births_query(entity: str, device: str, before: int, limit: int | None) -> str:
    """Return the query for a device's last births before a time, ms: several (None: all), as one may be a repeat."""
    of_device = f"centre = {quote_string(entity)} AND device = {quote_string(device)} AND type = 'device.status'"
    is_birth = f'body::string =~ /"online":true/ AND time < {to_ns(before)}'
    fields = "SELECT spool::string, n::integer, body::string FROM"
    page = "" if limit is None else f" LIMIT {limit}"
    return f"{fields} server WHERE {of_device} AND {is_birth} GROUP BY device, type ORDER BY time DESC{page}"


def devices_with_repeats_only(answer: Iterable[InfluxSeries[EventRow]], limit: int) -> set[str]:
    """Return the devices of which `limit` births were read and some are repeats: the first one may lie before them."""
    return {
        series.tags["device"]
        for series in answer
        if len(series.values) >= limit and len({row.n for row in series.values}) < len(series.values)
    }


def has_incomplete_rows(answer: Iterable[InfluxSeries[EventRow]]) -> bool:
    """Return whether a field of a row is missing: of a write that is not complete yet, or of another program."""
    return any(row.outbox_id is None or row.n is None or row.body is None for s in answer for row in s.values)


def decode_events(
    entity: str, answer: Iterable[InfluxSeries[EventRow]], unreadable: UnreadableRows
) -> list[StoredEvent]:
    """Return the events, each id once at its smallest t, by t, device, outbox and n; without the unreadable ones."""
    rows = [s for series in answer for s in _decode_series(entity, series, unreadable)]
    ordered = sorted((s.event.t, s.device, s.outbox_id, s.event.n, index) for index, s in enumerate(rows))
    names = {(device, outbox_id, n) for _, device, outbox_id, n, _ in ordered}
    if len(names) == len(ordered):
        return [rows[index] for *_, index in ordered]
    firsts: dict[tuple[str, str, int], int] = {}
    for _, device, outbox_id, n, index in ordered:
        firsts.setdefault((device, outbox_id, n), index)
    return [rows[index] for index in firsts.values()]


def _decode_series(entity: str, series: InfluxSeries[EventRow], unreadable: UnreadableRows) -> Iterator[StoredEvent]:
    tags = series.tags
    centre, device = tags.get("centre", entity), tags["device"]
    head = f'{{"type":"{tags["type"]}","n":'
    rows = [
        (row, row.outbox_id) for row in series.values if row.outbox_id is not None and None not in {row.n, row.body}
    ]
    if len(rows) < len(series.values):
        _record_incomplete(entity, series, unreadable)
    bodies = [f'{head}{r.n},"t":{r.time // NS_IN_MS}{"," if r.body else ""}{r.body}}}' for r, _ in rows]
    try:
        events = _EVENTS_DECODER.decode(f"[{','.join(bodies)}]")
        if len(events) == len(rows):
            return (StoredEvent(centre, device, outbox_id, e) for (_, outbox_id), e in zip(rows, events, strict=True))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        pass  # one of them is unreadable: read each alone
    return unreadable.read_each(
        zip(rows, bodies, strict=True),
        lambda pair: StoredEvent(centre, device, pair[0][1], codec.decode_event(pair[1].encode())),
        lambda pair: (entity, f"event {device}/{pair[0][1]}/{pair[0][0].n}"),
    )


def _record_incomplete(entity: str, series: InfluxSeries[EventRow], unreadable: UnreadableRows) -> None:
    for row in series.values:
        missing = [name for name, part in (("spool", row.outbox_id), ("n", row.n), ("body", row.body)) if part is None]
        if missing:
            name = f"event {series.tags['device']}/{row.outbox_id or '?'}/{row.n or '?'} at {row.time}"
            unreadable.record(entity, name, ValueError(f"no {', '.join(missing)}"))


EVENT_DAYS_QUERIES = (
    (
        "SELECT count(n) FROM event, server WHERE system = '' AND time >= 0 AND time < now() + 1d "
        "GROUP BY time(1d), centre fill(none)"
    ),
    (
        "SELECT count(n) FROM event WHERE system != '' AND time >= 0 AND time < now() + 1d "
        "GROUP BY time(1d), system fill(none)"
    ),
)


def decode_event_days(answer: Iterable[InfluxSeries[tuple[int, int]]]) -> dict[str, list[Window]]:
    """Return the days in which each entity has events."""
    days: dict[str, list[Window]] = {}
    for series in answer:
        (entity,) = series.tags.values()
        starts = (row[0] // NS_IN_MS for row in series.values if row[1])
        days.setdefault(entity, []).extend(Window(start, start + DAY) for start in starts)
    return {entity: merge(windows) for entity, windows in days.items()}


class ProvinceTag:
    """The tag `province` of totals and state: one province's part of shared buckets; of no province, the untagged part.

    Points written before the tag existed have none: they are read as the province's own, until a tagged point of the
    same series hides them.
    """

    def __init__(self, province: str = "") -> None:
        self.line_tag = b",%b=%b" % (PROVINCE_TAG.encode(), escape_tag(province)) if province else b""
        """The part of a line that follows the measurement or another tag."""
        own = f" OR {PROVINCE_TAG} = {quote_string(province)}" if province else ""
        self.condition = f"({PROVINCE_TAG} = ''{own})"
        """The condition that a point is the province's own or has no tag."""

    def sort_own_last(self, answer: Iterable[InfluxSeries[RowT]]) -> list[InfluxSeries[RowT]]:
        """Return the series, untagged ones first: a reader that takes the last one gets the province's own."""
        return sorted(answer, key=lambda series: series.tags.get(PROVINCE_TAG, ""))
