"""Questions in InfluxQL about raw events, and the answers as values. Pure."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from msgspec import Struct

from telemetry.core.calendar.windows import DAY, Window, merge
from telemetry.core.protocol import codec
from telemetry.store import Stored
from telemetry.store.influx.line_protocol import MAX_TIME_NS, NS_IN_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from telemetry.core.protocol.events import Event
    from telemetry.store.influx.server import Found

FEW: Final = 8


class EventRow(Struct, frozen=True, array_like=True, gc=False):
    """What `events` asks for: time in ns, and the fields; None where a write is not finished."""

    time: int
    spool: str | None
    n: int | None
    body: str | None


_EVENTS: msgspec.json.Decoder[list[Event]] = msgspec.json.Decoder(list[codec.AnyEvent])  # type: ignore[valid-type]


def quoted(text: str) -> str:
    """Return a string of InfluxQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def ns(t: int) -> int:
    """Return a time in ms as one that InfluxDB can compare, ns."""
    return min(max(t, 0) * NS_IN_MS, MAX_TIME_NS)


def within(window: Window) -> str:
    """Return the condition that a point lies in the window."""
    return f"time >= {ns(window.start)} AND time < {ns(window.end)}"


def any_of(tag: str, values: Collection[str]) -> str:
    """Return the condition that a tag has one of the values; for many of them a pattern is asked faster."""
    if len(values) <= FEW:
        return "(" + " OR ".join(f"{tag} = {quoted(value)}" for value in sorted(values)) + ")"
    pattern = "|".join(re.escape(value).replace("/", "\\/") for value in sorted(values))
    return f"{tag} =~ /^(?:{pattern})$/"


def events(unit: str, window: Window, types: Collection[str] | None) -> tuple[str, str]:
    """Return the questions for a unit's events: as a centre, and as a digital system."""
    also = within(window) if types is None else f"{any_of('type', types)} AND {within(window)}"
    fields = "SELECT spool, n, body FROM"
    return (
        f"{fields} event, server WHERE centre = {quoted(unit)} AND system = '' AND {also} GROUP BY device, type",
        f"{fields} event WHERE system = {quoted(unit)} AND {also} GROUP BY centre, device, type",
    )


def stored(unit: str, found: Iterable[Found[EventRow]]) -> list[Stored]:
    """Return the events, each name once at its smallest t, by t, device, spool and n."""
    rows = [s for series in found for s in _of_series(unit, series)]
    order = sorted((s.event.t, s.device, s.spool, s.event.n, at) for at, s in enumerate(rows))
    names = {(device, spool, n) for _, device, spool, n, _ in order}
    if len(names) == len(order):
        return [rows[at] for *_, at in order]
    firsts: dict[tuple[str, str, int], int] = {}
    for _, device, spool, n, at in order:
        firsts.setdefault((device, spool, n), at)
    return [rows[at] for at in firsts.values()]


def _of_series(unit: str, series: Found[EventRow]) -> Iterator[Stored]:
    tags = series.tags
    centre, device = tags.get("centre", unit), tags["device"]
    head = f'{{"type":"{tags["type"]}","n":'
    rows = [(row, row.spool) for row in series.values if row.spool is not None and None not in {row.n, row.body}]
    bodies = [f'{head}{r.n},"t":{r.time // NS_IN_MS}{"," if r.body else ""}{r.body}}}' for r, _ in rows]
    events = _EVENTS.decode(f"[{','.join(bodies)}]")
    return (Stored(centre, device, spool, event) for (_, spool), event in zip(rows, events, strict=True))


EXTENT = (
    (
        "SELECT count(n) FROM event, server WHERE system = '' AND time >= 0 AND time < now() + 1d "
        "GROUP BY time(1d), centre fill(none)"
    ),
    (
        "SELECT count(n) FROM event WHERE system != '' AND time >= 0 AND time < now() + 1d "
        "GROUP BY time(1d), system fill(none)"
    ),
)


def extents(found: Iterable[Found[tuple[int, int]]]) -> dict[str, list[Window]]:
    """Return the days in which each unit has events."""
    days: dict[str, list[Window]] = {}
    for series in found:
        (unit,) = series.tags.values()
        starts = (row[0] // NS_IN_MS for row in series.values if row[1])
        days.setdefault(unit, []).extend(Window(start, start + DAY) for start in starts)
    return {unit: merge(seen) for unit, seen in days.items()}
