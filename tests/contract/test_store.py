"""What every store adapter must do; a new adapter joins by one entry in `conftest.OPENERS`."""

from __future__ import annotations

import random
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, BucketWidth, Window
from telemetry.core.figures.completeness import OutboxRowRanges
from telemetry.core.fold.totals import Total
from telemetry.core.protocol import events as ev
from telemetry.errors import StoreTooNew, StoreUnavailable
from telemetry.store import (
    CONTACT_OUTBOX_ID,
    STATUS_OUTBOX_ID,
    Batch,
    ChangeRecord,
    DeadLetter,
    LiveRow,
    Store,
    StoredEvent,
    sqlite as sqlite_adapter,
)
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from random import Random

    from tests.contract.conftest import Opener

T = 1_767_225_600_000
AROUND = Window(T - 10**9, T + 10**9)
CENTRE, DEVICE, SYSTEM = "vn83-1", "vn83-1-kiosk1", "vn-ngsp"


def issued(n: int, t: int = T, device: str = DEVICE, spool: str = "s1", centre: str = CENTRE) -> StoredEvent:
    event = ev.TicketIssued(n=n, t=t, ticket=f"k{n}", queue="land", service="land")
    return StoredEvent(centre, device, spool, event)


def other(event: ev.Event, spool: str = "s1") -> StoredEvent:
    return StoredEvent(CENTRE, DEVICE, spool, event)


def put(store: Store, *events: StoredEvent, at: int = 1) -> None:
    """One write with one change, as ingest makes it."""
    store.append(Batch(at, events, [ChangeRecord(CENTRE, 0, HOUR)]))


def numbers(found: Sequence[StoredEvent]) -> list[int]:
    return [s.event.n for s in found]


def total(scope: str, start: int = 0, width: BucketWidth = "5m", unit: str = CENTRE, **sums: int) -> Total:
    return Total(unit, scope, width, start, "83", sums)


# --- events -----------------------------------------------------------------------------------


def test_an_empty_store_says_so(store: Store) -> None:
    assert (store.count_events(), store.cursor(), store.checkpoint("fold_version")) == (0, 0, 0)
    assert (store.events(CENTRE, AROUND), store.days_with_events(), store.changes_since(0), store.live_rows()) == (
        [],
        {},
        [],
        [],
    )
    assert (store.row_ranges(), store.dead_letter_counts(), store.totals([CENTRE], "5m", AROUND)) == ([], {}, [])


def test_events_come_back_as_they_were_by_time(store: Store) -> None:
    late, early = issued(1, T + 5), issued(2, T)
    put(store, late, early)
    assert store.events(CENTRE, AROUND) == [early, late]


def test_events_of_one_moment_come_in_order_of_device_spool_and_number(store: Store) -> None:
    wanted = [issued(2, device="a"), issued(10, device="a"), issued(1, device="a", spool="s2"), issued(1, device="b")]
    put(store, *reversed(wanted))
    assert store.events(CENTRE, AROUND) == wanted


def test_a_window_is_half_open_and_need_not_be_aligned(store: Store) -> None:
    put(store, *(issued(n, T + n) for n in range(10)))
    assert numbers(store.events(CENTRE, Window(T + 3, T + 7))) == [3, 4, 5, 6]
    assert store.events(CENTRE, Window(T + 3, T + 3)) == []


def test_neither_rows_of_one_moment_nor_equal_rows_of_two_outboxes_hide_each_other(store: Store) -> None:
    many = [issued(n, T + 7) for n in (1, 2, 999_999, 1_000_003, (1 << 53) - 1)]
    twins = [issued(5, T + 7, spool=spool) for spool in ("s2", "s3")]
    put(store, *many, *twins)
    store.reconcile()
    assert store.events(CENTRE, Window(T + 7, T + 8)) == [*many, *twins]
    assert store.count_events() == 7


def test_a_unit_gets_only_its_own_events_and_a_probe_is_its_systems(store: Store) -> None:
    probe = other(ev.ProbeResult(n=2, t=T, system=SYSTEM, kind="http", ok=True))
    put(store, issued(1), probe, issued(3, centre="vn83-2", device="x"))
    assert numbers(store.events(CENTRE, AROUND)) == [1]
    assert store.events(SYSTEM, AROUND) == [probe]
    assert store.events("nobody", AROUND) == []


def test_types_narrow_the_events(store: Store) -> None:
    put(store, issued(1), other(ev.DeviceHeartbeat(n=2, t=T)), other(ev.CentreModeSet(n=3, t=T, mode="closed")))
    assert numbers(store.events(CENTRE, AROUND, {"device.heartbeat", "centre.mode"})) == [2, 3]
    assert store.events(CENTRE, AROUND, set()) == []


def connection(t: int, sid: str, *, online: bool, n: int, device: str = DEVICE, centre: str = CENTRE) -> StoredEvent:
    event = ev.DeviceStatus(n=n, t=t, online=online, sid=sid)
    return StoredEvent(centre, device, STATUS_OUTBOX_ID, event)


def test_the_newest_birth_is_found_however_long_ago_it_was(store: Store) -> None:
    first, second = connection(T, "s1", online=True, n=2), connection(T + DAY, "s2", online=True, n=4)
    third = connection(T + 40 * DAY, "s3", online=True, n=6)
    ends = [connection(t, f"s{n}", online=False, n=n) for n, t in ((1, T + 9), (3, T + DAY + 9))]
    twin = connection(T + 39 * DAY, "t1", online=True, n=2, device="vn83-1-kiosk2")
    beat = other(ev.DeviceHeartbeat(n=1, t=T + 39 * DAY, fw='"online":true'))
    elsewhere = connection(T + 39 * DAY, "x", online=True, n=8, centre="vn83-2")
    put(store, first, second, third, *ends, twin, beat, elsewhere)
    repeated = connection(T + 39 * DAY, "s1", online=True, n=2)
    put(store, repeated)
    store.reconcile()
    found = store.newest_births(CENTRE, {DEVICE: T + 40 * DAY, twin.device: T + 40 * DAY, "nobody": T})
    assert sorted(found, key=lambda s: s.device) == [second, twin]
    assert store.newest_births(CENTRE, {DEVICE: T + 40 * DAY + 1}) == [third]
    assert store.newest_births(CENTRE, {DEVICE: T + DAY}) == [first]
    assert store.newest_births(CENTRE, {DEVICE: T}) == store.newest_births(CENTRE, {}) == []


def test_the_newest_birth_of_each_of_150_devices_is_found(store: Store) -> None:
    devices = [f"vn83-1-kiosk{i}" for i in range(150)]
    newest = [connection(T + i, f"s{i}", online=True, n=2 * i + 2, device=d) for i, d in enumerate(devices)]
    put(store, *newest, *(connection(T - DAY, "old", online=True, n=1_000, device=d) for d in devices))
    found = store.newest_births(CENTRE, dict.fromkeys(devices, T + DAY))
    assert sorted(found, key=lambda s: s.event.t) == newest


def test_the_newest_birth_is_found_behind_150_repeats_of_an_older_one(store: Store) -> None:
    newest = connection(T + DAY, "s2", online=True, n=4)
    put(store, connection(T, "s1", online=True, n=2), newest)
    for i in range(150):
        put(store, connection(T + 2 * DAY + i, "s1", online=True, n=2))
    assert store.newest_births(CENTRE, {DEVICE: T + 3 * DAY}) == [newest]


def test_the_extent_of_a_unit_is_the_days_that_hold_its_events(store: Store) -> None:
    day = T - T % DAY
    put(
        store,
        issued(1, T),
        issued(2, T + 2 * DAY),
        issued(3, T + 3 * DAY),
        issued(4, T + 4, centre="vn83-2", device="x"),
    )
    probe = ev.ProbeResult(n=5, t=T + DAY, system=SYSTEM, kind="http", ok=True)
    put(store, other(probe))
    assert store.days_with_events() == {
        CENTRE: [Window(day, day + DAY), Window(day + 2 * DAY, day + 4 * DAY)],
        "vn83-2": [Window(day, day + DAY)],
        SYSTEM: [Window(day + DAY, day + 2 * DAY)],
    }


def test_the_count_leaves_out_what_servers_wrote(store: Store) -> None:
    contact = other(ev.DeviceContact(n=1, t=T), CONTACT_OUTBOX_ID)
    status = other(ev.DeviceStatus(n=1, t=T, online=True, sid="x"), STATUS_OUTBOX_ID)
    put(store, issued(1), contact, status)
    store.reconcile()
    assert store.count_events() == 1
    assert len(store.events(CENTRE, AROUND)) == 3
    assert [row.outbox_id for row in store.row_ranges()] == ["s1"]


# --- repeats ----------------------------------------------------------------------------------


def test_a_repeat_changes_nothing(store: Store) -> None:
    for _ in range(3):
        put(store, issued(1), issued(2))
    store.reconcile()
    assert (store.count_events(), numbers(store.events(CENTRE, AROUND))) == (2, [1, 2])
    assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((1, 2),))]


@pytest.mark.parametrize("times", [(T, T + 7), (T + 7, T), (T + 7, T, T + 9)])
def test_of_two_times_for_one_name_the_smaller_counts_in_any_order(store: Store, times: tuple[int, ...]) -> None:
    for t in times:
        put(store, issued(1, t))
    store.reconcile()
    assert store.events(CENTRE, AROUND) == [issued(1, T)]


def test_of_two_times_in_one_write_the_smaller_counts(store: Store) -> None:
    put(store, issued(1, T + 7), issued(1, T))
    assert store.events(CENTRE, AROUND) == [issued(1, T)]


def test_the_place_an_event_leaves_becomes_a_change_of_the_same_write(store: Store) -> None:
    put(store, issued(1, T + 5 * HOUR), at=10)
    store.append(Batch(20, [issued(1, T)], [ChangeRecord(CENTRE, T, T + HOUR)]))
    store.reconcile()
    left = [c for c in store.changes_since(20) if c.start <= T + 5 * HOUR < c.end]
    assert left
    assert {(c.entity, c.written_at) for c in left} == {(CENTRE, 20)}
    assert all(c.start <= T + HOUR and c.end >= T + 5 * HOUR + ev.MAX_GRACE_MS for c in left)


def test_an_event_that_moves_to_another_unit_leaves_a_change_at_the_old_one(store: Store) -> None:
    put(store, issued(1, T + 9), at=10)
    store.append(Batch(20, [issued(1, T, centre="vn83-2")], [ChangeRecord("vn83-2", 0, HOUR)]))
    store.reconcile()
    assert store.events(CENTRE, AROUND) == []
    assert {c.entity for c in store.changes_since(20)} == {CENTRE, "vn83-2"}


def test_an_event_may_move_in_a_write_that_brings_no_changes(store: Store) -> None:
    store.append(Batch(10, [issued(1, T + 9)]))
    store.append(Batch(20, [issued(1, T)]))
    store.reconcile()
    assert store.events(CENTRE, AROUND) == [issued(1, T)]
    assert [c.entity for c in store.changes_since(0)] == [CENTRE]


def test_whatever_moves_each_name_ends_at_its_smallest_time(adapter: str, anew: Callable[[], Opener]) -> None:
    row = st.tuples(st.integers(1, 3), st.integers(0, 5))

    @settings(max_examples=25 if adapter == "sqlite" else 6, deadline=None)
    @given(st.lists(st.tuples(st.lists(row, min_size=1, max_size=4), st.booleans()), min_size=1, max_size=5))
    def holds(writes: list[tuple[list[tuple[int, int]], bool]]) -> None:
        store, smallest, left = anew()(), dict[int, int](), set[int]()
        for at, (rows, now) in enumerate(writes, 1):
            store.append(Batch(at, [issued(n, T + hour * HOUR, centre=f"vn83-{hour % 2}") for n, hour in rows]))
            for n, hour in ((n, min(h for m, h in rows if m == n)) for n in {n for n, _ in rows}):
                left |= {smallest[n]} if hour < smallest.get(n, hour) else set()
                smallest[n] = min(hour, smallest.get(n, hour))
            if now:
                store.reconcile()
        store.reconcile()
        found = [s for unit in ("vn83-0", "vn83-1") for s in store.events(unit, AROUND)]
        assert {s.event.n: (s.event.t - T) // HOUR for s in found} == smallest
        assert len(found) == store.count_events() == len(smallest)
        told = {
            (c.entity, hour) for c in store.changes_since(0) for hour in range(6) if c.start <= T + hour * HOUR < c.end
        }
        assert {(f"vn83-{hour % 2}", hour) for hour in left} <= told

    holds()


def test_a_repeat_that_does_not_move_leaves_no_further_change(store: Store) -> None:
    put(store, issued(1, T), at=10)
    store.append(Batch(20, [issued(1, T), issued(1, T + 9)]))
    store.reconcile()
    assert store.changes_since(11) == []


# --- one write --------------------------------------------------------------------------------


class Broken(ev.Event, frozen=True, kw_only=True, tag="broken"):
    """An event no store can keep."""

    what: object


def test_a_write_that_fails_leaves_nothing(store: Store) -> None:
    put(store, issued(1), at=5)
    bad = other(Broken(n=3, t=T, what=object()))
    change, letter = ChangeRecord("new", 0, 1), DeadLetter(T, DEVICE, "malformed", 1)
    with pytest.raises((TypeError, StoreUnavailable)):
        store.append(Batch(9, [issued(2, centre="new", device="d2"), bad], [change], [letter]))
    store.reconcile()
    assert (store.count_events(), store.changes_since(6), store.dead_letter_counts()) == (1, [], {})
    assert [row.device for row in store.row_ranges()] == [DEVICE]
    put(store, issued(2, centre="new", device="d2"))
    assert numbers(store.events("new", AROUND)) == [2]


def test_changes_come_oldest_first_from_a_time_on(store: Store) -> None:
    for at in (30, 10, 20):
        store.append(Batch(at, (), [ChangeRecord("b", at, at + 1), ChangeRecord("a", at, at + 1)]))
    assert store.changes_since(11) == [ChangeRecord(unit, at, at + 1, at) for at in (20, 30) for unit in ("b", "a")]
    assert len(store.changes_since(0)) == 6
    assert [c.written_at for c in store.changes_since(30)] == [30, 30]


def test_equal_changes_are_all_kept(store: Store) -> None:
    store.append(Batch(1, (), [ChangeRecord("a", 0, 1), ChangeRecord("a", 0, 1)]))
    assert len(store.changes_since(1)) == 2


# --- cursor and marks -------------------------------------------------------------------------


def test_the_cursor_never_goes_back_unless_set_to_zero(store: Store) -> None:
    for value, kept in ((5, 5), (3, 5), (9, 9), (0, 0), (2, 2)):
        store.set_cursor(value)
        assert store.cursor() == kept


def test_marks_keep_their_numbers_apart(store: Store) -> None:
    store.set_checkpoint("a", 5)
    store.set_checkpoint("b", 7)
    store.set_checkpoint("a", 2)
    assert (store.checkpoint("a"), store.checkpoint("b"), store.cursor()) == (2, 7, 0)


# --- totals -----------------------------------------------------------------------------------


def test_totals_come_back_as_they_were_by_start_and_scope(store: Store) -> None:
    rows = [total("centre:x", 0, up_ms=1), total("device:y", 0, up_ms=0), total("centre:x", SLOT, up_ms=1 << 50)]
    store.replace_totals(CENTRE, "5m", Window(0, HOUR), rows[::-1])
    assert store.totals([CENTRE], "5m", Window(0, HOUR)) == rows


def test_rows_that_vanished_go_and_those_outside_stay(store: Store) -> None:
    old = [total("device:y", start, up_ms=1) for start in (0, SLOT, 2 * SLOT)]
    store.replace_totals(CENTRE, "5m", Window(0, HOUR), old)
    store.replace_totals("other", "5m", Window(0, HOUR), [total("device:z", SLOT, unit="other", up_ms=4)])
    store.replace_totals(CENTRE, "1h", Window(0, HOUR), [total("device:y", 0, "1h", up_ms=3)])
    fresh = total("device:y", SLOT, up_ms=9)
    store.replace_totals(CENTRE, "5m", Window(SLOT, 2 * SLOT), [fresh])
    assert store.totals([CENTRE], "5m", AROUND_ZERO) == [old[0], fresh, old[2]]
    store.replace_totals(CENTRE, "5m", Window(SLOT, 2 * SLOT), [])
    assert store.totals([CENTRE], "5m", AROUND_ZERO) == [old[0], old[2]]
    assert len(store.totals(["other"], "5m", AROUND_ZERO)) == len(store.totals([CENTRE], "1h", AROUND_ZERO)) == 1


AROUND_ZERO = Window(0, 24 * HOUR)


def test_totals_start_in_a_half_open_window(store: Store) -> None:
    rows = [total("device:y", start, up_ms=1) for start in (0, SLOT, 2 * SLOT)]
    store.replace_totals(CENTRE, "5m", AROUND_ZERO, rows)
    assert store.totals([CENTRE], "5m", Window(1, 2 * SLOT)) == [rows[1]]


@pytest.mark.parametrize("kind", ["device", "desk", "centre", "system"])
def test_a_kind_narrows_the_scopes(store: Store, kind: str) -> None:
    rows = [total(f"{name}:{CENTRE}", called=1) for name in ("centre", "desk", "device", "devices", "system")]
    store.replace_totals(CENTRE, "5m", AROUND_ZERO, rows)
    assert [t.scope for t in store.totals([CENTRE], "5m", AROUND_ZERO, kind)] == [f"{kind}:{CENTRE}"]
    assert len(store.totals([CENTRE], "5m", AROUND_ZERO)) == len(rows)


def test_totals_of_several_units_come_together(store: Store) -> None:
    for unit in ("a", "b", "c"):
        store.replace_totals(unit, "1d", AROUND_ZERO, [total(f"centre:{unit}", 0, "1d", unit, up_ms=1)])
    assert [t.entity for t in store.totals(["a", "c", "nobody"], "1d", AROUND_ZERO)] == ["a", "c"]
    assert store.totals([], "1d", AROUND_ZERO) == []


# --- live rows --------------------------------------------------------------------------------


def test_a_live_rows_version_rises_with_every_write_over_all_rows(store: Store) -> None:
    store.put_live_rows({"a": b"1", "b": b"1"})
    seen = max(row.version for row in store.live_rows())
    store.put_live_rows({"a": b"2"})
    (fresh,) = store.live_rows(after=seen)
    assert (fresh.entity, fresh.body) == ("a", b"2")
    store.put_live_rows({"b": b"2"})
    assert [row.entity for row in store.live_rows(after=fresh.version)] == ["b"]
    assert {row.entity: row.body for row in store.live_rows()} == {"a": b"2", "b": b"2"}


def test_writing_no_live_rows_changes_nothing(store: Store) -> None:
    store.put_live_rows({"a": b"1"})
    before = store.live_rows()
    store.put_live_rows({})
    assert store.live_rows() == before == [LiveRow("a", before[0].version, b"1")]


# --- documents --------------------------------------------------------------------------------


def test_a_document_comes_back_as_it_was_put_whatever_its_size(store: Store) -> None:
    assert store.document("model") is None
    random_ = random.Random(3)
    large = bytes(random_.randrange(256) for _ in range(200_000))
    store.put_document("model", large)
    store.put_document('other, "quoted"', b"")
    assert store.document("model") == large
    store.put_document("model", b'short \\ "now"')
    assert store.document("model") == b'short \\ "now"'
    assert store.document('other, "quoted"') == b""


# --- what became of rows ----------------------------------------------------------------------


def test_row_ranges_join_over_writes_and_keep_outboxes_apart(store: Store) -> None:
    put(store, issued(1), issued(3), issued(7, spool="s2"))
    put(store, issued(2), issued(9, device="a"))
    store.reconcile()
    assert store.row_ranges() == [
        OutboxRowRanges("a", "s1", ((9, 9),)),
        OutboxRowRanges(DEVICE, "s1", ((1, 3),)),
        OutboxRowRanges(DEVICE, "s2", ((7, 7),)),
    ]
    assert [row.device for row in store.row_ranges("a")] == ["a"]
    assert store.row_ranges("nobody") == []


def test_row_ranges_tell_what_was_dropped_and_refused(store: Store) -> None:
    dropped = ev.OutboxDropped(n=9, t=T, ranges=((1, 3), (5, 5)), count=4)
    for event in (dropped, ev.OutboxRefused(n=10, t=T, row=4, reason="malformed"), dropped):
        put(store, other(event))
    put(store, other(ev.OutboxDropped(n=11, t=T, ranges=((6, 6),), count=1)))
    store.reconcile()
    assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((9, 11),), ((4, 4),), ((1, 3), (5, 6)))]


def test_any_order_and_repetition_of_writes_leaves_the_same_store(adapter: str, anew: Callable[[], Opener]) -> None:
    @settings(max_examples=15 if adapter == "sqlite" else 4, deadline=None)
    @given(st.lists(st.sets(st.integers(1, 30), max_size=6), max_size=5), st.randoms(use_true_random=False))
    def holds(found: list[set[int]], chance: Random) -> None:
        left = []
        for writes in (found, sorted([*found, *found], key=lambda _: chance.random())):
            store = anew()()
            for write in writes:
                put(store, *(issued(n, T + n) for n in write))
            store.reconcile()
            left.append((store.events(CENTRE, AROUND), store.row_ranges(), store.count_events()))
        assert left[0] == left[1]

    holds()


def test_dead_letters_are_counted_by_reason_for_ever(store: Store) -> None:
    letters = [DeadLetter(T, DEVICE, "malformed", 2, 10), DeadLetter(T, "", "future", 1)]
    store.append(Batch(1, dead_letters=letters))
    store.append(Batch(2, dead_letters=letters[:1]))
    store.reconcile()
    assert store.dead_letter_counts() == {"future": 1, "malformed": 4}


# --- life of a store --------------------------------------------------------------------------


def test_reopening_keeps_everything(reopen: Opener) -> None:
    first = reopen()
    first.append(Batch(5, [issued(1)], [ChangeRecord(CENTRE, 0, 1)], [DeadLetter(T, DEVICE, "future", 1)]))
    first.replace_totals(CENTRE, "5m", AROUND_ZERO, [total("device:y", up_ms=1)])
    first.put_live_rows({CENTRE: b"{}"})
    first.set_cursor(4)
    first.set_checkpoint("fold_version", 3)
    first.reconcile()

    def everything(store: Store) -> tuple[object, ...]:
        seen = (
            store.events(CENTRE, AROUND),
            store.changes_since(0),
            store.live_rows(),
            store.row_ranges(),
            store.dead_letter_counts(),
        )
        return (
            *seen,
            store.totals([CENTRE], "5m", AROUND_ZERO),
            store.cursor(),
            store.checkpoint("fold_version"),
            store.count_events(),
        )

    before = everything(first)
    first.close()
    assert everything(reopen()) == before
    assert before[-3:] == (4, 3, 1)


def test_raw_events_of_a_store_made_here_are_kept_for_ever(store: Store) -> None:
    assert store.raw_retention_ms() is None


def test_a_second_reader_sees_what_the_first_wrote(reopen: Opener) -> None:
    writer, reader = reopen(), reopen()
    put(writer, issued(1))
    assert reader.count_events() == 1


@pytest.mark.parametrize("connections", [1, 2])
def test_writers_in_several_threads_lose_and_double_nothing(reopen: Opener, connections: int) -> None:
    stores = [reopen() for _ in range(connections)]
    barrier = threading.Barrier(4)

    def write(worker: int) -> None:
        store = stores[worker % connections]
        barrier.wait()
        for n in range(1, 21):
            put(store, issued(2 * n + worker % 2, device=f"d{worker // 2}"))
            store.put_live_rows({f"u{worker}": b"%d" % n})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    stores[0].reconcile()
    assert stores[0].count_events() == len(stores[0].events(CENTRE, AROUND)) == 80
    assert stores[0].row_ranges() == [OutboxRowRanges(f"d{i}", "s1", ((2, 41),)) for i in range(2)]
    assert len(stores[0].changes_since(0)) == 80
    assert [row.body for row in stores[0].live_rows()] == [b"20"] * 4


def test_a_closed_store_is_unavailable_for_reading_and_writing(store: Store) -> None:
    store.close()
    for use in (store.count_events, lambda: put(store, issued(1)), lambda: store.set_checkpoint("a", 1)):
        with pytest.raises(StoreUnavailable):
            use()


# --- SQLite only ------------------------------------------------------------------------------


def test_a_file_of_a_newer_schema_is_refused_with_the_way_out(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    SqliteStore(path).close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA user_version=99")
    db.close()
    with pytest.raises(StoreTooNew, match="schema version 99 is newer than this program's 5; upgrade motcua"):
        SqliteStore(path)


def test_a_file_that_is_no_database_is_unavailable_with_advice(tmp_path: Path) -> None:
    path = tmp_path / "s.db"
    path.write_bytes(b"not a database, but long enough to be read as one" * 20)
    with pytest.raises(StoreUnavailable, match="check the path, its permissions and free space"):
        SqliteStore(path)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnavailable, match="check the path"):
        SqliteStore(tmp_path / "file" / "s.db")


def test_a_writer_that_waits_too_long_is_unavailable_and_can_write_later(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db", busy_ms=1)
    blocker = sqlite3.connect(tmp_path / "s.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreUnavailable, match="locked"):
        put(store, issued(1))
    blocker.close()
    put(store, issued(1))
    assert store.count_events() == 1
    store.close()


def test_only_the_last_dead_letters_are_kept_in_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_adapter, "MAX_DEAD_LETTERS", 3)
    store = SqliteStore(tmp_path / "s.db")
    for at in range(10):
        store.append(Batch(at, dead_letters=[DeadLetter(at, DEVICE, "future", 1)]))
    assert store._query("SELECT at FROM dead ORDER BY at") == [(7,), (8,), (9,)]
    assert store.dead_letter_counts() == {"future": 10}
    store.close()


def test_a_commit_is_on_disk_before_it_is_acknowledged(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "s.db")
    assert store._query("PRAGMA synchronous") == [(2,)]
    assert store._query("PRAGMA journal_mode") == [("wal",)]
    store.close()


def test_folded_changes_a_day_behind_the_cursor_need_not_be_kept(store: Store) -> None:
    day_us = 86_400_000_000
    store.append(Batch(10, (), [ChangeRecord("c1", 0, 1)]))
    store.append(Batch(10 + 2 * day_us, (), [ChangeRecord("c1", 1, 2)]))
    store.set_cursor(10 + 2 * day_us)
    assert ChangeRecord("c1", 1, 2, 10 + 2 * day_us) in store.changes_since(10 + 2 * day_us - 60_000_000)
