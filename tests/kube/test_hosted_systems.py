"""The ground and the hosted systems on a real API server: accepted without a warning, unchanged by a second apply.

Nothing runs on it: an admitted pod has not run, and an accepted network policy has blocked nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

import pytest

from infra.config.options import BrokerOptions
from infra.plan.cloud.tenancy import instances_of
from infra.targets.kubernetes.cloud.drills import drill_manifests
from infra.targets.kubernetes.cloud.objects import has_own_pods, object_name
from telemetry import inventory
from telemetry.core.cloud.values import PolicyException
from tests.cloud_admission_examples import EXAMPLES, NAMESPACES, TODAY as EXAMPLES_TODAY, edited
from tests.cloud_examples import base_components, base_declaration, base_flows, base_lock, hosted_system
from tests.conftest import CHECKOUT
from tests.hosted_objects import HostedObjects, cluster_options, hosted_objects
from tests.kube.objects import claim, namespace, pods_of
from tests.kube.policies import refusal_of, until_admitted, until_refused
from tests.kube.rollouts import RollOut, changed, key_of
from tests.kube_server import Refused
from tests.own_objects import MOTCUA, own_objects

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from infra.plan.cloud.values import SystemPlan, ZonePlan
    from telemetry.core.cloud.values import CloudDeclaration
    from tests.kube.objects import Json
    from tests.kube.rollouts import Key
    from tests.kube_server import KubeServer

pytestmark = pytest.mark.kube
BEFORE, AFTER = (CHECKOUT / "inventory" / name for name in ("bentre-2021", "vinhlong-2025"))
"""A province, and the one that it became part of: its systems have the same ids."""
DRILLED = "vn83-onestop"
EXCEPTION_POLICY = ("ValidatingAdmissionPolicy", "", "motcua-exception-dated")
GONE, VENDOR = "vn83-participation", "vn83-vendor"
FORMER, RENAMED = "vn83-permits", "vn83-licences"
DATA_KINDS = {"Namespace", "StorageClass", "Cluster", "StatefulSet", "PersistentVolumeClaim"}


def objects_of(folder: Path) -> HostedObjects:
    """Return the objects of a sample; where Motcua is one of its systems, it has its own."""
    declared = inventory.load(folder).cloud
    if MOTCUA not in declared.systems:
        return hosted_objects(declared)
    options = cluster_options(declared, own_system=MOTCUA).model_copy(update={"broker": BrokerOptions()})
    return own_objects(declared, options).hosted


@dataclass(frozen=True)
class Hosted:
    """Hosted systems on a server, with what is below them."""

    objects: HostedObjects
    ground: RollOut
    systems: RollOut
    agents: RollOut
    first_ground: dict[Key, Json]
    first_systems: dict[Key, Json]
    first_agents: dict[Key, Json]

    @property
    def server(self) -> KubeServer:
        return self.systems.server

    def of_system(self, ident: str) -> RollOut:
        """Return the objects of one system."""
        own = (one for one in self.systems.objects if one["metadata"]["labels"]["motcua.org/system"] == ident)
        return RollOut(self.server, tuple(own))

    @property
    def agent_namespaces(self) -> set[str]:
        """Return the namespaces in which an agent runs."""
        return {one["metadata"]["namespace"] for one in self.agents.objects if one["kind"] == "Deployment"}

    def zones(self) -> list[tuple[SystemPlan, ZonePlan]]:
        return [(system, zone) for system in self.objects.plan.systems for zone in system.zones]


@pytest.fixture(scope="module")
def hosted(cluster: KubeServer) -> Iterator[Hosted]:
    """Roll out the ground with the policies of levels, then the systems; all of it ends with this module."""
    found = objects_of(BEFORE)
    ground = RollOut(cluster, (*foreign_namespaces(found), *found.ground))
    first_ground = ground.apply()
    until_policies_act(cluster)
    systems = RollOut(cluster, found.hosted)
    agents = RollOut(cluster, found.agents)
    yield Hosted(found, ground, systems, agents, first_ground, systems.apply(), agents.apply())
    ground.delete(one for one in ground.objects if one["kind"].startswith("ValidatingAdmission"))


def foreign_namespaces(found: HostedObjects) -> list[Json]:
    """Return the namespaces of other operators that objects are in: they are neither the ground's nor a system's."""
    rendered = (*found.ground, *found.hosted, *found.agents)
    own = {one["metadata"]["name"] for one in rendered if one["kind"] == "Namespace"}
    used = {one["metadata"].get("namespace", "") for one in rendered}
    return [namespace(name) for name in sorted(used - own - {"", "kube-system"})]


def until_policies_act(cluster: KubeServer) -> None:
    """Wait until each policy of the ground refuses its bad objects: one that does not act yet would admit everything.

    The namespaces of the examples are of this test only, or get back what is rendered when the systems are applied.
    """
    RollOut(cluster, NAMESPACES).apply()
    cluster.define_kinds(example.bad for example in EXAMPLES)
    for example in EXAMPLES:
        refused = until_refused(partial(cluster.apply, example.bad, dry_run=True, warnings=True))
        assert f"motcua-{example.rule}'" in refused.message, example


def test_every_object_is_accepted_without_a_warning_and_a_second_apply_changes_nothing(hosted: Hosted) -> None:
    assert len(hosted.objects.plan.systems) == 11
    parts = (
        (hosted.ground, hosted.first_ground), (hosted.systems, hosted.first_systems),
        (hosted.agents, hosted.first_agents),
    )  # fmt: skip
    for part, first in parts:
        assert changed(first, part.apply()) == set()


def test_every_pod_is_admitted(hosted: Hosted) -> None:
    assert hosted.systems.try_pods() == len(list(pods_of(hosted.systems.objects))) >= 4
    assert hosted.agents.try_pods() == len(hosted.agent_namespaces) == 3


def test_a_pod_of_motcua_that_runs_as_root_is_refused_in_each_of_its_zones(hosted: Hosted) -> None:
    pods = {one["metadata"]["namespace"]: one for one in pods_of(hosted.of_system(MOTCUA).objects)}
    assert set(pods) == {f"{MOTCUA}-{zone}" for zone in ("dmz", "server", "database")}
    for one in pods.values():
        security = {**one["spec"]["securityContext"], "runAsUser": 0, "runAsNonRoot": False}
        with pytest.raises(Refused, match="violates PodSecurity"):
            hosted.server.apply({**one, "spec": {**one["spec"], "securityContext": security}}, dry_run=True)


def test_a_zone_holds_what_is_declared_and_a_roll_out_and_not_one_pod_more(hosted: Hosted) -> None:
    """The pods are stored, because only those count. The pods of databases are made by their operator, not by us."""
    templates = {key_of(one)[1:]: one for one in pods_of(hosted.systems.objects)}
    zones = [
        (system, zone) for system, zone in hosted.zones() if all(has_own_pods(one.declared) for one in zone.components)
    ]
    assert len(zones) >= 2 * len(hosted.objects.plan.systems)
    for system, zone in zones:
        places = [(one, (zone.namespace, f"{object_name(one.declared)}-0")) for one in zone.components]
        largest = templates[max(places, key=lambda pair: pair[0].size.memory_mb)[1]]
        begin_quota(hosted.server, zone.namespace, largest)
        wanted = [templates[place] for one, place in places for _ in range(instances_of(system.declared, one.declared))]
        for number, one in enumerate([*wanted, largest]):
            hosted.server.apply(numbered(one, number))
        with pytest.raises(Refused, match="exceeded quota: zone"):
            hosted.server.apply(numbered(largest, len(wanted) + 1))


def test_a_zone_of_databases_holds_the_declared_disks_and_not_one_more(hosted: Hosted) -> None:
    zones = [(system, zone) for system, zone in hosted.zones() if "database" in kinds_in(zone)]
    assert len(zones) >= 10
    for system, zone in zones:
        disks = [
            one.declared.disk_gb for one in zone.components for _ in range(instances_of(system.declared, one.declared))
        ]
        more = claim("more", zone.namespace, 1, zone.namespace)
        begin_quota(hosted.server, zone.namespace, more)
        for number, gigabytes in enumerate(disks):
            hosted.server.apply(claim(f"disk-{number}", zone.namespace, gigabytes, zone.namespace))
        with pytest.raises(Refused, match="exceeded quota: zone"):
            hosted.server.apply(more)


def test_a_restore_drill_is_admitted_beside_the_running_system_and_has_room_for_its_disk_alone(hosted: Hosted) -> None:
    """The policies of its level act on it as on its zone; the quota of the zone has no room for one more disk."""
    declaration = hosted.objects.plan.declaration
    drill = RollOut(hosted.server, drill_manifests(hosted.objects.plan, cluster_options(declaration), DRILLED))
    first = drill.apply()
    assert changed(first, drill.apply()) == set()
    (cluster,) = (one for one in drill.objects if one["kind"] == "Cluster")
    space, size = cluster["metadata"]["namespace"], int(cluster["spec"]["storage"]["size"].removesuffix("Gi"))
    more = claim("more", space, 1, space)
    begin_quota(hosted.server, space, more)
    hosted.server.apply(claim("disk", space, size, space))
    with pytest.raises(Refused, match="exceeded quota: zone"):
        hosted.server.apply(more)
    zone = space.removesuffix("-drill")
    in_zone = edited(edited(cluster, "metadata.namespace", zone), "spec.storage.storageClass", zone)
    in_zone = edited(in_zone, "metadata.name", "other")
    assert "replicas" in until_refused(lambda: hosted.server.apply(in_zone, dry_run=True)).message
    drill.delete(drill.objects)


def kinds_in(zone: ZonePlan) -> set[str]:
    """Return the kinds of a zone's components."""
    return {one.declared.kind for one in zone.components}


def begin_quota(server: KubeServer, space: str, one: Json) -> None:
    """Write a zone's quota as used up until it refuses an object, then as unused until it admits it."""
    meta = {"name": "zone", "namespace": space}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta}
    hard = server.read(quota)["spec"]["hard"]
    server.write_status(quota, {"hard": hard, "used": hard})
    assert "exceeded quota" in until_refused(lambda: server.apply(one, dry_run=True)).message
    server.write_status(quota, {"hard": hard, "used": dict.fromkeys(hard, "0")})
    until_admitted(lambda: server.apply(one, dry_run=True))


def numbered(one: Json, number: int) -> Json:
    return {**one, "metadata": {**one["metadata"], "name": f"{one['metadata']['name']}-{number}"}}


def test_a_dated_exception_admits_the_nodes_network_in_its_own_zone_alone(hosted: Hosted) -> None:
    found = hosted_objects(with_exception(), today=EXAMPLES_TODAY)
    (declared,) = (one for one in found.ground if key_of(one) == EXCEPTION_POLICY)
    (space,) = (one for one in found.of("Namespace") if one["metadata"]["name"] == f"{VENDOR}-dmz")
    refusal = refusal_of(lambda: hosted.server.apply(space, warnings=True))
    assert "an exception that nobody declared" in refusal
    hosted.server.apply(declared)
    until_admitted(lambda: hosted.server.apply(space, dry_run=True, warnings=True))
    web = found.one("Deployment", f"{VENDOR}-dmz/web")
    RollOut(hosted.server, tuple(one for one in found.hosted if one is not web)).apply()
    hosted.server.apply(web, warnings=True)  # Pod Security goes on to warn of what the exception admits
    (pod,) = pods_of([web])
    excepted = {**pod, "spec": {**pod["spec"], "hostNetwork": True}}
    hosted.server.apply(excepted, dry_run=True, warnings=True)
    elsewhere = {**excepted, "metadata": {**excepted["metadata"], "namespace": f"{VENDOR}-server"},
                 "spec": {**excepted["spec"], "serviceAccountName": "app"}}  # fmt: skip
    with pytest.raises(Refused, match="violates PodSecurity"):
        hosted.server.apply(elsewhere, dry_run=True)


def with_exception() -> CloudDeclaration:
    """Return the base declaration under another id, with an exception for its web component."""
    until = EXAMPLES_TODAY + timedelta(days=30)
    exception = PolicyException("pod-hardened", f"{VENDOR}/web", "the vendor's image runs as root", "vn83-dit", until)
    return replace(
        base_declaration(), systems={VENDOR: hosted_system(VENDOR)}, components=base_components(VENDOR),
        flows=base_flows(VENDOR), lock=base_lock(VENDOR), exceptions=(exception,),
    )  # fmt: skip


def test_a_renamed_system_is_updated_in_place(hosted: Hosted) -> None:
    """The API refuses another selector or class of storage of what is there: acceptance says that neither changed."""
    before = RollOut(hosted.server, hosted_objects(declared_as(FORMER)).hosted)
    before.apply()
    known = before.read()
    after = RollOut(hosted.server, hosted_objects(declared_as(RENAMED, was=(FORMER,))).hosted)
    after.apply()
    held = after.read()
    assert {key: one["metadata"]["uid"] for key, one in held.items()} == {
        key: one["metadata"]["uid"] for key, one in known.items()
    }
    (space,) = (one for key, one in held.items() if key == ("Namespace", "", f"{FORMER}-database"))
    assert space["metadata"]["labels"]["motcua.org/system"] == RENAMED


def declared_as(ident: str, was: tuple[str, ...] = ()) -> CloudDeclaration:
    """Return the base declaration under an id; its zones have the names of the former one."""
    return replace(
        base_declaration(), systems={ident: hosted_system(ident, was=was, host="permits.example")},
        components=base_components(ident), flows=base_flows(ident), lock=base_lock(FORMER),
    )  # fmt: skip


def test_the_merged_province_takes_over_and_nothing_with_data_is_made_again(hosted: Hosted) -> None:
    """It changes what is there, so it comes after all that looks at the systems as they were."""
    after = objects_of(AFTER)
    rolled = RollOut(hosted.server, (*foreign_namespaces(after), *after.ground, *after.hosted))
    held = RollOut(hosted.server, tuple(one for one in rolled.objects if one["kind"] in DATA_KINDS))
    before = held.read()
    first = rolled.apply()
    assert {key: one["metadata"]["uid"] for key, one in held.read().items()} == {
        key: one["metadata"]["uid"] for key, one in before.items()
    }
    assert changed(first, rolled.apply()) == set()


def test_a_deleted_system_leaves_the_others(hosted: Hosted) -> None:
    gone = hosted.of_system(GONE)
    stay = RollOut(hosted.server, tuple(one for one in hosted.systems.objects if one not in gone.objects))
    before = stay.read()
    gone.delete(gone.objects)
    assert stay.read() == before
    assert len(stay.objects) > len(gone.objects) > 30
    with pytest.raises(Refused, match="not found"):
        hosted.server.read(gone.objects[-1])
