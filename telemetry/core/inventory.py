"""The inventory as frozen values: province, units, centres, devices, services, systems, hours.

Built by `telemetry.inventory` from files; it must not read files itself.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.calendar_values import ALWAYS_OPEN, CalendarRules, OpeningHours
from telemetry.core.calendar.opening_calendar import Calendar
from telemetry.core.calendar.windows import Window, to_local
from telemetry.core.cloud.values import CloudDeclaration

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from zoneinfo import ZoneInfo

    from telemetry.core.calendar.calendar_values import MaintenancePlan
    from telemetry.core.protocol.remote_signature import RemoteSigner

__all__ = (
    "ALWAYS_OPEN",
    "DEFAULT_COVERAGE_FLOOR",
    "AdministrativeLevel",
    "AdministrativeUnit",
    "Centre",
    "Commitment",
    "DeclaredPeriod",
    "Device",
    "DeviceKind",
    "IndexFigure",
    "Inventory",
    "Objective",
    "ObjectiveClock",
    "ObjectivePeriod",
    "ObjectiveUnknownPolicy",
    "OpenDataTerms",
    "OpeningHours",
    "OwnIndicator",
    "ProcedureCount",
    "PublishedFigures",
    "Service",
    "SliKind",
    "SourceDeclaration",
    "SourceValue",
    "System",
    "Target",
    "TargetStart",
    "UnknownPolicy",
    "local_date",
)  # fmt: skip

AdministrativeLevel = Literal["province", "district", "commune"]
UnknownPolicy = Literal["exclude", "down", "up"]
"""What unknown time counts as in the availability."""
ObjectiveClock = Literal["open", "wall"]
ObjectiveUnknownPolicy = Literal["exclude", "down", "up", "settle"]
"""How an objective counts unknown time; `settle`: not at all while provisional, as down once settled."""
DeviceKind = Literal["gateway", "kiosk", "display", "tablet", "counter", "replay", "host"]
DEFAULT_COVERAGE_FLOOR = 0.5
"""The coverage floor of an inventory that declares none."""


@dataclass(frozen=True, slots=True)
class AdministrativeUnit:
    """An administrative unit with the dates it is valid for."""

    code: str
    level: AdministrativeLevel
    parent: str
    name: str
    valid_from: date
    valid_to: date | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """A desk's service group (`land`, `civil-status`)."""

    id: str
    name_vi: str
    name_en: str
    owner_agency: str = ""


@dataclass(frozen=True, slots=True)
class DeclaredPeriod:
    """From when until when something is declared to be in service, Unix ms at a local midnight; None: not declared."""

    start: int | None = None
    end: int | None = None


@dataclass(frozen=True, slots=True)
class System:
    """A monitored digital system; `quorum` of its vantage points decide up or down (k-of-n).

    `services` are the ids of those that cannot be given without it; empty: not declared.
    """

    id: str
    name_vi: str
    name_en: str
    kind: str
    probe: str = ""
    target: str = ""
    every_ms: int = 300_000
    quorum: int = 1
    vantage: tuple[str, ...] = ()
    critical: bool = True
    maintenance: tuple[MaintenancePlan, ...] = ()
    declared_period: DeclaredPeriod = DeclaredPeriod()
    owner_agency: str = ""
    services: tuple[str, ...] = ()
    level: int = 0
    """The level of a system that the province hosts itself, and of its components; 0: of none."""
    part_of: str = ""
    """The hosted system that this is a part of: a component, a peer or a closed path. Parts are listed with it only."""
    part: str = ""  # what part that is: the component's id, or the name of the peer or path
    figures_target: str = ""  # HOST:PORT at which a database gives its own figures

    def calendar(self, zone: ZoneInfo) -> Calendar:
        """Return its calendar: round the clock but for planned maintenance."""
        return Calendar(ALWAYS_OPEN, zone, rules=CalendarRules(maintenance=self.maintenance))


@dataclass(frozen=True, slots=True)
class Device:
    """A device or gateway that runs an agent."""

    id: str
    centre: str
    kind: DeviceKind
    every_ms: int = 60_000
    critical: bool = True
    simulated: bool = False
    declared_period: DeclaredPeriod = DeclaredPeriod()


SourceValue = str | int | bool
"""The value of one setting of a source."""


@dataclass(frozen=True, slots=True)
class SourceDeclaration:
    """A source of the agents of one device, or of the devices of a kind, of a centre, or of a kind in a centre.

    `name` tells the sources of a device apart; with `enabled` false the devices do not have the source of that name.
    """

    kind: str
    name: str
    settings: Mapping[str, SourceValue]
    device_kind: str = ""
    centre: str = ""
    device: str = ""
    enabled: bool = True

    def is_for(self, device: Device) -> bool:
        """Return whether the declaration is for the device."""
        selectors = ((self.device, device.id), (self.centre, device.centre), (self.device_kind, device.kind))
        return all(not selector or selector == value for selector, value in selectors)


UNDECLARED_SERVICE = "undeclared"
"""The id under which all services are shown together that devices of a centre name and its declaration does not."""


@dataclass(frozen=True, slots=True)
class Centre:
    """A public-service centre: one hall or desk with its hours, counters and devices."""

    id: str
    unit: str
    level: AdministrativeLevel
    name_vi: str
    name_en: str
    province: str
    parent: str
    counters: int
    hours: tuple[OpeningHours, ...]
    services: tuple[str, ...]
    zone: ZoneInfo
    owner_agency: str = ""
    tickets_per_day: int = 0
    exceptions: Mapping[date, OpeningHours] = field(default_factory=lambda: MappingProxyType({}))
    imported: bool = False
    own_services: tuple[Service, ...] = ()
    """The named services of an imported log, which no inventory declares."""
    derived_hours: tuple[OpeningHours, ...] = ()
    """Opening hours derived from an imported log's arrivals: they are shown, and no total depends on them."""
    rules: CalendarRules = field(default_factory=CalendarRules)
    declared_period: DeclaredPeriod = DeclaredPeriod()
    calendar: Calendar = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Join hours, exceptions and rules into the calendar."""
        object.__setattr__(self, "calendar", Calendar(self.hours, self.zone, self.exceptions, self.rules))

    def shown_service(self, service: str) -> str:
        """Return under which id a reported service is shown: its own, or UNDECLARED_SERVICE without a declaration.

        An imported log declares its services itself.
        """
        return service if self.imported or service in self.services else UNDECLARED_SERVICE

    def open_windows(self, window: Window) -> list[Window]:
        """Return the parts of `window` in which the open clock runs: opening hours that count."""
        return self.calendar.open_windows(window)

    def is_open(self, t: int) -> bool:
        """Return whether people are served at the desks at `t`, with or without maintenance."""
        return bool(self.calendar.desk_windows(Window(t, t + 1)))

    def next_opening_change(self, t: int) -> int | None:
        """Return when the desks next open or close within 14 days, or None."""
        horizon = t + 14 * 86_400_000
        windows = self.calendar.desk_windows(Window(t, horizon + 1))
        edges = [edge for w in windows for edge in (w.start, w.end) if t < edge <= horizon]
        return min(edges, default=None)


@dataclass(frozen=True, slots=True)
class TargetStart:
    """The value that was measured on the day from which a path of targets begins."""

    value: float
    day: date


@dataclass(frozen=True, slots=True)
class Target:
    """A published target with its date, e.g. mean wait at most 900 s by 2025.

    `id` is an indicator's (`telemetry.core.kpi.target_paths.target_subject`), `owner` who answers for it (empty: as the
    catalogue says).  `start` is the measured value from which its path begins, `done` the day a milestone was reached.
    """

    id: str
    name_vi: str
    name_en: str
    value: float
    unit: str
    by: date
    owner: str = ""
    start: TargetStart | None = None
    done: date | None = None


SliKind = Literal["availability", "connectivity", "readiness", "wait", "latency"]
ObjectivePeriod = Literal["rolling", "day", "week", "month", "quarter", "year"]


@dataclass(frozen=True, slots=True)
class Objective:
    """A service level objective: the share `goal` of what the indicator `sli` counts, over `days` days or a `period`.

    `scope` is a level (`province`, `district`, `commune`; `centre` for all three), `system`, a kind of device
    (`device` for all), or one of them: `centre:ID`, `system:ID`, `device:ID`.  `threshold_ms` applies to wait and
    latency.  `unknown` is the policy for unknown time.
    """

    id: str
    name_vi: str
    name_en: str
    scope: str
    sli: SliKind
    goal: float
    days: int
    clock: ObjectiveClock = "open"
    threshold_ms: int = 0
    period: ObjectivePeriod = "rolling"
    unknown: ObjectiveUnknownPolicy = "settle"
    alert: bool = True
    level: int = 0
    """With the scope `system`: only hosted systems of this level, and their components; 0: all systems, no parts."""
    part_kind: str = ""
    """With the scope `system`: only derived parts of this kind."""


@dataclass(frozen=True, slots=True)
class PublishedFigures:
    """The published figures of a scope, or of one of its objectives, for a month; seconds, good and bad as counted."""

    month: str
    scope: str
    objective: str
    open: int
    up: int
    down: int
    unknown: int
    excluded: int
    good: int = 0
    bad: int = 0


@dataclass(frozen=True, slots=True)
class ProcedureCount:
    """A published count of administrative procedures at one online level, for a period (both days in it)."""

    id: str
    online_level: str
    measure: str
    count: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class IndexFigure:
    """An index of one year as it was published.

    `value` is in the unit of its indicator: the rank itself for a rank.  `rank` is its place among `units_ranked`
    units, both 0 when none was published.
    """

    indicator: str
    year: int
    value: float
    rank: int
    units_ranked: int
    source: str


@dataclass(frozen=True, slots=True)
class Commitment:
    """What a unit (its code) or an agency (its name) has signed: an indicator's value by a day.

    `level` is empty when the indicator counts over all levels.  `sample` marks a made-up example.
    """

    unit: str
    agency: str
    indicator: str
    level: str
    by: date
    value: float
    signed: date | None = None
    document: str = ""
    sample: bool = False


@dataclass(frozen=True, slots=True)
class OpenDataTerms:
    """Under which licence the province publishes its datasets, and who is to be named; empty: not declared."""

    licence: str = ""
    attribution: str = ""


@dataclass(frozen=True, slots=True)
class OwnIndicator:
    """An indicator that the inventory declares: the figures above and below the line, see `core.kpi.catalogue`."""

    id: str
    name_vi: str
    name_en: str
    strand: str
    owner: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    formula: str = ""
    direction: str = "up"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything declared, indexed by id; `version` is a digest of the files."""

    version: str
    province: str
    name_vi: str
    name_en: str
    zone: ZoneInfo
    units: Mapping[str, AdministrativeUnit]
    centres: Mapping[str, Centre]
    devices: Mapping[str, Device]
    services: Mapping[str, Service]
    systems: Mapping[str, System]
    targets: tuple[Target, ...] = ()
    simulated: bool = False
    objectives: tuple[Objective, ...] = ()
    procedures: tuple[ProcedureCount, ...] = ()
    indices: tuple[IndexFigure, ...] = ()
    commitments: tuple[Commitment, ...] = ()
    own_indicators: tuple[OwnIndicator, ...] = ()
    """Indicators that the inventory declares beside those of the product."""
    published: Mapping[tuple[str, str, str], PublishedFigures] = field(default_factory=lambda: MappingProxyType({}))
    """By (month, scope, objective); the objective is empty for a scope's plain availability."""
    published_reports: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """The documents of the reports that were published, by month; `telemetry.core.report.values` reads them."""
    sources: tuple[SourceDeclaration, ...] = ()
    """In order of precedence: a later one replaces an earlier one of its name; see `telemetry.core.device_sources`."""
    coverage_floor: float = DEFAULT_COVERAGE_FLOOR
    """The least coverage, 0 to 1, with which a ratio is shown as a point; below it as a range."""
    open_data: OpenDataTerms = OpenDataTerms()
    signers: tuple[RemoteSigner, ...] = ()
    """Who may sign configurations and commands of devices; without any, these need no signature."""
    cloud: CloudDeclaration = field(default_factory=CloudDeclaration)
    """The systems that the province hosts itself, with all that is declared of them."""
    declared: Inventory | None = field(default=None, repr=False, compare=False)  # without what follows from it
    _by_centre: Mapping[str, tuple[Device, ...]] = field(init=False, repr=False, compare=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Index the devices by centre once, in order of id."""
        index: dict[str, list[Device]] = {}
        for _, device in sorted(self.devices.items()):
            index.setdefault(device.centre, []).append(device)
        object.__setattr__(self, "_by_centre", {centre: tuple(devices) for centre, devices in index.items()})

    def is_declared(self, centre: str, device: str) -> bool:
        """Return whether the device is declared and belongs to the centre."""
        declared = self.devices.get(device)
        return declared is not None and declared.centre == centre

    def devices_of(self, centre: str) -> tuple[Device, ...]:
        """Return the centre's devices in order of id."""
        return self._by_centre.get(centre, ())

    @property
    def whole_systems(self) -> dict[str, System]:
        """Return the systems without their parts, by id: those that people know and lists show."""
        return {ident: system for ident, system in sorted(self.systems.items()) if not system.part_of}

    def parts_of(self, system: str) -> tuple[System, ...]:
        """Return what is probed of a hosted system beside itself, in order of id."""
        return tuple(s for _, s in sorted(self.systems.items()) if s.part_of == system)

    def target_in_force(self, ident: str, day: date) -> Target | None:
        """Return the target in force on `day`: the first whose date has not passed, else the last."""
        rows = sorted((x for x in self.targets if x.id == ident), key=lambda x: x.by)
        return next((x for x in rows if x.by >= day), rows[-1] if rows else None)


REPLAY_SUFFIX = "-replay1"
"""How the id of a device that imports logs ends, after its centre's id."""


def replay_device_of(centre: str) -> str:
    """Return the device of a centre's imported logs."""
    return f"{centre}{REPLAY_SUFFIX}"


def local_date(t: int, zone: ZoneInfo) -> date:
    """Return the local date of `t`."""
    return to_local(t, zone).date()
