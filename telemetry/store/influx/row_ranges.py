"""What became of each outbox's rows, joined from what many writes say. Pure, and repeats change nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from telemetry.core.figures import completeness

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.store.influx.line_protocol import Delta

MAX_PLACES: Final = 6
MAX_RANGES: Final = 5_000
Place = tuple[int, int, int, int]
"""Row numbers [low, high] lie at times [first, last], ms."""


class Entry(Struct, frozen=True, array_like=True):
    """One outbox's rows, and roughly where in time they lie, so that a repeat is found without reading all."""

    device: str
    spool: str
    stored: completeness.Ranges = ()
    refused: completeness.Ranges = ()
    dropped: completeness.Ranges = ()
    places: tuple[Place, ...] = ()


def joined(entry: Entry, *others: Entry | Delta) -> Entry:
    """Return the entry with what others say of the same outbox."""
    places = [place for other in others for place in _places(other)]
    return Entry(
        entry.device,
        entry.spool,
        completeness.union(entry.stored, *(o.stored for o in others)),
        completeness.union(entry.refused, *(o.refused for o in others)),
        completeness.union(entry.dropped, *(o.dropped for o in others)),
        _thinned(sorted({*entry.places, *places})),
    )


def _places(said: Entry | Delta) -> tuple[Place, ...]:
    if isinstance(said, Entry):
        return said.places
    return tuple((low, high, said.first, said.last) for low, high in ((said.stored[0][0], said.stored[-1][1]),))


def _thinned(places: list[Place]) -> tuple[Place, ...]:
    """Join neighbours among the older half until few are left; the newest stay exact."""
    while len(places) > MAX_PLACES:
        half = len(places) // 2
        old = [_hull(places[at : at + 2]) for at in range(0, half, 2)]
        places = [*old, *places[len(old) * 2 :]]
    return tuple(places)


def _hull(places: list[Place]) -> Place:
    lows, highs, firsts, lasts = zip(*places, strict=True)
    return min(lows), max(highs), min(firsts), max(lasts)


def repeats(whole: Entry, entry: Entry, deltas: Iterable[Delta]) -> bool:
    """Tell whether any row of the joined whole was stored more than once."""
    told = sum(completeness.size(delta.stored) for delta in deltas)
    return completeness.size(whole.stored) != completeness.size(entry.stored) + told


def repeated(entry: Entry, delta: Delta) -> completeness.Ranges:
    """Return the rows that the write stores although they were stored before."""
    return completeness.minus(delta.stored, completeness.minus(delta.stored, entry.stored))


def whereabouts(entry: Entry, delta: Delta, rows: completeness.Ranges) -> tuple[int, int]:
    """Return the first and last time, ms, at which the two may hold these rows."""
    near = [p for p in entry.places if any(p[0] <= high and p[1] >= low for low, high in rows)]
    return min([delta.first, *(p[2] for p in near)]), max([delta.last, *(p[3] for p in near)])


def split(entry: Entry) -> Iterator[Entry]:
    """Yield the entry in pieces that fit into a point; joined they are the entry."""
    longest = max(len(entry.stored), len(entry.refused), len(entry.dropped), 1)
    for at in range(0, longest, MAX_RANGES):
        part = slice(at, at + MAX_RANGES)
        places = entry.places if at == 0 else ()
        yield Entry(entry.device, entry.spool, entry.stored[part], entry.refused[part], entry.dropped[part], places)


def group(device: str) -> str:
    """Return the summary that a device belongs to: its id without the last part, so about one per centre."""
    return device.rpartition("-")[0] or "-"


def gathered(entries: Iterable[Entry]) -> dict[tuple[str, str], Entry]:
    """Return one entry per outbox."""
    out: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = (entry.device, entry.spool)
        out[key] = joined(out[key], entry) if key in out else entry
    return out
