"""A period's queue figures by time, time of day, service and centre: recounted by hand."""

from __future__ import annotations

from datetime import date
from zoneinfo import ZoneInfo

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, day_window
from telemetry.core.figures.queue_periods import (
    QueueHistoryRow,
    figures_by_name,
    figures_by_time,
    figures_by_time_of_day,
    figures_of_all,
)

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
MONDAY = day_window(date(2026, 11, 23), ZONE).start
HALF = 30 * MINUTE


def row(start: int, issued: int, service: str = "land", centre: str = "a") -> QueueHistoryRow:
    return QueueHistoryRow(centre, service, Window(start, start + HALF), ZONE, {"issued": issued, "served": 1})


ROWS = (
    row(MONDAY + 7 * HOUR, 3),
    row(MONDAY + 8 * HOUR, 5, "tax"),
    row(MONDAY + DAY + 7 * HOUR, 4),
    row(MONDAY + DAY + 7 * HOUR, 2, "tax", "b"),
)


def test_all_rows_add_up() -> None:
    assert (figures_of_all(ROWS).issued, figures_of_all(ROWS).served) == (14, 4)
    assert figures_of_all(()).wait.mean_s is None
    assert ROWS[1].figures.issued == 5


def test_buckets_without_tickets_are_zero_and_buckets_outside_opening_hours_are_added() -> None:
    opening = [Window(t, t + HALF) for t in (MONDAY + 7 * HOUR, MONDAY + 7 * HOUR + HALF)]
    points = figures_by_time(ROWS, opening)
    assert [(p.window.start - MONDAY, p.figures.issued) for p in points] == [
        (7 * HOUR, 3),
        (7 * HOUR + HALF, 0),
        (8 * HOUR, 5),
        (DAY + 7 * HOUR, 6),
    ]


def test_a_time_of_day_adds_the_days_and_divides_by_the_open_ones_that_reached_it() -> None:
    profile = figures_by_time_of_day(ROWS, ZONE, HALF, lambda minute: 2 if minute < 480 else 1)
    assert [(p.minute, p.figures.issued, p.issued_per_day) for p in profile] == [
        (420, 9, 4.5),
        (450, 0, 0.0),
        (480, 5, 5.0),
    ]
    assert [p.issued_per_day for p in figures_by_time_of_day(ROWS, ZONE, HALF, lambda _: 0)] == [None, None, None]
    assert figures_by_time_of_day((), ZONE, HALF, lambda _: 2) == ()


def test_names_come_in_the_declared_order_then_by_id() -> None:
    services = figures_by_name(ROWS, lambda r: r.service, ["tax", "birth"])
    assert [(n.ident, n.figures.issued) for n in services] == [("tax", 7), ("birth", 0), ("land", 7)]
    assert [(n.ident, n.figures.issued) for n in figures_by_name(ROWS, lambda r: r.centre)] == [("a", 12), ("b", 2)]
