"""Every store gives the same answers: the same events for unaligned windows, and the same totals folded from them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, strategies as st

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, Window, align_to_slots
from telemetry.core.fold import fold
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.inventory import ALWAYS_OPEN, Centre, Device
from telemetry.core.protocol import events as ev
from telemetry.queries.availability import AvailabilityOptions, AvailabilityResult, compute_availability
from telemetry.queries.buckets import bucket_query
from telemetry.queries.network import scope_of_centres
from telemetry.queries.timeline import TimelineInput, build_timeline, open_time_account, read_sums
from telemetry.store import Batch, ChangeRecord, Store, StoredEvent
from tests.contract.conftest import OPENERS
from tests.property_sizes import sized
from tests.uncached_totals import UncachedTotals

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.fold.totals import Total
    from telemetry.queries.timeline import TimelineSegment

T = 1_767_225_600_000
SPAN = 3 * HOUR
FOLDED = Window(T - HOUR, T + SPAN + HOUR)
ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SPOOLS = ("01JSPOOLA", "01JSPOOLB")
_units = itertools.count(1)

times = st.integers(0, SPAN - 1).map(lambda ms: T + ms)
Told = tuple[int, int, str, int, str]
"""Number, time, spool, device, kind of an event."""
told = st.lists(
    st.tuples(
        st.integers(1, 40), times, st.sampled_from(SPOOLS), st.integers(1, 2),
        st.sampled_from(["beat", "broken", "issued", "called", "link"]),
    ),
    max_size=40, unique_by=lambda x: (x[0], x[2], x[3]),
)  # fmt: skip
windows = st.tuples(times, times).map(lambda pair: Window(min(pair), max(pair)))


@pytest.fixture(scope="module")
def stores(request: pytest.FixtureRequest) -> Iterator[list[Store]]:
    """One store of each kind; each example has a centre of its own."""
    opened = [OPENERS[name](request)() for name in sorted(OPENERS)]
    yield opened
    for store in opened:
        store.close()


def event_of(n: int, t: int, kind: str) -> ev.Event:
    if kind in {"beat", "broken"}:
        return ev.DeviceHeartbeat(n=n, t=t, state="in_service" if kind == "beat" else "out_of_order", fw="1")
    if kind == "link":
        return ev.LinkState(n=n, t=t, up=False)
    if kind == "issued":
        return ev.TicketIssued(n=n, t=t, ticket=f"k{n}", queue="land", service="land")
    return ev.TicketCalled(
        n=n, t=t, ticket=f"k{n}", queue="land", service="land", counter="c1", entered=t - n * MINUTE, call=1
    )


def stored(unit: str, told: list[Told]) -> list[StoredEvent]:
    return [StoredEvent(unit, f"{unit}-kiosk{d}", spool, event_of(n, t, kind)) for n, t, spool, d, kind in told]


def write(store: Store, unit: str, events: list[StoredEvent], *, whole: bool) -> None:
    """Write in one batch, or one event after another; each batch with the change that ingest makes."""
    change = [ChangeRecord(unit, FOLDED.start, FOLDED.end)]
    for batch in [events] if whole else [[e] for e in events]:
        store.append(Batch(1, batch, change))


def centre_of(unit: str) -> tuple[Centre, list[Device]]:
    centre = Centre(unit, "83", "commune", "Một", "One", "83", "", 2, ALWAYS_OPEN, ("land",), ZONE)
    return centre, [Device(f"{unit}-kiosk{i}", unit, "kiosk") for i in (1, 2)]


def folded(store: Store, unit: str) -> list[Total]:
    """Fold the unit's events as this store tells them, and return the totals as it keeps them."""
    said = [SourcedEvent(s.device, s.outbox_id, s.event) for s in store.events(unit, fold.input_window(FOLDED))]
    totals = fold.fold_centre(*centre_of(unit), said, FOLDED)
    store.replace_totals(unit, "5m", FOLDED, totals)
    return store.totals([unit], "5m", FOLDED)


def availability(store: Store, unit: str, window: Window) -> AvailabilityResult:
    scope = scope_of_centres(f"centre:{unit}", [centre_of(unit)[0]])
    return compute_availability(
        UncachedTotals(store), scope, bucket_query(window, "5m", ZONE), AvailabilityOptions(), T + DAY
    )


def timeline(store: Store, unit: str, window: Window) -> list[TimelineSegment]:
    own, _ = read_sums(store, unit, f"centre:{unit}", window)
    timeline_input = TimelineInput(own, own, "service", has_missing_rows=False, settled_until=T)
    return build_timeline(window, timeline_input, centre_of(unit)[0].calendar)


QUIETLY = sized(short=25, long=250, suppress_health_check=[HealthCheck.too_slow])


@QUIETLY
@given(told, windows, st.randoms(use_true_random=False))
def test_both_stores_tell_the_same_events_and_totals_whatever_the_order_and_the_repeats(
    stores: list[Store], told: list[Told], window: Window, random: object
) -> None:
    unit = f"vn83-{next(_units)}"
    events = stored(unit, told)
    again = [*events, *events[: len(events) // 2]]
    random.shuffle(again)  # type: ignore[attr-defined]
    write(stores[0], unit, events, whole=True)
    write(stores[1], unit, again, whole=False)
    one, other = ([s.events(unit, w) for w in (window, FOLDED)] for s in stores)
    assert one == other
    assert {(s.event.n, s.outbox_id, s.device) for s in one[1]} == {(s.event.n, s.outbox_id, s.device) for s in events}
    assert all(window.start <= s.event.t < window.end for s in one[0])
    totals = [folded(s, unit) for s in stores]
    assert totals[0] == totals[1]
    if window.length:
        assert availability(stores[0], unit, window) == availability(stores[1], unit, window)
        timelines = [timeline(s, unit, align_to_slots(window)) for s in stores]
        assert timelines[0] == timelines[1]
        assert open_time_account(timelines[0]) == availability(stores[0], unit, window).overall


@QUIETLY
@given(st.lists(st.integers(0, 60), min_size=1, max_size=6), windows)
def test_of_two_deliveries_the_earlier_counts_in_both(stores: list[Store], minutes: list[int], window: Window) -> None:
    unit = f"vn83-{next(_units)}"
    first = T + min(minutes) * MINUTE
    for store in stores:
        for minute in minutes:
            write(store, unit, stored(unit, [(1, T + minute * MINUTE, SPOOLS[0], 1, "beat")]), whole=True)
        store.reconcile()
    assert [[s.event.t for s in store.events(unit, FOLDED)] for store in stores] == [[first], [first]]
    one, other = (store.events(unit, window) for store in stores)
    assert one == other


@QUIETLY
@given(told, st.integers(0, 35))
def test_totals_put_in_place_of_others_are_the_same_in_both(stores: list[Store], told: list[Told], cell: int) -> None:
    unit = f"vn83-{next(_units)}"
    centre, devices = centre_of(unit)
    part = Window(T + cell // 12 * HOUR, T + cell // 12 * HOUR + HOUR)
    said = [SourcedEvent(s.device, s.outbox_id, s.event) for s in stored(unit, told)]
    found = []
    for store in stores:
        store.replace_totals(unit, "5m", FOLDED, fold.fold_centre(centre, devices, said, FOLDED))
        store.replace_totals(unit, "5m", part, fold.fold_centre(centre, devices, said[: len(said) // 2], part))
        unaligned = Window(part.start + SLOT + 1, part.end + SLOT)
        found.append([store.totals([unit], "5m", w, kind) for w in (FOLDED, unaligned) for kind in ("", "desk")])
    assert found[0] == found[1]
