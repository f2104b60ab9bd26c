"""The stack of the hosted systems with Motcua among them, whole and under mocks: what its two runs make, and when."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pulumi
import pytest
import yaml

from infra import program
from infra.config.stack_file import EngineConfig, load_declarations
from infra.plan.cloud import build_cloud_plan
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.kubernetes.roll_out import NOT_AWAITED
from infra.targets.kubernetes.secret_values import RESTARTED_KINDS, SECRETS_ANNOTATION
from tests.conftest import CHECKOUT
from tests.own_objects import HOSTED_FILE, MOTCUA, hosted_options, own_declaration, own_objects
from tests.program.pulumi_monitor import Recorded, Registered, run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration

SECRETS = {"influxToken": "planted-operator-token", "influxPassword": "planted-influx-password"}
MADE: Mapping[str, dict[str, object]] = {
    "Authorization": {"token": "planted-role-token"},
    "Authority": {"key": "planted-authority-key", "certificate": "CERTIFICATE", "chain": "CHAIN"},
    "Certificate": {"key": "planted-service-key", "certificate": "CERTIFICATE"},
    "RevocationList": {"crl": "CRL"},
}
OBJECTS = "kubernetes:"
DECLARATION = own_declaration("vn83-identity")
"""Motcua beside one other system: all eleven take five times as long to register, and prove no more."""


def answered(one: Registered) -> dict[str, Any]:
    return dict(MADE.get(one.type.rpartition(":")[2], {})) if not one.type.startswith(OBJECTS) else {}


def deployed(more: Mapping[str, object], *, secrets: Mapping[str, str] = SECRETS, preview: bool = False) -> Recorded:
    config = yaml.safe_load(HOSTED_FILE.read_text())["config"]
    values = {**config, **{f"motcua:{name}": value for name, value in {**secrets, **more}.items()}}
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}

    def plan_fewer(_: CloudDeclaration, **settings: Any) -> CloudPlan:  # noqa: ANN401
        return build_cloud_plan(DECLARATION, **settings)

    with pytest.MonkeyPatch.context() as engine:
        engine.setattr(program, "build_cloud_plan", plan_fewer)
        engine.setattr(pulumi, "get_root_directory", lambda: str(CHECKOUT))
        engine.setenv("PULUMI_CONFIG_SECRET_KEYS", json.dumps([f"motcua:{name}" for name in SECRETS]))
        engine.setenv("PULUMI_CONFIG", json.dumps(texts))
        return run(program.deploy_stack, answered, preview=preview, stack="hosted")


@pytest.fixture(scope="module")
def first() -> Recorded:
    return deployed({})


@pytest.fixture(scope="module")
def second() -> Recorded:
    return deployed({"kubernetes": {"influxReachable": True}})


def objects_of(found: Recorded) -> dict[str, Registered]:
    return {one.name: one for one in found.resources if one.type.startswith(OBJECTS)}


def test_the_first_run_makes_certificates_and_stores_and_says_what_comes_next(first: Recorded) -> None:
    names = {one.name for one in first.resources}
    stores = {"statefulset-vn83-motcua-database-influxdb", "secret-vn83-motcua-server-broker-tls"}
    assert {"authority-g1", "revocations-g1", "deployment-vn83-motcua-dmz-mqtt", *stores} <= names
    assert not {"deployment-vn83-motcua-server-ingest", "deployment-vn83-motcua-dmz-web", "bucket-raw"} & names
    assert "kubectl -n vn83-motcua-database port-forward service/influxdb 8086" in first.exports["next"]


def test_the_second_run_adds_buckets_tokens_and_roles_and_what_reads_tokens_comes_after_them(
    first: Recorded, second: Recorded
) -> None:
    assert set(objects_of(first)) < set(objects_of(second))
    assert {"token-ingest-g1", "token-api-g1", "bucket-raw"} <= {one.name for one in second.resources}
    (instance,) = (one for one in second.resources if one.name == "influxdb" and "influx" in one.type)
    added = set(objects_of(second)) - set(objects_of(first))
    assert {"deployment-vn83-motcua-server-api", "configmap-vn83-motcua-server-inventory-devices-csv"} <= added
    after = {name for name, one in objects_of(second).items() if instance.urn in one.depends_on}
    assert after == added
    assert second.exports["next"] == ""


def test_what_reaches_the_engine_is_what_is_rendered(second: Recorded) -> None:
    rendered = {object_file_name(one): one for one in own_objects(DECLARATION).hosted.hosted}
    made = {name: one for name, one in objects_of(second).items() if "-vn83-cloud-" not in name}
    assert set(made) == set(rendered)
    for name, manifest in rendered.items():
        found = dict(made[name].inputs)
        if manifest["kind"] in {"Service", "PersistentVolumeClaim"}:
            assert found["metadata"].pop("annotations") == NOT_AWAITED
        if manifest["kind"] in RESTARTED_KINDS:
            found["spec"]["template"]["metadata"].get("annotations", {}).pop(SECRETS_ANNOTATION, None)
        if manifest["kind"] == "Secret":
            assert found.keys() == manifest.keys()
        elif "certificate" not in str(manifest.get("spec", "")) and "prometheus-rules" not in name:
            # Days of certificates are those of this run.
            assert found == manifest, name


def test_secrets_are_secret_everywhere_and_in_place(second: Recorded) -> None:
    planted = {name: str(value) for made in MADE.values() for name, value in made.items() if "planted" in str(value)}
    assert second.leaks({**SECRETS, **planted}) == []
    secrets = {one.name: one for one in second.of("kubernetes:core/v1:Secret")}
    assert len(secrets) == 7
    for one in secrets.values():
        assert all(one.covers(f"stringData.{key}") for key in one.inputs["stringData"])
    values = secrets["secret-vn83-motcua-server-broker-tls"].inputs["stringData"]
    assert (values["server.key"], values["crl.pem"]) == ("planted-service-key", "CRL")
    assert secrets["secret-vn83-motcua-server-api"].inputs["stringData"] == {"token": "planted-role-token"}
    assert secrets["secret-vn83-motcua-database-influxdb-setup"].inputs["stringData"]["token"] == SECRETS["influxToken"]


def test_outputs_are_those_of_a_stack_of_its_own_and_of_the_cloud(second: Recorded) -> None:
    exports = second.exports
    assert exports["apiUrl"] == "https://motcua.example/"
    assert exports["brokerAddress"] == "mqtts://motcua.example:8883"
    assert exports["brokerForServices"] == "mqtts://broker-internal.vn83-motcua-server.svc:8884"
    assert {"caCertificate", "caBundle", "inventoryRecord", "requiredKinds"} <= set(exports)
    assert {"caKey", "apiToken"} <= second.secret_exports
    assert MOTCUA in exports["systems"]


def test_motcuas_data_are_protected_and_a_volume_that_is_there_is_not_replaced_for_its_size(second: Recorded) -> None:
    made = objects_of(second)
    volumes = ("statefulset-vn83-motcua-database-influxdb", "statefulset-vn83-motcua-server-broker",
               "persistentvolumeclaim-vn83-motcua-server-backup")  # fmt: skip
    assert all(made[name].protect for name in volumes)
    assert made[volumes[0]].ignored == ("spec.volumeClaimTemplates",)
    assert made[volumes[2]].ignored == ("spec.resources",)


def test_a_missing_secret_is_named_and_without_motcua_none_is_wanted() -> None:
    with pytest.raises(pulumi.RunError, match=r"(?s)influxToken: is missing.*influxPassword|influxPassword.*influxTok"):
        deployed({}, secrets={})
    cloud = hosted_options(own_system="").cloud.model_dump(by_alias=True)
    values = {"stage": "stage", "target": "kubernetes", "cloud": cloud}
    options, _ = load_declarations(EngineConfig("Pulumi.hosted.yaml", values, frozenset()), CHECKOUT)
    assert not options.cloud.own_system


def test_a_declaration_that_motcua_cannot_run_with_is_refused_before_anything_is_registered() -> None:
    cloud = {**hosted_options().cloud.model_dump(by_alias=True), "ownSystem": "vn83-identity"}
    with pytest.raises(pulumi.RunError, match="has no component rollup, which Motcua needs"):
        deployed({"cloud": cloud})
