"""Builds the inventory's values from the records of its files and checks that they fit together.

Faults go to the records; it must not read files and must not stop at the first fault.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast, get_args
from zoneinfo import ZoneInfo

from telemetry.core.inventory import Centre, Device, DeviceKind, Level, Service, System, Unit
from telemetry.inventory.calendar_file import tables
from telemetry.inventory.hours import WEEK, week_of
from telemetry.inventory.record import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from telemetry.core.inventory import Hours
    from telemetry.inventory.calendar_tables import Tables
    from telemetry.inventory.files import Document
    from telemetry.inventory.record import Record

T = TypeVar("T")
LEVELS = get_args(Level)
KINDS = tuple(kind for kind in get_args(DeviceKind) if kind != "replay")
SYSTEM_KINDS = (
    "portal", "one-stop", "platform", "payment", "form", "signature",
    "identity", "seal", "app", "participation", "data", "network",
)  # fmt: skip
PROBES = ("http", "tcp", "tls", "dns")

PROVINCE = Keys(("id", "unit", "name_vi", "name_en", "zone", "hours"), ("centre_hours",))
UNIT = Keys(("code", "level", "parent", "type", "name", "valid_from", "valid_to"))
CENTRE = Keys(
    ("id", "unit", "name_vi", "name_en", "owner_agency", "counters", "tickets_per_day", "services"),
    ("displays", "tablets"),
)
DEVICE = Keys(("id", "centre", "kind"), ("every_ms", "critical"))
SERVICE = Keys(("id", "name_vi", "name_en"), ("owner_agency",))
SYSTEM_DEFAULTS = ("every_s", "quorum", "vantage")
SYSTEM = Keys(("id", "name_vi", "name_en", "kind", "probe", "target"), (*SYSTEM_DEFAULTS, "critical"))


@dataclass(frozen=True, slots=True)
class Province:
    """What province.toml and calendar.toml say."""

    id: str
    unit: str
    name_vi: str
    name_en: str
    zone: ZoneInfo
    weeks: Mapping[str, tuple[Hours, ...]]
    tables: Tables

    def week(self, centre: str) -> tuple[Hours, ...]:
        """Return a centre's week."""
        return self.weeks.get(centre, self.weeks[""])


def keyed(records: Iterable[Record], key: str, make: Callable[[Record], T]) -> dict[str, T]:
    """Make a value of each record by its key; a key used twice is a fault."""
    first: dict[str, int] = {}
    out: dict[str, T] = {}
    for record in records:
        ident = record.text(key)
        if ident in first and ident:
            record.fault(key, f"{ident!r} is already on line {first[ident]}", "use another, or remove this one")
        first.setdefault(ident, record.line)
        out[ident] = make(record)
    return out


def province(doc: Document, calendar: Document) -> Province:
    """Build the province with its week and the days that differ."""
    root = doc.record(PROVINCE)
    usual = week_of(doc.record(Keys(WEEK), "hours"))
    own = doc.table("centre_hours").values
    weeks = {ident: week_of(doc.table("centre_hours", ident), usual) for ident in own}
    ident, unit = root.ident("id"), root.text("unit")
    names = root.text("name_vi"), root.text("name_en")
    zone = _zone(root)
    return Province(ident, unit, *names, zone, {**weeks, "": usual}, tables(calendar, zone))


def _zone(root: Record) -> ZoneInfo:
    name = root.text("zone")
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        root.fault("zone", f"{name!r} is no time zone", "use a name like Asia/Ho_Chi_Minh")
        return ZoneInfo("UTC")


def check_province_unit(doc: Document, known: Mapping[str, Unit]) -> None:
    """Note a fault when the province names a unit that is no declared province."""
    root = doc.table()
    code = root.text("unit", "")
    root.refer("unit", code, known, "unit")
    if code in known and known[code].level != "province":
        root.fault("unit", f"{code!r} is a {known[code].level}", "name the province's own code")


def check_centre_tables(doc: Document, key: str, centres: Mapping[str, Centre]) -> None:
    """Note a fault for each table of one centre's own hours or days whose centre is not declared."""
    table = doc.table(key)
    for ident in table.values:
        table.refer(ident, ident, centres, "centre")


def units(records: list[Record]) -> dict[str, Unit]:
    """Build the administrative units; a parent must be of a higher level."""
    found = keyed(records, "code", _unit)
    for record in records:
        _check_parent(record, found)
    return found


def _unit(r: Record) -> Unit:
    level = cast("Level", r.choice("level", LEVELS))
    r.text("type")
    begins, ends = r.day("valid_from"), r.day_or_none("valid_to")
    if ends and ends <= begins:
        r.fault("valid_to", f"{ends} is not after {begins}", "write the first day on which it is no longer valid")
    return Unit(r.ident("code"), level, r.text("parent", ""), r.text("name"), begins, ends)


def _check_parent(record: Record, found: Mapping[str, Unit]) -> None:
    unit = found[record.text("code", "")]
    if record.values.get("level") not in LEVELS:
        return
    if unit.level == "province":
        if unit.parent:
            record.fault("parent", "a province has no parent", "leave it empty")
        return
    if not unit.parent:
        record.fault("parent", f"a {unit.level} needs a parent", "write the code of the unit above it")
    record.refer("parent", unit.parent, found, "unit")
    above = found.get(unit.parent)
    if above and LEVELS.index(above.level) >= LEVELS.index(unit.level):
        record.fault("parent", f"a {above.level} cannot hold a {unit.level}", "name a unit of a higher level")


def services(doc: Document) -> dict[str, Service]:
    """Build the desks' service groups."""
    doc.record(Keys((), ("service",)))
    return keyed(doc.records("service", SERVICE), "id", _service)


def _service(r: Record) -> Service:
    return Service(r.ident("id"), r.text("name_vi"), r.text("name_en"), r.text("owner_agency", ""))


def centres(
    records: list[Record], land: Province, known: Mapping[str, Unit], offered: Mapping[str, Service],
) -> dict[str, Centre]:  # fmt: skip
    """Build the centres with their hours; a centre's parent is the nearest centre above its unit."""
    found = keyed(records, "id", lambda record: _centre(record, land, known, offered))
    by_unit = {centre.unit: ident for ident, centre in reversed(found.items())}
    return {ident: replace(c, parent=_above(c.unit, known, by_unit)) for ident, c in found.items()}


def _centre(r: Record, land: Province, known: Mapping[str, Unit], offered: Mapping[str, Service]) -> Centre:
    ident, unit, wanted = r.ident("id"), r.text("unit"), r.words("services")
    r.refer("unit", unit, known, "unit")
    for service in wanted:
        r.refer("services", service, offered, "service")
    if ident and land.id and not ident.startswith(f"{land.id}-"):
        r.fault("id", f"{ident!r} does not begin with {land.id}-", f"write {land.id}-{unit}")
    r.number("displays", 0, 1000, 0)
    r.number("tablets", 0, 1000, 0)
    return Centre(
        id=ident, unit=unit, level=known[unit].level if unit in known else "commune",
        name_vi=r.text("name_vi"), name_en=r.text("name_en"), province=land.id, parent="",
        counters=r.number("counters", 0, 1000), hours=land.week(ident), services=wanted, zone=land.zone,
        owner_agency=r.text("owner_agency", ""), tickets_per_day=r.number("tickets_per_day", 0, 100_000),
        exceptions=land.tables.exceptions(ident), rules=land.tables.rules(ident, land.week(ident)),
    )  # fmt: skip


def _above(unit: str, known: Mapping[str, Unit], by_unit: Mapping[str, str]) -> str:
    seen = {unit}
    parent = known[unit].parent if unit in known else ""
    while parent in known and parent not in seen:
        if parent in by_unit:
            return by_unit[parent]
        seen.add(parent)
        parent = known[parent].parent
    return ""


def devices(records: list[Record], known: Mapping[str, Centre], *, simulated: bool) -> dict[str, Device]:
    """Build the devices that run agents."""
    return keyed(records, "id", lambda record: _device(record, known, simulated=simulated))


def _device(r: Record, known: Mapping[str, Centre], *, simulated: bool) -> Device:
    ident, centre = r.ident("id"), r.text("centre")
    r.refer("centre", centre, known, "centre")
    if ident and not ident.startswith(f"{centre}-"):
        r.fault("id", f"{ident!r} does not begin with its centre's id {centre}-", f"write {centre}-<kind><number>")
    if ident == f"{centre}-replay1":
        r.fault("id", f"{ident!r} is kept for replays", "use another id")
    kind = cast("DeviceKind", r.choice("kind", KINDS))
    every, critical = r.number("every_ms", 1000, 3_600_000, 60_000), r.flag("critical", default=True)
    return Device(ident, centre, kind, every, critical, simulated)


def systems(doc: Document, gates: Mapping[str, Device], planned: Tables) -> dict[str, System]:
    """Build the digital systems with their planned maintenance; `[defaults]` fills what a system leaves out."""
    doc.record(Keys((), ("defaults", "system")))
    common = doc.record(Keys((), SYSTEM_DEFAULTS), "defaults")
    found = keyed(doc.records("system", SYSTEM), "id", lambda record: _system(record, common, gates))
    return {ident: replace(system, maintenance=planned.maintenance_of(ident)) for ident, system in found.items()}


def _system(r: Record, common: Record, gates: Mapping[str, Device]) -> System:
    every, quorum, seen_from = (r if key in r.values else common for key in SYSTEM_DEFAULTS)
    vantage = _vantage(seen_from, gates)
    needed = quorum.number("quorum", 1, 1000, 1)
    if needed > len(vantage):
        r.fault("quorum", f"{needed} of {len(vantage)} vantage points can never agree", "lower it, or add vantage")
    return System(
        id=r.ident("id"), name_vi=r.text("name_vi"), name_en=r.text("name_en"),
        kind=r.choice("kind", SYSTEM_KINDS), probe=r.choice("probe", PROBES), target=r.text("target"),
        every_ms=1000 * every.number("every_s", 5, 86_400, 300), quorum=needed, vantage=vantage,
        critical=r.flag("critical", default=True),
    )  # fmt: skip


def _vantage(r: Record, gates: Mapping[str, Device]) -> tuple[str, ...]:
    names = r.words("vantage")
    for name in names:
        r.refer("vantage", name, gates, "device")
        if name in gates and gates[name].kind != "gateway":
            r.fault("vantage", f"{name!r} is a {gates[name].kind}", "name gateways only")
    return names
