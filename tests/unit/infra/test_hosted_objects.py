"""The Kubernetes objects of hosted systems: what each declared row becomes, and that nothing else is there."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.manifests import check_manifests
from infra.targets.kubernetes.cloud.files import cloud_files
from infra.targets.kubernetes.cloud.ground import CORE_GROUPS, required_kinds
from telemetry import inventory
from telemetry.core.cloud.values import Component, Flow, Ground, PolicyException
from telemetry.errors import ConfigError
from tests.cloud_examples import (
    GROUND,
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    base_flows,
    base_lock,
    changed_components,
    component_end,
    hosted_system,
    outside,
    with_system,
)
from tests.hosted_objects import HostedObjects, cluster_options, hosted_objects, object_path
from tests.kubernetes_schemas import validate_manifest

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration

Json = dict[str, Any]
DMZ, SERVER, DATABASE = (f"{ONESTOP}-{zone}" for zone in ("dmz", "server", "database"))
LABELS = {
    "app.kubernetes.io/part-of", "app.kubernetes.io/component", "motcua.org/province", "motcua.org/stage",
    "motcua.org/owner",
}  # fmt: skip
SYSTEM_LABELS = {"motcua.org/system", "motcua.org/level", "motcua.org/data"}


@pytest.fixture(scope="module")
def base() -> HostedObjects:
    return hosted_objects(base_declaration())


def declared_policies(found: HostedObjects) -> set[str]:
    """Return the policies of declared and exposed connections."""
    generated = ("platform.", "operator.", "/vantage.", "/default-deny", "/names", "/db-to-db-")
    return {name for name in found.names("NetworkPolicy") if not any(word in name for word in generated)}


def test_the_base_declaration_becomes_its_namespaces_workloads_and_routes(base: HostedObjects) -> None:
    assert base.names("Namespace") == [DMZ, SERVER, DATABASE]
    assert base.names("Deployment") == [f"{DMZ}/web", f"{SERVER}/app"]
    assert base.names("Cluster") == [f"{DATABASE}/db"]
    assert base.one("Cluster", f"{DATABASE}/db")["spec"]["instances"] == 3
    assert base.names("HTTPRoute") == base.names("ListenerSet") == [f"{DMZ}/web"]
    inside = [f"{DMZ}/web.tls", f"{SERVER}/app.tls", f"{DATABASE}/db.tls"]
    assert sorted(base.names("Certificate")) == sorted([f"{DMZ}/web", *inside])


def test_the_base_declaration_has_four_policies_of_flows_one_of_the_edge_and_three_that_deny(
    base: HostedObjects,
) -> None:
    assert declared_policies(base) == {
        f"{DMZ}/edge.internet-to-web-8080-in",
        f"{DMZ}/web-to-app-8081-out",
        f"{SERVER}/web-to-app-8081-in",
        f"{SERVER}/app-to-db-5432-out",
        f"{DATABASE}/app-to-db-5432-in",
    }
    denied = [one for one in base.of("NetworkPolicy") if one["metadata"]["name"] == "default-deny"]
    assert [one["metadata"]["namespace"] for one in denied] == [DMZ, SERVER, DATABASE]
    assert all(one["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]} for one in denied)


def test_every_object_has_its_labels_and_no_two_have_one_name(base: HostedObjects) -> None:
    for one in base.ground:
        assert set(one["metadata"]["labels"]) >= LABELS, object_path(one)
    assert {one["kind"] for one in base.ground} >= {"ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    for one in base.hosted:
        assert set(one["metadata"]["labels"]) >= LABELS | SYSTEM_LABELS, object_path(one)
    names = [(one["kind"], object_path(one)) for one in (*base.ground, *base.hosted)]
    assert len(names) == len(set(names))


def test_no_policy_finds_anything_in_the_base_declaration(base: HostedObjects) -> None:
    assert check_manifests((*base.ground, *base.hosted)) == []


@pytest.mark.parametrize("version", ["1.31", "1.35"])
def test_every_object_of_the_cluster_itself_is_valid_by_the_published_schemas(
    base: HostedObjects, version: str
) -> None:
    own = [one for one in (*base.ground, *base.hosted) if one["apiVersion"] in CORE_GROUPS]
    assert len(own) > 40
    for one in own:
        validate_manifest(one, version)


def test_the_kinds_of_other_operators_are_named(base: HostedObjects) -> None:
    assert set(required_kinds((*base.ground, *base.hosted))) == {
        "barmancloud.cnpg.io/v1 ObjectStore", "cert-manager.io/v1 Certificate",
        "external-secrets.io/v1 ExternalSecret", "gateway.networking.k8s.io/v1 Gateway",
        "gateway.networking.k8s.io/v1 BackendTLSPolicy",
        "gateway.networking.k8s.io/v1 HTTPRoute", "gateway.networking.k8s.io/v1 ListenerSet",
        "monitoring.coreos.com/v1 PodMonitor", "monitoring.coreos.com/v1 PrometheusRule",
        "postgresql.cnpg.io/v1 Cluster", "postgresql.cnpg.io/v1 ScheduledBackup", "velero.io/v1 Schedule",
    }  # fmt: skip


def test_the_same_declaration_gives_the_same_text_twice() -> None:
    first, second = hosted_objects(base_declaration()), hosted_objects(base_declaration())
    assert json.dumps([*first.ground, *first.hosted]) == json.dumps([*second.ground, *second.hosted])


def test_permuted_rows_change_nothing(base: HostedObjects) -> None:
    declared = base_declaration()
    turned = replace(declared, components=declared.components[::-1], flows=declared.flows[::-1])
    assert hosted_objects(turned).hosted == base.hosted


def two_systems() -> CloudDeclaration:
    other = "vn83-forms"
    declared = with_system(base_declaration(), hosted_system(other))
    return replace(
        declared, components=(*base_components(), *base_components(other)),
        flows=(*base_flows(), *base_flows(other)), lock=base_lock(ONESTOP, other),
    )  # fmt: skip


def test_a_system_more_changes_no_object_of_another(base: HostedObjects) -> None:
    both = hosted_objects(two_systems())
    own = [one for one in both.hosted if one["metadata"]["labels"]["motcua.org/system"] == ONESTOP]
    assert own == list(base.hosted)
    assert len(both.hosted) == 2 * len(base.hosted)


def test_a_system_more_changes_of_the_ground_only_its_own_storage(base: HostedObjects) -> None:
    before = {object_path(one): one for one in base.ground}
    after = {object_path(one): one for one in hosted_objects(two_systems()).ground}
    assert {name for name in after if after[name] != before.get(name)} == {"vn83-forms-database"}


def test_a_flow_less_removes_exactly_its_policies(base: HostedObjects) -> None:
    declared = base_declaration()
    less = hosted_objects(replace(declared, flows=declared.flows[:2]))
    gone = set(base.names("NetworkPolicy")) - set(less.names("NetworkPolicy"))
    assert gone == {f"{SERVER}/app-to-db-5432-out", f"{DATABASE}/app-to-db-5432-in"}


def test_pods_are_selected_by_labels_that_a_renamed_system_keeps() -> None:
    declared = base_declaration()
    before = hosted_objects(declared)
    renamed = "vn83-motcua"
    flows = tuple(
        replace(one, source=moved(one.source, renamed), target=moved(one.target, renamed)) for one in declared.flows
    )
    after = hosted_objects(
        replace(
            declared, systems={renamed: hosted_system(renamed, host="onestop.example", was=(ONESTOP,))},
            components=changed_components(declared.components, lambda _: True, system=renamed), flows=flows,
        )
    )  # fmt: skip
    # An alert names the system as it is called now.
    same = [
        [without_labels(one) for one in found.hosted if one["kind"] != "PrometheusRule"] for found in (after, before)
    ]
    assert same[0] == same[1]
    assert after.hosted != before.hosted


def moved(end: Any, system: str) -> Any:  # noqa: ANN401 - a flow's end
    return replace(end, system=system) if end.system else end


def without_labels(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return an object without the labels that name its system and component."""
    changing = {"motcua.org/system"}
    if isinstance(value, dict):
        return {key: without_labels(inner) for key, inner in value.items() if key not in changing}
    return [without_labels(one) for one in value] if isinstance(value, list) else value


def test_instances_follow_the_least_and_an_autoscaler_owns_them_where_more_may_run(base: HostedObjects) -> None:
    assert "replicas" not in base.one("Deployment", f"{DMZ}/web")["spec"]
    scaler = base.one("HorizontalPodAutoscaler", f"{DMZ}/web")["spec"]
    assert (scaler["minReplicas"], scaler["maxReplicas"]) == (2, 4)
    assert base.one("Deployment", f"{SERVER}/app")["spec"]["replicas"] == 2
    single = replace(
        base_declaration(), components=changed_components(base_components(), lambda one: one.id == "app", least=1)
    )
    found = hosted_objects(single)
    assert f"{SERVER}/app" not in found.names("PodDisruptionBudget")
    assert f"{SERVER}/app" in base.names("PodDisruptionBudget")


def test_a_pod_is_hardened_spread_and_takes_its_image_by_digest(base: HostedObjects) -> None:
    pod = base.one("Deployment", f"{DMZ}/web")["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["image"].startswith("registry.example/onestop-web@sha256:")
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
    }  # fmt: skip
    assert pod["securityContext"] == {"seccompProfile": {"type": "RuntimeDefault"}, "runAsNonRoot": True}
    assert pod["automountServiceAccountToken"] is False
    host, zone = pod["topologySpreadConstraints"]
    assert (host["topologyKey"], host["whenUnsatisfiable"]) == ("kubernetes.io/hostname", "DoNotSchedule")
    assert zone["topologyKey"] == "topology.kubernetes.io/zone"


def test_a_namespace_may_open_no_door_of_its_own(base: HostedObjects) -> None:
    for one in base.of("ResourceQuota"):
        assert one["spec"]["hard"]["services.loadbalancers"] == one["spec"]["hard"]["services.nodeports"] == "0"


def test_the_quota_holds_what_runs_at_most_and_a_roll_out(base: HostedObjects) -> None:
    hard = base.one("ResourceQuota", f"{DMZ}/zone")["spec"]["hard"]
    assert (hard["requests.cpu"], hard["requests.memory"], hard["pods"]) == ("2500m", "5120Mi", "5")
    hard = base.one("ResourceQuota", f"{DATABASE}/zone")["spec"]["hard"]
    assert (hard["requests.storage"], hard["requests.memory"], hard["pods"]) == ("600Gi", f"{4 * (8192 + 256)}Mi", "4")


def test_pod_security_has_a_version_that_no_upgrade_moves(base: HostedObjects) -> None:
    labels = base.one("Namespace", DMZ)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    assert labels["pod-security.kubernetes.io/enforce-version"] == "v1.31"
    newer = replace(base_declaration(), ground=replace(GROUND, engines={"kubernetes": "1.35.2"}))
    labels = hosted_objects(newer).one("Namespace", DMZ)["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce-version"] == "v1.35"


def test_the_credentials_of_a_database_are_of_one_path_in_both_namespaces(base: HostedObjects) -> None:
    there = base.one("ExternalSecret", f"{DATABASE}/db-access")["spec"]
    here = base.one("ExternalSecret", f"{SERVER}/db-access")["spec"]
    assert there == here
    assert there["dataFrom"] == [{"extract": {"key": f"{DATABASE}/db"}}]
    environment = base.one("Deployment", f"{SERVER}/app")["spec"]["template"]["spec"]["containers"][0]["env"]
    values = {one["name"]: one.get("value", one.get("valueFrom")) for one in environment}
    assert values == {
        "TLS_CA": "/etc/motcua/tls/ca.crt", "TLS_CERTIFICATE": "/etc/motcua/tls/tls.crt",
        "TLS_KEY": "/etc/motcua/tls/tls.key",
        "DB_HOST": f"db-rw.{DATABASE}.svc", "DB_PORT": "5432", "DB_TLS": "yes",
        "DB_USERNAME": {"secretKeyRef": {"name": "db-access", "key": "username"}},
        "DB_PASSWORD": {"secretKeyRef": {"name": "db-access", "key": "password"}},
    }  # fmt: skip


def test_a_database_is_copied_by_the_plugin_alone(base: HostedObjects) -> None:
    cluster = base.one("Cluster", f"{DATABASE}/db")["spec"]
    assert "backup" not in cluster
    (plugin,) = cluster["plugins"]
    assert (plugin["name"], plugin["isWALArchiver"]) == ("barman-cloud.cloudnative-pg.io", True)
    assert plugin["parameters"]["barmanObjectName"] == "db"
    assert base.one("ScheduledBackup", f"{DATABASE}/db")["spec"]["method"] == "plugin"
    store = base.one("ObjectStore", f"{DATABASE}/db")["spec"]["configuration"]
    assert store["endpointURL"] == "https://10.84.0.30:443"
    assert store["wal"]["encryption"] == store["data"]["encryption"] == "AES256"


@pytest.mark.parametrize(
    ("level", "rpo_s", "least", "instances", "synchronous"),
    [(3, 300, 3, 3, False), (3, 0, 1, 3, True), (2, 0, 2, 2, True), (2, 0, 1, 1, False), (2, 300, 1, 1, False)],
)
def test_instances_and_synchronous_copies_of_a_database(
    level: int, rpo_s: int, least: int, instances: int, synchronous: bool
) -> None:
    declared = with_system(base_declaration(), hosted_system(level=level, rpo_s=rpo_s))
    components = changed_components(declared.components, lambda one: one.id == "db", least=least, most=least)
    cluster = hosted_objects(replace(declared, components=components)).one("Cluster", f"{DATABASE}/db")["spec"]
    assert cluster["instances"] == instances
    assert ("synchronous" in cluster["postgresql"]) is synchronous


@pytest.mark.parametrize(("level", "own"), [(2, False), (3, True)])
def test_storage_is_the_systems_own_from_level_3(level: int, own: bool) -> None:
    found = hosted_objects(with_system(base_declaration(), hosted_system(level=level)))
    classes = [one for one in found.ground if one["kind"] == "StorageClass"]
    assert [one["metadata"]["name"] for one in classes] == ([DATABASE] if own else [])
    assert all(one["reclaimPolicy"] == "Retain" and one["parameters"] == {"type": "encrypted"} for one in classes)
    storage = found.one("Cluster", f"{DATABASE}/db")["spec"]["storage"]
    assert storage.get("storageClass") == (DATABASE if own else None)


def gateway_declaration() -> CloudDeclaration:
    """Return a system with a component of kind gateway that another network of the state reaches."""
    gateway = Component(ONESTOP, "gw", "gateway", "dmz", "M", 2, 2, port=5500, health="", image="gateway")
    system = hosted_system(exposure="wan", host="lgsp.example")
    declared = with_system(base_declaration(), system)
    flow = Flow(outside("tslcd"), component_end(ONESTOP, "gw"), 5500, "exchange")
    return replace(declared, components=(*base_components()[1:], gateway), flows=(flow, *base_flows()[2:]))


def test_a_gateway_gets_tls_passed_through_at_its_own_port() -> None:
    found = hosted_objects(gateway_declaration())
    assert found.names("TLSRoute") == [f"{DMZ}/gw"]
    assert found.names("HTTPRoute") == found.names("BackendTLSPolicy") == []
    assert f"{DMZ}/gw" not in found.names("Certificate"), "what the party outside is shown is the component's own"
    (listener,) = found.one("ListenerSet", f"{DMZ}/gw")["spec"]["listeners"]
    assert (listener["port"], listener["protocol"], listener["tls"]) == (5500, "TLS", {"mode": "Passthrough"})
    assert f"{DMZ}/edge.wan-to-gw-5500-in" in declared_policies(found)
    (gateway,) = (one for one in found.ground if one["kind"] == "Gateway")
    assert gateway["metadata"]["name"] == "wan"
    ranges = gateway["spec"]["infrastructure"]["annotations"]
    assert list(ranges.values()) == ["10.255.0.0/16"]


def test_a_listener_joins_the_gateway_of_its_exposure_from_labelled_namespaces_only(base: HostedObjects) -> None:
    (gateway,) = (one for one in base.ground if one["kind"] == "Gateway")
    allowed = gateway["spec"]["allowedListeners"]["namespaces"]["selector"]["matchLabels"]
    assert allowed.items() <= base.one("Namespace", DMZ)["metadata"]["labels"].items()
    assert not allowed.items() <= base.one("Namespace", SERVER)["metadata"]["labels"].items()
    parent = base.one("ListenerSet", f"{DMZ}/web")["spec"]["parentRef"]
    assert (parent["name"], parent["namespace"]) == ("internet", gateway["metadata"]["namespace"])


def excepted(until: date | None) -> CloudDeclaration:
    exception = PolicyException("pod-hardened", f"{ONESTOP}/web", "the vendor's image runs as root", "vn83-dit", until)
    return replace(base_declaration(), exceptions=(exception,))


def test_a_dated_exception_opens_pod_security_in_its_namespace_alone_and_says_so() -> None:
    found = hosted_objects(excepted(date(2026, 12, 29)))
    meta = found.one("Namespace", DMZ)["metadata"]
    assert meta["labels"]["pod-security.kubernetes.io/enforce"] == "privileged"
    assert meta["labels"]["pod-security.kubernetes.io/warn"] == "restricted"
    assert meta["labels"]["motcua.org/exception-pod-hardened"] == "2026-12-29"
    assert meta["annotations"]["motcua.org/exception-by"] == "vn83-dit"
    assert found.one("Namespace", SERVER)["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = found.one("Deployment", f"{DMZ}/web")["spec"]["template"]["spec"]
    assert "runAsNonRoot" not in pod["securityContext"]


def test_an_exception_without_an_end_opens_nothing(base: HostedObjects) -> None:
    assert hosted_objects(excepted(None)).hosted == base.hosted


def test_secrets_are_references_and_no_value_is_in_any_object(base: HostedObjects) -> None:
    assert base.of("Secret") == []
    assert all("valueFrom" in one or "PASSWORD" not in one["name"] for one in environment_of(base))


def environment_of(found: HostedObjects) -> list[Json]:
    containers = (one["spec"]["template"]["spec"]["containers"][0] for one in found.of("Deployment"))
    return [entry for container in containers for entry in container.get("env", ())]


def test_a_peer_without_networks_is_a_fault_because_policies_name_no_hosts() -> None:
    declared = base_declaration()
    peers = {**declared.peers, "sms": replace(declared.peers["ngsp"], id="sms", cidrs=(), declared_at="cloud.toml:41")}
    flow = Flow(component_end(ONESTOP, "app"), outside("sms"), 443, "messages")
    with pytest.raises(ConfigError, match=r"cloud\.toml:41.*peer sms has no networks.*add its networks"):
        hosted_objects(replace(declared, peers=peers, flows=(*declared.flows, flow)))


def test_the_api_server_is_named_by_addresses_where_databases_call_it() -> None:
    with pytest.raises(ConfigError, match=r"apiServerNetworks.*is empty"):
        hosted_objects(base_declaration(), api_server_networks=[])
    declared = base_declaration()
    without = replace(declared, components=declared.components[:2], flows=declared.flows[:2])
    assert hosted_objects(without, api_server_networks=[]).of("Cluster") == []


def test_every_image_without_a_digest_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as raised:
        hosted_objects(base_declaration(), image_digests={"onestop-web": "sha256:short"})
    problems = [fault.problem for fault in raised.value.faults]
    assert len(problems) == 4
    assert any("'motcua-agent' has no digest" in problem for problem in problems)
    assert any("'onestop-app' has no digest" in problem for problem in problems)
    assert any("'sha256:short' is not a digest" in problem for problem in problems)


def test_a_promise_that_the_ground_does_not_give_is_a_fault() -> None:
    with pytest.raises(ConfigError) as raised:
        hosted_objects(replace(base_declaration(), ground=replace(GROUND, storage_encrypted=False, control_planes=1)))
    assert [fault.field for fault in raised.value.faults] == ["[ground] control_planes", "[ground] storage_encrypted"]


def test_what_nobody_declared_of_the_ground_is_not_promised() -> None:
    with pytest.raises(ConfigError) as raised:
        hosted_objects(replace(base_declaration(), ground=Ground()))
    promises = (
        "control_planes",
        "etcd_encrypted",
        "network_policies_enforced",
        "storage_encrypted",
        "time_synchronised",
    )
    assert [fault.field for fault in raised.value.faults] == [f"[ground] {name}" for name in promises]
    assert raised.value.faults[0].remedy.endswith("only then write control_planes = 3 in [ground] of cloud.toml")
    assert raised.value.faults[1].remedy.endswith("only then write etcd_encrypted = true in [ground] of cloud.toml")


def with_component(kind: str, zone: str, **more: Any) -> CloudDeclaration:  # noqa: ANN401 - fields of the dataclass
    extra = Component(ONESTOP, "extra", kind, zone, "S", 1, 1, image="extra", **more)  # type: ignore[arg-type]
    declared = base_declaration()
    return replace(declared, components=(*declared.components, extra))


def test_a_job_runs_every_night_at_its_own_minute() -> None:
    job = hosted_objects(with_component("job", "server")).one("CronJob", f"{SERVER}/extra")["spec"]
    validate_manifest(hosted_objects(with_component("job", "server")).one("CronJob", f"{SERVER}/extra"))
    minute, hour, *rest = job["schedule"].split()
    assert (0 <= int(minute) < 60, hour, rest) == (True, "1", ["*", "*", "*"])
    assert job["concurrencyPolicy"] == "Forbid"


def test_a_cache_keeps_no_volume() -> None:
    cache = hosted_objects(with_component("cache", "server", port=6379)).one("StatefulSet", f"{SERVER}/extra")
    validate_manifest(cache)
    assert "volumeClaimTemplates" not in cache["spec"]


def test_a_bucket_is_described_for_the_platform_and_runs_nothing() -> None:
    found = hosted_objects(with_component("objects", "database", disk_gb=50))
    claim = json.loads(found.one("ConfigMap", f"{DATABASE}/extra-bucket")["data"]["claim.json"])
    assert claim["quotaGb"] == 50
    assert found.names("Deployment") == hosted_objects(base_declaration()).names("Deployment")
    assert f"{DATABASE}/extra-access" in found.names("ExternalSecret")


def test_a_bucket_is_reached_at_the_platforms_object_store() -> None:
    declared = with_component("objects", "database", disk_gb=50)
    flow = Flow(component_end(ONESTOP, "app"), component_end(ONESTOP, "extra"), 443, "papers")
    found = hosted_objects(replace(declared, flows=(*declared.flows, flow)))
    policy = found.one("NetworkPolicy", f"{SERVER}/app-to-extra-443-out")["spec"]
    assert policy["egress"][0]["to"] == [{"ipBlock": {"cidr": "10.84.0.40/32"}}]
    assert f"{DATABASE}/app-to-extra-443-in" not in found.names("NetworkPolicy"), "a bucket has no pods"
    values = {one["name"]: one.get("value") for one in environment_of(found)}
    assert values["EXTRA_URL"] == "https://10.84.0.40:443"
    assert values["EXTRA_BUCKET"] == f"{DATABASE}-extra"
    platform = {name: one for name, one in declared.platform.items() if name != "objects"}
    second = replace(declared.components[-1], id="more")
    with pytest.raises(ConfigError) as caught:
        hosted_objects(replace(declared, platform=platform, components=(*declared.components, second)))
    assert [(one.field, one.problem) for one in caught.value.faults] == [
        (f"{ONESTOP}/{ident}", "object-store: the platform has no object store for its bucket")
        for ident in ("extra", "more")
    ], "every bucket is named, by the words of the rule"


def test_a_flow_to_a_bucket_at_another_port_than_the_object_stores_is_a_fault() -> None:
    declared = with_component("objects", "database", disk_gb=50)
    ends = component_end(ONESTOP, "app"), component_end(ONESTOP, "extra")
    flow = Flow(*ends, 8333, "papers", declared_at="flows.csv:9")
    with pytest.raises(ConfigError, match="calls port 8333, and the object store answers at 443") as raised:
        hosted_objects(replace(declared, flows=(*declared.flows, flow)))
    (fault,) = raised.value.faults
    assert (fault.file, fault.line, fault.remedy) == ("flows.csv", 9, "write 443 in flows.csv")


def test_a_program_with_a_disk_has_a_volume_for_each_instance_that_stays() -> None:
    declared = base_declaration()
    components = changed_components(declared.components, lambda one: one.id == "app", disk_gb=20)
    found = hosted_objects(replace(declared, components=components))
    assert f"{SERVER}/app" not in found.names("Deployment")
    store = found.one("StatefulSet", f"{SERVER}/app")
    validate_manifest(store)
    (claim,) = store["spec"]["volumeClaimTemplates"]
    assert claim["spec"]["storageClassName"] == SERVER
    assert SERVER in {one["metadata"]["name"] for one in found.ground if one["kind"] == "StorageClass"}
    assert set(store["spec"]["persistentVolumeClaimRetentionPolicy"].values()) == {"Retain"}
    pod = store["spec"]["template"]["spec"]
    mounted = {mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    assert (
        mounted == {"tmp", "data", "tls"} == {volume["name"] for volume in pod["volumes"]} | {claim["metadata"]["name"]}
    )
    assert found.names("Service").count(f"{SERVER}/app") == 1


def test_a_disk_beside_no_data_is_scratch_of_the_systems_own_storage() -> None:
    declared = base_declaration()
    components = changed_components(declared.components, lambda one: one.id == "web", disk_gb=20)
    found = hosted_objects(replace(declared, components=components))
    volumes = found.one("Deployment", f"{DMZ}/web")["spec"]["template"]["spec"]["volumes"]
    (volume,) = (one for one in volumes if "ephemeral" in one)
    assert volume["ephemeral"]["volumeClaimTemplate"]["spec"]["storageClassName"] == DMZ


def test_rules_of_admission_see_what_they_look_at(base: HostedObjects) -> None:
    scaled = base.one("Deployment", f"{DMZ}/web")
    assert scaled["metadata"]["labels"]["motcua.org/autoscaled"] == "true"
    assert "motcua.org/autoscaled" not in base.one("Deployment", f"{SERVER}/app")["metadata"]["labels"]
    assert scaled["spec"]["template"]["metadata"]["labels"]["motcua.org/kind"] == "web"
    (peer,) = base.one("NetworkPolicy", f"{SERVER}/web-to-app-8081-in")["spec"]["ingress"][0]["from"]
    assert peer["namespaceSelector"]["matchLabels"] == {
        "kubernetes.io/metadata.name": DMZ, "motcua.org/system": ONESTOP,
    }  # fmt: skip
    assert peer["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "web", "motcua.org/kind": "web"}


def test_every_object_of_the_sample_is_valid_and_no_policy_finds_anything() -> None:
    found = hosted_objects(inventory.load(inventory.default_path()).cloud)
    assert len({one["metadata"]["labels"]["motcua.org/system"] for one in found.hosted}) == 11
    for one in (*found.ground, *found.hosted):
        if one["apiVersion"] in CORE_GROUPS:
            validate_manifest(one)
    assert check_manifests((*found.ground, *found.hosted)) == []


def test_a_queue_needs_an_operator_of_the_platform() -> None:
    declared = with_component("queue", "database", port=5671, disk_gb=10)
    with pytest.raises(ConfigError, match="queue-operator"):
        hosted_objects(declared)
    found = hosted_objects(replace(declared, ground=replace(GROUND, engines={"rabbitmq-cluster-operator": "2.16"})))
    assert found.names("RabbitmqCluster") == [f"{DATABASE}/extra"]


def test_an_image_of_a_database_has_a_version_beside_its_digest() -> None:
    """CloudNativePG refuses a digest alone: it could not see an upgrade."""
    digest = f"sha256:{'0' * 64}"
    digests = {"onestop-web": f"1.4@{digest}", "onestop-app": digest, "motcua-agent": digest}
    found = hosted_objects(base_declaration(), image_digests={**digests, "postgresql": f"17.6-trixie@{digest}"})
    image = found.one("Cluster", f"{DATABASE}/db")["spec"]["imageName"]
    assert image == f"registry.example/postgresql:17.6-trixie@{digest}"
    (web,) = found.one("Deployment", f"{DMZ}/web")["spec"]["template"]["spec"]["containers"]
    assert web["image"] == f"registry.example/onestop-web:1.4@{digest}"
    for value in (digest, f"latest@{digest}", f"v17@{digest}"):
        with pytest.raises(ConfigError, match="'postgresql' has no version") as raised:
            hosted_objects(base_declaration(), image_digests={**digests, "postgresql": value})
        assert len(raised.value.faults) == 1
    with pytest.raises(ConfigError, match=r"add `postgresql: 17\.6@sha256:…`"):
        hosted_objects(base_declaration(), image_digests=digests)


def test_a_database_has_the_port_that_its_operator_opens() -> None:
    moved = replace(
        base_declaration(), components=changed_components(base_components(), lambda one: one.id == "db", port=5433)
    )
    flows = tuple(replace(one, port=5433) if one.port == 5432 else one for one in moved.flows)
    with pytest.raises(ConfigError, match="has port 5433, and CloudNativePG opens 5432 alone"):
        hosted_objects(replace(moved, flows=flows))


def test_the_instances_of_a_database_ask_each_other_whether_they_are_cut_off(base: HostedObjects) -> None:
    """Without the answer a primary stops itself as soon as the API server is away."""
    own = {"matchLabels": {"cnpg.io/cluster": "db"}}
    policies = [one["spec"] for one in base.of("NetworkPolicy") if one["spec"]["podSelector"] == own]
    for direction, ends in (("ingress", "from"), ("egress", "to")):
        rules = [rule for policy in policies for rule in policy.get(direction, ())]
        within = [rule for rule in rules if rule[ends][0].get("podSelector") == own]
        assert {rule["ports"][0]["port"] for rule in within} == {5432, 8000}


def test_a_single_instance_of_a_database_lets_its_host_drain() -> None:
    """CloudNativePG's own budget keeps one primary available: with one instance its host would never drain."""
    assert hosted_objects(base_declaration()).one("Cluster", f"{DATABASE}/db")["spec"]["enablePDB"] is True
    single = changed_components(base_components(), lambda one: one.id == "db", least=1, most=1)
    lower = with_system(replace(base_declaration(), components=single), hosted_system(level=2))
    assert hosted_objects(lower).one("Cluster", f"{DATABASE}/db")["spec"]["enablePDB"] is False


def test_two_components_at_one_host_and_port_are_a_fault() -> None:
    declared = with_component("web", "dmz", port=8090)
    flow = Flow(outside("internet"), component_end(ONESTOP, "extra"), 8090, "a second door")
    with pytest.raises(ConfigError, match=r"would both be at onestop\.example:443"):
        hosted_objects(replace(declared, flows=(*declared.flows, flow)))


def test_options_name_what_the_cluster_has() -> None:
    options = cluster_options(base_declaration(), cluster_issuer="province")
    assert options.cloud.cluster_issuer == "province"
    found = hosted_objects(base_declaration(), cluster_issuer="province", edge_namespace="front")
    assert found.one("Certificate", f"{DMZ}/web")["spec"]["issuerRef"]["name"] == "province"
    assert found.one("ListenerSet", f"{DMZ}/web")["spec"]["parentRef"]["namespace"] == "front"


def test_a_system_more_touches_its_own_folder_of_the_rendered_tree_only() -> None:
    def files_of(declaration: CloudDeclaration) -> dict[str, str]:
        plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
        return cloud_files(plan, cluster_options(declaration), {})

    before, after = files_of(base_declaration()), files_of(two_systems())
    changed = {name for name in after if after[name] != before.get(name)}
    assert {name.partition("/")[0] for name in changed} == {"vn83-forms"}
    assert before.items() <= after.items()


def test_the_instances_of_a_queue_reach_each_other_and_the_api_server_alone() -> None:
    declared = with_component("queue", "server", port=5671, disk_gb=10)
    found = hosted_objects(replace(declared, ground=replace(GROUND, engines={"rabbitmq-cluster-operator": "2.16"})))
    pods = {"app.kubernetes.io/name": "extra", "app.kubernetes.io/component": "rabbitmq"}
    for port in (4369, 25672):
        (peer,) = found.one("NetworkPolicy", f"{SERVER}/extra-to-extra-{port}-in")["spec"]["ingress"][0]["from"]
        assert peer["podSelector"]["matchLabels"] == pods
        way_out = found.one("NetworkPolicy", f"{SERVER}/extra-to-extra-{port}-out")["spec"]
        assert way_out["podSelector"]["matchLabels"] == pods
        assert way_out["egress"][0]["ports"] == [{"protocol": "TCP", "port": port}]
    reached = [name for name in found.names("NetworkPolicy") if "/extra-to-platform.kubernetes-api" in name]
    assert reached == [f"{SERVER}/extra-to-platform.kubernetes-api-{port}-out" for port in (443, 6443)]
