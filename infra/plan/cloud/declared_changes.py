"""What an edit of a declaration changes, in words: every declared field, and what follows for the cloud. Pure.

It must not judge an edit; whether data would be lost is in `infra.plan.cloud.changes`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from infra.plan.cloud.changes import CloudChange, cloud_changes, sorted_changes
from infra.plan.cloud.record import record_plan
from infra.plan.cloud.renames import paired_components, paired_systems
from telemetry.core.cloud.values import LevelDecision

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from infra.plan.cloud.values import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration, FlowEnd

DISK_WORDS: Final = "disk"
FIELD_WORDS: Final[Mapping[str, str]] = MappingProxyType({
    "security": "security unit",
    "serves": "serves",
    "subjects": "people whose data it holds",
    "procedures": "handles administrative procedures",
    "level_decision": "decision on the level",
    "rpo_s": "most data that may be lost (rpo_s)",
    "rto_s": "longest time until it works again (rto_s)",
    "log_events_per_s": "logged events a second",
    "was": "earlier ids",
    "disk_gb": DISK_WORDS,
    "why": "reason",
    "no_tls_reason": "reason without TLS",
    "tls": "TLS",
    "name_vi": "Vietnamese name",
    "name_en": "English name",
    "unit": "administrative unit",
    "parent": "agency above it",
    "valid_from": "first day",
    "valid_to": "first day without it",
    "cidr": "network",
    "cidrs": "networks",
    "cpu_millicores": "thousandths of a core",
    "memory_mb": "memory in MB",
    "keep_days": "days that logs stay",
    "event_bytes": "bytes of an event",
    "every_s": "seconds between copies",
    "wal": "changes are streamed to it",
    "own_project": "apart from what it copies",
    "restore_mb_per_s": "measured MB/s of a restore",
    "evidence_day": "day of the evidence",
    "by": "agency that answers for it",
    "engines": "versions",
    "engine_ends": "ends of support",
    "Prices.cpu_core": "price of a core",
    "Prices.memory_gb": "price of a GB of memory",
    "Prices.disk_gb": "price of a GB of disk",
    "Prices.copy_gb": "price of a GB of copies",
})  # fmt: skip
"""Words for fields whose own name does not say it; every other field is written as its name without underscores."""
_NOTHING = "–"
_EMPTY: tuple[object, ...] = (None, "", (), MappingProxyType({}))


@dataclass(frozen=True, slots=True)
class _DeclaredItem:
    """A declared value under the name that stays while its other fields change; a collection's item is in a list."""

    where: str
    value: Any


def edit_changes(old: CloudPlan, new: CloudPlan) -> tuple[CloudChange, ...]:
    """Return everything that differs between two plans of a province in one stage: no edit, no change.

    What the cloud does comes from the plans; a declared field is added unless such a line already has its words.
    """
    derived = cloud_changes(record_plan(old), new)
    declared = declared_changes(old.declaration, new.declaration)
    return sorted_changes((*derived, *(one for one in declared if not _is_named(one, derived))))


def _is_named(change: CloudChange, derived: Iterable[CloudChange]) -> bool:
    """Return whether a derived change says the same: of the same place, connection, or with the same words."""
    connection = f"connection {change.where.removeprefix('flow ')}/TCP"
    return any(
        one.kind == change.kind
        and (
            one.problem == connection
            or (one.where == change.where and (change.kind != "change" or change.problem in one.problem))
        )
        for one in derived
    )


def declared_changes(old: CloudDeclaration, new: CloudDeclaration) -> tuple[CloudChange, ...]:
    """Return a change for each declared field that differs, each item that came and each that went."""
    before, after = _items(_apply_new_ids(old, new)), _items(new)
    return sorted_changes(
        [
            *(CloudChange("delete", one, _summary(one, before[one])) for one in before.keys() - after.keys()),
            *(CloudChange("create", one, _summary(one, after[one])) for one in after.keys() - before.keys()),
            *(
                CloudChange("change", one, words)
                for one in before.keys() & after.keys()
                for words in _field_changes(before[one], after[one])
            ),
        ]
    )


def _apply_new_ids(old: CloudDeclaration, new: CloudDeclaration) -> CloudDeclaration:
    """Return the old declaration with the ids that its systems and components have in the new one."""
    systems = paired_systems(old.systems.values(), new.systems.values())
    paths = paired_components(old.components, new.components, systems)

    def current_end(end: FlowEnd) -> FlowEnd:
        system, _, name = paths.get(f"{end.system}/{end.name}", f"{end.system}/{end.name}").partition("/")
        return replace(end, system=system, name=name) if end.kind == "component" else end

    components = []
    for one in old.components:
        system, _, ident = paths.get(one.path, one.path).partition("/")
        components.append(replace(one, system=system, id=ident))
    return replace(
        old,
        systems={
            (current := systems.get(ident, ident)): replace(one, id=current) for ident, one in old.systems.items()
        },
        components=tuple(components),
        flows=tuple(replace(one, source=current_end(one.source), target=current_end(one.target)) for one in old.flows),
        drills=tuple(replace(one, system=systems.get(one.system, one.system)) for one in old.drills),
        exceptions=tuple(
            replace(one, where=paths.get(one.where, systems.get(one.where, one.where))) for one in old.exceptions
        ),
    )


def _items(declaration: CloudDeclaration) -> dict[str, Any]:
    """Return every declared value by its place; of several with one place the later ones have a number."""
    counts: Counter[str] = Counter()
    items = {}
    for one in sorted(_declared_items(declaration), key=lambda item: (item.where, repr(item.value))):
        counts[one.where] += 1
        number = counts[one.where]
        items[one.where if number == 1 else f"{one.where} ({number})"] = one.value
    return items


def _declared_items(declaration: CloudDeclaration) -> Iterator[_DeclaredItem]:
    yield from (_DeclaredItem(ident, one) for ident, one in declaration.systems.items())
    yield from (_DeclaredItem(one.path, one) for one in declaration.components)
    yield from (_DeclaredItem(f"flow {one.source} → {one.target} {one.port}", one) for one in declaration.flows)
    named = {
        "agency": declaration.agencies,
        "site": declaration.sites,
        "size": declaration.sizes,
        "peer": declaration.peers,
        "platform": declaration.platform,
        "protection": declaration.protections,
    }
    yield from (_DeclaredItem(f"{noun} {ident}", one) for noun, ones in named.items() for ident, one in ones.items())
    yield from (_DeclaredItem(f"zone {one.zone} at {one.site}", one) for one in declaration.zone_networks)
    yield from (_DeclaredItem(f"backup {one.id}", one) for one in declaration.backups)
    yield from (_DeclaredItem(f"drill of {one.system} on {one.day}", one) for one in declaration.drills)
    yield from (_DeclaredItem(f"exception {one.rule} at {one.where}", one) for one in declaration.exceptions)
    yield from (_DeclaredItem(f"cloud.lock {one.system} {one.zone}", one) for one in declaration.lock)
    single = {"ground": declaration.ground, "logs": declaration.logs, "prices": declaration.prices}
    yield from (_DeclaredItem(name, one) for name, one in single.items() if one is not None)


def _summary(where: str, value: object) -> str:
    """Return the fields of an item that came or went, without empty ones and those that its place says."""
    shown = []
    for name in _compared_names(value):
        item = getattr(value, name)
        if item not in _EMPTY and _text(item) not in where.split():
            shown.append(f"{_words(value, name)} {_text(item)}")
    return ", ".join(shown)


def _field_changes(old: object, new: object) -> Iterator[str]:
    for name in _compared_names(new):
        before, after = getattr(old, name), getattr(new, name)
        if before == after:
            continue
        if name == "was":
            yield from (f"was {ident}" for ident in after if ident not in before)
            yield from (f"no longer was {ident}" for ident in before if ident not in after)
            if set(before) == set(after):
                yield f"order of earlier ids {_text(before)} → {_text(after)}"
        elif isinstance(after, Mapping):
            yield from (
                f"{_words(new, name)} of {key} {_text(before.get(key))} → {_text(after.get(key))}"
                for key in sorted({*before, *after})
                if before.get(key) != after.get(key)
            )
        else:
            words = _words(new, name)
            yield f"{words} {_text(before)} → {_text(after)}{' GB' if words == DISK_WORDS else ''}"


def _compared_names(value: Any) -> tuple[str, ...]:  # noqa: ANN401 - any declared dataclass
    return tuple(field.name for field in fields(value) if field.compare)


def _words(value: object, name: str) -> str:
    """Return the words of a field, by its class first: two classes may have a field of one name."""
    plain = name.replace("_", " ")
    return FIELD_WORDS.get(f"{type(value).__name__}.{name}") or FIELD_WORDS.get(name, plain)


def _text(value: object) -> str:
    """Return a value as people write it, `–` for nothing."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, LevelDecision):
        return f"{value.number} of {value.day}"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {_text(item)}" for key, item in sorted(value.items()))
    if isinstance(value, tuple):
        return ", ".join(str(item) for item in value) or _NOTHING
    return _NOTHING if value is None or value == "" else str(value)
