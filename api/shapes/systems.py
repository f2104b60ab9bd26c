"""Turns digital systems into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.shapes.objectives import seconds
from api.times import stamp, stamp_or_none
from telemetry.queries import tally
from telemetry.queries.systems import vantage

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

    from telemetry.core.figures.accounting import Account
    from telemetry.core.latency import Latency
    from telemetry.queries import SystemView
    from telemetry.queries.systems import SystemDetail, VantageView


def system(view: SystemView, zone: ZoneInfo) -> s.SystemOut:
    """Shape a digital system."""
    return s.SystemOut(**_system(view, zone))  # type: ignore[arg-type]


def _system(view: SystemView, zone: ZoneInfo) -> dict[str, object]:
    same = ("id", "name_vi", "name_en", "kind", "critical", "quorum")
    return {
        **{name: getattr(view.system, name) for name in same},
        "state": view.state,
        "at": stamp_or_none(view.row.at if view.row else None, zone),
        "vantage": [_vantage(v, zone) for v in vantage(view)],
    }


def _vantage(found: VantageView, zone: ZoneInfo) -> s.Vantage:
    seen = found.seen
    return s.Vantage(
        device=found.device,
        declared=found.declared,
        state=found.state,
        at=stamp(seen.at, zone) if seen else None,
        latency_ms=seen.latency_ms if seen else None,
        error=seen.error if seen else None,
        tls_days=seen.tls_days if seen else None,
    )


def system_detail(found: SystemDetail, zone: ZoneInfo) -> s.SystemDetailOut:
    """Shape a digital system with all there is to know about it."""
    return s.SystemDetailOut(
        **_system(found.view, zone),  # type: ignore[arg-type]
        quorum_of=s.QuorumOut(k=found.quorum, n=found.needed_of, **tally(found.asked)),
        availability_24h=_available(found.day),
        availability_28d=_available(found.month),
        latency_24h=_latency(found.latency),
        tls_expiry=_expiry(found.expiry, zone),
    )


def _available(found: Account) -> s.AvailableOut:
    return s.AvailableOut(
        seconds=seconds(found),
        availability=found.availability(),
        low=found.low,
        high=found.high,
        coverage=found.coverage,
    )


def _latency(found: Latency) -> s.LatencyOut:
    return s.LatencyOut(
        probes=found.probes,
        ok=found.ok,
        count=found.count,
        mean_ms=found.mean_ms,
        p50_ms=found.percentile_ms(0.5),
        p95_ms=found.percentile_ms(0.95),
    )


def _expiry(found: VantageView | None, zone: ZoneInfo) -> s.ExpiryOut | None:
    if found is None or found.seen is None or found.seen.tls_days is None:
        return None
    return s.ExpiryOut(days=found.seen.tls_days, device=found.device, at=stamp(found.seen.at, zone))
