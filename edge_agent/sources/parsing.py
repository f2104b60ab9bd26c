"""Parses events of local programs strictly; it must not log or store what it refuses."""

from __future__ import annotations

import re

import msgspec

from telemetry.core.protocol import codec, events as ev, text_validation

_FIELD_PATTERN = re.compile(r"\$\.?([\w.\[\]]+)`|field `(\w+)`")
_FAR_FUTURE_MS = 1 << 53
_AGENT_ONLY_EVENTS = (
    ev.OutboxDropped, ev.OutboxRefused, ev.AgentAlarm, ev.ClockStep, ev.ConfigResult, ev.CommandResult,
    ev.AgentDiagnostics,
)  # fmt: skip


class BadEvent(ValueError):
    """The input is not a valid event; the message may quote it, so it is returned only to the sender."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field, self.problem, self.remedy = field, problem, remedy


def parse_event(value: object) -> ev.Event:
    """Return the event of a JSON value, with the provisional row number 1. Raises BadEvent."""
    if not isinstance(value, dict):
        raise BadEvent("event", "not a JSON object", 'send {"type": …, "t": …} with the type\'s fields')
    if "n" in value:
        raise BadEvent("n", "rows are numbered by the outbox", "leave it out")
    try:
        event: ev.Event = text_validation.convert_event({**value, "n": 1}, codec.AgentEvent)
    except (msgspec.ValidationError, RecursionError) as error:
        raise _to_bad_event(str(error)) from None
    if isinstance(event, _AGENT_ONLY_EVENTS):
        raise BadEvent("type", "only the agent itself sends this type", "remove the event")
    refuse_personal_data(event)
    return event


def parse_json(text: bytes) -> object:
    """Return the JSON value. Raises BadEvent."""
    try:
        return msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadEvent("body", f"no JSON: {error}", "send one JSON object, a list, or one object a line") from None


def _to_bad_event(problem: str) -> BadEvent:
    match = _FIELD_PATTERN.search(problem)
    field = next((name for name in match.groups() if name), "event") if match else "event"
    if "missing" in problem:
        return BadEvent(field, problem, "add it")
    if "unknown field" in problem:
        return BadEvent(field, problem, "remove it")
    return BadEvent(field, problem, "see docs/reference/asyncapi.json for the allowed values")


def refuse_personal_data(event: ev.Event) -> None:
    """Refuse an event that ingest would reject. Raises BadEvent."""
    frame = codec.encode_frame("local", "", 0, [codec.encode_event(event)])
    try:
        rejected = codec.decode_frame(frame, codec.CONTENT_TYPE, _FAR_FUTURE_MS).rejected
    except codec.UnreadableFrame as error:
        raise BadEvent("event", f"{error.reason}: over {codec.MAX_FRAME_BYTES} bytes", "send less at once") from None
    if rejected:
        raise BadEvent("event", "a value looks like personal data", "use random ids, never numbers or names of people")
