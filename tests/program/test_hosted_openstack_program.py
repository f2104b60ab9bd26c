"""Hosted systems on OpenStack: what the program registers for their values."""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pulumi
import pytest

from infra.config.options import BrokerOptions, StackOptions
from infra.plan.cloud import build_cloud_plan
from infra.policy.resources import resource_violations
from infra.targets.openstack.cloud.resources import ground_resources, hosted_resources
from infra.targets.openstack.cloud.values import CloudSettings, CreatedReference, ExistingReference, ProgramUser
from telemetry.core.cloud.values import CloudDeclaration
from telemetry.errors import ConfigError
from tests.cloud_examples import TODAY, base_declaration
from tests.program.pulumi_monitor import Recorded, Registered, run

if TYPE_CHECKING:
    from infra.targets.openstack.cloud.values import CloudResource

# The vendor's package warns about its own old names when it is imported.
pytestmark = pytest.mark.filterwarnings("ignore:openstack:DeprecationWarning")
SETTINGS = CloudSettings(region="ben-tre", name_zone="example.")
PROJECT = "vn83-onestop-prod"
KINDS = {"compute-quota": "QuotaSetV2", "volume-quota": "QuoteSetV3"}
"""Type names that differ from their class's."""


@pytest.fixture(autouse=True)
def cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand for what a cloud answers when it is asked for something by name."""
    from pulumi_openstack import identity

    from infra.targets.openstack.cloud import deploy

    def answer(kind: str) -> Any:  # noqa: ANN401 - a function of the SDK
        def found(**asked: Any) -> pulumi.Output[SimpleNamespace]:  # noqa: ANN401 - whatever is asked
            assert asked["region"] == "ben-tre"
            ident = f"{kind}-{asked['name']}"
            return pulumi.Output.from_input(ident).apply(lambda text: SimpleNamespace(id=text, user_id="program-user"))

        return found

    monkeypatch.setattr(deploy, "_LOOKUPS", {kind: answer(kind) for kind in deploy._LOOKUPS})
    monkeypatch.setattr(identity, "get_auth_scope_output", answer("scope"))


def computed(one: Registered) -> dict[str, Any]:
    if one.type == "openstack:networking/port:Port":
        return {"allFixedIps": ["10.83.65.7"]}
    return {"address": "203.0.113.7"} if one.type == "openstack:networking/floatingIp:FloatingIp" else {}


AGENTS = {f"vn83-cloud-{zone}1": 'device = "…"\n' for zone in ("manage", "dmz", "server")}


def made(part: str = "hosted", *, preview: bool = False, stage: str = "prod") -> Recorded:
    from infra.targets.openstack.cloud.deploy import deploy_ground, deploy_hosted

    plan = build_cloud_plan(base_declaration(), province="vn83", stage=stage, today=TODAY)

    def program() -> None:
        made_of = deploy_ground(plan, SETTINGS, None, AGENTS) if part == "ground" else deploy_hosted(plan, SETTINGS)
        for name, value in made_of.items():
            pulumi.export(name, value)

    return run(program, computed, preview=preview)


def values(part: str = "hosted") -> tuple[CloudResource, ...]:
    plan = build_cloud_plan(base_declaration(), province="vn83", stage="prod", today=TODAY)
    return ground_resources(plan, SETTINGS, AGENTS) if part == "ground" else hosted_resources(plan, SETTINGS)


def camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(word.title() for word in others)


def resolved(value: object) -> object:
    """Return a property as the engine gets it, with the ids that the monitor gives."""
    if isinstance(value, CreatedReference):
        outputs = {"id": f"{value.name}-id", "first_address": "10.83.65.7", "address": "203.0.113.7"}
        return outputs[value.output]
    if isinstance(value, ProgramUser):
        return "program-user"
    if isinstance(value, ExistingReference):
        return f"{value.kind}-{value.name}"
    if isinstance(value, dict):
        return {camel(key): resolved(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [resolved(inner) for inner in value]
    return value


@pytest.mark.parametrize("part", ["ground", "hosted"])
@pytest.mark.parametrize("preview", [True, False])
def test_each_value_is_one_resource_in_the_region(part: str, preview: bool) -> None:
    found = made(part, preview=preview)
    custom = [one for one in found.resources if one.type.startswith("openstack:")]
    assert sorted(one.name for one in custom) == sorted(one.name for one in values(part))
    assert {one.inputs["region"] for one in custom} == {"ben-tre"}


@pytest.mark.parametrize("part", ["ground", "hosted"])
def test_each_property_of_a_value_reaches_the_engine_unchanged(part: str) -> None:
    from infra.targets.openstack.cloud.deploy import _CLASSES

    registered = iter(made(part).resources)
    inputs = {(one.type.rpartition(":")[2], one.name): one.inputs for one in registered}
    for value in values(part):
        sent = inputs[KINDS.get(value.kind, _CLASSES[value.kind].__name__), value.name]
        for name, property_value in value.properties.items():
            wanted = property_value if name == "metadata" else resolved(property_value)
            assert sent[camel(name)] == wanted, (value.kind, value.name, name)


def test_members_create_what_is_theirs_and_the_administrator_what_they_may_not() -> None:
    found = made()
    network, router = (
        found.one("vn83-onestop-dmz", "openstack:networking/network:Network"),
        found.one(PROJECT, "openstack:networking/router:Router"),
    )
    assert f"openstack-{PROJECT}" in network.provider
    assert f"openstack-{PROJECT}" not in router.provider
    member = found.one(f"openstack-{PROJECT}")
    assert member.inputs["tenantId"] == f"{PROJECT}-id"
    waits = {urn.rpartition("::")[2] for urn in member.depends_on}
    assert {f"{PROJECT}/program", PROJECT} <= waits


@pytest.mark.parametrize(("stage", "is_protected"), [("prod", True), ("dev", False)])
def test_what_is_lasting_is_protected_but_in_dev(stage: str, is_protected: bool) -> None:
    found = made(stage=stage)
    kept = {one.type.rpartition(":")[2] for one in found.resources if one.protect}
    assert kept == (
        {
            "Project", "Network", "Subnet", "Router", "Port", "Volume", "Instance", "LoadBalancer", "FloatingIp",
            "GroupV3",
        }
        if is_protected
        else set()
    )  # fmt: skip


def test_a_newer_image_replaces_no_machine_and_an_equal_rule_is_deleted_before_its_successor() -> None:
    found = made()
    assert set(found.one(f"{PROJECT}/db-1", "openstack:compute/instance:Instance").ignored) == {
        "userData", "imageId", "blockDevices",
    }  # fmt: skip
    assert all(one.delete_first for one in found.of("openstack:networking/secGroupRule:SecGroupRule"))


def test_the_credential_is_secret_and_nothing_else_is_in_the_state() -> None:
    found = made()
    credential = found.one(PROJECT, "openstack:identity/applicationCredential:ApplicationCredential")
    assert "secret" in credential.secret_outputs
    assert found.exports["addresses"] == {PROJECT: "203.0.113.7"}


def test_every_class_of_the_sdk_knows_the_properties_of_its_values() -> None:
    import inspect

    from infra.targets.openstack.cloud.deploy import _CLASSES

    for value in (*values("ground"), *values()):
        known = set(inspect.signature(_CLASSES[value.kind]._internal_init).parameters)  # type: ignore[attr-defined]
        assert set(value.properties) <= known, value.kind


@pytest.mark.parametrize("part", ["ground", "hosted"])
def test_nothing_that_is_created_breaks_a_rule_of_the_policy_pack(part: str) -> None:
    found = made(part)
    breaches = [breach for one in found.resources for breach in resource_violations(one.type, one.inputs, one.name)]
    assert breaches == []


def test_the_stack_file_says_which_part_is_deployed_and_an_empty_one_is_refused() -> None:
    from infra.targets.openstack.cloud.deploy import deploy_part

    plan = build_cloud_plan(base_declaration(), province="vn83", stage="prod", today=TODAY)
    for part, kind in (("ground", "vn83-platform-prod"), ("hosted", PROJECT)):
        found = run(partial(deploy_part, plan, wanted(part), AGENTS), computed)
        assert kind in {one.name for one in found.of("openstack:identity/project:Project")}
        assert found.one("vn83").type == "motcua:platform:Province"
    empty = build_cloud_plan(CloudDeclaration(), province="vn83", stage="prod", today=TODAY)
    with pytest.raises(ConfigError, match=r"motcua:cloud\.part: the inventory hosts no system"):
        run(partial(deploy_part, empty, wanted("hosted"), {}))
    local = wanted("ground").model_copy(update={"broker": BrokerOptions()})
    with pytest.raises(ConfigError, match=r"motcua:broker\.host: is localhost"):
        run(partial(deploy_part, plan, local, AGENTS))


def wanted(part: str) -> StackOptions:
    given = {"stage": "prod", "target": "openstack", "cloud": {"part": part}, "openstack": {"region": "ben-tre"}}
    return StackOptions.model_validate({**given, "broker": {"host": "mqtt.example"}})
