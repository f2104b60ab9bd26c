"""What goes over the wire: ids, RFC 3339 times with offset, whole seconds and counts, ratios from 0 to 1 or null."""

from __future__ import annotations

from typing import Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field

Data = TypeVar("Data")
State = Literal["up", "down", "unknown"]
Condition = Literal["operational", "degraded", "down", "unknown", "closed", "imported"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True)


class Meta(_Model):
    """Where an answer comes from; `revision` rises with every live update."""

    as_of: str
    revision: int
    timezone: str
    inventory_version: str
    simulated: bool = False


class WindowMeta(Meta):
    """The window really used: `from` and `to` widened to 5-minute marks."""

    from_: str = Field(serialization_alias="from")
    to: str
    coverage: float | None


class Parts(_Model):
    """Rows stored, refused and dropped, of the highest row number."""

    stored: int
    refused: int
    dropped: int
    highest: int
    ratio: float | None


class CompletenessMeta(Meta):
    """The sums over all devices."""

    totals: Parts


class Envelope(_Model, Generic[Data]):
    """Every answer: data, where it comes from, and the cursor of the next page."""

    data: Data
    meta: Meta
    next: str | None = None


class WindowEnvelope(_Model, Generic[Data]):
    """An answer about a window."""

    data: list[Data]
    meta: WindowMeta
    next: str | None = None


class Tally(_Model):
    """Counts by state."""

    total: int
    up: int
    down: int
    unknown: int


class Wait(_Model):
    """Waits that ended in the interval; percentiles are interpolated between exact bounds."""

    count: int
    sum_s: float
    mean_s: float | None
    p50_s: float | None
    p90_s: float | None
    p95_s: float | None


class WithinOut(_Model):
    """Waits at or under a threshold."""

    threshold_s: int
    count: int
    ratio: float | None


class ServiceTime(_Model):
    """Service times that ended in the interval."""

    count: int
    sum_s: float
    mean_s: float | None


class QueueRowOut(_Model):
    """One service at one centre over one bucket."""

    centre: str
    service: str
    from_: str = Field(serialization_alias="from")
    to: str
    issued: int
    served: int
    abandoned: int
    no_show: int
    wait: Wait
    within: WithinOut
    service_time: ServiceTime


class Today(_Model):
    """Figures of the local day so far."""

    issued: int
    called: int
    served: int
    abandoned: int
    no_show: int
    wait: Wait
    service_time: ServiceTime


class QueueNowOut(_Model):
    """One queue now."""

    centre: str
    service: str
    as_of: str | None
    waiting: int
    serving: int
    oldest: str | None
    oldest_wait_s: int | None
    counters_open: int
    today: Today


class Seconds(_Model):
    """open = up + down + unknown; `open` is the time in scope on the clock asked for."""

    open: int
    up: int
    down: int
    unknown: int
    excluded: int


class AvailabilityRow(_Model):
    """A scope's time over one bucket."""

    scope: str
    from_: str = Field(serialization_alias="from")
    to: str
    seconds: Seconds
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None


class DeviceOut(_Model):
    """A device as declared and as last heard."""

    id: str
    centre: str
    kind: str
    critical: bool
    simulated: bool
    state: State
    service: str | None
    online: bool | None
    last_event: str | None
    last_contact: str | None
    printer: str | None
    paper_pct: float | None
    cpu_pct: float | None
    mem_pct: float | None
    disk_pct: float | None
    uptime_s: int | None
    outbox_rows: int | None
    fw: str


class CentreOut(_Model):
    """A centre as declared and as last heard."""

    id: str
    name_vi: str
    name_en: str
    level: str
    province: str
    parent: str
    timezone: str
    imported: bool
    simulated: bool
    condition: Condition
    state: State
    open: bool
    mode: str
    last_data: str | None
    counters: int
    counters_open: int
    waiting: int
    serving: int
    devices: Tally
    today: Today


class CentreDetail(CentreOut):
    """A centre with its queues, its devices and when its doors next open or close."""

    next_change: str | None
    services: list[QueueNowOut]
    device_list: list[DeviceOut]


class Vantage(_Model):
    """A system as last seen from one device."""

    device: str
    state: State
    at: str
    latency_ms: float | None
    error: str | None
    tls_days: float | None


class SystemOut(_Model):
    """A digital system, up when `quorum` vantage points see it up."""

    id: str
    name_vi: str
    name_en: str
    kind: str
    critical: bool
    quorum: int
    state: State
    at: str | None
    vantage: list[Vantage]


class CentreCounts(_Model):
    """Declared centres by condition."""

    total: int
    open: int
    operational: int
    degraded: int
    down: int
    unknown: int
    closed: int
    imported: int


class QueueSum(_Model):
    """All queues together."""

    waiting: int
    serving: int
    counters_open: int


class TargetOut(_Model):
    """The mean-wait target in force."""

    id: str
    value_s: float
    by: str


class StatusOut(_Model):
    """The whole network."""

    indicator: Literal["none", "minor", "major", "critical"]
    province: str
    name_vi: str
    name_en: str
    last_data: str | None
    centres: CentreCounts
    devices: Tally
    systems: Tally
    queue: QueueSum
    today: Today
    wait_target: TargetOut | None
    completeness: float | None


class CompletenessRow(Parts):
    """One device's rows over all its outboxes."""

    device: str
    spools: int


class CompletenessEnvelope(_Model):
    """Completeness by device, with the sums in `meta`."""

    data: list[CompletenessRow]
    meta: CompletenessMeta
    next: str | None = None


class Health(_Model):
    """Alive or ready; `live_age_s` is the age of the newest live row."""

    status: str
    store: str | None = None
    live_age_s: int | None = None


class Version(_Model):
    """The build and the inventory."""

    version: str
    inventory_version: str
