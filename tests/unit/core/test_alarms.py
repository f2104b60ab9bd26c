"""Alarms fire once, resolve on the long window, then keep quiet; parents speak for their children."""

from __future__ import annotations

import pytest
from hypothesis import given, settings, strategies as st

from telemetry.core.slo.alert_grouping import topmost_firing
from telemetry.core.slo.burn_rate import (
    NO_ALARMS,
    OPEN_CLOCK_RULES,
    AlarmState,
    AlarmStates,
    AlarmTransition,
    BurnRate,
    advance,
)

calm = settings(deadline=None)

FAST, SLOW = OPEN_CLOCK_RULES[:2]


def reading(
    long: float | None, *, short: float | None = 9.0, long_from: int | None = 0, armed: bool = True
) -> BurnRate:
    exceeded = armed and (long or 0) > 8.3 and (short or 0) > 8.3
    return BurnRate(FAST, 8.3, long, short, long_from, armed, exceeded)


def names(changes: list[AlarmTransition]) -> list[str]:
    return [c.kind for c in changes]


def fired(at: int = 100) -> AlarmStates:
    return advance(NO_ALARMS, [reading(20)], at)[0]


def test_an_exceeded_rule_fires_once() -> None:
    alarms, changes = advance(NO_ALARMS, [reading(20)], 100)
    assert changes == [AlarmTransition("page-fast", "page", "fired", 100, 100)]
    assert alarms == {"page-fast": AlarmState("page", is_firing=True, fired_at=100)}
    assert advance(alarms, [reading(20)], 115) == (alarms, [])


def test_what_never_fired_leaves_no_trace() -> None:
    assert advance(NO_ALARMS, [reading(1), reading(None)], 100) == (NO_ALARMS, [])


def test_it_resolves_on_the_long_window_whatever_the_short_one_says() -> None:
    alarms = fired()
    held, changes = advance(alarms, [reading(9, short=0.0)], 200)
    assert (held, changes) == (alarms, [])
    rested, changes = advance(alarms, [reading(8.3)], 300)
    assert changes == [AlarmTransition("page-fast", "page", "resolved", 300, 100)]
    assert rested["page-fast"] == AlarmState("page", fired_at=100, resolved_at=300)


def test_without_a_reading_it_stays_as_it_is() -> None:
    alarms = fired()
    assert advance(alarms, [reading(None, short=None)], 200) == (alarms, [])


def test_after_it_resolved_it_keeps_quiet_for_one_long_window() -> None:
    rested = advance(fired(), [reading(0)], 300)[0]
    assert advance(rested, [reading(20, long_from=299)], 400) == (rested, [])
    assert advance(rested, [reading(20, long_from=None)], 400) == (rested, [])
    again, changes = advance(rested, [reading(20, long_from=300)], 500)
    assert names(changes) == ["fired"]
    assert again["page-fast"] == AlarmState("page", is_firing=True, fired_at=500)


def test_an_alarm_whose_rule_is_gone_is_resolved_and_forgotten() -> None:
    assert advance(fired(), [], 200) == (NO_ALARMS, [AlarmTransition("page-fast", "page", "resolved", 200, 100)])
    rested = advance(fired(), [reading(0)], 300)[0]
    assert advance(rested, [], 400) == (NO_ALARMS, [])


def test_rules_are_followed_apart() -> None:
    both = [reading(20), BurnRate(SLOW, 4.15, 3.0, 9.0, 0, has_full_history=True, is_exceeded=False)]
    alarms, changes = advance(NO_ALARMS, both, 100)
    assert (set(alarms), [c.rule for c in changes]) == ({"page-fast"}, ["page-fast"])


readings = st.builds(
    reading, st.one_of(st.none(), st.floats(0, 20)), short=st.floats(0, 20), long_from=st.integers(0, 50)
)


@calm
@given(st.lists(readings, max_size=30))
def test_fired_and_resolved_alternate(found: list[BurnRate]) -> None:
    alarms, seen = NO_ALARMS, []
    for now, one in enumerate(found):
        alarms, changes = advance(alarms, [one], now)
        seen += names(changes)
    assert seen == ["fired", "resolved"] * (len(seen) // 2) + ["fired"] * (len(seen) % 2)


def test_seven_hundred_devices_behind_one_dead_link_are_one_alert() -> None:
    devices = [f"device:{n}" for n in range(700)]
    parents = dict.fromkeys(devices, "centre:a") | {"centre:a": "link:a"}
    assert topmost_firing(["link:a", "centre:a", *devices], parents) == {"link:a": sorted(["centre:a", *devices])}
    assert topmost_firing(["link:a", *devices], parents) == {"link:a": sorted(devices)}


def test_children_of_a_sound_parent_speak_for_themselves() -> None:
    assert topmost_firing(["device:2", "device:1"], {"device:1": "centre:a"}) == {"device:1": [], "device:2": []}


def test_a_ring_of_parents_is_refused() -> None:
    with pytest.raises(ValueError, match="a is its own ancestor"):
        topmost_firing(["a"], {"a": "b", "b": "a"})
