"""Judges a round by what the store says: each event once and as it was said, totals as a fold from scratch gives them.

It reads through the store's port only and must not repair anything.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from telemetry.core.calendar.windows import DAY, HOUR, Window, ceil, day_window, days_in, floor
from telemetry.core.contacts import CONTACTS_ROW_PREFIX
from telemetry.core.figures.completeness import compute_completeness, count_rows, union_ranges
from telemetry.core.fold import fold
from telemetry.core.fold.totals import CALENDAR_FIELD, CAPACITY_FIELDS, encode_sums
from telemetry.core.protocol import codec
from telemetry.core.protocol.events import event_type_of
from telemetry.rollup.service import Rollup
from telemetry.store import SERVER_OUTBOX_IDS, Batch
from telemetry.store.sqlite import SqliteStore
from tests.flow.faults.kiosk import bare
from tests.flow.faults.plan import CENTRE, DEVICES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.totals import EncodedSums
    from telemetry.core.inventory import Inventory
    from telemetry.core.protocol.events import Event
    from telemetry.store import Store, StoredEvent
    from tests.flow.faults.kiosk import Ledger
    from tests.flow.faults.surroundings import Kept

OWN = (
    "device.heartbeat", "agent.alarm", "clock.step", "config.result", "command.result", "agent.diagnostics",
)  # fmt: skip
"""What an agent says of itself; no program beside it says these."""
WIDTHS: tuple[BucketWidth, ...] = ("5m", "1h", "1d")
_SILENT = ("link_ms", "platform_ms", "conn_platform_ms", *CAPACITY_FIELDS)
SILENCE = {CALENDAR_FIELD, *_SILENT, *(f"open_{name}" for name in _SILENT)}


def whole_days(window: Window, world: Inventory) -> Window:
    """Widen a window to the centre's days."""
    zone = world.centres[CENTRE].zone
    days = list(days_in(window, zone))
    return Window(day_window(days[0], zone).start, day_window(days[-1], zone).end)


def present(now: int) -> Window:
    """Return the time around the run itself, which agents' own words and stepped clocks speak of."""
    return Window(now - 6 * HOUR, now + 6 * HOUR)


def faults_of(store: Store, ledger: Ledger, windows: Sequence[Window], now: int) -> list[str]:
    """Return what is wrong with the events of these (disjoint) windows; empty when each is there once and right."""
    rows = [s for window in windows for s in store.events(CENTRE, window) if s.outbox_id not in SERVER_OUTBOX_IDS]
    names = Counter((s.device, s.outbox_id, s.event.n) for s in rows)
    faults = [f"{name} is stored {k} times" for name, k in names.items() if k > 1]
    spools = {(s.device, s.outbox_id) for s in rows}
    faults += [f"{d} has more than one outbox" for d, k in Counter(d for d, _ in spools).items() if k > 1]
    wanted = ledger.within(windows)
    return faults + _posts(wanted, rows, now) + _lines(wanted, [s for s in rows if _key(s) not in ledger.posts])


def _posts(ledger: Ledger, rows: list[StoredEvent], now: int) -> list[str]:
    found = {_key(s): s.event for s in rows}
    faults = []
    for key, event in ledger.posts.items():
        kept = found.get(key)
        if kept is None:
            faults.append(f"{key} is missing: {event}")
        elif not _same(bare(kept), event, now if key in ledger.stepped else 0):
            faults.append(f"{key} is {kept}, but {event} was posted")
    return faults


def _same(kept: Event, posted: Event, now: int) -> bool:
    """Compare; a row from the future (beyond `now`, 0 for never) may have been given an earlier time."""
    if now and kept.t < posted.t:
        return posted.t > now and replace(kept, t=posted.t) == posted
    return kept == posted


def _lines(ledger: Ledger, rest: list[StoredEvent]) -> list[str]:
    """Everything else than posts and the agent's own words came from the file."""
    found = Counter((s.event.t, codec.encode_event(bare(s.event))) for s in rest if event_type_of(s.event) not in OWN)
    faults = [f"the line {line!r} is missing {k} times" for (_, line), k in (ledger.lines - found).items()]
    return faults + [f"{line!r} is stored {k} times too often" for (_, line), k in (found - ledger.lines).items()]


def _key(s: StoredEvent) -> tuple[str, int]:
    return s.device, s.event.n


def gaps(store: Store, produced: dict[str, int]) -> list[str]:
    """Return what completeness lacks; `produced` is the highest row number that each device surely gave."""
    rows = {row.device: row for row in store.row_ranges()}
    faults = [f"{d} has no rows" for d in DEVICES if produced.get(d) and d not in rows]
    for device, row in rows.items():
        if row.stored != ((1, row.highest_row),) or row.refused or row.dropped:
            faults.append(f"{device}: stored {row.stored}, refused {row.refused}, dropped {row.dropped}")
        if row.highest_row < produced.get(device, 0):
            faults.append(f"{device}: {row.highest_row} is the highest row, {produced[device]} was given")
    ratio = compute_completeness(store.row_ranges()).ratio
    return faults if ratio == 1.0 else [*faults, f"completeness says {ratio}"]


def doubles(kept: Kept, store: Store, windows: Sequence[Window]) -> list[str]:
    """Return names that lie in the store more than once, past the port, which would hide them."""
    names = Counter(name for window in windows for name in kept.names(window))
    seen = {(s.device, s.outbox_id, s.event.n) for window in windows for s in store.events(CENTRE, window)}
    faults = [f"{name} lies in the store {k} times" for name, k in names.items() if k > 1]
    return faults + [f"{name} is not found through the port" for name in names if name not in seen]


def rows_of(store: Store, boxes: Mapping[str, Path]) -> list[str]:
    """Return what the outboxes (device → file) numbered and is neither stored nor kept; their agents must be stopped.

    Only an agent's own words, said while it was stopped, may still wait there.
    """
    faults, ranges = [], {(row.device, row.outbox_id): row.stored for row in store.row_ranges()}
    known = sum(count_rows(stored) for stored in ranges.values())
    for device, file in boxes.items():
        with closing(sqlite3.connect(file)) as box:
            (spool,) = box.execute("SELECT spool FROM meta").fetchone()
            left = [(n, codec.decode_event(body)) for n, body in box.execute("SELECT n, body FROM rows")]
            (highest,) = box.execute("SELECT seq FROM sqlite_sequence WHERE name = 'rows'").fetchone()
        stored = ranges.pop((device, spool), ())
        faults += [f"{device}: {event} is unsent" for _, event in left if event_type_of(event) not in OWN]
        if union_ranges(stored, ((n, n) for n, _ in left)) != ((1, highest),):
            faults.append(f"{device}: {highest} rows were numbered, {stored} are stored, {left} are unsent")
    faults += [f"{key} is an outbox of nobody" for key in ranges]
    count = store.count_events()
    return faults if known == count else [*faults, f"{count} events are stored, {known} are accounted for"]


def totals(store: Store, window: Window) -> dict[tuple[str, str, int], EncodedSums]:
    """Return all that is not zero in the totals of all widths starting in the window, but for what silence says.

    Hours in which nobody spoke are folded by a rollup that runs, and by nobody else.
    """
    return {
        (total.scope, total.width, total.start): encode_sums(sums)
        for width in WIDTHS
        for total in store.totals([CENTRE], width, window)
        if (sums := {name: value for name, value in total.sums.items() if value and name not in SILENCE})
    }


def from_scratch(store: Store, window: Window, world: Inventory) -> dict[tuple[str, str, int], EncodedSums]:
    """Fold the window's events, as the store has them, into an empty store."""
    fresh = SqliteStore(Path(":memory:"))
    try:
        wide = Window(floor(fold.input_window(window).start, HOUR), ceil(window.end, HOUR))
        fresh.append(Batch(0, store.events(CENTRE, wide)))
        # Who is in service depends on first contacts, which may be before the window.
        fresh.put_live_rows({r.entity: r.body for r in store.live_rows() if r.entity.startswith(CONTACTS_ROW_PREFIX)})
        # A fold of the past: services that ended later are read too.
        Rollup(fresh, lambda: world, lambda: window.end + DAY).fold(CENTRE, window)
        return totals(fresh, window)
    finally:
        fresh.close()


def differences(store: Store, window: Window, world: Inventory) -> list[str]:
    """Return where the store's totals are not what a fold from scratch gives."""
    kept, wanted = totals(store, window), from_scratch(store, window, world)
    keys = sorted(kept.keys() | wanted.keys())
    return [f"{k}: {kept.get(k)}, from scratch {wanted.get(k)}" for k in keys if kept.get(k) != wanted.get(k)]
