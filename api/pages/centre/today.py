"""Today beside the usual day on a centre's page: a sentence and two small charts; it must not compute figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from api.pages.charts.day import DayPoint, day_chart
from api.pages.charts.heat_map import weekday_name

if TYPE_CHECKING:
    from api.pages.charts.day import DayChart
    from api.pages.frame.language import PageLocale
    from telemetry.queries.centre_days import DayAgainstUsual, HalfHourToday
    from telemetry.queries.views import CentreView

_MARKS = {"more": "▲", "usual": "=", "fewer": "▽"}


@dataclass(frozen=True, slots=True)
class TodaySection:
    """Today in words, and as charts of tickets and waits (minutes) over their usual ranges."""

    sentence: str
    mark: str
    word: str
    tickets: DayChart
    waits: DayChart
    has_usual: bool
    any: bool


def build_today(day: DayAgainstUsual, view: CentreView, locale: PageLocale) -> TodaySection:
    """Lay out today's half hours."""
    return TodaySection(
        sentence=today_sentence(day, view, locale),
        mark=_MARKS[day.so_far.comparison] if day.so_far else "",
        word=locale.t(f"day_word_{day.so_far.comparison}") if day.so_far else "",
        tickets=day_chart([_tickets_point(row, locale) for row in day.rows]),
        waits=day_chart([_waits_point(row, locale) for row in day.rows]),
        has_usual=any(row.expected is not None for row in day.rows),
        any=any(row.issued or row.wait.count or row.expected is not None for row in day.rows),
    )


def today_sentence(day: DayAgainstUsual, view: CentreView, locale: PageLocale) -> str:
    """Return how the day compares so far; without anything to compare with, how many tickets there are."""
    weekday = weekday_name(day.day.weekday(), locale)
    if locale.lang == "vi":
        weekday = weekday[:1].lower() + weekday[1:]
    so_far = day.so_far
    if so_far is not None:
        return locale.t(
            f"day_{so_far.comparison}",
            weekday=weekday, at=locale.clock(so_far.until), n=so_far.issued, low=so_far.low, high=so_far.high,
        )  # fmt: skip
    issued = view.today.issued
    if day.status == "closed" and not issued:
        return locale.t("day_closed")
    key = "day_early" if day.status == "ok" else "day_alone"
    return locale.t(key, n=issued)


def _tickets_point(row: HalfHourToday, locale: PageLocale) -> DayPoint:
    label, expected = locale.clock(row.window.start), row.expected
    low, high = (expected.low, expected.high) if expected else (None, None)
    value = "–" if row.issued is None else locale.number(row.issued)
    tip = f"{label}: {locale.t('day_tip_tickets', value=value)}"
    if expected and expected.high:
        tip += f"; {locale.t('day_tip_usual', low=locale.number(expected.low), high=locale.number(expected.high))}"
    return DayPoint(label, tip, row.issued, low, high, closed=not row.is_open)


def _waits_point(row: HalfHourToday, locale: PageLocale) -> DayPoint:
    label, usual, mean_s = locale.clock(row.window.start), row.usual_wait, row.wait.mean_s
    tip = f"{label}: {locale.t('day_tip_wait', value=locale.minutes(mean_s))}"
    low, high = (usual.low_s / 60, usual.high_s / 60) if usual and row.is_open else (None, None)
    if low is not None and high is not None:
        tip += f"; {locale.t('day_tip_usual', low=locale.decimal(low), high=locale.decimal(high))}"
    return DayPoint(label, tip, None if mean_s is None else mean_s / 60, low, high, closed=not row.is_open)
