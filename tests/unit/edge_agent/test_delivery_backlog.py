"""The backlog in virtual time: class by class, oldest first, at its pace, and never in the way of live rows."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st

from edge_agent.deferral import DEFER_MS, HOLD_THRESHOLD_ROWS, Deferral
from edge_agent.delivery import DRAIN_ORDER, BacklogRequest, Delivery, DeliveryPace

SLOW = DeliveryPace(rows_per_frame=10, drain_rows_per_s=100, drain_start_ms=1_000)


def linked(highest: int, pace: DeliveryPace = SLOW, chance: float = 0.0) -> Delivery:
    delivery = Delivery(pace)
    delivery.on_connected(0, highest, chance)
    return delivery


def took(delivery: Delivery, now: int, mid: int = 1) -> BacklogRequest | None:
    """Send a full frame of what the backlog wants."""
    want = delivery.next_backlog_request(now)
    if want is not None:
        rows = list(range(want.after + 1, min(want.to, want.after + want.limit) + 1))
        delivery.record_sent(rows, mid, now, 0.0)
        delivery.advance_backlog(want, rows[-1])
        delivery.consume_tokens(len(rows))
        delivery.on_puback(mid, now, refused=False)
        delivery.on_receipt([(rows[0], rows[-1])])
    return want


def test_what_is_there_at_the_connection_is_backlog_and_what_comes_later_is_live() -> None:
    delivery = linked(50)
    assert delivery.cursor == 50
    assert delivery.next_backlog_request(0) == BacklogRequest(2, 0, 50, 10)


def test_vital_rows_come_before_events_and_events_before_samples() -> None:
    delivery, seen = linked(5), []
    while want := delivery.next_backlog_request(0):
        seen.append(want.cls)
        delivery.advance_backlog(want, None)
    assert tuple(seen) == DRAIN_ORDER == (2, 1, 0)


def test_a_backlogs_first_frame_goes_at_once_and_the_rest_at_its_pace() -> None:
    delivery = linked(1_000)
    assert took(delivery, 0)
    assert took(delivery, 0) is None
    due = delivery.drain_due_at(0)
    assert due is not None
    assert 100 <= due <= 102
    assert took(delivery, due)
    assert took(delivery, due) is None


def test_each_device_starts_its_backlog_at_its_own_moment() -> None:
    early, late = linked(1_000, chance=0.0), linked(1_000, chance=0.9)
    for delivery in (early, late):
        took(delivery, 0)
    assert (late.drain_due_at(0) or 0) - (early.drain_due_at(0) or 0) == 900


def test_a_backlog_leaves_places_in_both_windows_to_live_rows() -> None:
    delivery = linked(10**6, DeliveryPace(rows_per_frame=10, drain_rows_per_s=10**6, drain_start_ms=0))
    mid = 0
    while want := delivery.next_backlog_request(10**6):
        mid += 1
        delivery.record_sent(list(range(want.after + 1, want.after + 11)), mid, 10**6, 0.0)
        delivery.advance_backlog(want, want.after + 10)
        delivery.on_puback(mid, 10**6, refused=False)
    assert mid == 48
    assert delivery.may_send()


def test_rows_left_behind_by_several_connections_are_each_in_the_backlog_once() -> None:
    delivery = linked(10)
    delivery.record_live_sent(15)
    delivery.on_connected(5, 30, 0.0)
    lane = []
    while (want := delivery.next_backlog_request(10**6)) and want.cls == 2:
        lane.append((want.after, want.to))
        delivery.advance_backlog(want, None)
    assert lane == [(0, 10), (15, 30)]


def test_the_pace_may_be_changed_while_a_backlog_drains() -> None:
    delivery = linked(10**6)
    took(delivery, 0)
    delivery.pace = DeliveryPace(rows_per_frame=10, drain_rows_per_s=10_000, drain_start_ms=0)
    assert delivery.drain_due_at(0) == 2


def test_without_a_backlog_nothing_is_due() -> None:
    delivery = linked(0)
    assert (delivery.drain_due_at(0), delivery.next_backlog_request(0)) == (None, None)


@settings(max_examples=60)
@given(st.integers(1, 400), st.integers(50, 5_000), st.lists(st.integers(0, 40), max_size=60))
def test_every_row_of_a_backlog_goes_out_once_and_never_faster_than_its_pace(
    rows: int, rate: int, pauses: list[int]
) -> None:
    pace = DeliveryPace(rows_per_frame=7, drain_rows_per_s=rate, drain_start_ms=0)
    delivery, now, out = linked(rows, pace), 0, dict[int, list[int]]()
    steps = iter(pauses)
    while (due := delivery.drain_due_at(now)) is not None:
        now = max(due, now + next(steps, 0))
        if want := took(delivery, now):
            out.setdefault(want.cls, []).extend(range(want.after + 1, min(want.to, want.after + want.limit) + 1))
    assert out == {cls: list(range(1, rows + 1)) for cls in DRAIN_ORDER}
    burst = max(pace.rows_per_frame, rate / 10)
    assert 3 * rows <= burst + pace.rows_per_frame + now * rate / 1000


# --- rows put off -----------------------------------------------------------------------------


def test_a_million_rows_of_an_unknown_device_are_one_group() -> None:
    deferral = Deferral()
    for low in range(1, 1_000_001, 10_000):
        deferral.defer(list(range(low, low + 10_000)), DEFER_MS + low // 100, 1, device_wide=True)
    assert len(deferral) == 1_000_000
    assert len(deferral._groups) == 1
    assert deferral.due_rows(DEFER_MS * 2, 3) == [1, 2, 3]


def test_a_device_nobody_knows_is_asked_about_again_with_a_part_of_its_backlog() -> None:
    delivery = linked(10**6, DeliveryPace(drain_start_ms=0))
    delivery.defer(list(range(1, HOLD_THRESHOLD_ROWS + 1)), 0, 0.0, device_wide=True)
    assert delivery.drain_due_at(1) == DEFER_MS
    assert delivery.next_backlog_request(1) is None


def test_rows_put_off_for_their_own_reasons_hold_up_no_others() -> None:
    delivery = linked(10**6, DeliveryPace(drain_start_ms=0))
    delivery.defer(list(range(1, 5 * HOLD_THRESHOLD_ROWS)), 0, 0.0)
    assert delivery.next_backlog_request(1) is not None


def test_once_the_ingest_knows_the_device_the_rest_goes_at_once() -> None:
    delivery = linked(10**6, DeliveryPace(drain_start_ms=0))
    delivery.defer(list(range(1, HOLD_THRESHOLD_ROWS + 1)), 0, 0.0, device_wide=True)
    delivery.defer([5_000], 0, 0.0)
    delivery.on_accepted(70)
    assert delivery.due_resends(70)[:3] == [1, 2, 3]
    delivery.on_receipt([(1, HOLD_THRESHOLD_ROWS)])
    assert delivery.due_resends(70) == []
    assert delivery.next_backlog_request(70) is not None


def test_a_flush_makes_all_that_waits_due() -> None:
    delivery = linked(0)
    delivery.record_sent([1], 1, 0, 0.0)
    delivery.on_puback(1, 0, refused=False)
    delivery.defer([2], 0, 0.0)
    delivery.retry_now(5)
    assert delivery.due_resends(5) == [1]
    delivery.on_receipt([(1, 1)])
    assert delivery.due_resends(5) == [2]


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(1, 8), st.integers(0, 9), st.booleans()), max_size=30))
def test_ranges_of_rows_put_off_hold_what_a_plain_set_holds(found: list[tuple[int, int, int, bool]]) -> None:
    deferral, model = Deferral(), set[int]()
    for first, count, due, keep in found:
        rows = set(range(first, first + count))
        deferral.remove(rows)
        model -= rows
        if keep:
            deferral.defer(sorted(rows), due * 20_000, 1, device_wide=False)
            model |= rows
    assert len(deferral) == len(model)
    assert set(deferral.due_rows(10**9, 1_000)) == model
    deferral.discard([(1, 30)])
    assert set(deferral.due_rows(10**9, 1_000)) == {n for n in model if n > 30}
