"""Queues as RabbitMQ's cluster operator runs them: what it was seen to make of a RabbitmqCluster (decision 0072)."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.policy.cloud.admission import platform_namespaces
from telemetry.core.cloud.values import Component, Flow
from telemetry.errors import ConfigError
from tests.cloud_examples import ONESTOP, base_declaration, component_end
from tests.hosted_objects import HostedObjects, hosted_objects

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration

SERVER, DATABASE = f"{ONESTOP}-server", f"{ONESTOP}-database"
PODS = {"app.kubernetes.io/name": "mail", "app.kubernetes.io/component": "rabbitmq"}


def with_queue(zone: str = "server", port: int = 5671, disk_gb: int = 10, *, tls: bool = True) -> CloudDeclaration:
    """Return the base declaration with a queue that the component app calls."""
    base = base_declaration()
    queue = Component(ONESTOP, "mail", "queue", zone, "S", 3, 3, disk_gb, port, image="rabbitmq")  # type: ignore[arg-type]
    flow = Flow(component_end(ONESTOP, "app"), component_end(ONESTOP, "mail"), port, "messages", tls=tls)
    engines = {"rabbitmq-cluster-operator": "2.22.3"}
    return replace(
        base, components=(*base.components, queue), flows=(*base.flows, flow),
        ground=replace(base.ground, engines=engines),
    )  # fmt: skip


@pytest.fixture(scope="module")
def found() -> HostedObjects:
    return hosted_objects(with_queue())


def test_the_first_user_of_a_queue_is_the_one_that_its_callers_know() -> None:
    """Without a Secret the operator invents a user, and the callers' one is refused."""
    for zone in ("server", "database"):
        found = hosted_objects(with_queue(zone))
        cluster = found.one("RabbitmqCluster", f"{ONESTOP}-{zone}/mail")["spec"]
        assert cluster["secretBackend"] == {"externalSecret": {"name": "mail-access"}}
        secret = found.one("ExternalSecret", f"{ONESTOP}-{zone}/mail-access")["spec"]
        assert secret["dataFrom"] == [{"extract": {"key": f"{ONESTOP}-{zone}/mail"}}]
        assert secret["target"]["template"] == {
            "type": "Opaque", "engineVersion": "v2", "mergePolicy": "Merge",
            "data": {"default_user.conf": "default_user = {{ .username }}\ndefault_pass = {{ .password }}\n"},
        }  # fmt: skip
        caller = found.one("ExternalSecret", f"{SERVER}/mail-access")["spec"]
        assert caller["dataFrom"] == secret["dataFrom"]


def test_the_volumes_of_a_deleted_queue_stay(found: HostedObjects) -> None:
    """The operator's own StatefulSet deletes them (`whenDeleted: Delete`)."""
    stateful = found.one("RabbitmqCluster", f"{SERVER}/mail")["spec"]["override"]["statefulSet"]["spec"]
    assert stateful == {"persistentVolumeClaimRetentionPolicy": {"whenDeleted": "Retain", "whenScaled": "Retain"}}


@pytest.mark.parametrize(("disk_gb", "free_mb"), [(1, 200), (2, 400), (10, 2000), (500, 2000)])
def test_a_small_disk_does_not_stop_a_queue_at_once(disk_gb: int, free_mb: int) -> None:
    """The operator's `disk_free_limit` is 2 GB: with a disk of 2 GB no message would ever be taken."""
    found = hosted_objects(with_queue(disk_gb=disk_gb))
    cluster = found.one("RabbitmqCluster", f"{SERVER}/mail")["spec"]
    assert cluster["rabbitmq"] == {"additionalConfig": f"disk_free_limit.absolute = {free_mb}MB\n"}


def test_the_instances_of_a_queue_are_at_different_hosts(found: HostedObjects) -> None:
    apart = found.one("RabbitmqCluster", f"{SERVER}/mail")["spec"]["affinity"]["podAntiAffinity"]
    (term,) = apart["requiredDuringSchedulingIgnoredDuringExecution"]
    assert term == {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": PODS}}


def test_hosts_that_drain_leave_a_queue_its_quorum(found: HostedObjects) -> None:
    """The operator makes no disruption budget of its own."""
    budget = found.one("PodDisruptionBudget", f"{SERVER}/mail")["spec"]
    assert budget == {"maxUnavailable": 1, "selector": {"matchLabels": PODS}}


@pytest.mark.parametrize(("port", "management"), [(5671, 15671), (5672, 15672)])
def test_the_instances_reach_each_other_and_their_operator_reaches_them(port: int, management: int) -> None:
    found = hosted_objects(with_queue(port=port, tls=port == 5671))
    own = [one["spec"] for one in found.of("NetworkPolicy") if one["spec"]["podSelector"] == {"matchLabels": PODS}]
    within = {"namespaceSelector": {"matchLabels": {
        "kubernetes.io/metadata.name": SERVER, "motcua.org/system": ONESTOP,
    }}, "podSelector": {"matchLabels": PODS}}  # fmt: skip
    for direction, ends in (("ingress", "from"), ("egress", "to")):
        rules = [rule for spec in own for rule in spec.get(direction, ())]
        assert {rule["ports"][0]["port"] for rule in rules if rule[ends] == [within]} == {4369, 25672}
    operator = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "rabbitmq-system"}},
        "podSelector": {"matchLabels": {"app.kubernetes.io/name": "rabbitmq-cluster-operator"}},
    }
    rules = [rule for spec in own for rule in spec.get("ingress", ())]
    assert [rule["ports"][0]["port"] for rule in rules if rule["from"] == [operator]] == [management]
    assert "rabbitmq-system" in platform_namespaces(found.plan.declaration, "vn83")


@pytest.mark.parametrize(("port", "wanted"), [(5672, 5671), (5671, 5672), (61613, 5671)])
def test_a_port_that_the_operator_does_not_open_is_a_fault(port: int, wanted: int) -> None:
    with pytest.raises(ConfigError, match=f"has port {port}, and its operator opens {wanted} alone"):
        hosted_objects(with_queue(port=port, tls=wanted == 5671))
