"""Motcua's own stack on a real API server: accepted without a warning, unchanged by a second apply."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.kube.objects import pods_of
from tests.kube.rollouts import RollOut, changed, key_of
from tests.kube_server import Refused
from tests.kubernetes import stack

if TYPE_CHECKING:
    from tests.kube_server import KubeServer

pytestmark = pytest.mark.kube
SPACE = "motcua-applied"
"""Not the stack file's: tests of the engine may roll that one out on the same server."""


@pytest.fixture(scope="module")
def rolled(cluster: KubeServer) -> RollOut:
    found = RollOut(cluster, stack(namespace=SPACE).objects)
    found.apply()
    return found


def test_every_object_is_accepted_without_a_warning_and_a_second_apply_changes_nothing(rolled: RollOut) -> None:
    before = rolled.read()
    assert len(before) == len(rolled.objects) > 90
    assert changed(before, rolled.apply()) == set()
    assert rolled.read() == before


def test_every_pod_is_admitted(rolled: RollOut) -> None:
    assert rolled.try_pods() == sum(one["kind"] in {"Deployment", "StatefulSet", "CronJob"} for one in rolled.objects)


def test_the_namespace_refuses_a_pod_of_the_stack_that_runs_as_root(rolled: RollOut) -> None:
    one = next(pods_of(rolled.objects))
    spec = {**one["spec"], "securityContext": {**one["spec"]["securityContext"], "runAsUser": 0, "runAsNonRoot": False}}
    with pytest.raises(Refused, match="violates PodSecurity"):
        rolled.server.apply({**one, "spec": spec}, dry_run=True)


def test_an_edited_inventory_changes_its_objects_alone(rolled: RollOut) -> None:
    before = rolled.read()
    files = {key_of(one) for one in rolled.objects if one["kind"] == "ConfigMap"}
    edited = tuple(
        {**one, "data": {**one["data"], "devices.csv": one["data"]["devices.csv"] + "\n"}}
        if one["metadata"]["name"] == "inventory-devices-csv" and one["kind"] == "ConfigMap" else one
        for one in rolled.objects
    )  # fmt: skip
    altered = changed(before, RollOut(rolled.server, edited).apply())
    assert altered == {("ConfigMap", SPACE, "inventory-devices-csv")}
    assert altered < files
