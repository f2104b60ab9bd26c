"""Turns answers of `telemetry.queries` into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.times import stamp, stamp_or_none
from telemetry.queries import tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.accounting import Account, Unknown
    from telemetry.core.completeness import Completeness
    from telemetry.core.inventory import Target
    from telemetry.core.live import State, VantageNow
    from telemetry.core.queueing import Durations, Queueing
    from telemetry.core.windows import Window
    from telemetry.queries import CentreView, DeviceView, Queries, QueueNow, QueueRow, Status, SystemView, Uptime


def meta(queries: Queries) -> s.Meta:
    """Say where an answer comes from."""
    return s.Meta(**_origin(queries))  # type: ignore[arg-type]


def _origin(queries: Queries) -> dict[str, object]:
    inventory, snapshot = queries.inventory(), queries.snapshot()
    return {
        "as_of": stamp(queries.now(), inventory.zone),
        "revision": snapshot.version,
        "timezone": inventory.zone.key,
        "inventory_version": inventory.version,
        "simulated": inventory.simulated or any(row.simulated for row in snapshot.centres.values()),
    }


def window_meta(queries: Queries, window: Window, zone: ZoneInfo, coverage: float | None) -> s.WindowMeta:
    """Say where an answer about a window comes from."""
    origin = {**_origin(queries), "as_of": stamp(queries.now(), zone), "timezone": zone.key}
    start, end = stamp(window.start, zone), stamp(window.end, zone)
    return s.WindowMeta(**origin, from_=start, to=end, coverage=coverage)  # type: ignore[arg-type]


def completeness_meta(queries: Queries, parts: Completeness) -> s.CompletenessMeta:
    """Say where completeness comes from, with its sums."""
    return s.CompletenessMeta(**_origin(queries), totals=s.Parts(**_parts(parts)))  # type: ignore[arg-type]


def _parts(parts: Completeness) -> dict[str, int | float | None]:
    names = ("stored", "refused", "dropped", "highest", "ratio")
    return {name: getattr(parts, name) for name in names}


def completeness_row(device: str, spools: int, parts: Completeness) -> s.CompletenessRow:
    """Shape one device's completeness."""
    return s.CompletenessRow(device=device, spools=spools, **_parts(parts))  # type: ignore[arg-type]


def wait(found: Durations) -> s.Wait:
    """Shape waits."""
    return s.Wait(
        count=found.count,
        sum_s=found.sum_s,
        mean_s=found.mean_s,
        p50_s=found.percentile_s(0.5),
        p90_s=found.percentile_s(0.9),
        p95_s=found.percentile_s(0.95),
    )


def service_time(found: Durations) -> s.ServiceTime:
    """Shape service times."""
    return s.ServiceTime(count=found.count, sum_s=found.sum_s, mean_s=found.mean_s)


def today(q: Queueing) -> s.Today:
    """Shape a day's figures."""
    return s.Today(
        issued=q.issued,
        called=q.called,
        served=q.served,
        abandoned=q.abandoned,
        no_show=q.no_show,
        wait=wait(q.wait),
        service_time=service_time(q.service_time),
    )


def queue_row(row: QueueRow, threshold_s: int) -> s.QueueRowOut:
    """Shape one row of history."""
    q, within = row.figures, row.figures.wait.within(threshold_s)
    return s.QueueRowOut(
        centre=row.centre,
        service=row.service,
        from_=stamp(row.window.start, row.zone),
        to=stamp(row.window.end, row.zone),
        issued=q.issued,
        served=q.served,
        abandoned=q.abandoned,
        no_show=q.no_show,
        wait=wait(q.wait),
        within=s.WithinOut(threshold_s=threshold_s, count=within.count, ratio=within.ratio),
        service_time=service_time(q.service_time),
    )


def queue_now(row: QueueNow) -> s.QueueNowOut:
    """Shape one queue."""
    zone, oldest = row.view.centre.zone, row.service.oldest
    return s.QueueNowOut(
        centre=row.view.centre.id,
        service=row.service.service,
        as_of=stamp_or_none(row.view.row.at if row.view.row else None, zone),
        waiting=row.service.waiting,
        serving=row.service.serving,
        oldest=stamp_or_none(oldest, zone),
        oldest_wait_s=None if oldest is None else max(0, row.view.now - oldest) // 1000,
        counters_open=row.view.counters_open,
        today=today(row.today),
    )


def availability_rows(answer: Uptime) -> list[s.AvailabilityRow]:
    """Shape a scope's accounts."""
    return [_availability(answer, window, found, answer.unknown) for window, found in answer.rows]


def _availability(answer: Uptime, window: Window, found: Account, policy: Unknown) -> s.AvailabilityRow:
    return s.AvailabilityRow(
        scope=answer.scope,
        from_=stamp(window.start, answer.zone),
        to=stamp(window.end, answer.zone),
        seconds=s.Seconds(
            open=found.total,
            up=found.up,
            down=found.down,
            unknown=found.unknown,
            excluded=found.excluded,
        ),
        availability=found.availability(policy),
        low=found.low,
        high=found.high,
        coverage=found.coverage,
    )


_SAME = (
    "id", "kind", "state", "service", "online", "printer", "paper_pct", "cpu_pct", "mem_pct", "disk_pct",
    "uptime_s", "outbox_rows", "fw",
)  # fmt: skip


def device(view: DeviceView, zone: ZoneInfo) -> s.DeviceOut:
    """Shape a device."""
    return s.DeviceOut(
        **{name: getattr(view.now, name) for name in _SAME},
        centre=view.centre,
        critical=view.critical,
        simulated=view.simulated,
        last_event=stamp_or_none(view.now.last_event, zone),
        last_contact=stamp_or_none(view.now.last_contact, zone),
    )


def centre(view: CentreView) -> s.CentreOut:
    """Shape a centre for the list."""
    return s.CentreOut(**_centre(view))  # type: ignore[arg-type]


def _centre(view: CentreView) -> dict[str, object]:
    c = view.centre
    same = ("id", "name_vi", "name_en", "level", "province", "parent", "imported", "counters")
    seen = ("condition", "open", "simulated", "counters_open", "waiting", "serving")
    return {
        **{name: getattr(c, name) for name in same},
        **{name: getattr(view, name) for name in seen},
        "timezone": c.zone.key,
        "state": "unknown" if view.row is None or view.stale else view.row.state,
        "mode": view.row.mode if view.row else "normal",
        "last_data": stamp_or_none(view.last_data, c.zone),
        "devices": _tally(tally(view.devices)),
        "today": today(view.today),
    }


def centre_detail(view: CentreView, queues: list[QueueNow]) -> s.CentreDetail:
    """Shape a centre with all there is to know about it."""
    zone = view.centre.zone
    return s.CentreDetail(
        **_centre(view),  # type: ignore[arg-type]
        next_change=stamp_or_none(None if view.centre.imported else view.centre.next_change(view.now), zone),
        services=[queue_now(row) for row in queues],
        device_list=[device(d, zone) for d in view.devices],
    )


def system(view: SystemView, zone: ZoneInfo) -> s.SystemOut:
    """Shape a digital system."""
    same = ("id", "name_vi", "name_en", "kind", "critical", "quorum")
    return s.SystemOut(
        **{name: getattr(view.system, name) for name in same},
        state=view.state,
        at=stamp_or_none(view.row.at if view.row else None, zone),
        vantage=[_vantage(v, zone) for v in (view.row.vantage if view.row else ())],
    )


def _vantage(v: VantageNow, zone: ZoneInfo) -> s.Vantage:
    return s.Vantage(
        device=v.device,
        state=v.state,
        at=stamp(v.at, zone),
        latency_ms=v.latency_ms,
        error=v.error,
        tls_days=v.tls_days,
    )


def status(found: Status, completeness: float | None) -> s.StatusOut:
    """Shape the network's status."""
    inventory, target = found.world.inventory, found.target
    return s.StatusOut(
        indicator=found.indicator,
        province=inventory.province,
        name_vi=inventory.name_vi,
        name_en=inventory.name_en,
        last_data=stamp_or_none(found.last_data, inventory.zone),
        centres=_counts(found),
        devices=_tally(found.devices),
        systems=_tally(found.system_states),
        queue=s.QueueSum(waiting=found.waiting, serving=found.serving, counters_open=found.counters_open),
        today=today(found.today),
        wait_target=_target(target),
        completeness=completeness,
    )


def _target(target: Target | None) -> s.TargetOut | None:
    return None if target is None else s.TargetOut(id=target.id, value_s=target.value, by=target.by.isoformat())


def _tally(states: Mapping[State, int]) -> s.Tally:
    return s.Tally(total=sum(states.values()), up=states["up"], down=states["down"], unknown=states["unknown"])


def _counts(found: Status) -> s.CentreCounts:
    counts = {**found.conditions, "imported": len(found.imported)}
    return s.CentreCounts(total=len(found.centres), open=found.open, **counts)
