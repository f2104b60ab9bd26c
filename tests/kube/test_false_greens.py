"""What a real API server accepts although it is wrong, and with what care a test sees it nevertheless.

Each test would be green for the wrong reason without that care: they guard the tests beside them, not the product.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.kube.objects import (
    Json,
    default_account,
    deployment,
    namespace,
    pod,
    pods_of,
    restricted_pod_spec,
)
from tests.kube.policies import binding_of, policy_of, until_refused
from tests.kube_server import Refused, Warned

if TYPE_CHECKING:
    from tests.kube_server import KubeServer

pytestmark = pytest.mark.kube
RESTRICTED = {"pod_security.kubernetes.io__enforce": "restricted", "pod_security.kubernetes.io__warn": "restricted"}


def space_of(cluster: KubeServer, name: str, **labels: str) -> str:
    """Make a namespace with its default service account; returns its name."""
    cluster.apply(namespace(name, **labels))
    cluster.apply(default_account(name))
    return name


def test_pod_security_refuses_only_the_pod_of_a_deployment_with_the_nodes_network(cluster: KubeServer) -> None:
    space = space_of(cluster, "pod-security", **RESTRICTED)
    bad = deployment("bad", space, restricted_pod_spec(hostNetwork=True))
    cluster.apply(bad, warnings=True)
    assert cluster.read(bad)["spec"]["template"]["spec"]["hostNetwork"], "the API stores it"
    (its_pod,) = pods_of([bad])
    with pytest.raises(Refused, match="violates PodSecurity"):
        cluster.apply(its_pod, dry_run=True)
    (good,) = pods_of([deployment("good", space, restricted_pod_spec())])
    cluster.apply(good, dry_run=True)


def test_what_pod_security_says_of_a_deployment_is_a_warning_and_so_a_failure(cluster: KubeServer) -> None:
    space = space_of(cluster, "warned", **RESTRICTED)
    with pytest.raises(Warned, match="host namespaces"):
        cluster.apply(deployment("bad", space, restricted_pod_spec(hostNetwork=True)))


def test_a_namespace_without_the_label_admits_the_same_pod(cluster: KubeServer) -> None:
    space = space_of(cluster, "no-pod-security")
    cluster.apply(pod("bad", space, {"spec": restricted_pod_spec(hostNetwork=True)}), dry_run=True)


def test_a_quota_refuses_nothing_before_somebody_has_written_its_status(cluster: KubeServer) -> None:
    space = space_of(cluster, "quota")
    hard = {"services.loadbalancers": "0", "pods": "0"}
    meta = {"name": "zone", "namespace": space}
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard}}
    cluster.apply(quota)
    spec = {"type": "LoadBalancer", "ports": [{"port": 80}], "selector": {"app": "x"}}
    one = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "one", "namespace": space}, "spec": spec}
    cluster.apply(one)
    cluster.write_status(quota, {"hard": hard, "used": {"services.loadbalancers": "0", "pods": "0"}})
    two = {**one, "metadata": {"name": "two", "namespace": space}}
    refused = until_refused(lambda: cluster.apply(two), lambda: cluster.delete(two))
    assert "exceeded quota: zone" in refused.message
    with pytest.raises(Refused, match="exceeded quota: zone"):
        cluster.apply(pod("one", space, {"spec": restricted_pod_spec()}), dry_run=True)


def test_a_policy_acts_only_after_a_moment_and_only_with_its_binding(cluster: KubeServer) -> None:
    space = space_of(cluster, "policy", motcua_test="acts")
    policy = policy_of("replicas-test", "object.spec.replicas >= 2", "needs two")
    single, double = (deployment("one", space, restricted_pod_spec(), replicas=count) for count in (1, 2))
    cluster.apply(policy)
    deadline = time.monotonic() + 1
    while time.monotonic() < deadline:  # a policy without a binding never acts, however long one waits
        cluster.apply(single, dry_run=True)
    cluster.apply(binding_of(policy, motcua_test="acts"))
    refused = until_refused(lambda: cluster.apply(single, dry_run=True))
    assert "needs two" in refused.message
    cluster.apply(double, dry_run=True)


def test_a_policy_with_a_misspelt_field_is_accepted_and_an_object_of_each_kind_shows_it(cluster: KubeServer) -> None:
    """It is no better than none where failures are ignored, and refuses good objects too where they are not."""
    ignoring = space_of(cluster, "misspelt-ignored", motcua_test="misspelt-ignored")
    failing = space_of(cluster, "misspelt-failing", motcua_test="misspelt-failing")
    for space, on_failure in ((ignoring, "Ignore"), (failing, "Fail")):
        policy = policy_of(f"{space}-test", "object.spec.replica >= 2", "needs two", on_failure=on_failure)
        cluster.apply(policy)
        cluster.apply(binding_of(policy, motcua_test=space))
        assert cluster.read(policy).get("status", {}).get("typeChecking") is None, (
            "the controller that checks is absent"
        )
    good = deployment("one", failing, restricted_pod_spec(), replicas=2)
    refused = until_refused(lambda: cluster.apply(good, dry_run=True))
    assert "no such key: replica" in refused.message
    cluster.apply(deployment("one", ignoring, restricted_pod_spec(), replicas=1), dry_run=True)


def test_an_unknown_field_and_a_listener_named_twice_are_refused_at_once(cluster: KubeServer) -> None:
    space = space_of(cluster, "fields")
    with pytest.raises(Refused, match="replica: field not declared in schema"):
        cluster.apply(misspelt(deployment("one", space, restricted_pod_spec())))
    listener = {"name": "https", "port": 443, "protocol": "HTTP"}
    gateway = {
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "Gateway",
        "metadata": {"name": "one", "namespace": space},
        "spec": {"gatewayClassName": "any", "listeners": [listener, {**listener, "port": 8443}]},
    }  # fmt: skip
    cluster.define_kinds([gateway])
    with pytest.raises(Refused, match="duplicate"):
        cluster.apply(gateway)


def test_an_unknown_field_of_a_foreign_kind_is_refused_where_its_definition_is_the_published_one(
    cluster: KubeServer,
) -> None:
    space = space_of(cluster, "foreign")
    certificate = {
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate", "metadata": {"name": "one", "namespace": space},
        "spec": {"secretName": "one", "dnsNames": ["one.test"], "issuerRef": {"name": "any"}},
    }  # fmt: skip
    cluster.define_kinds([certificate])
    cluster.apply(certificate)
    with pytest.raises(Refused, match="replica: field not declared in schema"):
        cluster.apply(misspelt(certificate))


def misspelt(one: Json) -> Json:
    return {**one, "spec": {**one["spec"], "replica": 2}}


def test_the_own_definition_of_a_database_accepts_any_field(cluster: KubeServer) -> None:
    """So an accepted `Cluster` proves its name and place, and nothing about its fields."""
    space = space_of(cluster, "database")
    meta = {"name": "db", "namespace": space}
    cluster.apply({
        "apiVersion": "postgresql.cnpg.io/v1", "kind": "Cluster", "metadata": meta, "spec": {"instanzen": "three"},
    })  # fmt: skip


def test_another_writers_field_is_a_conflict_because_nothing_is_forced(cluster: KubeServer) -> None:
    space = space_of(cluster, "conflict")
    one = deployment("one", space, restricted_pod_spec(), replicas=1)
    cluster.apply(one)
    path = cluster.path_of(one)
    theirs = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": one["metadata"], "spec": {"replicas": 3}}
    cluster.send("PATCH", path, theirs, "application/apply-patch+yaml", fieldManager="autoscaler", force="true")
    with pytest.raises(Refused, match=r"conflict with \"autoscaler\""):
        cluster.apply(one)


def test_a_changed_selector_and_changed_claims_are_refused_as_immutable(cluster: KubeServer) -> None:
    space = space_of(cluster, "immutable")
    one = deployment("one", space, restricted_pod_spec(), tier="a")
    cluster.apply(one)
    other = {**one, "spec": {**one["spec"], "selector": {"matchLabels": {"app": "one", "tier": "a"}}}}
    with pytest.raises(Refused, match="field is immutable"):
        cluster.apply(other)
    (first, second) = (stateful_set(space, size) for size in ("1Gi", "2Gi"))
    cluster.apply(first)
    with pytest.raises(Refused, match=r"volumeClaimTemplates: .*field is immutable"):
        cluster.apply(second)


def stateful_set(space: str, size: str) -> Json:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}}
    base = deployment("set", space, restricted_pod_spec())
    spec = {**base["spec"], "serviceName": "set",
            "volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": claim}]}  # fmt: skip
    return {**base, "kind": "StatefulSet", "spec": spec}


def test_an_unchanged_object_stays_as_it_is_and_an_edit_shows(cluster: KubeServer) -> None:
    space = space_of(cluster, "unchanged")
    one = deployment("one", space, restricted_pod_spec(), replicas=1)
    first, second = cluster.apply(one), cluster.apply(one)
    assert first["metadata"]["resourceVersion"] == second["metadata"]["resourceVersion"]
    edited = cluster.apply(deployment("one", space, restricted_pod_spec(), replicas=2))
    assert edited["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]


def test_a_pod_of_a_namespace_without_service_accounts_is_refused_for_another_reason(cluster: KubeServer) -> None:
    """The absent controller makes `default`: a refusal of a pod without one says nothing about the pod."""
    cluster.apply(namespace("no-account"))
    with pytest.raises(Refused, match='serviceaccount "default" not found'):
        cluster.apply(pod("one", "no-account", {"spec": restricted_pod_spec()}), dry_run=True)
