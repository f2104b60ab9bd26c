"""What an agent says of itself: alarms, clock steps, answers to configuration and commands; never free text."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from telemetry.core.protocol.event_types import Count, Event, Id, RowNumber, TicketId

AlarmCode = Literal[
    "session_taken_over", "publish_refused", "no_subscribers", "outbox_corrupt", "disk_full", "source_hung",
    "source_failed", "certificate_expiring", "config_unreadable",
]  # fmt: skip
ConfigOutcome = Literal["applied", "rejected", "rolled_back"]
CommandOutcome = Literal["done", "failed", "expired", "unknown"]
SignedInt = Annotated[int, Meta(ge=-(1 << 53), le=1 << 53)]


class OutboxDropped(Event, frozen=True, kw_only=True, tag="outbox.dropped"):
    """The outbox's cap made the agent give up `count` rows, given as closed ranges."""

    ranges: tuple[tuple[RowNumber, RowNumber], ...]
    count: Count
    cls: Id = msgspec.field(default="sample", name="class")


class OutboxRefused(Event, frozen=True, kw_only=True, tag="outbox.refused"):
    """The ingest refused a row for good; the agent has put it aside."""

    row: RowNumber
    reason: Id


class AgentAlarm(Event, frozen=True, kw_only=True, tag="agent.alarm"):
    """Something ops must look at; `subject` names the source or part, `count` says how often since the last one."""

    alarm: AlarmCode
    subject: Id | None = None
    count: Annotated[int, Meta(ge=1, le=1 << 53)] = 1


class ClockStep(Event, frozen=True, kw_only=True, tag="clock.step"):
    """The device's wall clock was set: it now stands `step_ms` further than the monotonic clock says."""

    step_ms: SignedInt
    synced: bool = False


class ConfigResult(Event, frozen=True, kw_only=True, tag="config.result"):
    """What became of the remote configuration `version`."""

    version: Count
    outcome: ConfigOutcome
    reason: Id | None = None


class CommandResult(Event, frozen=True, kw_only=True, tag="command.result"):
    """What became of the command `id`."""

    id: TicketId
    command: Id
    outcome: CommandOutcome
    reason: Id | None = None


class AgentDiagnostics(Event, frozen=True, kw_only=True, tag="agent.diagnostics"):
    """The agent's own figures, sent when a command asks for them."""

    outbox_rows: Count
    outbox_bytes: Count
    oldest_ms: Count = 0
    refused: Count = 0
    dropped: Count = 0
    rss_bytes: Count = 0
    uptime_s: Count = 0
    reconnects: Count = 0
    sources: Count = 0
    config_version: Count = 0
