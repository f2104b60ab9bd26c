"""The province's cloud as Pulumi components with typed arguments: Province, System, Zone, Component, Flow.

They decide the tree, its names, aliases and protection; what an object holds is decided by the target that renders it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import pulumi

from infra.components.component import MotcuaComponent
from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.roll_out_order import callees_first, component_calls
from telemetry.core.cloud.physical_names import short_name
from telemetry.core.cloud.values import CloudDeclaration, Component as DeclaredComponent, Flow as DeclaredFlow, FlowEnd
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from infra.plan.cloud.values import AllowedConnection, CloudPlan, ComponentPlan, Endpoint, SystemPlan, ZonePlan
    from telemetry.core.cloud.values import ComponentZone, HostedSystem, LockEntry

PROGRAM = "Pulumi program"


@dataclass(frozen=True, slots=True)
class CloudObject:
    """One object that a target renders for a system.

    `name` is its Pulumi name, made of physical names only; `component` is empty for what a whole zone has.
    `opens_zone`: every other object of the zone comes after it. `is_awaited`: the engine waits until its instances
    run. `ignored` are fields that another writer owns.
    """

    name: str
    zone: ComponentZone
    body: Mapping[str, Any]
    component: str = ""
    holds_data: bool = False
    opens_zone: bool = False
    is_awaited: bool = False
    ignored: tuple[str, ...] = ()


class CloudTarget(Protocol):
    """Where hosted systems run: it renders them and registers the objects with Pulumi; it makes no component."""

    def system_objects(self, plan: CloudPlan, system: SystemPlan) -> Sequence[CloudObject]:
        """Return the objects of a system but for those of its flows. Raises ConfigError with what cannot run."""

    def flow_objects(self, plan: CloudPlan, connection: AllowedConnection) -> Mapping[str, Sequence[CloudObject]]:
        """Return the objects that allow a connection, by the system in whose zones they are."""

    def register(self, wanted: CloudObject, opts: pulumi.ResourceOptions) -> pulumi.Resource:
        """Register an object with the engine."""


@dataclass(frozen=True, slots=True)
class ProvinceArgs:
    """What all systems of a province share.

    `shared` declares sites, zone networks, sizes, peers, platform services and the ground, and may declare systems too.
    `today` is the day on which dated rules are checked. `elsewhere` are ids of declared systems that other stacks make:
    of a flow with one of them only this stack's end is made.
    """

    stage: str
    target: CloudTarget
    shared: CloudDeclaration
    today: date
    elsewhere: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SystemArgs:
    """One hosted system: who answers for it and what it holds, its components, the flows that begin or end in it.

    `lock` has the address slot and the physical name of each of its zones; neither may change later.
    """

    hosted: HostedSystem
    components: tuple[DeclaredComponent, ...]
    flows: tuple[DeclaredFlow, ...] = ()
    lock: tuple[LockEntry, ...] = ()


@dataclass(frozen=True, slots=True)
class ZoneArgs:
    """One zone of a system as planned, and the objects that its components share."""

    plan: ZonePlan
    objects: tuple[CloudObject, ...]


@dataclass(frozen=True, slots=True)
class ComponentArgs:
    """One component as planned, and its objects."""

    plan: ComponentPlan
    objects: tuple[CloudObject, ...]


@dataclass(frozen=True, slots=True)
class FlowArgs:
    """One allowed connection, and the objects in the zones of one system that allow it."""

    connection: AllowedConnection
    objects: tuple[CloudObject, ...]


def flow(source: str, target: str, port: int, why: str) -> DeclaredFlow:
    """Return a flow between ends as flows.csv writes them: `system/component`, `outside:PEER`, `platform:NAME`.

    Raises ConfigError for an end of another form.

    >>> flow("outside:internet", "vn83-onestop/web", 8080, "people's pages").target.name
    'web'
    """
    return DeclaredFlow(_parse_end(source), _parse_end(target), port, why)


def _parse_end(text: str) -> FlowEnd:
    kind, colon, name = text.partition(":")
    if colon and name and kind == "outside":
        return FlowEnd("outside", name)
    if colon and name and kind == "platform":
        return FlowEnd("platform", name)
    system, slash, component = text.partition("/")
    if slash and system and component and not colon:
        return FlowEnd("component", component, system)
    remedy = "write SYSTEM/COMPONENT, outside:PEER or platform:NAME"
    raise ConfigError([Fault(PROGRAM, 0, "flow", f"{text!r} is no end of a flow", remedy)])


class Province(MotcuaComponent):
    """The cloud of one province in one stage; `systems` are those made so far, by id."""

    type_key = "cloud-province"

    def __init__(self, name: str, args: ProvinceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__(name, args.stage, opts)
        self.args = args
        self.declaration = args.shared
        self.systems: dict[str, System] = {}
        self.running: dict[str, list[pulumi.Resource]] = {}
        """What of each component must be there before its callers, by path."""
        self._name = name
        self._flows: set[AllowedConnection] = set()
        self._plan: CloudPlan | None = None
        self.register_outputs({})

    def plan(self, declaration: CloudDeclaration) -> CloudPlan:
        """Return the plan of a declaration; the last one is remembered, because every system asks for it."""
        if self._plan is None or self._plan.declaration is not declaration:
            self._plan = build_cloud_plan(
                declaration, province=self._name, stage=self.args.stage, today=self.args.today
            )
        return self._plan

    def connect(self) -> None:
        """Make the flows whose ends have been made; those to a system that is made later are made with that one."""
        plan, known = self.plan(self.declaration), self.systems.keys() | self.args.elsewhere
        for connection in plan.connections:
            ends = {end.system for end in (connection.source, connection.target) if end.kind == "component"}
            if connection in self._flows or not ends <= known or ends.isdisjoint(self.systems):
                continue
            self._flows.add(connection)
            for ident, objects in self.args.target.flow_objects(plan, connection).items():
                if ident in self.systems:
                    Flow(FlowArgs(connection, tuple(objects)), self.systems[ident], self)


def _with_system(known: CloudDeclaration, name: str, args: SystemArgs) -> CloudDeclaration:
    """Return the declaration with a system added. Raises ConfigError when an id, a slot or a physical name is taken."""
    faults = [*_conflicts(known, name, args)]
    if faults:
        raise ConfigError(faults)
    return replace(
        known,
        systems={**known.systems, name: args.hosted},
        components=(*known.components, *args.components),
        flows=(*known.flows, *args.flows),
        lock=(*known.lock, *args.lock),
    )


def _conflicts(known: CloudDeclaration, name: str, args: SystemArgs) -> Iterator[Fault]:
    if args.hosted.id != name:
        yield Fault(PROGRAM, 0, name, f"has the arguments of {args.hosted.id!r}", "give both the same id")
    if name in known.systems:
        yield Fault(PROGRAM, 0, name, "is declared twice", "make each system once")
    foreign = sorted({one.path for one in args.components if one.system != name})
    if foreign:
        yield Fault(PROGRAM, 0, name, f"has components of another system: {', '.join(foreign)}", f"write {name}")
    declared = {one.path for one in (*known.components, *args.components)}
    ends = {str(end) for one in args.flows for end in (one.source, one.target) if end.kind == "component"}
    for end in sorted(ends - declared):
        remedy = "make its system first, or declare both systems in ProvinceArgs.shared"
        yield Fault(PROGRAM, 0, f"{name} flows", f"there is no component {end} yet", remedy)
    for entry in args.lock:
        place = (entry.zone, entry.slot)
        taken = next((one for one in known.lock if one.name == entry.name or (one.zone, one.slot) == place), None)
        if taken is not None:
            problem = f"slot {entry.slot} or name {entry.name!r} of zone {entry.zone} is that of {taken.system}"
            yield Fault(PROGRAM, 0, f"{name} lock", problem, "take the next slot; none is used again")


class System(MotcuaComponent):
    """One hosted system with its zones, their components, and its ends of flows.

    `args` is left out for a system that the province's shared declaration has already. A system that no shared cloud
    may host is a ConfigError, and so is a flow to a component that nobody has declared yet.
    """

    type_key = "cloud-system"

    def __init__(
        self, name: str, args: SystemArgs | None, province: Province, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        declaration = province.declaration if args is None else _with_system(province.declaration, name, args)
        plan = province.plan(declaration)
        planned = _hosted_plan(plan, name)
        # Rendered before anything is declared or registered: what cannot run leaves nothing half made.
        objects = tuple(province.args.target.system_objects(plan, planned))
        province.declaration = declaration
        super().__init__(name, province.args.stage, _options(province, opts, (name, *planned.declared.was)))
        self.id = name
        self.zones: dict[str, Zone] = {}
        for zone in planned.zones:
            own = tuple(one for one in objects if one.zone == zone.zone and not one.component)
            self.zones[zone.zone] = Zone(ZoneArgs(zone, own), self, province)
        province.systems[name] = self
        province.connect()
        self._make_components(planned, plan, objects, province)
        self.register_outputs({"namespaces": [zone.namespace for zone in planned.zones]})

    def _make_components(
        self, planned: SystemPlan, plan: CloudPlan, objects: Sequence[CloudObject], province: Province
    ) -> None:
        """Make the components, each after those that it calls and that have been made.

        The engine has few workers, and one that waits for instances does nothing else: what these need comes first.
        """
        calls = component_calls(plan.connections)
        components = {one.declared.path: one for one in planned.components}
        for path in callees_first(components, calls):
            component = components[path]
            zone, ident = self.zones[component.declared.zone], component.declared.id
            own = tuple(one for one in objects if (one.zone, one.component) == (component.declared.zone, ident))
            callees = [resource for callee in calls.get(path, ()) for resource in province.running.get(callee, ())]
            zone.components[ident] = Component(ComponentArgs(component, own), zone, province, callees)
            province.running[path] = zone.components[ident].running


def _hosted_plan(plan: CloudPlan, name: str) -> SystemPlan:
    if any(system.id == name for system in plan.refused):
        problem = "no shared cloud may host it: level 5, or state secrets"
        raise ConfigError(
            [Fault(PROGRAM, 0, name, problem, "host it elsewhere, or correct what it is declared to hold")]
        )
    try:
        return plan.system(name)
    except KeyError:
        remedy = "give its SystemArgs, with the same id"
        raise ConfigError([Fault(PROGRAM, 0, name, "is not declared", remedy)]) from None


def _options(
    parent: pulumi.Resource, opts: pulumi.ResourceOptions | None, names: Sequence[str]
) -> pulumi.ResourceOptions:
    """Return a system's options; `names` are its id and the earlier ones. They are aliases in the province and without.

    `pulumi state move` puts what it moves right below the stack.
    """
    aliases = [pulumi.Alias(name=earlier) for earlier in names[1:]]
    aliases += [pulumi.Alias(name=name, parent=pulumi.ROOT_STACK_RESOURCE) for name in names]
    return pulumi.ResourceOptions.merge(pulumi.ResourceOptions(parent=parent, aliases=aliases), opts)


class Zone(MotcuaComponent):
    """One zone of a system; named by its physical name, which no rename changes.

    `opening` are what it begins with, `objects` these and all that its components share, policies of flows included.
    """

    type_key = "cloud-zone"

    def __init__(self, args: ZoneArgs, system: System, province: Province) -> None:
        super().__init__(args.plan.namespace, province.args.stage, pulumi.ResourceOptions(parent=system))
        target = province.args.target
        self.opening = [_register(self, target, one) for one in args.objects if one.opens_zone]
        self.objects = [
            *self.opening,
            *(_register(self, target, one, self.opening) for one in args.objects if not one.opens_zone),
        ]
        self.components: dict[str, Component] = {}
        self.register_outputs({"namespace": args.plan.namespace, "cidr": args.plan.cidr})


class Component(MotcuaComponent):
    """One component of a zone; named by the zone's physical name and its own first id.

    Its instances start when all that its zone has so far, its own objects and `callees` are there. `running` is what
    its callers wait for.
    """

    type_key = "cloud-component"

    def __init__(
        self, args: ComponentArgs, zone: Zone, province: Province, callees: Sequence[pulumi.Resource] = ()
    ) -> None:
        name = short_name(args.plan.namespace, args.plan.declared.first_id)
        super().__init__(name, province.args.stage, pulumi.ResourceOptions(parent=zone))
        target = province.args.target
        own = [_register(self, target, one, zone.opening) for one in args.objects if not one.is_awaited]
        before = [*zone.objects, *own, *callees]
        awaited = [_register(self, target, one, before) for one in args.objects if one.is_awaited]
        self.running: list[pulumi.Resource] = awaited or own
        self.register_outputs({})


class Flow(MotcuaComponent):
    """One end of an allowed connection, or both when they are in one system; belongs to the system of its zones.

    A system has all that is in its zones, so that it can go to another stack without anything of the others.
    """

    type_key = "cloud-flow"

    def __init__(self, args: FlowArgs, system: System, province: Province) -> None:
        connection, declaration = args.connection, province.declaration
        ends = [_end_name(declaration, end) for end in (connection.source, connection.target)]
        is_called = connection.source.kind == "component" and connection.source.system != system.id
        name = short_name(*ends, str(connection.port), connection.protocol.lower(), *(["in"] if is_called else []))
        super().__init__(name, province.args.stage, pulumi.ResourceOptions(parent=system))
        for one in args.objects:
            zone = system.zones[one.zone]
            zone.objects.append(_register(self, province.args.target, one, zone.opening))
        self.register_outputs({})


def _end_name(declaration: CloudDeclaration, end: Endpoint) -> str:
    """Return an end by physical names, which a renamed system or component keeps."""
    component = declaration.component(FlowEnd("component", end.name, end.system)) if end.kind == "component" else None
    return f"{end.namespace}.{component.first_id}" if component else f"{end.kind}.{end.name}"


def _register(
    parent: MotcuaComponent, target: CloudTarget, wanted: CloudObject, after: Sequence[pulumi.Resource] = ()
) -> pulumi.Resource:
    return target.register(
        wanted, parent.data_options(holds_data=wanted.holds_data, after=after, ignored=wanted.ignored)
    )
