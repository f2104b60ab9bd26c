"""Motcua as one of the hosted systems: what it must be declared with, and its objects in the zones of the plan."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from infra.config.options import parse_options
from infra.plan.cloud import build_cloud_plan
from infra.plan.own_system import KNOWN_COMPONENTS, needed_flows, own_options
from infra.policy.cloud.manifests import check_hosted_manifest
from infra.policy.rules import check_plan
from infra.targets.kubernetes.cloud.manifests import hosted_manifests
from infra.targets.kubernetes.cloud.objects import HostedSpec, component_labels, image_reference
from infra.targets.kubernetes.manifests import required_secrets
from infra.targets.kubernetes.objects import RECEIVER_SECRET, SecretValue
from telemetry.core.cloud.values import Component
from telemetry.errors import ConfigError
from telemetry.store.influx import address as influx_address
from tests.cloud_examples import TODAY
from tests.cloud_reachability import allowed_reach, expected_reach, network_policies, parties
from tests.hosted_objects import object_path
from tests.kubernetes import stack
from tests.kubernetes_schemas import validate_manifest
from tests.own_objects import (
    MOTCUA,
    SAMPLE,
    changed_component,
    hosted_options,
    own_declaration,
    own_objects,
    shipped_own_objects,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import ComponentPlan
    from telemetry.core.cloud.values import CloudDeclaration, Flow
    from tests.own_objects import OwnObjects

Json = dict[str, Any]
WORKLOADS = ("Deployment", "StatefulSet", "CronJob")
MEMORY = re.compile(r"(\d+)Mi")


@pytest.fixture(scope="module")
def one() -> OwnObjects:
    return shipped_own_objects()


def by_id(found: OwnObjects) -> dict[str, ComponentPlan]:
    return {planned.declared.id: planned for planned in found.plan.system(MOTCUA).components}


def templates(found: OwnObjects) -> Iterator[tuple[Json, Json]]:
    """Yield (workload, pod template)."""
    for workload in found.hosted.of(*WORKLOADS):
        spec = workload["spec"]["jobTemplate"]["spec"] if workload["kind"] == "CronJob" else workload["spec"]
        yield workload, spec["template"]


def claims(found: OwnObjects) -> Iterator[tuple[str, str, int]]:
    """Yield (namespace, component, GB) of every volume that is claimed."""
    for one in found.hosted.of("PersistentVolumeClaim", "StatefulSet"):
        part = one["metadata"]["labels"]["app.kubernetes.io/component"]
        specs = [one["spec"]] if one["kind"] == "PersistentVolumeClaim" else [
            claim["spec"] for claim in one["spec"].get("volumeClaimTemplates", ())
        ]  # fmt: skip
        for spec in specs:
            yield one["metadata"]["namespace"], part, int(spec["resources"]["requests"]["storage"].removesuffix("Gi"))


def without_flow(source: str, target: str) -> CloudDeclaration:
    cloud = own_declaration()
    return replace(cloud, flows=tuple(flow for flow in cloud.flows if not is_flow(flow, source, target)))


def is_flow(flow: Flow, source: str, target: str) -> bool:
    return (flow.source.name, flow.target.name) == (source, target)


def test_host_ports_and_namespace_are_those_of_the_declaration(one: OwnObjects) -> None:
    options = one.own.options
    assert (options.broker.host, options.broker.port) == ("motcua.example", 8883)
    assert (options.kubernetes.api_host, options.kubernetes.namespace) == ("motcua.example", "vn83-motcua-server")
    (broker,) = (certificate for certificate in one.own.plan.pki.certificates if certificate.name == "broker")
    assert {"motcua.example", "broker-internal.vn83-motcua-server.svc"} <= set(broker.hosts)


def test_the_agents_inside_report_to_this_broker_by_a_name_of_its_certificate(one: OwnObjects) -> None:
    files = [agent["data"] for agent in one.hosted.agents if agent["kind"] == "ConfigMap"]
    settings = [data["agent.toml"] for data in files if "agent.toml" in data]
    assert len(settings) >= 2
    assert all('"mqtts://broker.vn83-motcua-server.svc:8883"' in text for text in settings)
    (broker,) = (certificate for certificate in one.own.plan.pki.certificates if certificate.name == "broker")
    assert "broker.vn83-motcua-server.svc" in broker.hosts


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        (changed_component("rollup", lambda _: None), "has no component rollup.*kind app in zone server"),
        (changed_component("api", lambda one: replace(one, kind="gateway")), "has the kind gateway.*write app"),
        (changed_component("influxdb", lambda one: replace(one, zone="server")), "has the zone server.*write database"),
        (changed_component("prometheus", lambda one: replace(one, port=9999)), "listens on 9090; write 9090"),
        (changed_component("broker", lambda one: replace(one, port=8884)), "8884, which is the one for services"),
        (changed_component("influxdb", lambda one: replace(one, disk_gb=0)), "has no disk.*write disk_gb"),
        (changed_component("rollup", lambda one: replace(one, most=2)), "runs up to 2 times.*write most = 1"),
        (changed_component("web", lambda one: replace(one, health_port=9080)), "at its one port; leave health_port"),
        (changed_component("api", lambda one: replace(one, was=("pages",))), "was pages.*remove it from `was`"),
        (replace(own_declaration(), components=(
            *own_declaration().components, Component(MOTCUA, "extra", "app", "server", "S", 1, 1, port=1, image="x"),
        )), "vn83-motcua/extra: is no component of Motcua"),
        (replace(own_declaration(), systems={MOTCUA: replace(own_declaration().systems[MOTCUA], host="")}),
         "has no host"),
        (without_flow("rollup", "alertmanager"),
         "add the row `vn83-motcua/rollup,vn83-motcua/alertmanager,9093,burn-rate alerts`"),
        (without_flow("web", "api"),
         r"add the row `vn83-motcua/web,vn83-motcua/api,8000,pages and figures,no,between its .*s`"),
        (without_flow("ingest", "broker"), r"the row `vn83-motcua/ingest,vn83-motcua/broker,8884,\"frames in, .*\"`"),
        (without_flow("web", "grafana"), "web → vn83-motcua/grafana port 3000: is not declared"),
        (without_flow("tslcd", "mqtt"), "no outside party reaches it, so no devices would"),
    ],
)  # fmt: skip
def test_a_declaration_that_motcua_cannot_run_with_is_refused_with_the_remedy(
    declaration: CloudDeclaration, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        own_objects(declaration)


@pytest.mark.parametrize(
    ("target", "tls", "words"),
    [
        (
            "api",
            True,
            r"flows.csv:\d+.*/api port 8000: declares TLS, and Motcua's api serves plain HTTP; write no",
        ),
        ("web", True, "outside:tslcd → vn83-motcua/web port 8080: declares TLS"),
        ("broker", False, "has no TLS, and Motcua's broker serves nothing else; leave the columns tls"),
    ],
)
def test_a_flow_declares_the_encryption_that_its_target_has(target: str, *, tls: bool, words: str) -> None:
    cloud = own_declaration()
    flows = (replace(flow, tls=tls) if flow.target.name == target else flow for flow in cloud.flows)
    with pytest.raises(ConfigError, match=words):
        own_objects(replace(cloud, flows=tuple(flows)))


def test_every_fault_of_the_declaration_is_named_at_once() -> None:
    declaration = changed_component("api", lambda one: replace(one, kind="gateway", zone="dmz"))
    with pytest.raises(ConfigError) as raised:
        own_objects(replace(declaration, flows=()))
    assert len(raised.value.faults) == 2, "flows are looked at when the components are right"
    with pytest.raises(ConfigError) as raised:
        own_objects(replace(own_declaration(), flows=()))
    assert len(raised.value.faults) == len(needed_flows(shipped_own_objects().own.plan)) + 2


def test_the_option_names_a_system_that_is_hosted() -> None:
    with pytest.raises(ConfigError, match=r"cloud.ownSystem: 'vn83-portal' is no hosted system; write one of vn83-mot"):
        own_objects(own_declaration(), hosted_options(own_system="vn83-portal"))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (
            {"kubernetes": {"namespace": "x"}},
            "kubernetes.namespace: is that of a stack of its own.*cloud.lock; take it out",
        ),
        (
            {"kubernetes": {"apiHost": "x.example", "ingestMost": 9}},
            "(?s)apiHost.*systems.toml.*ingestMost.*components.csv",
        ),
        ({"broker": {"host": "x.example"}}, "broker.host: is that of a stack of its own"),
        ({"national": {"url": "https://n.example", "orgId": "0" * 16}}, "national: replicates.*no way out"),
    ],
)
def test_what_the_inventory_declares_is_not_declared_once_more(values: Json, words: str) -> None:
    cloud = {"part": "hosted", "ownSystem": MOTCUA}
    options = parse_options({"stage": "stage", "target": "kubernetes", "cloud": cloud, **values}, "Pulumi.x.yaml")
    plan = build_cloud_plan(own_declaration(), province="vn83", stage="stage", today=TODAY)
    with pytest.raises(ConfigError, match=words):
        own_options(options, plan)


@pytest.mark.parametrize(
    "values",
    [{"target": "openstack", "cloud": {"part": "hosted", "ownSystem": MOTCUA}},
     {"target": "kubernetes", "cloud": {"ownSystem": MOTCUA}}],
)  # fmt: skip
def test_the_option_is_for_the_hosted_systems_on_kubernetes(values: Json) -> None:
    with pytest.raises(ConfigError, match=r"cloud\.ownSystem: is for the hosted systems on Kubernetes"):
        parse_options({"stage": "dev", **values}, "Pulumi.x.yaml")


def test_in_prod_the_root_authority_is_the_operators() -> None:
    values = {"stage": "prod", "target": "kubernetes", "cloud": {"part": "hosted", "ownSystem": MOTCUA}}
    with pytest.raises(ConfigError, match=r"pki\.rootCertificate"):
        parse_options(values, "Pulumi.x.yaml")


def test_every_object_is_valid_by_the_published_schemas(one: OwnObjects) -> None:
    for manifest in one.hosted.hosted:
        if not any(group in manifest["apiVersion"] for group in ("gateway.", "cert-manager", "velero", "external-")):
            secret = manifest["kind"] == "Secret"
            filled = {**manifest, "stringData": dict.fromkeys(manifest["stringData"], "x")} if secret else manifest
            validate_manifest(filled)


def test_every_object_is_in_a_zone_of_the_plan_with_its_labels_and_no_two_have_one_name(one: OwnObjects) -> None:
    zones = {zone.namespace for zone in one.plan.system(MOTCUA).zones}
    paths = Counter((manifest["kind"], object_path(manifest)) for manifest in one.hosted.hosted)
    assert set(paths.values()) == {1}
    for manifest in one.hosted.hosted:
        meta = manifest["metadata"]
        assert meta.get("namespace", meta["name"]) in zones | {"velero"}, meta
        assert {"motcua.org/system", "motcua.org/level", "motcua.org/owner"} <= set(meta["labels"])


def test_each_component_runs_where_as_large_and_as_often_as_declared(one: OwnObjects) -> None:
    components = by_id(one)
    seen = set()
    for workload, pod in templates(one):
        name = workload["metadata"]["name"]
        planned = components[name]
        seen.add(name)
        assert workload["metadata"]["namespace"] == pod_namespace(one, planned) == planned.namespace
        assert component_labels(planned).items() <= pod["metadata"]["labels"].items()
        (container,) = pod["spec"]["containers"]
        assert container["image"] == image_reference_of(one, planned)
        requests = {"cpu": f"{planned.size.cpu_millicores}m", "memory": f"{planned.size.memory_mb}Mi"}
        assert container["resources"]["requests"] == requests
        if KNOWN_COMPONENTS[name].port_name:
            assert container["ports"][0]["containerPort"] == planned.declared.port
        if workload["kind"] == "CronJob":
            continue
        if planned.declared.most == planned.declared.least:
            assert workload["spec"]["replicas"] == planned.declared.least
        else:
            scaler = one.hosted.one("HorizontalPodAutoscaler", object_path(workload))["spec"]
            assert "replicas" not in workload["spec"]
            assert (scaler["minReplicas"], scaler["maxReplicas"]) == (planned.declared.least, planned.declared.most)
    assert seen == set(components) == set(KNOWN_COMPONENTS)


def pod_namespace(found: OwnObjects, planned: ComponentPlan) -> str:
    zones = {zone.zone: zone.namespace for zone in found.plan.system(MOTCUA).zones}
    return zones[planned.declared.zone]


def image_reference_of(found: OwnObjects, planned: ComponentPlan) -> str:
    return image_reference(HostedSpec(found.plan, found.options), planned)


def test_volumes_are_exactly_the_declared_disks_so_the_quota_holds_them(one: OwnObjects) -> None:
    declared = {(planned.namespace, ident): planned.declared.disk_gb
                for ident, planned in by_id(one).items() if planned.declared.disk_gb}  # fmt: skip
    assert {(namespace, part): size for namespace, part, size in claims(one)} == declared
    for zone in one.plan.system(MOTCUA).zones:
        used = sum(size for namespace, _, size in claims(one) if namespace == zone.namespace)
        assert used <= zone.quota.disk_gb


def test_what_pods_refer_to_is_in_their_own_namespace(one: OwnObjects) -> None:
    for workload, pod in templates(one):
        namespace, spec = workload["metadata"]["namespace"], pod["spec"]
        wanted = {("ServiceAccount", spec["serviceAccountName"])}
        for volume in spec["volumes"]:
            wanted |= {("Secret", volume["secret"]["secretName"])} if "secret" in volume else set()
            sources = volume.get("projected", {}).get("sources", ())
            wanted |= {("ConfigMap", source["configMap"]["name"]) for source in sources if "configMap" in source}
            # cert-manager makes the Secret of this name.
            wanted |= {("Certificate", source["secret"]["name"]) for source in sources if "secret" in source}
            claim = volume.get("persistentVolumeClaim")
            wanted |= {("PersistentVolumeClaim", claim["claimName"])} if claim else set()
        for variable in spec["containers"][0].get("env", ()):
            asked = variable.get("valueFrom", {}).get("secretKeyRef")
            if asked:
                secret = one.hosted.one("Secret", f"{namespace}/{asked['name']}")
                assert asked["key"] in secret["stringData"]
        for kind, name in wanted - {("Secret", RECEIVER_SECRET)}:
            assert one.hosted.one(kind, f"{namespace}/{name}")


def addresses(found: OwnObjects) -> set[tuple[str, str, int]]:
    """Return (component, called component, port) of every address of a Service in pods' environments and files."""
    services = {
        (one["metadata"]["namespace"], one["metadata"]["name"]): one["spec"]["selector"]["app.kubernetes.io/component"]
        for one in found.hosted.of("Service")
    }
    calls = set()
    for workload, pod in templates(found):
        caller, namespace = workload["metadata"]["name"], workload["metadata"]["namespace"]
        maps = [source["configMap"]["name"] for volume in pod["spec"]["volumes"]
                for source in volume.get("projected", {}).get("sources", ()) if "configMap" in source]  # fmt: skip
        texts = [str(pod), *(str(found.hosted.one("ConfigMap", f"{namespace}/{name}")["data"]) for name in maps
                             if not name.startswith(("inventory-", "grafana-", "prometheus-rules"))),
                 *(str(found.hosted.one("ConfigMap", f"{namespace}/{name}")["data"]) for name in maps
                   if name == "grafana-sources")]  # fmt: skip
        for (home, name), target in services.items():
            hosts = [f"{name}.{home}.svc", *([name] if home == namespace else [])]
            for host in hosts:
                for port in re.findall(rf"(?<![a-z0-9.-]){re.escape(host)}:(\d+)", " ".join(texts)):
                    calls.add((caller, target, int(port)))
    return calls


def test_every_address_that_is_called_is_open_and_nothing_needed_is_closed(one: OwnObjects) -> None:
    calls = addresses(one)
    needed = {(flow.source, flow.target, flow.port) for flow in needed_flows(one.own.plan)}
    # What Prometheus scrapes by names of Services without a port is not in these texts.
    scraped = {("prometheus", job.workload, job.port) for job in one.own.plan.scrape_jobs}
    assert calls | scraped - {("prometheus", "prometheus", 9090)} == needed
    policies = network_policies(one.hosted.hosted)
    named = parties(one.plan, one.hosted.hosted)
    for source, target, port in needed:
        assert policies.allow(named[f"{MOTCUA}/{source}"], named[f"{MOTCUA}/{target}"], port, "TCP"), (source, target)


def test_the_policies_let_through_the_declared_connections_and_nothing_else(one: OwnObjects) -> None:
    objects = (*one.hosted.hosted, *one.hosted.agents)
    found = allowed_reach(one.plan, network_policies(objects), parties(one.plan, objects))
    assert found == expected_reach(one.plan)


def test_every_flow_between_components_of_a_stack_of_its_own_is_needed_here_too(one: OwnObjects) -> None:
    inner = {
        (flow.source, flow.target) for flow in stack().plan.flows if {flow.source, flow.target} <= set(KNOWN_COMPONENTS)
    }
    assert inner < {(flow.source, flow.target) for flow in needed_flows(one.own.plan)}
    assert len(inner) >= 11


def test_no_policy_of_hosted_systems_or_of_motcuas_own_plan_is_broken(one: OwnObjects) -> None:
    assert [finding for manifest in one.hosted.hosted for finding in check_hosted_manifest(manifest)] == []
    assert [one for one in check_plan(one.own.plan, one.own.options, TODAY) if one.severity == "mandatory"] == []


def test_secrets_hold_places_of_values_that_the_program_makes(one: OwnObjects) -> None:
    secrets = one.hosted.of("Secret")
    assert all(isinstance(value, SecretValue) for secret in secrets for value in secret["stringData"].values())
    assert set(required_secrets(secrets)) == set(required_secrets(stack().objects))


def test_the_first_run_leaves_out_what_needs_a_token(one: OwnObjects) -> None:
    first = own_objects(own_declaration(), with_roles=False)
    names = {object_path(workload) for workload, _ in templates(first)}
    assert names == {"vn83-motcua-dmz/mqtt", "vn83-motcua-server/broker", "vn83-motcua-server/backup",
                     "vn83-motcua-database/influxdb"}  # fmt: skip
    assert not {"ingestToken", "rollupToken", "apiToken"} & set(required_secrets(first.hosted.of("Secret")))
    kept = [manifest for manifest in first.hosted.hosted if manifest in one.hosted.hosted]
    assert kept == list(first.hosted.hosted), "the second run changes nothing of the first"


def test_live_data_pass_the_edge_without_a_limit_of_time(one: OwnObjects) -> None:
    (route,) = one.hosted.of("HTTPRoute")
    assert [rule["timeouts"] for rule in route["spec"]["rules"]] == [{"request": "0s"}]


def test_other_systems_get_the_objects_that_they_had(one: OwnObjects) -> None:
    """Of the sample's other systems nothing changes when Motcua becomes one of them."""
    whole = own_objects(SAMPLE.cloud)
    plain = hosted_options(own_system="")
    before = [manifest for manifest in hosted_manifests(whole.plan, plain) if not is_own(manifest)]
    assert [manifest for manifest in whole.hosted.hosted if not is_own(manifest)] == before
    own = [manifest for manifest in whole.hosted.hosted if is_own(manifest)]
    # With the other systems there are agents in more zones, which reach the broker.
    more = [manifest for manifest in own if manifest not in one.hosted.hosted]
    assert {manifest["kind"] for manifest in more} <= {"NetworkPolicy"}
    assert len(own) - len(more) == len(one.hosted.hosted)


def is_own(manifest: Json) -> bool:
    return bool(manifest["metadata"]["labels"]["motcua.org/system"] == MOTCUA)


def test_the_gateway_calls_its_pages_as_they_are_served(one: OwnObjects) -> None:
    """Motcua's own proxy serves plain HTTP in the cloud: a policy of TLS before it would close the pages."""
    assert one.hosted.names("HTTPRoute")
    assert one.hosted.names("BackendTLSPolicy") == []
    assert "vn83-motcua-dmz/web.tls" not in one.hosted.names("Certificate")


def with_plain(*targets: str) -> CloudDeclaration:
    """Return the sample's declaration without TLS to some of Motcua's components."""
    cloud = own_declaration()
    flows = (replace(flow, tls=False) if flow.target.name in targets else flow for flow in cloud.flows)
    return replace(cloud, flows=tuple(flows))


def container_of(found: OwnObjects, path: str) -> tuple[Json, Json]:
    """Return the container of a workload, and the path of each of its volumes."""
    pods = {f"{one['metadata']['namespace']}/{one['metadata']['name']}": pod for one, pod in templates(found)}
    (container,) = pods[path]["spec"]["containers"]
    return container, {one["name"]: one["mountPath"] for one in container["volumeMounts"]}


def variables_of(container: Json) -> dict[str, str]:
    return {one["name"]: one["value"] for one in container["env"] if "value" in one}


def test_influxdb_serves_tls_and_whoever_calls_it_trusts_the_authority_inside(one: OwnObjects) -> None:
    server, paths = container_of(one, "vn83-motcua-database/influxdb")
    values = variables_of(server)
    assert values["INFLUXD_TLS_CERT"] == f"{paths['inside-tls']}/tls.crt"
    assert values["INFLUXD_TLS_KEY"] == f"{paths['inside-tls']}/tls.key"
    names = one.hosted.one("Certificate", "vn83-motcua-database/influxdb.tls")["spec"]["dnsNames"]
    host = "influxdb.vn83-motcua-database.svc"
    assert {host, "localhost"} <= set(names), "callers, and an operator through a port-forward"
    for role in ("ingest", "rollup", "api"):
        container, paths = container_of(one, f"vn83-motcua-server/{role}")
        store = influx_address.parse(variables_of(container)["MOTCUA_STORE"])
        assert (store.url, store.ca) == (f"https://{host}:8086", f"{paths['inside-tls']}/ca.crt")
    backup, paths = container_of(one, "vn83-motcua-server/backup")
    assert f"--host https://{host}:8086" in backup["command"][-1]
    assert variables_of(backup)["SSL_CERT_FILE"] == f"{paths['inside-tls']}/ca.crt"
    scrape = yaml.safe_load(
        one.hosted.one("ConfigMap", "vn83-motcua-server/prometheus-config")["data"]["prometheus.yml"]
    )
    (job,) = (job for job in scrape["scrape_configs"] if job["job_name"] == "influxdb")
    trusted = {"ca_file": f"{container_of(one, 'vn83-motcua-server/prometheus')[1]['inside-tls']}/ca.crt"}
    assert (job["scheme"], job["tls_config"]) == ("https", {**trusted, "server_name": "influxdb"})


def test_prometheus_and_alertmanager_serve_tls_and_their_callers_trust_the_authority_inside(one: OwnObjects) -> None:
    for name, port in (("prometheus", 9090), ("alertmanager", 9093)):
        container, paths = container_of(one, f"vn83-motcua-server/{name}")
        served = yaml.safe_load(one.hosted.one("ConfigMap", f"vn83-motcua-server/{name}-config")["data"]["web.yml"])
        files = {f"{kind}_file": f"{paths['inside-tls']}/tls.{end}" for kind, end in (("cert", "crt"), ("key", "key"))}
        assert served["tls_server_config"] == {**files, "min_version": "TLS12"}
        assert f"--web.config.file={paths['config']}/web.yml" in container["args"]
        assert container["ports"][0]["containerPort"] == port
    rollup, paths = container_of(one, "vn83-motcua-server/rollup")
    values = variables_of(rollup)
    assert values["MOTCUA_ALERTMANAGER"] == "https://alertmanager:9093"
    assert values["MOTCUA_ALERTMANAGER_CA"] == f"{paths['inside-tls']}/ca.crt"
    sources = one.hosted.one("ConfigMap", "vn83-motcua-server/grafana-sources")["data"]["prometheus.yaml"]
    (source,) = yaml.safe_load(sources)["datasources"]
    assert source["url"] == "https://prometheus:9090"
    assert source["secureJsonData"] == {"tlsCACert": one.options.cloud.internal_authority}


def test_another_authority_restarts_the_roles_that_read_it_at_their_start(one: OwnObjects) -> None:
    text = one.options.cloud.internal_authority
    other = own_objects(own_declaration(), hosted_options(internal_authority=text * 2))
    marks = [
        {
            workload["metadata"]["name"]: pod["metadata"]["annotations"]
            for workload, pod in templates(found)
            if workload["metadata"]["name"] in {"ingest", "rollup", "api", "grafana"}
        }
        for found in (one, other)
    ]
    assert len(marks[0]) == 4
    for name, before in marks[0].items():
        assert before != marks[1][name], name


def test_without_declared_tls_nothing_of_it_is_rendered() -> None:
    plain = own_objects(with_plain(*KNOWN_COMPONENTS.keys() - {"mqtt", "broker"}))
    assert [name for name in plain.hosted.names("Certificate") if name.endswith(".tls")] == []
    texts = str([pod for _, pod in templates(plain)])
    assert "inside-tls" not in texts
    assert "INFLUXD_TLS" not in texts
    assert "influxdb+http://influxdb" in texts


def test_a_row_without_tls_beside_rows_with_it_is_a_fault() -> None:
    cloud = own_declaration()
    flows = (replace(flow, tls=False) if is_flow(flow, "backup", "influxdb") else flow for flow in cloud.flows)
    with pytest.raises(ConfigError, match=r"influxdb port 8086: declares TLS, and other rows to influxdb do not"):
        own_objects(replace(cloud, flows=tuple(flows)))
