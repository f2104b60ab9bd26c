from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, time, timedelta
from zoneinfo import ZoneInfo

import msgspec
import pytest

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN, CalendarRules
from telemetry.core.calendar.windows import local_ms
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Centre
from telemetry.core.queueing.centre_forecast import (
    HORIZON_DAYS,
    ForecastInputs,
    coming_open_days,
    forecast_centre,
    pool_shapes,
    service_shares,
)
from telemetry.core.queueing.forecast_rows import CentreForecast, DayForecastNow, decode_forecast
from telemetry.core.queueing.half_hours import add_half_hours

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
HOURS = ((time(7), time(11, 30)), (time(13, 30), time(17)))
FIRST = date(2026, 8, 3)
HOLIDAY = date(2026, 9, 2)


def hall(hours: tuple[tuple[tuple[time, time], ...], ...] = (HOURS,) * 5 + ((), ())) -> Centre:
    rules = CalendarRules(holidays={HOLIDAY: "Quốc khánh"})
    return Centre("vn83-a", "83", "commune", "An", "An", "vn83", "", 2, hours, ("land", "tax"), ZONE, rules=rules)


def totals(centre: Centre, days: int, level: int = 12) -> list[Total]:
    """Return 5-minute totals: `level` tickets a half hour for land, a third of it for tax, from half past six on."""
    rng, found = random.Random(5), []
    for day in (FIRST + timedelta(days=n) for n in range(days)):
        if not centre.calendar.day_plan(day).hours:
            continue
        for minute in range(6 * 60 + 30, 17 * 60, 30):
            start = local_ms(day, time(minute // 60, minute % 60), ZONE)
            if centre.is_open(start + 1_800_000):
                for service, mean in (("land", level), ("tax", level // 3)):
                    issued = rng.randint(max(0, mean - 2), mean + 2)
                    sums = {
                        "issued": issued, "called": issued, "wait_sum_ms": issued * rng.randint(250_000, 350_000),
                        "service_count": issued, "service_sum_ms": issued * 240_000, "abandoned": 0,
                    }  # fmt: skip
                    found.append(Total(centre.id, f"desk:{centre.id}:{service}", "5m", start, "vn83", sums))
    return found


def forecast(days: int, centre: Centre | None = None, **inputs: object) -> CentreForecast:
    place = centre or hall()
    half_hours = add_half_hours(place, totals(place, days))
    origin = FIRST + timedelta(days=days)
    return forecast_centre(ForecastInputs(place, half_hours, origin, **inputs), 1_000)  # type: ignore[arg-type]


def test_the_next_open_days_are_forecast_with_their_services() -> None:
    made = forecast(28)
    assert (made.centre, made.at, made.origin) == ("vn83-a", 1_000, date(2026, 8, 31))
    assert (made.history_from, made.history_days, made.model) == (FIRST, 20, "profile")
    days = [day.day for day in made.days]
    assert len(days) == HORIZON_DAYS
    assert days[:3] == [date(2026, 8, 31), date(2026, 9, 1), date(2026, 9, 3)], "the holiday is closed"
    monday = made.days[0]
    assert monday.first == 13, "tickets are taken from half past six"
    assert sum(monday.expected) == pytest.approx(16 * 16 + 16, rel=0.12)
    assert sum(map(sum, monday.services.values())) == pytest.approx(sum(monday.expected), rel=0.01)
    assert sum(monday.services["land"]) > 2.5 * sum(monday.services["tax"])
    assert monday.expected[23 - 13 + 2] < 1, "the noon break"


def test_what_the_forecast_rests_on_is_kept_as_sums() -> None:
    made = forecast(28)
    assert made.sums.issued == sum(made.profile)
    assert made.sums.service_sum_ms == 240_000 * made.sums.service_count
    assert made.backtest.days == 10
    assert 0 < made.backtest.profile_absolute < made.backtest.actual
    assert made.judged_from == date(2026, 8, 11)
    assert made.flags == ()


def test_a_forecast_is_read_as_it_was_written() -> None:
    made = forecast(28)
    assert decode_forecast(msgspec.json.encode(made)) == made


def test_a_holiday_in_the_history_is_no_day_without_tickets() -> None:
    made = forecast(42)
    assert made.history_days == 29
    assert all(sum(day.expected) > 200 for day in made.days)


def test_too_few_days_forecast_nothing_and_say_so() -> None:
    made = forecast(3)
    assert made.history_days == 3
    assert [day.expected for day in made.days] == [()] * HORIZON_DAYS
    nothing = forecast_centre(ForecastInputs(hall(), add_half_hours(hall(), []), FIRST), 0)
    assert (nothing.history_days, nothing.history_from, nothing.judged_from, nothing.profile) == (0, None, None, ())


def test_the_plain_mean_is_stored_while_it_is_the_champion() -> None:
    plain = forecast(8, champion="same_slot_mean")
    assert plain.model == "same_slot_mean"
    assert plain.days[0].expected != forecast(8).days[0].expected


def test_a_rush_is_stored_as_a_flag_with_the_days_it_was_judged_by() -> None:
    place = hall()
    day = FIRST + timedelta(days=25)
    early = FIRST + timedelta(days=3)
    found = totals(place, 28)
    rush = [
        Total(place.id, f"desk:{place.id}:land", "5m", local_ms(when, time(9, 5), ZONE), "vn83", {"issued": 300})
        for when in (day, early)
    ]
    made = forecast_centre(ForecastInputs(place, add_half_hours(place, [*found, *rush]), date(2026, 8, 31)), 0)
    (flag,) = made.flags
    assert (flag.day, flag.slot, flag.cause, flag.live) == (day, 18, "arrivals", True)
    assert flag.deviations[0].actual > 300
    short = forecast_centre(
        ForecastInputs(place, add_half_hours(place, [*totals(place, 12), *rush[1:]]), FIRST + timedelta(days=12)), 0
    )
    assert [(f.day, f.live) for f in short.flags] == [(early, False)], "judged by later days too"


def test_a_centre_that_is_always_open_is_forecast_every_day() -> None:
    log = hall(ALWAYS_OPEN)
    assert coming_open_days(log, FIRST, 3) == [FIRST + timedelta(days=n) for n in range(3)]
    assert coming_open_days(hall(((),) * 7), FIRST) == [], "never open"
    made = forecast(14, log)
    assert made.history_days == 14
    assert made.days[0].first + len(made.days[0].expected) <= 48


def test_shapes_are_pooled_by_tickets() -> None:
    assert pool_shapes([(1, 3), (), (0, 4)]) == (1 / 8, 7 / 8)
    assert pool_shapes([()]) == ()
    assert pool_shapes([(0, 0)]) == ()


def test_the_first_day_is_judged_as_it_passes_where_the_history_suffices() -> None:
    assert len(forecast(28).references) == 48
    assert forecast(28).references[18].expected == pytest.approx(16, abs=2)
    assert forecast(11).references == (), "nine open days"
    weekend = forecast(27)
    assert weekend.origin.weekday() == 6
    assert weekend.references == (), "closed"
    log = replace(hall(ALWAYS_OPEN), imported=True)
    assert forecast(20, log).references == ()


def test_a_service_without_tickets_has_no_share() -> None:
    assert service_shares({}, [FIRST]) == {}
    shares = service_shares({"land": {(FIRST, 14): 3}, "tax": {}}, [FIRST])
    assert shares == {"land": (1.0,) * 48}


def test_tickets_of_other_days_have_no_part_in_a_share() -> None:
    other = FIRST + timedelta(days=5)
    issued = {"land": {(FIRST, 14): 30, (other, 14): 900}, "tax": {(FIRST, 15): 10}}
    shares = service_shares(issued, [FIRST])
    assert shares["land"][14] == pytest.approx((30 + 20 * 0.75) / (30 + 20))
    assert shares["land"][20] == pytest.approx(0.75)


def test_a_day_has_no_half_hour_after_midnight_and_services_have_its_half_hours() -> None:
    with pytest.raises(ValueError, match="half hours do not fit"):
        DayForecastNow(day=FIRST, first=40, expected=(1.0,) * 9)
    with pytest.raises(ValueError, match="half hours do not fit"):
        DayForecastNow(day=FIRST, first=14, expected=(1.0,), services={"land": (1.0, 2.0)})
    with pytest.raises(msgspec.DecodeError):
        decode_forecast(b'{"centre":"a","at":1,"origin":"2026-08-03","references":[{"expected":1}]}')
    with pytest.raises(msgspec.DecodeError):
        decode_forecast(b'{"centre":"a","at":1,"origin":"2026-08-03","days":[{"day":"2026-08-03","expected":[-1]}]}')
