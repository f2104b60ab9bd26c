"""Reads the body of a POST into events and reports every fault of it; it must not store or log what it reads.

A body is one JSON object, a list of objects, or JSON lines. All of its events are accepted or none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from edge_agent.sources.parsing import (
    BadEvent,
    find_event_faults,
    find_implausible_times,
    find_times_of_unset_clocks,
    parse_event,
    parse_json,
)
from telemetry.core.protocol.events import TicketCalled
from telemetry.core.protocol.json_bytes import to_plain_utf8

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.core.protocol.events import Event

MAX_EVENTS_PER_POST = 10_000
MAX_LISTED_FINDINGS = 100
"""Most faults and most warnings that one answer lists."""
JSON_LINES_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_SERVICE_FIELDS = ("service", "to_service")


class EventFinding(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """A fault or a warning about one event of a request."""

    index: Annotated[int, Meta(ge=1, description="which event of the request, from 1")] | None = None
    line: Annotated[int, Meta(ge=1, description="which line of the body, from 1; only for JSON lines")] | None = None
    field: Annotated[str, Meta(description="the field of the event, or a part of the request")]
    detail: Annotated[str, Meta(description="what is wrong")]
    remedy: Annotated[str, Meta(description="what to do")]


class RefusedPost(Exception):
    """No event of the request was accepted; `findings` lists the faults, `fault_count` counts all."""

    def __init__(self, findings: Sequence[EventFinding], fault_count: int) -> None:
        super().__init__(findings[0].detail)
        self.findings, self.fault_count = list(findings), fault_count


class TooManyEvents(Exception):
    """The request has more events than one request may have."""


@dataclass(frozen=True, slots=True)
class PostedEvents:
    """The events of a request, and what its sender should know about them."""

    events: list[Event]
    warnings: list[EventFinding]


@dataclass(frozen=True, slots=True)
class _PostedItem:
    """One event of the body: its place, and its JSON or the fault that kept it from being read."""

    index: int
    line: int | None
    value: object
    fault: BadEvent | None = None

    def report(self, error: BadEvent) -> EventFinding:
        return EventFinding(
            index=self.index, line=self.line, field=error.field, detail=error.problem, remedy=error.remedy
        )


def read_posted_events(body: bytes, content_type: str, now: int, services: frozenset[str]) -> PostedEvents:
    """Return the events; `now` (Unix ms) is the time of events without `t`, unknown `services` give warnings.

    Raises RefusedPost, TooManyEvents.
    """
    events: list[Event] = []
    faults: list[EventFinding] = []
    for item in _split_body(to_plain_utf8(body), content_type):
        try:
            event = _read_item(item, now)
        except BadEvent:
            faults += [item.report(error) for error in _item_faults(item, now)]
            continue
        faults += [item.report(error) for error in find_implausible_times(event, now)]
        events.append(event)
    if faults:
        raise RefusedPost(faults[:MAX_LISTED_FINDINGS], len(faults))
    return PostedEvents(events, list(_warnings(events, now, services))[:MAX_LISTED_FINDINGS])


def _read_item(item: _PostedItem, now: int) -> Event:
    if item.fault is not None:
        raise item.fault
    return parse_event(_timed_value(item, now))


def _item_faults(item: _PostedItem, now: int) -> Iterator[BadEvent]:
    if item.fault is not None:
        yield item.fault
    else:
        yield from find_event_faults(_timed_value(item, now), now)


def _timed_value(item: _PostedItem, now: int) -> object:
    return {"t": now, **item.value} if isinstance(item.value, dict) else item.value


def _split_body(body: bytes, content_type: str) -> list[_PostedItem]:
    """Return the events' JSON. Raises RefusedPost when there is none, TooManyEvents."""
    if content_type in JSON_LINES_TYPES:
        return _check_count(_split_lines(body))
    try:
        document = parse_json(body)
    except BadEvent as error:
        items = _split_lines(body)
        if body.lstrip()[:1] == b"[" or len(items) < 2 or all(item.fault for item in items):
            finding = EventFinding(field=error.field, detail=error.problem, remedy=error.remedy)
            raise RefusedPost([finding], 1) from None
        return _check_count(items)
    values = document if isinstance(document, list) else [document]
    return _check_count([_PostedItem(index, None, value) for index, value in enumerate(values, 1)])


def _check_count(items: list[_PostedItem]) -> list[_PostedItem]:
    if not items:
        finding = EventFinding(field="body", detail="contains no event", remedy="send at least one")
        raise RefusedPost([finding], 1)
    if len(items) > MAX_EVENTS_PER_POST:
        raise TooManyEvents
    return items


def _split_lines(body: bytes) -> list[_PostedItem]:
    lines = [(number, line) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > MAX_EVENTS_PER_POST:
        raise TooManyEvents
    return [_read_line(index, number, line) for index, (number, line) in enumerate(lines, 1)]


def _read_line(index: int, number: int, line: bytes) -> _PostedItem:
    try:
        return _PostedItem(index, number, parse_json(line))
    except BadEvent as error:
        return _PostedItem(index, number, None, BadEvent("line", error.problem, "write one JSON object a line"))


def _warnings(events: Sequence[Event], now: int, services: frozenset[str]) -> Iterator[EventFinding]:
    """Yield a warning for each wait below zero, time of an unset clock, and service that the centre does not declare.

    Without `services` the declared ones are not known.
    """
    for index, event in enumerate(events, 1):
        if isinstance(event, TicketCalled) and event.entered > event.t:
            detail = f"the ticket entered {event.entered - event.t} ms after this call"
            remedy = "check both times; the call is counted, its wait is not"
            yield EventFinding(index=index, field="entered", detail=detail, remedy=remedy)
        for field in find_times_of_unset_clocks(event, now):
            detail = "a time before 2020, as of a clock that was never set"
            yield EventFinding(index=index, field=field, detail=detail, remedy="set the clock; the event is stored")
        for field in _SERVICE_FIELDS if services else ():
            service = getattr(event, field, None)
            if service is not None and service not in services:
                detail = f"the centre declares no service {service!r}; it has {', '.join(sorted(services))}"
                remedy = "correct the id, or declare the service in centres.csv and services.toml; the event is counted"
                yield EventFinding(index=index, field=field, detail=detail, remedy=remedy)
