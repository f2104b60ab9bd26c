"""The Pulumi program of the province's cloud without an engine: what it makes, protects, retains, leaves to others."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra.config.options import KubernetesOptions
from infra.config.stack_file import EngineConfig
from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.data_loss import recorded_outputs
from infra.program import deploy_cloud_part
from infra.targets.kubernetes.cloud.deploy import deploy_cloud
from infra.targets.kubernetes.cloud.files import object_file_name
from infra.targets.kubernetes.cloud.target import PROVIDER_NAME
from telemetry.errors import ConfigError
from tests.cloud_examples import GROUND, ONESTOP, TODAY, base_declaration, changed_components, hosted_system
from tests.conftest import CHECKOUT
from tests.hosted_objects import cluster_options, hosted_objects
from tests.program.pulumi_monitor import Recorded, Registered, run
from tests.unit.inventories import inventory

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration

OBJECTS = "kubernetes:"
DATA = {
    f"namespace-{ONESTOP}-database", f"cluster-{ONESTOP}-database-db", f"objectstore-{ONESTOP}-database-db",
}  # fmt: skip


def deployed(
    declaration: CloudDeclaration, *, part: str = "hosted", stage: str = "prod", preview: bool = False,
    cluster: KubernetesOptions | None = None,
) -> Recorded:  # fmt: skip
    plan = build_cloud_plan(declaration, province="vn83", stage=stage, today=TODAY)
    options = cluster_options(declaration, stage=stage, part=part)
    if cluster:
        options = options.model_copy(update={"kubernetes": cluster})

    def program() -> None:
        for name, value in deploy_cloud(plan, options, {}).items():
            pulumi.export(name, value)

    return run(program, preview=preview)


def objects_of(found: Recorded) -> list[Registered]:
    return [one for one in found.resources if one.type.startswith(OBJECTS)]


@pytest.mark.parametrize("preview", [False, True])
def test_what_reaches_the_engine_is_what_was_validated(preview: bool) -> None:
    expected = hosted_objects(base_declaration())
    for part, objects in (("ground", expected.ground), ("hosted", expected.hosted)):
        made = {one.name: one.inputs for one in objects_of(deployed(base_declaration(), part=part, preview=preview))}
        assert len(made) == len(objects)
        for manifest in objects:
            assert made[object_file_name(manifest)] == as_sent(manifest)


def as_sent(manifest: dict[str, Any]) -> dict[str, Any]:
    """Return a manifest as the engine gets it: it must not wait for a Service's instances, which come later."""
    if manifest["kind"] != "Service":
        return manifest
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": {"pulumi.com/skipAwait": "true"}}}


def test_instances_start_after_all_that_they_need_and_all_that_they_call() -> None:
    """The engine has few workers: one that waits for instances must never wait for what is behind it."""
    found = objects_of(deployed(base_declaration()))
    named = {one.name: one for one in found}
    app, web = (named[f"deployment-{ONESTOP}-{name}"] for name in ("server-app", "dmz-web"))
    for one in (app, web):
        space = one.inputs["metadata"]["namespace"]
        shared = {
            other.urn for other in found
            if other.inputs["metadata"].get("namespace") == space
            and other.inputs["kind"] in {"NetworkPolicy", "ServiceAccount", "ResourceQuota", "ExternalSecret"}
        }  # fmt: skip
        assert len(shared) >= 9
        assert shared <= one.depends_on
    assert named[f"cluster-{ONESTOP}-database-db"].urn in app.depends_on
    assert app.urn in web.depends_on
    awaited = {app.urn, web.urn}
    assert [one.name for one in found if one.urn not in awaited and one.depends_on & awaited] == []


@pytest.mark.parametrize("stage", ["dev", "stage", "prod"])
def test_data_are_protected_and_stay_in_prod_when_their_object_leaves_the_stack(stage: str) -> None:
    found = objects_of(deployed(base_declaration(), stage=stage))
    assert {one.name for one in found if one.protect} == (DATA if stage != "dev" else set())
    assert {one.name for one in found if one.retain} == (DATA if stage == "prod" else set())
    (storage,) = (one for one in objects_of(deployed(base_declaration(), part="ground", stage=stage))
                  if one.name.startswith("storageclass-"))  # fmt: skip
    assert (storage.protect, storage.retain) == (stage != "dev", stage == "prod")


def test_an_object_comes_after_its_namespace() -> None:
    found = objects_of(deployed(base_declaration()))
    namespaces = {one.inputs["metadata"]["name"]: one.urn for one in found if one.inputs["kind"] == "Namespace"}
    for one in found:
        namespace = one.inputs["metadata"].get("namespace")
        if namespace in namespaces:
            assert namespaces[namespace] in one.depends_on, one.name


def test_the_engine_leaves_replicas_to_the_autoscaler_and_patches_nothing_by_force() -> None:
    found = objects_of(deployed(base_declaration()))
    ignored = {one.name: one.ignored for one in found if one.ignored}
    assert ignored == {f"deployment-{ONESTOP}-dmz-web": ("spec.replicas",)}
    assert not any("patchForce" in str(one.inputs) for one in found)


def test_every_object_uses_the_one_provider_of_a_stable_name() -> None:
    for part in ("ground", "hosted"):
        found = deployed(base_declaration(), part=part)
        (provider,) = found.of("pulumi:providers:kubernetes")
        assert provider.name == PROVIDER_NAME == "cluster"
        assert all(one.provider.startswith(provider.urn) for one in objects_of(found))


@pytest.mark.parametrize("part", ["ground", "hosted"])
def test_a_run_calls_the_api_server_as_fast_as_the_stack_allows(part: str) -> None:
    (provider,) = deployed(base_declaration(), part=part).of("pulumi:providers:kubernetes")
    assert json.loads(provider.inputs["kubeClientSettings"]) == {"qps": 500.0, "burst": 1000}
    slowly = KubernetesOptions(calls_per_second=40)
    (slower,) = deployed(base_declaration(), part=part, cluster=slowly).of("pulumi:providers:kubernetes")
    assert json.loads(slower.inputs["kubeClientSettings"]) == {"qps": 40.0, "burst": 80}


def test_a_renamed_system_is_an_alias_and_its_objects_keep_their_names() -> None:
    before, declared = deployed(base_declaration()), base_declaration()
    renamed = "vn83-motcua"
    flows = tuple(
        replace(
            flow,
            source=replace(flow.source, system=renamed) if flow.source.system else flow.source,
            target=replace(flow.target, system=renamed),
        )
        for flow in declared.flows
    )
    after = deployed(
        replace(
            declared, systems={renamed: hosted_system(renamed, host="onestop.example", was=(ONESTOP,))}, flows=flows,
            components=changed_components(declared.components, lambda _: True, system=renamed),
        )
    )  # fmt: skip
    system = after.one(renamed, "motcua:cloud:System")
    assert any(alias.endswith(f"|{ONESTOP}") for alias in system.aliases)
    assert {one.name for one in objects_of(after)} == {one.name for one in objects_of(before)}


def test_the_hosted_part_checks_the_ground_before_it_makes_anything() -> None:
    weak = replace(base_declaration(), ground=replace(GROUND, network_policies_enforced=False))
    with pytest.raises(ConfigError, match="network_policies_enforced"):
        deployed(weak)


def test_outputs_name_the_kinds_that_operators_bring() -> None:
    exports = deployed(base_declaration()).exports
    assert "postgresql.cnpg.io/v1 Cluster" in exports["requiredKinds"]
    assert exports["systems"] == [ONESTOP]


def test_the_program_refuses_in_prod_what_would_delete_data_before_it_registers_anything() -> None:
    declared = base_declaration()
    plan = build_cloud_plan(declared, province="vn83", stage="prod", today=TODAY)
    earlier = recorded_outputs(plan, {}, "")
    without_database = replace(declared, components=declared.components[:2], flows=declared.flows[:2])
    options = cluster_options(without_database, stage="prod", part="hosted")
    world = replace(inventory("vn83", {}, {}), cloud=without_database)
    config = EngineConfig("Pulumi.hosted.yaml", {}, frozenset())

    def program() -> None:
        for known in (earlier, None):
            with pytest.raises(ConfigError, match="cannot be read" if known is None else "delete vn83-onestop/db"):
                deploy_cloud_part(options, world, TODAY, known, config, CHECKOUT)

    assert not run(program).resources
