"""Every passed hour of every declared unit is folded, whatever else happens in the pass that notices the new hour."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.windows import HOUR, MINUTE, Window, floor, intersection, total_length
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.platform_heartbeat import HEARTBEAT_TTL_MS, RECONNECT_GRACE_MS
from telemetry.core.inventory import DeclaredPeriod, Device
from telemetry.core.protocol import events as ev
from telemetry.rollup.fold_job import FoldJob
from telemetry.rollup.service import CATCH_UP_BUDGET_S
from telemetry.store import Batch, ChangeRecord, StoredEvent
from tests.property_sizes import sized
from tests.unit.rollup.test_rollup_calendar import ALWAYS, START, Place

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.fold.totals import Total

NINE = START + 9 * HOUR
UNITS = ("c1", "vn83-portal")


def quiet_site(place: Place, since: int) -> None:
    """Declare a second device, and let the rollup run from 07:30 to `since` with both silent since 05:00."""
    second = Device("c1-kiosk1", "c1", "kiosk", declared_period=ALWAYS)
    place.world = replace(place.world, devices={**place.world.devices, second.id: second})
    place.write(ev.DeviceContact(n=1_000_001, t=NINE - 4 * HOUR))
    for place.now in (NINE - 90 * MINUTE, NINE - HOUR + 1_000, since):
        place.passes(2)


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        created = Place(Path(folder))
        yield created
        created.store.close()


def folded_hours(place: Place, window: Window) -> Counter[int]:
    """Return how many five-minute totals of the centre each hour of the window has."""
    return Counter(floor(t.start, HOUR) for t in place.store.totals(["c1"], "5m", window, "centre"))


@pytest.mark.parametrize("after_ms", [0, 1, 400, 5_400, 59 * MINUTE])
def test_an_hour_of_silence_is_folded_when_the_site_is_heard_in_the_pass_that_notices_it(
    place: Place, after_ms: int
) -> None:
    quiet_site(place, NINE - MINUTE)
    place.now = NINE + after_ms
    place.write(ev.DeviceHeartbeat(n=1, t=place.now))
    place.passes()
    totals = place.store.totals(["c1"], "5m", Window(NINE - HOUR, NINE), "device")
    by_device = Counter[str]()
    for total in totals:
        by_device[total.scope] += total.sums["link_ms"]
    assert by_device == {"device:c1-gateway1": HOUR, "device:c1-kiosk1": HOUR}


def test_a_clock_that_is_ahead_of_ours_at_the_hour_hides_no_hour(place: Place) -> None:
    quiet_site(place, NINE - MINUTE)
    place.now = NINE - 500
    place.write(ev.DeviceHeartbeat(n=1, t=NINE + 2_000))
    place.passes()
    place.now = NINE + 1_000
    place.passes()
    assert folded_hours(place, Window(NINE - HOUR, NINE)) == {NINE - HOUR: 12}


def test_hours_of_an_absence_are_folded_though_a_later_one_came_with_an_event(place: Place) -> None:
    quiet_site(place, NINE - MINUTE)
    place.now = NINE + 4 * HOUR + 100
    place.write(ev.DeviceHeartbeat(n=1, t=place.now))
    place.passes()
    window = Window(NINE - HOUR, NINE + 4 * HOUR)
    assert folded_hours(place, window) == dict.fromkeys(range(window.start, window.end, HOUR), 12)


def test_an_hour_with_events_is_not_folded_again_when_it_has_passed(place: Place) -> None:
    quiet_site(place, NINE - 20 * MINUTE)
    place.write(ev.DeviceHeartbeat(n=1, t=place.now, every_ms=60_000))
    place.passes()
    place.taken.clear()
    place.now = NINE + 100
    place.passes()
    assert [taken for taken in place.taken if taken[1] == "5m"] == [("vn83-portal", "5m")]


steps = st.lists(
    st.tuples(
        st.one_of(st.integers(1, 90 * MINUTE), st.sampled_from([1, 400, 1_000, HOUR - 400, HOUR, HOUR + 1])),
        st.sampled_from(["silence", "heartbeat", "probe", "late", "restart"]),
    ),
    min_size=1,
    max_size=8,
)


@given(steps=steps)
@sized(20, 300)
def test_every_passed_hour_is_folded_at_any_pass_times(steps: list[tuple[int, str]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        quiet_site(place, NINE - MINUTE)
        for number, (elapsed, happening) in enumerate(steps):
            place.now += elapsed
            if happening == "restart":
                place.start()
            elif happening == "probe":
                probe = ev.ProbeResult(n=2 * number + 1, t=place.now, system="vn83-portal", kind="http", ok=True)
                place.write(probe)
            elif happening != "silence":
                at = place.now - (3 * HOUR if happening == "late" else 0)
                place.write(ev.DeviceHeartbeat(n=2 * number + 2, t=at))
            place.passes()
        passed = Window(NINE - HOUR, floor(place.now, HOUR))
        assert folded_hours(place, passed) == dict.fromkeys(range(passed.start, passed.end, HOUR), 12)
        before = [place.totals(unit) for unit in UNITS]
        for unit in UNITS:
            place.rollup.fold(unit, passed)
        assert [place.totals(unit) for unit in UNITS] == before
        place.store.close()


OUTAGE = Window(NINE - 3 * HOUR + 10 * MINUTE, NINE - 2 * HOUR + 20 * MINUTE)
"""When the platform was down, before the unit is declared."""


@given(
    passes=st.lists(st.one_of(st.integers(1, 90 * MINUTE), st.sampled_from([1, HOUR - 400, HOUR])), max_size=4),
    declared_in_pass=st.integers(0, 3),
    hours_before=st.integers(-1, 6),
    is_heard=st.booleans(),
    restarts=st.booleans(),
)
@sized(10, 200)
def test_every_passed_hour_of_a_unit_that_is_declared_while_rollup_runs_is_folded(
    passes: list[int], declared_in_pass: int, hours_before: int, is_heard: bool, restarts: bool
) -> None:
    """It is declared with a day `hours_before` hours before 09:00; the platform had an outage from 06:10 to 07:20."""
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        place.now = NINE - 5 * HOUR
        lived = [t for t in range(place.now, NINE - MINUTE, MINUTE) if not OUTAGE.start < t < OUTAGE.end]
        place.platform(*lived)
        for place.now in (NINE - 2 * HOUR, NINE - MINUTE):
            place.passes(2)
        period = DeclaredPeriod(NINE - hours_before * HOUR)
        new = replace(place.world.centres["c1"], id="c2", declared_period=period)
        devices = {d: Device(d, "c2", "counter", declared_period=period) for d in ("c2-counter1", "c2-counter2")}
        for number, elapsed in enumerate([0, *passes, HOUR]):
            place.now += elapsed
            if number == min(declared_in_pass, len(passes)):
                world = place.world
                centres = {**world.centres, "c2": new}
                place.world = replace(world, centres=centres, devices={**world.devices, **devices})
            if restarts:
                place.start()
            if is_heard and number == len(passes):
                heard = ev.DeviceHeartbeat(n=1, t=place.now)
                stored = [StoredEvent("c2", "c2-counter1", "01T", heard)]
                changes = [ChangeRecord(*hours) for hours in dirty_hours([("c2", heard)])]
                place.store.append(Batch(place.now * 1000, stored, changes))
            place.passes(2)
        passed = Window(floor(NINE - 5 * HOUR, HOUR), floor(place.now, HOUR))
        before = passed_totals(place, passed)
        place.rollup.fold("c2", passed)
        assert passed_totals(place, passed) == before
        lost = sum(t.sums["platform_ms"] for t in before if t.scope == "device:c2-counter2")
        served = Window(min(NINE - hours_before * HOUR, passed.end), passed.end)
        outages = place.rollup._outages.outages_within(passed)
        assert total_length(outages) == OUTAGE.length - HEARTBEAT_TTL_MS + RECONNECT_GRACE_MS
        assert lost == total_length(intersection(outages, [served]))
        place.store.close()


def passed_totals(place: Place, passed: Window) -> list[Total]:
    return place.store.totals(["c2"], "5m", passed)


# --- objectives are judged after the folds ------------------------------------------------------


def test_objectives_are_judged_after_all_folds_of_the_pass(place: Place) -> None:
    quiet_site(place, NINE - 20 * MINUTE)
    place.now += MINUTE
    place.taken.clear()
    place.taken_when_judged.clear()
    place.write(ev.DeviceHeartbeat(n=1, t=place.now))
    place.write(ev.ProbeResult(n=2, t=place.now, system="vn83-portal", kind="http", ok=True))
    place.passes()
    assert {entity for entity, _ in place.taken} == set(UNITS)
    assert place.taken_when_judged == [place.taken]
    assert place.unfolded == set()


def test_units_that_wait_after_the_new_hour_are_named_to_the_judge(place: Place) -> None:
    centre = place.world.centres["c1"]
    more = {f"d{number}": replace(centre, id=f"d{number}") for number in range(8)}
    place.world = replace(place.world, centres={**place.world.centres, **more})
    quiet_site(place, NINE - MINUTE)
    place.now, place.fold_s = NINE, CATCH_UP_BUDGET_S / 8
    place.passes()
    assert place.unfolded == {"d7", "vn83-portal"}
    place.now += 15_000
    place.passes()
    assert place.unfolded == set()


def test_a_pass_folds_as_many_units_as_it_has_time_for(place: Place) -> None:
    centre = place.world.centres["c1"]
    more = {f"d{number}": replace(centre, id=f"d{number}") for number in range(40)}
    place.world = replace(place.world, centres={**place.world.centres, **more})
    quiet_site(place, NINE - MINUTE)
    place.now, place.fold_s = NINE, CATCH_UP_BUDGET_S / 64
    place.passes()
    assert not place.rollup._progress.has_queued()


def test_a_unit_that_is_set_aside_is_named_to_the_judge_until_it_is_folded(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet_site(place, NINE - 20 * MINUTE)
    fold, faulty = FoldJob.fold, {"c1"}

    def fold_unless_faulty(job: FoldJob, entity: str, window: Window) -> None:
        if entity in faulty:
            raise ValueError(entity)
        fold(job, entity, window)

    monkeypatch.setattr(FoldJob, "fold", fold_unless_faulty)
    place.now += MINUTE
    place.write(ev.DeviceHeartbeat(n=1, t=place.now))
    place.passes()
    assert "c1" in place.unfolded
    assert "vn83-portal" not in place.unfolded
    faulty.clear()
    place.now += 10 * MINUTE
    place.passes()
    assert place.unfolded == set()
