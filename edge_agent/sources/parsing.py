"""Turns what a local program says into an event, strictly; it must not log or keep what it refuses."""

from __future__ import annotations

import re

import msgspec

from telemetry.core.protocol import codec, events as ev, text_validation

_FIELD = re.compile(r"\$\.?([\w.\[\]]+)`|field `(\w+)`")
_ALWAYS = 1 << 53
_AGENTS_OWN = (
    ev.OutboxDropped, ev.OutboxRefused, ev.AgentAlarm, ev.ClockStep, ev.ConfigResult, ev.CommandResult,
    ev.AgentDiagnostics,
)  # fmt: skip


class BadEvent(ValueError):
    """What was given is no event; the message may quote it and belongs to the sender only."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field, self.problem, self.remedy = field, problem, remedy


def event_of(given: object) -> ev.Event:
    """Return the event a JSON value is, numbered 1 for the time being. Raises BadEvent."""
    if not isinstance(given, dict):
        raise BadEvent("event", "not a JSON object", 'send {"type": …, "t": …} with the type\'s fields')
    if "n" in given:
        raise BadEvent("n", "rows are numbered by the outbox", "leave it out")
    try:
        event: ev.Event = text_validation.convert({**given, "n": 1}, codec.AgentEvent)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _bad(str(error)) from None
    if isinstance(event, _AGENTS_OWN):
        raise BadEvent("type", "only the agent itself says this", "leave it out")
    refuse_personal(event)
    return event


def parsed(text: bytes) -> object:
    """Return the JSON value. Raises BadEvent."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("body", f"no JSON: {error}", "send one JSON object, a list, or one object a line") from None


def _bad(problem: str) -> BadEvent:
    found = _FIELD.search(problem)
    field = next((name for name in found.groups() if name), "event") if found else "event"
    if "missing" in problem:
        return BadEvent(field, problem, "add it")
    if "unknown field" in problem:
        return BadEvent(field, problem, "remove it")
    return BadEvent(field, problem, "see docs/reference/asyncapi.json for what it may be")


def refuse_personal(event: ev.Event) -> None:
    """Refuse here what ingest would refuse for good. Raises BadEvent."""
    frame = codec.encode_frame("local", "", 0, [codec.encode_event(event)])
    try:
        rejected = codec.decode_frame(frame, codec.CONTENT_TYPE, _ALWAYS).rejected
    except codec.Unreadable as error:
        raise BadEvent("event", f"{error.reason}: over {codec.MAX_FRAME} bytes", "send less at once") from None
    if rejected:
        raise BadEvent("event", "a value looks like personal data", "use random ids, never numbers or names of people")
