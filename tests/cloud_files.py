"""Writes a declaration of hosted systems as an inventory folder, small but whole; it must not check anything."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date
    from pathlib import Path

    from telemetry.core.cloud.values import CloudDeclaration, HostedSystem

SMALL_INVENTORY = {
    "province.toml": """
id = "vn83"
unit = "83"
name_vi = "Tỉnh Bến Tre"
name_en = "Ben Tre Province"
zone = "Asia/Ho_Chi_Minh"
[hours]
mon = "07:00-11:30,13:30-17:00"
tue = "closed"
wed = "closed"
thu = "closed"
fri = "closed"
sat = "closed"
sun = "closed"
""",
    "units.csv": "code,level,parent,type,name,valid_from,valid_to\n83,province,,Tỉnh,Tỉnh Bến Tre,2020-06-01,\n",
    "centres.csv": (
        "id,unit,name_vi,name_en,owner_agency,counters,tickets_per_day,services\n"
        "vn83-83,83,Trung tâm,Centre,Văn phòng UBND tỉnh,1,10,land\n"
    ),
    "devices.csv": "id,centre,kind\nvn83-83-gateway1,vn83-83,gateway\n",
    "services.toml": '[[service]]\nid = "land"\nname_vi = "Đất đai"\nname_en = "Land"\n',
    "procedures.csv": "id,online_level,measure,count,from,to\n",
    "calendar.toml": "[days]\n",
    "targets.toml": "",
    "objectives.toml": "",
}
"""An inventory that hosts nothing: one centre with one gateway."""


def write_inventory(folder: Path, declaration: CloudDeclaration) -> Path:
    """Write an inventory that hosts what is declared, each system also monitored, and return its folder."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {**SMALL_INVENTORY, "systems.toml": _systems_toml(declaration), **cloud_files(declaration)}
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
    return folder


def cloud_files(declaration: CloudDeclaration) -> dict[str, str]:
    """Return the texts of the files about the cloud, by name; without systems.toml."""
    return {
        "agencies.csv": _csv(
            ("id", "unit", "name_vi", "name_en", "parent", "valid_from", "valid_to", "successor"),
            (
                (a.id, a.unit, a.name_vi, a.name_en, a.parent, _day(a.valid_from), _day(a.valid_to), a.successor)
                for a in declaration.agencies.values()
            ),
        ),
        "components.csv": _csv(
            ("system", "id", "kind", "zone", "size", "least", "most", "disk_gb", "port", "health", "image", "was",
             "health_port"),
            (
                (
                    c.system, c.id, c.kind, c.zone, c.size, c.least, c.most, c.disk_gb or "", c.port or "", c.health,
                    c.image, " ".join(c.was), c.health_port or "",
                )
                for c in declaration.components
            ),
        ),
        "flows.csv": _csv(
            ("from", "to", "port", "why", "tls", "no_tls_reason"),
            (
                (f.source, f.target, f.port, f.why, "yes" if f.tls else "no", f.no_tls_reason)
                for f in declaration.flows
            ),
        ),
        "cloud.toml": _cloud_toml(declaration),
        "cloud.lock": _csv(
            ("system", "zone", "slot", "name"), ((e.system, e.zone, e.slot, e.name) for e in declaration.lock)
        ),
    }  # fmt: skip


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return out.getvalue()


def _day(day: date | None) -> str:
    return "" if day is None else day.isoformat()


def _systems_toml(declaration: CloudDeclaration) -> str:
    tables = ['[defaults]\nvantage = ["vn83-83-gateway1"]\n']
    for system in declaration.systems.values():
        names = {"id": system.id, "name_vi": "Hệ thống", "name_en": "System", "kind": "portal"}
        probe = {"probe": "http", "target": f"https://{system.host or 'inside.example'}/"}
        tables.append(_table("[system]", {**names, **probe}) + _table("system.hosted", _hosted(system)))
    return "\n".join(tables)


def _hosted(system: HostedSystem) -> Mapping[str, object]:
    names = (
        "owner", "operator", "security", "serves", "data", "level", "site", "subjects", "procedures", "rpo_s", "rto_s",
        "spare_site", "exposure", "host", "log_events_per_s", "was",
    )  # fmt: skip
    decision = system.level_decision
    shown = {"number": decision.number, "date": decision.day} if decision else ""
    return {**{name: getattr(system, name) for name in names}, "level_decision": shown}


def _cloud_toml(declaration: CloudDeclaration) -> str:
    tables = [_table("[site]", _fields(site)) for site in declaration.sites.values()]
    for site in declaration.sites:
        networks: dict[str, object] = {one.zone: one.cidr for one in declaration.zone_networks if one.site == site}
        tables.append(_table(f"zones.{site}", networks) if networks else "")
    for size in declaration.sizes.values():
        values = {"cpu_m": size.cpu_millicores, "memory_mb": size.memory_mb, "flavor": size.flavor}
        tables.append(_table(f"sizes.{size.id}", values))
    tables += [_table("[peer]", _fields(peer)) for peer in declaration.peers.values()]
    tables += [_table(f"platform.{name}", _fields(one, "name")) for name, one in declaration.platform.items()]
    tables.append(_table("logs", _fields(declaration.logs)) if declaration.logs else "")
    tables += [_table("[backup]", _fields(backup)) for backup in declaration.backups]
    tables += [
        _table("[drill]", {"system": drill.system, "date": drill.day, "evidence": drill.evidence})
        for drill in declaration.drills
    ]
    for name, protection in declaration.protections.items():
        values = {"since": protection.since, "evidence": protection.evidence, "evidence_date": protection.evidence_day}
        tables.append(_table(f"protections.{name}", values))
    tables += [_table("[exception]", _fields(exception)) for exception in declaration.exceptions]
    ground = declaration.ground
    tables.append(_table("ground", _fields(ground, "engines", "engine_ends")))
    for name, version in ground.engines.items():
        tables.append(_table(f"ground.engines.{name}", {"version": version, "ends": ground.engine_ends.get(name)}))
    tables.append(_table("prices", _fields(declaration.prices)) if declaration.prices else "")
    return "\n".join(tables)


def _fields(value: object, *without: str) -> Mapping[str, object]:
    names = (name for name in value.__slots__ if name not in {"declared_at", *without})  # type: ignore[attr-defined]
    return {name: getattr(value, name) for name in names}


def _table(name: str, values: Mapping[str, object]) -> str:
    lines = [f"{key} = {_toml(value)}" for key, value in values.items() if value is not None]
    return "\n".join((f"[{name}]", *lines, ""))


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(part)}" for key, part in value.items()) + " }"
    if isinstance(value, tuple):
        return json.dumps(list(value), ensure_ascii=False)
    return json.dumps(value, ensure_ascii=False) if isinstance(value, str | bool | int | float) else str(value)
