"""Histories of all centres over four weeks: pages of rows and remembered answers equal a recount, on every store."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, cast
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, day_window, to_ms
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import Total, add_to_sums
from telemetry.core.in_service import ALL_IN_SERVICE
from telemetry.core.inventory import ALWAYS_OPEN, AdministrativeLevel, Centre
from telemetry.core.scope import Scope
from telemetry.queries.buckets import BucketQuery, OpenWindowsCache
from telemetry.queries.network_history import NetworkHistoryReader
from telemetry.queries.period_history import DayRange, PeriodHistory, PeriodRows, history_of_centres, period_rows
from telemetry.queries.queue_history import (
    HistoryInputs,
    QueueHistoryReader,
    QueueHistoryRequest,
    pieces_to_remember,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.figures.queue_periods import QueueHistoryRow
    from telemetry.queries.buckets import BucketSize
    from telemetry.queries.queue_groups import QueueGroup
    from telemetry.queries.snapshot import Snapshot
    from telemetry.store import Store

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONTH = Window(day_window(date(2026, 11, 2), ZONE).start, day_window(date(2026, 11, 29), ZONE).end)
NOW = MONTH.end + DAY
SERVICES = ("land", "tax")


def centre(number: int) -> Centre:
    level: AdministrativeLevel = "commune" if number % 3 else "district"
    return Centre(f"vn83-{number:02}", "83", level, "M", "O", "vn83", "", 2, ALWAYS_OPEN, SERVICES, ZONE)


CENTRES = [centre(number) for number in range(25)]


def totals_of(one: Centre, factor: int = 1) -> list[Total]:
    number, out = int(one.id[-2:]), []
    for day, start in enumerate(range(MONTH.start, MONTH.end, DAY)):
        for place, service in enumerate(SERVICES):
            count = factor * ((number + day) % 4 + place)
            sums = {
                "issued": count, "called": count, "wait_sum_ms": count * 1_000 * day,
                "wait_histogram": count * histogram_of(1_000 * day),
            }  # fmt: skip
            out.append(Total(one.id, Scope.desk(one.id, service), "1d", start, "vn83", sums))
    return out


@dataclass
class CountedStore:
    """A store that counts which centres and windows were read, and the versions of their pasts."""

    store: Store
    now: int = NOW
    read: list[str] = field(default_factory=list)
    windows: list[Window] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=lambda: {c.id: 1 for c in CENTRES})

    def totals(self, entities: Sequence[str], width: BucketWidth, window: Window, kind: str = "") -> list[Total]:
        if kind == "desk":
            self.read += entities
            self.windows.append(window)
        return self.store.totals(entities, width, window, kind)

    def reopened_at(self, entity: str) -> int:
        return self.versions[entity]

    def inputs(self) -> HistoryInputs:
        return HistoryInputs(cast("Snapshot", self), ALL_IN_SERVICE, {}, "v1", self.now)


@pytest.fixture
def counted(store: Store) -> CountedStore:
    for one in CENTRES:
        store.replace_totals(one.id, "1d", MONTH, totals_of(one))
    return CountedStore(store)


def asked(bucket: BucketSize, by: QueueGroup | None = None) -> QueueHistoryRequest:
    return QueueHistoryRequest(BucketQuery(MONTH, bucket, ZONE), None, by)


Key = tuple[str, str, str, int]
KEYS: dict[QueueGroup | None, Callable[[Centre, str], tuple[str, str, str]]] = {
    None: lambda c, service: (c.id, service, ""),
    "centre": lambda c, _: (c.id, "", ""),
    "service": lambda _, service: ("", service, ""),
    "level": lambda c, _: ("", "", c.level),
}


def recount(bucket: BucketSize, by: QueueGroup | None, factors: Mapping[str, int]) -> dict[Key, dict[str, int]]:
    """Add every total by itself."""
    out: dict[Key, dict[str, int]] = {}
    for one in CENTRES:
        for total in totals_of(one, factors.get(one.id, 1)):
            group = KEYS[by](one, Scope(total.scope).service)
            add_to_sums(out.setdefault((*group, total.start if bucket == "1d" else MONTH.start), {}), total.sums)
    return {key: sums for key, sums in sorted(out.items()) if any(sums.values())}


def told(rows: Iterable[QueueHistoryRow]) -> dict[Key, dict[str, int]]:
    return {
        (r.centre, r.service, r.group, r.window.start): {k: v for k, v in r.sums.items() if k in TOLD} for r in rows
    }


TOLD = ("issued", "called", "wait_sum_ms", "wait_histogram")


@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize("bucket", ["total", "1d"])
def test_read_and_remembered_rows_equal_a_recount_also_after_the_past_has_changed(
    counted: CountedStore, bucket: BucketSize, by: QueueGroup | None
) -> None:
    reader = QueueHistoryReader(counted, counted.inputs, OpenWindowsCache())
    first = told(reader.rows(CENTRES, asked(bucket, by)))
    assert first == recount(bucket, by, {})
    assert list(first) == sorted(first)
    counted.read.clear()
    assert told(reader.rows(CENTRES, asked(bucket, by))) == first
    assert counted.read == []
    changed = CENTRES[7]
    counted.store.replace_totals(changed.id, "1d", MONTH, totals_of(changed, 3))
    counted.versions[changed.id] = 2
    assert told(reader.rows(CENTRES, asked(bucket, by))) == recount(bucket, by, {changed.id: 3})
    assert counted.read == [changed.id]


def test_a_page_of_rows_reads_the_first_centres_alone(counted: CountedStore) -> None:
    reader = QueueHistoryReader(counted, counted.inputs, OpenWindowsCache())
    rows = iter(reader.rows(CENTRES, asked("total")))
    assert [next(rows).centre for _ in range(4)] == ["vn83-00", "vn83-00", "vn83-01", "vn83-01"]
    assert counted.read == [c.id for c in CENTRES[:10]]


def totals_of_today(one: Centre, factor: int = 1) -> list[Total]:
    desk = Scope.desk(one.id, "land")
    hours = [Total(one.id, desk, "1h", MONTH.end + hour * HOUR, "vn83", {"issued": factor}) for hour in range(7, 9)]
    slots = [Total(one.id, desk, "5m", MONTH.end + 9 * HOUR + n * SLOT, "vn83", {"issued": factor}) for n in range(3)]
    return hours + slots


@pytest.mark.parametrize("by", KEYS)
@pytest.mark.parametrize("bucket", ["total", "1d"])
def test_of_a_window_that_ends_now_only_this_hour_is_read_again(
    counted: CountedStore, bucket: BucketSize, by: QueueGroup | None
) -> None:
    now = counted.now = MONTH.end + 9 * HOUR + 12 * MINUTE
    window = Window(MONTH.start + 9 * HOUR, MONTH.end + 9 * HOUR + 15 * MINUTE)
    counted.store.replace_totals(CENTRES[0].id, "1h", Window(MONTH.end, now), totals_of_today(CENTRES[0])[:2])
    counted.store.replace_totals(CENTRES[0].id, "5m", Window(MONTH.end, window.end), totals_of_today(CENTRES[0])[2:])
    question = QueueHistoryRequest(BucketQuery(window, bucket, ZONE), None, by)
    reader = QueueHistoryReader(counted, counted.inputs, OpenWindowsCache())
    first = told(reader.rows(CENTRES, question))
    assert list(first) == sorted(first)
    expected = sum(t.sums["issued"] for c in CENTRES for t in totals_of(c) if t.start >= window.start) + 5
    assert sum(sums.get("issued", 0) for sums in first.values()) == expected
    counted.windows.clear()
    counted.store.replace_totals(CENTRES[0].id, "5m", Window(MONTH.end, window.end), totals_of_today(CENTRES[0], 4)[2:])
    later = told(reader.rows(CENTRES, question))
    assert sum(sums.get("issued", 0) for sums in later.values()) == expected + 9
    assert set(counted.windows) <= {Window(MONTH.end + 9 * HOUR, window.end), Window(now - 2 * MINUTE, window.end)}


def uncached_history(counted: CountedStore, days: DayRange, service: str | None) -> PeriodHistory:
    rows = period_rows(counted.store, CENTRES, days, service, counted.now)
    return history_of_centres(CENTRES, days, service, PeriodRows(rows, rows, rows), counted.now)


@pytest.mark.parametrize("service", [None, "tax"])
@pytest.mark.parametrize("last", [date(2026, 11, 29), date(2026, 11, 30), date(2026, 11, 3)])
def test_the_remembered_history_of_all_centres_equals_the_one_of_all_rows_also_after_a_change(
    counted: CountedStore, last: date, service: str | None
) -> None:
    counted.now = MONTH.end + 9 * HOUR + 12 * MINUTE
    counted.store.replace_totals(CENTRES[0].id, "1h", Window(MONTH.end, counted.now), totals_of_today(CENTRES[0])[:2])
    days = DayRange(date(2026, 11, 2), last, ZONE)
    reader = NetworkHistoryReader(counted, counted.inputs)
    first = reader.read(CENTRES, days, service)
    assert first == uncached_history(counted, days, service)
    assert first.overall.issued > 0
    counted.read.clear()
    counted.windows.clear()
    assert reader.read(CENTRES, days, service) == first
    assert all(window.start >= MONTH.end for window in counted.windows), "the past is remembered"
    changed = CENTRES[7]
    counted.store.replace_totals(changed.id, "1d", MONTH, totals_of(changed, 3))
    counted.versions[changed.id] = 2
    counted.windows.clear()
    counted.read.clear()
    again = reader.read(CENTRES, days, service)
    assert again == uncached_history(counted, days, service)
    assert again != first
    if last < date(2026, 11, 30):
        assert set(counted.read) == {changed.id}


@pytest.mark.parametrize(
    ("start", "end", "cuts"),
    [
        ((3, 9, 0), (5, 9, 15), [(4, 0, 0), (5, 0, 0), (5, 9, 0)]),
        ((3, 0, 0), (5, 9, 15), [(5, 0, 0), (5, 9, 0)]),
        ((3, 0, 0), (6, 0, 0), [(5, 0, 0)]),
        ((5, 9, 0), (5, 9, 15), []),
        ((5, 9, 10), (5, 9, 15), []),
        ((3, 0, 0), (5, 9, 0), []),
    ],
)
def test_pieces_end_at_midnights_and_at_this_hour(
    start: tuple[int, int, int], end: tuple[int, int, int], cuts: list[tuple[int, int, int]]
) -> None:
    at = [to_ms(datetime(2026, 11, *time, tzinfo=ZONE)) for time in (start, *cuts, end)]
    now = to_ms(datetime(2026, 11, 5, 9, 12, tzinfo=ZONE))
    pieces = pieces_to_remember(BucketQuery(Window(at[0], at[-1]), "total", ZONE), now)
    assert pieces == [Window(*edges) for edges in pairwise(at)]
