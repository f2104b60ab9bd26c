"""Every store gives the same forecast from the same totals, and gives it back as it was written."""

from __future__ import annotations

import random
from datetime import date, time, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.windows import HOUR, Window, day_window, local_ms
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre, Inventory
from telemetry.core.queueing.forecast_rows import FORECAST_ROW_PREFIX, decode_forecast
from telemetry.queries.snapshot import SnapshotCache
from telemetry.rollup.fold_faults import FoldFaults
from telemetry.rollup.forecasts import ForecastJob
from tests.contract.conftest import OPENERS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST, DAYS = date(2026, 10, 5), 21
SERVICES = tuple(f"service{n}" for n in range(12))
HALL = Centre(
    "vn83-hall", "u", "province", "H", "H", "vn83", "", 24, (((time(7), time(17)),),) * 7, SERVICES, ZONE
)  # fmt: skip
WORLD = Inventory(
    version="v", province="vn83", name_vi="T", name_en="T", zone=ZONE, units=MappingProxyType({}),
    centres=MappingProxyType({HALL.id: HALL}), devices=MappingProxyType({}), services=MappingProxyType({}),
    systems=MappingProxyType({}),
)  # fmt: skip


@pytest.fixture(scope="module")
def stores(request: pytest.FixtureRequest) -> Iterator[list[Store]]:
    opened = [OPENERS[name](request)() for name in sorted(OPENERS)]
    yield opened
    for store in opened:
        store.close()


def fill(store: Store) -> None:
    rng = random.Random(11)
    for day in (FIRST + timedelta(days=n) for n in range(DAYS)):
        rows = [
            Total(
                HALL.id, f"desk:{HALL.id}:{service}", "5m", local_ms(day, time(hour), ZONE), "vn83",
                {"issued": (n := rng.randint(1, 9)), "called": n, "wait_sum_ms": n * 60_000},
            )
            for service in SERVICES
            for hour in range(7, 17)
        ]  # fmt: skip
        window = day_window(day, ZONE)
        store.replace_totals(HALL.id, "5m", window, rows)
        whole = Total(HALL.id, rows[0].scope, "1d", window.start, "vn83", {"issued": 1})
        store.replace_totals(HALL.id, "1d", window, [whole])


def test_stores_forecast_the_same_and_give_it_back_to_readers(stores: list[Store]) -> None:
    at = day_window(FIRST + timedelta(days=DAYS), ZONE).start + 2 * HOUR
    bodies = []
    for store in stores:
        fill(store)
        rows = ForecastJob(store, lambda: WORLD, FoldFaults(store, lambda: at)).rows_of(HALL, at)
        store.put_live_rows(rows)
        bodies.append(rows[f"{FORECAST_ROW_PREFIX}{HALL.id}"])
        assert SnapshotCache(store, lambda: at).get().forecasts[HALL.id] == decode_forecast(bodies[-1])
    assert len(set(bodies)) == 1
    assert 10_000 < len(bodies[0]) < 64_000, "a field of InfluxDB has 64 kB"
    assert len(decode_forecast(bodies[0]).days[0].services) == len(SERVICES)
    assert stores[0].totals([HALL.id], "5m", Window(0, at), "desk")
