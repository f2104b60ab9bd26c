"""Centres, devices and systems: what is declared joined with what was last observed. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, Protocol

import msgspec

from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.centre_state import capacity_bounds
from telemetry.core.fold.live_row_types import DeviceNow, ServiceNow
from telemetry.core.fold.totals import add_sums
from telemetry.core.inventory import local_date

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.fold.live_row_types import AvailabilityState, CentreNow, SystemNow
    from telemetry.core.inventory import Centre, Device, System


class _HasState(Protocol):
    @property
    def state(self) -> AvailabilityState:
        """Up, down or unknown."""


CentreCondition = Literal["operational", "degraded", "down", "unknown", "closed", "imported"]
CONDITIONS_WORST_FIRST: tuple[CentreCondition, ...] = (
    "down", "unknown", "degraded", "operational", "closed", "imported",
)  # fmt: skip
"""Worst first; `closed` is outside opening hours, `imported` an old log without live data."""
STATES: tuple[AvailabilityState, ...] = ("up", "down", "unknown")
STALE_MS = 180_000
"""A centre without data for this long is unknown, never green."""


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device: declared facts and the last report; `state` is unknown when its centre is stale."""

    centre: str
    now: DeviceNow
    critical: bool = True
    simulated: bool = False

    @property
    def state(self) -> AvailabilityState:
        """Return the service state."""
        return self.now.state


@dataclass(frozen=True, slots=True)
class CentreView:
    """A centre: declared facts and the last live row, if any."""

    centre: Centre
    row: CentreNow | None
    now: int
    open: bool
    devices: tuple[DeviceView, ...]

    @property
    def last_data(self) -> int | None:
        """Return when the centre's data last arrived today, Unix ms; the row's own time is when it was written."""
        return None if self.row is None else self.row.last_data

    @property
    def stale(self) -> bool:
        """Return whether the last data are too old to show as the present."""
        return self.last_data is None or self.now - self.last_data > STALE_MS

    @property
    def services(self) -> tuple[ServiceNow, ...]:
        """Return the queues, declared services first; sums of an earlier day are dropped."""
        rows = {s.service: s for s in (self.row.services if self.row else ())}
        zone = self.centre.zone
        names = [*self.centre.services, *sorted(set(rows) - set(self.centre.services))]
        services = [rows.get(name) or ServiceNow(service=name, waiting=0, serving=0) for name in names]
        if self.row is None or local_date(self.row.at, zone) == local_date(self.now, zone):
            return tuple(services)
        return tuple(msgspec.structs.replace(s, today={}) for s in services)

    @property
    def waiting(self) -> int:
        """Return how many tickets wait."""
        return sum(s.waiting for s in self.services)

    @property
    def serving(self) -> int:
        """Return how many tickets are being served."""
        return sum(s.serving for s in self.services)

    @property
    def counters_open(self) -> int:
        """Return how many counters are open, 0 when that is unknown."""
        return self.row.counters_open if self.row else 0

    @property
    def today_sums(self) -> dict[str, int]:
        """Return today's sums over all services."""
        return add_sums(s.today for s in self.services)

    @property
    def today(self) -> QueueFigures:
        """Return today's figures over all services."""
        return queue_figures(self.today_sums)

    @property
    def capacity(self) -> tuple[float, float] | None:
        """Return the working share of the critical counters, or else kiosks: unknown ones counted as down, and as up.

        None when the centre has neither.
        """
        kinds = [[d.state for d in self.devices if d.critical and d.now.kind == kind] for kind in ("counter", "kiosk")]
        states = kinds[0] or kinds[1]
        return capacity_bounds(states.count("up"), states.count("unknown"), len(states)) if states else None

    @property
    def has_simulated_data(self) -> bool:
        """Return whether any of the data is simulated."""
        return bool(self.row and self.row.simulated) or any(d.simulated for d in self.devices)

    @property
    def condition(self) -> CentreCondition:
        """Return the centre's condition."""
        if self.centre.imported and self.stale:
            return "imported"
        if not self.open:
            return "closed"
        if self.row is None or self.stale:
            return "unknown"
        if self.row.state != "up":
            return self.row.state
        broken = any(d.critical and d.state == "down" for d in self.devices)
        return "degraded" if broken else "operational"


@dataclass(frozen=True, slots=True)
class SystemView:
    """A digital system: declared facts and the last reports of the vantage points."""

    system: System
    row: SystemNow | None
    now: int

    @property
    def stale(self) -> bool:
        """Return whether two probe rounds were missed."""
        return self.row is None or self.now - self.row.at > max(STALE_MS, 2 * self.system.every_ms + 30_000)

    @property
    def state(self) -> AvailabilityState:
        """Return the state by quorum, unknown when it is stale."""
        return "unknown" if self.row is None or self.stale else self.row.state


def build_centre_view(centre: Centre, declared: Iterable[Device], row: CentreNow | None, now: int) -> CentreView:
    """Join a centre's declaration with its live row."""
    view = CentreView(centre, row, now, centre.is_open(now), ())
    return replace(view, devices=_device_views(centre.id, declared, row, is_stale=view.stale))


def _device_views(
    centre: str, declared: Iterable[Device], row: CentreNow | None, *, is_stale: bool
) -> tuple[DeviceView, ...]:
    declared_by_id = {d.id: d for d in declared if d.kind != "replay"}
    reported_by_id = {d.id: d for d in (row.devices if row else ())}
    if is_stale:
        reported_by_id = {ident: msgspec.structs.replace(d, state="unknown") for ident, d in reported_by_id.items()}
    return tuple(
        _device_view(centre, ident, declared_by_id, reported_by_id)
        for ident in sorted({*declared_by_id, *reported_by_id})
    )


def _device_view(
    centre: str, ident: str, declared_by_id: Mapping[str, Device], reported_by_id: Mapping[str, DeviceNow]
) -> DeviceView:
    device, now = declared_by_id.get(ident), reported_by_id.get(ident)
    if device is None:
        return DeviceView(centre, reported_by_id[ident], critical=True, simulated=reported_by_id[ident].simulated)
    now = now or DeviceNow(id=ident, kind=device.kind, state="unknown")
    return DeviceView(centre, now, device.critical, device.simulated or now.simulated)


def count_states(devices: Iterable[_HasState]) -> dict[AvailabilityState, int]:
    """Count by state, zeros included."""
    counts = Counter(d.state for d in devices)
    return {state: counts[state] for state in STATES}
