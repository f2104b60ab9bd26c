"""Delivery in virtual time: windows, patience, deferral; nothing is forgotten but by a receipt."""

from __future__ import annotations

from hypothesis import given, strategies as st

from edge_agent.deferral import DEFER_MS
from edge_agent.delivery import RESEND_CAP_MS, Delivery, DeliveryPace

SHORT = DeliveryPace(max_in_flight=2, max_unreceipted=3, rows_per_frame=2)


def sent(*frames: list[int], now: int = 0, pace: DeliveryPace = SHORT) -> Delivery:
    """Frames sent as messages 1, 2, …"""
    delivery = Delivery(pace)
    for mid, rows in enumerate(frames, 1):
        delivery.record_sent(rows, mid, now, 0.0)
    return delivery


def test_nothing_is_due_at_first() -> None:
    delivery = Delivery()
    assert (delivery.may_send(), delivery.due_resends(10**9), delivery.next_due(), delivery.cursor) == (
        True,
        [],
        None,
        0,
    )


def test_the_broker_holds_only_so_many_unanswered_frames() -> None:
    delivery = sent([1], [2])
    assert not delivery.may_send()
    delivery.on_puback(1, 5, refused=False)
    assert delivery.may_send()


def test_only_so_many_frames_wait_for_a_receipt() -> None:
    delivery = sent([1], [2], [3])
    for mid in (1, 2, 3):
        delivery.on_puback(mid, 5, refused=False)
    assert not delivery.may_send()
    delivery.on_receipt([(2, 2)])
    assert delivery.may_send()


def test_the_cursor_of_live_rows_never_falls() -> None:
    delivery = Delivery()
    delivery.record_live_sent(5)
    delivery.record_live_sent(1)
    assert delivery.cursor == 5


def test_sending_nothing_changes_nothing() -> None:
    delivery = sent([])
    assert (delivery.next_due(), delivery.cursor, delivery.may_send()) == (None, 0, True)


def test_rows_without_a_receipt_go_out_again_ever_more_rarely_up_to_the_cap() -> None:
    delivery, now, waits = Delivery(), 0, []
    for mid in range(1, 10):
        delivery.record_sent([1, 2], mid, now, 0.0)
        delivery.on_puback(mid, now, refused=False)
        due = delivery.next_due()
        assert due is not None
        assert delivery.due_resends(due - 1) == []
        assert delivery.due_resends(due) == [1, 2]
        waits.append(due - now)
        now = due
    assert waits == [20_000, 40_000, 80_000, 160_000, 320_000, *([RESEND_CAP_MS] * 4)]


def test_jitter_adds_at_most_a_quarter() -> None:
    delivery = Delivery()
    delivery.record_sent([1], 1, 1_000, 0.999_999)
    assert 1_000 + 20_000 < (delivery.next_due() or 0) < 1_000 + 25_000


def test_nothing_goes_out_again_while_the_broker_has_too_many_unanswered() -> None:
    delivery = sent([1], [2])
    assert delivery.due_resends(10**9) == []


def test_an_unanswered_frame_within_the_window_goes_out_again_in_its_own_place() -> None:
    delivery = sent([1])
    assert delivery.due_resends(20_000) == [1]
    delivery.record_sent([1], 2, 20_000, 0.0)
    delivery.on_puback(1, 20_001, refused=False)
    assert (delivery.next_due(), delivery.may_send()) == (60_000, True)


def test_a_frame_sent_without_a_link_is_due_like_any_other() -> None:
    delivery = Delivery()
    delivery.record_sent([1], None, 0, 0.0)
    assert delivery.due_resends(20_000) == [1]


def test_only_so_many_overdue_rows_come_at_once_and_the_rest_keep_their_time() -> None:
    delivery = sent([1, 2, 3])
    assert delivery.due_resends(20_000) == [1, 2]
    delivery.record_sent([1, 2], 9, 20_000, 0.0)
    delivery.on_puback(9, 20_000, refused=False)
    assert delivery.due_resends(20_000) == [3]


def test_a_refused_frame_waits_again_before_the_next_try() -> None:
    delivery = sent([1])
    delivery.on_puback(1, 19_000, refused=True)
    assert delivery.due_resends(38_999) == []
    assert delivery.due_resends(39_000) == [1]


def test_a_refusal_never_shortens_the_wait() -> None:
    delivery = sent([1])
    delivery.record_sent([1], 2, 20_000, 0.0)
    delivery.on_puback(2, 20_001, refused=True)
    assert delivery.next_due() == 60_000


def test_an_answer_to_an_unknown_message_changes_nothing() -> None:
    delivery = sent([1])
    delivery.on_puback(77, 5, refused=True)
    assert delivery.next_due() == 20_000


def test_a_broken_link_sends_what_was_unanswered_again_at_once_and_only_that() -> None:
    delivery = sent([1], [2])
    delivery.on_puback(1, 1, refused=False)
    delivery.on_disconnected(5)
    assert delivery.due_resends(5) == [2]
    delivery.on_receipt([(2, 2)])
    assert (delivery.due_resends(5), delivery.next_due()) == ([], 20_000)


def test_a_receipt_settles_the_rows_it_names_and_no_others() -> None:
    delivery = sent([1, 2, 3], pace=DeliveryPace())
    delivery.on_receipt([(2, 3)])
    assert delivery.due_resends(20_000) == [1]
    delivery.on_receipt([(1, 1)])
    assert (delivery.due_resends(10**9), delivery.next_due()) == ([], None)


def test_a_deferred_row_waits_fifteen_minutes_while_its_neighbours_go_on() -> None:
    delivery = sent([1, 2], pace=DeliveryPace())
    delivery.defer([2], 1_000, 0.0)
    assert delivery.due_resends(20_000) == [1]
    delivery.on_receipt([(1, 1)])
    assert delivery.due_resends(1_000 + DEFER_MS - 1) == []
    assert delivery.due_resends(1_000 + DEFER_MS) == [2]


def test_every_deferral_waits_longer_up_to_an_hour() -> None:
    delivery, now, waits = Delivery(), 0, []
    for mid in range(1, 6):
        delivery.record_sent([1], mid, now, 0.0)
        delivery.defer([1], now, 0.0)
        due = delivery.next_due()
        assert due is not None
        waits.append((due - now) // DEFER_MS)
        now = due
    assert waits == [1, 2, 4, 4, 4]


def test_a_deferred_row_takes_no_place_in_the_windows() -> None:
    delivery = sent([1], [2])
    delivery.defer([1, 2], 0, 0.0)
    assert delivery.may_send()


def test_a_receipt_settles_a_deferred_row_too() -> None:
    delivery = sent([1, 2])
    delivery.defer([1, 2], 0, 0.0)
    delivery.on_receipt([(1, 1)])
    assert delivery.due_resends(DEFER_MS) == [2]


numbers = st.lists(st.integers(1, 12), min_size=1, max_size=4, unique=True)
steps = st.lists(
    st.tuples(st.sampled_from(["send", "answer", "refuse", "receipt", "defer", "unlink", "again"]), numbers),
    max_size=40,
)


class Played:
    """Deliveries driven step by step, with the rows that no receipt has named."""

    def __init__(self, chance: float) -> None:
        self.delivery, self.chance, self.open, self.mid = Delivery(SHORT), chance, set[int](), 0

    def step(self, kind: str, rows: list[int], now: int) -> None:
        if kind == "send":
            self._send(rows, now)
        elif kind == "again":
            self._send(self.delivery.due_resends(now), now)
        elif kind == "receipt":
            self.delivery.on_receipt([(n, n) for n in rows])
            self.open -= set(rows)
        elif kind == "defer":
            self.delivery.defer(sorted(self.open & set(rows)), now, self.chance)
        elif kind == "unlink":
            self.delivery.on_disconnected(now)
        else:
            self.delivery.on_puback(rows[0], now, refused=kind == "refuse")

    def _send(self, rows: list[int], now: int) -> None:
        self.mid += 1
        self.delivery.record_sent(rows, self.mid, now, self.chance)
        self.open |= set(rows)


@given(steps, st.floats(0, 1, exclude_max=True))
def test_every_row_sent_comes_due_again_until_a_receipt_names_it(
    found: list[tuple[str, list[int]]], chance: float
) -> None:
    played = Played(chance)
    for now, (kind, rows) in enumerate(found):
        played.step(kind, rows, now)
    delivery, seen = played.delivery, list[int]()
    delivery.on_disconnected(10**9)
    while rows := delivery.due_resends(10**9):
        seen += rows
        delivery.on_receipt([(n, n) for n in rows])
    assert sorted(seen) == sorted(played.open)
    assert delivery.next_due() is None
