"""Chart points: every sum of an hour or day as a number, silence as unknown time, nothing before service."""

from __future__ import annotations

from datetime import date, time
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from telemetry.core.calendar.calendar_values import CalendarRules, ModeSpan
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, day_window
from telemetry.core.figures.chart_points import ChartedEntity, EntityChart, entity_chart
from telemetry.core.fold.histogram_buckets import histogram_of
from telemetry.core.fold.totals import CALENDAR_FIELD, Total
from telemetry.core.in_service import ServicePeriod, ServicePeriods
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.calendar.windows import BucketWidth

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
DATE = date(2026, 11, 23)
WHOLE = day_window(DATE, ZONE)
OPENING = WHOLE.start + 7 * HOUR
WEEK = tuple(((time(7), time(11)),) for _ in range(7))
FLOOD = ModeSpan("emergency", Window(OPENING + HOUR, OPENING + 2 * HOUR), "flood")
CENTRE, KIOSK = Scope.centre("c1"), Scope.device("c1-kiosk1")


def entity(
    *timed: Scope, periods: Mapping[str, ServicePeriod] | None = None, rules: CalendarRules | None = None
) -> ChartedEntity:
    calendar = Calendar(WEEK, ZONE, {}, rules or CalendarRules())
    known = {"land", "tax"}
    return ChartedEntity(
        "c1", "vn83", calendar, timed, ServicePeriods(periods or {}), lambda s: s if s in known else "undeclared"
    )


def total(scope: str, start: int, width: BucketWidth = "1h", **sums: int) -> Total:
    return Total("c1", scope, width, start, "vn83", sums)


def fields(chart: EntityChart, **tags: str) -> list[Mapping[str, int]]:
    """Return the fields of the points of the series with these tags, in order of time."""
    wanted = {("province", "vn83"), *tags.items()}
    return [p.fields for p in sorted(chart.points, key=lambda p: p.start) if set(p.tags) == wanted]


def test_counts_waits_within_the_exact_bounds_and_no_packed_sum_become_fields() -> None:
    waits = histogram_of(10_000) + histogram_of(10_001) + histogram_of(4_000_000)
    row = total(
        "desk:c1:land", OPENING, issued=3, wait_sum_ms=4_020_001, wait_histogram=waits, recalled=1,
        calendar=99, service_le_30=2, service_le_inf=1,
    )  # fmt: skip
    chart = entity_chart(entity(), "1h", Window(OPENING, OPENING + HOUR), [row], OPENING + DAY)
    (found,) = fields(chart, centre="c1", service="land")
    assert (chart.entity_tag, chart.points[0].kind, chart.points[0].start) == ("centre", "desk", OPENING)
    assert {"issued": 3, "wait_sum_ms": 4_020_001, "recalled": 1, "wait_count": 3}.items() <= found.items()
    assert [found[f"wait_within_{s}_s"] for s in (10, 30, 60, 3600)] == [1, 2, 2, 2]
    assert (found["service_count"], found["service_within_10_s"], found["service_within_30_s"]) == (3, 0, 2)
    assert not any("histogram" in name or "_le_" in name or name == CALENDAR_FIELD for name in found)


def test_services_that_are_not_declared_are_one_series() -> None:
    rows = [total(f"desk:c1:{name}", OPENING, issued=n) for name, n in (("tax", 1), ("lnad", 2), ("x", 4))]
    chart = entity_chart(entity(), "1h", Window(OPENING, OPENING + HOUR), rows, OPENING + DAY)
    assert [f["issued"] for f in fields(chart, centre="c1", service="tax")] == [1]
    assert [f["issued"] for f in fields(chart, centre="c1", service="undeclared")] == [6]


def test_administration_and_counters_have_their_sums_and_procedures_none() -> None:
    rows = [
        total("administration:c1:commune", OPENING, received_online=2, processing_histogram=histogram_of(5_000)),
        total("counters:c1", OPENING, counter_busy_ms=600),
        total("procedure:c1:1.000", OPENING, received=2),
    ]
    chart = entity_chart(entity(), "1h", Window(OPENING, OPENING + HOUR), rows, OPENING + DAY)
    assert fields(chart, centre="c1", level="commune") == [
        {"received_online": 2, "processing_count": 1, "fill_count": 0}
    ]
    assert fields(chart, centre="c1") == [{"counter_busy_ms": 600}]
    assert len(chart.points) == 2


def test_silence_is_unknown_time_and_the_open_clock_leaves_out_what_the_calendar_does() -> None:
    row = total(
        CENTRE, WHOLE.start, "1d", up_ms=HOUR, open_up_ms=HOUR, open_platform_ms=5 * MINUTE, platform_ms=5 * MINUTE,
        open_conn_down_ms=HOUR, ready_up=1, ready_down=0,
    )  # fmt: skip
    charted = entity(CENTRE, KIOSK, rules=CalendarRules(modes=(FLOOD,)))
    chart = entity_chart(charted, "1d", Window(WHOLE.start, WHOLE.start + 1), [row], WHOLE.end + DAY)
    (centre,), (kiosk,) = fields(chart, centre="c1"), fields(chart, centre="c1", device="c1-kiosk1")
    assert [centre[f"open_{s}_ms"] // MINUTE for s in ("up", "down", "unknown", "excluded")] == [60, 0, 115, 65]
    assert [centre[f"{s}_ms"] // MINUTE for s in ("up", "down", "unknown", "excluded")] == [60, 0, 22 * 60 + 55, 5]
    assert [centre[f"open_conn_{s}_ms"] // HOUR for s in ("up", "down", "unknown", "excluded")] == [0, 1, 2, 1]
    assert (centre["ready_up"], centre["ready_down"], "ready_up" in kiosk) == (1, 0, False)
    assert [kiosk[f"open_{s}_ms"] // HOUR for s in ("up", "down", "unknown", "excluded")] == [0, 0, 3, 1]


def test_nothing_is_judged_before_it_is_in_service_nor_after_now() -> None:
    first, connected = OPENING + 90 * MINUTE, OPENING + 2 * HOUR
    periods = ServicePeriods({str(KIOSK): ServicePeriod(first)}, {str(KIOSK): ServicePeriod(connected)})
    charted = ChartedEntity("c1", "vn83", Calendar(WEEK, ZONE), (KIOSK,), periods, str)
    chart = entity_chart(charted, "1h", Window(OPENING, OPENING + 6 * HOUR), [], OPENING + 2 * HOUR + 9 * MINUTE)
    found = fields(chart, centre="c1", device="c1-kiosk1")
    assert [f["open_unknown_ms"] // MINUTE for f in found] == [30, 5]
    assert [f["open_excluded_ms"] // MINUTE for f in found] == [30, 0]
    assert [f["open_conn_unknown_ms"] // MINUTE for f in found] == [0, 5]


def test_a_system_has_probes_and_latency_and_no_connection() -> None:
    portal = Scope.system("c1")
    row = total(
        portal, OPENING, up_ms=HOUR, open_up_ms=HOUR, conn_up_ms=0, probes=3, probes_ok=2, latency_sum_ms=400,
        latency_histogram=histogram_of(100) + histogram_of(300), open_probes=3,
    )  # fmt: skip
    chart = entity_chart(entity(portal), "1h", Window(OPENING, OPENING + HOUR), [row], OPENING + DAY)
    (found,) = fields(chart, system="c1")
    assert (chart.entity_tag, chart.kinds) == ("system", ("system",))
    assert {"probes": 3, "open_probes": 3, "latency_count": 2, "latency_within_100_ms": 1}.items() <= found.items()
    assert not any(name.startswith(("conn_", "open_conn_", "platform")) for name in found)


def test_an_imported_centre_has_counts_alone() -> None:
    rows = [total(CENTRE, OPENING, up_ms=HOUR), total("desk:c1:land", OPENING, issued=1)]
    chart = entity_chart(entity(), "1h", Window(OPENING, OPENING + HOUR), rows, OPENING + DAY)
    assert [point.kind for point in chart.points] == ["desk"]
