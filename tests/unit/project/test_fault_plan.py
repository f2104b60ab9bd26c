"""The fault matrix's plans: the same from the same seed, every fault in turn, no two faults on one part."""

from __future__ import annotations

from collections import Counter
from typing import get_args

import pytest

from telemetry.core.calendar.windows import HOUR
from telemetry.core.protocol import codec, events as ev
from tests.flow.faults.plan import (
    DEVICES,
    PRODUCING_MS,
    SMALL,
    STRIDE_MS,
    WORKERS,
    Kind,
    Plan,
    deck,
    first_start,
    plan,
    touched,
)

START = first_start(1_790_000_000_000, 300)


def rounds(count: int, seed: int = 1) -> list[Plan]:
    return [plan(seed, number, START + number * STRIDE_MS) for number in range(count)]


def test_a_round_is_the_same_from_the_same_seed_and_another_from_another() -> None:
    assert rounds(20) == rounds(20)
    assert rounds(20) != rounds(20, seed=2)


def test_a_round_does_not_depend_on_the_rounds_before_it() -> None:
    assert plan(1, 17, START + 17 * STRIDE_MS) == rounds(20)[17]


@pytest.mark.parametrize("seed", range(5))
def test_one_deck_of_rounds_meets_every_fault_and_thirty_hold_a_deck(seed: int) -> None:
    cards = deck()
    assert len(cards) <= 30
    met = {(f.kind, f.target, f.how) for p in rounds(len(cards), seed) for f in p.faults}
    assert met == set(cards)
    assert {kind for kind, _, _ in cards} == set(get_args(Kind))


def test_each_worker_agent_and_server_is_killed() -> None:
    killed = {target for kind, target, _ in deck() if kind.startswith("kill")}
    assert killed == {*DEVICES, *(f"ingest-{worker}" for worker in WORKERS), "rollup", "broker", "store"}


def test_links_are_cut_in_every_way() -> None:
    assert {how for kind, _, how in deck() if kind == "cut"} == {0, 1, 2}


@pytest.mark.parametrize("absent", [{"kill_store", "token_revoked"}, {"disk_full"}, {"acl_refuses", "lost_receipts"}])
def test_what_cannot_be_had_is_never_planned(absent: set[Kind]) -> None:
    planned = [plan(1, n, START, absent) for n in range(60)]
    faults = [fault for one in planned for fault in one.faults]
    assert all(planned[n].faults for n in range(60))
    assert not absent & {fault.kind for fault in faults}
    if "kill_store" in absent:
        assert not any(fault.target.startswith("store") for fault in faults)


def test_two_faults_of_a_round_never_disturb_one_part() -> None:
    for one in rounds(300):
        assert max(Counter(fault.part for fault in one.faults).values()) == 1
        assert 1 <= len(one.faults) <= 3


def test_some_faults_outlast_a_keep_alive() -> None:
    long = [f for p in rounds(300) for f in p.faults if f.for_ms >= 5_000]
    assert 15 < len(long) < 90


def test_only_the_small_disk_is_filled() -> None:
    assert {f.target for p in rounds(300) for f in p.faults if f.kind == "disk_full"} == {SMALL}


def test_a_round_produces_some_hundred_events_while_the_faults_last() -> None:
    sizes = [one.size for one in rounds(100)]
    assert 100 < min(sizes) <= max(sizes) < 600
    for one in rounds(100):
        assert all(0 <= part.at_ms < PRODUCING_MS for part in one.parts)
        assert all(fault.at_ms < PRODUCING_MS for fault in one.faults)


def test_posts_have_keys_of_their_own_and_some_are_repeated() -> None:
    posts = [post for one in rounds(50) for post in one.posts]
    assert len({post.key for post in posts}) == len(posts)
    assert any(post.hangs_up for post in posts)


def test_only_a_stepped_kiosk_stamps_its_events_itself() -> None:
    for one in rounds(100):
        stepped = {fault.target for fault in one.faults if fault.kind == "clock_step"}
        assert {post.device for post in one.posts if post.now} == stepped


def test_files_are_rotated_at_most_once_a_round_and_lines_are_torn() -> None:
    """Of several rotations while an agent is down the tail promises only the file it was in and the newest."""
    planned = rounds(100)
    assert max(sum(part.rotate for part in one.lines) for one in planned) == 1
    assert any(part.torn for one in planned for part in one.lines)


def test_events_lie_in_the_time_a_round_may_touch_and_in_earlier_rounds_too() -> None:
    late = 0
    for number, one in enumerate(rounds(50)):
        start = START + number * STRIDE_MS
        times = [e.t for p in one.parts for e in p.events if not getattr(p, "now", False)]
        window = touched(start)
        assert all(window.start <= t < window.end for t in times)
        late += sum(t < start - HOUR for t in times)
    assert late > 100


def test_every_event_is_one_that_ingest_takes_and_no_two_are_alike() -> None:
    events = [e for one in rounds(20) for p in one.parts for e in p.events]
    bodies = [codec.encode_event(event) for event in events]
    assert len(set(bodies)) == len(bodies)
    for at in range(0, len(bodies), 100):
        frame = codec.encode_frame("spool", "boot", 0, bodies[at : at + 100])
        decoded = codec.decode_frame(frame, codec.CONTENT_TYPE, 1 << 53)
        assert len(decoded.events) == len(bodies[at : at + 100])
    assert {type(event) for event in events} >= {ev.TicketIssued, ev.TicketFinished, ev.PaymentResult}
