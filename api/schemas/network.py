"""Centres, devices and digital systems, one by one and all together; their state is decided in queries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from api.schemas.availability import SecondsByState, account_fields
from api.schemas.envelope import ApiModel, window_fields
from api.schemas.objectives import SloBadge, SloStateCounts
from api.schemas.queues import CurrentQueueResponse, TodayFigures
from api.times import rfc3339, rfc3339_or_none
from telemetry.core.protocol.events import ChainCertificate
from telemetry.core.scope import Scope
from telemetry.queries.impact import dependent_centres
from telemetry.queries.views import count_states

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Self
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.condition import Reason
    from telemetry.core.figures.histograms import LatencyHistogram
    from telemetry.core.fold.live_row_types import AvailabilityState, CallNow
    from telemetry.core.in_service import ServicePeriod
    from telemetry.core.inventory import Inventory
    from telemetry.queries.availability import AvailabilityResult
    from telemetry.queries.network import NetworkStatus
    from telemetry.queries.queues import CurrentQueue
    from telemetry.queries.slos import SloIndex
    from telemetry.queries.systems import LatencyBucket, SystemDetail, VantageView
    from telemetry.queries.views import CentreView, DeviceView

ApiState = Literal["up", "down", "unknown"]
ApiCondition = Literal[
    "down", "overloaded", "unknown", "degraded", "busy", "below_target", "operational", "closed", "planned",
    "retired", "imported",
]  # fmt: skip
ServicePhaseName = Literal["awaiting", "planned", "in_service", "retired"]


class StateCounts(ApiModel):
    """Counts by state."""

    total: int
    up: int
    down: int
    unknown: int

    @classmethod
    def from_counts(cls, counts: Mapping[AvailabilityState, int]) -> Self:
        """Return counts with their sum."""
        return cls(total=sum(counts.values()), up=counts["up"], down=counts["down"], unknown=counts["unknown"])


class ConditionReason(ApiModel):
    """Why a condition is not better: the code with the values that it has."""

    code: str = Field(description="such as devices_down, longest_wait; see docs/explanation/condition.md")
    count: int | None = Field(description="devices, objectives, or tickets that arrived in the last hour")
    left: int | None = Field(description="tickets that left the queue in the last hour")
    at: str | None = Field(description="since when, or from when")
    seconds: int | None = Field(description="the longest wait now, seconds")
    target_s: int | None = Field(description="the wait that is promised, seconds")
    ratio: float | None = Field(description="share called within the target in the last hour, 0 to 1")
    goal: float | None = Field(description="the share that is promised, 0 to 1")
    service: str = Field(description="the service whose queue it is, or empty")

    @classmethod
    def from_reason(cls, reason: Reason, zone: ZoneInfo) -> Self:
        """Return a reason with its time in a zone."""
        return cls.build(reason, at=rfc3339_or_none(reason.at, zone))


def period_fields(period: ServicePeriod, zone: ZoneInfo) -> dict[str, str | None]:
    """Return from when until when something is in service, for a response; null: not known, or without end."""
    start = None if not period.start else rfc3339(period.start, zone)
    return {"in_service_from": start, "in_service_to": rfc3339_or_none(period.end, zone)}


class DeviceResponse(ApiModel):
    """A device as declared and as last reported; `phase` says whether it is in service."""

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
    phase: ServicePhaseName
    in_service_from: str | None
    in_service_to: str | None

    @classmethod
    def from_view(cls, view: DeviceView, zone: ZoneInfo) -> Self:
        """Return a device."""
        last_event, last_contact = (rfc3339_or_none(t, zone) for t in (view.now.last_event, view.now.last_contact))
        period = period_fields(view.period, zone)
        return cls.build(view, view.now, last_event=last_event, last_contact=last_contact, **period)


class CurrentCapacity(ApiModel):
    """Working share of the critical counters, or else kiosks: unknown ones as down, and as up."""

    low: float
    high: float


class CentreSummary(ApiModel):
    """A centre as declared and as last reported."""

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
    reasons: list[ConditionReason]
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
    in_service_from: str | None
    in_service_to: str | None

    @classmethod
    def from_view(cls, view: CentreView, slos: SloIndex, **own: object) -> Self:
        """Return a centre; `own` are the fields that a subclass adds."""
        centre, capacity, worst = view.centre, view.capacity, slos.worst_at(Scope.centre(view.centre.id))
        return cls.build(
            view,
            centre,
            timezone=centre.zone.key,
            simulated=view.has_simulated_data,
            state="unknown" if view.row is None or view.stale else view.row.state,
            mode=view.row.mode if view.row else "normal",
            last_data=rfc3339_or_none(view.last_data, centre.zone),
            devices=StateCounts.from_counts(count_states(view.devices_in_service)),
            capacity=capacity and CurrentCapacity(low=capacity[0], high=capacity[1]),
            objective=worst and SloBadge.from_slo(worst),
            today=TodayFigures.from_figures(view.today),
            reasons=[ConditionReason.from_reason(reason, centre.zone) for reason in view.assessment.reasons],
            **period_fields(view.period, centre.zone),
            **own,
        )


class CentreCall(ApiModel):
    """A call of today by its printed number; the newest one of its ticket."""

    label: str = Field(description="the printed number")
    counter: str = Field(description="the counter's id")
    service: str
    at: str = Field(description="when it was called")
    call: int = Field(description="how often the ticket has been called, this call included", ge=1)
    ended: bool = Field(description="whether the ticket has ended since: served, given up or passed on")

    @classmethod
    def from_call(cls, call: CallNow, zone: ZoneInfo) -> Self:
        """Return a call."""
        return cls.build(call, at=rfc3339(call.at, zone))


class CentreDetail(CentreSummary):
    """A centre with its queues, its devices and when it next opens or closes."""

    next_change: str | None
    calls: list[CentreCall] = Field(
        description="the newest calls of today that have a printed number, newest first; empty where no source gives it"
    )
    objectives: list[SloBadge]
    services: list[CurrentQueueResponse]
    device_list: list[DeviceResponse]

    @classmethod
    def with_lists(cls, view: CentreView, queues: list[CurrentQueue], slos: SloIndex) -> Self:
        """Return a centre with its queues, devices and objectives."""
        centre = view.centre
        next_change = None if centre.imported else centre.next_opening_change(view.now)
        return cls.from_view(
            view,
            slos,
            next_change=rfc3339_or_none(next_change, centre.zone),
            calls=[CentreCall.from_call(call, centre.zone) for call in view.calls],
            objectives=[SloBadge.from_slo(slo) for slo in slos.at_scope(Scope.centre(centre.id))],
            services=[CurrentQueueResponse.from_queue(queue) for queue in queues],
            device_list=[DeviceResponse.from_view(device, centre.zone) for device in view.devices],
        )


class VantagePoint(ApiModel):
    """A system as last observed from one device; `at` is null when the device has not reported."""

    device: str
    declared: bool
    state: ApiState
    at: str | None
    latency_ms: float | None
    error: str | None
    tls_days: float | None
    tls_certificate: ChainCertificate | None

    @classmethod
    def from_view(cls, point: VantageView, zone: ZoneInfo) -> Self:
        """Return a vantage point; without an observation what it would show is null."""
        unobserved = (
            dict.fromkeys(("latency_ms", "error", "tls_days", "tls_certificate")) if point.observation is None else {}
        )
        at = None if point.observation is None else rfc3339(point.observation.at, zone)
        return cls.build(point, point.observation, at=at, **unobserved)


class QuorumCounts(ApiModel):
    """k of n vantage points must report it up; counts by state."""

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
    coverage_sufficient: bool | None

    @classmethod
    def from_result(cls, result: AvailabilityResult) -> Self:
        """Return the account of all of a window."""
        return cls.build(**account_fields(result.overall, result.ratio_of(result.overall)))


class LatencySummary(ApiModel):
    """Successful probes of the last 24 hours; percentiles are nearest-rank ones, within 2 %."""

    probes: int
    ok: int
    count: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None

    @classmethod
    def from_histogram(cls, histogram: LatencyHistogram) -> Self:
        """Return the figures of probes."""
        return cls.build(histogram, p50_ms=histogram.percentile_ms(0.5), p95_ms=histogram.percentile_ms(0.95))


class CertificateExpiry(ApiModel):
    """The certificate that expires first, which of the chain it is, and the device that observed it."""

    days: float
    tls_certificate: ChainCertificate | None
    device: str
    at: str

    @classmethod
    def from_view(cls, point: VantageView | None, zone: ZoneInfo) -> Self | None:
        """Return what a vantage point observed of the certificate, None when nothing."""
        seen = None if point is None else point.observation
        if point is None or seen is None or seen.tls_days is None:
            return None
        return cls(
            days=seen.tls_days, tls_certificate=seen.tls_certificate, device=point.device, at=rfc3339(seen.at, zone)
        )


class SystemSummary(ApiModel):
    """A digital system, up when `quorum` vantage points report it up; the table includes those without reports."""

    id: str
    name_vi: str
    name_en: str
    kind: str
    critical: bool
    owner_agency: str = Field(description="who answers for it; empty when that is not declared")
    level: int = Field(description="its level of protection, 1 to 5; 0 when the province does not host it", ge=0, le=5)
    services: list[str] = Field(description="services that cannot be given without it; empty when not declared")
    dependent_centres: int = Field(description="centres with such a service", ge=0)
    quorum: int
    condition: ApiCondition
    reasons: list[ConditionReason]
    state: ApiState
    at: str | None
    vantage: list[VantagePoint]
    availability_24h: AvailabilitySummary
    availability_7d: AvailabilitySummary = Field(
        description="the last 7 days: time by state, availability and coverage"
    )
    availability_28d: AvailabilitySummary
    availability_90d: AvailabilitySummary
    latency_24h: LatencySummary
    tls_expiry: CertificateExpiry | None
    in_service_from: str | None
    in_service_to: str | None

    @classmethod
    def from_detail(cls, detail: SystemDetail, inventory: Inventory, **own: object) -> Self:
        """Return a digital system; `own` are the fields that a subclass adds."""
        view, figures, zone = detail.view, detail.figures, inventory.zone
        return cls.build(
            view.system,
            services=list(view.system.services),
            dependent_centres=len(dependent_centres(inventory, view.system)),
            condition=view.condition,
            reasons=[ConditionReason.from_reason(reason, zone) for reason in view.assessment.reasons],
            **period_fields(view.period, zone),
            state=view.state,
            at=rfc3339_or_none(view.row.at if view.row else None, zone),
            vantage=[VantagePoint.from_view(point, zone) for point in detail.vantage_points],
            availability_24h=AvailabilitySummary.from_result(figures.last_day),
            availability_7d=AvailabilitySummary.from_result(figures.last_7_days),
            availability_28d=AvailabilitySummary.from_result(figures.last_28_days),
            availability_90d=AvailabilitySummary.from_result(figures.last_90_days),
            latency_24h=LatencySummary.from_histogram(figures.latency),
            tls_expiry=CertificateExpiry.from_view(detail.earliest_expiry, zone),
            **own,
        )


class LatencyRow(ApiModel):
    """The probes of a system in one bucket."""

    from_: str = Field(serialization_alias="from")
    to: str
    latency: LatencySummary = Field(description="probes of the bucket; percentiles are null without a successful one")

    @classmethod
    def from_bucket(cls, bucket: LatencyBucket, zone: ZoneInfo) -> Self:
        """Return a bucket."""
        return cls.build(**window_fields(bucket.window, zone), latency=LatencySummary.from_histogram(bucket.latency))


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
    overloaded: int
    busy: int
    below_target: int
    planned: int
    retired: int


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

    condition: ApiCondition
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

    @classmethod
    def from_status(cls, status: NetworkStatus, completeness: float | None, slos: SloIndex) -> Self:
        """Return the network's status; `completeness` is the ratio over all devices."""
        inventory, target, imported = status.network.inventory, status.target, len(status.imported)
        counts = {**status.conditions, "imported": imported}
        return cls.build(
            status,
            inventory,
            last_data=rfc3339_or_none(status.last_data, inventory.zone),
            centres=CentreCounts.build(total=len(status.centres), open=status.open_centres, **counts),
            devices=StateCounts.from_counts(status.devices),
            systems=StateCounts.from_counts(status.system_states),
            objectives=SloStateCounts.model_validate(slos.state_counts),
            queue=QueueTotals.build(status),
            today=TodayFigures.from_figures(status.today),
            wait_target=target and WaitTarget(id=target.id, value_s=target.value, by=target.by.isoformat()),
            completeness=completeness,
        )
