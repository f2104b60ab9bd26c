"""Parses times of day and durations as people and spreadsheets write them; it must not know of columns or mappings."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

DAY_S: Final = 86_400
MAX_CLOCK_CHARS = 60
UNIT_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000, "day": 86_400_000}
"""The units of a duration given as a number, ms; a day and its fractions are what spreadsheets store."""
CLOCK_UNITS = {"h:mm:ss": (3_600, 60, 1), "mm:ss": (0, 60, 1), "h:mm": (0, 3_600, 60)}
"""The forms of a duration given as a clock: the seconds that each of its parts stands for."""
_HALF_DAYS = {
    "am": "AM", "a.m.": "AM", "sa": "AM", "sáng": "AM", "pm": "PM", "p.m.": "PM", "ch": "PM", "chiều": "PM",
    "tối": "PM", "trưa": "noon", "đêm": "night",
}  # fmt: skip
_HALF_DAY = "|".join(re.escape(word) for word in sorted(_HALF_DAYS, key=len, reverse=True))
_TIME_OF_DAY = re.compile(
    rf"""(?P<h>[0-9]{{1,2}})
    (?: \s?:\s?(?P<m>[0-9]{{2}}) (?:\s?:\s?(?P<s>[0-9]{{2}}) (?:[.,](?P<f>[0-9]{{1,9}}))? | \s?(?:h|g|giờ))?
      | \s?(?:h|g|giờ)\s(?:(?P<and_half>rưỡi)|kém\s(?P<to>[0-9]{{1,2}})(?:\s?(?:'|p|ph|phút))?)
      | \s?(?:h|g|giờ)\s?:?\s?
        (?:(?P<m2>[0-9]{{1,2}})\s?(?:'|p|ph|m|phút)?\s?(?:(?P<s2>[0-9]{{1,2}})\s?(?:"|s|g|giây)?)?)?
      | (?=\s?(?:{_HALF_DAY})$)
    )
    (?:\s?(?P<half>{_HALF_DAY})\.?)?""",
    re.VERBOSE | re.IGNORECASE,
)
_HALF_DAY_FIRST = re.compile(rf"(?:buổi\s)?({_HALF_DAY})\.?\s([0-9].*)", re.IGNORECASE)
_DAY_ZERO = re.compile(
    r"(?:1899-12-3[01]|1900-01-0[01]|(?:30/12|12/30|31/12|12/31)/1899|(?:0?[01]/0?1|0?1/0?0)/1900)[T\s]+(?=[0-9])"
)
"""The day before a bare time in exports of spreadsheets and of Access."""
_DIGITS = re.compile(r"([0-9]{2})([0-9]{2})([0-9]{2})?")
_HALF_DAY_IN_TEXT = re.compile(rf"(?<!\w)(?:{_HALF_DAY})(?!\w)", re.IGNORECASE)
_DOTTED = re.compile(r"([0-9]{1,2})[.]([0-9]{2})(?:[.]([0-9]{2}))?")
_FRACTION = re.compile(r"0?[.,][0-9]+|0")
_CLOCK = re.compile(r"(?P<sign>[-−+]?)(?:(?P<a>[0-9]{1,6}):)?(?P<b>[0-9]{1,6}):(?P<c>[0-9]{2}(?:[.,][0-9]{1,9})?)")
_DAYS_AND_CLOCK = re.compile(
    r"(?P<sign>[-−+]?)(?P<d>[0-9]{1,4})(?:\s?(?:days?|ngày)[,\s]\s?|\.(?=[0-9]{2}:[0-9]{2}:[0-9]{2}))(?P<rest>[0-9:.,]+)",
    re.IGNORECASE,
)
_ISO = re.compile(
    r"(?P<sign>[-−]?)P(?:(?P<w>[0-9.,]+)W)?(?:(?P<d>[0-9.,]+)D)?"
    r"(?:T(?:(?P<h>[0-9.,]+)H)?(?:(?P<m>[0-9.,]+)M)?(?:(?P<s>[0-9.,]+)S)?)?",
    re.IGNORECASE,
)
_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_END = r"(?![^\W\d])(?:\s?,)?\s?(?:(?:và|and)\s)?"
"""What follows the word of a unit: no other letter; then a comma, a space or `and` before the next part."""
_WORDS = re.compile(
    rf"""(?P<sign>[-−+]?)\s?(?=[0-9])
    (?:(?P<w>{_NUMBER})\s?(?:weeks?|w|tuần){_END})?
    (?:(?P<d>{_NUMBER})\s?(?:days?|d|ngày){_END})?
    (?:(?P<h>{_NUMBER})\s?(?:hours?|hrs?|hr|h|giờ|g|tiếng)(?P<half>\srưỡi)?:?{_END})?
    (?:(?P<m>{_NUMBER})\s?(?:minutes?|mins?|min|mn|m|phút|ph|p|'|’|\u2032|(?<=[hg][0-9]{{2}})(?=$))\.?{_END})?
    (?:(?P<s>{_NUMBER})\s?(?:seconds?|secs?|sec|s|giây|''|"|”|\u2033|(?<=m[0-9]{{2}})(?=$)){_END})?
    (?:(?P<ms>{_NUMBER})\s?ms)?""",
    re.VERBOSE | re.IGNORECASE,
)
_PLAIN_CLOCK = re.compile(r"([0-9]{1,2}):([0-9]{2}):([0-9]{2})")
"""How nearly every file writes a time of day."""
_HALF_HOUR = re.compile(r"nửa\s(?:giờ|tiếng)", re.IGNORECASE)
_PART_S = {"w": 7 * DAY_S, "d": DAY_S, "h": 3600, "m": 60, "s": 1, "ms": 0.001}


@lru_cache(maxsize=4096)
def seconds_of_day(text: str, form: str = "auto") -> float | None:
    """Return seconds after midnight, up to 24:00; None when the text is no time, or could be two."""
    if len(text) > MAX_CLOCK_CHARS:
        return None
    if form in {"min", "day"}:
        return _scale_number(text, 60 if form == "min" else DAY_S)
    if plain := _PLAIN_CLOCK.fullmatch(text):
        return _to_seconds(*plain.groups())
    text = _DAY_ZERO.sub("", text, count=1) if _DAY_ZERO.match(text) else text.removeprefix("T")
    if match := _TIME_OF_DAY.fullmatch(_HALF_DAY_FIRST.sub(r"\2 \1", text)):
        return _clock_seconds(match)
    return _bare_seconds(text, form)


def _bare_seconds(text: str, form: str) -> float | None:
    """Return a time without a colon or a letter: 7.31, 0731, 073105, a day's fraction; 0.50 could be two times."""
    dotted = _DOTTED.fullmatch(text)
    if dotted and (form == "h.mm" or dotted[3] or not text.startswith("0.")):
        return _to_seconds(*dotted.groups())
    if digits := _DIGITS.fullmatch(text.zfill(4 if len(text) < 5 else 6) if form == "hhmm" else text):
        return _to_seconds(*digits.groups())
    is_fraction = form == "auto" and _FRACTION.fullmatch(text) and len(text) != 4
    return _scale_number(text, DAY_S) if is_fraction else None


def _clock_seconds(match: re.Match[str]) -> float | None:
    seconds = _to_seconds(match["h"], match["m"] or match["m2"], match["s"] or match["s2"], match["f"])
    half = match["half"]
    seconds = seconds if seconds is None or half is None else _apply_half_day(seconds, half)
    if seconds is None or not (match["and_half"] or match["to"]):
        return seconds
    minutes = 30 if match["and_half"] else -int(match["to"])
    return seconds + minutes * 60 if minutes > -60 and 0 <= seconds + minutes * 60 <= DAY_S else None


def _apply_half_day(seconds: float, word: str) -> float | None:
    """Return the time of a clock of 12 hours; Vietnamese words may also follow one of 24 hours: 15h30 chiều."""
    half, hour = _HALF_DAYS[word.lower()], int(seconds // 3600)
    twelve = seconds % 43_200
    if half == "noon":
        return seconds if hour in {11, 12, 13} else 43_200 + seconds if hour in {1, 2} else None
    if half == "night":
        return _night_seconds(seconds, hour)
    if word.lower() in {"chiều", "tối"} and 12 < hour < 24:
        return seconds
    if not 1 <= hour <= 12:
        return None
    return twelve + (43_200 if half == "PM" else 0)


def _night_seconds(seconds: float, hour: int) -> float | None:
    if hour == 12:
        return seconds - 43_200
    if 7 <= hour < 12:
        return seconds + 43_200
    return seconds if hour < 5 or hour > 18 else None


def _to_seconds(hours: str, minutes: str | None, seconds: str | None, fraction: str | None = None) -> float | None:
    whole = int(minutes or 0), float(f"{seconds or 0}.{fraction or 0}")
    total = int(hours) * 3600 + whole[0] * 60 + whole[1]
    return total if whole[0] < 60 and whole[1] < 60 and total <= DAY_S else None


def _scale_number(text: str, unit_s: int) -> float | None:
    """Return a number of minutes or days as seconds, rounded to a second as the spreadsheet shows it."""
    if not re.fullmatch(r"[0-9]{0,4}(?:[.,][0-9]{1,20})?", text) or not text:
        return None
    seconds = float(round(float(text.replace(",", ".")) * unit_s))
    return seconds if seconds <= DAY_S else None


def clock_duration_ms(text: str, unit: str) -> int | None:
    """Return the ms of a clock such as h:mm:ss, below or above a day; None when the text is none."""
    match = _CLOCK.fullmatch(text) if len(text) <= MAX_CLOCK_CHARS else None
    if match is None or (match["a"] is not None) != (unit == "h:mm:ss"):
        return None
    first, second, third = CLOCK_UNITS[unit]
    parts = int(match["a"] or 0), int(match["b"]), float(match["c"].replace(",", "."))
    if parts[2] >= 60 or (unit == "h:mm:ss" and parts[1] >= 60):
        return None
    total = round((parts[0] * first + parts[1] * second + parts[2] * third) * 1000)
    return _apply_sign(total, match["sign"])


def worded_duration_ms(text: str) -> int | None:
    """Return the ms of a duration that says its units: `1h 05m`, `1 giờ 5 phút`, `PT39M`, `0:39:00`."""
    if len(text) > MAX_CLOCK_CHARS:
        return None
    if match := _DAYS_AND_CLOCK.fullmatch(text):
        clock = clock_duration_ms(match["rest"], "h:mm:ss")
        return None if clock is None else _apply_sign(int(match["d"]) * DAY_S * 1000 + clock, match["sign"])
    if _HALF_HOUR.fullmatch(text):
        return 1_800_000
    for pattern in (_ISO, _WORDS):
        match = pattern.fullmatch(text)
        if match and _parts_of(match):
            return _sum_parts(match)
    return clock_duration_ms(text, "h:mm:ss")


def _parts_of(match: re.Match[str]) -> list[tuple[str, str]]:
    """Return the unit and the number of each part that is there."""
    return [(unit, part) for unit, part in match.groupdict().items() if unit in _PART_S and part]


def _sum_parts(match: re.Match[str]) -> int | None:
    try:
        parts = [_PART_S[unit] * float(part.replace(",", ".")) for unit, part in _parts_of(match)]
    except ValueError:
        return None
    half_hour = 1800 if match.groupdict().get("half") else 0
    return _apply_sign(round((sum(parts) + half_hour) * 1000), match["sign"])


def _apply_sign(total_ms: int, sign: str) -> int:
    return -total_ms if sign in {"-", "−"} else total_ms


def to_english_half_days(text: str) -> str:
    """Return the text with AM or PM for each word of a half day, as a pattern with %p reads it."""

    def english(match: re.Match[str]) -> str:
        half = _HALF_DAYS[match[0].lower()]
        return half if half in {"AM", "PM"} else match[0]

    return _HALF_DAY_IN_TEXT.sub(english, text)
