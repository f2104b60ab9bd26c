"""Polls a JSON document of another system's statistics; it must not guess what happened while it was not asked.

A mapping names the fields.  A `count` is cumulative: what is published is how much it grew since the last answer.
Snapshots (`catalogue.snapshot`, `dossier.backlog`) are published once a day, `connector.stats` once a period.  Events
and what they were counted from are committed together.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import msgspec

from edge_agent.log import Logger
from edge_agent.mapping.cell_parsing import CellError, parse_whole
from edge_agent.mapping.document import load_mapping
from edge_agent.mapping.expressions import ColumnExpression, ReplayContext
from edge_agent.sources.parsing import BadEvent, parse_json, refuse_personal_data
from edge_agent.sources.queue_http import QueueHttpSource, QueueUnavailable
from edge_agent.sources.queue_mapping import ObjectRow
from telemetry.core.calendar.windows import to_local
from telemetry.core.protocol.administrative_events import MAX_EVENT_COUNT
from telemetry.core.protocol.events import CatalogueSnapshot, ConnectorStats, DossierBacklog
from telemetry.errors import Fault, MappingError

if TYPE_CHECKING:
    from edge_agent.mapping.document import ReplayMapping
    from edge_agent.mapping.rules import MappingRule
    from edge_agent.sources import Sink
    from telemetry.core.protocol.events import Event

_log = Logger(__name__)
NOW_COLUMN = "@now"
"""The column that has the time of the answer, Unix ms."""
DAILY_EVENTS = (CatalogueSnapshot, DossierBacklog)


class StatisticsCursor(msgspec.Struct, frozen=True):
    """What was published: the last value of each cumulative column, the day or period of the other rules by place."""

    counts: dict[str, int] = {}
    published: dict[str, str] = {}


def load_statistics_mapping(name_or_path: str) -> ReplayMapping:
    """Return a mapping whose events are statistics. Raises MappingError with all its faults."""
    mapping = load_mapping(name_or_path)
    others = ", ".join(_tag(kind) for kind in (*DAILY_EVENTS, ConnectorStats))
    remedy = f'use events with count = {{ column = "…", format = "int" }}, or {others}'
    faults = [
        Fault(mapping.file, 1, "event", f"{_tag(rule.event_type)} is no statistics", remedy)
        for rule in mapping.rules
        if not _count_column(rule) and not issubclass(rule.event_type, (*DAILY_EVENTS, ConnectorStats))
    ]
    if faults:
        raise MappingError(faults)
    return mapping


@dataclass(slots=True, kw_only=True)
class StatisticsHttpSource(QueueHttpSource):
    """Polls as a queue system is polled; each answer is one document."""

    mapping: ReplayMapping
    skipped_rules: int = 0

    def poll_once(self, outbox: Sink) -> bool:
        """Process one answer; returns False, as there is never more at once. Raises OSError."""
        body = self.fetch_body("")
        if body is None:
            return False
        text = outbox.cursor(self.name)
        cursor = msgspec.json.decode(text, type=StatisticsCursor) if text else StatisticsCursor()
        step = _Step(self.mapping, self.clock(), _read_document(body), dict(cursor.counts), dict(cursor.published))
        for place, rule in enumerate(self.mapping.rules):
            step.apply(place, rule)
        committed = StatisticsCursor(step.counts, step.published)
        if committed != cursor:
            outbox.append(step.events, source=self.name, cursor=msgspec.json.encode(committed).decode())
        if step.faults:
            self.skipped_rules += len(step.faults)
            _log.warning("statistics_unreadable", source=self.name, fields=sorted(set(step.faults)))
            self.raise_alarm("events_skipped", self.name)
        return False


@dataclass(slots=True)
class _Step:
    """What one document gives: events, the new cursor, the fields that cannot be read."""

    mapping: ReplayMapping
    now: int
    document: dict[str, Any]
    counts: dict[str, int]
    published: dict[str, str]
    events: list[Event] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    _growth: dict[str, int] = field(default_factory=dict)

    def apply(self, place: int, rule: MappingRule) -> None:
        """Add the rule's event when there is something new to publish."""
        cells = ObjectRow(self.document)
        cells[NOW_COLUMN] = str(self.now)
        try:
            if not rule.applies(cells):
                return
            if column := _count_column(rule):
                growth = self._read_growth(column, cells[column])
                if growth:
                    cells[column] = str(growth)
                    self.events.append(self._build(rule, cells))
                return
            event = self._build(rule, cells)
            last, mark = self.published.get(str(place), ""), self._due_mark(event)
            if not last.startswith(mark) and not _is_same_period(event, last):
                self.events.append(event)
                self.published[str(place)] = mark + _digest(event)
        except BadEvent as error:
            self.faults.append(error.field)
        except CellError as error:
            self.faults.append(error.column)

    def _read_growth(self, column: str, text: str) -> int:
        """Return how much a cumulative count grew; one that is smaller than before began again at 0."""
        if column in self._growth:
            return self._growth[column]
        try:
            value = parse_whole(text)
        except ValueError:
            raise BadEvent(column, "is no whole number", "correct the column in the mapping") from None
        if value < 0:
            raise BadEvent(column, "is negative", "correct the column in the mapping")
        last = self.counts.get(column)
        self.counts[column] = value
        growth = 0 if last is None else value - last if value >= last else value
        self._growth[column] = growth if growth <= MAX_EVENT_COUNT else 0
        if growth > MAX_EVENT_COUNT:
            raise BadEvent(column, f"grew by more than {MAX_EVENT_COUNT}", "see the system's log")
        return growth

    def _due_mark(self, event: Event) -> str:
        """Return the day, or the period, that the event is for."""
        if isinstance(event, ConnectorStats):
            return f"{self.now // max(event.period_ms, 1_000)}/"
        return f"{to_local(self.now, self.mapping.zone).date().isoformat()}/"

    def _build(self, rule: MappingRule, cells: ObjectRow) -> Event:
        mapping = self.mapping
        context = ReplayContext(mapping.zone, mapping.service_by_value, f"statistics:{mapping.name}", mapping.decimal)
        event = rule.build_event(1, cells, context, "")
        refuse_personal_data(event)
        return event


def _read_document(body: bytes) -> dict[str, Any]:
    """Return the fields of the answer. Raises QueueUnavailable."""
    try:
        value = parse_json(body)
    except (BadEvent, RecursionError):
        raise QueueUnavailable("answered no JSON; make it answer one object") from None
    if not isinstance(value, dict):
        raise QueueUnavailable("answered no JSON object; make it answer one")
    return value


def _is_same_period(event: Event, last: str) -> bool:
    """Return whether these are the statistics of the last period again: the last success tells periods apart."""
    return isinstance(event, ConnectorStats) and event.last_success is not None and last.endswith(f"/{_digest(event)}")


def _digest(event: Event) -> str:
    content = msgspec.json.encode(msgspec.structs.replace(event, t=0))
    return blake2b(content, digest_size=8).hexdigest()


def _count_column(rule: MappingRule) -> str:
    """Return the column of the rule's cumulative count, empty without one."""
    expression = dict(rule.fields).get("count")
    return expression.column if isinstance(expression, ColumnExpression) else ""


def _tag(event_type: type[Event]) -> str:
    return str(event_type.__struct_config__.tag)
