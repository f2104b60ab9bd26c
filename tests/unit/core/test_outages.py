"""Lost time becomes outages and incidents: what joins, what explains what, and which cause is named."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.calendar.open_time import build_open_timeline
from telemetry.core.calendar.windows import HOUR, MINUTE, SLOT, Window
from telemetry.core.figures.outages import (
    MIN_SILENCE_MS,
    LostTime,
    Outage,
    add_lost,
    cause_of,
    is_uniform,
    join_adjacent,
    join_outages,
    lost_time,
    merge_incidents,
    sort_open_first,
    spread_uniform,
)
from telemetry.core.scope import Scope

CENTRE, KIOSK, PORTAL = Scope.centre("c"), Scope.device("c-kiosk1"), Scope.system("portal")
MORNING, AFTERNOON = Window(7 * HOUR, 11 * HOUR), Window(13 * HOUR, 17 * HOUR)
OPEN = build_open_timeline([MORNING, AFTERNOON])


def down(start: int, end: int) -> LostTime:
    return LostTime(Window(start, end), down_ms=end - start)


def silent(start: int, end: int, link: int = 0) -> LostTime:
    return LostTime(Window(start, end), unknown_ms=end - start, link_ms=link)


def outage(scope: Scope, *parts: LostTime, ongoing: bool = False) -> Outage:
    return Outage(scope, Window(parts[0].window.start, parts[-1].window.end), parts, ongoing)


def test_what_is_not_up_down_or_the_platforms_is_unknown() -> None:
    sums = {"up_ms": 60, "down_ms": 20, "platform_ms": 5, "link_ms": 100, "open_up_ms": 1}
    lost = lost_time(Window(0, 100), 100, sums)
    assert lost == LostTime(Window(0, 100), down_ms=20, unknown_ms=15, link_ms=15, platform_ms=5)
    assert (lost.total_ms, lost.is_empty) == (35, False)
    assert lost_time(Window(0, 100), 100, sums, "open_").unknown_ms == 99
    assert lost_time(Window(0, 100), 100, {"up_ms": 130}).is_empty


def test_a_bucket_of_one_state_needs_no_closer_look() -> None:
    assert is_uniform(LostTime(Window(0, 10)), 10)
    assert is_uniform(down(0, 10), 10)
    assert is_uniform(silent(0, 10), 10)
    assert is_uniform(LostTime(Window(0, 10), platform_ms=10), 10)
    assert not is_uniform(LostTime(Window(0, 10), down_ms=4, unknown_ms=6), 10)


def test_a_uniform_bucket_is_spread_over_its_open_windows() -> None:
    windows = [Window(0, 20), Window(40, 60)]
    parts = spread_uniform(LostTime(Window(0, 60), unknown_ms=40, link_ms=20), windows, 40)
    assert parts == [silent(0, 20, link=10), silent(40, 60, link=10)]
    assert spread_uniform(LostTime(Window(0, 60)), windows, 40) == []


def test_a_part_is_cut_in_proportion() -> None:
    part = LostTime(Window(100, 200), down_ms=50, unknown_ms=40, link_ms=20, platform_ms=10)
    assert part.within(Window(150, 400)) == LostTime(Window(150, 200), 25, 20, 10, 5)
    assert part.within(Window(0, 300)) is part
    assert part.within(Window(200, 300)) is None


def test_neighbours_of_one_state_are_joined_and_mixed_ones_are_not() -> None:
    mixed = LostTime(Window(20, 30), down_ms=5)
    parts = [down(0, 10), down(10, 20), mixed, LostTime(Window(30, 40), down_ms=5), silent(40, 50), silent(60, 70)]
    parts += [silent(70, 80, link=10), silent(80, 90, link=10), LostTime(Window(90, 95), platform_ms=5)]
    joined = join_adjacent(parts)
    assert [p.window for p in joined] == [
        Window(0, 20), Window(20, 30), Window(30, 40), Window(40, 50), Window(60, 70), Window(70, 90), Window(90, 95),
    ]  # fmt: skip
    assert add_lost(Window(0, 95), joined) == add_lost(Window(0, 95), parts)
    assert joined[5].link_ms == 20


def test_an_outage_goes_on_over_the_lunch_break_and_ends_with_open_time() -> None:
    parts = [down(10 * HOUR, 11 * HOUR), down(13 * HOUR, 14 * HOUR), down(15 * HOUR, 16 * HOUR)]
    first, second = join_outages(CENTRE, parts, OPEN)
    assert (first.window, first.whole.down_ms) == (Window(10 * HOUR, 14 * HOUR), 2 * HOUR)
    assert (second.window, second.state) == (Window(15 * HOUR, 16 * HOUR), "down")
    assert first.lost_within(Window(13 * HOUR, 17 * HOUR)).down_ms == HOUR
    assert first.lost_within(AFTERNOON).window == AFTERNOON


def test_silence_is_an_incident_from_ten_minutes_on_and_down_time_always_is() -> None:
    short = silent(8 * HOUR, 8 * HOUR + MIN_SILENCE_MS - 1)
    assert join_outages(KIOSK, [short], OPEN) == []
    (long,) = join_outages(KIOSK, [silent(8 * HOUR, 8 * HOUR + MIN_SILENCE_MS)], OPEN)
    assert long.state == "unknown"
    (blip,) = join_outages(KIOSK, [LostTime(Window(8 * HOUR, 8 * HOUR + SLOT), down_ms=1000)], OPEN)
    assert blip.state == "down"


def test_a_platform_outage_ends_nothing_and_is_no_incident() -> None:
    gap = LostTime(Window(9 * HOUR, 10 * HOUR), platform_ms=HOUR)
    (one,) = join_outages(KIOSK, [down(8 * HOUR, 9 * HOUR), gap, down(10 * HOUR, 11 * HOUR)], OPEN)
    assert (one.window, one.whole.total_ms) == (Window(8 * HOUR, 11 * HOUR), 2 * HOUR)
    (alone,) = join_outages(KIOSK, [down(8 * HOUR, 9 * HOUR), gap], OPEN)
    assert alone.window.end == 9 * HOUR
    assert join_outages(KIOSK, [gap], OPEN) == []


def test_a_centres_outage_takes_in_the_devices_that_failed_with_it() -> None:
    own = outage(CENTRE, down(8 * HOUR, 9 * HOUR))
    gateway = outage(Scope.device("c-gateway1"), down(8 * HOUR - SLOT, 9 * HOUR))
    kiosk = outage(KIOSK, down(8 * HOUR, 8 * HOUR + SLOT))
    all_day = outage(Scope.device("c-display1"), down(8 * HOUR, 11 * HOUR))
    incidents = merge_incidents([own], [kiosk, all_day, gateway], Window(0, 24 * HOUR))
    assert [(i.outage.scope, [m.scope for m in i.members]) for i in incidents] == [
        (CENTRE, [gateway.scope, KIOSK]), (all_day.scope, []),
    ]  # fmt: skip
    assert [i.state for i in incidents] == ["down", "down"]


def test_an_incident_is_listed_when_it_lost_time_in_the_window_or_goes_on() -> None:
    ended, going = outage(KIOSK, down(8 * HOUR, 9 * HOUR)), outage(CENTRE, down(8 * HOUR, 9 * HOUR), ongoing=True)
    assert merge_incidents([], [ended], Window(0, 8 * HOUR)) == []
    assert merge_incidents([], [ended], Window(9 * HOUR, 12 * HOUR)) == []
    assert merge_incidents([going], [], Window(0, 8 * HOUR)) == []
    (later,) = merge_incidents([going], [], Window(9 * HOUR, 12 * HOUR))
    assert (later.lost.total_ms, later.ongoing) == (0, True)


@pytest.mark.parametrize(
    ("broken", "members", "cause"),
    [
        (outage(KIOSK, down(0, HOUR)), (), "device"),
        (outage(PORTAL, down(0, HOUR)), (), "probes"),
        (outage(PORTAL, silent(0, HOUR)), (), "silence"),
        (outage(KIOSK, silent(0, HOUR)), (), "silence"),
        (outage(CENTRE, silent(0, HOUR, link=HOUR)), (), "link"),
        (outage(CENTRE, down(0, MINUTE), silent(MINUTE, HOUR, link=59 * MINUTE)), (), "link"),
        (outage(CENTRE, down(0, MINUTE), silent(MINUTE, HOUR, link=MINUTE)), (), "silence"),
        (outage(CENTRE, down(0, MINUTE), silent(MINUTE, HOUR)), (), "device"),
        (outage(CENTRE, silent(0, HOUR)), (outage(KIOSK, down(0, HOUR)),), "device"),
        (outage(CENTRE, silent(0, HOUR)), (outage(KIOSK, silent(0, HOUR)),), "silence"),
    ],
)
def test_the_cause_is_what_lasted_longest(broken: Outage, members: tuple[Outage, ...], cause: str) -> None:
    assert cause_of(broken, members) == cause


def test_incidents_that_go_on_come_first_then_what_was_down_then_the_longest() -> None:
    window = Window(0, 24 * HOUR)
    outages = [
        outage(Scope.device("a"), silent(8 * HOUR, 11 * HOUR)),
        outage(Scope.device("b"), down(8 * HOUR, 9 * HOUR)),
        outage(Scope.device("d"), down(8 * HOUR, 10 * HOUR)),
        outage(Scope.device("e"), silent(8 * HOUR, 9 * HOUR), ongoing=True),
    ]
    incidents = sort_open_first(merge_incidents([], outages, window))
    assert [i.outage.scope.id for i in incidents] == ["e", "d", "b", "a"]


slots = st.lists(st.sampled_from(["up", "down", "silent", "mixed", "platform"]), min_size=1, max_size=48)


@settings(deadline=None, max_examples=80)
@given(slots)
def test_outages_lose_nothing_of_the_time_down_and_never_contain_a_slot_that_was_up(states: list[str]) -> None:
    timeline = build_open_timeline([Window(0, len(states) * SLOT)])
    amounts = {
        "up": {"up_ms": SLOT}, "down": {"down_ms": SLOT}, "silent": {}, "mixed": {"up_ms": MINUTE, "down_ms": MINUTE},
        "platform": {"platform_ms": SLOT},
    }  # fmt: skip
    parts = [lost_time(Window(i * SLOT, (i + 1) * SLOT), SLOT, amounts[state]) for i, state in enumerate(states)]
    outages = join_outages(KIOSK, join_adjacent([p for p in parts if not p.is_empty]), timeline)
    assert sum(o.whole.down_ms for o in outages) == sum(p.down_ms for p in parts)
    for one in outages:
        inside = states[one.window.start // SLOT : one.window.end // SLOT]
        assert "up" not in inside
        assert inside[0] != "platform" != inside[-1]
