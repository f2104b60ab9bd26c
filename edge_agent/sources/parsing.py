"""Parses events of local programs strictly; it must not log or store what it refuses."""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.protocol import codec, events as ev, text_validation
from telemetry.core.protocol.event_texts import AGENT_ONLY_EVENTS, EVENT_EXAMPLES
from telemetry.core.protocol.json_bytes import to_plain_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_FIELD_PATTERN = re.compile(r"\$\.?([\w.\[\]]+)`|field `(\w+)`")
_ID_RULE = "regex '^[a-z0-9-]{1,63}$'"
_FAR_FUTURE_MS = 1 << 53
_MAX_NANOSECONDS = 1 << 80
_DAY_MS, _HOUR_MS, _MINUTE_MS = 86_400_000, 3_600_000, 60_000
MAX_FAULTS_PER_EVENT = 20
MAX_AGE_MS = 400 * _DAY_MS
"""The oldest capture time that a program may post, ms before now."""
EARLIEST_CLOCK_MS = 1_577_836_800_000
"""2020: a device whose clock is earlier has not been synchronised, and times are not compared with it."""


END_OF_TIMES_MS = 4_102_444_800_000
"""2100: no clock is that wrong; the time is a placeholder such as 9999-12-31."""


@dataclass(frozen=True, slots=True)
class TimeBounds:
    """How far a time may lie before and after the present, ms."""

    before_ms: int
    ahead_ms: int


_PAST = TimeBounds(MAX_AGE_MS, codec.MAX_FUTURE_MS)
_DOSSIER = TimeBounds(10 * MAX_AGE_MS, 10 * MAX_AGE_MS)
TIME_BOUNDS = {
    **dict.fromkeys(("t", "entered", "called", "started", "last_success"), _PAST),
    **dict.fromkeys(("opens", "closes", "booked"), TimeBounds(MAX_AGE_MS, MAX_AGE_MS)),
    "received": TimeBounds(10 * MAX_AGE_MS, codec.MAX_FUTURE_MS),
    "due": _DOSSIER,
}
"""The fields that hold a time, Unix ms, and where it may lie."""
_UNITS = ((1_000.0, "seconds", "multiply by 1000"), (1e-3, "microseconds", "divide by 1000"),
          (1e-6, "nanoseconds", "divide by 1000000"), (60_000.0, "minutes", "multiply by 60000"))  # fmt: skip
_CONTRACT_FIELDS = {field.encode_name for kind in ev.AGENT_EVENTS for field in msgspec.structs.fields(kind)}
_EVENT_TYPES = tuple(str(kind.__struct_config__.tag) for kind in ev.AGENT_EVENTS)


class BadEvent(ValueError):
    """The input is not a valid event; the message may quote it, so it is returned only to the sender."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field, self.problem, self.remedy = field, problem, remedy


class OtherUnit(BadEvent):
    """A time is of this device's days when it is read in another `unit` than milliseconds."""

    def __init__(self, field: str, problem: str, remedy: str, unit: str) -> None:
        super().__init__(field, problem, remedy)
        self.unit = unit


@dataclass(frozen=True, slots=True)
class LoggableFault:
    """What is wrong with an event, without anything of its content: `field` is one of the contract or of a mapping."""

    field: str
    reason: str


_REASONS = (
    ("Object missing required field", "is missing"),
    ("Invalid enum value", "is none of the values allowed"),
    ("Invalid value", "is none of the values allowed"),
    ("a value looks like personal data", "a value looks like personal data"),
    ("not a JSON object", "not a JSON object"),
    ("no JSON", "no JSON"),
    ("is after the year 2099", "is after the year 2099"),
    ("is a list, no text", "is a list, no text"),
    ("is an object, no text", "is an object, no text"),
    ("is looked for in a list", "is looked for in a list"),
)


def describe_without_content(error: Exception) -> LoggableFault:
    """Return the field and reason of a refused event for the log: a message of BadEvent may quote the event."""
    if not isinstance(error, BadEvent):
        return LoggableFault("", "nested too deeply")
    if isinstance(error, OtherUnit):
        return LoggableFault(error.field, f"a time in {error.unit}, not in milliseconds")
    if "unknown field" in error.problem:
        reason = "not a field of this type"
        if error.field not in _CONTRACT_FIELDS:  # its name is the sender's own text
            return LoggableFault("", f"has a field that is {reason}; {error.remedy}")
        return LoggableFault(error.field, reason)
    if error.problem.startswith("Expected "):  # names types and bounds of the contract, never the value
        return LoggableFault(error.field, error.problem.partition(" - at ")[0])
    reason = next((text for start, text in _REASONS if error.problem.startswith(start)), "cannot be read")
    return LoggableFault(error.field, reason)


def parse_event(value: object) -> ev.Event:
    """Return the event of a JSON value, with the provisional row number 1. Raises BadEvent."""
    if not isinstance(value, dict):
        raise BadEvent("event", "not a JSON object", 'send {"type": …, "t": …} with the type\'s fields')
    if "n" in value:
        raise BadEvent("n", "rows are numbered by the outbox", "leave it out")
    try:
        event: ev.Event = text_validation.convert_event({**value, "n": 1}, codec.AgentEvent)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _to_bad_event(str(error), value) from None
    if isinstance(event, AGENT_ONLY_EVENTS):
        raise BadEvent("type", "only the agent itself sends this type", "remove the event")
    refuse_personal_data(event)
    return event


def find_event_faults(value: object, now: int) -> Iterator[BadEvent]:
    """Yield all faults of a JSON value that is no event, one for each field; `now` is Unix ms.

    A field at fault is replaced by its value in the reference's example, or left out, and the rest is read again.
    """
    replaced: set[str] = set()
    for _ in range(MAX_FAULTS_PER_EVENT):
        try:
            event = parse_event(value)
        except BadEvent as error:
            yield error
            field = error.field.partition(".")[0].partition("[")[0]
            value = _without_fault(value, field)
            replaced.add(field)
        else:
            yield from (error for error in find_implausible_times(event, now) if error.field not in replaced)
            return
        if value is None:
            return


def _without_fault(value: object, field: str) -> dict[str, object] | None:
    """Return the event with another value of the field; None when nothing can be replaced."""
    example = EVENT_EXAMPLES.get(str(value.get("type"))) if isinstance(value, dict) else None
    if not isinstance(value, dict) or example is None or field not in {**value, **example}:
        return None
    others = {name: text for name, text in value.items() if name != field}
    repaired = {**others, field: example[field]} if field in example else others
    return None if repaired == value else repaired


def parse_json(text: bytes) -> object:
    """Return the JSON value; byte order marks and NULs around it are ignored. Raises BadEvent."""
    try:
        plain = to_plain_utf8(text)
        value: object = msgspec.json.decode(plain)
        if plain.count(b":") > _count_fields(value):
            json.loads(plain, object_pairs_hook=_refuse_repeated_fields)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("body", f"no JSON: {error}", "send one JSON object, a list, or one object a line") from None
    return value


def _count_fields(value: object) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count_fields, value.values()))
    return sum(map(_count_fields, value)) if isinstance(value, list) else 0


def _refuse_repeated_fields(pairs: list[tuple[str, object]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) < len(names):
        raise ValueError("a field is given more than once")


def _to_bad_event(problem: str, value: dict[str, object]) -> BadEvent:
    match = _FIELD_PATTERN.search(problem)
    field = next((name for name in match.groups() if name), "event") if match else "event"
    if "missing" in problem:
        return BadEvent(field, problem, "add it")
    if "unknown field" in problem:
        return BadEvent(field, problem, "remove it" + _suggest(field, _field_names(value.get("type"))))
    if field in TIME_BOUNDS:
        return _to_bad_time(field, problem, value.get(field))
    if field == "type":
        return BadEvent(field, problem, f"see docs/reference/events.md{_suggest(str(value.get('type')), _EVENT_TYPES)}")
    if _ID_RULE in problem:
        return BadEvent(field, problem, "use an id of a-z, 0-9 and -, at most 63 characters")
    return BadEvent(field, problem, "see docs/reference/events.md for the allowed values")


def _field_names(tag: object) -> list[str]:
    kinds = [kind for kind in ev.AGENT_EVENTS if kind.__struct_config__.tag == tag]
    return [field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)]


def _suggest(word: str, known: Sequence[str]) -> str:
    """Return `; did you mean …?` when a known word is like this one."""
    similar = difflib.get_close_matches(word, known, 1)
    return f"; did you mean `{similar[0]}`?" if similar else ""


def _find_unit(value: float, earliest: int, latest: int) -> tuple[str, str]:
    """Return the unit in which the value is a time from `earliest` to `latest` (Unix ms), and how to convert it."""
    for factor, unit, conversion in _UNITS if abs(value) < _MAX_NANOSECONDS else ():
        if earliest <= value * factor <= latest:
            return unit, conversion
    return "", ""


def _to_bad_time(field: str, problem: str, value: object) -> BadEvent:
    remedy = "send Unix milliseconds as a whole number"
    if isinstance(value, (int, float)):
        unit, conversion = _find_unit(value, EARLIEST_CLOCK_MS, _FAR_FUTURE_MS // 1000)
        if unit:
            return OtherUnit(field, problem, f"{remedy}: this looks like {unit}, {conversion}", unit)
    return BadEvent(field, problem, remedy)


def find_implausible_times(event: ev.Event, now: int) -> Iterator[BadEvent]:
    """Yield a fault for each time that is too far from `now` (Unix ms); none when this clock was never set.

    A time before 2020 that fits no other unit is of a clock that was never set: its sender cannot correct it, so it is
    no fault (see `find_times_of_unset_clocks`), unless times before 2020 are plausible for the field.  0 is no time.
    """
    if now < EARLIEST_CLOCK_MS:
        return
    for field, value, bounds in _times_out_of_bounds(event, now):
        where = "after" if value > now else "before"
        problem = f"{value} is {_length_text(abs(value - now))} {where} this device's clock ({now})"
        unit, conversion = _find_unit(value, now - bounds.before_ms, now + bounds.ahead_ms)
        if unit:
            remedy = f"send Unix milliseconds: this looks like {unit}, {conversion}"
            yield OtherUnit(field, problem, remedy, unit)
        elif not 0 < value < EARLIEST_CLOCK_MS or now - bounds.before_ms < EARLIEST_CLOCK_MS:
            yield BadEvent(field, problem, "send Unix milliseconds, and check both clocks")


def find_times_of_unset_clocks(event: ev.Event, now: int) -> Iterator[str]:
    """Yield each field with a time before 2020 that fits no other unit; `now` is Unix ms."""
    if now >= EARLIEST_CLOCK_MS and next(find_implausible_times(event, now), None) is None:
        for field, value, _ in _times_out_of_bounds(event, now):
            if 0 < value < EARLIEST_CLOCK_MS:
                yield field


def refuse_impossible_times(event: ev.Event, now: int) -> None:
    """Refuse an event with a time in seconds, minutes, microseconds or nanoseconds, or of the year 2100 or later.

    `now` is Unix ms.  Ingest would defer an event of the year 9999 for ever.  Raises OtherUnit, BadEvent.
    """
    for fault in find_implausible_times(event, now):
        if isinstance(fault, OtherUnit):
            raise fault
    if event.t >= END_OF_TIMES_MS:
        raise BadEvent("t", "is after the year 2099", "send Unix milliseconds of the present")


def _times_out_of_bounds(event: ev.Event, now: int) -> Iterator[tuple[str, int, TimeBounds]]:
    for field, bounds in TIME_BOUNDS.items():
        value = getattr(event, field, None)
        if value is not None and not now - bounds.before_ms <= value <= now + bounds.ahead_ms:
            yield field, value, bounds


def _length_text(length_ms: int) -> str:
    """Return a length of time in the largest unit of which it has two or more."""
    for unit_ms, name in ((_DAY_MS, "days"), (_HOUR_MS, "hours")):
        if length_ms >= 2 * unit_ms:
            return f"{length_ms // unit_ms:,} {name}"
    return f"{length_ms // _MINUTE_MS} minutes"


def refuse_personal_data(event: ev.Event) -> None:
    """Refuse an event that ingest would reject. Raises BadEvent."""
    frame = codec.encode_frame("local", "", 0, [codec.encode_event(event)])
    try:
        rejected = codec.decode_frame(frame, codec.CONTENT_TYPE, _FAR_FUTURE_MS).rejected
    except codec.UnreadableFrame as error:
        raise BadEvent("event", f"{error.reason}: over {codec.MAX_FRAME_BYTES} bytes", "send less at once") from None
    if rejected:
        raise BadEvent("event", "a value looks like personal data", "use random ids, never numbers or names of people")
