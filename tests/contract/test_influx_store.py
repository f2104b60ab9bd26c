"""What only the InfluxDB adapter must do: poison, tokens, buckets, retention, and readers beside unfinished writes."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from telemetry import wiring
from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.figures.completeness import OutboxRowRanges
from telemetry.core.fold.totals import Total
from telemetry.core.protocol import events as ev
from telemetry.errors import ConfigError, StoreUnavailable
from telemetry.store import Batch, ChangeRecord, DeadLetter, StoredEvent
from telemetry.store.influx import InfluxStore, adapter, journal, parse, reconcile, row_ranges, server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Opener = Callable[..., InfluxStore]

    from tests.servers import InfluxServer

T = 1_767_225_600_000
AROUND = Window(T - 10**9, T + 10**9)
CENTRE, DEVICE = "vn83-1", "vn83-1-kiosk1"
TOO_LATE = 1 << 53
"""A time, ms, that no InfluxDB can keep."""
DAY = Window(0, 24 * HOUR)


@pytest.fixture
def open_one(influx: InfluxServer, bucket: str) -> Iterator[Opener]:
    """Open a store on this test's buckets, with the operator's token unless told."""
    stores: list[InfluxStore] = []

    def opened(token: str = "", *, name: str = "", timeout_ms: int = 15_000) -> InfluxStore:
        address = parse(influx.store_url(name or bucket))
        stores.append(InfluxStore(address, token or influx.token, timeout_ms))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


@pytest.fixture
def store(open_one: Opener) -> InfluxStore:
    return open_one()


def issued(n: int, t: int = T, device: str = DEVICE, spool: str = "s1", centre: str = CENTRE) -> StoredEvent:
    event = ev.TicketIssued(n=n, t=t, ticket=f"k{n}", queue="land", service="land")
    return StoredEvent(centre, device, spool, event)


def too_long(n: int) -> StoredEvent:
    ranges = tuple((2 * i + 10**9, 2 * i + 10**9) for i in range(60_000))
    return StoredEvent(CENTRE, DEVICE, "s1", ev.OutboxDropped(n=n, t=T + n, ranges=ranges, count=60_000))


def put(store: InfluxStore, *events: StoredEvent, at: int = 1) -> list[StoredEvent]:
    return list(store.append(Batch(at, events, [ChangeRecord(CENTRE, 0, HOUR)])))


def numbers(store: InfluxStore) -> list[int]:
    return [s.event.n for s in store.events(CENTRE, AROUND)]


# --- poison -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 3, 6])
def test_one_line_that_is_refused_is_put_aside_and_the_rest_is_kept(store: InfluxStore, place: int) -> None:
    events = [issued(n, T + n) for n in range(1, 8)]
    events[place] = issued(place + 1, TOO_LATE)
    assert put(store, *events) == [events[place]]
    store.reconcile()
    kept = [n for n in range(1, 8) if n != place + 1]
    assert numbers(store) == kept
    assert store.dead_letter_counts() == {"store_refused": 1}
    (row,) = store.row_ranges()
    assert [n for low, high in row.stored for n in range(low, high + 1)] == kept
    assert store.changes_since(0) == [ChangeRecord(CENTRE, 0, HOUR, 1)]


def test_a_line_of_which_the_server_takes_the_rest_is_put_aside_too(store: InfluxStore) -> None:
    bad = too_long(2)
    assert put(store, issued(1), bad, issued(3)) == [bad]
    store.reconcile()
    assert numbers(store) == [1, 3]
    assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((1, 1), (3, 3)))]


def test_a_write_of_which_nothing_is_taken_still_tells_of_it(store: InfluxStore) -> None:
    bad = [issued(n, TOO_LATE + n) for n in (1, 2)]
    assert put(store, *bad) == bad
    store.reconcile()
    assert (store.count_events(), store.row_ranges(), store.dead_letter_counts()) == (0, [], {"store_refused": 2})
    assert len(store.changes_since(0)) == 1


def test_a_search_for_many_refused_lines_goes_on_at_the_next_try(
    store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_SEARCH_WRITES", 12)
    events = [issued(n, TOO_LATE if n % 3 == 0 else T + n) for n in range(1, 19)]
    with pytest.raises(StoreUnavailable, match=r"refuses many rows \(\d+ so far\); trying again"):
        put(store, *events)
    assert store.changes_since(0) == []
    refused = _tried(lambda: put(store, *events))
    assert sorted(s.event.n for s in refused) == [3, 6, 9, 12, 15, 18]
    assert numbers(store) == [n for n in range(1, 19) if n % 3]


def test_changes_are_never_told_so_late_that_rollup_has_passed_them(
    store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as slow:
        slow.setattr(adapter, "MAX_APPEND_S", 0.0)
        with pytest.raises(StoreUnavailable, match="trying again"):
            put(store, issued(1), issued(2, TOO_LATE))
    assert store.changes_since(0) == []
    assert put(store, issued(1), issued(2, TOO_LATE)) == [issued(2, TOO_LATE)]
    assert (numbers(store), len(store.changes_since(0))) == ([1], 1)


def _tried(write: Callable[[], list[StoredEvent]]) -> list[StoredEvent]:
    """Write as ingest does, until the store takes it; each try must get further."""
    for _ in range(10):
        with contextlib.suppress(StoreUnavailable):
            return write()
    pytest.fail("not within 10 tries")


def test_points_of_another_program_in_the_bucket_are_no_poison(
    store: InfluxStore, influx: InfluxServer, bucket: str
) -> None:
    influx.write(bucket, f'event,centre=x,device=y,type=z n="text" {T}000000')
    with pytest.raises(StoreUnavailable, match="another program's points; name another bucket"):
        put(store, issued(1))
    assert store.changes_since(0) == []


def test_what_a_message_quotes_of_a_line_is_not_told(store: InfluxStore) -> None:
    with pytest.raises(Exception, match="a line: time outside range") as told:
        store._server.write(store._address.bucket, b'event,centre=x body="secret" 9223372036854775807')
    assert "secret" not in str(told.value)


# --- servers that go and come -----------------------------------------------------------------


def test_what_was_acknowledged_survives_a_kill(open_one: Opener, influx: InfluxServer) -> None:
    store = open_one()
    put(store, issued(1), issued(2, T + 1), at=7)
    store.put_live_rows({CENTRE: b"{}"})
    influx.kill()
    for use in (store.count_events, lambda: put(store, issued(3)), store.reconcile, store.live_rows):
        with pytest.raises(StoreUnavailable, match="does not answer"):
            use()
    with pytest.raises(StoreUnavailable, match="is it running"):
        open_one()
    influx.start()
    assert (store.count_events(), numbers(store), store.changes_since(0)) == (
        2,
        [1, 2],
        [ChangeRecord(CENTRE, 0, HOUR, 7)],
    )
    put(store, issued(3, T + 2))
    store.reconcile()
    assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((1, 3),))]
    assert [row.entity for row in store.live_rows()] == [CENTRE]


def test_a_revoked_token_is_unavailable_until_it_is_restored(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    open_one()
    names = [bucket, *(f"{bucket}-{width}" for width in ("5m", "1h", "1d"))]
    ident, token = influx.make_token(names, names)
    store = open_one(token)
    put(store, issued(1))
    influx.switch_token(ident, "inactive")
    for use in (store.count_events, lambda: put(store, issued(2)), store.reconcile):
        with pytest.raises(StoreUnavailable, match="check MOTCUA_STORE_TOKEN") as told:
            use()
        assert token not in str(told.value)
    influx.switch_token(ident, "active")
    assert put(store, issued(2, T + 1)) == []
    assert numbers(store) == [1, 2]


def test_a_bucket_that_is_gone_is_named_and_made_again_at_the_next_start(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    store = open_one()
    influx.drop_bucket(bucket)
    for use in (store.count_events, lambda: put(store, issued(1))):
        with pytest.raises(StoreUnavailable, match=f"{bucket}.*a deleted bucket is created again when motcua starts"):
            use()
    again = open_one()
    put(again, issued(1))
    assert store.count_events() == 1


# --- rights and buckets -----------------------------------------------------------------------


def test_a_reader_of_totals_needs_no_right_on_raw(open_one: Opener, influx: InfluxServer, bucket: str) -> None:
    rollup = open_one()
    total = Total(CENTRE, f"centre:{CENTRE}", "1h", 0, "83", {"up_ms": 5})
    rollup.append(Batch(1, [issued(1)], dead_letters=[DeadLetter(T, DEVICE, "future", 2)]))
    rollup.reconcile()
    rollup.replace_totals(CENTRE, "1h", DAY, [total])
    rollup.put_live_rows({CENTRE: b"{}"})
    rollup.set_cursor(4)
    api = open_one(influx.make_token([f"{bucket}-{width}" for width in ("5m", "1h", "1d")])[1])
    assert api.totals([CENTRE], "1h", DAY) == [total]
    assert ([row.body for row in api.live_rows()], api.cursor(), api.checkpoint("none")) == ([b"{}"], 4, 0)
    assert (len(api.row_ranges()), api.dead_letter_counts()) == (1, {"future": 2})
    for use in (api.count_events, lambda: put(api, issued(2)), lambda: api.set_checkpoint("a", 1)):
        with pytest.raises(StoreUnavailable, match=r"lacks this right|check org and bucket"):
            use()


def test_ingest_needs_only_the_raw_bucket(open_one: Opener, influx: InfluxServer, bucket: str) -> None:
    reader = open_one()
    ingest = open_one(influx.make_token([bucket], [bucket])[1])
    assert (put(ingest, issued(1)), ingest.raw_retention_ms()) == ([], None)
    assert reader.count_events() == 1


def test_a_bucket_that_is_missing_and_may_not_be_made_is_named(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    influx.make_bucket(bucket)
    weak = influx.make_token([bucket], [bucket])[1]
    with pytest.raises(ConfigError, match=f"bucket {bucket}-5m of organization motcua is missing") as told:
        open_one(weak)
    assert len(told.value.faults) == 3
    assert "influx bucket create --org motcua --name" in str(told.value)


def test_a_reader_refuses_missing_buckets_and_creates_none(influx: InfluxServer, bucket: str) -> None:
    url = f"influxdb+{influx.url}?org=motcua&bucket={bucket}"
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"bucket {bucket} of organization motcua is missing") as told:
            wiring.open_store(url, influx.token, create=False)
        assert len(told.value.faults) == 4


@pytest.mark.parametrize(("org", "token", "said"), [("nobody", "", "organization name"), ("motcua", "x", "TOKEN")])
def test_a_wrong_organization_or_token_is_told_at_once(influx: InfluxServer, org: str, token: str, said: str) -> None:
    url = f"influxdb+{influx.url}?org={org}&bucket=b"
    with pytest.raises(ConfigError, match=said):
        wiring.open_store(url, token or influx.token)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("influxdb+http://h:1?org=o", "bucket is missing"),
        ("influxdb+http://h:1", "org is missing"),
        ("influxdb+http://h:99999?org=o&bucket=b", "not the URL"),
        ("influxdb+http://?org=o&bucket=b", "not the URL"),
        ("influxdb+http://user:pass@h?org=o&bucket=b", "contains a user name or password"),
        ("influxdb+http://h?org=o&bucket=_b", "accepts no bucket named"),
        ("influxdb+http://h?org=o&bucket=b&token=t", "unknown part 'token'"),
        ("influxdb+http://h?org=o&bucket=b&ca=ca.pem", "ca names an authority, and the address has no TLS"),
        ("mysql://h", "cannot open"),
    ],
)
def test_an_address_that_cannot_be_is_refused_with_the_way_out(url: str, said: str) -> None:
    with pytest.raises(ConfigError, match=f"MOTCUA_STORE: .*{said}.*; write "):
        wiring.open_store(url)


def test_the_buckets_retention_is_told_and_older_events_are_put_aside(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    influx.make_bucket(bucket, keep_s=3_600)
    store = open_one()
    now = time.time_ns() // 1_000_000
    old, new = issued(1, now - 2 * HOUR), issued(2, now - HOUR // 2)
    assert put(store, old, new, at=now * 1000) == [old]
    store.reconcile()
    assert (store.raw_retention_ms(), store.count_events(), store.dead_letter_counts()) == (
        HOUR,
        1,
        {"store_refused": 1},
    )


def test_changes_that_the_bucket_does_not_keep_are_not_lost_silently(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    influx.make_bucket(bucket, keep_s=3_600)
    with pytest.raises(StoreUnavailable, match="check the clock and the bucket's retention"):
        put(open_one(), issued(1, time.time_ns() // 1_000_000), at=1)


def test_the_bucket_of_live_rows_must_keep_for_ever(open_one: Opener, influx: InfluxServer, bucket: str) -> None:
    influx.make_bucket(f"{bucket}-1d", keep_s=86_400)
    with pytest.raises(ConfigError, match="live rows and checkpoints are stored there; set its retention to infinite"):
        open_one()


# --- readers beside unfinished writes ---------------------------------------------------------


def test_what_tells_of_events_is_written_after_them(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    bodies: list[bytes] = []
    write = store._server.write

    def seen(bucket: str, body: bytes) -> None:
        bodies.append(body)
        write(bucket, body)

    monkeypatch.setattr(store._server, "write", seen)
    store.append(Batch(1, [issued(1)], [ChangeRecord(CENTRE, 0, 1)], [DeadLetter(T, DEVICE, "future", 1)]))
    first, second = ([line.partition(b",")[0] for line in body.split(b"\n")] for body in bodies)
    assert (first, second) == ([b"event"], [b"change", b"rows", b"dead"])


def test_live_rows_of_an_unfinished_write_are_not_shown(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.put_live_rows({"a": b"1", "b": b"1"})
    with monkeypatch.context() as broken:
        broken.setattr(store, "set_checkpoint", lambda _key, _value: (_ for _ in ()).throw(StoreUnavailable))
        with pytest.raises(StoreUnavailable):
            store.put_live_rows({"a": b"2"})
    assert {row.entity: row.body for row in store.live_rows()} == {"b": b"1"}
    store.put_live_rows({"b": b"3"})
    assert {row.entity: row.body for row in store.live_rows(after=1)} == {"a": b"2", "b": b"3"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ('spool="01S",n=9i', "01S/9 at {T}000009: ValueError('no body')"),
        ('spool="01S",body=""', "01S/? at {T}000009: ValueError('no n')"),
        ("n=9i", "?/9 at {T}000009: ValueError('no spool, body')"),
    ],
)
def test_an_event_of_which_a_field_is_missing_is_set_aside_by_name(
    store: InfluxStore, influx: InfluxServer, bucket: str, fields: str, name: str
) -> None:
    influx.write(bucket, f"event,centre={CENTRE},device={DEVICE},type=ticket.issued {fields} {T}000009")
    put(store, issued(1))
    assert numbers(store) == [1]
    assert store.unreadable.reason_of(CENTRE) == f"event {DEVICE}/{name.replace('{T}', str(T))}"


def test_an_event_whose_fields_are_not_all_there_yet_is_read_again_before_it_is_set_aside(
    store: InfluxStore, influx: InfluxServer, bucket: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = f"event,centre={CENTRE},device={DEVICE},type=ticket.issued"
    influx.write(bucket, f"{at} n=9i {T}000009")
    query = store._server.query

    def written_meanwhile(*arguments: Any) -> Any:  # noqa: ANN401
        answer = query(*arguments)
        influx.write(
            bucket, f'{at} spool="01S",body="\\"ticket\\":\\"k\\",\\"queue\\":\\"q\\",\\"service\\":\\"s\\"" {T}000009'
        )
        return answer

    monkeypatch.setattr(store._server, "query", written_meanwhile)
    assert numbers(store) == [9]
    assert not store.unreadable.counts()


# --- what one reader finishes -----------------------------------------------------------------


def test_a_moved_event_is_deleted_where_it_was_and_nothing_else_is(store: InfluxStore) -> None:
    put(store, *(issued(n, T + 5 * HOUR + n) for n in range(1, 6)), at=10)
    put(store, issued(3, T), at=20)
    assert store.count_events() == 6
    store.reconcile()
    assert (store.count_events(), numbers(store)) == (5, [3, 1, 2, 4, 5])


def test_a_late_repeat_with_a_larger_time_is_taken_away(store: InfluxStore) -> None:
    put(store, issued(1, T), at=10)
    store.reconcile()
    put(store, issued(1, T + HOUR), at=20)
    store.reconcile()
    assert (store.count_events(), store.events(CENTRE, AROUND)) == (1, [issued(1, T)])


@pytest.mark.parametrize("overlap_ns", [0, 1_000_000, reconcile.OVERLAP_NS])
def test_reconciling_again_or_from_elsewhere_changes_nothing(
    open_one: Opener, monkeypatch: pytest.MonkeyPatch, overlap_ns: int
) -> None:
    monkeypatch.setattr(reconcile, "OVERLAP_NS", overlap_ns)
    writer, second = open_one(), open_one()
    for at in range(1, 11, 2):
        writer.append(Batch(at, [issued(at)], dead_letters=[DeadLetter(T, DEVICE, "future", 1)]))
        second.append(Batch(at, [issued(at + 1)], dead_letters=[DeadLetter(T, DEVICE, "malformed", 2)]))
        (writer if at % 4 == 1 else second).reconcile()
    for store in (writer, second, open_one()):
        store.reconcile()
        assert store.dead_letter_counts() == {"future": 5, "malformed": 10}
        assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((1, 10),))]


@pytest.mark.parametrize("wrong_by_us", [-3_600_000_000, 3_600_000_000])
def test_a_writer_whose_clock_is_wrong_hides_nobodys_rows(open_one: Opener, wrong_by_us: int) -> None:
    right, wrong = open_one(), open_one()
    now = time.time_ns() // 1_000
    for n, (store, at) in enumerate([(right, now), (wrong, now + wrong_by_us), (right, now + 1)], 1):
        store.append(Batch(at, [issued(n)], dead_letters=[DeadLetter(T, DEVICE, "future", 1)]))
        right.reconcile()
    assert right.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((1, 3),))]
    assert right.dead_letter_counts() == {"future": 3}


def test_two_writers_of_the_same_events_leave_each_once(open_one: Opener) -> None:
    stores = [open_one(), open_one()]
    barrier = threading.Barrier(2)

    def write(store: InfluxStore) -> None:
        barrier.wait()
        for n in range(0, 200, 20):
            put(store, *(issued(n + i, T + n + i) for i in range(1, 21)))

    threads = [threading.Thread(target=write, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    stores[0].reconcile()
    assert stores[0].count_events() == len(numbers(stores[0])) == 200
    assert stores[0].row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((1, 200),))]
    assert len(stores[0].changes_since(0)) == 20


def test_notes_longer_than_a_point_come_back_whole(store: InfluxStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_BODY_BYTES", 100)
    changes = [ChangeRecord(f"u{n}", n, n + 1, 5) for n in range(50)]
    store.append(Batch(5, [issued(n, device=f"d{n}-x") for n in range(1, 30)], changes))
    store.reconcile()
    assert store.changes_since(0) == changes
    assert len(store.row_ranges()) == 29


# --- row ranges in pages ----------------------------------------------------------------------

STATE = "1d"


def put_rows(store: InfluxStore, *numbers: int) -> None:
    store.append(Batch(1, [issued(n, T + n % 1000) for n in numbers]))
    store.reconcile()


def test_a_frame_of_odd_rows_reads_and_writes_as_many_bytes_as_the_first(
    store: InfluxStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    request, write = store._server._request, store._server.write

    def read(*args: Any, **more: Any) -> tuple[int, bytes]:  # noqa: ANN401
        status, body = request(*args, **more)
        sizes[-1] += len(body)
        return status, body

    def written(bucket: str, body: bytes) -> None:
        sizes[-1] += len(body)
        write(bucket, body)

    monkeypatch.setattr(row_ranges, "PAGE_ROWS", 64)
    monkeypatch.setattr(store._server, "_request", read)
    monkeypatch.setattr(store._server, "write", written)
    monkeypatch.setattr(reconcile, "OVERLAP_NS", 0)
    for first in range(1, 32 * 80, 80):
        sizes.append(0)
        put_rows(store, *range(first, first + 80, 2))
    assert max(sizes[16:]) < 1.25 * max(sizes[:8])
    assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", tuple((n, n) for n in range(1, 32 * 80, 2)))]


def test_ranges_that_grow_together_across_pages_are_one(open_one: Opener, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_ranges, "PAGE_ROWS", 4)
    store = open_one()
    put_rows(store, 3, 9, 10, 11, 30)
    put_rows(store, *range(4, 9))
    put_rows(store, 12, 1 << 53)
    put_rows(store, 2, 30)
    assert store.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((2, 12), (30, 30), (1 << 53, 1 << 53)))]
    assert open_one().row_ranges("vn83-1-kiosk2") == []


@pytest.mark.parametrize("writes_before_the_end", [0, 1])
def test_a_merge_that_ends_between_its_writes_loses_and_invents_no_row(
    open_one: Opener, monkeypatch: pytest.MonkeyPatch, writes_before_the_end: int
) -> None:
    monkeypatch.setattr(row_ranges, "PAGE_ROWS", 4)
    store = open_one()
    put_rows(store, 3, 9, 10, 17)
    store.append(Batch(2, [issued(n, T + n) for n in range(4, 9)]))
    done: list[int] = []
    write = store._server.write

    def ends(bucket: str, body: bytes) -> None:
        if len(done) == writes_before_the_end:
            raise StoreUnavailable
        write(bucket, body)
        done.append(1)

    with monkeypatch.context() as dying:
        dying.setattr(store._server, "write", ends)
        with pytest.raises(StoreUnavailable):
            store.reconcile()
    ranges = {0: ((3, 3), (9, 10), (17, 17)), 1: ((3, 10), (17, 17))}
    assert open_one().row_ranges()[0].stored == ranges[writes_before_the_end]
    after = open_one()
    after.reconcile()
    assert after.row_ranges() == [OutboxRowRanges(DEVICE, "s1", ((3, 10), (17, 17)))]
    put_rows(after, 6)
    assert after.row_ranges()[0].stored == ((3, 10), (17, 17))


def test_texts_of_earlier_versions_are_read_and_moved_into_pages(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    texts = [
        [
            [DEVICE, "s1", [[1, 5], [9, 9]], [[6, 6]], [[7, 8]], [[1, 9, T, T + 9]]],
            [DEVICE, "s2", [[4, 4]], [], [], []],
        ],
        [["vn83-1-counter2", "s1", [[1, 3]], [], [], [[1, 3, T, T]]], [DEVICE, "s1", [[3000, 3001]], [], [], []]],
    ]
    reader = open_one()
    for part, text in enumerate(texts):
        body = json.dumps(text).replace('"', '\\"')
        influx.write(f"{bucket}-{STATE}", f'ranges,site=vn83-1,part={part} body="{body}" 0')
    influx.write(f"{bucket}-{STATE}", 'ranges,site=vn83-2,part=0 body="not JSON" 0')
    expected = [
        OutboxRowRanges("vn83-1-counter2", "s1", ((1, 3),)),
        OutboxRowRanges(DEVICE, "s1", ((1, 5), (9, 9), (3000, 3001)), ((6, 6),), ((7, 8),)),
        OutboxRowRanges(DEVICE, "s2", ((4, 4),)),
    ]
    assert reader.row_ranges() == expected
    assert reader.row_ranges(DEVICE) == expected[1:]
    store = open_one()
    put(store, issued(5, T))  # stored before, perhaps at another time: the text knows at which
    store.reconcile()
    assert (store.row_ranges(), open_one().row_ranges()) == (expected, expected)
    (left,) = store._server.query(f"{bucket}-{STATE}", tuple[int, str], "SELECT body FROM ranges GROUP BY site, part")
    assert sorted(row[1] for series in left for row in series.values) == ["[]", "[]", "not JSON"]


def test_a_row_at_two_times_is_found_although_an_earlier_version_stored_the_first(
    open_one: Opener, influx: InfluxServer, bucket: str
) -> None:
    earlier = open_one()
    put(earlier, issued(1, T))
    body = json.dumps([[DEVICE, "s1", [[1, 1]], [], [], [[1, 1, T, T]]]]).replace('"', '\\"')
    influx.write(f"{bucket}-{STATE}", f'ranges,site=vn83-1,part=0 body="{body}" 0')
    store = open_one()
    put(store, issued(1, T + HOUR), at=2)
    store.reconcile()
    assert (store.count_events(), store.events(CENTRE, AROUND)) == (1, [issued(1, T)])
