"""Who may speak to whom in the cluster: what the plan says, each way once, and nothing else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from infra.config.options import parse_options
from infra.plan.workloads import SERVICES_PORT
from infra.targets.kubernetes.network import OUTSIDE_PARTIES, cluster_flows
from infra.targets.kubernetes.objects import ClusterSpec
from telemetry.errors import ConfigError
from tests.kubernetes import Stack, container, stack

if TYPE_CHECKING:
    from collections.abc import Iterator

ADDED = {
    ("backup", "influxdb", 8086),
    ("prometheus-adapter", "prometheus", 9090),
    ("alertmanager", "receivers", 443),
    ("agent", "broker", 8883),
}
ELSEWHERE = {*OUTSIDE_PARTIES, "prometheus-adapter"}
COMPONENT = "app.kubernetes.io/component"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def one() -> Stack:
    return stack()


def wanted(one: Stack) -> set[tuple[str, str, int]]:
    """Return the flows of the plan, services at their own listener, and what the cluster adds."""
    found = set(ADDED)
    for flow in one.plan.flows:
        inside = flow.target == "broker" and flow.source not in OUTSIDE_PARTIES
        found.add((flow.source, flow.target, SERVICES_PORT if inside else flow.port))
    return found


def rules(one: Stack, way: str) -> Iterator[tuple[str, Json, int]]:
    """Yield (component, the other side, port) of every rule of a way, but for names."""
    for policy in one.of("NetworkPolicy"):
        spec = policy["spec"]
        if policy["metadata"]["name"] == "names" or way.lower() not in spec:
            continue
        (side,) = spec[way.lower()]
        (other,) = side["from" if way == "Ingress" else "to"]
        (port,) = side["ports"]
        yield spec["podSelector"]["matchLabels"][COMPONENT], other, port["port"]


def who(other: Json, *, port: int) -> str:
    """Return what the other side of a rule means."""
    if "ipBlock" in other:
        return {8883: "devices", 443: "receivers"}[port]
    if "namespaceSelector" in other and "podSelector" not in other:
        assert other["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": "envoy-gateway-system"}
        return "people"
    labels = other["podSelector"]["matchLabels"]
    return str(labels.get(COMPONENT) or labels["app.kubernetes.io/name"])


def test_nothing_may_speak_that_no_rule_names(one: Stack) -> None:
    spec = one.one("NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


def test_every_flow_of_the_plan_is_let_in_and_nothing_else(one: Stack) -> None:
    found = [(who(other, port=port), own, port) for own, other, port in rules(one, "Ingress")]
    assert len(found) == len(set(found))
    assert set(found) == {flow for flow in wanted(one) if flow[1] not in ELSEWHERE}


def test_every_flow_of_the_plan_is_let_out_and_nothing_else(one: Stack) -> None:
    found = [(own, who(other, port=port), port) for own, other, port in rules(one, "Egress")]
    assert len(found) == len(set(found))
    assert set(found) == {flow for flow in wanted(one) if flow[0] not in ELSEWHERE}


def test_every_rule_picks_pods_and_one_of_their_ports(one: Stack) -> None:
    for own, other, port in rules(one, "Ingress"):
        (pod,) = one.picked({COMPONENT: own})
        assert port in {listed["containerPort"] for listed in container(pod)["ports"]}
        if who(other, port=port) not in ELSEWHERE:
            assert one.picked(other["podSelector"]["matchLabels"])
    for own, _, _ in rules(one, "Egress"):
        assert one.picked({COMPONENT: own})


def test_names_are_asked_of_the_clusters_own_server_alone(one: Stack) -> None:
    (side,) = one.one("NetworkPolicy", "names")["spec"]["egress"]
    assert {(port["protocol"], port["port"]) for port in side["ports"]} == {("UDP", 53), ("TCP", 53)}
    server, cache = side["to"]
    assert set(server) == {"namespaceSelector", "podSelector"}
    assert cache == {"ipBlock": {"cidr": "169.254.20.10/32"}}


def test_devices_come_from_their_networks_to_their_listener_alone(one: Stack) -> None:
    door = one.one("Service", "broker")["spec"]
    assert (door["type"], door["loadBalancerSourceRanges"]) == ("LoadBalancer", ["10.83.0.0/16"])
    assert [port["port"] for port in door["ports"]] == [8883]
    policy = one.one("NetworkPolicy", "devices-to-broker-8883-in")
    assert policy["spec"]["ingress"][0]["from"] == [{"ipBlock": {"cidr": "10.83.0.0/16"}}]
    for name in ("broker-internal", "broker-nodes"):
        assert one.one("Service", name)["spec"]["type"] == "ClusterIP"


def test_agents_inside_the_cloud_come_from_their_own_namespaces_and_only_where_something_is_hosted(one: Stack) -> None:
    (side,) = one.one("NetworkPolicy", "agent-to-broker-8883-in")["spec"]["ingress"]
    (peer,) = side["from"]
    (places,) = peer["namespaceSelector"]["matchExpressions"]
    assert places["values"] == ["vn83-cloud-dmz1", "vn83-cloud-manage1", "vn83-cloud-server1"]
    assert peer["podSelector"]["matchLabels"] == {COMPONENT: "agent"}
    plan = replace(one.plan, broker=replace(one.plan.broker, devices=()))
    without = cluster_flows(ClusterSpec(plan, one.options))
    assert {flow.source for flow in cluster_flows(ClusterSpec(one.plan, one.options))} - {
        f.source for f in without
    } == {"agent"}


def test_without_networks_of_devices_no_door_opens_outside() -> None:
    door = stack(device_sources=()).one("Service", "broker")["spec"]
    assert door["type"] == "ClusterIP"


@pytest.fixture(scope="module")
def with_ingress() -> Stack:
    return stack(exposure="ingress", api_sources=("10.83.0.0/16",), ingress_namespace="traefik")


def test_only_the_devices_door_is_open_outside_beside_the_gateway(one: Stack) -> None:
    assert {service["metadata"]["name"] for service in one.of("Service") if service["spec"]["type"] != "ClusterIP"} == {
        "broker"
    }
    assert one.of("Ingress") == []


def test_people_come_through_the_gateway_that_the_options_name(one: Stack) -> None:
    (listeners,), (route,) = one.of("ListenerSet"), one.of("HTTPRoute")
    parent = listeners["spec"]["parentRef"]
    assert (parent["kind"], parent["namespace"], parent["name"]) == ("Gateway", "edge", "internet")
    (listener,) = listeners["spec"]["listeners"]
    assert (listener["port"], listener["protocol"], listener["hostname"]) == (443, "HTTPS", "motcua.example")
    assert listener["tls"]["certificateRefs"] == [{"kind": "Secret", "name": "api-tls"}]
    assert one.one("Namespace", "motcua")["metadata"]["labels"]["motcua.org/exposure"] == "internet"
    assert [one["kind"] for one in route["spec"]["parentRefs"]] == ["ListenerSet"]
    other = stack(gateway_namespace="front", gateway_name="office", gateway_section="motcua")
    assert other.of("ListenerSet") == []
    (parent,) = other.one("HTTPRoute", "api")["spec"]["parentRefs"]
    assert (parent["namespace"], parent["name"], parent["sectionName"]) == ("front", "office", "motcua")


def test_metrics_and_all_pages_below_are_closed_to_people_at_the_gateway(one: Stack) -> None:
    """The longer prefix wins: this rule answers itself and leads to no pod."""
    closed, pages = one.one("HTTPRoute", "api")["spec"]["rules"]
    assert closed["matches"] == [{"path": {"type": "PathPrefix", "value": "/metrics"}}]
    assert "backendRefs" not in closed
    assert closed["filters"][0]["requestRedirect"]["path"] == {"type": "ReplaceFullPath", "replaceFullPath": "/"}
    assert pages["matches"] == [{"path": {"type": "PathPrefix", "value": "/"}}]
    assert pages["timeouts"] == {"request": "0s"}, "live data are a stream"


def test_a_cluster_with_an_ingress_controller_may_stay_with_it(with_ingress: Stack) -> None:
    assert with_ingress.of("HTTPRoute", "ListenerSet") == []
    assert all(way["spec"]["tls"] for way in with_ingress.of("Ingress"))
    notes = with_ingress.one("Ingress", "api")["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/whitelist-source-range"] == "10.83.0.0/16"
    policy = with_ingress.one("NetworkPolicy", "people-to-api-8080-in")
    (peer,) = policy["spec"]["ingress"][0]["from"]
    assert peer == {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "traefik"}}}
    assert "motcua.org/exposure" not in with_ingress.one("Namespace", "motcua")["metadata"]["labels"]


def test_sources_of_people_are_refused_where_a_route_could_not_hold_them() -> None:
    values = {"stage": "stage", "target": "kubernetes", "kubernetes": {"apiSources": ["10.83.0.0/16"]}}
    with pytest.raises(ConfigError, match=r"apiSources.*a route of a gateway names no sources.*exposure: ingress"):
        parse_options(values, "Pulumi.stage.yaml")
    values["kubernetes"] = {"apiSources": ["10.83.0.0/16"], "exposure": "ingress"}
    assert parse_options(values, "Pulumi.stage.yaml").kubernetes.exposure == "ingress"


def test_metrics_and_all_pages_below_are_closed_to_the_outside(with_ingress: Stack) -> None:
    """The controller takes the longest path that fits: this way in is the one for them, and it lets nobody through."""
    ways = {
        path["path"]: way for way in with_ingress.of("Ingress") for path in way["spec"]["rules"][0]["http"]["paths"]
    }
    assert set(ways) == {"/", "/metrics"}
    shut = ways["/metrics"]
    assert shut["spec"]["rules"][0]["host"] == ways["/"]["spec"]["rules"][0]["host"]
    assert shut["spec"]["rules"][0]["http"]["paths"][0]["pathType"] == "Prefix"
    notes = shut["metadata"]["annotations"]
    assert notes["nginx.ingress.kubernetes.io/denylist-source-range"] == "0.0.0.0/0,::/0"
    assert notes["nginx.ingress.kubernetes.io/whitelist-source-range"] == "127.0.0.1/32"
