"""Fills a book: what an earlier book tells is taken over, the rest is read from the store; never from raw events.

Read are only cells in which the clock of somebody runs, so nights and shut days are not.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, FIVE, HOUR, Window
from telemetry.core.slo.frames import runs
from telemetry.core.slo.timeseries import covered
from telemetry.slo.totals_table import put

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telemetry.core.calendar.windows import Width
    from telemetry.core.fold.totals import Total
    from telemetry.core.slo.frames import Frame, Part
    from telemetry.core.slo.timeseries import Taken
    from telemetry.slo.totals_table import Book, Entry
    from telemetry.store import Store

CELLS_A_READ = 2_500
UNITS_A_READ = 100
_STEP: dict[Width, int] = {"5m": FIVE, "1h": HOUR, "1d": DAY}
_NEAR: dict[Width, int] = {"5m": 2 * HOUR, "1h": 2 * HOUR, "1d": 4 * DAY}
"""Cells so near each other are read at once, with what lies between: lunch, a weekend."""
Group = tuple[str, int, int]
"""Which totals, the frame they fill, the frame of the book before that tells some of them (0: none)."""


def fill(book: Book, store: Store, old: Book | None = None) -> None:
    """Fill a blank book; `old` is one of the same store, for another day or another inventory."""
    groups: dict[Group, list[Entry]] = defaultdict(list)
    known: dict[tuple[int, int], list[Taken]] = {}
    for entry in book.entries.values():
        before, frame = _before(entry, old), entry.track.frame
        pair = (id(before.track.frame) if before else 0, id(frame))
        if pair not in known:
            known[pair] = covered(before.track.frame, frame) if before else []
        if before:
            entry.track = before.track.over(frame, known[pair])
        groups[entry.kind, id(frame), pair[0]].append(entry)
    for (kind, frame_id, before_id), entries in groups.items():
        taken = {place for place, _, _ in known[before_id, frame_id]}
        _read(store, kind, entries, _lacking(entries[0].track.frame, taken))
    _fill_readiness(book, store, old)


def _before(entry: Entry, old: Book | None) -> Entry | None:
    """Return what the earlier book holds of the same, on the same clock."""
    found = old.entries.get(entry.source) if old else None
    return found if found and found.calendar.version == entry.calendar.version else None


def _lacking(frame: Frame, taken: set[int]) -> list[Part]:
    """Return runs of cells to read, those near each other as one."""
    out: list[Part] = []
    for width, window in runs(part for place, part in enumerate(frame.parts) if place not in taken):
        if out and out[-1][0] == width and window.start - out[-1][1].end <= _NEAR[width]:
            out[-1] = (width, Window(out[-1][1].start, window.end))
        else:
            out.append((width, window))
    return out


def _read(store: Store, kind: str, entries: Iterable[Entry], parts: Iterable[Part]) -> None:
    by_unit: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        by_unit[entry.unit].append(entry)
    units = sorted(by_unit)
    for width, window in parts:
        size = max(1, min(UNITS_A_READ, CELLS_A_READ * _STEP[width] // window.length))
        for names in _batches(units, size):
            for unit, rows in _by_unit(store.totals(names, width, window, kind)).items():
                put(by_unit[unit], width, window, rows)


def _batches(units: Sequence[str], size: int) -> Iterable[Sequence[str]]:
    return (units[at : at + size] for at in range(0, len(units), size))


def _by_unit(totals: Iterable[Total]) -> dict[str, list[Total]]:
    rows: dict[str, list[Total]] = defaultdict(list)
    for total in totals:
        rows[total.unit].append(total)
    return rows


def _fill_readiness(book: Book, store: Store, old: Book | None) -> None:
    """Read what the days said after opening; of the same inventory the earlier book has heard it all."""
    if old and old.inventory is book.inventory:
        book.ready = old.ready
        return
    units = sorted({entry.unit for entry in book.entries.values() if entry.opens})
    whole = [Window(parts[0][1].start, parts[-1][1].end) for parts in book.cells.values()]
    if not units:
        return
    window = Window(min(w.start for w in whole), max(w.end for w in whole))
    for names in _batches(units, UNITS_A_READ):
        for unit, rows in _by_unit(store.totals(names, "1d", window, "centre")).items():
            book.take_readiness(unit, window, rows)
