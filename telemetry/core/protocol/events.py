"""The events of devices and agents as strict frozen values; it must not read clocks, files or networks.

Field names and meanings are the wire contract (`docs/reference/asyncapi.json` is made from
them).  Times are Unix milliseconds, durations end in `_ms`.  Unknown fields are refused.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol.administrative_events import (
    AuthResult as AuthResult,
    CatalogueSnapshot as CatalogueSnapshot,
    DocumentFlow as DocumentFlow,
    DossierBacklog as DossierBacklog,
    DossierReceived as DossierReceived,
    DossierResolved as DossierResolved,
    EformSession as EformSession,
    PaymentResult as PaymentResult,
    PetitionState as PetitionState,
    SignResult as SignResult,
    SyncBatch as SyncBatch,
)
from telemetry.core.protocol.event_fields import (
    MAX_GRACE_MS as MAX_GRACE_MS,
    MAX_INTERVAL_MS as MAX_INTERVAL_MS,
    MAX_LATENCY_MS as MAX_LATENCY_MS,
    MAX_LIST_ITEMS as MAX_LIST_ITEMS,
    AbandonedBy as AbandonedBy,
    AbandonStage as AbandonStage,
    AlarmCode as AlarmCode,
    CentreMode as CentreMode,
    CertificateDays as CertificateDays,
    ChainCertificate as ChainCertificate,
    CommandOutcome as CommandOutcome,
    ConfigOutcome as ConfigOutcome,
    Count as Count,
    CounterMode as CounterMode,
    CounterStateCause as CounterStateCause,
    CpuPercent as CpuPercent,
    DossierChannel as DossierChannel,
    Event as Event,
    HoldReason as HoldReason,
    Id as Id,
    InstanceCount as InstanceCount,
    Instant as Instant,
    IntervalMs as IntervalMs,
    LatencyMs as LatencyMs,
    Ms as Ms,
    Percent as Percent,
    PrinterState as PrinterState,
    PriorityClass as PriorityClass,
    ProbeKind as ProbeKind,
    QueueNumber as QueueNumber,
    RequestCount as RequestCount,
    RowNumber as RowNumber,
    ScreenState as ScreenState,
    ServiceOutcome as ServiceOutcome,
    ServiceState as ServiceState,
    ServiceTimeQuality as ServiceTimeQuality,
    ShortText as ShortText,
    SignedInt as SignedInt,
    TicketChannel as TicketChannel,
    TicketId as TicketId,
)


class _TicketEvent(Event, frozen=True, kw_only=True):
    ticket: TicketId
    queue: Id
    service: Id


class TicketIssued(_TicketEvent, frozen=True, kw_only=True, tag="ticket.issued"):
    """A ticket enters a queue."""

    channel: TicketChannel = "kiosk"
    priority: PriorityClass = msgspec.field(default="normal", name="class")
    booked: Ms | None = None


class TicketCalled(_TicketEvent, frozen=True, kw_only=True, tag="ticket.called"):
    """A ticket is called for the first time since it `entered` the queue: the wait ends."""

    counter: Id
    entered: Ms
    call: Annotated[int, Meta(ge=1, le=99)] = 1
    label: QueueNumber | None = None


class TicketRecalled(_TicketEvent, frozen=True, kw_only=True, tag="ticket.recalled"):
    """A ticket is called again; the wait is not started again."""

    counter: Id
    entered: Ms
    call: Annotated[int, Meta(ge=2, le=99)] = 2
    label: QueueNumber | None = None


class TicketServingStarted(_TicketEvent, frozen=True, kw_only=True, tag="ticket.serving_started"):
    """The customer has reached the counter."""

    counter: Id
    entered: Ms
    called: Ms


class TicketHeld(_TicketEvent, frozen=True, kw_only=True, tag="ticket.held"):
    """Service pauses; neither wait nor service."""

    counter: Id
    reason: HoldReason = "other"


class TicketResumed(_TicketEvent, frozen=True, kw_only=True, tag="ticket.resumed"):
    """Service continues after a hold."""

    counter: Id
    reason: HoldReason = "other"


class TicketTransferred(_TicketEvent, frozen=True, kw_only=True, tag="ticket.transferred"):
    """A ticket leaves its queue for another, where a new wait begins."""

    entered: Ms
    to_queue: Id
    to_service: Id
    counter: Id | None = None
    called: Ms | None = None


class TicketFinished(_TicketEvent, frozen=True, kw_only=True, tag="ticket.finished"):
    """Service of a ticket ends at `t`; service time is t − (started or called) − held_ms."""

    counter: Id
    entered: Ms
    called: Ms
    started: Ms | None = None
    held_ms: Ms = 0
    outcome: ServiceOutcome = "done"
    quality: ServiceTimeQuality = "ok"


class TicketAbandoned(_TicketEvent, frozen=True, kw_only=True, tag="ticket.abandoned"):
    """The ticket was given up before service."""

    entered: Ms
    by: AbandonedBy = "customer"
    stage: AbandonStage = "waiting"


class TicketNoShow(_TicketEvent, frozen=True, kw_only=True, tag="ticket.no_show"):
    """Called `calls` times, and the customer did not come."""

    entered: Ms
    calls: Annotated[int, Meta(ge=1, le=99)] = 1


class TicketClosedEod(_TicketEvent, frozen=True, kw_only=True, tag="ticket.closed_eod"):
    """The system closed an open ticket at the end of the business day; not an abandonment."""

    entered: Ms


class TicketCorrected(Event, frozen=True, kw_only=True, tag="ticket.corrected"):
    """Staff corrected a ticket's record; the old event remains stored."""

    ticket: TicketId
    field: Id
    reason: Literal["mistake", "device", "other"] = "mistake"


class CounterState(Event, frozen=True, kw_only=True, tag="counter.state"):
    """A counter changed state."""

    counter: Id
    state: CounterMode
    queues: Annotated[tuple[Id, ...], Meta(max_length=MAX_LIST_ITEMS)] = ()
    cause: CounterStateCause = "operator"


class KioskState(Event, frozen=True, kw_only=True, tag="kiosk.state"):
    """A kiosk changed state; the next heartbeat repeats it."""

    state: ServiceState
    printer: PrinterState = "ok"
    paper_pct: Percent | None = None
    screen: ScreenState = "on"


class DisplayState(Event, frozen=True, kw_only=True, tag="display.state"):
    """A display changed state; frozen = its content is older than the last call."""

    state: ScreenState
    age_ms: Ms = 0
    content: ShortText = ""


class RatingSubmitted(Event, frozen=True, kw_only=True, tag="rating.submitted"):
    """A satisfaction rating of 1 to 5; no free text."""

    rating: Annotated[int, Meta(ge=1, le=5)]
    service: Id
    source: Literal["tablet", "qr", "portal"] = "tablet"
    reason: Id | None = None
    counter: Id | None = None
    ticket: TicketId | None = None


class CounterNow(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A counter's state inside a heartbeat."""

    counter: Id
    state: CounterMode
    queues: Annotated[tuple[Id, ...], Meta(max_length=MAX_LIST_ITEMS)] = ()


class DeviceHeartbeat(Event, frozen=True, kw_only=True, tag="device.heartbeat"):
    """The device's full state, repeated every `every_ms`; valid for the grace time of this interval."""

    every_ms: IntervalMs = 60_000
    state: ServiceState = "in_service"
    uptime_s: Count = 0
    fw: ShortText = ""
    cpu_pct: CpuPercent | None = None
    mem_pct: Percent | None = None
    disk_pct: Percent | None = None
    temp_c: Annotated[float, Meta(ge=-100, le=200)] | None = None
    rssi: Annotated[int, Meta(ge=-200, le=0)] | None = None
    outbox_rows: Count = 0
    dropped: Count = 0
    printer: PrinterState | None = None
    paper_pct: Percent | None = None
    display: ScreenState | None = None
    mode: CentreMode | None = None
    counters: Annotated[tuple[CounterNow, ...], Meta(max_length=MAX_LIST_ITEMS)] = ()
    simulated: bool = False


class CentreModeSet(Event, frozen=True, kw_only=True, tag="centre.mode"):
    """The centre's mode changed."""

    mode: CentreMode
    reason: Id = "other"


class SchedulePublished(Event, frozen=True, kw_only=True, tag="schedule.published"):
    """A counter is rostered for [opens, closes)."""

    counter: Id
    opens: Ms
    closes: Ms


class LinkState(Event, frozen=True, kw_only=True, tag="link.state"):
    """A gateway's view of its uplink."""

    up: bool
    every_ms: IntervalMs = 60_000
    rtt_ms: LatencyMs | None = None
    loss_pct: Percent | None = None
    backup: bool = False


class ProbeResult(Event, frozen=True, kw_only=True, tag="probe.result"):
    """One probe of a digital system from this vantage point, every `every_ms`."""

    system: Id
    kind: ProbeKind
    ok: bool
    every_ms: IntervalMs = 60_000
    latency_ms: LatencyMs | None = None
    status: Annotated[int, Meta(ge=0, le=999)] | None = None
    error: Literal["timeout", "refused", "dns", "tls", "status", "reached", "other"] | None = None
    tls_days: CertificateDays | None = None
    tls_certificate: ChainCertificate | None = None


class ConnectorStats(Event, frozen=True, kw_only=True, tag="connector.stats"):
    """A connector's counts over the `period_ms` before `t`."""

    system: Id
    ok: RequestCount
    failed: RequestCount
    period_ms: Annotated[int, Meta(ge=0, le=MAX_LATENCY_MS)]
    min_ms: LatencyMs | None = None
    mean_ms: LatencyMs | None = None
    max_ms: LatencyMs | None = None
    last_success: Ms | None = None


class DatabaseFigures(Event, frozen=True, kw_only=True, tag="database.figures"):
    """A hosted database's own figures, read every `every_ms`; what no instance gave is left out."""

    system: Id
    every_ms: IntervalMs = 60_000
    instances: InstanceCount
    unread: InstanceCount = 0
    copy_at: Instant | None = None
    archive_age_ms: Annotated[int, Meta(ge=-1, le=1 << 53)] | None = None
    archive_waiting: Count | None = None
    lag_ms: Count | None = None
    disk_bytes: Count | None = None


class OutboxDropped(Event, frozen=True, kw_only=True, tag="outbox.dropped"):
    """The agent dropped `count` rows because of the outbox's cap, given as closed ranges."""

    ranges: Annotated[tuple[tuple[RowNumber, RowNumber], ...], Meta(max_length=MAX_LIST_ITEMS)]
    count: Count
    cls: Id = msgspec.field(default="sample", name="class")


class OutboxRefused(Event, frozen=True, kw_only=True, tag="outbox.refused"):
    """Ingest rejected a row permanently; the agent moved it to its refused table."""

    row: RowNumber
    reason: Id


class AgentAlarm(Event, frozen=True, kw_only=True, tag="agent.alarm"):
    """A fault for operators; `subject` names the source or part, `count` is its number since the last one."""

    alarm: AlarmCode
    subject: Id | None = None
    count: Annotated[int, Meta(ge=1, le=1 << 53)] = 1


class ClockStep(Event, frozen=True, kw_only=True, tag="clock.step"):
    """The device's wall clock was set: it is now `step_ms` ahead of the monotonic clock."""

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
    """The agent's own figures, sent when a command requests them."""

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


class DeviceContact(Event, frozen=True, kw_only=True, tag="device.contact"):
    """Written by ingest: a frame of this device arrived in this minute."""


class DeviceStatus(Event, frozen=True, kw_only=True, tag="device.status"):
    """Written by rollup from `…/state`: the connection `sid` began or ended."""

    online: bool
    sid: ShortText
    reason: ShortText = ""


class PlatformBeat(Event, frozen=True, kw_only=True, tag="platform.beat"):
    """Written by ingest once a minute: its link and the store were available, see `platform_heartbeat`."""


class WaitPromised(Event, frozen=True, kw_only=True, tag="queue.promise"):
    """Written by rollup at a ticket's call: the wait, and the median and 90 % bound shown when the ticket entered."""

    service: Id
    wait_ms: Ms
    p50_ms: Ms
    p90_ms: Ms
    method: Literal["learned", "drain", "head_of_line"]


AGENT_EVENTS: tuple[type[Event], ...] = (
    TicketIssued, TicketCalled, TicketRecalled, TicketServingStarted, TicketHeld, TicketResumed,
    TicketTransferred, TicketFinished, TicketAbandoned, TicketNoShow, TicketClosedEod, TicketCorrected,
    CounterState, KioskState, DisplayState, RatingSubmitted, DeviceHeartbeat, CentreModeSet,
    SchedulePublished, LinkState, ProbeResult, ConnectorStats, DatabaseFigures, PaymentResult, DossierReceived,
    DossierResolved, DossierBacklog, EformSession, SignResult, AuthResult, DocumentFlow, PetitionState, SyncBatch,
    CatalogueSnapshot, OutboxDropped, OutboxRefused, AgentAlarm, ClockStep, ConfigResult, CommandResult,
    AgentDiagnostics,
)  # fmt: skip
"""The events agents may send."""
SERVER_EVENTS: tuple[type[Event], ...] = (DeviceContact, DeviceStatus, PlatformBeat, WaitPromised)
"""The events only ingest and rollup write."""


def event_type_of(event: Event) -> str:
    """Return the wire name of the event's type."""
    return str(event.__struct_config__.tag)


SYSTEM_EVENTS = (ProbeResult, ConnectorStats, DatabaseFigures)
"""The events about a digital system, which they name in `system`."""
SYSTEM_TYPES = frozenset(str(event.__struct_config__.tag) for event in SYSTEM_EVENTS)


def entity_of(centre: str, event: Event) -> str:
    """Return the entity the event is folded under: its digital system, else its centre."""
    return event.system if isinstance(event, SYSTEM_EVENTS) else centre
