"""Builds the inventory's values from the records of its files and checks that they are consistent.

Faults go to the records; it must not read files and must not stop at the first fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

from telemetry.core.calendar.windows import day_window
from telemetry.core.inventory import (
    DEFAULT_COVERAGE_FLOOR,
    AdministrativeLevel,
    AdministrativeUnit,
    Centre,
    DeclaredPeriod,
    Device,
    DeviceKind,
    OpenDataTerms,
    Service,
    System,
)
from telemetry.core.protocol.events import MAX_INTERVAL_MS
from telemetry.inventory.calendar_file import build_tables
from telemetry.inventory.hours import WEEKDAYS, week_of
from telemetry.inventory.record import AllowedKeys
from telemetry.source_settings import MIN_INTERVAL_MS, PROBE_KINDS, probe_target_fault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telemetry.core.inventory import OpeningHours
    from telemetry.inventory.calendar_file import CalendarTables
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

T = TypeVar("T")
UNIT_LEVELS = get_args(AdministrativeLevel)
DEVICE_KINDS = tuple(kind for kind in get_args(DeviceKind) if kind != "replay")
SYSTEM_KINDS = (
    "portal", "one-stop", "platform", "payment", "form", "signature",
    "identity", "seal", "app", "participation", "data", "network",
)  # fmt: skip

PROVINCE_KEYS = AllowedKeys(
    ("id", "unit", "name_vi", "name_en", "zone", "hours"), ("centre_hours", "coverage_floor", "licence", "attribution")
)
UNIT_KEYS = AllowedKeys(("code", "level", "parent", "type", "name", "valid_from", "valid_to"))
CENTRE_KEYS = AllowedKeys(
    ("id", "unit", "name_vi", "name_en", "owner_agency", "counters", "tickets_per_day", "services"),
    ("displays", "tablets", "from", "to"),
)
DEVICE_KEYS = AllowedKeys(("id", "centre", "kind"), ("every_ms", "critical", "from", "to"))
SERVICE_KEYS = AllowedKeys(("id", "name_vi", "name_en"), ("owner_agency",))
SYSTEM_DEFAULT_KEYS = ("every_s", "quorum", "vantage")
SYSTEM_KEYS = AllowedKeys(
    ("id", "name_vi", "name_en", "kind", "probe", "target"),
    (*SYSTEM_DEFAULT_KEYS, "critical", "from", "to", "owner_agency", "services", "hosted"),
)


@dataclass(frozen=True, slots=True)
class ProvinceSettings:
    """The settings of province.toml and the tables of calendar.toml."""

    id: str
    unit: str
    name_vi: str
    name_en: str
    zone: ZoneInfo
    weeks: Mapping[str, tuple[OpeningHours, ...]]
    calendar_tables: CalendarTables
    coverage_floor: float
    open_data: OpenDataTerms

    def week(self, centre: str) -> tuple[OpeningHours, ...]:
        """Return a centre's week."""
        return self.weeks.get(centre, self.weeks[""])


def index_by(records: Iterable[Record], key: str, make: Callable[[Record], T]) -> dict[str, T]:
    """Build a value from each record, by its key; a key that is used twice is a fault."""
    first: dict[str, int] = {}
    out: dict[str, T] = {}
    for record in records:
        ident = record.text(key)
        if ident in first and ident:
            record.add_fault(key, f"{ident!r} is already on line {first[ident]}", "use another, or remove this one")
        first.setdefault(ident, record.line)
        out[ident] = make(record)
    return out


def build_province(doc: TomlDocument, calendar: TomlDocument) -> ProvinceSettings:
    """Build the province with its usual week and the centres' own weeks and days."""
    root = doc.record(PROVINCE_KEYS)
    usual = week_of(doc.record(AllowedKeys(WEEKDAYS), "hours"))
    own = doc.table("centre_hours").values
    weeks = {ident: week_of(doc.table("centre_hours", ident), usual) for ident in own}
    ident, unit = root.identifier("id"), root.text("unit")
    names = root.text("name_vi"), root.text("name_en")
    zone = _parse_zone(root)
    floor = root.real("coverage_floor", 1) if "coverage_floor" in root.values else DEFAULT_COVERAGE_FLOOR
    terms = OpenDataTerms(root.text("licence", ""), root.text("attribution", ""))
    tables = build_tables(calendar, zone)
    return ProvinceSettings(ident, unit, *names, zone, {**weeks, "": usual}, tables, floor, terms)


def _parse_zone(root: Record) -> ZoneInfo:
    name = root.text("zone")
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        root.add_fault("zone", f"{name!r} is no time zone", "use a name like Asia/Ho_Chi_Minh")
        return ZoneInfo("UTC")


def check_province_unit(doc: TomlDocument, units: Mapping[str, AdministrativeUnit]) -> None:
    """Add a fault when the province names a unit that is not a declared province."""
    root = doc.table()
    code = root.text("unit", "")
    root.check_reference("unit", code, units, "unit")
    if code in units and units[code].level != "province":
        root.add_fault("unit", f"{code!r} is a {units[code].level}", "name the province's own code")


def check_centre_ids(doc: TomlDocument, key: str, centres: Mapping[str, Centre]) -> None:
    """Add a fault for each table of one centre's own hours or days whose centre is not declared."""
    table = doc.table(key)
    for ident in table.values:
        table.check_reference(ident, ident, centres, "centre")


def build_units(records: list[Record]) -> dict[str, AdministrativeUnit]:
    """Build the administrative units; a parent must be of a higher level."""
    built = index_by(records, "code", _build_unit)
    for record in records:
        _check_parent(record, built)
    return built


def _build_unit(r: Record) -> AdministrativeUnit:
    level = cast("AdministrativeLevel", r.choice("level", UNIT_LEVELS))
    r.text("type")
    begins, ends = r.day("valid_from"), r.optional_day("valid_to")
    if ends and ends <= begins:
        r.add_fault("valid_to", f"{ends} is not after {begins}", "write the first day on which it is no longer valid")
    return AdministrativeUnit(r.identifier("code"), level, r.text("parent", ""), r.text("name"), begins, ends)


def _check_parent(record: Record, units: Mapping[str, AdministrativeUnit]) -> None:
    unit = units[record.text("code", "")]
    if record.values.get("level") not in UNIT_LEVELS:
        return
    if unit.level == "province":
        if unit.parent:
            record.add_fault("parent", "a province has no parent", "leave it empty")
        return
    if not unit.parent:
        record.add_fault("parent", f"a {unit.level} needs a parent", "write the code of the unit above it")
    record.check_reference("parent", unit.parent, units, "unit")
    above = units.get(unit.parent)
    if above and UNIT_LEVELS.index(above.level) >= UNIT_LEVELS.index(unit.level):
        record.add_fault("parent", f"a {above.level} cannot hold a {unit.level}", "name a unit of a higher level")


def build_services(doc: TomlDocument) -> dict[str, Service]:
    """Build the service groups of desks."""
    doc.record(AllowedKeys((), ("service",)))
    return index_by(
        doc.records("service", SERVICE_KEYS),
        "id",
        lambda r: Service(r.identifier("id"), r.text("name_vi"), r.text("name_en"), r.text("owner_agency", "")),
    )


def build_centres(
    records: list[Record], province: ProvinceSettings, units: Mapping[str, AdministrativeUnit],
    services: Mapping[str, Service],
) -> dict[str, Centre]:  # fmt: skip
    """Build the centres with their hours; a centre's parent is the nearest centre above its unit."""
    built = index_by(records, "id", lambda record: _build_centre(record, province, units, services))
    by_unit = {centre.unit: ident for ident, centre in reversed(built.items())}
    return {ident: replace(c, parent=_nearest_centre_above(c.unit, units, by_unit)) for ident, c in built.items()}


def _build_centre(
    r: Record, province: ProvinceSettings, units: Mapping[str, AdministrativeUnit], services: Mapping[str, Service]
) -> Centre:
    ident, unit, service_ids = r.identifier("id"), r.text("unit"), r.text_list("services")
    r.check_reference("unit", unit, units, "unit")
    for service in service_ids:
        r.check_reference("services", service, services, "service")
    if ident and province.id and not ident.startswith(f"{province.id}-"):
        r.add_fault("id", f"{ident!r} does not begin with {province.id}-", f"write {province.id}-{unit}")
    r.integer("displays", 0, 1000, 0)
    r.integer("tablets", 0, 1000, 0)
    return Centre(
        id=ident, unit=unit, level=units[unit].level if unit in units else "commune",
        name_vi=r.text("name_vi"), name_en=r.text("name_en"), province=province.id, parent="",
        counters=r.integer("counters", 0, 1000), hours=province.week(ident), services=service_ids, zone=province.zone,
        owner_agency=r.text("owner_agency", ""),
        tickets_per_day=r.integer("tickets_per_day", 0, 100_000),
        exceptions=province.calendar_tables.exceptions(ident),
        rules=province.calendar_tables.rules(ident, province.week(ident)),
        declared_period=parse_period(r, province.zone),
    )  # fmt: skip


def _nearest_centre_above(unit: str, units: Mapping[str, AdministrativeUnit], by_unit: Mapping[str, str]) -> str:
    visited = {unit}
    parent = units[unit].parent if unit in units else ""
    while parent in units and parent not in visited:
        if parent in by_unit:
            return by_unit[parent]
        visited.add(parent)
        parent = units[parent].parent
    return ""


def build_devices(records: list[Record], centres: Mapping[str, Centre], *, simulated: bool) -> dict[str, Device]:
    """Build the devices that run agents."""
    return index_by(records, "id", lambda record: _build_device(record, centres, simulated=simulated))


def _build_device(r: Record, centres: Mapping[str, Centre], *, simulated: bool) -> Device:
    ident, centre = r.identifier("id"), r.text("centre")
    r.check_reference("centre", centre, centres, "centre")
    if ident and not ident.startswith(f"{centre}-"):
        r.add_fault("id", f"{ident!r} does not begin with its centre's id {centre}-", f"write {centre}-<kind><number>")
    if ident == f"{centre}-replay1":
        r.add_fault("id", f"{ident!r} is reserved for replays", "use another id")
    kind = cast("DeviceKind", r.choice("kind", DEVICE_KINDS))
    every, critical = r.integer("every_ms", MIN_INTERVAL_MS, MAX_INTERVAL_MS, 60_000), r.flag("critical", default=True)
    period = DeclaredPeriod()
    if centre in centres:
        period = parse_period(r, centres[centre].zone)
        _check_within_centre(r, period, centres[centre].declared_period)
    return Device(ident, centre, kind, every, critical, simulated, period)


def parse_period(r: Record, zone: ZoneInfo) -> DeclaredPeriod:
    """Return `from` and `to` (the first day no longer in service) at the midnights that begin them."""
    begins, ends = r.optional_day("from"), r.optional_day("to")
    if begins and ends and ends <= begins:
        r.add_fault("to", f"{ends} is not after {begins}", "write the first day on which it is no longer in service")
        return DeclaredPeriod()
    start, end = (None if day is None else day_window(day, zone).start for day in (begins, ends))
    return DeclaredPeriod(start, end)


def _check_within_centre(r: Record, own: DeclaredPeriod, centre: DeclaredPeriod) -> None:
    """Add a fault when a device's dates are outside its centre's."""
    if own.start is not None and centre.start is not None and own.start < centre.start:
        r.add_fault("from", "is before its centre is in service", "write the centre's `from`, a later day, or none")
    if own.start is not None and centre.end is not None and own.start >= centre.end:
        r.add_fault("from", "is after its centre's service has ended", "write an earlier day, or none")
    if own.end is not None and centre.end is not None and own.end > centre.end:
        r.add_fault("to", "is after its centre's service has ended", "write the centre's `to`, an earlier day, or none")
    if own.end is not None and centre.start is not None and own.end <= centre.start:
        r.add_fault("to", "is before its centre is in service", "write a later day, or none")


def build_systems(
    doc: TomlDocument, centres: Mapping[str, Centre], devices: Mapping[str, Device], services: Mapping[str, Service],
    province: ProvinceSettings,
) -> dict[str, System]:  # fmt: skip
    """Build the digital systems with their planned maintenance; `[defaults]` has values that a system may omit."""
    doc.record(AllowedKeys((), ("defaults", "system")))
    defaults = doc.record(AllowedKeys((), SYSTEM_DEFAULT_KEYS), "defaults")
    records = doc.records("system", SYSTEM_KEYS)
    built = index_by(records, "id", lambda record: _build_system(record, defaults, devices, services, province.zone))
    for record in records:
        if (ident := record.text("id", "")) in centres:
            record.add_fault("id", f"{ident!r} is a centre: their data would be one", "choose another id")
    maintenance_of = province.calendar_tables.maintenance_of
    return {ident: replace(system, maintenance=maintenance_of(ident)) for ident, system in built.items()}


def _build_system(
    r: Record, defaults: Record, devices: Mapping[str, Device], services: Mapping[str, Service], zone: ZoneInfo
) -> System:
    every, quorum, vantage_source = (r if key in r.values else defaults for key in SYSTEM_DEFAULT_KEYS)
    vantage = _parse_vantage(vantage_source, devices)
    needed = quorum.integer("quorum", 1, 1000, 1)
    if needed > len(vantage):
        r.add_fault("quorum", f"{needed} of {len(vantage)} vantage points can never agree", "lower it, or add vantage")
    probe, target = r.choice("probe", PROBE_KINDS), r.text("target")
    if target and (fault := probe_target_fault(str(r.values.get("probe")), target)):
        r.add_fault(fault.key, fault.problem, fault.remedy)
    return System(
        id=r.identifier("id"), name_vi=r.text("name_vi"), name_en=r.text("name_en"),
        kind=r.choice("kind", SYSTEM_KINDS), probe=probe, target=target,
        every_ms=1000 * every.integer("every_s", 5, MAX_INTERVAL_MS // 1000, 300), quorum=needed, vantage=vantage,
        critical=r.flag("critical", default=True), declared_period=parse_period(r, zone),
        owner_agency=r.text("owner_agency", ""), services=_parse_dependent_services(r, services),
    )  # fmt: skip


def _parse_dependent_services(r: Record, services: Mapping[str, Service]) -> tuple[str, ...]:
    """Return the services that cannot be given without a system."""
    names = r.text_list("services")
    for name in names:
        r.check_reference("services", name, services, "service")
    return names


def _parse_vantage(r: Record, devices: Mapping[str, Device]) -> tuple[str, ...]:
    names = r.text_list("vantage")
    for name in names:
        r.check_reference("vantage", name, devices, "device")
        if name in devices and devices[name].kind != "gateway":
            r.add_fault("vantage", f"{name!r} is a {devices[name].kind}", "name gateways only")
    return names
