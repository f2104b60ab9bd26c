"""Turns digital systems into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.shapes.objectives import seconds_by_state
from api.times import rfc3339, rfc3339_or_none
from telemetry.queries import count_states
from telemetry.queries.systems import vantage_points

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.accounting import TimeByState
    from telemetry.core.figures.histograms import LatencyHistogram
    from telemetry.queries import SystemView
    from telemetry.queries.systems import SystemDetail, VantageView


def system_summary(view: SystemView, zone: ZoneInfo) -> s.SystemSummary:
    """Shape a digital system."""
    return s.SystemSummary(**_system_fields(view, zone))  # type: ignore[arg-type]


def _system_fields(view: SystemView, zone: ZoneInfo) -> dict[str, object]:
    declared_fields = ("id", "name_vi", "name_en", "kind", "critical", "quorum")
    return {
        **{name: getattr(view.system, name) for name in declared_fields},
        "state": view.state,
        "at": rfc3339_or_none(view.row.at if view.row else None, zone),
        "vantage": [_vantage_point(v, zone) for v in vantage_points(view)],
    }


def _vantage_point(point: VantageView, zone: ZoneInfo) -> s.VantagePoint:
    observation = point.observation
    return s.VantagePoint(
        device=point.device,
        declared=point.declared,
        state=point.state,
        at=rfc3339(observation.at, zone) if observation else None,
        latency_ms=observation.latency_ms if observation else None,
        error=observation.error if observation else None,
        tls_days=observation.tls_days if observation else None,
    )


def system_detail_response(detail: SystemDetail, zone: ZoneInfo) -> s.SystemDetailResponse:
    """Shape a digital system with all there is to know about it."""
    return s.SystemDetailResponse(
        **_system_fields(detail.view, zone),  # type: ignore[arg-type]
        quorum_of=s.QuorumCounts(k=detail.quorum, n=detail.voting_count, **count_states(detail.voting_points)),
        availability_24h=_availability_summary(detail.last_day),
        availability_28d=_availability_summary(detail.last_28_days),
        latency_24h=_latency_summary(detail.latency),
        tls_expiry=_certificate_expiry(detail.earliest_expiry, zone),
    )


def _availability_summary(time_account: TimeByState) -> s.AvailabilitySummary:
    return s.AvailabilitySummary(
        seconds=seconds_by_state(time_account),
        availability=time_account.availability(),
        low=time_account.low,
        high=time_account.high,
        coverage=time_account.coverage,
    )


def _latency_summary(histogram: LatencyHistogram) -> s.LatencySummary:
    return s.LatencySummary(
        probes=histogram.probes,
        ok=histogram.ok,
        count=histogram.count,
        mean_ms=histogram.mean_ms,
        p50_ms=histogram.percentile_ms(0.5),
        p95_ms=histogram.percentile_ms(0.95),
    )


def _certificate_expiry(point: VantageView | None, zone: ZoneInfo) -> s.CertificateExpiry | None:
    if point is None or point.observation is None or point.observation.tls_days is None:
        return None
    return s.CertificateExpiry(
        days=point.observation.tls_days, device=point.device, at=rfc3339(point.observation.at, zone)
    )
