"""A calendar edit under a running rollup: stale days are added again from 5-minute totals, and nothing else is read."""

from __future__ import annotations

import tempfile
from datetime import date, time, timedelta
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, strategies as st

from telemetry.core.calendar.calendar_values import CalendarRules, SingleMaintenance
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, day_window, floor
from telemetry.core.fold.event_spans import dirty_hours
from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.platform_heartbeat import (
    HEARTBEAT_TTL_MS,
    PLATFORM_ENTITY,
    PLATFORM_OUTBOX_ID,
    RECONNECT_GRACE_MS,
)
from telemetry.core.fold.totals import CALENDAR_FIELD, Total
from telemetry.core.inventory import Centre, DeclaredPeriod, Device, Inventory, System
from telemetry.core.protocol import events as ev
from telemetry.core.slo.sli import good_bad_counts
from telemetry.rollup.reaggregation import STEPS_PER_PASS, Reaggregation
from telemetry.rollup.service import Rollup
from telemetry.store import Batch, ChangeRecord, StoredEvent
from telemetry.store.sqlite import SqliteStore
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Set as AbstractSet

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.core.fold.states import RecentState
    from telemetry.core.in_service import ServicePeriods
    from telemetry.core.inventory import OpeningHours

HANOI = ZoneInfo("Asia/Ho_Chi_Minh")
FIRST = date(2026, 3, 9)
START = day_window(FIRST, HANOI).start
EVER = Window(0, START + 30 * DAY)
MORNING: OpeningHours = ((time(7), time(11, 30)),)
WIDTHS: tuple[BucketWidth, ...] = ("5m", "1h", "1d")


ALWAYS = DeclaredPeriod(0)


def world(
    hours: OpeningHours = MORNING,
    exceptions: Mapping[date, OpeningHours] | None = None,
    works: tuple[SingleMaintenance, ...] = (),
) -> Inventory:
    centre = Centre(
        "c1", "u", "commune", "C", "C", "vn83", "", 2, (hours,) * 7, ("land",), HANOI,
        exceptions=MappingProxyType(dict(exceptions or {})), rules=CalendarRules(maintenance=works),
        declared_period=ALWAYS,
    )  # fmt: skip
    devices = {"c1-gateway1": Device("c1-gateway1", "c1", "gateway", declared_period=ALWAYS)}
    system = System(
        "vn83-portal", "P", "P", "portal", vantage=("c1-gateway1",), maintenance=works, declared_period=ALWAYS
    )
    none: Mapping[str, object] = MappingProxyType({})
    return Inventory(
        "v", "vn83", "T", "T", HANOI, none, MappingProxyType({"c1": centre}), MappingProxyType(devices), none,  # type: ignore[arg-type]
        MappingProxyType({"vn83-portal": system}),
    )  # fmt: skip


class Place:
    """A store, its rollup, an inventory and a clock that the test turns; a watcher that notes what it hears."""

    def __init__(self, folder: Path) -> None:
        self.now, self.world = START + 3 * DAY + 4 * HOUR, world()
        self.store = SqliteStore(folder / "store.db")
        self.store.set_checkpoint("fold_version", FOLD_VERSION)
        self.taken: list[tuple[str, str]] = []
        self.tails: dict[str, RecentState] = {}
        self.marks: list[int] = []
        self.taken_when_judged: list[list[tuple[str, str]]] = []
        self.fault: Exception | None = None
        self.seconds, self.fold_s = 0.0, 0.0
        self.start()

    def start(self) -> None:
        self.rollup = Rollup(self.store, lambda: self.world, lambda: self.now, self, lambda: self.seconds)  # type: ignore[arg-type]

    def on_totals(self, entity: str, width: BucketWidth, window: Window, totals: object) -> None:
        del window, totals
        if self.fault:
            raise self.fault
        self.taken.append((entity, width))
        self.seconds += self.fold_s if width == "5m" else 0.0

    def on_service_periods(self, periods: ServicePeriods) -> None:
        pass

    def on_recent_state(self, recent_states: Mapping[str, RecentState]) -> None:
        if self.fault:
            raise self.fault
        self.tails |= recent_states

    def take_failures(self) -> dict[str, str]:
        return {}

    def evaluate(
        self, now: int, *, is_ingest_silent: bool = False, unfolded: AbstractSet[str] = frozenset()
    ) -> Mapping[str, bytes]:
        self.is_ingest_silent, self.unfolded = is_ingest_silent, set(unfolded)
        self.taken_when_judged.append(list(self.taken))
        self.marks.append(now)
        if self.fault:
            raise self.fault
        return {"slo:x": b"{}"}

    def write(self, *events: ev.Event) -> None:
        stored = [StoredEvent("c1", "c1-gateway1", "01S", event) for event in events]
        units = (("vn83-portal" if isinstance(e, ev.ProbeResult) else "c1", e) for e in events)
        self.store.append(Batch(self.now * 1000, stored, [ChangeRecord(*cell) for cell in dirty_hours(units)]))

    def platform(self, *times: int) -> None:
        stored = [
            StoredEvent(PLATFORM_ENTITY, "ingest", PLATFORM_OUTBOX_ID, ev.PlatformBeat(n=t // MINUTE, t=t))
            for t in times
        ]
        changes = [ChangeRecord(PLATFORM_ENTITY, floor(t, HOUR), floor(t, HOUR) + HOUR) for t in times]
        self.store.append(Batch(self.now * 1000, stored, changes))

    def passes(self, count: int = 1) -> None:
        for _ in range(count):
            self.rollup.run_once()

    def edit(self, edited: Inventory) -> None:
        """Change the calendar and pass, while reading raw events is forbidden."""
        self.world = edited
        self.passes()

    def totals(self, unit: str = "c1") -> list[Total]:
        return [total for width in WIDTHS for total in self.store.totals([unit], width, EVER)]


@pytest.fixture
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder:
        found = Place(Path(folder))
        yield found
        found.store.close()


def beats(first: int, last: int, every: int = 5) -> list[ev.DeviceHeartbeat]:
    """Heartbeats from hour `first` to `last` after START."""
    times = range(START + first * HOUR, START + last * HOUR, every * MINUTE)
    return [ev.DeviceHeartbeat(n=t // MINUTE, t=t, every_ms=every * MINUTE) for t in times]


def probes(first: int, last: int) -> list[ev.ProbeResult]:
    times = range(START + first * HOUR, START + last * HOUR, 5 * MINUTE)
    return [
        ev.ProbeResult(n=t // MINUTE + 1, t=t, system="vn83-portal", kind="http", ok=True, every_ms=300_000)
        for t in times
    ]


def no_raw(place: Place, patched: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    patched.setattr(place.store, "events", refuse)


def test_an_edit_adds_stale_days_again_without_reading_raw(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(*beats(0, 72))
    place.passes()
    before = place.totals()
    no_raw(place, monkeypatch)
    place.taken.clear()
    place.edit(world(exceptions={FIRST: ()}))
    days = {t.start: t for t in place.store.totals(["c1"], "1d", EVER, "centre")}
    assert days[START].sums["open_up_ms"] == 0
    assert days[START].sums["up_ms"] == DAY
    assert days[START + DAY] == next(
        t for t in before if t.width == "1d" and t.start == START + DAY and t.scope == "centre:c1"
    )
    assert place.taken == [("c1", "1h"), ("c1", "1d")]
    assert place.store.checkpoint("calendar:c1") == int(place.world.centres["c1"].calendar.version, 16)


def test_maintenance_of_a_system_leaves_its_open_clock(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(*probes(0, 24))
    place.passes()
    no_raw(place, monkeypatch)
    place.edit(world(works=(SingleMaintenance("nâng cấp", Window(START + 2 * HOUR, START + 4 * HOUR)),)))
    (day,) = place.store.totals(["vn83-portal"], "1d", Window(START, START + 1))
    assert day.sums["up_ms"] - day.sums["open_up_ms"] == 2 * HOUR


def test_probes_in_maintenance_that_is_declared_late_are_no_latency(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = [
        msgspec.structs.replace(probe, latency_ms=900.0 if 2 <= (probe.t - START) // HOUR < 4 else 100.0)
        for probe in probes(0, 24)
    ]
    place.write(*slow)
    place.passes()

    def counted(*, by_calendar: bool) -> tuple[int, int]:
        (day,) = place.store.totals(["vn83-portal"], "1d", Window(START, START + 1))
        return good_bad_counts(day.sums, "latency", 300, "1d", by_calendar=by_calendar, is_open=True)

    assert counted(by_calendar=True) == (22 * 12, 2 * 12)
    no_raw(place, monkeypatch)
    place.edit(world(works=(SingleMaintenance("nâng cấp", Window(START + 2 * HOUR, START + 4 * HOUR)),)))
    assert counted(by_calendar=True) == (22 * 12, 0)
    assert counted(by_calendar=False) == (22 * 12, 2 * 12)


def test_an_edit_is_noticed_after_a_restart(place: Place) -> None:
    place.write(*beats(0, 24))
    place.passes()
    place.world = world(exceptions={FIRST: ()})
    place.start()
    place.passes()
    (day,) = place.store.totals(["c1"], "1d", Window(START, START + 1), "centre")
    assert day.sums["open_up_ms"] == 0


def test_a_day_folded_between_edit_and_look_has_no_stale_hours(place: Place) -> None:
    """The fold writes the day with the new stamp: it must not hide hours that the old calendar added."""
    place.write(*beats(0, 24))
    place.passes()
    place.world = world(exceptions={FIRST: ()})
    place.write(ev.DeviceHeartbeat(n=1, t=START + 23 * HOUR + 1))
    place.passes()
    hours = place.store.totals(["c1"], "1h", Window(START, START + DAY), "centre")
    assert [t.sums["open_up_ms"] for t in hours] == [0] * 24
    calendar = place.world.centres["c1"].calendar
    assert [t.sums[CALENDAR_FIELD] for t in hours] == [
        calendar.fingerprint(Window(t.start, t.start + HOUR)) for t in hours
    ]


def test_days_whose_five_minutes_are_gone_stay_as_they_are(place: Place) -> None:
    place.write(*beats(0, 24))
    place.passes()
    before = place.store.totals(["c1"], "1d", Window(START, START + 1))
    place.store.replace_totals("c1", "5m", Window(START, START + 20 * HOUR), [])
    place.edit(world(exceptions={FIRST: ()}))
    assert place.store.totals(["c1"], "1d", Window(START, START + 1)) == before


halves = st.integers(0, 47).map(lambda i: time(*divmod(30 * i, 60)))
spans = st.lists(halves, min_size=2, max_size=4, unique=True).filter(lambda x: len(x) % 2 == 0).map(sorted)
hours = spans.map(lambda x: tuple(zip(x[::2], x[1::2], strict=True)))
days_off = st.dictionaries(st.integers(0, 2).map(lambda i: date(2026, 3, 9 + i)), st.just(()) | hours, max_size=3)


@sized(short=15, long=200)
@given(hours, days_off, st.lists(st.integers(0, 71), min_size=1, max_size=6, unique=True))
def test_adding_again_gives_what_folding_from_scratch_gives(
    week: OpeningHours, exceptions: dict[date, OpeningHours], told: list[int]
) -> None:
    edited = world(week, exceptions)
    said = [beat for hour in told for beat in beats(hour, hour + 1, 10)]
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        place, fresh = Place(Path(one)), Place(Path(other))
        place.write(*said)
        place.passes()
        place.edit(edited)
        fresh.world = edited
        fresh.write(*said)
        fresh.passes()
        assert place.totals() == fresh.totals()
        place.store.close()
        fresh.store.close()


# --- our own outages --------------------------------------------------------------------------


def platform_ms(place: Place) -> int:
    return sum(t.sums["platform_ms"] for t in place.store.totals(["c1"], "5m", EVER, "centre"))


def test_a_beat_that_ends_our_outage_excludes_it_for_every_unit(place: Place) -> None:
    place.now = START + 2 * HOUR
    place.platform(place.now)
    place.write(*beats(0, 2, 1))
    place.passes(2)
    assert platform_ms(place) == 0
    place.now += 3 * HOUR
    place.platform(place.now)
    place.passes(2)
    assert platform_ms(place) == 3 * HOUR - HEARTBEAT_TTL_MS + RECONNECT_GRACE_MS


def test_an_outage_that_rollup_was_down_for_is_not_lost(place: Place) -> None:
    place.now = START + 2 * HOUR
    place.platform(place.now)
    place.write(*beats(0, 2, 1))
    place.passes(2)
    place.now += 3 * HOUR
    place.platform(place.now)
    place.now += 26 * HOUR
    place.platform(place.now)
    place.start()
    place.passes(2)
    assert platform_ms(place) == 29 * HOUR - HEARTBEAT_TTL_MS + RECONNECT_GRACE_MS


def test_without_any_beat_nothing_is_excluded(place: Place) -> None:
    place.write(*beats(0, 2))
    place.passes()
    assert platform_ms(place) == 0
    assert place.store.checkpoint("platform_since") == 0


# --- the watcher ------------------------------------------------------------------------------


def test_the_watcher_takes_every_width_and_judges_on_marks(place: Place) -> None:
    place.write(*beats(74, 76))
    place.passes()
    assert {("c1", width) for width in WIDTHS} <= set(place.taken)
    assert set(place.tails) == {"centre:c1", "device:c1-gateway1", "system:vn83-portal"}
    place.now += 14_000
    place.passes()
    place.now += 40_000
    place.passes()
    assert place.marks == [START + 3 * DAY + 4 * HOUR, START + 3 * DAY + 4 * HOUR + 45_000]
    assert "slo:x" in {row.entity for row in place.store.live_rows()}


def test_a_watcher_that_raises_does_not_stop_the_folding(place: Place) -> None:
    place.fault = ValueError("broken")
    place.write(*beats(75, 76))
    place.passes()
    assert place.store.totals(["c1"], "1d", EVER, "centre")
    assert place.marks == [place.now]
    assert (place.tails, place.taken) == ({}, [])
    assert "c1" in {row.entity for row in place.store.live_rows()}


def test_live_rows_are_made_without_reading_the_day_again(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    place.write(ev.DeviceHeartbeat(n=1, t=place.now - 1_000))
    place.passes(2)
    no_raw(place, monkeypatch)
    place.now += 31_000
    place.passes()
    first = {row.entity: row.body for row in place.store.live_rows()}["c1"]
    place.now += 300_000
    place.passes()
    later = {row.entity: row.body for row in place.store.live_rows()}["c1"]
    assert (b'"state":"up"' in first, b'"state":"unknown"' in later) == (True, True)


def test_rebuild_tells_how_far_it_is(place: Place) -> None:
    place.write(*beats(0, 1), *probes(0, 1))
    told: list[tuple[int, int]] = []
    place.rollup.rebuild(progress=lambda done, whole: told.append((done, whole)))
    assert told == [(1, 2), (2, 2)]


# --- objectives while days are added again --------------------------------------------------------


LONGER: OpeningHours = ((time(7), time(12)),)


def test_a_unit_whose_days_are_not_added_again_yet_is_named_to_the_judge(place: Place) -> None:
    days = 2 * STEPS_PER_PASS + 3
    place.now = START + (days - 1) * DAY + HOUR
    place.write(*(ev.DeviceHeartbeat(n=n + 1, t=START + n * DAY) for n in range(days)))
    place.passes(6)
    assert place.unfolded == set()
    place.world, unfolded = world(LONGER), list[set[str]]()
    for _ in range(5):
        place.now += 15_000
        place.passes()
        unfolded.append(place.unfolded)
    assert unfolded[:2] == [{"c1", "vn83-portal"}] * 2
    assert unfolded[-1] == set()


def test_a_calendar_that_failed_once_is_applied_when_its_unit_is_tried_again(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.write(ev.DeviceHeartbeat(n=1, t=place.now))
    place.passes(2)
    with monkeypatch.context() as patch:
        patch.setattr(Reaggregation, "_reaggregate_entity", raise_value_error)
        place.world = world(LONGER)
        place.now += 15_000
        place.passes()
        assert "c1" in place.unfolded
    for _ in range(3):
        place.now += 10 * MINUTE
        place.passes()
    assert place.unfolded == set()
    fingerprint = place.world.centres["c1"].calendar.fingerprint(day_window(FIRST + timedelta(3), HANOI))
    assert {t.sums[CALENDAR_FIELD] for t in place.store.totals(["c1"], "1d", EVER)} == {fingerprint}


def raise_value_error(*_: object) -> None:
    raise ValueError
