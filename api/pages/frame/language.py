"""The language of a page with its texts, numbers and times; it must not depend on what the pages show."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from itertools import groupby
from math import ceil, floor
from typing import TYPE_CHECKING

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from api.pages.frame.catalogues import LANGS, LanguageCode
from telemetry.core.calendar.calendar_values import describe_hours
from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from zoneinfo import ZoneInfo

    from fastapi import Request

    from telemetry.core.calendar.calendar_values import OpeningHours
    from telemetry.core.figures.accounting import CoveredRatio
    from telemetry.core.figures.condition import Reason
    from telemetry.core.fold.live_row_types import ExpectedWait

LANGUAGE_COOKIE = "motcua_lang"
AGE_LIMITS_S = {"seconds": 120, "minutes": 7200, "hours": 172_800}
"""Up to these ages the unit is used."""


def choose_language(request: Request) -> LanguageCode:
    """Return the language of the query, else the cookie, else the browser, else Vietnamese."""
    for requested in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if requested in LANGS:
            return requested
    return _parse_accept_language(request.headers.get("accept-language", ""))


def _parse_accept_language(header: str) -> LanguageCode:
    weighted: list[tuple[float, LanguageCode]] = []
    for part in header.split(","):
        tag, _, weight = part.strip().partition(";q=")
        lang = tag.split("-")[0].lower()
        if lang in LANGS:
            weighted.append((_parse_weight(weight), lang))
    return max(weighted, key=lambda x: x[0])[1] if weighted else "vi"


def _parse_weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


@lru_cache(maxsize=1 << 13)
def _format_number(value: float, pattern: str, lang: str) -> str:
    """Return a number in a language's format; pages show the same ones again and again."""
    return str(format_decimal(value, format=pattern, locale=lang))


@lru_cache(maxsize=1 << 12)
def _format_percent(ratio: float, pattern: str, lang: str) -> str:
    return str(format_percent(ratio, format=pattern, locale=lang))


@dataclass(frozen=True, slots=True)
class PageLocale:
    """One language's messages and formats, in one time zone."""

    lang: LanguageCode
    messages: Mapping[str, str]
    zone: ZoneInfo

    def t(self, key: str, **values: object) -> str:
        """Return a message; `key_one` is used when n is 1 and the language has it."""
        if values.get("n") == 1 and f"{key}_one" in self.messages:
            key = f"{key}_one"
        message = self.messages[key]
        if "{" not in message:  # most names of kinds and states: a list of all devices has thousands
            return message
        return message.format(**{k: self._format_value(v) for k, v in values.items()})

    def _format_value(self, value: object) -> object:
        return self.number(value) if isinstance(value, int) else value

    def number(self, value: float, places: int = 0) -> str:
        """Return a number in the language's format."""
        return _format_number(value, "#,##0." + "0" * places if places else "#,##0", self.lang)

    def percent(self, ratio: float | None) -> str:
        """Return a ratio as a percentage that is never rounded up to 100, or a dash."""
        if ratio is None:
            return "–"
        displayed = ratio if ratio >= 1 else min(ratio, 0.9999)
        return _format_percent(displayed, "#,##0.##%", self.lang)

    def share(self, ratio: float | None) -> str:
        """Return a share of tickets as a percentage with at most one decimal, never rounded up to 100, or a dash."""
        if ratio is None:
            return "–"
        displayed = ratio if ratio >= 1 else min(ratio, 0.999)
        return _format_percent(displayed, "#,##0.#%", self.lang)

    def covered_ratio(self, ratio: CoveredRatio) -> str:
        """Return a ratio as a percentage; as its range in whole per cent when too little is known; or a dash."""
        if ratio.form != "range" or ratio.low is None or ratio.high is None:
            return self.percent(ratio.value)
        low, high = floor(round(100 * ratio.low, 6)), ceil(round(100 * ratio.high, 6))
        upper = self.percent(high / 100 if high < 100 else ratio.high)
        return f"{self.number(low)}–{upper}"

    def decimal(self, value: float | None) -> str:
        """Return a number with at most one decimal, which is never a zero, or a dash."""
        return "–" if value is None else _format_number(value, "#,##0.#", self.lang)

    def minutes(self, seconds: float | None) -> str:
        """Return a duration in minutes with at most one decimal, or a dash."""
        return "–" if seconds is None else self.t("minutes", m=self.decimal(seconds / 60))

    def expected_wait(self, expected: ExpectedWait | None) -> str:
        """Return a newcomer's expected wait as a range in whole minutes, or a dash."""
        if expected is None or expected.p50_ms is None or expected.p90_ms is None:
            return "–"
        low, high = expected.p50_ms // 60_000, max(ceil(expected.p90_ms / 60_000), 1)
        if high <= 1:
            return self.t("about_a_minute")
        return self.t("about_minutes", low=self.number(max(low, 1)), high=self.number(high))

    def reason(self, reason: Reason, now: int) -> str:
        """Return why a condition is not better, in words."""
        key = f"reason_{reason.code}"
        if reason.code == "no_contact" and reason.at is None:
            return self.t(f"{key}_never")
        values = {
            "at": None if reason.at is None else self.since(reason.at, now),
            "wait": None if reason.seconds is None else self.minutes(60 * (reason.seconds // 60)),
            "target": None if reason.target_s is None else self.minutes(reason.target_s),
            "ratio": self.share(reason.ratio),
            "goal": self.share(reason.goal),
            "n": reason.count,
            "left": reason.left,
        }
        return self.t(key, **{name: value for name, value in values.items() if value is not None})

    def kind(self, kind: str, n: int = 1) -> str:
        """Return the name of a kind of device in the number of n; the kind itself without one."""
        return self.t(f"kind_{kind}", n=n) if f"kind_{kind}" in self.messages else kind

    def clock(self, t: int | None) -> str:
        """Return a time of day."""
        return "–" if t is None else f"{to_local(t, self.zone):%H:%M}"

    def date_and_time(self, t: int | None) -> str:
        """Return date and time."""
        if t is None:
            return "–"
        pattern = "HH:mm, dd/MM/y" if self.lang == "vi" else "HH:mm, d MMM y"
        return str(format_datetime(to_local(t, self.zone), pattern, locale=self.lang, tzinfo=self.zone))

    def since(self, t: int | None, now: int) -> str:
        """Return the time of day, and the date too unless it is today's."""
        if t is not None and to_local(t, self.zone).date() == to_local(now, self.zone).date():
            return self.clock(t)
        return self.date_and_time(t)

    def since_with_seconds(self, t: int, now: int) -> str:
        """Return the time of day to the second, and the date too unless it is today's."""
        if to_local(t, self.zone).date() == to_local(now, self.zone).date():
            return str(format_time(to_local(t, self.zone), "HH:mm:ss", locale=self.lang))
        return self.date_and_time(t)

    def ago(self, seconds: int) -> str:
        """Return an age in seconds, minutes, hours or days; `page.js` writes the same."""
        for unit, length in (("seconds", 1), ("minutes", 60), ("hours", 3600)):
            if seconds < AGE_LIMITS_S[unit]:
                return self.t(f"ago_{unit}", n=seconds // length)
        return self.t("ago_days", n=seconds // 86_400)

    def day(self, day: date) -> str:
        """Return a date with its weekday."""
        return str(format_date(day, "EEE dd/MM/y" if self.lang == "vi" else "EEE d MMM y", locale=self.lang))

    def weekday(self, day: date) -> str:
        """Return the weekday of a date, short."""
        return str(format_date(day, "EEE", locale=self.lang))

    def short_day(self, day: date) -> str:
        """Return a date with its weekday and without its year."""
        return str(format_date(day, "EEE dd/MM" if self.lang == "vi" else "EEE d MMM", locale=self.lang))

    def day_of(self, t: int) -> str:
        """Return the local date of a time, with its weekday."""
        return self.day(to_local(t, self.zone).date())

    def weekly_hours(self, hours: Sequence[OpeningHours]) -> str:
        """Return the opening hours of a week from Monday, equal neighbours as one: `Mon–Fri 07:30-16:30`."""
        names = [str(format_date(date(2024, 1, 1 + place), "EEE", locale=self.lang)) for place in range(7)]
        texts = []
        for text, run in groupby(enumerate(hours), lambda entry: describe_hours(entry[1])):
            places = [place for place, _ in run]
            span = names[places[0]] if len(places) == 1 else f"{names[places[0]]}–{names[places[-1]]}"
            if text:
                texts.append(f"{span} {text}")
        return "; ".join(texts)

    def plain_date(self, day: date) -> str:
        """Return a date without its weekday."""
        return str(format_date(day, "dd/MM/y" if self.lang == "vi" else "d MMM y", locale=self.lang))

    def with_dates(self, values: Mapping[str, object]) -> dict[str, object]:
        """Return a message's values, dates as text."""
        return {name: self.plain_date(value) if isinstance(value, date) else value for name, value in values.items()}

    def short_day_of(self, t: int) -> str:
        """Return the local day and month of a time."""
        return self.short_date(to_local(t, self.zone).date())

    def short_date(self, day: date) -> str:
        """Return day and month."""
        return str(format_date(day, "dd/MM" if self.lang == "vi" else "d MMM", locale=self.lang))

    def month(self, day: date) -> str:
        """Return the month of a day."""
        return str(format_date(day, "MM/y" if self.lang == "vi" else "MMMM y", locale=self.lang))

    def month_of(self, t: int) -> str:
        """Return the local month of a time, short."""
        return str(
            format_date(to_local(t, self.zone).date(), "MM/y" if self.lang == "vi" else "MMM y", locale=self.lang)
        )

    def day_number(self, t: int) -> str:
        """Return the local day of the month."""
        return str(to_local(t, self.zone).day)

    def name(self, record: object, default: str = "") -> str:
        """Return a record's name in the page's language."""
        return str(getattr(record, f"name_{self.lang}", default) or default)
