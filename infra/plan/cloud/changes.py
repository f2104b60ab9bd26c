"""What an edit of the declaration creates, changes, moves and deletes in the cloud, and which data that costs. Pure.

It must not decide whether an edit is allowed; who applies it asks for an explicit word where data would be lost.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal

from infra.plan.cloud.record import ComponentRecord, ConnectionRecord, SystemRecord, record_plan
from infra.plan.cloud.renames import component_path, paired_components, paired_systems
from telemetry.core.cloud.values import DATA_ZONE_KINDS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from infra.plan.cloud.record import CloudRecord
    from infra.plan.cloud.values import CloudPlan

ChangeKind = Literal["create", "change", "move", "delete"]
_LABELS = {"owner": "owner", "level": "level", "data": "data"}
_HOW_TO = "docs/how-to"
_COPY_STEPS = "copy the data, let the flows call it, and remove the old one last"
_WAS_REMEDY = (
    f"when it was renamed, name its earlier id in `was` ({_HOW_TO}/rename-a-system.md); otherwise copy its data away "
    "first"
)
_REFUSED_REMEDY = (
    "no shared cloud may host its level or its data: copy its data to machines of its own first, or declare the former "
    f"level ({_HOW_TO}/raise-a-systems-level.md)"
)
_MOVE_REMEDY = (
    f"declare a new component there and keep this one, {_COPY_STEPS} ({_HOW_TO}/rename-a-system.md); a system that "
    f"only gets another owner keeps its id ({_HOW_TO}/move-a-system-to-another-agency.md)"
)
_LOCK_REMEDY = "no edit of a system needs this: take cloud.lock and [zones] of cloud.toml back from version control"
_DATABASE_CLASS_REMEDY = f"accept it, then renew the instances one at a time ({_HOW_TO}/raise-a-systems-level.md)"
_VOLUME_CLASS_REMEDY = (
    f"accept it, then declare a new component beside it, {_COPY_STEPS} ({_HOW_TO}/raise-a-systems-level.md)"
)


@dataclass(frozen=True, slots=True)
class CloudChange:
    """One change: what happens where, with the remedy where data would be lost; `where` is a system or component."""

    kind: ChangeKind
    where: str
    problem: str
    loses_data: bool = False
    remedy: str = ""

    def __str__(self) -> str:
        """Return it on one line."""
        remedy = f"; {self.remedy}" if self.remedy else ""
        return f"{self.kind} {self.where}: {self.problem}{remedy}"


def cloud_changes(old: CloudRecord, plan: CloudPlan, systems: Collection[str] | None = None) -> tuple[CloudChange, ...]:
    """Return what a plan, or some of its systems, change in a cloud that has the old record: lost data first."""
    new = record_plan(plan, systems)
    systems = paired_systems(old.systems, new.systems)
    components = paired_components(old.components, new.components, systems)
    changes = [
        *_system_changes(old.systems, new.systems, systems),
        *_component_changes(old, new, components, frozenset(one.id for one in plan.refused)),
        *_connection_changes(old, new, components),
    ]
    return sorted_changes(changes)


def sorted_changes(changes: Iterable[CloudChange]) -> tuple[CloudChange, ...]:
    """Return the changes in the order of reports: lost data first, then by place."""
    return tuple(sorted(changes, key=lambda one: (not one.loses_data, one.where, one.kind, one.problem)))


def data_loss_phrase(changes: Sequence[CloudChange]) -> str:
    """Return the exact words by which an operator accepts the loss; empty when nothing would be lost."""
    return ", ".join(dict.fromkeys(f"{one.kind} {one.where}" for one in changes if one.loses_data))


def _system_changes(
    old: Sequence[SystemRecord], new: Sequence[SystemRecord], pairs: Mapping[str, str]
) -> Iterator[CloudChange]:
    new_by_id = {one.id: one for one in new}
    for one in old:
        if one.id not in pairs:
            yield CloudChange("delete", one.id, f"project {one.project} and everything in it")
            continue
        yield from _changes_of_system(one, new_by_id[pairs[one.id]])
    for ident in sorted(new_by_id.keys() - {*pairs.values()}):
        yield CloudChange("create", ident, f"project {new_by_id[ident].project}")


def _changes_of_system(old: SystemRecord, new: SystemRecord) -> Iterator[CloudChange]:
    if old.id != new.id:
        yield CloudChange("change", new.id, f"was {old.id}: labels and the alias of the program; all names stay")
    labels = [f"{name} {getattr(old, name)} → {getattr(new, name)}" for name in _LABELS if _differ(old, new, name)]
    if labels:
        yield CloudChange("change", new.id, f"labels, roles and dashboards: {', '.join(labels)}")
    if old.project != new.project:
        yield CloudChange(
            "move", new.id, f"project {old.project} → {new.project}", loses_data=True, remedy="restore cloud.lock"
        )
    routes = [f"{name} {getattr(old, name) or '–'} → {getattr(new, name) or '–'}"
              for name in ("exposure", "host") if _differ(old, new, name)]  # fmt: skip
    if routes:
        yield CloudChange("change", new.id, f"route and certificate: {', '.join(routes)}")


def _differ(old: object, new: object, name: str) -> bool:
    return bool(getattr(old, name) != getattr(new, name))


def _component_changes(
    old: CloudRecord, new: CloudRecord, pairs: Mapping[str, str], refused: frozenset[str]
) -> Iterator[CloudChange]:
    new_by_path = {component_path(one): one for one in new.components}
    sites = {one.id: one.site for one in new.systems}
    old_sites = {one.id: one.site for one in old.systems}
    for one in old.components:
        path = pairs.get(component_path(one))
        if path is None:
            yield _deletion(one, _REFUSED_REMEDY if one.system in refused else _WAS_REMEDY)
            continue
        successor = new_by_path[path]
        yield from _placement_changes(one, successor, old_sites[one.system], sites[successor.system])
        yield from _volume_changes(one, successor)
        yield from _setting_changes(one, successor)
    for path in sorted(new_by_path.keys() - {*pairs.values()}):
        component = new_by_path[path]
        yield CloudChange("create", path, f"{component.kind} in {component.namespace}{_disk(component)}")


def _holds_data(component: ComponentRecord) -> bool:
    return component.kind in DATA_ZONE_KINDS or component.disk_gb > 0


def _disk(component: ComponentRecord) -> str:
    return f" with {component.disk_gb} GB" if component.disk_gb else ""


def _deletion(component: ComponentRecord, remedy: str) -> CloudChange:
    if not _holds_data(component):
        return CloudChange("delete", component_path(component), f"{component.kind} in {component.namespace}")
    problem = f"would delete data ({component.id} {component.disk_gb} GB)"
    return CloudChange("delete", component_path(component), problem, loses_data=True, remedy=remedy)


def _placement_changes(
    old: ComponentRecord, new: ComponentRecord, old_site: str, new_site: str
) -> Iterator[CloudChange]:
    """Yield a move when the physical place changes: namespace, network, or site."""
    places = [(old.namespace, new.namespace), (old_site, new_site)]
    if old.network:
        places.append((old.network, new.network))
    changed = [f"{before} → {after or 'none'}" for before, after in places if before != after]
    if not changed:
        return
    if _holds_data(old):
        problem = f"would move data ({old.id} {old.disk_gb} GB): {', '.join(changed)}"
        stays = (old.system, old.zone, old_site) == (new.system, new.zone, new_site)
        remedy = _LOCK_REMEDY if stays else _MOVE_REMEDY
        yield CloudChange("move", component_path(new), problem, loses_data=True, remedy=remedy)
    else:
        yield CloudChange(
            "move", component_path(new), f"{', '.join(changed)}: the new one first, then the old one goes"
        )


def _volume_changes(old: ComponentRecord, new: ComponentRecord) -> Iterator[CloudChange]:
    """Yield what no volume does in place: shrink, become another kind, get another storage class."""
    path = component_path(new)
    if old.kind != new.kind:
        holds = _holds_data(old)
        problem = f"kind {old.kind} → {new.kind}" + (
            f": would delete data ({old.id} {old.disk_gb} GB)" if holds else ""
        )
        yield CloudChange(
            "delete", path, problem, loses_data=holds, remedy=_undo_remedy("kind", old.kind) if holds else ""
        )
    if new.disk_gb < old.disk_gb:
        problem = f"disk {old.disk_gb} → {new.disk_gb} GB: a volume cannot shrink, its data would be deleted"
        yield CloudChange("delete", path, problem, loses_data=True, remedy=_undo_remedy("disk_gb", old.disk_gb))
    elif new.disk_gb > old.disk_gb:
        yield CloudChange("change", path, f"disk {old.disk_gb} → {new.disk_gb} GB, grown in place")
    if _holds_data(old) and old.disk_gb and old.kind != "objects" and old.own_storage != new.own_storage:
        names = ("the cluster's", "its own")
        problem = (
            f"storage class {names[old.own_storage]} → {names[new.own_storage]}: a volume cannot change it, "
            f"its data would move ({old.id} {old.disk_gb} GB)"
        )
        remedy = _DATABASE_CLASS_REMEDY if old.kind == "database" else _VOLUME_CLASS_REMEDY
        yield CloudChange("move", path, problem, loses_data=True, remedy=remedy)


def _undo_remedy(column: str, earlier: object) -> str:
    return f"write {column} {earlier} again; for the new value declare a new component beside it, {_COPY_STEPS}"


def _setting_changes(old: ComponentRecord, new: ComponentRecord) -> Iterator[CloudChange]:
    names = [
        field.name
        for field in fields(ComponentRecord)
        if field.name in {"size", "least", "most", "port", "health_port", "image"}
    ]
    changed = [f"{name} {getattr(old, name)} → {getattr(new, name)}" for name in names if _differ(old, new, name)]
    if changed:
        yield CloudChange("change", component_path(new), ", ".join(changed))


def _connection_changes(old: CloudRecord, new: CloudRecord, pairs: Mapping[str, str]) -> Iterator[CloudChange]:
    """Yield connections that open and close; those of a renamed component are the same ones."""
    before = {
        ConnectionRecord(pairs.get(one.source, one.source), pairs.get(one.target, one.target), one.port, one.protocol)
        for one in old.connections
    }
    after = set(new.connections)
    for one in sorted(before - after):
        yield CloudChange("delete", one.source, f"connection {one}")
    for one in sorted(after - before):
        yield CloudChange("create", one.source, f"connection {one}")
