"""The evaluator of NetworkPolicies judges as the specification says, and guesses nothing."""

from __future__ import annotations

from typing import Any

import pytest

from infra.plan.cloud.network_policies import NetworkParty, NetworkPolicies

WEB = NetworkParty("a-dmz", {"app": "web"}, "10.244.0.1")
APP = NetworkParty("a-server", {"app": "app"}, "10.244.0.2")
OTHER = NetworkParty("a-server", {"app": "other"}, "10.244.0.3")
ALIKE = NetworkParty("b-dmz", {"app": "web"}, "10.244.0.4")
PEER = NetworkParty(address="203.0.113.7")
NAMESPACES = {"a-dmz": {"system": "a"}, "a-server": {"system": "a"}, "b-dmz": {"system": "b"}}
WEB_ONLY = {"namespaceSelector": {"matchLabels": {"system": "a"}}, "podSelector": {"matchLabels": {"app": "web"}}}


def policy(namespace: str, app: str = "", **spec: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    selector = {"matchLabels": {"app": app}} if app else {}
    return {"metadata": {"name": "p", "namespace": namespace}, "spec": {"podSelector": selector, **spec}}


def deny_all(namespace: str) -> dict[str, Any]:
    return policy(namespace, policyTypes=["Ingress", "Egress"])


def into_app(*peers: dict[str, Any], port: int = 8081) -> dict[str, Any]:
    rule = {"from": list(peers), "ports": [{"port": port}]}
    return policy("a-server", "app", policyTypes=["Ingress"], ingress=[rule])


def out_of_web(*peers: dict[str, Any]) -> dict[str, Any]:
    return policy("a-dmz", "web", policyTypes=["Egress"], egress=[{"to": list(peers), "ports": [{"port": 8081}]}])


def allows(*policies: dict[str, Any], source: NetworkParty = WEB, target: NetworkParty = APP, port: int = 8081) -> bool:
    return NetworkPolicies(policies, NAMESPACES).allow(source, target, port)


def test_without_a_policy_everything_is_allowed() -> None:
    assert allows()


def test_a_connection_needs_both_ways() -> None:
    way_in, way_out = into_app(WEB_ONLY), out_of_web({"namespaceSelector": {}})
    denied = (deny_all("a-dmz"), deny_all("a-server"))
    assert not allows(*denied)
    assert not allows(*denied, way_in)
    assert not allows(*denied, way_out)
    assert allows(*denied, way_in, way_out)
    assert not allows(*denied, way_in, way_out, port=8082)
    assert not allows(*denied, way_in, way_out, target=OTHER)


def test_a_policy_of_one_way_leaves_the_other_open() -> None:
    assert not allows(policy("a-dmz", policyTypes=["Egress"]))
    assert allows(policy("a-dmz", policyTypes=["Ingress"]))
    assert not allows(policy("a-dmz", egress=[], ingress=[]))
    assert allows(policy("a-dmz")), "without policyTypes and egress it is about the way in"


def test_selectors_of_namespace_and_pod_hold_together() -> None:
    assert allows(into_app(WEB_ONLY))
    assert not allows(into_app(WEB_ONLY), source=ALIKE)
    assert allows(into_app({"namespaceSelector": {}, "podSelector": {"matchLabels": {"app": "web"}}}), source=ALIKE)
    separate = {"podSelector": {"matchLabels": {"app": "web"}}}
    assert not allows(into_app(separate)), "without a namespaceSelector only pods of the policy's own namespace"
    assert allows(into_app({"podSelector": {}}), source=OTHER)
    assert allows(into_app({"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "a-dmz"}}}))


def test_an_address_block_has_exceptions_and_also_holds_for_pods() -> None:
    everyone = {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["10.244.0.0/16"]}}
    assert allows(into_app(everyone), source=PEER)
    assert not allows(into_app(everyone))
    assert allows(into_app({"ipBlock": {"cidr": "0.0.0.0/0"}}))
    assert not allows(into_app({"ipBlock": {"cidr": "198.51.100.0/24"}}), source=PEER)
    assert not allows(into_app({"ipBlock": {"cidr": "0.0.0.0/0"}}), source=NetworkParty("a-dmz", {"app": "web"}))
    assert not allows(into_app({"namespaceSelector": {}}), source=PEER)


def test_empty_peers_and_ports_mean_all() -> None:
    assert allows(policy("a-server", "app", policyTypes=["Ingress"], ingress=[{}]), source=ALIKE, port=1)
    span = {"from": [], "ports": [{"port": 8000, "endPort": 8100}]}
    assert allows(policy("a-server", policyTypes=["Ingress"], ingress=[span]))
    assert not allows(policy("a-server", policyTypes=["Ingress"], ingress=[span]), port=8101)
    by_udp = {"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "UDP"}]}
    assert not allows(policy("a-server", policyTypes=["Ingress"], ingress=[by_udp]), port=53)
    policies = NetworkPolicies((policy("a-server", policyTypes=["Ingress"], ingress=[by_udp]),), NAMESPACES)
    assert policies.allow(WEB, APP, 99, "UDP")


@pytest.mark.parametrize(
    ("operator", "values", "selected"),
    [
        ("In", ["web", "x"], True), ("In", ["x"], False), ("NotIn", ["web"], False), ("NotIn", ["x"], True),
        ("Exists", None, True), ("DoesNotExist", None, False),
    ],
)  # fmt: skip
def test_expressions_of_selectors(operator: str, values: list[str] | None, selected: bool) -> None:
    expression = {"key": "app", "operator": operator, **({"values": values} if values else {})}
    assert allows(into_app({"namespaceSelector": {}, "podSelector": {"matchExpressions": [expression]}})) is selected


@pytest.mark.parametrize(
    "wrong",
    [
        into_app({"namespaceselector": {}}),
        into_app({"ipBlock": {"cidr": "0.0.0.0/0"}, "podSelector": {}}),
        into_app({"ipBlock": {"cidr": "0.0.0.0/0", "excepts": []}}),
        into_app({"namespaceSelector": {}, "podSelector": {"matchlabels": {}}}),
        into_app({"namespaceSelector": {"matchExpressions": [{"key": "app", "operator": "Equals"}]}}),
        policy("a-server", "app", ingres=[]),
        policy("a-server", "app", ingress=[{"form": []}]),
        policy("a-server", "app", ingress=[{"ports": [{"port": "http"}]}]),
    ],
)
def test_what_is_misspelt_is_refused_and_not_ignored(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"unknown|alone|named"):
        allows(wrong)
