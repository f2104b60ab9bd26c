"""Says where health and administration of a hosted component are asked, and who may ask: never where people call."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.changes import cloud_changes
from infra.plan.cloud.record import decode_cloud_record, encode_cloud_record, record_plan
from infra.targets.openstack.cloud.balancers import balancer_resources
from infra.targets.openstack.cloud.group_rules import group_rules
from infra.targets.openstack.cloud.values import CloudSettings
from tests.cloud_examples import ONESTOP, TODAY, base_declaration, with_components
from tests.hosted_objects import HostedObjects, hosted_objects

WEB = f"{ONESTOP}-dmz/web"


@pytest.fixture(scope="module")
def apart() -> HostedObjects:
    return hosted_objects(base_declaration())


def test_the_hosts_probe_the_port_of_health(apart: HostedObjects) -> None:
    (container,) = apart.one("Deployment", WEB)["spec"]["template"]["spec"]["containers"]
    assert [(port["name"], port["containerPort"]) for port in container["ports"]] == [
        ("service", 8080), ("health", 9080),
    ]  # fmt: skip
    probes = [container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert probes == [{"port": "health", "path": "/healthz"}] * 3


def test_a_component_without_one_is_probed_at_its_service() -> None:
    shared = hosted_objects(with_components(base_declaration(), f"{ONESTOP}/web", health_port=0))
    (container,) = shared.one("Deployment", WEB)["spec"]["template"]["spec"]["containers"]
    assert container["readinessProbe"]["httpGet"]["port"] == "service"
    assert [port["name"] for port in shared.one("Service", WEB)["spec"]["ports"]] == ["service"]


def test_no_route_leads_to_the_port_of_health(apart: HostedObjects) -> None:
    service = apart.one("Service", WEB)["spec"]
    assert [(port["name"], port["port"], port["targetPort"]) for port in service["ports"]] == [
        ("service", 8080, "service"), ("health", 9080, "health"),
    ]  # fmt: skip
    (rule,) = apart.one("HTTPRoute", WEB)["spec"]["rules"]
    assert [backend["port"] for backend in rule["backendRefs"]] == [8080]


def test_zone_manage_alone_may_call_it(apart: HostedObjects) -> None:
    entering = [
        (one["metadata"]["name"], rule["from"][0]["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"])
        for one in apart.of("NetworkPolicy")
        for rule in one["spec"].get("ingress", ())
        if any(port["port"] == 9080 for port in rule["ports"])
    ]
    assert sorted(entering) == [
        ("platform.metrics-to-web-9080-in", "platform-metrics"),
        ("vantage.manage-to-web-9080-in", "vn83-cloud-manage1"),
    ]
    to_service = [
        one for one in apart.of("NetworkPolicy") if one["metadata"]["name"].startswith("platform.metrics-to-web")
    ]
    assert len(to_service) == 1, "figures and probes are no longer asked at the service's port"


def test_security_groups_open_it_to_zone_manage_and_the_balancer_calls_the_service() -> None:
    plan = build_cloud_plan(base_declaration(), province="vn83", stage="prod", today=TODAY)
    system = plan.system(ONESTOP)
    rules = [one for one in group_rules(plan, system) if one.port == 9080]
    # The platform's metrics, and the agent inside that zone.
    manage = ("10.84.0.250/32", "10.84.0.54/32")
    assert sorted((one.component, one.direction, one.remote) for one in rules) == [
        ("web", "ingress", address) for address in manage
    ]
    members = [one.properties for one in balancer_resources(plan, system, CloudSettings()) if one.kind == "member"]
    assert {one["protocol_port"] for one in members} == {8080}


def test_another_port_of_health_is_a_change_in_place_and_a_record_of_before_is_still_read() -> None:
    before = with_components(base_declaration(), f"{ONESTOP}/web", health_port=0)
    plans = [build_cloud_plan(one, province="vn83", stage="prod", today=TODAY) for one in (before, base_declaration())]
    record = record_plan(plans[0])
    (change,) = [one for one in cloud_changes(record, plans[1]) if one.where == f"{ONESTOP}/web"]
    assert (change.kind, change.problem, change.loses_data) == ("change", "health_port 0 → 9080", False)
    document = json.loads(zlib.decompress(base64.b64decode(encode_cloud_record(record))))
    for row in document["components"]:
        del row["health_port"]
    assert decode_cloud_record(base64.b64encode(zlib.compress(json.dumps(document).encode())).decode()) == record
