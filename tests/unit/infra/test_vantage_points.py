"""The agents inside the cloud: what their pods are, what they may reach, and whose door refuses what must be closed."""

from __future__ import annotations

import re
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from hypothesis import given

from infra.host.inside_agents import agent_settings
from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.network_policies import NetworkParty, NetworkPolicies
from infra.plan.cloud.vantage_points import broker_end, planned_vantage_points, vantage_end
from infra.targets.kubernetes.cloud.objects import HostedSpec
from infra.targets.kubernetes.cloud.vantage import agent_faults, vantage_manifests
from telemetry.core.cloud.values import CloudDeclaration, Flow, PlatformService
from telemetry.core.hosted.database_figures import METRICS_PORT
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    component_end,
    hosted_system,
    outside,
)
from tests.cloud_reachability import (
    agent_objects,
    network_policies,
    parties,
    rendered_objects,
    with_kept_promises,
)
from tests.hosted_network import hosting
from tests.hosted_objects import cluster_options, hosted_objects
from tests.property_sizes import sized

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from infra.plan.cloud.values import Endpoint
    from tests.cloud_reachability import Json

MANAGE, DMZ, SERVER = (f"vn83-cloud-{zone}1" for zone in ("manage", "dmz", "server"))


def planned(declaration: CloudDeclaration) -> CloudPlan:
    return build_cloud_plan(with_kept_promises(declaration), province="vn83", stage="prod", today=TODAY)


def calling_ngsp() -> CloudDeclaration:
    base = base_declaration()
    return replace(base, flows=(*base.flows, Flow(component_end(ONESTOP, "app"), outside("ngsp"), 443, "shared data")))


def dials(plan: CloudPlan, zone: str) -> set[tuple[str, int]]:
    return {(str(one.target), one.port) for one in plan.platform_connections if str(one.source) == f"vantage:{zone}"}


def test_each_vantage_point_reaches_what_it_probes_names_and_the_broker() -> None:
    plan = planned(calling_ngsp())
    services = {("platform:dns", 53), ("platform:broker", 8883)}
    assert dials(plan, "manage") == services | {
        (f"{ONESTOP}/web", 9080), (f"{ONESTOP}/app", 8081), (f"{ONESTOP}/db", 5432), (f"{ONESTOP}/db", 9187),
    }  # fmt: skip
    assert dials(plan, "dmz") == services
    assert dials(plan, "server") == services | {("outside:ngsp", 443)}
    assert {(str(one.source), str(one.target), one.port) for one in plan.closed_dials} == {
        ("vantage:dmz", f"{ONESTOP}/app", 8081), ("vantage:dmz", f"{ONESTOP}/db", 5432),
        ("vantage:server", f"{ONESTOP}/web", 8080), ("vantage:server", f"{ONESTOP}/db", 5432),
        ("vantage:manage", "outside:ngsp", 443),
    }  # fmt: skip


def test_without_a_hosted_system_there_is_no_vantage_point() -> None:
    assert planned_vantage_points(planned(CloudDeclaration())) == ()
    refused = replace(base_declaration(), systems={ONESTOP: hosted_system(level=5)})
    assert planned_vantage_points(planned(refused)) == (), "nothing of it is rendered, so nothing is dialled"


def test_the_agents_settings_dial_what_their_policies_let_out_and_nothing_else() -> None:
    world = hosting(cloud=calling_ngsp())
    plan = planned(world.cloud)
    settings = agent_settings(world, plan, cluster_options(world.cloud))
    assert sorted(settings) == [DMZ, MANAGE, SERVER]
    for point in planned_vantage_points(plan):
        sources = tomllib.loads(settings[point.namespace])["source"]
        dialled = {_address(one["target"]) for one in sources if "target" in one}
        expected = {
            (_host(plan, one.target, one.port), one.port)
            for one in (*plan.platform_connections, *plan.closed_dials)
            if one.source == point and one.target.kind != "platform"
        }
        assert dialled == expected, point


def _address(target: str) -> tuple[str, int]:
    parts = urlsplit(target if "//" in target else f"//{target}")
    return parts.hostname or "", parts.port or 443


def _host(plan: CloudPlan, end: Endpoint, port: int) -> str:
    if end.kind == "outside":
        return plan.declaration.peers[end.name].hosts[0]
    is_database = (end.system, end.name) == (ONESTOP, "db")
    service = "-figures" if port == METRICS_PORT else "-rw"
    return f"{end.name}{service if is_database else ''}.{end.namespace}.svc"


def without_namespace(policies: NetworkPolicies, namespace: str) -> NetworkPolicies:
    rest = tuple(one for one in policies.policies if one["metadata"]["namespace"] != namespace)
    return NetworkPolicies(rest, policies.namespaces)


def test_what_refuses_a_closed_path_is_the_targets_own_door_and_for_parties_outside_the_way_out() -> None:
    plan = planned(calling_ngsp())
    objects = rendered_objects(plan)
    policies, named = network_policies((*objects, *agent_objects(plan))), parties(plan, objects)
    for dial in plan.closed_dials:
        source, target = named[str(dial.source)], named[str(dial.target)]
        assert not policies.allow(source, target, dial.port), dial
        door = dial.target.namespace if dial.target.kind == "component" else dial.source.namespace
        assert without_namespace(policies, door).allow(source, target, dial.port), dial


@sized(6, 200)
@given(declarations())
def test_no_closed_path_is_open_and_each_has_one_door(declaration: CloudDeclaration) -> None:
    plan = planned(declaration)
    objects = rendered_objects(plan)
    policies, named = network_policies((*objects, *agent_objects(plan))), parties(plan, objects)
    for dial in plan.closed_dials:
        source = named.get(str(dial.source)) or NetworkParty(dial.source.namespace, {})
        target = named[str(dial.target)]
        assert not policies.allow(source, target, dial.port), dial
        if dial.target.kind == "component":
            assert without_namespace(policies, dial.target.namespace).allow(source, target, dial.port), dial


def of_kind(objects: tuple[Json, ...], kind: str, namespace: str = MANAGE) -> Json:
    (one,) = [o for o in objects if (o["kind"], o["metadata"].get("namespace")) == (kind, namespace)]
    return one


def test_an_agent_is_one_hardened_pod_whose_outbox_outlives_it() -> None:
    objects = hosted_objects(base_declaration()).agents
    deployment = of_kind(objects, "Deployment")["spec"]
    assert (deployment["replicas"], deployment["strategy"]) == (1, {"type": "Recreate"})
    pod = deployment["template"]["spec"]
    (container,) = pod["containers"]
    assert re.fullmatch(r"registry\.example/motcua-agent@sha256:[0-9a-f]{64}", container["image"])
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not pod["automountServiceAccountToken"]
    mounts = {mount["name"]: (mount["mountPath"], mount.get("readOnly", False)) for mount in container["volumeMounts"]}
    assert mounts["state"] == ("/var/lib/motcua", False)
    assert mounts["settings"] == ("/etc/motcua", True)
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["state"]["persistentVolumeClaim"] == {"claimName": "agent"}
    assert of_kind(objects, "PersistentVolumeClaim")["spec"]["resources"] == {"requests": {"storage": "1Gi"}}
    assert of_kind(objects, "ExternalSecret")["spec"]["dataFrom"] == [{"extract": {"key": f"{MANAGE}/agent"}}]
    paths = [item["path"] for item in volumes["settings"]["projected"]["sources"][1]["secret"]["items"]]
    assert paths == ["tls/ca.pem", "tls/device.pem", "tls/device.key"], "as agent.toml names them"


def test_the_pod_is_made_again_when_its_settings_change_and_not_otherwise() -> None:
    def annotations(text: str) -> Json:
        plan = planned(base_declaration())
        made = vantage_manifests(HostedSpec(plan, cluster_options(base_declaration())), {MANAGE: text})
        notes: Json = of_kind(made, "Deployment")["spec"]["template"]["metadata"]["annotations"]
        return notes

    assert annotations("one") == annotations("one") != annotations("two")
    world = hosting()
    plan, options = planned(world.cloud), cluster_options(world.cloud)
    assert agent_settings(replace(world, version="other"), plan, options) == agent_settings(world, plan, options)


def test_agents_without_a_broker_or_a_digest_are_refused_with_what_to_write() -> None:
    world = hosting()
    platform = {name: one for name, one in world.cloud.platform.items() if name != "broker"}
    cloud = replace(world.cloud, platform=platform)
    options = cluster_options(cloud)
    local = options.model_copy(update={"broker": options.broker.model_copy(update={"host": "localhost"})})
    faults = agent_faults(HostedSpec(planned(cloud), local))
    assert [(fault.file, fault.field) for fault in faults] == [
        ("cloud.toml", "platform"), ("stack configuration", "motcua:broker.host"),
    ]  # fmt: skip
    assert agent_faults(HostedSpec(planned(CloudDeclaration()), local)) == [], "nothing is watched there"
    with pytest.raises(ConfigError, match="motcua-agent"):
        hosted_objects(base_declaration(), image_digests={"postgresql": f"17.6@sha256:{'0' * 64}"})
    unknown = replace(calling_ngsp(), peers={**cloud.peers, "ngsp": replace(cloud.peers["ngsp"], cidrs=())})
    with pytest.raises(ConfigError, match="peer ngsp has no networks"):
        agent_objects(planned(unknown))


def test_a_broker_that_the_province_hosts_is_reached_at_its_component() -> None:
    base = base_declaration()
    broker = replace(base_components()[1], id="broker", kind="gateway", port=8883, health="")
    hosted = replace(
        base, components=(*base.components, broker),
        platform={**base.platform, "broker": PlatformService("broker", f"{ONESTOP}-server", port=8883)},
    )  # fmt: skip
    plan = planned(hosted)
    namespaces = {(zone.system, zone.zone): zone.namespace for system in plan.systems for zone in system.zones}
    end = broker_end(hosted, namespaces)
    assert str(end) == f"{ONESTOP}/broker"
    objects = rendered_objects(plan)
    policies, named = network_policies((*objects, *agent_objects(plan))), parties(plan, objects)
    for zone in ("manage", "dmz", "server"):
        assert policies.allow(named[f"vantage:{zone}"], named[f"{ONESTOP}/broker"], 8883), zone
    assert not policies.allow(named[f"{ONESTOP}/web"], named[f"{ONESTOP}/broker"], 8883)
    assert vantage_end("vn83", "dmz").namespace == DMZ
