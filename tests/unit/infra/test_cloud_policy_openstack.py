"""Says what the policy pack finds in single OpenStack resources of hosted systems."""

from __future__ import annotations

from typing import Any

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.exceptions import exception_label
from infra.policy.manifests import UNKNOWN
from infra.policy.resources import resource_violations
from infra.targets.openstack.cloud.resources import hosted_resources
from infra.targets.openstack.cloud.values import CloudSettings, CreatedReference, ExistingReference
from tests.cloud_examples import TODAY, base_declaration

LEVEL_3 = {"motcua.org:level": "3", "motcua.org:data": "personal"}
LEVEL_2 = {"motcua.org:level": "2", "motcua.org:data": "private"}
GROUPED = [{"group": "0f1e"}]


def rules(kind: str, **props: Any) -> list[str]:  # noqa: ANN401 - properties of any type
    found = resource_violations(f"openstack:any/{kind.lower()}:{kind}", props, "thing")
    return [finding.rule for finding in found]


@pytest.mark.parametrize(
    ("metadata", "hints", "expected"),
    [
        (LEVEL_3, GROUPED, []),
        (LEVEL_3, [], ["replicas"]),
        (LEVEL_3, UNKNOWN, []),
        (LEVEL_2, [], []),
        ({}, [], []),
        ({**LEVEL_3, exception_label("replicas").replace("/", ":"): "2027-01-31"}, [], []),
    ],
)
def test_a_machine_of_level_3_is_in_a_server_group(
    metadata: dict[str, str], hints: object, expected: list[str]
) -> None:
    assert rules("Instance", metadata=metadata, schedulerHints=hints) == expected


def test_a_volume_of_level_3_has_its_own_type() -> None:
    assert rules("Volume", metadata=LEVEL_3) == ["system-apart"]
    assert rules("Volume", metadata=LEVEL_3, volumeType="encrypted") == []
    assert rules("Volume", metadata=LEVEL_2) == []


def test_a_components_group_has_no_default_rules() -> None:
    assert rules("SecGroup", description="vn83-onestop/app") == ["egress-closed"]
    assert rules("SecGroup", description="vn83-onestop/app", deleteDefaultRules=True) == []
    assert rules("SecGroup", description="Motcua's servers") == []


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"remoteIpPrefix": "10.83.64.0/24"}, []),
        ({"remoteGroupId": "0f1e"}, []),
        ({"remoteIpPrefix": "0.0.0.0/0"}, ["flow-declared"]),
        ({}, ["flow-declared"]),
        ({"remoteIpPrefix": UNKNOWN}, []),
        ({"remoteIpPrefix": "10.83.64.0/24", "portRangeMax": 9000}, ["flow-declared"]),
        ({"remoteIpPrefix": "0.0.0.0/0", "description": "node exporter"}, []),
    ],
)
def test_a_rule_of_a_connection_names_networks_and_one_port(props: dict[str, Any], expected: list[str]) -> None:
    base = {"direction": "egress", "portRangeMin": 443, "portRangeMax": 443, "description": "app to ngsp"}
    assert rules("SecGroupRule", **{**base, **props}) == expected


TYPES = {
    "machine": "Instance", "volume": "Volume", "security-group": "SecGroup", "security-group-rule": "SecGroupRule",
    "listener": "Listener",
}  # fmt: skip


def camel_case(name: str) -> str:
    """Return a property's name as the engine has it."""
    first, *others = name.split("_")
    return first + "".join(word.capitalize() for word in others)


def as_json(value: object) -> Any:  # noqa: ANN401 - any JSON
    """Return a property's value as a policy sees it in a preview: what another resource gives is unknown."""
    if isinstance(value, CreatedReference | ExistingReference):
        return UNKNOWN
    if isinstance(value, dict):
        return {camel_case(key) if "/" not in key else key: as_json(one) for key, one in value.items()}
    return [as_json(one) for one in value] if isinstance(value, list) else value


def test_what_the_program_asks_openstack_for_has_no_breach() -> None:
    plan = build_cloud_plan(base_declaration(), province="83", stage="prod", today=TODAY)
    seen = set()
    for resource in hosted_resources(plan, CloudSettings()):
        if resource.kind in TYPES:
            props = {camel_case(name): as_json(value) for name, value in resource.properties.items()}
            found = resource_violations(f"openstack:any/any:{TYPES[resource.kind]}", props, resource.name)
            assert [str(one) for one in found] == []
            seen.add(resource.kind)
    assert seen == set(TYPES)
