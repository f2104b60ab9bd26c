"""Percentiles out of every store: within the error of the exact ones, for a real queue's log and for hard durations."""

from __future__ import annotations

import csv
import itertools
import json
from collections import defaultdict
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given

from telemetry.core.calendar.windows import DAY, HOUR, SLOT, Window
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold import aggregation, fold
from telemetry.core.fold.histogram_buckets import HISTOGRAM_BOUNDS_S, RELATIVE_ERROR, histogram_of
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.fold.totals import QUEUE_FIELDS, Total, encode_sums
from telemetry.core.inventory import ALWAYS_OPEN, Centre
from telemetry.core.protocol import events as ev
from telemetry.queries.buckets import bucket_query
from telemetry.queries.queues import queue_history_rows
from tests.contract.conftest import OPENERS
from tests.durations import SHARES, many_durations, nearest_rank
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.store import Store

T = 917_820_000_000
"""1999-01-31T22:00:00Z, midnight in the bank."""
ZONE = ZoneInfo("Asia/Jerusalem")
LENGTH = 16 * DAY
STORED_BYTES = 400
"""The most that a total of 200 waits may take in a store."""
_units = itertools.count(1)


@pytest.fixture(scope="module")
def stores(request: pytest.FixtureRequest) -> Iterator[list[Store]]:
    """One store of each kind; each example has a centre of its own."""
    opened = [OPENERS[name](request)() for name in sorted(OPENERS)]
    yield opened
    for store in opened:
        store.close()


@pytest.fixture(scope="module")
def bank_log(data_dir: Path) -> list[dict[str, str]]:
    """The answered calls of the bank's log; it has waits and service times as whole seconds."""
    path = data_dir / "queue/bank-1999-02-first-half.tsv"
    with path.open(encoding="utf-8") as text:
        return [row for row in csv.DictReader(text, delimiter="\t") if row["outcome"] == "AGENT"]


def call_events(number: int, row: dict[str, str]) -> list[SourcedEvent]:
    hour, minute, second = map(int, row["vru_exit"].split(":"))
    entered = T + (int(row["date"]) - 990201) * DAY + (hour * 60 + minute) * 60_000 + second * 1000
    called, service = entered + int(row["q_time"]) * 1000, row["type"].lower()
    names = {"ticket": f"k{number}", "queue": service, "service": service, "counter": "c1"}
    told = ev.TicketCalled(n=2 * number, t=called, entered=entered, call=1, **names)
    done = ev.TicketFinished(
        n=2 * number + 1, t=called + int(row["ser_time"]) * 1000, entered=entered, called=called, outcome="done",
        quality="ok", held_ms=0, **names,  # type: ignore[arg-type]
    )  # fmt: skip
    return [SourcedEvent("device", "01S", told), SourcedEvent("device", "01S", done)]


def put_history(store: Store, centre: Centre, events: list[SourcedEvent]) -> None:
    """Fold events local day by day and store the totals of every width."""
    for start in range(T, T + LENGTH, DAY):
        day = Window(start, start + DAY)
        of_day = [s for s in events if day.start - 2 * HOUR <= s.event.t < day.end]
        totals = fold.fold_centre(centre, [], of_day, day)
        store.replace_totals(centre.id, "5m", day, totals)
        store.replace_totals(centre.id, "1h", day, aggregation.hourly_totals(totals, centre.calendar))
        store.replace_totals(centre.id, "1d", day, aggregation.daily_totals(totals, day, centre.calendar))


def test_a_real_queues_percentiles_are_within_the_error_and_all_else_exact(
    store: Store, bank_log: list[dict[str, str]]
) -> None:
    declared = tuple(sorted({row["type"].lower() for row in bank_log}))
    centre = Centre("bank", "83", "commune", "B", "B", "83", "", 2, ALWAYS_OPEN, declared, ZONE)
    put_history(store, centre, [s for number, row in enumerate(bank_log) for s in call_events(number, row)])
    waits: dict[str, list[int]] = defaultdict(list)
    services: dict[str, list[int]] = defaultdict(list)
    for row in bank_log:
        waits[row["type"].lower()].append(int(row["q_time"]))
        services[row["type"].lower()].append(int(row["ser_time"]))
    query = bucket_query(Window(T, T + LENGTH), "total", ZONE)
    rows = queue_history_rows(store, [centre], query, None, T + 2 * LENGTH)
    assert {found.service for found in rows} == set(waits)
    for found in rows:
        for figures, exact in ((found.figures.wait, waits), (found.figures.service_time, services)):
            values = exact[found.service]
            assert (figures.count, figures.sum_s) == (len(values), sum(values))
            assert figures.counts_within() == tuple((b, sum(v <= b for v in values)) for b in HISTOGRAM_BOUNDS_S)
            for share in SHARES:
                near = pytest.approx(nearest_rank(values, share), rel=RELATIVE_ERROR, abs=0)
                assert figures.percentile_s(share) == near, (found.service, share)


@sized(short=15, long=150, suppress_health_check=[HealthCheck.too_slow])
@given(many_durations, many_durations)
def test_hard_durations_come_out_of_every_store_within_the_error(
    stores: list[Store], first: list[int], second: list[int]
) -> None:
    unit = f"vn83-{next(_units)}"
    totals = [desk_total(unit, "5m", T + at * SLOT, values) for at, values in enumerate((first, second))]
    for store in stores:
        store.replace_totals(unit, "5m", Window(T, T + HOUR), totals)
        assert store.totals([unit], "5m", Window(T, T + HOUR)) == totals
        store.replace_totals(unit, "5m", Window(T, T + HOUR), totals[1:])
        (total,) = store.totals([unit], "5m", Window(T, T + HOUR))
        for share in SHARES:
            exact_s = nearest_rank(second, share) / 1000
            assert queue_figures(total.sums).wait.percentile_s(share) == pytest.approx(exact_s, rel=0.02, abs=0)


def desk_total(unit: str, width: BucketWidth, start: int, waits_ms: list[int]) -> Total:
    sums = {
        "issued": len(waits_ms), "called": len(waits_ms), "served": len(waits_ms), "wait_sum_ms": sum(waits_ms),
        "wait_histogram": sum(map(histogram_of, waits_ms)), "service_count": len(waits_ms),
        "service_sum_ms": sum(waits_ms), "service_histogram": sum(map(histogram_of, waits_ms)),
    }  # fmt: skip
    return Total(unit, f"desk:{unit}:land", width, start, "vn83", dict.fromkeys(QUEUE_FIELDS, 0) | sums)


def test_a_total_of_two_hundred_waits_is_small(bank_log: list[dict[str, str]]) -> None:
    """Both stores keep the values as one JSON list for each total; names are stored once for many."""
    waits = [int(row["q_time"]) * 1000 + number % 1000 for number, row in enumerate(bank_log[:200])]
    values = list(encode_sums(desk_total("vn83-1", "1d", T, waits).sums).values())
    assert len(json.dumps(values, separators=(",", ":"))) <= STORED_BYTES
