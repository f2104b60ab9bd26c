"""Line protocol as the InfluxDB adapter writes it, the questions it asks, and the ledger of rows; no server needed."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import Window
from telemetry.core.figures import completeness
from telemetry.core.fold.totals import Total
from telemetry.core.protocol import codec, events as ev
from telemetry.store import CONTACT_OUTBOX_ID, StoredEvent
from telemetry.store.influx import influxql, journal, line_protocol, row_ranges, totals
from telemetry.store.influx.line_protocol import OutboxDelta
from telemetry.store.influx.row_ranges import PageChanges, RowRangesEntry
from telemetry.store.influx.server import InfluxSeries
from telemetry.store.unreadable import UnreadableRows

if TYPE_CHECKING:
    from random import Random

T = 1_767_225_600_000


def called(n: int, t: int = T, spool: str = "s1", device: str = "vn83-1-kiosk1") -> StoredEvent:
    event = ev.TicketCalled(n=n, t=t, ticket="k3f9", queue="land", service="land", counter="c3", entered=t - 5)
    return StoredEvent("vn83-1", device, spool, event)


def line(stored: StoredEvent) -> str:
    return line_protocol.event_lines([stored])[0][0].decode()


def test_a_line_holds_tags_outbox_row_and_the_rest_as_json() -> None:
    digits = (4711 + crc32(b"s1")) % 1_000_000
    said = {"ticket": "k3f9", "queue": "land", "service": "land", "counter": "c3"}
    body = "".join(f'\\"{name}\\":\\"{value}\\",' for name, value in said.items()) + f'\\"entered\\":{T - 5}'
    head = 'event,centre=vn83-1,device=vn83-1-kiosk1,type=ticket.called spool="s1",n=4711i'
    assert line(called(4711)) == f'{head},body="{body}" {T}{digits:06}'


def test_an_event_that_says_no_more_has_an_empty_body_and_servers_points_lie_apart() -> None:
    contact = StoredEvent("vn83-1", "vn83-1-kiosk1", CONTACT_OUTBOX_ID, ev.DeviceContact(n=7, t=T))
    assert line(contact).startswith("server,centre=vn83-1,device=vn83-1-kiosk1,type=device.contact ")
    assert ',body="" ' in line(contact)


def test_only_an_event_of_a_digital_system_is_tagged_with_it() -> None:
    probe = ev.ProbeResult(n=1, t=T, system="vn-ngsp", kind="http", ok=True)
    assert line(StoredEvent("c", "d", "s", probe)).startswith(
        "event,centre=c,device=d,system=vn-ngsp,type=probe.result "
    )


def test_a_ticket_is_never_a_tag() -> None:
    assert "k3f9" not in line(called(1)).split(" ", 1)[0]


def written_time_ns(spool: str, n: int) -> int:
    """Return the time at which an event of T is written as a point."""
    return int(
        line(StoredEvent("c", "d", spool, ev.TicketIssued(n=n, t=T, ticket="k", queue="q", service="s"))).split()[-1]
    )


@given(st.lists(st.tuples(st.sampled_from(["s1", "s2", 'a"b\\']), st.integers(1, 999_999)), unique=True, max_size=50))
def test_rows_of_one_moment_have_times_of_their_own_and_stay_in_their_millisecond(names: list[tuple[str, int]]) -> None:
    for spool in ("s1", "s2"):
        times = [written_time_ns(spool, n) for name, n in names if name == spool]
        assert len(set(times)) == len(times)
        assert all(time // 1_000_000 == T for time in times)


@given(st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True), st.text(max_size=20), st.integers(1, 1 << 53))
def test_what_is_read_back_is_what_was_written(ticket: str, spool: str, n: int) -> None:
    event = ev.TicketIssued(n=n, t=T, ticket=ticket, queue="q", service="s")
    body = codec.encode_event(event).decode().partition(f'"t":{T},')[2][:-1]
    row = influxql.EventRow(written_time_ns(spool, n), spool, n, body)
    found = [InfluxSeries("event", {"centre": "c", "device": "d", "type": "ticket.issued"}, [row])]
    assert influxql.decode_events("c", found, UnreadableRows()) == [StoredEvent("c", "d", spool, event)]


def test_a_name_that_comes_twice_in_a_write_is_kept_at_its_smaller_time() -> None:
    twice = [called(1, T + 9), called(2), called(1, T), called(1, T + 3)]
    assert line_protocol.has_repeated_ids(line_protocol.event_lines(twice)[1])
    assert not line_protocol.has_repeated_ids(
        line_protocol.event_lines([called(1), called(1, spool="s2"), called(1, device="d")])[1]
    )
    assert line_protocol.earliest_of_each(twice) == [called(1, T), called(2)]


def test_what_a_write_says_of_each_outbox() -> None:
    gone = ev.OutboxDropped(n=9, t=T + 5, ranges=((3, 4),), count=2)
    refused = ev.OutboxRefused(n=8, t=T, row=2, reason="malformed")
    stored = [
        called(1, T - 7),
        called(5, spool="s2"),
        *(StoredEvent("vn83-1", "vn83-1-kiosk1", "s1", e) for e in (gone, refused)),
    ]
    assert line_protocol.outbox_deltas(line_protocol.event_lines(stored)[1]) == [
        OutboxDelta("vn83-1-kiosk1", "s1", ((1, 1), (8, 9)), ((2, 2),), ((3, 4),), T - 7, T + 5),
        OutboxDelta("vn83-1-kiosk1", "s2", ((5, 5),), (), (), T, T),
    ]


def test_servers_points_are_rows_of_no_outbox() -> None:
    contact = StoredEvent("vn83-1", "vn83-1-kiosk1", CONTACT_OUTBOX_ID, ev.DeviceContact(n=7, t=T))
    assert line_protocol.outbox_deltas(line_protocol.event_lines([contact])[1]) == []


# --- questions --------------------------------------------------------------------------------


def test_texts_in_a_question_are_quoted() -> None:
    assert influxql.quote_string("a' OR 'b\\") == "'a\\' OR \\'b\\\\'"
    assert all("it\\'s" in question for question in influxql.event_queries("it's", Window(0, 1), None))


@pytest.mark.parametrize(
    ("t", "ns"),
    [(-5, 0), (0, 0), (T, T * 1_000_000), (1 << 62, line_protocol.MAX_TIME_NS), (1 << 53, line_protocol.MAX_TIME_NS)],
)
def test_a_time_beyond_what_influxdb_knows_is_its_bound(t: int, ns: int) -> None:
    assert influxql.to_ns(t) == ns


# --- totals -----------------------------------------------------------------------------------


def test_totals_of_one_kind_and_start_are_one_point() -> None:
    rows = [Total("u", scope, "5m", 300_000, "83", {"up_ms": 1}) for scope in ("device:a", "device:b", "desk:u:x")]
    existing = {("device", 0): b"[...]", ("desk", 300_000): b"[...]", ("centre", 0): b"[]"}
    told = [*totals.total_lines("u", rows, existing).values()]
    assert sorted(told) == [
        b'total,kind=desk,unit=u body="[[\\"83\\",\\"up_ms\\",[[\\"desk:u:x\\",[1]]]]]" 300000000000',
        (
            b'total,kind=device,unit=u body="[[\\"83\\",\\"up_ms\\",[[\\"device:a\\",[1]],[\\"device:b\\",[1]]]]]" '
            b"300000000000"
        ),
        b'total,kind=device,unit=u body="[]" 0',
    ]


def test_totals_that_are_there_already_are_not_written_again() -> None:
    rows = [Total("u", "device:a", "5m", start, "83", {"up_ms": 1}) for start in (0, 300_000)]
    body = b'[["83","up_ms",[["device:a",[1]]]]]'
    assert totals.total_lines("u", rows, {("device", 0): body, ("device", 300_000): body}) == {}
    assert len(totals.total_lines("u", rows, {("device", 0): body})) == 1


# --- the ledger of rows -----------------------------------------------------------------------

deltas = st.builds(
    lambda rows, first, length: OutboxDelta("d", "s", completeness.ranges_of(rows), (), (), first, first + length),
    st.sets(st.integers(1, 200), min_size=1, max_size=8),
    st.integers(0, 10_000),
    st.integers(0, 500),
)


@given(st.lists(deltas, max_size=80))
def test_a_row_that_was_stored_is_never_looked_for_in_the_wrong_place(found: list[OutboxDelta]) -> None:
    entry = RowRangesEntry("d", "s")
    for delta in found:
        entry = row_ranges.merge_entry(entry, delta)
    assert len(entry.locations) <= row_ranges.MAX_LOCATIONS
    for delta in found:
        rows = row_ranges.repeated_rows(entry, delta)
        assert rows == delta.stored
        first, last = row_ranges.time_range_of(entry, OutboxDelta("d", "s", rows, (), (), 20_000, 20_000), rows)
        assert first <= delta.first
        assert last >= delta.last


@given(st.lists(deltas, max_size=10), st.randoms(use_true_random=False))
def test_the_order_of_deltas_and_their_repetition_do_not_matter(found: list[OutboxDelta], chance: Random) -> None:
    one, two = RowRangesEntry("d", "s"), RowRangesEntry("d", "s")
    for delta in found:
        one = row_ranges.merge_entry(one, delta)
    for delta in sorted([*found, *found], key=lambda _: chance.random()):
        two = row_ranges.merge_entry(two, delta)
    assert (one.stored, one.refused, one.dropped) == (two.stored, two.refused, two.dropped)


rows_of_writes = st.lists(
    st.lists(
        st.tuples(st.integers(1, 60), st.integers(0, 20)).map(lambda p: (p[0], p[0] + p[1])), min_size=1, max_size=4
    ),
    max_size=12,
)


def apply_write(stored: dict[int, completeness.ClosedRanges], added: list[tuple[int, int]]) -> PageChanges:
    """Merge as the store does: from the pages beside the added rows only."""
    pages: dict[int, completeness.ClosedRanges] = {}
    for first, last in row_ranges.page_spans(added):
        before = [page for page, ranges in stored.items() if page < first and ranges]
        pages |= {page: stored[page] for page in stored if first <= page <= last}
        pages |= {page: stored[page] for page in before[-1:] and [max(before)]}
    return row_ranges.merge_pages(pages, added)


@pytest.mark.parametrize("page_rows", [1, 4, 1024])
@given(writes=rows_of_writes)
def test_pages_have_the_union_of_all_rows_also_between_two_writes_of_a_merge(
    page_rows: int, writes: list[list[tuple[int, int]]]
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_ranges, "PAGE_ROWS", page_rows)
        stored: dict[int, completeness.ClosedRanges] = {}
        for at, added in enumerate(writes, 1):
            changes = apply_write(stored, added)
            union = completeness.union_ranges(*writes[:at])
            stored |= changes.grown
            assert completeness.union_ranges(*stored.values()) == union
            stored |= changes.shrunk
            assert sorted(r for ranges in stored.values() for r in ranges) == list(union)
            assert all(row_ranges.page_of(low) == page for page, ranges in stored.items() for low, _ in ranges)


def test_a_write_beside_many_gaps_changes_its_own_page_only() -> None:
    odd = [(n, n) for n in range(1, 200_000, 2)]
    stored = dict(row_ranges.merge_pages({}, odd).grown)
    changes = apply_write(stored, [(200_001, 200_001)])
    assert list(changes.grown) == [row_ranges.page_of(200_001)]
    assert not changes.shrunk
    assert max(len(ranges) for ranges in stored.values()) == row_ranges.PAGE_ROWS // 2


def test_a_range_that_ends_before_it_begins_has_no_rows() -> None:
    assert row_ranges.merge_pages({}, [(5, 3)]) == PageChanges()


# --- records packed into points ---------------------------------------------------------------


def test_items_are_packed_in_order_into_lists_that_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "MAX_BODY_BYTES", 12)
    assert list(journal.pack_items(["aaaa", "bb", "c" * 30, "d"])) == [
        (2, b'["aaaa","bb"]'), (1, b'["' + b"c" * 30 + b'"]'), (1, b'["d"]'),
    ]  # fmt: skip
    assert list(journal.pack_items([])) == []
