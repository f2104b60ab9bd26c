"""Builds what cloud.toml declares around the hosted systems: sites, sizes, peers, platform, stores, protections.

Faults go to the records; it must not judge whether they suffice for a level: that is policy.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, TypeVar, cast, get_args

from telemetry.core.cloud.values import (
    BackupMedium,
    BackupStore,
    CloudZone,
    ComponentSize,
    Ground,
    LogStore,
    Peer,
    PeerKind,
    PlatformName,
    PlatformService,
    PolicyException,
    Prices,
    Protection,
    ProtectionName,
    ProviderKind,
    RestoreDrill,
    Site,
    SiteKind,
)
from telemetry.inventory.build import index_by
from telemetry.inventory.cloud.addresses import check_network
from telemetry.inventory.cloud.agencies import check_agency
from telemetry.inventory.cloud.components import COMPONENTS_FILE, check_hosted
from telemetry.inventory.cloud.hosted_systems import CLOUD_FILE, HOST
from telemetry.inventory.record import IDENTIFIER, AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from datetime import date

    from telemetry.core.cloud.values import Agency, HostedSystem
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

T = TypeVar("T")
CLOUD_KEYS = AllowedKeys(
    (),
    (
        "site", "zones", "sizes", "peer", "platform", "logs", "backup", "drill", "protections", "exception", "ground",
        "prices",
    ),
)  # fmt: skip
SITE_KEYS = AllowedKeys(("id", "country", "latitude", "longitude", "kind"))
SIZE_KEYS = AllowedKeys(("cpu_m", "memory_mb"), ("flavor",))
PEER_KEYS = AllowedKeys(("id", "kind"), ("cidrs", "hosts", "country"))
SERVICE_KEYS = AllowedKeys(("port",), ("namespace", "address", "provider"))
LOG_KEYS = AllowedKeys(("keep_days",), ("zone", "disk_gb", "event_bytes", "locked"))
BACKUP_KEYS = AllowedKeys(
    ("id", "site", "medium", "every_s"), ("wal", "encrypted", "locked", "own_project", "restore_mb_per_s")
)
DRILL_KEYS = AllowedKeys(("system", "date", "evidence"))
PROTECTION_KEYS = AllowedKeys(("since", "evidence", "evidence_date"))
EXCEPTION_KEYS = AllowedKeys(("rule", "where", "why", "by"), ("until",))
GROUND_PROMISES = (
    "network_policies_enforced", "storage_encrypted", "etcd_encrypted", "time_synchronised", "stages_apart",
)  # fmt: skip
GROUND_KEYS = AllowedKeys(
    (*GROUND_PROMISES, "control_planes"), ("gateway_class", "gateway_namespace", "api_server_ports", "engines")
)
ENGINE_KEYS = AllowedKeys(("version",), ("ends",))
PRICE_KEYS = AllowedKeys(("cpu_core", "memory_gb", "disk_gb", "copy_gb"), ("currency",))
MAX_PRICE = 10**12
_COUNTRY = re.compile(r"[A-Z]{2}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_SIZE_NAME = re.compile(r"[A-Za-z0-9-]{1,20}")


def build_named(
    doc: TomlDocument, key: str, keys: AllowedKeys, make: Callable[[str, Record], T], names: tuple[str, ...] = ()
) -> dict[str, T]:
    """Build a value from each table `[key.NAME]`; with `names` every other name is a fault."""
    declared = doc.table(key).values
    if names:
        doc.record(AllowedKeys((), names), key)
    return {name: make(name, doc.record(keys, key, name)) for name in declared}


def build_sites(doc: TomlDocument) -> dict[str, Site]:
    """Build the places with machines or copies."""
    return index_by(doc.records("site", SITE_KEYS), "id", _build_site)


def _build_site(r: Record) -> Site:
    kind = cast("SiteKind", r.choice("kind", get_args(SiteKind)))
    position = r.real("latitude", 90, -90), r.real("longitude", 180, -180)
    return Site(r.identifier("id"), _parse_country(r), *position, kind, r.declared_at)


def _parse_country(r: Record, default: str | None = None) -> str:
    country = r.text("country", default)
    if country and not _COUNTRY.fullmatch(country):
        r.add_fault("country", f"{country!r} is not a country's code", "write two capital letters, as VN")
    return country


def build_sizes(doc: TomlDocument) -> dict[str, ComponentSize]:
    """Build the sizes of components."""
    return build_named(doc, "sizes", SIZE_KEYS, _build_size)


def _build_size(name: str, r: Record) -> ComponentSize:
    if not _SIZE_NAME.fullmatch(name):
        r.add_fault(name, "is not the name of a size", "use 1 to 20 letters, digits and -")
    return ComponentSize(
        name, r.integer("cpu_m", 10, 256_000), r.integer("memory_mb", 16, 4_194_304), r.text("flavor", "")
    )


def build_peers(doc: TomlDocument) -> dict[str, Peer]:
    """Build the outside parties."""
    return index_by(doc.records("peer", PEER_KEYS), "id", _build_peer)


def _build_peer(r: Record) -> Peer:
    kind, cidrs, hosts = (
        cast("PeerKind", r.choice("kind", get_args(PeerKind))),
        r.text_list("cidrs"),
        r.text_list("hosts"),
    )
    for cidr in cidrs:
        check_network(r, "cidrs", cidr)
    for host in hosts:
        if not HOST.fullmatch(host):
            r.add_fault("hosts", f"{host!r} is not a host name", "write names with a dot in lower case")
    if not cidrs and not hosts:
        r.add_fault("cidrs", "is missing: no address of this peer is known", "write its networks, its hosts or both")
    return Peer(r.identifier("id"), kind, cidrs, hosts, _parse_country(r, ""), r.declared_at)


def build_platform(doc: TomlDocument) -> dict[str, PlatformService]:
    """Build the services of the platform by name."""
    names: tuple[PlatformName, ...] = get_args(PlatformName)
    return build_named(
        doc, "platform", SERVICE_KEYS, lambda name, r: _build_service(cast("PlatformName", name), r), names
    )


def _build_service(name: PlatformName, r: Record) -> PlatformService:
    namespace, address = r.text("namespace", ""), r.text("address", "")
    if not namespace and not address:
        remedy = "write the namespace for pods, the address for machines"
        r.add_fault("namespace", "and address: at least one of them is needed", remedy)
    if namespace and not IDENTIFIER.fullmatch(namespace):
        r.add_fault("namespace", f"{namespace!r} is not the name of a namespace", "use 1 to 63 of a-z, 0-9 and -")
    if address and not _is_address(address):
        r.add_fault("address", f"{address!r} is not an IPv4 address", "write it as 10.84.0.10")
    provider = cast("ProviderKind", r.choice("provider", get_args(ProviderKind), "agency"))
    return PlatformService(name, namespace, address, r.integer("port", 1, 65_535), provider, r.declared_at)


def _is_address(text: str) -> bool:
    try:
        IPv4Address(text)
    except ValueError:
        return False
    return True


def build_logs(doc: TomlDocument) -> LogStore | None:
    """Build the store of logs, None when none is declared."""
    if "logs" not in doc.data:
        return None
    r = doc.record(LOG_KEYS, "logs")
    return LogStore(
        r.integer("keep_days", 1, 3_660), cast("CloudZone", r.choice("zone", get_args(CloudZone), "manage")),
        r.integer("disk_gb", 0, 1_000_000, 0), r.integer("event_bytes", 1, 1_000_000, 500),
        r.flag("locked", default=False), r.declared_at,
    )  # fmt: skip


def build_backups(doc: TomlDocument, sites: Mapping[str, Site]) -> tuple[BackupStore, ...]:
    """Build the stores of copies."""
    return tuple(index_by(doc.records("backup", BACKUP_KEYS), "id", lambda r: _build_backup(r, sites)).values())


def _build_backup(r: Record, sites: Mapping[str, Site]) -> BackupStore:
    site = r.text("site")
    r.check_reference("site", site, sites, "site", CLOUD_FILE)
    return BackupStore(
        r.identifier("id"), site, cast("BackupMedium", r.choice("medium", get_args(BackupMedium))),
        every_s=r.integer("every_s", 60, 366 * 86_400), wal=r.flag("wal", default=False),
        encrypted=r.flag("encrypted", default=True), locked=r.flag("locked", default=False),
        own_project=r.flag("own_project", default=True), restore_mb_per_s=r.integer("restore_mb_per_s", 0, 100_000, 0),
        declared_at=r.declared_at,
    )  # fmt: skip


def build_drills(doc: TomlDocument, systems: Mapping[str, HostedSystem]) -> tuple[RestoreDrill, ...]:
    """Build the proven restores."""
    drills = []
    for r in doc.records("drill", DRILL_KEYS):
        check_hosted(r, "system", r.text("system", ""), systems)
        drills.append(RestoreDrill(r.text("system"), r.day("date"), r.text("evidence"), r.declared_at))
    return tuple(drills)


def build_protections(doc: TomlDocument) -> dict[str, Protection]:
    """Build the protections that are bought or run elsewhere, by name."""
    names: tuple[ProtectionName, ...] = get_args(ProtectionName)
    return build_named(
        doc, "protections", PROTECTION_KEYS, lambda name, r: _build_protection(cast("ProtectionName", name), r), names
    )


def _build_protection(name: ProtectionName, r: Record) -> Protection:
    since, day = r.day("since"), r.day("evidence_date")
    if day < since:
        problem = f"{day} is before {since}, since when it is there"
        r.add_fault("evidence_date", problem, "write the day of the newest evidence")
    return Protection(name, since, r.text("evidence"), day, r.declared_at)


def build_exceptions(
    doc: TomlDocument, agencies: Mapping[str, Agency], systems: Mapping[str, HostedSystem], components: Collection[str]
) -> tuple[PolicyException, ...]:
    """Build the exceptions from rules; `components` are the paths `system/component`."""
    built, first = [], dict[tuple[str, str], int]()
    for r in doc.records("exception", EXCEPTION_KEYS):
        where, rule, agency = r.text("where"), r.text("rule"), r.text("by")
        check_agency(r, "by", agency, agencies)
        if "/" in where:
            r.check_reference("where", where, components, "component", COMPONENTS_FILE)
        elif where != "cloud":
            check_hosted(r, "where", where, systems)
        line = first.setdefault((rule, where), r.line)
        if line != r.line:
            r.add_fault("where", f"{where} is already excepted from {rule} on line {line}", "remove one of them")
        built.append(PolicyException(rule, where, r.text("why"), agency, r.optional_day("until"), r.declared_at))
    return tuple(built)


def build_ground(doc: TomlDocument) -> Ground:
    """Build what the cluster or cloud below the systems promises; nothing when nothing is declared."""
    if "ground" not in doc.data:
        return Ground()
    r, usual = doc.record(GROUND_KEYS, "ground"), Ground()
    versions: dict[str, str] = {}
    ends: dict[str, date] = {}
    for name in doc.table("ground", "engines").values if isinstance(doc.data["ground"], dict) else ():
        engine = doc.record(ENGINE_KEYS, "ground", "engines", name)
        versions[name] = engine.text("version")
        if day := engine.optional_day("ends"):
            ends[name] = day
    promises = {name: r.flag(name, default=False) for name in GROUND_PROMISES}
    return Ground(
        **promises, control_planes=r.integer("control_planes", 1, 99),
        gateway_class=r.text("gateway_class", usual.gateway_class),
        gateway_namespace=r.text("gateway_namespace", usual.gateway_namespace),
        api_server_ports=r.integer_list("api_server_ports", 1, 65_535, usual.api_server_ports),
        engines=versions, engine_ends=ends, declared_at=r.declared_at,
    )  # fmt: skip


def build_prices(doc: TomlDocument) -> Prices | None:
    """Build the prices of a month, None when none are declared."""
    if "prices" not in doc.data:
        return None
    r = doc.record(PRICE_KEYS, "prices")
    currency = r.text("currency", "VND")
    if not _CURRENCY.fullmatch(currency):
        r.add_fault("currency", f"{currency!r} is not a currency's code", "write three capital letters, as VND")
    return Prices(currency, *(r.integer(key, 0, MAX_PRICE) for key in PRICE_KEYS.required))
