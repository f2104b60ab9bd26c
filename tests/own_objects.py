"""Motcua as a hosted system of the sample, for tests: its objects, as declared or after an edit of the declaration.

It must not assert anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

from dashboards.files import provisioned_files
from infra.config.options import CloudOptions
from infra.config.stack_file import load_options
from infra.host.inside_agents import agent_settings
from infra.plan.cloud import CloudPlan, build_cloud_plan
from infra.plan.own_system import with_inside_broker
from infra.targets.kubernetes.cloud.manifests import agent_manifests, ground_manifests, hosted_manifests
from infra.targets.kubernetes.cloud.own_system import plan_own_system
from tests.cloud_examples import TODAY
from tests.hosted_objects import HostedObjects
from tests.kubernetes import ROOT, sample, sample_files

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from infra.config.options import StackOptions
    from infra.targets.kubernetes.cloud.objects import OwnSystem
    from telemetry.core.cloud.values import CloudDeclaration, Component

MOTCUA = "vn83-motcua"
HOSTED_FILE = ROOT / "infra/stacks/Pulumi.hosted.yaml"
SAMPLE = sample()
_DASHBOARDS: Mapping[str, str] = provisioned_files(SAMPLE)


def hosted_options(**cloud: Any) -> StackOptions:  # noqa: ANN401
    """Return the shipped options of the hosted systems with other settings of the cloud."""
    options = load_options(HOSTED_FILE)
    settings = {**options.cloud.model_dump(), **cloud}
    return options.model_copy(update={"cloud": CloudOptions.model_validate(settings)})


@dataclass(frozen=True)
class OwnObjects:
    """Motcua as a hosted system, and the objects of the whole cloud."""

    own: OwnSystem
    options: StackOptions
    hosted: HostedObjects

    @property
    def plan(self) -> CloudPlan:
        """Return the plan of the cloud."""
        return self.hosted.plan


def own_declaration(*others: str) -> CloudDeclaration:
    """Return the sample's declaration with Motcua, and of the other systems those that are named."""
    cloud, systems = SAMPLE.cloud, {MOTCUA, *others}
    return replace(
        cloud,
        systems={ident: one for ident, one in cloud.systems.items() if ident in systems},
        components=tuple(one for one in cloud.components if one.system in systems),
        flows=tuple(one for one in cloud.flows if {one.source.system, one.target.system} <= {*systems, ""}),
        lock=tuple(one for one in cloud.lock if one.system in systems),
    )


def changed_component(ident: str, change: Callable[[Component], Component | None]) -> CloudDeclaration:
    """Return Motcua's declaration with one component changed, or left out."""
    cloud = own_declaration()
    components = (change(one) if one.id == ident else one for one in cloud.components)
    return replace(cloud, components=tuple(one for one in components if one is not None))


def own_objects(
    declaration: CloudDeclaration, options: StackOptions | None = None, *, with_roles: bool = True
) -> OwnObjects:
    """Return the objects of a declaration with Motcua in it."""
    chosen = options or hosted_options()
    plan = build_cloud_plan(declaration, province="vn83", stage=chosen.stage, today=TODAY)
    own = plan_own_system(SAMPLE, chosen, plan, _DASHBOARDS, sample_files())
    own = replace(own, with_roles=with_roles)
    inside = with_inside_broker(chosen, plan)
    agents = agent_manifests(plan, inside, agent_settings(SAMPLE, plan, inside))
    objects = HostedObjects(plan, ground_manifests(plan, inside), hosted_manifests(plan, inside, own), agents)
    return OwnObjects(own, inside, objects)


@cache
def shipped_own_objects() -> OwnObjects:
    """Return the objects of Motcua alone, as the shipped files declare it."""
    return own_objects(own_declaration())
