"""A restore drill: a namespace of its own with the room that it needs, which touches nothing of the running system."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.network_policies import NetworkParty, NetworkPolicies
from infra.plan.cloud.sizes import drill_sizes
from infra.targets.kubernetes.cloud.drills import drill_manifests
from telemetry.core.cloud.values import Component
from telemetry.errors import ConfigError
from tests.cloud_examples import ONESTOP, TODAY, base_declaration, hosted_system, with_components, with_system
from tests.hosted_objects import cluster_options, hosted_objects, object_path

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration

Json = dict[str, Any]
BASE = base_declaration()
ZONE, DRILL = f"{ONESTOP}-database", f"{ONESTOP}-database-drill"


def drill_of(declaration: CloudDeclaration = BASE, ident: str = ONESTOP) -> tuple[Json, ...]:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    return drill_manifests(plan, cluster_options(declaration), ident)


def one_of(objects: tuple[Json, ...], kind: str, name: str) -> Json:
    (wanted,) = (one for one in objects if (one["kind"], one["metadata"]["name"]) == (kind, name))
    return wanted


def test_everything_is_in_a_namespace_of_its_own() -> None:
    objects = drill_of()
    assert {one["metadata"].get("namespace") for one in objects} == {None, DRILL}
    cluster_wide = {(one["kind"], one["metadata"]["name"]) for one in objects if "namespace" not in one["metadata"]}
    assert cluster_wide == {("Namespace", DRILL), ("StorageClass", DRILL)}
    running = hosted_objects(BASE)
    names = {(one["kind"], object_path(one)) for one in (*running.hosted, *running.ground)}
    assert names.isdisjoint({(one["kind"], object_path(one)) for one in objects})


def test_it_reads_the_copies_of_the_running_database_and_writes_none() -> None:
    objects = drill_of()
    spec = one_of(objects, "Cluster", "db")["spec"]
    assert (spec["instances"], spec["enablePDB"]) == (1, False)
    assert "plugins" not in spec
    assert spec["bootstrap"]["recovery"]["source"] == spec["externalClusters"][0]["name"]
    running = hosted_objects(BASE).one("Cluster", f"{ZONE}/db")["spec"]
    assert spec["externalClusters"][0]["plugin"]["parameters"] == running["plugins"][0]["parameters"]
    assert spec["imageName"] == running["imageName"]
    store = one_of(objects, "ObjectStore", spec["externalClusters"][0]["plugin"]["parameters"]["barmanObjectName"])
    assert store["spec"]["configuration"]["destinationPath"] == f"s3://{ZONE}-copies/"
    paths = {one["spec"]["dataFrom"][0]["extract"]["key"] for one in objects if one["kind"] == "ExternalSecret"}
    assert paths == {f"{ZONE}/db", f"{ZONE}/db/copies"}
    assert {one["kind"] for one in objects}.isdisjoint({"ScheduledBackup", "PodMonitor", "PrometheusRule"})


def test_a_database_of_two_instances_is_drilled_without_waiting_for_a_second_one() -> None:
    synchronous = with_system(BASE, hosted_system(rpo_s=0))
    assert "synchronous" in hosted_objects(synchronous).one("Cluster", f"{ZONE}/db")["spec"]["postgresql"]
    assert "synchronous" not in one_of(drill_of(synchronous), "Cluster", "db")["spec"]["postgresql"]


def test_its_volumes_have_a_class_of_the_namespace_and_go_with_it() -> None:
    objects = drill_of()
    assert one_of(objects, "Cluster", "db")["spec"]["storage"] == {"size": "200Gi", "storageClass": DRILL}
    assert one_of(objects, "StorageClass", DRILL)["reclaimPolicy"] == "Delete"
    level_2 = with_components(with_system(BASE, hosted_system(level=2)), f"{ONESTOP}/db", least=2, most=2)
    assert [one for one in drill_of(level_2) if one["kind"] == "StorageClass"] == []


def test_it_has_room_for_one_database_and_the_pod_that_restores_it() -> None:
    hard = one_of(drill_of(), "ResourceQuota", "zone")["spec"]["hard"]
    assert (hard["requests.storage"], hard["pods"], hard["requests.cpu"]) == ("200Gi", "2", "4200m")
    plan = build_cloud_plan(BASE, province="vn83", stage="prod", today=TODAY)
    (size,) = drill_sizes(plan)
    assert (size.system, size.cpu_millicores, size.memory_mb, size.disk_gb) == (ONESTOP, 4000, 16384, 200)


def test_the_quota_of_the_running_system_is_what_it_was() -> None:
    assert hosted_objects(BASE).one("ResourceQuota", f"{ZONE}/zone")["spec"]["hard"]["requests.storage"] == "600Gi"


def test_the_operator_and_the_copies_are_reached_and_no_component_reaches_the_drill() -> None:
    drill, running = drill_of(), hosted_objects(BASE)
    together = (*running.hosted, *drill)
    namespaces = {one["metadata"]["name"]: one["metadata"]["labels"] for one in together if one["kind"] == "Namespace"}
    network = NetworkPolicies(tuple(one for one in together if one["kind"] == "NetworkPolicy"), namespaces)
    labels = {**one_of(drill, "Cluster", "db")["spec"]["inheritedMetadata"]["labels"], "cnpg.io/cluster": "db"}
    drilled, database = NetworkParty(DRILL, labels), NetworkParty(ZONE, labels)
    operator = NetworkParty("cnpg-system", {"app.kubernetes.io/name": "cloudnative-pg"})
    (app,) = (one for one in running.of("Deployment") if one["metadata"]["name"] == "app")
    caller = NetworkParty(app["metadata"]["namespace"], app["spec"]["template"]["metadata"]["labels"])
    for party in (drilled, database):
        assert network.allow(operator, party, 8000)
        assert network.allow(party, NetworkParty(address="10.84.0.30"), 443), "the store of copies"
        assert network.allow(party, NetworkParty(address="10.84.0.2"), 6443), "the API server"
    assert network.allow(caller, database, 5432)
    for source, target in ((caller, drilled), (database, drilled), (drilled, database), (drilled, caller)):
        assert not any(network.allow(source, target, port) for port in (5432, 8000, 8081, 443))


def test_a_level_2_system_with_a_database_in_two_zones_has_a_drill_in_each() -> None:
    system = with_system(BASE, hosted_system(level=2))
    second = Component(ONESTOP, "old", "database", "server", "M", 1, 1, 50, 5432, image="postgresql")
    objects = drill_of(replace(system, components=(*system.components, second)))
    spaces = [one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"]
    assert spaces == [f"{ONESTOP}-server-drill", DRILL]


@pytest.mark.parametrize(
    ("declaration", "ident", "message"),
    [
        (BASE, "vn83-none", "--drill.*no hosted system with a database.*give one of: vn83-onestop"),
        (replace(BASE, backups=BASE.backups[1:]), ONESTOP, "no store of copies.*declare one of medium objects"),
        (replace(BASE, ground=replace(BASE.ground, storage_encrypted=False)), ONESTOP, "storage_encrypted"),
    ],
)
def test_what_cannot_be_drilled_is_a_fault_with_a_remedy(
    declaration: CloudDeclaration, ident: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        drill_of(declaration, ident)
