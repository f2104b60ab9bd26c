"""Histories by centre, level, service and agency: merged sums, counters once a centre, every row with its fractions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, MINUTE, Window
from telemetry.core.figures.counter_figures import counter_figures
from telemetry.core.figures.segment_figures import Share
from telemetry.core.fold import aggregation, fold
from telemetry.core.inventory import Service
from telemetry.core.protocol import events as ev
from telemetry.queries.buckets import BucketQuery, OpenWindowsCache
from telemetry.queries.queue_groups import add_offered_work, counters_by_bucket, group_key, group_rows
from telemetry.queries.queues import queue_history_rows
from telemetry.store.sqlite import SqliteStore
from tests.unit.days import CENTRE, WHOLE, ZONE, made, ms, said, ticket

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.queries.queue_groups import QueueGroup

OTHER = replace(CENTRE, id="vn83-2", level="district", services=("land", "tax"), counters=1, owner_agency="district")
SILENT = replace(CENTRE, id="vn83-3", counters=9)
CENTRES = [CENTRE, OTHER, SILENT]
SERVICES = {"land": Service("land", "Đất đai", "Land", "department"), "tax": Service("tax", "Thuế", "Tax")}
NOW = ms(23)


def visits(waits: dict[int, int], service: str = "land", start: int = ms(8)) -> list[ev.Event]:
    """Tickets that wait the given minutes, each served 10 minutes at the only counter."""
    events: list[ev.Event] = []
    for i, wait in waits.items():
        entered, names = start + i * 20 * MINUTE, {"ticket": f"{service}{i}", "service": service, "queue": service}
        call = entered + wait * MINUTE
        events += [
            ticket(ev.TicketIssued, entered, **names),
            ticket(ev.TicketCalled, call, entered=entered, counter="c1", **names),
            ticket(ev.TicketFinished, call + 10 * MINUTE, entered=entered, called=call, counter="c1", **names),
        ]
    return events


def open_counter(start: int, end: int) -> list[ev.Event]:
    counters = [{"counter": "c1", "state": "open"}]
    return [made(ev.DeviceHeartbeat, t, {"counters": counters}) for t in range(start, end, MINUTE)]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqliteStore]:
    folder: Path = tmp_path_factory.mktemp("groups")
    opened = SqliteStore(folder / "store.db")
    halls = {
        CENTRE.id: [*visits({0: 1, 1: 3, 2: 5}), *open_counter(ms(8), ms(10))],
        OTHER.id: [*visits({0: 30}), *visits({0: 2}, "tax", ms(9, 40)), *open_counter(ms(8), ms(11))],
        SILENT.id: visits({0: 4}),
    }
    for centre, events in ((c, halls[c.id]) for c in CENTRES):
        totals = fold.fold_centre(centre, [], [said(e, spool=f"s{i}") for i, e in enumerate(events)], WHOLE)
        opened.replace_totals(centre.id, "5m", WHOLE, totals)
        opened.replace_totals(centre.id, "1h", WHOLE, aggregation.hourly_totals(totals, centre.calendar))
        days = aggregation.daily_totals(totals, WHOLE, centre.calendar)
        opened.replace_totals(centre.id, "1d", WHOLE, days)
    yield opened
    opened.close()


def history(store: SqliteStore, by: QueueGroup, bucket: str = "total", window: Window = WHOLE) -> list[QueueHistoryRow]:
    query = BucketQuery(window, bucket, ZONE)  # type: ignore[arg-type]
    rows = queue_history_rows(store, CENTRES, query, None, NOW)
    counters = counters_by_bucket(store, CENTRES, query, NOW, OpenWindowsCache())
    add_offered_work(counters, rows)
    return list(group_rows(rows, group_key(by, {c.id: c for c in CENTRES}, SERVICES), counters))


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("centre", {("vn83-1", "", ""): 9, ("vn83-2", "", ""): 32, ("vn83-3", "", ""): 4}),
        ("service", {("", "land", ""): 43, ("", "tax", ""): 2}),
        ("level", {("", "", "commune"): 13, ("", "", "district"): 32}),
        ("owner_agency", {("", "", "department"): 43, ("", "", "district"): 2}),
    ],
)
def test_each_group_is_one_row_of_merged_sums(
    store: SqliteStore, by: QueueGroup, expected: dict[tuple[str, str, str], int]
) -> None:
    waits = {(r.centre, r.service, r.group): r.figures.wait.sum_ms // MINUTE for r in history(store, by)}
    assert waits == expected


def test_a_groups_mean_is_no_mean_of_means(store: SqliteStore) -> None:
    land = next(r for r in history(store, "service") if r.service == "land").figures
    assert (land.wait.count, land.wait.mean_s) == (5, 43 * 60 / 5)


@pytest.mark.parametrize("bucket", ["total", "1h", "30m", "5m"])
def test_counters_are_the_same_in_every_bucket(store: SqliteStore, bucket: str) -> None:
    rows = [r for r in history(store, "centre", bucket) if r.centre == CENTRE.id and r.counters]
    total = {name: sum((r.counters or {}).get(name, 0) for r in rows) for name in ("counter_busy_ms",)}
    assert total == {"counter_busy_ms": 30 * MINUTE}


def test_utilisation_schedule_and_load_have_their_fractions(store: SqliteStore) -> None:
    centre, other, silent = (counter_figures(r.counters or {}) for r in history(store, "centre"))
    opened = 2 * HOUR + MINUTE + 30_000
    assert centre.utilisation == Share(30 * MINUTE, opened)
    assert centre.open_against_schedule == Share(opened, 3 * (7 * HOUR + 30 * MINUTE)), "declared counters × hours"
    assert centre.load == Share(30 * MINUTE, opened)
    assert other.utilisation.numerator == 20 * MINUTE
    assert (silent.utilisation.ratio, silent.open_against_schedule.ratio) == (None, None), "no source is not 0"
    assert silent.service_ms == 10 * MINUTE


def test_nothing_is_measured_of_a_window_ahead(store: SqliteStore) -> None:
    ahead = Window(NOW + HOUR, NOW + 2 * HOUR)
    assert counters_by_bucket(store, CENTRES, BucketQuery(ahead, "total", ZONE), NOW, OpenWindowsCache()) == {}
