"""Says what hosted components speak TLS with, whom their callers trust, and that no name of the two sides differs."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given

from infra.config.options import CloudOptions
from infra.plan.cloud import build_cloud_plan
from infra.targets.kubernetes.component_tls import AUTHORITY_NAME, TLS_FOLDER
from telemetry.core.cloud.values import Component
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_declaration,
    component_end,
    second_system,
    with_components,
    with_flows,
)
from tests.cloud_reachability import rendered_objects
from tests.hosted_objects import AUTHORITY, HostedObjects, hosted_objects

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration

Json = dict[str, Any]
DMZ, SERVER, DATABASE = (f"{ONESTOP}-{zone}" for zone in ("dmz", "server", "database"))


@pytest.fixture(scope="module")
def base() -> HostedObjects:
    return hosted_objects(base_declaration())


def pod_of(found: HostedObjects, kind: str, path: str) -> Json:
    pod: Json = found.one(kind, path)["spec"]["template"]["spec"]
    return pod


def without_tls(declaration: CloudDeclaration, source: str, target: str) -> CloudDeclaration:
    """Return the declaration with TLS taken from a flow."""
    flows = tuple(
        replace(one, tls=False, no_tls_reason="old") if (str(one.source), str(one.target)) == (source, target) else one
        for one in declaration.flows
    )
    return replace(declaration, flows=flows)


def test_a_component_has_a_certificate_for_every_name_of_its_service(base: HostedObjects) -> None:
    spec = base.one("Certificate", f"{SERVER}/app.tls")["spec"]
    names = {"app", f"app.{SERVER}", f"app.{SERVER}.svc", f"*.app.{SERVER}.svc"}
    assert set(spec["dnsNames"]) == names
    assert spec["issuerRef"] == {"group": "cert-manager.io", "kind": "ClusterIssuer", "name": "motcua-internal"}
    assert (spec["duration"], spec["renewBefore"]) == ("2160h", "720h")
    assert spec["privateKey"]["rotationPolicy"] == "Always"
    public = base.one("Certificate", f"{DMZ}/web")["spec"]
    assert public["issuerRef"]["name"] == "motcua", "people see a certificate of another issuer"


def test_a_container_finds_its_certificate_and_the_authority_read_only(base: HostedObjects) -> None:
    pod = pod_of(base, "Deployment", f"{SERVER}/app")
    (container,) = pod["containers"]
    (volume,) = [one for one in pod["volumes"] if one["name"] == "tls"]
    authority, own = (next(iter(one.values())) for one in volume["projected"]["sources"])
    assert (authority["name"], own["name"]) == (AUTHORITY_NAME, "app.tls")
    (mount,) = [one for one in container["volumeMounts"] if one["name"] == "tls"]
    assert mount == {"name": "tls", "mountPath": TLS_FOLDER, "readOnly": True}
    files = {f"{TLS_FOLDER}/{item['path']}" for one in (authority, own) for item in one["items"]}
    named = {one["value"] for one in container["env"] if one["name"] in {"TLS_CA", "TLS_CERTIFICATE", "TLS_KEY"}}
    assert named == files, "each variable names a file that is there"


def test_a_caller_without_a_port_trusts_the_authority_and_shows_nothing() -> None:
    job = Component(ONESTOP, "nightly", "job", "server", "S", 1, 1, image="onestop-app")
    found = hosted_objects(replace(base_declaration(), components=(*base_declaration().components, job)))
    (container,) = found.one("CronJob", f"{SERVER}/nightly")["spec"]["jobTemplate"]["spec"]["template"]["spec"][
        "containers"
    ]
    assert [one["name"] for one in container["env"]] == ["TLS_CA"]
    assert f"{SERVER}/nightly.tls" not in found.names("Certificate")


def test_the_authority_is_in_every_namespace_with_pods(base: HostedObjects) -> None:
    bundles = [one for one in base.of("ConfigMap") if one["metadata"]["name"] == AUTHORITY_NAME]
    assert [one["metadata"]["namespace"] for one in bundles] == [DMZ, SERVER]
    assert all(one["data"] == {"ca.crt": AUTHORITY} for one in bundles)


def test_an_agent_inside_knows_the_authority_beside_the_public_ones(base: HostedObjects) -> None:
    pods = [one["spec"]["template"]["spec"] for one in base.agents if one["kind"] == "Deployment"]
    bundles = [one for one in base.agents if one["metadata"]["name"] == AUTHORITY_NAME]
    assert len(pods) == len(bundles) > 0
    for pod in pods:
        (container,) = pod["containers"]
        assert container["env"] == [{"name": "SSL_CERT_FILE", "value": f"{TLS_FOLDER}/ca.crt"}]
        (mount,) = [one for one in container["volumeMounts"] if one["mountPath"] == TLS_FOLDER]
        (volume,) = [one for one in pod["volumes"] if one["name"] == mount["name"]]
        assert volume["configMap"] == {"name": AUTHORITY_NAME}


def test_hosts_probe_by_https_at_the_service_and_by_http_at_the_port_of_health(base: HostedObjects) -> None:
    app, web = (pod_of(base, "Deployment", path)["containers"][0] for path in (f"{SERVER}/app", f"{DMZ}/web"))
    assert app["readinessProbe"]["httpGet"] == {"port": "service", "path": "/healthz", "scheme": "HTTPS"}
    assert web["readinessProbe"]["httpGet"] == {"port": "health", "path": "/healthz"}
    plain = hosted_objects(without_tls(base_declaration(), f"{ONESTOP}/web", f"{ONESTOP}/app"))
    probed = pod_of(plain, "Deployment", f"{SERVER}/app")["containers"][0]["livenessProbe"]["httpGet"]
    assert probed == {"port": "service", "path": "/healthz"}


def test_the_gateway_calls_its_backend_by_tls_with_our_authority(base: HostedObjects) -> None:
    spec = base.one("BackendTLSPolicy", f"{DMZ}/web")["spec"]
    assert spec["targetRefs"] == [{"group": "", "kind": "Service", "name": "web", "sectionName": "service"}]
    assert spec["validation"] == {
        "caCertificateRefs": [{"group": "", "kind": "ConfigMap", "name": AUTHORITY_NAME}], "hostname": f"web.{DMZ}.svc",
    }  # fmt: skip
    plain = hosted_objects(without_tls(base_declaration(), "outside:internet", f"{ONESTOP}/web"))
    assert plain.names("BackendTLSPolicy") == []
    assert f"{DMZ}/web.tls" not in plain.names("Certificate")


def test_a_database_shows_a_certificate_of_the_same_authority(base: HostedObjects) -> None:
    names = base.one("Cluster", f"{DATABASE}/db")["spec"]["certificates"]
    assert names == {"serverTLSSecret": "db.tls", "serverCASecret": "db.tls"}
    spec = base.one("Certificate", f"{DATABASE}/db.tls")["spec"]
    assert {f"db-{ending}.{DATABASE}.svc" for ending in ("rw", "r", "ro")} <= set(spec["dnsNames"])
    assert spec["secretTemplate"] == {"labels": {"cnpg.io/reload": ""}}
    plain = hosted_objects(without_tls(base_declaration(), f"{ONESTOP}/app", f"{ONESTOP}/db"))
    assert f"{DATABASE}/db.tls" in plain.names("Certificate"), "its operator knows no database without TLS"


def test_a_caller_of_another_system_takes_tls_from_nobody() -> None:
    portal = "vn83-portal"
    call = replace(base_declaration().flows[1], source=component_end(portal, "app"), tls=False, no_tls_reason="old")
    found = hosted_objects(with_flows(second_system(portal), call))
    assert f"{SERVER}/app.tls" in found.names("Certificate")
    values = {
        one["name"]: one.get("value")
        for one in pod_of(found, "Deployment", f"{portal}-server/app")["containers"][0]["env"]
    }
    assert values["VN83_ONESTOP_APP_TLS"] == "yes"


def test_an_authority_that_nobody_named_is_a_fault() -> None:
    with pytest.raises(ConfigError, match=r"internalAuthority.*callers of vn83-onestop/web"):
        hosted_objects(base_declaration(), internal_authority="")


@pytest.mark.parametrize("text", ["motcua", "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n"])
def test_an_authority_is_certificates_alone(text: str) -> None:
    with pytest.raises(ValueError, match="write certificates alone"):
        CloudOptions(internal_authority=text)
    assert CloudOptions(internal_authority=f" {AUTHORITY}{AUTHORITY}\n").internal_authority == AUTHORITY * 2


@given(declaration=declarations())
def test_whatever_is_called_by_tls_has_a_certificate_for_the_name_by_which_it_is_called(
    declaration: CloudDeclaration,
) -> None:
    plan = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY)
    found = HostedObjects(plan, (), rendered_objects(plan), ())
    names = {
        name
        for one in found.of("Certificate")
        if one["spec"]["issuerRef"]["name"] == "motcua-internal"
        for name in one["spec"]["dnsNames"]
    }
    secrets = {(one["metadata"]["namespace"], one["spec"]["secretName"]) for one in found.of("Certificate")}
    bundles = {
        one["metadata"]["namespace"] for one in found.of("ConfigMap") if one["metadata"]["name"] == AUTHORITY_NAME
    }
    for policy in found.of("BackendTLSPolicy"):
        assert policy["spec"]["validation"]["hostname"] in names
        assert policy["metadata"]["namespace"] in bundles
    for workload in found.of("Deployment", "StatefulSet"):
        space, pod = workload["metadata"]["namespace"], workload["spec"]["template"]["spec"]
        values = {one["name"]: one.get("value", "") for one in pod["containers"][0]["env"]}
        called = {
            name.removesuffix("_TLS") for name, value in values.items() if name.endswith("_TLS") and value == "yes"
        }
        assert {values[f"{name}_HOST"] for name in called} <= names
        assert space in bundles
        (volume,) = [one for one in pod["volumes"] if one["name"] == "tls"]
        for source in volume["projected"]["sources"]:
            assert "secret" not in source or (space, source["secret"]["name"]) in secrets


def test_a_queue_speaks_tls_alone() -> None:
    engines = {"rabbitmq-cluster-operator": "2.14"}
    base = base_declaration()
    queue = Component(ONESTOP, "mail", "queue", "server", "S", 3, 3, 10, 5671, image="rabbitmq")
    declared = replace(base, components=(*base.components, queue), ground=replace(base.ground, engines=engines))
    found = hosted_objects(declared)
    assert found.one("RabbitmqCluster", f"{SERVER}/mail")["spec"]["tls"] == {
        "secretName": "mail.tls", "disableNonTLSListeners": True,
    }  # fmt: skip
    assert f"*.mail-nodes.{SERVER}.svc" in found.one("Certificate", f"{SERVER}/mail.tls")["spec"]["dnsNames"]


def test_a_store_that_keeps_volumes_is_called_by_the_names_of_its_instances() -> None:
    found = hosted_objects(with_components(base_declaration(), f"{ONESTOP}/app", disk_gb=20))
    assert f"*.app.{SERVER}.svc" in found.one("Certificate", f"{SERVER}/app.tls")["spec"]["dnsNames"]
