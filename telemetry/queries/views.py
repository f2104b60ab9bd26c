"""Centres, devices and systems: what is declared joined with what was last observed. Pure."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec

from telemetry.core.figures.condition import (
    DEFAULT_TARGET,
    Assessment,
    CentreFacts,
    QueueFacts,
    QueueTarget,
    assess_centre,
    assess_system,
)
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.centre_state import capacity_bounds
from telemetry.core.fold.live_row_types import DeviceNow, ServiceNow
from telemetry.core.fold.totals import add_sums, encode_sums
from telemetry.core.in_service import ALL_IN_SERVICE, ALWAYS
from telemetry.core.inventory import local_date
from telemetry.core.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.figures.condition import Condition
    from telemetry.core.figures.histograms import QueueFigures
    from telemetry.core.fold.live_row_types import AvailabilityState, CallNow, CentreNow, SystemNow
    from telemetry.core.in_service import ServicePeriod, ServicePeriods, ServicePhase
    from telemetry.core.inventory import Centre, Device, System


class _HasState(Protocol):
    @property
    def state(self) -> AvailabilityState:
        """Up, down or unknown."""


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
    period: ServicePeriod = ALWAYS
    phase: ServicePhase = "in_service"

    @property
    def in_service(self) -> bool:
        """Return whether it is in service now; otherwise its silence means nothing."""
        return self.phase == "in_service"

    @property
    def state(self) -> AvailabilityState:
        """Return the service state."""
        return self.now.state


@dataclass(frozen=True)
class CentreView:
    """A centre: declared facts and the last live row, if any."""

    centre: Centre
    row: CentreNow | None
    now: int
    open: bool
    devices: tuple[DeviceView, ...]
    period: ServicePeriod = ALWAYS
    target: QueueTarget = DEFAULT_TARGET
    exhausted: int = 0
    """How many objectives of the centre and its devices have exhausted their budgets."""
    set_aside_at: int | None = None
    """Since when some of its stored data cannot be read or folded (Unix ms)."""

    @cached_property
    def devices_in_service(self) -> tuple[DeviceView, ...]:
        """Return the devices that count now."""
        return tuple(d for d in self.devices if d.in_service)

    @property
    def last_data(self) -> int | None:
        """Return when the centre's data last arrived today, Unix ms; the row's own time is when it was written."""
        return None if self.row is None else self.row.last_data

    @property
    def stale(self) -> bool:
        """Return whether the last data are too old to show as the present."""
        return self.last_data is None or self.now - self.last_data > STALE_MS

    @cached_property
    def services(self) -> tuple[ServiceNow, ...]:
        """Return the queues, declared services first, then all undeclared ones as one."""
        groups: dict[str, list[ServiceNow]] = {}
        for reported in self.reported_services:
            groups.setdefault(self.centre.shown_service(reported.service), []).append(reported)
        return tuple(
            q[0] if q[0].service == name and len(q) == 1 else add_queues(name, q) for name, q in groups.items()
        )

    @cached_property
    def reported_services(self) -> tuple[ServiceNow, ...]:
        """Return the queues under the names that devices report, declared services first.

        Sums of an earlier day are dropped.
        """
        rows = {s.service: s for s in (self.row.services if self.row else ())}
        zone = self.centre.zone
        names = [*self.centre.services, *sorted(set(rows) - set(self.centre.services))]
        services = [rows.get(name) or ServiceNow(service=name, waiting=0, serving=0) for name in names]
        if self.row is None or local_date(self.row.at, zone) == local_date(self.now, zone):
            return tuple(services)
        return tuple(msgspec.structs.replace(s, today={}) for s in services)

    @property
    def calls(self) -> tuple[CallNow, ...]:
        """Return today's newest calls by printed number, newest first; none of an earlier day."""
        if self.row is None or local_date(self.row.at, self.centre.zone) != local_date(self.now, self.centre.zone):
            return ()
        return self.row.calls

    @cached_property
    def waiting(self) -> int:
        """Return how many tickets wait."""
        return sum(s.waiting for s in self.services)

    @cached_property
    def serving(self) -> int:
        """Return how many tickets are being served."""
        return sum(s.serving for s in self.services)

    @property
    def counters_open(self) -> int:
        """Return how many counters are open, 0 when that is unknown."""
        return self.row.counters_open if self.row else 0

    @cached_property
    def today_sums(self) -> dict[str, int]:
        """Return today's sums over all services."""
        return add_sums(s.today_sums for s in self.services)

    @cached_property
    def today(self) -> QueueFigures:
        """Return today's figures over all services."""
        return queue_figures(self.today_sums)

    @property
    def capacity(self) -> tuple[float, float] | None:
        """Return the working share of the critical counters, or else kiosks: unknown ones counted as down, and as up.

        None when the centre has neither.
        """
        kinds = [
            [d.state for d in self.devices_in_service if d.critical and d.now.kind == kind]
            for kind in ("counter", "kiosk")
        ]
        states = kinds[0] or kinds[1]
        return capacity_bounds(states.count("up"), states.count("unknown"), len(states)) if states else None

    @property
    def has_simulated_data(self) -> bool:
        """Return whether any of the data is simulated."""
        return bool(self.row and self.row.simulated) or any(d.simulated for d in self.devices)

    def reuse_sums(self, earlier: CentreView | None) -> None:
        """Take over what an earlier view of the same row on the same day has decoded."""
        if earlier is None or earlier.row is not self.row or earlier.centre is not self.centre:
            return
        if local_date(earlier.now, self.centre.zone) == local_date(self.now, self.centre.zone):
            for name in ("reported_services", "services", "today_sums"):
                if name in earlier.__dict__:
                    self.__dict__[name] = earlier.__dict__[name]

    @cached_property
    def assessment(self) -> Assessment:
        """Return the centre's condition with its reasons, as the core decides it."""
        critical = [d.state for d in self.devices_in_service if d.critical]
        facts = CentreFacts(
            now=self.now,
            period=self.period,
            state=None if self.row is None else self.row.state,
            is_open=self.open,
            is_stale=self.stale,
            is_imported=self.centre.imported,
            last_data=self.last_data,
            devices_down=critical.count("down"),
            devices_silent=critical.count("unknown"),
            queues=tuple(_queue_facts(s, self.now) for s in self.services),
            target=self.target,
            exhausted_objectives=self.exhausted,
            set_aside_at=self.set_aside_at,
        )
        return assess_centre(facts)

    @property
    def condition(self) -> Condition:
        """Return the centre's condition."""
        return self.assessment.condition


def add_queues(service: str, queues: Sequence[ServiceNow]) -> ServiceNow:
    """Return several queues as the one of `service`."""
    return ServiceNow(
        service=service,
        waiting=sum(q.waiting for q in queues),
        serving=sum(q.serving for q in queues),
        oldest=min((q.oldest for q in queues if q.oldest is not None), default=None),
        today=encode_sums(add_sums(q.today_sums for q in queues)),
        recent=encode_sums(add_sums(q.recent_sums for q in queues)),
    )


def _queue_facts(service: ServiceNow, now: int) -> QueueFacts:
    longest_s = None if service.oldest is None else max(0, now - service.oldest) // 1000
    return QueueFacts(service.service, service.waiting, longest_s, service.recent_sums)


@dataclass(frozen=True)
class SystemView:
    """A digital system: declared facts and the last reports of the vantage points."""

    system: System
    row: SystemNow | None
    now: int
    period: ServicePeriod = ALWAYS
    exhausted: int = 0
    set_aside_at: int | None = None

    @property
    def in_service(self) -> bool:
        """Return whether it is in service now."""
        return self.period.phase_at(self.now) == "in_service"

    @cached_property
    def assessment(self) -> Assessment:
        """Return the system's condition with its reasons, as the core decides it."""
        last_data = None if self.row is None else self.row.at
        return assess_system(self.state, self.period, self.now, last_data, self.exhausted, self.set_aside_at)

    @property
    def condition(self) -> Condition:
        """Return the system's condition."""
        return self.assessment.condition

    @property
    def stale(self) -> bool:
        """Return whether two probe rounds were missed."""
        return self.row is None or self.now - self.row.at > max(STALE_MS, 2 * self.system.every_ms + 30_000)

    @property
    def state(self) -> AvailabilityState:
        """Return the state by quorum, unknown when it is stale."""
        return "unknown" if self.row is None or self.stale else self.row.state


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What places need beside their declaration and row: periods, the waits promised, exhausted objectives by scope."""

    periods: ServicePeriods = ALL_IN_SERVICE
    targets: Mapping[str, QueueTarget] = field(default_factory=dict)
    """By centre; the default target elsewhere."""
    exhausted: Mapping[str, int] = field(default_factory=dict)
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """By centre or system: since when some of its stored data cannot be read or folded, Unix ms."""


NO_PLACE_FACTS = PlaceFacts()


def build_centre_view(
    centre: Centre, declared: Iterable[Device], row: CentreNow | None, now: int, facts: PlaceFacts
) -> CentreView:
    """Join a centre's declaration with its live row."""
    view = CentreView(centre, row, now, centre.is_open(now), ())
    devices = _device_views(centre.id, declared, view, facts.periods)
    own = [Scope.centre(centre.id), *(Scope.device(d.now.id) for d in devices)]
    return replace(
        view,
        devices=devices,
        period=facts.periods.period_of(Scope.centre(centre.id)),
        target=facts.targets.get(centre.id, DEFAULT_TARGET),
        exhausted=sum(facts.exhausted.get(scope, 0) for scope in own) if facts.exhausted else 0,
        set_aside_at=facts.set_aside.get(centre.id),
    )


def _device_views(
    centre: str, declared: Iterable[Device], view: CentreView, periods: ServicePeriods
) -> tuple[DeviceView, ...]:
    declared_by_id = {d.id: d for d in declared if d.kind != "replay"}
    reported_by_id = {d.id: d for d in (view.row.devices if view.row else ())}
    if view.stale:
        reported_by_id = {ident: msgspec.structs.replace(d, state="unknown") for ident, d in reported_by_id.items()}
    return tuple(
        _device_view(centre, declared_by_id.get(ident), reported_by_id.get(ident), periods, view.now, ident)
        for ident in sorted({*declared_by_id, *reported_by_id})
    )


def _device_view(
    centre: str, device: Device | None, reported: DeviceNow | None, periods: ServicePeriods, now: int, ident: str
) -> DeviceView:
    kind = device.kind if device is not None else "host"
    report = reported or DeviceNow(id=ident, kind=kind, state="unknown")
    if device is None:
        return DeviceView(centre, report, critical=True, simulated=report.simulated)
    period = periods.period_of(Scope.device(ident))
    return DeviceView(
        centre, report, device.critical, device.simulated or report.simulated, period, period.phase_at(now)
    )


def count_states(devices: Iterable[_HasState]) -> dict[AvailabilityState, int]:
    """Count by state, zeros included."""
    counts = Counter(d.state for d in devices)
    return {state: counts[state] for state in STATES}
