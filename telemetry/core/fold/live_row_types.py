"""The live rows that rollup writes and pages, SSE and Prometheus read: one per centre or system. Pure."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, ClassVar, Literal, TypeVar

import msgspec
from msgspec import Struct

from telemetry.core.contacts import ContactsNow
from telemetry.core.fold.totals import EncodedSums, decode_sums
from telemetry.core.protocol.event_fields import Id, InstanceCount, Instant, IntervalMs, QueueNumber
from telemetry.core.protocol.events import CertificateDays, ChainCertificate, Count, CpuPercent, LatencyMs, Ms, Percent

if TYPE_CHECKING:
    from collections.abc import Iterable

AvailabilityState = Literal["up", "down", "unknown"]
SloState = Literal["no_data", "healthy", "at_risk", "exhausted"]
WaitMethod = Literal["learned", "drain", "head_of_line"]
NoWaitReason = Literal["too_few_calls", "no_counter"]
SLO_ROW_PREFIX = "slo:"
"""The prefix of an objective's live row, before its id."""
FAULT_ROW_PREFIX = "fault:"
"""The prefix of the row of what could not be read or folded of an entity, before its id."""


class DeviceNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A device at its last contact; `state` is its service state, `online` its connection (None: never seen)."""

    id: str
    kind: str
    state: AvailabilityState
    service: str | None = None
    online: bool | None = None
    last_event: Instant | None = None
    last_contact: Instant | None = None
    printer: str | None = None
    paper_pct: Percent | None = None
    cpu_pct: CpuPercent | None = None
    mem_pct: Percent | None = None
    disk_pct: Percent | None = None
    uptime_s: Count | None = None
    outbox_rows: Count | None = None
    fw: str = ""
    simulated: bool = False


class ExpectedWait(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A newcomer's expected wait: median and 90 % bound (ms), by which method and model; or the reason why none."""

    p50_ms: Ms | None = None
    p90_ms: Ms | None = None
    method: WaitMethod | None = None
    model: str = ""
    reason: NoWaitReason | None = None


class ServiceNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A service's queue now and its encoded sums (`totals.QUEUE_FIELDS`) of the local day and of an hour (`recent`)."""

    service: str
    waiting: Count
    serving: Count
    oldest: Instant | None = None
    today: EncodedSums = {}
    recent: EncodedSums = {}
    expected: ExpectedWait | None = None

    @property
    def today_sums(self) -> dict[str, int]:
        """Return the sums of the local day so far."""
        return decode_sums(self.today)

    @property
    def recent_sums(self) -> dict[str, int]:
        """Return the sums of the last hour."""
        return decode_sums(self.recent)


class CallNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A call of today that has a printed number: the newest one of its ticket; `ended`: the ticket has ended since."""

    label: QueueNumber
    counter: Id
    service: Id
    at: Instant
    call: Count = 1
    ended: bool = False


class ImportFacts(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an imported log's mapping declares of its centre: services as (id, vi, en), hours by weekday as HH:MM."""

    services: tuple[tuple[str, str, str], ...] = ()
    hours: tuple[tuple[tuple[str, str], ...], ...] = ()
    derived_hours: bool = False


class CentreNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A centre now; times are Unix ms. `declared` is set for imported centres that no inventory names.

    `reopened` is when totals of past time were last written (by the clock after the write; rollup's start is the first
    value): a reader that caches totals reads them again when it changes.  0: not recorded.
    """

    centre: str
    at: Instant
    state: AvailabilityState
    mode: str = "normal"
    counters_open: Count = 0
    services: tuple[ServiceNow, ...] = ()
    devices: tuple[DeviceNow, ...] = ()
    last_data: Instant | None = None
    simulated: bool = False
    declared: dict[str, str] | None = None
    import_facts: ImportFacts | None = None
    reopened: Instant = 0
    calls: tuple[CallNow, ...] = ()
    """The newest calls of today with a printed number, newest first; see `counter_calls`."""


class VantageNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A system as one device last probed it."""

    device: str
    state: AvailabilityState
    at: Instant
    latency_ms: LatencyMs | None = None
    error: str | None = None
    tls_days: CertificateDays | None = None
    tls_certificate: ChainCertificate | None = None


class DatabaseNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A hosted database's own figures, as they were last read at `at`; fields as in `DatabaseFigures`."""

    at: Instant
    every_ms: IntervalMs
    instances: InstanceCount
    copy_at: Instant | None = None
    archive_age_ms: int | None = None
    archive_waiting: Count | None = None
    lag_ms: Count | None = None
    disk_bytes: Count | None = None


class SystemNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A digital system now, by quorum over its vantage points; `reopened` as in CentreNow."""

    system: str
    at: Instant
    state: AvailabilityState
    vantage: tuple[VantageNow, ...] = ()
    database: DatabaseNow | None = None
    reopened: Instant = 0


class BurnRateNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A burn-rate rule of one scope: burn rates of its windows (None: nothing counted), and since when it is firing."""

    rule: str
    severity: str
    long_ms: Count
    short_ms: Count
    threshold: float
    long: float | None = None
    short: float | None = None
    armed: bool = False
    fired: Instant | None = None


class ScopedSloNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An objective at one scope over [start, end) ms: whole seconds (or tickets, probes, days) and its alarms.

    `good` and `bad` are weighed by the objective's policy for unknown time; `allowance` is the whole period's open time
    when that is more than what has passed.  `stale`: hours of its entity waited to be folded; `judged_at` is when it
    was evaluated, when that is not the `at` of its row.
    """

    scope: str
    start: Instant
    end: Instant
    good: Count
    bad: Count
    standing: SloState
    open: Count = 0
    up: Count = 0
    down: Count = 0
    unknown: Count = 0
    excluded: Count = 0
    not_in_service: Count = 0
    allowance: Count | None = None
    exhausts_at: Instant | None = None
    readings: tuple[BurnRateNow, ...] = ()
    stale: bool = False
    judged_at: Instant | None = None


class SloNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An objective as rollup last evaluated it, at every scope it applies to; its live row is `slo:ID`."""

    slo: str
    at: Instant
    settled_until: Instant
    scopes: tuple[ScopedSloNow, ...] = ()


class FoldFaultNow(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What rollup could not read or fold of an entity: how often ever, and since when (None: nothing is set aside now).

    `part` names the step that failed last and `reason` its error; `windows` wait to be folded again.  Times: Unix ms.
    """

    row_prefix: ClassVar[str] = FAULT_ROW_PREFIX

    entity: str
    at: Instant
    failures: Count = 0
    since: Instant | None = None
    part: str = ""
    reason: str = ""
    windows: tuple[tuple[Ms, Ms], ...] = ()

    def __post_init__(self) -> None:
        """Refuse a window that ends before it starts."""
        if any(start > end for start, end in self.windows):
            msg = "a window ends before it starts"
            raise ValueError(msg)


Row = TypeVar("Row", ContactsNow, FoldFaultNow)


def decode_rows(rows: Iterable[tuple[str, bytes]], row_type: type[Row]) -> dict[str, Row]:
    """Return the rows of a type among live rows (key and body), by entity; those of another shape are left out."""
    decoded: dict[str, Row] = {}
    for key, body in rows:
        if key.startswith(row_type.row_prefix):
            with suppress(msgspec.DecodeError, TypeError, ValueError, RecursionError):
                row = msgspec.json.decode(body, type=row_type)
                decoded[row.entity] = row
    return decoded
