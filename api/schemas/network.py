"""Centres, devices and digital systems, one by one and all together."""

from __future__ import annotations

from typing import Literal

from api.schemas.envelope import ApiModel
from api.schemas.figures import CurrentQueueResponse, SecondsByState, StateCounts, TodayFigures
from api.schemas.objectives import SloBadge, SloStateCounts

ApiState = Literal["up", "down", "unknown"]
ApiCondition = Literal["operational", "degraded", "down", "unknown", "closed", "imported"]


class DeviceResponse(ApiModel):
    """A device as declared and as last heard."""

    id: str
    centre: str
    kind: str
    critical: bool
    simulated: bool
    state: ApiState
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


class CurrentCapacity(ApiModel):
    """Working share of the critical counters, or else kiosks: unknown ones as down, and as up."""

    low: float
    high: float


class CentreSummary(ApiModel):
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
    condition: ApiCondition
    state: ApiState
    open: bool
    mode: str
    last_data: str | None
    counters: int
    counters_open: int
    waiting: int
    serving: int
    devices: StateCounts
    capacity: CurrentCapacity | None
    objective: SloBadge | None
    today: TodayFigures


class CentreDetail(CentreSummary):
    """A centre with its queues, its devices and when its doors next open or close."""

    next_change: str | None
    objectives: list[SloBadge]
    services: list[CurrentQueueResponse]
    device_list: list[DeviceResponse]


class VantagePoint(ApiModel):
    """A system as last seen from one device; `at` is null when it has said nothing."""

    device: str
    declared: bool
    state: ApiState
    at: str | None
    latency_ms: float | None
    error: str | None
    tls_days: float | None


class SystemSummary(ApiModel):
    """A digital system, up when `quorum` vantage points see it up; the table has the silent ones too."""

    id: str
    name_vi: str
    name_en: str
    kind: str
    critical: bool
    quorum: int
    state: ApiState
    at: str | None
    vantage: list[VantagePoint]


class QuorumCounts(ApiModel):
    """k of n vantage points must see it up; how many see it how."""

    k: int
    n: int
    up: int
    down: int
    unknown: int


class AvailabilitySummary(ApiModel):
    """Time over a window that ends now, round the clock but for maintenance."""

    seconds: SecondsByState
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None


class LatencySummary(ApiModel):
    """Successful probes of the last 24 hours; percentiles are interpolated between exact bounds."""

    probes: int
    ok: int
    count: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


class CertificateExpiry(ApiModel):
    """The certificate that expires first, and who saw it."""

    days: float
    device: str
    at: str


class SystemDetailResponse(SystemSummary):
    """A digital system with its quorum, availability, latency and certificate."""

    quorum_of: QuorumCounts
    availability_24h: AvailabilitySummary
    availability_28d: AvailabilitySummary
    latency_24h: LatencySummary
    tls_expiry: CertificateExpiry | None


class CentreCounts(ApiModel):
    """Declared centres by condition."""

    total: int
    open: int
    operational: int
    degraded: int
    down: int
    unknown: int
    closed: int
    imported: int


class QueueTotals(ApiModel):
    """All queues together."""

    waiting: int
    serving: int
    counters_open: int


class WaitTarget(ApiModel):
    """The mean-wait target in force."""

    id: str
    value_s: float
    by: str


class NetworkStatusResponse(ApiModel):
    """The whole network."""

    indicator: Literal["none", "minor", "major", "critical"]
    province: str
    name_vi: str
    name_en: str
    last_data: str | None
    centres: CentreCounts
    devices: StateCounts
    systems: StateCounts
    objectives: SloStateCounts
    queue: QueueTotals
    today: TodayFigures
    wait_target: WaitTarget | None
    completeness: float | None
