"""Which language a page is in, and its words, numbers and times; it must not know what the pages show."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from telemetry.core.calendar.windows import at

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from fastapi import Request

Lang = Literal["vi", "en"]
LANGS: tuple[Lang, ...] = ("vi", "en")
COOKIE = "motcua_lang"


def chosen(request: Request) -> Lang:
    """Return the language of the query, else the cookie, else the browser, else Vietnamese."""
    for said in (request.query_params.get("lang"), request.cookies.get(COOKIE)):
        if said in LANGS:
            return said
    return _accepted(request.headers.get("accept-language", ""))


def _accepted(header: str) -> Lang:
    weighed: list[tuple[float, Lang]] = []
    for part in header.split(","):
        tag, _, weight = part.strip().partition(";q=")
        lang = tag.split("-")[0].lower()
        if lang in LANGS:
            weighed.append((_weight(weight), lang))
    return max(weighed, key=lambda x: x[0])[1] if weighed else "vi"


def _weight(text: str) -> float:
    try:
        return float(text) if text else 1.0
    except ValueError:
        return 0.0


@cache
def load_words() -> dict[Lang, Mapping[str, str]]:
    """Read both languages' messages."""
    folder = resources.files("dashboards") / "page" / "messages"
    return {lang: tomllib.loads((folder / f"{lang}.toml").read_text("utf-8")) for lang in LANGS}


@dataclass(frozen=True, slots=True)
class Words:
    """One language's messages and formats, in one time zone."""

    lang: Lang
    messages: Mapping[str, str]
    zone: ZoneInfo

    def t(self, key: str, **values: object) -> str:
        """Return a message; `key_one` is used when n is 1 and the language has it."""
        if values.get("n") == 1 and f"{key}_one" in self.messages:
            key = f"{key}_one"
        return self.messages[key].format(**{k: self._value(v) for k, v in values.items()})

    def _value(self, value: object) -> object:
        return self.number(value) if isinstance(value, int) else value

    def number(self, value: float, places: int = 0) -> str:
        """Return a number in the language's manner."""
        return str(format_decimal(value, format="#,##0." + "0" * places if places else "#,##0", locale=self.lang))

    def percent(self, ratio: float | None) -> str:
        """Return a ratio as a percentage that is never rounded up to 100, or a dash."""
        if ratio is None:
            return "–"
        shown = ratio if ratio >= 1 else min(ratio, 0.9999)
        return str(format_percent(shown, format="#,##0.##%", locale=self.lang))

    def minutes(self, seconds: float | None) -> str:
        """Return a duration in minutes with one decimal, or a dash."""
        return "–" if seconds is None else self.t("minutes", m=self.number(seconds / 60, 1))

    def clock(self, t: int | None) -> str:
        """Return a time of day."""
        return "–" if t is None else str(format_time(at(t, self.zone), "HH:mm", locale=self.lang))

    def moment(self, t: int | None) -> str:
        """Return date and time."""
        if t is None:
            return "–"
        return str(format_datetime(at(t, self.zone), "HH:mm, d MMM y", locale=self.lang, tzinfo=self.zone))

    def since(self, t: int | None, now: int) -> str:
        """Return the time of day, and the date too unless it is today's."""
        if t is not None and at(t, self.zone).date() == at(now, self.zone).date():
            return self.clock(t)
        return self.moment(t)

    def day(self, day: date) -> str:
        """Return a date with its weekday."""
        return str(format_date(day, "EEE d/M/y" if self.lang == "vi" else "EEE d MMM y", locale=self.lang))

    def day_of(self, t: int) -> str:
        """Return the local date of a time, with its weekday."""
        return self.day(at(t, self.zone).date())

    def day_number(self, t: int) -> str:
        """Return the local day of the month."""
        return str(at(t, self.zone).day)

    def name(self, thing: object, default: str = "") -> str:
        """Return the name of something that has one in both languages."""
        return str(getattr(thing, f"name_{self.lang}", default) or default)
