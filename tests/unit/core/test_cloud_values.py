"""An agency exists from its first day until the day on which it no longer does."""

from __future__ import annotations

from datetime import date

import pytest

from telemetry.core.cloud.values import Agency

FIRST, END = date(2020, 6, 1), date(2025, 7, 1)


@pytest.mark.parametrize(
    ("valid_from", "valid_to", "day", "is_valid"),
    [
        (FIRST, END, date(2020, 5, 31), False),
        (FIRST, END, FIRST, True),
        (FIRST, END, date(2025, 6, 30), True),
        (FIRST, END, END, False),
        (None, None, date(1945, 9, 2), True),
        (None, END, END, False),
        (FIRST, None, date(2999, 1, 1), True),
    ],
)
def test_the_last_day_of_an_agency_is_the_one_before_its_end(
    valid_from: date | None, valid_to: date | None, day: date, *, is_valid: bool
) -> None:
    agency = Agency("vn83-ubnd", "83", "Ủy ban", "Committee", valid_from=valid_from, valid_to=valid_to)
    assert agency.is_valid_on(day) == is_valid
