"""What an edit of the inventory changes, in lines for a reviewer: compared with the one deployed last. Pure.

Everything that the inventory declares is compared, whatever sections and fields it has: a field with a short value is
shown with it, a longer one by its name.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, cast

from telemetry.core.cloud.values import CloudDeclaration

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from telemetry.core.inventory import Inventory, OpenDataTerms

SectionRecords = dict[str, dict[str, str]]
InventoryRecord = dict[str, SectionRecords]
"""Section → item → field → its value as text, or the digest of a long one."""
CHANGES_OUTPUT: Final = "inventoryChanges"
RECORD_OUTPUT: Final = "inventoryRecord"
MAX_LINES: Final = 200
_MAX_VALUE_LENGTH: Final = 40
_DIGEST_MARK: Final = "#"
_SINGULAR: Final = {
    "units": "unit", "centres": "centre", "devices": "device", "services": "service", "systems": "system",
    "targets": "target", "objectives": "objective", "procedures": "procedure count", "published": "published month",
    "published_reports": "published report",
    "sources": "source", "indices": "yearly index", "commitments": "commitment", "open_data": "open data",
    "agencies": "agency", "hosted systems": "hosted system", "components": "component", "flows": "flow",
    "sites": "site", "zone networks": "network of zone", "sizes": "size", "peers": "peer",
    "platform services": "platform service",
    "backup stores": "backup store", "restore drills": "restore drill", "protections": "protection",
    "policy exceptions": "exception", "locked zones": "locked zone",
}  # fmt: skip
_NOT_COUNTED: Final = frozenset({"province", "published", "published_reports"})
_UNLISTED: Final = frozenset({"version", "cloud", "declared"})
_HEAD: Final = ("province", "name_vi", "name_en", "zone", "simulated", "coverage_floor")


def inventory_record(inventory: Inventory) -> InventoryRecord:
    """Return everything that is declared, as texts; what follows from it would only repeat an edit."""
    declared = inventory.declared or inventory
    record: InventoryRecord = {
        "province": {declared.province: {name: _text(getattr(declared, name)) for name in _HEAD}}
    }
    for field in fields(declared):
        if field.name in _UNLISTED or field.name in _HEAD or field.name.startswith("_"):
            continue
        record[field.name] = _section(field.name, getattr(declared, field.name))
    return record | cloud_record(declared.cloud)


def cloud_record(cloud: CloudDeclaration) -> InventoryRecord:
    """Return everything that is declared of the province's own cloud, as texts; nothing when it hosts nothing."""
    if cloud == CloudDeclaration():
        return {}
    single = {"log store": cloud.logs, "ground": cloud.ground, "prices": cloud.prices}
    sections: dict[str, Mapping[str, object]] = {
        "agencies": cloud.agencies,
        "hosted systems": cloud.systems,
        "components": {component.path: component for component in cloud.components},
        "flows": {f"{flow.source} → {flow.target}:{flow.port}": flow for flow in cloud.flows},
        "sites": cloud.sites,
        "zone networks": {f"{network.zone} of {network.site}": network for network in cloud.zone_networks},
        "sizes": cloud.sizes,
        "peers": cloud.peers,
        "platform services": cloud.platform,
        "backup stores": {store.id: store for store in cloud.backups},
        "restore drills": {f"of {drill.system} on {drill.day}": drill for drill in cloud.drills},
        "protections": cloud.protections,
        "policy exceptions": {f"from {one.rule} at {one.where}": one for one in cloud.exceptions},
        "locked zones": {f"{entry.zone} of {entry.system}": entry for entry in cloud.lock},
        **{name: {"of the cloud": value} for name, value in single.items() if value is not None},
    }
    return {name: {key: _item(value) for key, value in sorted(items.items())} for name, items in sections.items()}


def _section(name: str, declared: Mapping[object, object] | tuple[object, ...] | OpenDataTerms) -> SectionRecords:
    if name == "published":
        months: dict[str, list[str]] = {}
        for key, figures in cast("Mapping[tuple[str, str, str], object]", declared).items():
            months.setdefault(key[0], []).append(repr(figures))
        return {month: {"figures": _text("\n".join(sorted(texts)))} for month, texts in sorted(months.items())}
    if is_dataclass(declared):
        item = _item(declared)
        return {"terms": item} if any(item.values()) else {}
    if not isinstance(declared, tuple):
        return {str(key): _item(item) for key, item in sorted(declared.items(), key=lambda pair: str(pair[0]))}
    items = [_item(item) for item in declared]
    names = [item.get("id", "") for item in items]
    section: SectionRecords = {}
    for own, item in zip(names, items, strict=True):
        name = own if own and names.count(own) == 1 else _name_of(item)
        section[f"{name} ({len(section) + 1})" if name in section else name] = item
    return section


def _name_of(item: Mapping[str, str]) -> str:
    """Return the name of an item without an id of its own: its first four fields that are not empty."""
    shown = [f"{name} {value}" for name, value in item.items() if value and not value.startswith(_DIGEST_MARK)]
    return ", ".join(shown[:4])


def _item(item: object) -> dict[str, str]:
    if not is_dataclass(item):
        return {"value": _text(item)}
    compared = [field for field in fields(item) if field.compare]
    return {field.name: _text(getattr(item, field.name)) for field in compared}


def _text(value: object) -> str:
    """Return a value as text, the same in every process; of a long or structured one a digest."""
    if value is None or value in ("", ()):
        return ""
    canonical = _canonical(value)
    is_flat = not isinstance(canonical, list) or all(isinstance(part, str) for part in canonical)
    text = ", ".join(canonical) if isinstance(canonical, list) and is_flat else str(canonical)
    if is_flat and len(text) <= _MAX_VALUE_LENGTH:
        return text
    return _DIGEST_MARK + sha256(text.encode()).hexdigest()[:8]


def _canonical(value: object) -> Any:  # noqa: ANN401 - a text, or a list of such
    """Return a value as texts and lists; sets and mappings, whose order may differ between processes, are sorted."""
    if is_dataclass(value):
        return [[field.name, _canonical(getattr(value, field.name))] for field in fields(value) if field.compare]
    if isinstance(value, Mapping):
        return sorted(([_canonical(key), _canonical(item)] for key, item in value.items()), key=repr)
    if isinstance(value, frozenset | set):
        return sorted((_canonical(item) for item in value), key=repr)
    return [_canonical(item) for item in value] if isinstance(value, tuple | list) else str(value)


def encode_record(record: InventoryRecord) -> str:
    """Return a record as one line of text, which is an output of the stack."""
    packed = zlib.compress(json.dumps(record, ensure_ascii=False, sort_keys=True).encode(), 9)
    return base64.b64encode(packed).decode()


def decode_record(text: str) -> InventoryRecord | None:
    """Return the record of an output, None when it is none."""
    try:
        return cast("InventoryRecord", json.loads(zlib.decompress(base64.b64decode(text, validate=True))))
    except (ValueError, zlib.error):
        return None


def describe_changes(old: InventoryRecord, new: InventoryRecord) -> list[str]:
    """Return one line for each item that is added (+), retired (-) or changed (~)."""
    lines = [line for name in new | old for line in _section_changes(name, old.get(name, {}), new.get(name, {}))]
    if len(lines) > MAX_LINES:
        lines = [*lines[:MAX_LINES], f"… and {len(lines) - MAX_LINES} more"]
    return lines or ["nothing that the inventory declares; only the text of its files"]


def describe_first(record: InventoryRecord) -> list[str]:
    """Return how much is declared, for a stack without an earlier inventory."""
    listed = ((name, items) for name, items in record.items() if items and name not in _NOT_COUNTED)
    counts = (f"{len(items)} {name}" for name, items in listed)
    return [f"first roll-out: {', '.join(counts)}"]


def _section_changes(section: str, old: SectionRecords, new: SectionRecords) -> Iterator[str]:
    noun = _SINGULAR.get(section, section)
    for name in sorted(new.keys() - old.keys()):
        yield f"+ {noun} {name}{_summary(new[name])}"
    for name in sorted(old.keys() - new.keys()):
        yield f"- {noun} {name}{_summary(old[name])}"
    for name in sorted(old.keys() & new.keys()):
        changed = [
            _field_change(key, old[name].get(key, ""), new[name].get(key, "")) for key in _keys(old[name], new[name])
        ]
        if changed:
            yield f"~ {noun} {name}: {'; '.join(changed)}"


def _keys(old: Mapping[str, str], new: Mapping[str, str]) -> Iterable[str]:
    return [key for key in {**new, **old} if old.get(key, "") != new.get(key, "")]


def _field_change(name: str, old: str, new: str) -> str:
    if old.startswith(_DIGEST_MARK) or new.startswith(_DIGEST_MARK):
        return f"{name} changed"
    return f"{name} {old or '–'} → {new or '–'}"


def _summary(item: Mapping[str, str]) -> str:
    """Return what tells a reviewer most about an item that came or went."""
    shown = [item[name] for name in ("name_en", "kind", "level", "centre", "scope", "goal") if item.get(name)]
    shown = [text for text in shown if not text.startswith(_DIGEST_MARK)]
    return f" ({', '.join(shown)})" if shown else ""


def change_outputs(inventory: Inventory, earlier: Mapping[str, object]) -> dict[str, str | list[str]]:
    """Return the stack's outputs about the inventory; `earlier` are those of its last run, empty before the first.

    Without an edit since then they are those of the last run, so that a second run changes no output.
    """
    record, old_text = inventory_record(inventory), str(earlier.get(RECORD_OUTPUT, ""))
    old, old_version = decode_record(old_text), str(earlier.get("inventoryVersion", ""))
    shown = earlier.get(CHANGES_OUTPUT)
    if old is None:
        return {CHANGES_OUTPUT: describe_first(record), RECORD_OUTPUT: encode_record(record)}
    if old_version == inventory.version and isinstance(shown, list):
        return {CHANGES_OUTPUT: [str(line) for line in shown], RECORD_OUTPUT: old_text}
    lines = [f"inventory {old_version} → {inventory.version}", *describe_changes(old, record)]
    return {CHANGES_OUTPUT: lines, RECORD_OUTPUT: encode_record(record)}
