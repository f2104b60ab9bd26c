"""The Pulumi program of the Kubernetes target without an engine: what it makes, protects, orders and keeps secret."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pulumi
import pytest

from dashboards.files import provisioned_files
from infra.components.database import OPERATORS_ORG
from infra.plan import build_plan
from infra.targets.kubernetes.deploy import PROTECTED_KINDS, deploy_cluster
from infra.targets.kubernetes.manifests import base_manifests, required_secrets, stack_role_manifests
from infra.targets.kubernetes.objects import ClusterSpec
from infra.targets.kubernetes.resources import IMMUTABLE_FIELDS, RESOURCE_CLASSES
from infra.targets.kubernetes.roll_out import NOT_AWAITED
from infra.targets.kubernetes.secret_values import DERIVED_SECRETS, RESTARTED_KINDS, SECRETS_ANNOTATION
from telemetry.errors import ConfigError
from tests.kubernetes import DAY, options, sample, sample_files, stack
from tests.program.pulumi_monitor import Recorded, run

if TYPE_CHECKING:
    from infra.config.options import StackOptions

WORKLOADS = {"deployment-ingest", "deployment-rollup", "deployment-api"}


def planted(names: tuple[str, ...]) -> dict[str, str]:
    return {name: f"planted-{name}" for name in names if name not in DERIVED_SECRETS}


def wanted(stage: str = "stage", *, reachable: bool = True) -> StackOptions:
    return options(influx_reachable=reachable).model_copy(update={"stage": stage})


def deployed(told: StackOptions, *, preview: bool = False, given: dict[str, str] | None = None) -> Recorded:
    found = build_plan(sample(), told, DAY, provisioned_files(sample()))
    world = ClusterSpec(found, told, sample_files())
    values = given or planted(required_secrets((*base_manifests(world), *stack_role_manifests(world))))

    def program() -> None:
        secrets = {name: pulumi.Output.secret(value) for name, value in values.items()}
        for name, value in deploy_cluster(found, told, secrets, sample_files()).items():
            pulumi.export(name, value)

    return run(program, preview=preview)


@pytest.mark.parametrize("preview", [False, True])
def test_what_reaches_the_engine_is_what_was_validated(preview: bool) -> None:
    """Word for word: nothing is renamed on the way, nothing left out or added but whether the engine waits."""
    made = {one.name: one.inputs for one in deployed(wanted(), preview=preview).resources}
    objects = stack().objects
    for manifest in objects:
        found = made[f"{manifest['kind'].lower()}-{manifest['metadata']['name']}"]
        assert set(found) == set(manifest)
        if manifest["kind"] in RESTARTED_KINDS:
            found["spec"]["template"]["metadata"].get("annotations", {}).pop(SECRETS_ANNOTATION, None)
        if found["metadata"].get("annotations") == NOT_AWAITED:
            del found["metadata"]["annotations"]
        if manifest["kind"] != "Secret":
            assert found == manifest
    assert len(made) == len(objects) + 2, "the component and its provider are all there is besides"


def test_secrets_are_secret_everywhere() -> None:
    made = deployed(wanted())
    names = required_secrets(stack().objects)
    assert made.leaks(planted(names)) == []
    held = {value for one in made.of("kubernetes:core/v1:Secret") for value in one.inputs["stringData"].values()}
    assert set(planted(names).values()) <= held
    for one in made.of("kubernetes:core/v1:Secret"):
        assert all(one.covers(f"stringData.{key}") for key in one.inputs["stringData"])


def test_everything_hangs_below_the_one_component_and_uses_its_provider() -> None:
    made = deployed(wanted())
    (cluster,) = made.of("motcua:kubernetes:Cluster")
    others = [one for one in made.resources if one is not cluster]
    assert all(one.parent == cluster.urn for one in others)
    (provider,) = made.of("pulumi:providers:kubernetes")
    assert all(one.provider.startswith(provider.urn) for one in others if one is not provider)


def test_the_namespace_comes_before_what_lies_in_it() -> None:
    made = deployed(wanted())
    (space,) = made.of("kubernetes:core/v1:Namespace")
    for one in made.resources:
        if one.type.startswith("kubernetes:") and one is not space:
            assert space.urn in one.depends_on, one.name


@pytest.mark.parametrize("stage", ["dev", "stage", "prod"])
def test_what_holds_data_is_protected_outside_stage_dev(stage: str) -> None:
    made = deployed(wanted(stage=stage))
    for one in made.resources:
        kept = stage != "dev" and one.inputs.get("kind") in PROTECTED_KINDS
        assert one.protect is kept, one.name


def test_a_volume_that_is_there_is_not_replaced_for_its_size() -> None:
    for one in deployed(wanted()).resources:
        assert one.ignored == tuple(IMMUTABLE_FIELDS.get(one.inputs.get("kind", ""), ())), one.name


def test_the_first_set_up_makes_the_operators_organisation_that_the_database_expects() -> None:
    env = stack().one("StatefulSet", "influxdb")["spec"]["template"]["spec"]["containers"][0]["env"]
    values = {one["name"]: one.get("value") for one in env}
    assert values["DOCKER_INFLUXDB_INIT_ORG"] == values["DOCKER_INFLUXDB_INIT_BUCKET"] == OPERATORS_ORG
    assert stack().plan.influx.org != OPERATORS_ORG


def test_the_first_run_makes_no_role_and_says_what_comes_next() -> None:
    made = deployed(wanted(reachable=False))
    names = {one.name for one in made.resources}
    assert not WORKLOADS & names
    assert {"statefulset-influxdb", "statefulset-broker", "networkpolicy-default-deny"} <= names
    assert "port-forward" in made.exports["next"]
    later = deployed(wanted())
    assert {one.name for one in later.resources} >= WORKLOADS
    assert later.exports["next"] == ""


def test_the_first_run_needs_no_token_that_does_not_exist_yet() -> None:
    first = required_secrets(base_manifests(ClusterSpec(stack().plan, options(), {})))
    assert not {"ingestToken", "rollupToken", "apiToken"} & set(first)
    deployed(wanted(reachable=False), given=planted(first))


def test_every_missing_secret_is_named() -> None:
    with pytest.raises(ConfigError) as raised:
        deployed(wanted(), given={"influxToken": "x"})
    assert {fault.field for fault in raised.value.faults} == set(required_secrets(stack().objects)) - {
        *DERIVED_SECRETS,
        "influxToken",
    }


def test_an_edit_of_a_config_map_or_secret_is_an_update_in_place() -> None:
    (provider,) = deployed(wanted()).of("pulumi:providers:kubernetes")
    assert provider.inputs["enableConfigMapMutable"] == "true"
    assert provider.inputs["enableSecretMutable"] == "true"


def test_a_run_calls_the_api_server_as_fast_as_the_stack_allows() -> None:
    (provider,) = deployed(wanted()).of("pulumi:providers:kubernetes")
    assert json.loads(provider.inputs["kubeClientSettings"]) == {"qps": 500.0, "burst": 1000}


def secrets_annotations(given: dict[str, str]) -> dict[str, str]:
    """Return the digest of its secrets that each workload carries."""
    found = {}
    for one in deployed(wanted(), given=given).resources:
        if one.inputs.get("kind") in RESTARTED_KINDS:
            annotations = one.inputs["spec"]["template"]["metadata"].get("annotations", {})
            assert not one.covers(f"spec.template.metadata.annotations.{SECRETS_ANNOTATION}")
            if SECRETS_ANNOTATION in annotations:
                found[one.name] = annotations[SECRETS_ANNOTATION]
    return found


@pytest.mark.parametrize(
    ("value", "restarted"),
    [
        ("apiToken", {"deployment-api"}),
        ("ingestToken", {"deployment-ingest"}),
        ("rollupKey", {"deployment-rollup"}),
        ("brokerCertificate", {"statefulset-broker"}),
        ("crl", {"statefulset-broker"}),
        ("caBundle", {"statefulset-broker", "deployment-ingest", "deployment-rollup"}),
        ("influxToken", set()),
    ],
)
def test_a_changed_secret_replaces_the_pods_that_read_it_and_no_others(value: str, restarted: set[str]) -> None:
    given = planted(required_secrets(stack().objects))
    before, after = secrets_annotations(given), secrets_annotations({**given, value: "another"})
    assert {name for name in after if after[name] != before[name]} == restarted
    assert not any(secret in digest for secret in given.values() for digest in before.values())


def test_what_is_derived_stays_the_same_and_differs_from_stack_to_stack() -> None:
    def password(token: str) -> str:
        given = {**planted(required_secrets(stack().objects)), "influxToken": token}
        secret = deployed(wanted(), given=given).one("secret-grafana")
        return str(secret.inputs["stringData"]["password"])

    assert password("one") == password("one")
    assert password("one") != password("other")
    assert len(password("one")) == 64


def test_there_is_a_class_for_every_kind_of_object() -> None:
    used = {
        f"{one['apiVersion']} {one['kind']}" for one in (*stack().built_in(), *stack(exposure="ingress").built_in())
    }
    assert used <= set(RESOURCE_CLASSES)


def test_outputs_say_where_things_are() -> None:
    made = deployed(wanted()).exports
    assert made["apiUrl"] == "https://motcua.example/"
    assert made["brokerAddress"] == "mqtts://mqtt.example:8883"
    assert made["brokerForServices"] == "mqtts://broker-internal.motcua.svc:8884"
