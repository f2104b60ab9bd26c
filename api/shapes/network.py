"""Turns centres, devices and the network into what goes over the wire; it must not compute figures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api import schemas as s
from api.shapes.objectives import pill, standings
from api.shapes.queues import queue_now, today
from api.times import stamp_or_none
from telemetry.queries import tally

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from telemetry.core.fold.live_row_types import State
    from telemetry.core.inventory import Target
    from telemetry.queries import CentreView, DeviceView, Objectives, QueueNow, Status


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


def centre(view: CentreView, objectives: Objectives) -> s.CentreOut:
    """Shape a centre for the list."""
    return s.CentreOut(**_centre(view, objectives))  # type: ignore[arg-type]


def _centre(view: CentreView, objectives: Objectives) -> dict[str, object]:
    c, share, worst = view.centre, view.capacity, objectives.worst(f"centre:{view.centre.id}")
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
        "capacity": None if share is None else s.CapacityShare(low=share[0], high=share[1]),
        "objective": None if worst is None else pill(worst),
        "today": today(view.today),
    }


def centre_detail(view: CentreView, queues: list[QueueNow], objectives: Objectives) -> s.CentreDetail:
    """Shape a centre with all there is to know about it."""
    zone = view.centre.zone
    return s.CentreDetail(
        **_centre(view, objectives),  # type: ignore[arg-type]
        next_change=stamp_or_none(None if view.centre.imported else view.centre.next_change(view.now), zone),
        objectives=[pill(one) for one in objectives.at(f"centre:{view.centre.id}")],
        services=[queue_now(row) for row in queues],
        device_list=[device(d, zone) for d in view.devices],
    )


def status(found: Status, completeness: float | None, objectives: Objectives) -> s.StatusOut:
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
        objectives=standings(objectives.counts),
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
