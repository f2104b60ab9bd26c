"""The rendered network policies, judged as a cluster's network would: exactly the plan's connections, nothing else."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given

from infra.plan.cloud.names import CLUSTER_API
from infra.plan.cloud.network_policies import NetworkParty, NetworkPolicies
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import GROUND, ONESTOP, base_declaration, outside
from tests.hosted_objects import HostedObjects, hosted_objects
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import AllowedConnection, Endpoint
    from telemetry.core.cloud.values import CloudDeclaration

STRANGER = NetworkParty("elsewhere", {"app.kubernetes.io/component": "web", "motcua.org/kind": "web"})
"""A pod of a namespace that is nobody's, with the labels of one of ours."""
LABEL_OF_GATEWAYS = "gateway.networking.k8s.io/gateway-name"


def pods_by_component(found: HostedObjects) -> dict[tuple[str, str], NetworkParty]:
    """Return a pod of each component by (system, component), with the labels that it really gets."""
    return {
        (component.declared.system, component.declared.id): NetworkParty(
            component.namespace, pod_labels(found, component.namespace, component.declared.id, component.declared.kind)
        )
        for system in found.plan.systems
        for component in system.components
        if component.declared.kind != "objects"
    }


def pod_labels(found: HostedObjects, namespace: str, name: str, kind: str) -> dict[str, str]:
    """Return the labels of a component's pods: those of its template, or those that its operator gives."""
    if kind == "database":
        inherited = found.one("Cluster", f"{namespace}/{name}")["spec"]["inheritedMetadata"]["labels"]
        return {**inherited, "cnpg.io/cluster": name, "app.kubernetes.io/component": "database"}
    if kind == "queue":
        return {"app.kubernetes.io/name": name, "app.kubernetes.io/component": "rabbitmq"}
    manifest = next(
        one
        for one in found.of("Deployment", "StatefulSet", "CronJob")
        if (one["metadata"]["namespace"], one["metadata"]["name"]) == (namespace, name)
    )
    spec = manifest["spec"]["jobTemplate"]["spec"] if manifest["kind"] == "CronJob" else manifest["spec"]
    labels: dict[str, str] = spec["template"]["metadata"]["labels"]
    return labels


def party_of(found: HostedObjects, pods: dict[tuple[str, str], NetworkParty], end: Endpoint) -> NetworkParty:
    """Return a party for an end of a connection."""
    declaration = found.plan.declaration
    if end.kind == "component":
        # A bucket is at the platform's object store.
        store = NetworkParty(address=declaration.platform["objects"].address)
        return pods.get((end.system, end.name), store)
    labels = {"edge": LABEL_OF_GATEWAYS, "operator": "app.kubernetes.io/name", "vantage": "app.kubernetes.io/component"}
    if end.kind in labels:
        return NetworkParty(end.namespace, {labels[end.kind]: "agent" if end.kind == "vantage" else end.name})
    if end.kind == "outside":
        return NetworkParty(address=declaration.peers[end.name].cidrs[0].partition("/")[0])
    if end.namespace:
        return NetworkParty(end.namespace, {"k8s-app": "kube-dns"} if end.name == "dns" else {"app": end.name})
    is_api = end.name == CLUSTER_API
    return NetworkParty(address="10.84.0.2" if is_api else declaration.platform[end.name].address)


def network_of(found: HostedObjects) -> NetworkPolicies:
    namespaces = {one["metadata"]["name"]: one["metadata"]["labels"] for one in found.of("Namespace")}
    return NetworkPolicies(tuple(found.of("NetworkPolicy")), namespaces)


def judged_connections(found: HostedObjects) -> Iterator[AllowedConnection]:
    """Yield the plan's connections that a side in a system's namespace has a policy for."""
    for connection in (*found.plan.connections, *found.plan.platform_connections):
        if "component" in {connection.source.kind, connection.target.kind}:
            yield connection


def assert_exactly_the_plan(found: HostedObjects) -> None:
    """Ask for every pair of parties and every port of the plan, in both directions."""
    network, pods = network_of(found), pods_by_component(found)
    wanted = [
        (party_of(found, pods, one.source), party_of(found, pods, one.target), one.port, one.protocol)
        for one in judged_connections(found)
    ]
    keys = {(key_of(source), key_of(target), port, protocol) for source, target, port, protocol in wanted}
    parties = {key_of(one): one for source, target, *_ in wanted for one in (source, target)}
    parties |= {key_of(one): one for one in (*pods.values(), STRANGER)}
    ports = {(port, protocol) for *_, port, protocol in wanted} | {(22, "TCP")}
    own = {key_of(one) for one in pods.values()}
    for (source_key, source), (target_key, target) in product(parties.items(), parties.items()):
        if own.isdisjoint({source_key, target_key}):
            continue
        for port, protocol in ports:
            if not is_name(target, port):
                expected = (source_key, target_key, port, protocol) in keys
                assert network.allow(source, target, port, protocol) is expected, (source, target, port, protocol)


def is_name(target: NetworkParty, port: int) -> bool:
    """Return whether it is the way that each pod of a zone has, also of a kind that asks nobody."""
    return target.labels.get("k8s-app") == "kube-dns" and port == 53


def key_of(party: NetworkParty) -> tuple[str, tuple[tuple[str, str], ...], str]:
    return party.namespace, tuple(sorted(party.labels.items())), party.address


def test_the_base_declaration_opens_exactly_its_connections() -> None:
    assert_exactly_the_plan(hosted_objects(base_declaration()))


@pytest.mark.parametrize("ports", [(443, 6443), (443,), (6443,)])
def test_databases_alone_reach_the_api_server_at_the_declared_ports_alone(ports: tuple[int, ...]) -> None:
    base = base_declaration()
    found = hosted_objects(replace(base, ground=replace(base.ground, api_server_ports=ports)))
    assert_exactly_the_plan(found)
    network, api_server = network_of(found), NetworkParty(address="10.84.0.2")
    reached = {
        (name, port)
        for (_, name), pod in pods_by_component(found).items()
        for port in (80, 443, 6443, 8443)
        if network.allow(pod, api_server, port)
    }
    assert reached == {("db", port) for port in ports}
    planned = [one for one in found.plan.platform_connections if one.target.name == CLUSTER_API]
    assert {(one.source.name, one.port) for one in planned} == reached


def one_host_per_port(declaration: CloudDeclaration) -> CloudDeclaration:
    """Return the declaration with one component of each system reached from outside, and no bucket that calls."""
    first: dict[str, str] = {}
    # A host leads to one component.
    buckets = {one.path for one in declaration.components if one.kind == "objects"}
    flows = tuple(
        flow
        for flow in declaration.flows
        if str(flow.source) not in buckets
        and (
            flow.source.kind != "outside" or first.setdefault(flow.target.system, flow.target.name) == flow.target.name
        )
    )
    return replace(declaration, flows=flows, ground=replace(GROUND, engines={"rabbitmq-cluster-operator": "2.16"}))


@sized(short=8, long=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(declarations())
def test_any_declaration_opens_exactly_its_connections(declaration: CloudDeclaration) -> None:
    try:
        found = hosted_objects(one_host_per_port(declaration))
    except ConfigError as error:
        assume(any("has no networks" in fault.problem for fault in error.faults))
        return
    assert_exactly_the_plan(found)


@pytest.mark.parametrize("name", ["app-to-db-5432-out", "app-to-db-5432-in"])
def test_the_judge_sees_each_of_the_two_policies(name: str) -> None:
    found = hosted_objects(base_declaration())
    less = tuple(one for one in found.hosted if one["metadata"]["name"] != name)
    with pytest.raises(AssertionError):
        assert_exactly_the_plan(replace(found, hosted=less))


def test_the_judge_sees_a_policy_too_many_and_a_namespace_left_open() -> None:
    found = hosted_objects(base_declaration())
    policy = found.one("NetworkPolicy", f"{ONESTOP}-database/app-to-db-5432-in")
    wide = {**policy, "metadata": {**policy["metadata"], "name": "all"}, "spec": {**policy["spec"], "ingress": [{}]}}
    with pytest.raises(AssertionError):
        assert_exactly_the_plan(replace(found, hosted=(*found.hosted, wide)))


def test_an_outside_party_reaches_no_pod_past_the_edge() -> None:
    found = hosted_objects(base_declaration())
    internet = NetworkParty(address="198.51.100.7")
    assert outside("internet") == found.plan.declaration.flows[0].source
    for pod in pods_by_component(found).values():
        assert not any(network_of(found).allow(internet, pod, port) for port in (443, 8080, 8081, 5432))
