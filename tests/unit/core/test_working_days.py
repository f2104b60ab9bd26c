"""Due dates in working days, by the calendar of spring 2025: Friday 2 May was worked on Saturday 26 April."""

from __future__ import annotations

from datetime import date, time
from types import MappingProxyType
from zoneinfo import ZoneInfo

import pytest

from telemetry.core.calendar.calendar_values import CalendarRules, Swap
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import local_ms
from telemetry.core.calendar.working_days import Pause, due_date

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
SHIFTS = ((time(7), time(11, 30)), (time(13, 30), time(17)))
SPRING = Calendar(
    (SHIFTS,) * 5 + ((),) * 2,
    ZONE,
    rules=CalendarRules(
        holidays=MappingProxyType({date(2025, 4, 30): "Ngày Chiến thắng", date(2025, 5, 1): "Quốc tế Lao động"}),
        swaps=MappingProxyType(
            {
                date(2025, 4, 26): Swap(4, date(2025, 5, 2), "làm bù"),
                date(2025, 5, 2): Swap(None, date(2025, 4, 26), "nghỉ bù"),
            }
        ),
    ),
)
THURSDAY = date(2025, 4, 24)


@pytest.mark.parametrize(
    ("working_days", "due"),
    [
        (0, date(2025, 4, 24)),
        (1, date(2025, 4, 25)),
        (2, date(2025, 4, 26)),
        (4, date(2025, 4, 29)),
        (5, date(2025, 5, 5)),
        (10, date(2025, 5, 12)),
    ],
)
def test_working_day_due_dates_leave_out_weekends_and_holidays_and_count_swapped_days(
    working_days: int, due: date
) -> None:
    found = due_date(SPRING, THURSDAY, working_days)
    assert found is not None
    assert (found.day, found.at) == (due, local_ms(due, time(17), ZONE))


def test_working_day_due_dates_pause_while_a_supplement_is_awaited() -> None:
    pause = Pause(date(2025, 4, 28), date(2025, 5, 6))
    found = due_date(SPRING, THURSDAY, 4, (pause,))
    assert found is not None
    assert found.counted == (date(2025, 4, 25), date(2025, 4, 26), date(2025, 5, 7), date(2025, 5, 8))


def test_a_dossier_of_a_day_off_is_due_on_the_next_working_day() -> None:
    found = due_date(SPRING, date(2025, 5, 1), 0)
    assert found is not None
    assert found.day == date(2025, 5, 5)


def test_a_calendar_that_is_never_open_has_no_due_date() -> None:
    assert due_date(Calendar(((),) * 7, ZONE), THURSDAY, 1) is None
