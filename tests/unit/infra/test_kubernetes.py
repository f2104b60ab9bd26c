"""The objects for Kubernetes: valid by the published schemas, hardened, hanging together, without a secret."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
from hypothesis import given, strategies as st

from infra.config.stack_file import load_options
from infra.plan import build_plan
from infra.targets.kubernetes.images import IMAGE_USERS
from infra.targets.kubernetes.manifests import all_manifests, required_secrets
from infra.targets.kubernetes.objects import (
    API_TLS_SECRET,
    MAX_OBJECT_BYTES,
    RECEIVER_SECRET,
    ClusterSpec,
    SecretValue,
    broker_service_host,
    dns_name,
    label_value,
)
from telemetry.errors import ConfigError
from tests.kubernetes import DAY, STACKS, Stack, container, options, sample, sample_files, stack
from tests.kubernetes_schemas import validate_manifest
from tests.property_sizes import sized

if TYPE_CHECKING:
    from pathlib import Path

DNS = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
LABEL = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")
VERSIONS = ("1.31", "1.33", "1.35")
# The operator makes these: the certificate is a public authority's, the address a secret of the operators' own.
BROUGHT = {API_TLS_SECRET, RECEIVER_SECRET}


@pytest.fixture(scope="module")
def one() -> Stack:
    return stack()


def filled(manifest: dict[str, Any]) -> dict[str, Any]:
    """Give a Secret values, as the cluster would see it."""
    if manifest["kind"] != "Secret":
        return manifest
    return {**manifest, "stringData": dict.fromkeys(manifest["stringData"], "value")}


@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_by_the_published_schemas(one: Stack, version: str) -> None:
    assert len(one.objects) - len(one.built_in()) == 2, "the route and its listeners"
    for manifest in (*one.built_in(), *stack(exposure="ingress").of("Ingress")):
        validate_manifest(filled(manifest), version)


@pytest.mark.parametrize("path", STACKS, ids=lambda path: path.stem)
def test_every_stack_file_could_run_on_kubernetes(path: Path) -> None:
    told, ours = load_options(path), options()
    wanted = told.model_copy(
        update={"target": "kubernetes", "broker": ours.broker, "pki": ours.pki, "kubernetes": ours.kubernetes}
    )
    found = build_plan(sample(), wanted, DAY)
    for manifest in Stack(found, wanted, all_manifests(found, wanted, sample_files())).built_in():
        validate_manifest(filled(manifest), VERSIONS[-1])


def test_the_schemas_would_see_a_misspelt_field(one: Stack) -> None:
    service = one.one("Service", "influxdb")
    with pytest.raises(kubernetes_validate.ValidationError):
        validate_manifest({**service, "spec": {**service["spec"], "cluster_ip": "x"}}, "1.33")


def test_no_two_objects_have_one_name(one: Stack) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in one.objects]
    assert len(names) == len(set(names))


def test_everything_is_in_the_namespace_with_all_labels(one: Stack) -> None:
    for manifest in one.objects:
        meta = manifest["metadata"]
        assert meta.get("namespace", meta["name"]) == one.options.kubernetes.namespace
        assert set(one.plan.labels) < set(meta["labels"])
        assert {f"app.kubernetes.io/{key}" for key in ("name", "instance", "version", "component")} < set(
            meta["labels"]
        )
        assert DNS.fullmatch(meta["name"])
        assert all(LABEL.fullmatch(value) for value in meta["labels"].values())


def test_the_namespace_lets_in_only_what_is_restricted(one: Stack) -> None:
    (space,) = one.of("Namespace")
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_is_restricted(one: Stack) -> None:
    for name, pod in one.templates():
        spec, inside = pod["spec"], container(pod)
        security, own = spec["securityContext"], inside["securityContext"]
        assert security["runAsNonRoot"], name
        assert security["runAsUser"] > 0
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}
        assert own["capabilities"] == {"drop": ["ALL"]}
        assert own["readOnlyRootFilesystem"]
        assert not own["allowPrivilegeEscalation"]
        assert not spec["automountServiceAccountToken"]
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
        assert not any("hostPath" in volume for volume in spec["volumes"])
        assert not any("hostPort" in port for port in inside.get("ports", ()))
        assert set(inside["resources"]["limits"]) == set(inside["resources"]["requests"]) == {"cpu", "memory"}


def test_every_server_is_asked_whether_it_lives_and_serves(one: Stack) -> None:
    for name, pod in one.templates():
        inside = container(pod)
        # Rollup has no page of its own and the backup ends by itself.
        wanted = set() if name in {"rollup", "backup"} else {"startupProbe", "livenessProbe", "readinessProbe"}
        assert wanted <= set(inside), name
        ports = {port["name"] for port in inside.get("ports", ())}
        for kind in wanted:
            (target,) = (inside[kind][how] for how in ("httpGet", "tcpSocket") if how in inside[kind])
            assert target["port"] in ports


def test_images_are_exact_versions_and_by_digest_where_the_stack_says_so() -> None:
    digest = "sha256:" + "a" * 64
    for _, pod in stack().templates():
        assert re.fullmatch(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+", container(pod)["image"])
    for _, pod in stack(image_digests=dict.fromkeys(IMAGE_USERS, digest)).templates():
        assert container(pod)["image"].endswith(f"@{digest}")


def test_selectors_pick_their_own_pods(one: Stack) -> None:
    for workload in one.of("Deployment", "StatefulSet"):
        wanted = workload["spec"]["selector"]["matchLabels"]
        assert wanted.items() <= workload["spec"]["template"]["metadata"]["labels"].items()
        assert one.picked(wanted) == [workload["spec"]["template"]]
    for budget in one.of("PodDisruptionBudget"):
        assert len(one.picked(budget["spec"]["selector"]["matchLabels"])) == 1


def test_services_lead_to_ports_that_there_are(one: Stack) -> None:
    for service in one.of("Service"):
        (pod,) = one.picked(service["spec"]["selector"])
        named = {port["name"]: port["containerPort"] for port in container(pod)["ports"]}
        for port in service["spec"]["ports"]:
            assert named[port["targetPort"]] == port["port"]
    for nodes in one.of("StatefulSet"):
        assert nodes["spec"]["serviceName"] in one.names("Service")
    for way in stack(exposure="ingress").of("Ingress"):
        (rule,) = way["spec"]["rules"]
        assert rule["http"]["paths"][0]["backend"]["service"]["name"] in one.names("Service")
    (route,) = one.of("HTTPRoute")
    for rule in route["spec"]["rules"]:
        for backend in rule.get("backendRefs", ()):
            ports = one.one("Service", backend["name"])["spec"]["ports"]
            assert backend["port"] in {port["port"] for port in ports}
    for scaler in one.of("HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in one.names("Deployment")
        assert scaler["spec"]["minReplicas"] <= scaler["spec"]["maxReplicas"]


def referred(spec: dict[str, Any]) -> set[tuple[str, str, str]]:
    """Return (kind, name, key) of everything that a pod takes from other objects; the key may be empty."""
    found = {("ServiceAccount", spec["serviceAccountName"], "")}
    for volume in spec["volumes"]:
        found |= {("Secret", volume["secret"]["secretName"], "")} if "secret" in volume else set()
        sources = volume.get("projected", {}).get("sources", ())
        found |= {("ConfigMap", source["configMap"]["name"], "") for source in sources}
        if "persistentVolumeClaim" in volume:
            found.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"], ""))
    for variable in spec["containers"][0].get("env", ()):
        asked = variable.get("valueFrom", {}).get("secretKeyRef")
        found |= {("Secret", asked["name"], asked["key"])} if asked else set()
    return found


def test_what_pods_refer_to_is_there(one: Stack) -> None:
    for _, pod in one.templates():
        for kind, name, key in referred(pod["spec"]):
            if name in BROUGHT:
                continue
            found = one.one(kind, name)
            assert not key or key in found["stringData"]


def test_every_mount_has_its_volume_and_every_volume_its_mount(one: Stack) -> None:
    claims = {
        nodes["metadata"]["name"]: {asked["metadata"]["name"] for asked in nodes["spec"]["volumeClaimTemplates"]}
        for nodes in one.of("StatefulSet")
    }
    for name, pod in one.templates():
        volumes = {volume["name"] for volume in pod["spec"]["volumes"]} | claims.get(name, set())
        assert volumes == {mount["name"] for mount in container(pod)["volumeMounts"]}
        paths = [mount["mountPath"] for mount in container(pod)["volumeMounts"]]
        assert len(paths) == len(set(paths))


def test_secrets_hold_places_and_no_values(one: Stack) -> None:
    for secret in one.of("Secret"):
        assert all(isinstance(value, SecretValue) for value in secret["stringData"].values())
    known = {
        "influxToken", "influxPassword", "ingestToken", "rollupToken", "apiToken", "caBundle", "crl",
        "brokerCertificate", "brokerKey", "ingestCertificate", "ingestKey", "rollupCertificate", "rollupKey",
        "grafanaPassword",
    }  # fmt: skip
    assert set(required_secrets(one.objects)) == known


def test_what_must_stay_stays(one: Stack) -> None:
    for nodes in one.of("StatefulSet"):
        kept = nodes["spec"]["persistentVolumeClaimRetentionPolicy"]
        assert set(kept.values()) == {"Retain"}
    assert one.one("Deployment", "rollup")["spec"]["strategy"] == {"type": "Recreate"}
    assert one.one("Deployment", "rollup")["spec"]["replicas"] == 1


def test_the_same_inventory_gives_the_same_objects_and_another_certificate_new_pods() -> None:
    first = stack()
    assert first.objects == stack().objects
    pki = first.plan.pki
    later = replace(pki, certificates=tuple(replace(one, generation=one.generation + 1) for one in pki.certificates))
    found = all_manifests(replace(first.plan, pki=later), first.options, sample_files())
    changed = {
        new["metadata"]["name"] for old, new in zip(first.objects, found, strict=True) if old != new
    }  # fmt: skip
    assert changed == {"broker", "ingest", "rollup"}


def test_a_file_too_large_for_kubernetes_is_named_with_the_way_out() -> None:
    found = stack()
    with pytest.raises(ConfigError, match=r"devices\.csv.*split the stack"):
        all_manifests(found.plan, found.options, {"devices.csv": "x" * MAX_OBJECT_BYTES})


@pytest.mark.parametrize("namespace", ["motcua", "elsewhere"])
def test_the_brokers_certificate_has_the_name_by_which_services_meet_it(namespace: str) -> None:
    found = stack(namespace=namespace)
    hosts = next(one.hosts for one in found.plan.pki.certificates if one.name == "broker")
    assert broker_service_host(ClusterSpec(found.plan, found.options)) in hosts


words = st.text("abcXYZ019-_. é", min_size=1, max_size=90)


@given(st.lists(words, min_size=1, max_size=4), st.lists(words, min_size=1, max_size=4))
def test_names_are_valid_and_stay_apart(one: list[str], other: list[str]) -> None:
    first, second = dns_name(*one), dns_name(*other)
    assert DNS.fullmatch(first)
    assert (first == second) is ("-".join(one) == "-".join(other))
    assert LABEL.fullmatch(label_value(one[0]))


@sized(short=6, long=60)
@given(st.sets(st.from_regex(r"[a-z0-9-]{1,40}", fullmatch=True), max_size=5), st.integers(1, 6))
def test_any_small_fleet_gives_valid_objects(ids: set[str], most: int) -> None:
    world = sample()
    some = next(iter(world.devices.values()))
    centre = some.centre
    fleet = {f"{centre}-{one}": replace(some, id=f"{centre}-{one}") for one in ids}
    found = stack(world=replace(world, devices=fleet), ingest_most=most)
    assert json.dumps([filled(one) for one in found.objects])
    for manifest in found.of("ConfigMap", "StatefulSet", "HorizontalPodAutoscaler"):
        validate_manifest(filled(manifest), VERSIONS[-1])
