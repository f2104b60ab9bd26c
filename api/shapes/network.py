"""Turns centres, devices and the network into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.shapes.objectives import slo_badge, slo_state_counts
from api.shapes.queues import current_queue, today_figures
from api.times import rfc3339_or_none
from telemetry.queries import count_states

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.live_row_types import AvailabilityState
    from telemetry.core.inventory import Target
    from telemetry.queries import CentreView, CurrentQueue, DeviceView, NetworkStatus, SloIndex


_SHARED_DEVICE_FIELDS = (
    "id", "kind", "state", "service", "online", "printer", "paper_pct", "cpu_pct", "mem_pct", "disk_pct",
    "uptime_s", "outbox_rows", "fw",
)  # fmt: skip


def device_response(view: DeviceView, zone: ZoneInfo) -> s.DeviceResponse:
    """Shape a device."""
    return s.DeviceResponse(
        **{name: getattr(view.now, name) for name in _SHARED_DEVICE_FIELDS},
        centre=view.centre,
        critical=view.critical,
        simulated=view.simulated,
        last_event=rfc3339_or_none(view.now.last_event, zone),
        last_contact=rfc3339_or_none(view.now.last_contact, zone),
    )


def centre_summary(view: CentreView, objectives: SloIndex) -> s.CentreSummary:
    """Shape a centre for the list."""
    return s.CentreSummary(**_centre_fields(view, objectives))  # type: ignore[arg-type]


def _centre_fields(view: CentreView, objectives: SloIndex) -> dict[str, object]:
    c, share, worst = view.centre, view.capacity, objectives.worst_at(f"centre:{view.centre.id}")
    declared_fields = ("id", "name_vi", "name_en", "level", "province", "parent", "imported", "counters")
    view_fields = ("condition", "open", "simulated", "counters_open", "waiting", "serving")
    return {
        **{name: getattr(c, name) for name in declared_fields},
        **{name: getattr(view, name) for name in view_fields},
        "timezone": c.zone.key,
        "state": "unknown" if view.row is None or view.stale else view.row.state,
        "mode": view.row.mode if view.row else "normal",
        "last_data": rfc3339_or_none(view.last_data, c.zone),
        "devices": _state_counts(count_states(view.devices)),
        "capacity": None if share is None else s.CurrentCapacity(low=share[0], high=share[1]),
        "objective": None if worst is None else slo_badge(worst),
        "today": today_figures(view.today),
    }


def centre_detail(view: CentreView, queues: list[CurrentQueue], objectives: SloIndex) -> s.CentreDetail:
    """Shape a centre with all there is to know about it."""
    zone = view.centre.zone
    return s.CentreDetail(
        **_centre_fields(view, objectives),  # type: ignore[arg-type]
        next_change=rfc3339_or_none(None if view.centre.imported else view.centre.next_opening_change(view.now), zone),
        objectives=[slo_badge(slo) for slo in objectives.at_scope(f"centre:{view.centre.id}")],
        services=[current_queue(row) for row in queues],
        device_list=[device_response(d, zone) for d in view.devices],
    )


def network_status_response(
    network_status: NetworkStatus, completeness: float | None, objectives: SloIndex
) -> s.NetworkStatusResponse:
    """Shape the network's status."""
    inventory, target = network_status.network.inventory, network_status.target
    return s.NetworkStatusResponse(
        indicator=network_status.indicator,
        province=inventory.province,
        name_vi=inventory.name_vi,
        name_en=inventory.name_en,
        last_data=rfc3339_or_none(network_status.last_data, inventory.zone),
        centres=_centre_counts(network_status),
        devices=_state_counts(network_status.devices),
        systems=_state_counts(network_status.system_states),
        objectives=slo_state_counts(objectives.state_counts),
        queue=s.QueueTotals(
            waiting=network_status.waiting, serving=network_status.serving, counters_open=network_status.counters_open
        ),
        today=today_figures(network_status.today),
        wait_target=_wait_target(target),
        completeness=completeness,
    )


def _wait_target(target: Target | None) -> s.WaitTarget | None:
    return None if target is None else s.WaitTarget(id=target.id, value_s=target.value, by=target.by.isoformat())


def _state_counts(states: Mapping[AvailabilityState, int]) -> s.StateCounts:
    return s.StateCounts(total=sum(states.values()), up=states["up"], down=states["down"], unknown=states["unknown"])


def _centre_counts(network_status: NetworkStatus) -> s.CentreCounts:
    counts = {**network_status.conditions, "imported": len(network_status.imported)}
    return s.CentreCounts(total=len(network_status.centres), open=network_status.open_centres, **counts)
