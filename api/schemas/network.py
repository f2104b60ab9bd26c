"""Centres, devices and digital systems, one by one and all together."""

from __future__ import annotations

from typing import Literal

from api.schemas.envelope import Model
from api.schemas.figures import QueueNowOut, Seconds, Tally, Today
from api.schemas.objectives import Counts, Pill

State = Literal["up", "down", "unknown"]
Condition = Literal["operational", "degraded", "down", "unknown", "closed", "imported"]


class DeviceOut(Model):
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


class CapacityShare(Model):
    """Working share of the critical counters, or else kiosks: unknown ones as down, and as up."""

    low: float
    high: float


class CentreOut(Model):
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
    capacity: CapacityShare | None
    objective: Pill | None
    today: Today


class CentreDetail(CentreOut):
    """A centre with its queues, its devices and when its doors next open or close."""

    next_change: str | None
    objectives: list[Pill]
    services: list[QueueNowOut]
    device_list: list[DeviceOut]


class Vantage(Model):
    """A system as last seen from one device; `at` is null when it has said nothing."""

    device: str
    declared: bool
    state: State
    at: str | None
    latency_ms: float | None
    error: str | None
    tls_days: float | None


class SystemOut(Model):
    """A digital system, up when `quorum` vantage points see it up; the table has the silent ones too."""

    id: str
    name_vi: str
    name_en: str
    kind: str
    critical: bool
    quorum: int
    state: State
    at: str | None
    vantage: list[Vantage]


class QuorumOut(Model):
    """k of n vantage points must see it up; how many see it how."""

    k: int
    n: int
    up: int
    down: int
    unknown: int


class AvailableOut(Model):
    """Time over a window that ends now, round the clock but for maintenance."""

    seconds: Seconds
    availability: float | None
    low: float | None
    high: float | None
    coverage: float | None


class LatencyOut(Model):
    """Successful probes of the last 24 hours; percentiles are interpolated between exact bounds."""

    probes: int
    ok: int
    count: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None


class ExpiryOut(Model):
    """The certificate that expires first, and who saw it."""

    days: float
    device: str
    at: str


class SystemDetailOut(SystemOut):
    """A digital system with its quorum, availability, latency and certificate."""

    quorum_of: QuorumOut
    availability_24h: AvailableOut
    availability_28d: AvailableOut
    latency_24h: LatencyOut
    tls_expiry: ExpiryOut | None


class CentreCounts(Model):
    """Declared centres by condition."""

    total: int
    open: int
    operational: int
    degraded: int
    down: int
    unknown: int
    closed: int
    imported: int


class QueueSum(Model):
    """All queues together."""

    waiting: int
    serving: int
    counters_open: int


class TargetOut(Model):
    """The mean-wait target in force."""

    id: str
    value_s: float
    by: str


class StatusOut(Model):
    """The whole network."""

    indicator: Literal["none", "minor", "major", "critical"]
    province: str
    name_vi: str
    name_en: str
    last_data: str | None
    centres: CentreCounts
    devices: Tally
    systems: Tally
    objectives: Counts
    queue: QueueSum
    today: Today
    wait_target: TargetOut | None
    completeness: float | None
