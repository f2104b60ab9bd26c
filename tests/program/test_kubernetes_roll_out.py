"""The order in which Motcua's own stack reaches the engine: its few workers wait for nothing that comes after it."""

from __future__ import annotations

from functools import cache

import pulumi
import pytest

from dashboards.files import provisioned_files
from infra.plan import build_plan
from infra.targets.kubernetes.deploy import deploy_cluster
from infra.targets.kubernetes.manifests import base_manifests, required_secrets, stack_role_manifests
from infra.targets.kubernetes.objects import ClusterSpec
from infra.targets.kubernetes.roll_out import AWAITED_KINDS, NOT_AWAITED, calls_of, roll_out
from tests.kubernetes import DAY, options, sample, sample_files, stack
from tests.program.pulumi_monitor import Recorded, Registered, run

OUTSIDE_KINDS = frozenset({"Ingress"})


@cache
def deployed(exposure: str = "ingress", *, reachable: bool = True) -> Recorded:
    wanted = options(influx_reachable=reachable, exposure=exposure)
    plan = build_plan(sample(), wanted, DAY, provisioned_files(sample()))
    world = ClusterSpec(plan, wanted, sample_files())
    names = required_secrets((*base_manifests(world), *stack_role_manifests(world)))

    def program() -> None:
        deploy_cluster(plan, wanted, {name: pulumi.Output.secret(name) for name in names}, sample_files())

    return run(program)


def objects(found: Recorded) -> list[Registered]:
    return [one for one in found.resources if one.type.startswith("kubernetes:")]


def workloads(found: Recorded) -> dict[str, Registered]:
    """Return the workloads by component."""
    return {component(one): one for one in objects(found) if one.inputs["kind"] in AWAITED_KINDS}


def component(one: Registered) -> str:
    return str(one.inputs["metadata"]["labels"]["app.kubernetes.io/component"])


def reaches_outside(one: Registered) -> bool:
    return one.inputs["kind"] in OUTSIDE_KINDS or one.inputs.get("spec", {}).get("type") == "LoadBalancer"


@pytest.mark.parametrize("exposure", ["ingress", "gateway"])
@pytest.mark.parametrize("reachable", [False, True])
def test_instances_start_after_all_that_is_made_for_instances(exposure: str, *, reachable: bool) -> None:
    found = deployed(exposure, reachable=reachable)
    base = {one.urn for one in objects(deployed(exposure, reachable=False))}
    instances = workloads(found)
    assert len(instances) == (8 if reachable else 2)
    needed = [one for one in objects(found) if one not in instances.values() and not reaches_outside(one)]
    assert {"ConfigMap", "Secret", "NetworkPolicy", "Service", "PersistentVolumeClaim", "ServiceAccount"} <= {
        one.inputs["kind"] for one in needed
    }
    for instance in instances.values():
        made_before = base if instance.urn in base else {one.urn for one in objects(found)}
        assert {one.urn for one in needed if one.urn in made_before} <= instance.depends_on, instance.name


def test_instances_start_after_what_they_call() -> None:
    instances, calls = workloads(deployed()), calls_of(stack().plan.flows)
    pairs = [(caller, callee) for caller, callees in calls.items() for callee in callees]
    between = [(caller, callee) for caller, callee in pairs if {caller, callee} <= instances.keys()]
    assert len(between) >= 10
    for caller, callee in between:
        assert instances[callee].urn in instances[caller].depends_on, (caller, callee)


def test_nothing_waits_for_what_comes_after_it() -> None:
    """Services and claims get pods from objects that come later; one that is awaited would hold a worker for ever."""
    for exposure in ("ingress", "gateway"):
        for one in objects(deployed(exposure)):
            annotations = one.inputs["metadata"].get("annotations", {})
            waits = not NOT_AWAITED.items() <= annotations.items()
            is_skipped = one.inputs["kind"] in {"Service", "PersistentVolumeClaim"} and not reaches_outside(one)
            assert waits is not is_skipped, one.name


def test_what_gets_an_address_outside_comes_after_the_instances_and_nothing_comes_after_it() -> None:
    found = deployed()
    opening = [one for one in objects(found) if reaches_outside(one)]
    assert {one.inputs["kind"] for one in opening} == {"Service", "Ingress"}
    instances = workloads(found)
    for one in opening:
        assert instances["broker"].urn in one.depends_on
        assert not [other.name for other in objects(found) if one.urn in other.depends_on]
        if one.inputs["kind"] == "Ingress":
            assert {instance.urn for instance in instances.values()} <= one.depends_on


def test_a_callee_without_a_workload_and_a_ring_are_no_fault() -> None:
    def workload(name: str) -> dict[str, object]:
        labels = {"app.kubernetes.io/component": name}
        return {"kind": "Deployment", "metadata": {"name": name, "labels": labels}}

    steps = roll_out([workload(name) for name in "abc"], {"a": ["b", "people"], "b": ["a"], "c": ["a"]})
    assert [one["metadata"]["name"] for one in steps.workloads] == ["b", "a", "c"]
    assert (steps.needed, steps.last) == ((), ())
