"""The language of a page with its texts, numbers and times; it must not depend on what the pages show."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from fastapi import Request

LanguageCode = Literal["vi", "en"]
LANGS: tuple[LanguageCode, ...] = ("vi", "en")
LANGUAGE_COOKIE = "motcua_lang"


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


@cache
def load_messages() -> dict[LanguageCode, Mapping[str, str]]:
    """Read both languages' messages."""
    folder = resources.files("dashboards") / "page" / "messages"
    return {lang: tomllib.loads((folder / f"{lang}.toml").read_text("utf-8")) for lang in LANGS}


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
        return self.messages[key].format(**{k: self._format_value(v) for k, v in values.items()})

    def _format_value(self, value: object) -> object:
        return self.number(value) if isinstance(value, int) else value

    def number(self, value: float, places: int = 0) -> str:
        """Return a number in the language's format."""
        return str(format_decimal(value, format="#,##0." + "0" * places if places else "#,##0", locale=self.lang))

    def percent(self, ratio: float | None) -> str:
        """Return a ratio as a percentage that is never rounded up to 100, or a dash."""
        if ratio is None:
            return "–"
        displayed = ratio if ratio >= 1 else min(ratio, 0.9999)
        return str(format_percent(displayed, format="#,##0.##%", locale=self.lang))

    def minutes(self, seconds: float | None) -> str:
        """Return a duration in minutes with one decimal, or a dash."""
        return "–" if seconds is None else self.t("minutes", m=self.number(seconds / 60, 1))

    def clock(self, t: int | None) -> str:
        """Return a time of day."""
        return "–" if t is None else str(format_time(to_local(t, self.zone), "HH:mm", locale=self.lang))

    def date_and_time(self, t: int | None) -> str:
        """Return date and time."""
        if t is None:
            return "–"
        return str(format_datetime(to_local(t, self.zone), "HH:mm, d MMM y", locale=self.lang, tzinfo=self.zone))

    def since(self, t: int | None, now: int) -> str:
        """Return the time of day, and the date too unless it is today's."""
        if t is not None and to_local(t, self.zone).date() == to_local(now, self.zone).date():
            return self.clock(t)
        return self.date_and_time(t)

    def day(self, day: date) -> str:
        """Return a date with its weekday."""
        return str(format_date(day, "EEE d/M/y" if self.lang == "vi" else "EEE d MMM y", locale=self.lang))

    def day_of(self, t: int) -> str:
        """Return the local date of a time, with its weekday."""
        return self.day(to_local(t, self.zone).date())

    def day_number(self, t: int) -> str:
        """Return the local day of the month."""
        return str(to_local(t, self.zone).day)

    def name(self, record: object, default: str = "") -> str:
        """Return a record's name in the page's language."""
        return str(getattr(record, f"name_{self.lang}", default) or default)
