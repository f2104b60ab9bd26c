"""Rollup makes each centre's forecast once a night from stored totals, and an imported log's when it is quiet."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, day_window, local_ms
from telemetry.core.fold.totals import Total, add_sums
from telemetry.core.inventory import Centre, Inventory
from telemetry.core.queueing.forecast_rows import FORECAST_ROW_PREFIX, CentreForecast, decode_forecast
from telemetry.queries.snapshot import SnapshotCache
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import QUIET_MS, ForecastJob
from telemetry.rollup.service import Rollup
from telemetry.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST = date(2026, 10, 5)
DAYS = 21
TODAY = FIRST + timedelta(days=DAYS)
AT = local_ms(TODAY, time(1, 30), ZONE)


def hall(ident: str, *, imported: bool = False) -> Centre:
    hours = ALWAYS_OPEN if imported else ((((time(7), time(11))),),) * 5 + ((), ())
    return Centre(ident, "u", "commune", ident, ident, "vn83", "", 2, hours, ("land",), ZONE, imported=imported)


def world(*centres: Centre) -> Inventory:
    return Inventory(
        version="v", province="vn83", name_vi="T", name_en="T", zone=ZONE, units=MappingProxyType({}),
        centres=MappingProxyType({c.id: c for c in centres}), devices=MappingProxyType({}),
        services=MappingProxyType({}), systems=MappingProxyType({}),
    )  # fmt: skip


class Night:
    """A store with three weeks of totals of some centres, and the job that forecasts them."""

    def __init__(self, path: Path, *centres: Centre) -> None:
        self.store, self.now, self.world = SqliteStore(path), AT, world(*centres)
        for centre in centres:
            self.fill(centre)
        self.faults = FoldFaults(self.store, lambda: self.now)
        self.job = self.restarted()

    def restarted(self) -> ForecastJob:
        return ForecastJob(self.store, lambda: self.world, self.faults, stopwatch=lambda: 0.0)

    def fill(self, centre: Centre, days: int = DAYS) -> None:
        rows = []
        for day in (FIRST + timedelta(days=n) for n in range(days)):
            if centre.imported or day.weekday() < 5:
                rows += [
                    Total(
                        centre.id,
                        f"desk:{centre.id}:land",
                        "5m",
                        local_ms(day, time(hour), ZONE),
                        "vn83",
                        {"issued": 9},
                    )
                    for hour in range(7, 11)
                ]
        window = Window(0, AT + 10 * DAY)
        self.store.replace_totals(centre.id, "5m", window, rows)
        by_day: dict[int, list[dict[str, int]]] = {}
        for row in rows:
            start = day_window(datetime.fromtimestamp(row.start / 1000, ZONE).date(), ZONE).start
            by_day.setdefault(start, []).append(dict(row.sums))
        days_rows = [
            Total(centre.id, f"desk:{centre.id}:land", "1d", start, "vn83", add_sums(sums))
            for start, sums in by_day.items()
        ]
        self.store.replace_totals(centre.id, "1d", window, days_rows)

    def run(self) -> list[str]:
        """Return the centres that a pass forecast, and write their rows."""
        rows = self.job.due_rows(self.now)
        if rows:
            self.store.put_live_rows(rows)
        return [name.removeprefix(FORECAST_ROW_PREFIX) for name in rows]

    def stored(self, centre: str) -> CentreForecast:
        rows = {row.entity: row.body for row in self.store.live_rows()}
        return decode_forecast(rows[f"{FORECAST_ROW_PREFIX}{centre}"])


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    made = Night(tmp_path / "store.db", hall("a"), hall("b"))
    yield made
    made.store.close()


def test_every_centre_is_forecast_once_a_night_after_one_o_clock(night: Night) -> None:
    assert night.run() == ["a", "b"]
    assert night.run() == []
    night.now = AT + 23 * HOUR
    assert night.run() == [], "half past midnight"
    night.now = AT + DAY
    assert night.run() == ["a", "b"]
    assert night.stored("a").origin == TODAY + timedelta(days=1)


def test_a_restart_makes_no_forecast_again_and_remembers_the_model(night: Night) -> None:
    night.run()
    night.store.put_live_rows({
        "forecast:a": msgspec.json.encode(msgspec.structs.replace(night.stored("a"), model="same_slot_mean"))
    })  # fmt: skip
    night.job = night.restarted()
    assert night.run() == []
    night.now += DAY
    night.run()
    assert night.stored("a").model == "same_slot_mean", "the champion stays: the other does not win on even days"


def test_a_forecast_is_made_of_the_days_before_alone(night: Night) -> None:
    night.now = AT - 7 * DAY
    night.run()
    made = night.stored("a")
    assert (made.origin, made.history_days) == (TODAY - timedelta(days=7), 10)
    assert sum(made.days[0].expected) == pytest.approx(36, rel=0.01)


def test_without_a_ticket_there_is_no_forecast_and_the_next_night_looks_again(tmp_path: Path) -> None:
    night = Night(tmp_path / "store.db", hall("a"))
    night.store.replace_totals("a", "1d", Window(0, AT), ())
    assert night.run() == []
    night.fill(night.world.centres["a"])
    assert night.run() == [], "once a night"
    night.now += DAY
    assert night.run() == ["a"]
    night.store.close()


def test_tickets_of_today_alone_are_no_history(tmp_path: Path) -> None:
    night = Night(tmp_path / "store.db", hall("a"))
    night.now = local_ms(FIRST, time(12), ZONE)
    assert night.run() == []
    night.store.close()


def test_an_imported_log_is_forecast_from_its_last_day_on_when_nothing_of_it_is_folded_any_more(tmp_path: Path) -> None:
    night = Night(tmp_path / "store.db", hall("log", imported=True))
    night.now = AT + 10_000 * DAY
    night.job.note_folded(["log"], night.now)
    assert night.run() == []
    night.now += QUIET_MS
    assert night.run() == ["log"]
    assert (night.stored("log").origin, night.stored("log").history_days) == (TODAY, DAYS)
    night.now += DAY
    assert night.run() == [], "its past does not change by itself"
    night.job = night.restarted()
    assert night.run() == []
    night.job.note_folded(["log", "vn83-portal"], night.now)
    night.now += QUIET_MS
    assert night.run() == ["log"]
    night.store.close()


def test_a_pass_makes_as_many_forecasts_as_it_has_time_for(night: Night) -> None:
    seconds = iter(range(100))
    night.job = ForecastJob(night.store, lambda: night.world, night.faults, stopwatch=lambda: float(next(seconds)))
    assert [night.run(), night.run(), night.run()] == [["a"], ["b"], []]


def test_a_forecast_that_cannot_be_made_is_set_aside_and_nobody_else_waits(night: Night) -> None:
    broken = replace(night.world.centres["a"], services=None)  # type: ignore[arg-type]
    night.world = world(broken, night.world.centres["b"])
    assert night.run() == ["b"]
    assert night.faults.set_aside() == ["forecast:a"]
    assert night.run() == [], "not before the next night"


def test_a_stored_forecast_that_cannot_be_read_is_set_aside_and_made_again(night: Night) -> None:
    night.store.put_live_rows({"forecast:a": b'{"centre":"a","at":-1}'})
    assert night.run() == ["a", "b"]
    assert night.faults.set_aside() == ["forecast:a"]


def test_readers_have_the_forecasts_and_leave_out_one_that_cannot_be_read(night: Night) -> None:
    night.run()
    cache = SnapshotCache(night.store, lambda: night.now)
    assert set(cache.get().forecasts) == {"a", "b"}
    night.store.put_live_rows({"forecast:a": b"{}"})
    night.now += MINUTE
    assert cache.get().unreadable.keys() == {"forecast:a"}
    assert cache.get().forecasts["b"] == night.stored("b")


def test_a_small_centre_borrows_the_profile_of_the_others_of_its_level(night: Night) -> None:
    night.run()
    few = [
        Total(
            "b",
            "desk:b:land",
            "5m",
            local_ms(FIRST + timedelta(days=n), time(7 + n * 5 % 3), ZONE),
            "vn83",
            {"issued": 1},
        )
        for n in range(DAYS)
    ]
    night.store.replace_totals("b", "5m", Window(0, AT + 10 * DAY), few)
    night.now += DAY
    night.run()
    day = night.stored("b").days[0]
    assert sum(day.expected) == pytest.approx(1.0, abs=0.1)
    assert day.expected[20 - day.first] > 0.2, "ten o'clock, when the other one is busy"


def test_rollup_writes_forecasts_beside_its_other_rows(night: Night) -> None:
    rollup = Rollup(night.store, lambda: night.world, lambda: night.now, stopwatch=lambda: 0.0)
    rollup.run_once()
    assert {row.entity for row in night.store.live_rows()} >= {"a", "b", "forecast:a", "forecast:b"}
