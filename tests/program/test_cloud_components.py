"""The cloud's components in other people's programs: the tree, its names, what is protected, and what is refused."""

from __future__ import annotations

import runpy
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from infra.components.cloud import Province, ProvinceArgs, System, SystemArgs, flow
from infra.plan.cloud import build_cloud_plan
from infra.targets.kubernetes.cloud.manifests import hosted_manifests
from infra.targets.kubernetes.cloud.target import KubernetesTarget
from telemetry.core.cloud.values import CloudDeclaration, Component, LockEntry
from telemetry.errors import ConfigError
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    base_flows,
    base_lock,
    hosted_system,
)
from tests.hosted_objects import cluster_options
from tests.program.pulumi_monitor import Recorded, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.program.pulumi_monitor import Registered

EXAMPLE = Path(__file__).resolve().parents[2] / "docs/examples/hosted_system.py"
LGSP = "vn83-lgsp"
SHARED = replace(base_declaration(), systems={}, components=(), flows=(), lock=())
ONESTOP_ARGS = SystemArgs(hosted_system(), base_components(), base_flows(), base_lock())
GATE = SystemArgs(
    hosted_system(LGSP, serves="infrastructure", exposure="none", host=""),
    (Component(LGSP, "gate", "gateway", "server", "M", 2, 2, port=8443, image="lgsp"),),
    lock=(LockEntry(LGSP, "server", 2, f"{LGSP}-server"),),
)
CALLER = replace(
    ONESTOP_ARGS, flows=(*base_flows(), flow(f"{ONESTOP}/app", f"{LGSP}/gate", 8443, "other agencies' data"))
)
WHOLE = replace(
    SHARED,
    systems={ONESTOP: CALLER.hosted, LGSP: GATE.hosted},
    components=(*CALLER.components, *GATE.components),
    flows=CALLER.flows,
    lock=(*CALLER.lock, *GATE.lock),
)


def province(shared: CloudDeclaration = SHARED, stage: str = "prod") -> Province:
    target = KubernetesTarget(cluster_options(WHOLE, stage=stage))
    return Province("vn83", ProvinceArgs(stage, target, shared, TODAY))


def made_by(program: Callable[[], object]) -> Recorded:
    return run(program)


def systems_in_order(*args: SystemArgs, stage: str = "prod") -> Recorded:
    def program() -> None:
        parent = province(stage=stage)
        for one in args:
            System(one.hosted.id, one, parent)

    return made_by(program)


def objects_of(recorded: Recorded) -> dict[str, Registered]:
    return {one.name: one for one in recorded.resources if one.type.startswith("kubernetes:")}


def place_of(manifest: Mapping[str, Any]) -> tuple[str, str]:
    return manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def tree_of(recorded: Recorded, urn: str = "", depth: int = 0) -> list[str]:
    lines = []
    for one in recorded.resources:
        is_child = one.parent == urn if urn else one.type == "motcua:cloud:Province"
        if is_child and not one.custom:
            lines += [f"{'  ' * depth}{one.type.rpartition(':')[2]} {one.name}", *tree_of(recorded, one.urn, depth + 1)]
    return lines


def test_the_example_of_the_documentation_makes_the_tree_that_it_shows() -> None:
    assert len(EXAMPLE.read_text().splitlines()) <= 60
    recorded = made_by(lambda: runpy.run_path(str(EXAMPLE)))
    assert tree_of(recorded) == [
        "Province vn83",
        "  System vn83-lgsp",
        "    Zone vn83-lgsp-server",
        "      Component vn83-lgsp-server-gate",
        "    Flow vn83-portal-server.app-vn83-lgsp-server.gate-8443-tcp-in",
        "  System vn83-portal",
        "    Zone vn83-portal-dmz",
        "      Component vn83-portal-dmz-web",
        "    Zone vn83-portal-server",
        "      Component vn83-portal-server-app",
        "    Zone vn83-portal-database",
        "      Component vn83-portal-database-db",
        "    Flow vn83-portal-server.app-vn83-portal-database.db-5432-tcp",
        "    Flow vn83-portal-server.app-vn83-lgsp-server.gate-8443-tcp",
        "    Flow vn83-portal-dmz.web-vn83-portal-server.app-8081-tcp",
        "    Flow edge.internet-vn83-portal-dmz.web-8080-tcp",
    ]
    copies = {one.type.rpartition(":")[2] for one in recorded.resources} & {"ObjectStore", "ScheduledBackup"}
    assert copies == {"ObjectStore", "ScheduledBackup"}, "whoever copies the example gets copies of the database"


def declared_systems(*idents: str) -> Recorded:
    def program() -> None:
        parent = province(WHOLE)
        for ident in idents:
            System(ident, None, parent)

    return made_by(program)


@pytest.mark.parametrize(
    "make",
    [
        lambda: systems_in_order(GATE, CALLER),
        lambda: declared_systems(LGSP, ONESTOP),
        lambda: declared_systems(ONESTOP, LGSP),
    ],
    ids=["arguments", "callee-first", "caller-first"],
)
def test_every_object_of_the_whole_plan_is_made_once(make: Callable[[], Recorded]) -> None:
    recorded = make()
    plan = build_cloud_plan(WHOLE, province="vn83", stage="prod", today=TODAY)
    wanted = hosted_manifests(plan, cluster_options(WHOLE))
    made = objects_of(recorded)
    made_bodies = {(one.inputs["kind"], *place_of(one.inputs)): one.inputs.get("spec") for one in made.values()}
    assert made_bodies == {(one["kind"], *place_of(one)): one.get("spec") for one in wanted}
    policies = [name for name in made if name.startswith("networkpolicy") and "app-to-vn83-lgsp" in name]
    assert len(policies) == 2, "one at each end, whichever system came first"


def test_objects_come_after_their_namespace_and_belong_to_their_component() -> None:
    recorded = systems_in_order(ONESTOP_ARGS)
    made = objects_of(recorded)
    web = next(one for one in made.values() if one.type.endswith("Deployment") and one.name.endswith("web"))
    parent = next(one for one in recorded.resources if one.urn == web.parent)
    assert (parent.type, parent.name) == ("motcua:cloud:Component", f"{ONESTOP}-dmz-web")
    namespaces = {one.urn for one in made.values() if one.type.endswith("Namespace")}
    placed = [one for one in made.values() if one.urn not in namespaces and "namespace" in one.inputs["metadata"]]
    own = [one for one in placed if one.inputs["metadata"]["namespace"].startswith(ONESTOP)]
    assert [one.name for one in own if not one.depends_on & namespaces] == []


def test_data_are_protected_where_they_are_somebodys_and_stay_in_prod() -> None:
    def states(stage: str) -> set[tuple[str, bool, bool]]:
        made = objects_of(systems_in_order(ONESTOP_ARGS, stage=stage))
        held = (f"namespace-{ONESTOP}-database", f"cluster-{ONESTOP}-database-db", f"namespace-{ONESTOP}-dmz")
        return {(name, made[name].protect, made[name].retain) for name in held}

    database, cluster, dmz = (
        f"namespace-{ONESTOP}-database", f"cluster-{ONESTOP}-database-db", f"namespace-{ONESTOP}-dmz"
    )  # fmt: skip
    assert states("prod") == {(database, True, True), (cluster, True, True), (dmz, False, False)}
    assert states("stage") == {(database, True, False), (cluster, True, False), (dmz, False, False)}
    assert states("dev") == {(database, False, False), (cluster, False, False), (dmz, False, False)}


def test_a_renamed_system_is_an_alias_and_no_other_name_changes() -> None:
    renamed = "vn83-motcua"
    args = SystemArgs(
        hosted_system(renamed, was=(ONESTOP,), host="onestop.example"),
        base_components(renamed), base_flows(renamed), base_lock(),
    )  # fmt: skip
    before, after = systems_in_order(ONESTOP_ARGS), systems_in_order(args)
    own = next(one for one in after.resources if one.type == "motcua:cloud:System")
    assert any(alias.endswith(f"|{ONESTOP}") for alias in own.aliases)

    def names(recorded: Recorded) -> set[str]:
        return {one.name for one in recorded.resources} - {ONESTOP, renamed}

    assert names(after) == names(before)


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (replace(ONESTOP_ARGS, lock=GATE.lock), "is that of vn83-lgsp"),
        (replace(ONESTOP_ARGS, components=base_components(LGSP)), "has components of another system"),
        (replace(ONESTOP_ARGS, hosted=hosted_system(level=5)), "no shared cloud may host it"),
        (replace(ONESTOP_ARGS, hosted=hosted_system(LGSP)), "is declared twice"),
        (
            replace(ONESTOP_ARGS, flows=(flow(f"{ONESTOP}/app", "vn83-seal/gate", 8443, "seals"),)),
            "no component vn83-seal",
        ),
    ],
)
def test_what_cannot_be_hosted_leaves_nothing_half_made(args: SystemArgs, problem: str) -> None:
    counts: list[int] = []

    def program() -> None:
        parent = province()
        System(LGSP, GATE, parent)
        counts.append(len(parent.systems))
        with pytest.raises(ConfigError, match=problem):
            System(args.hosted.id, args, parent)
        counts.append(len(parent.systems))
        assert args.hosted.id == LGSP or args.hosted.id not in parent.declaration.systems

    recorded = made_by(program)
    assert counts == [1, 1]
    assert [one.name for one in recorded.of("motcua:cloud:System")] == [LGSP]


def test_a_wrong_end_of_a_flow_names_the_forms() -> None:
    for text in ("web", "inside:x", "outside:", "/web", "a:b/c"):
        with pytest.raises(ConfigError, match="write SYSTEM/COMPONENT, outside:PEER or platform:NAME"):
            flow(text, f"{ONESTOP}/web", 8080, "why")
