"""After an absence of ours nobody is judged before it is known and folded; whatever fails meanwhile is done later."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window, floor
from telemetry.core.fold.platform_heartbeat import HEARTBEAT_TTL_MS, RECONNECT_GRACE_MS
from telemetry.core.inventory import Device
from telemetry.errors import StoreUnavailable
from telemetry.rollup.live_rows import REFRESH_INTERVAL_MS
from telemetry.rollup.service import CATCH_UP_BUDGET_S
from tests.unit.rollup.test_rollup_calendar import ALWAYS, EVER, START, Place, beats, platform_ms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.store import ChangeRecord

FOLDS_PER_PASS = 8
MANY = 3 * FOLDS_PER_PASS


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        found = Place(Path(folder))
        found.now = START + 2 * HOUR
        yield found
        found.store.close()


def alive(place: Place, count: int = 1) -> None:
    """Let the platform live on: a beat and a pass each minute."""
    for _ in range(count):
        place.platform(place.now)
        place.passes()
        place.now += MINUTE


def two_devices(place: Place) -> None:
    """Declare a second device: two that are silent together leave totals that say so."""
    more = Device("c1-kiosk1", "c1", "kiosk", declared_period=ALWAYS)
    place.world = replace(place.world, devices={**place.world.devices, more.id: more})


def crowd(place: Place) -> None:
    """Declare so many centres that one pass folds only some of them."""
    place.fold_s = CATCH_UP_BUDGET_S / FOLDS_PER_PASS
    one = place.world.centres["c1"]
    more = {f"d{number}": replace(one, id=f"d{number}") for number in range(MANY)}
    place.world = replace(place.world, centres={**place.world.centres, **more})


def test_nobody_is_judged_while_units_wait_to_be_folded_again_after_an_outage_of_ours(place: Place) -> None:
    crowd(place)
    alive(place, 10)
    place.now += HOUR
    place.platform(place.now)
    known = len(place.marks)
    place.now += 15_000
    place.passes()
    assert len(place.marks) == known
    place.passes(MANY // FOLDS_PER_PASS + 2)
    assert len(place.marks) == known + 1


def test_after_a_start_a_beat_is_waited_for_before_anything_is_judged(place: Place) -> None:
    alive(place, 3)
    place.now += HOUR
    place.marks.clear()
    place.start()
    place.passes(3)
    place.now += 30_000
    place.passes()
    assert place.marks == []
    place.platform(place.now)
    place.passes(3)
    assert place.marks == [floor(place.now, 15_000)]


def test_a_platform_that_stays_away_is_judged_when_it_is_believed_no_more(place: Place) -> None:
    alive(place, 3)
    place.now += HOUR
    place.marks.clear()
    place.start()
    place.passes(2)
    place.now += HEARTBEAT_TTL_MS - 1_000
    place.passes()
    assert place.marks == []
    place.now += 16_000
    place.passes()
    assert len(place.marks) == 1


def test_a_store_that_was_away_is_an_absence_too(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    alive(place, 3)
    with monkeypatch.context() as broken:
        broken.setattr(place.store, "changes_since", away)
        place.now += HOUR
        with pytest.raises(StoreUnavailable):
            place.passes()
    place.marks.clear()
    place.passes()
    assert place.marks == []
    alive(place, 2)
    assert place.marks


def away(*_: object) -> Sequence[ChangeRecord]:
    raise StoreUnavailable("away")


def test_a_store_that_fails_while_an_outage_is_folded_loses_no_unit(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    alive(place, 3)
    place.now += HOUR
    place.platform(place.now)
    for name in ("replace_totals", "events"):
        with monkeypatch.context() as broken:
            broken.setattr(place.store, name, away)
            with pytest.raises(StoreUnavailable):
                place.passes()
    place.passes(2)
    assert platform_ms(place) == HOUR + MINUTE - HEARTBEAT_TTL_MS + RECONNECT_GRACE_MS


def test_agents_that_come_back_in_the_next_hour_are_excused_there(place: Place) -> None:
    alive(place, 3)
    place.now = START + 4 * HOUR - MINUTE
    alive(place, 3)
    found = place.store.totals(["c1"], "5m", Window(START + 4 * HOUR, START + 5 * HOUR), "centre")
    assert sum(t.sums["conn_platform_ms"] for t in found) == RECONNECT_GRACE_MS - MINUTE


def test_beats_that_never_stop_are_no_outage_on_any_day(place: Place) -> None:
    place.platform(*range(START, START + 26 * HOUR, MINUTE))
    place.now = START + 26 * HOUR
    place.write(*beats(1, 2))
    place.passes(2)
    assert platform_ms(place) == 0


def test_beats_after_an_outage_tell_of_it_no_more(place: Place) -> None:
    alive(place, 3)
    place.now += HOUR
    alive(place, 2)
    place.taken.clear()
    alive(place, 2)
    assert place.taken == []


# --- clocks and missed hours ------------------------------------------------------------------


def test_changes_are_found_though_our_clock_was_ahead_for_a_while(place: Place) -> None:
    place.write(*beats(0, 1))
    place.passes()
    place.now += HOUR
    place.passes()
    place.now -= HOUR - MINUTE
    late = beats(1, 2)
    place.now -= 30_000
    place.write(*late)
    place.now += HOUR
    place.passes()
    found = place.store.totals(["c1"], "5m", Window(START + HOUR, START + 2 * HOUR), "device")
    assert sum(t.sums["up_ms"] for t in found)


def test_a_clock_that_is_set_far_back_does_not_stop_the_judging_nor_the_live_rows(place: Place) -> None:
    place.write(*beats(0, 2))
    place.passes(2)
    version = max(row.version for row in place.store.live_rows())
    place.now -= 3 * HOUR
    place.passes(2)
    place.now += REFRESH_INTERVAL_MS
    place.passes()
    assert place.marks[-1] == place.now
    assert max(row.version for row in place.store.live_rows() if row.entity == "c1") > version


def test_hours_that_passed_during_an_absence_are_all_folded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    two_devices(place)
    place.passes(2)
    with monkeypatch.context() as broken:
        broken.setattr(place.store, "changes_since", away)
        place.now += 5 * HOUR
        with pytest.raises(StoreUnavailable):
            place.passes()
    place.passes(2)
    starts = {floor(t.start, HOUR) for t in place.store.totals(["c1"], "5m", EVER, "centre")}
    assert set(range(START + 2 * HOUR, START + 7 * HOUR, HOUR)) <= starts


def test_hours_that_passed_while_no_rollup_ran_are_folded_for_a_unit_that_speaks_first(place: Place) -> None:
    two_devices(place)
    place.passes(2)
    place.now += 5 * HOUR
    place.write(*beats(7, 7))
    place.start()
    place.passes(2)
    starts = {floor(t.start, HOUR) for t in place.store.totals(["c1"], "5m", EVER, "centre")}
    assert set(range(START + 3 * HOUR, START + 7 * HOUR, HOUR)) <= starts
