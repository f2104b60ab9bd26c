"""The agents inside the cloud on OpenStack: machines, groups, and whose door refuses what must be closed."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given

from infra.plan.cloud.security_groups import NetworkPort, groups_allow
from infra.plan.cloud.vantage_points import planned_vantage_points
from infra.targets.openstack.cloud.resources import ground_resources
from infra.targets.openstack.cloud.values import CloudSettings, CreatedReference
from infra.targets.openstack.cloud.vantage import agent_user_data
from telemetry.core.cloud.values import ComponentSize
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import ONESTOP, base_declaration
from tests.cloud_group_reach import GroupWorld, group_world
from tests.property_sizes import sized
from tests.unit.infra.test_cloud_reachability import machines_plan
from tests.unit.infra.test_openstack_groups import as_group_rule
from tests.unit.infra.test_vantage_points import calling_ngsp, planned

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan
    from infra.targets.openstack.cloud.values import CloudResource

MANAGE, DMZ, SERVER = (f"vn83-cloud-{zone}1" for zone in ("manage", "dmz", "server"))


def agents_of(plan: CloudPlan) -> dict[str, str]:
    return {point.namespace: f'device = "{point.namespace}"\n' for point in planned_vantage_points(plan)}


def ground_of(plan: CloudPlan) -> dict[tuple[str, str], CloudResource]:
    return {(one.kind, one.name): one for one in ground_resources(plan, CloudSettings(), agents_of(plan))}


def reaches(
    world: GroupWorld, ground: dict[tuple[str, str], CloudResource], device: str, target: str, port: int, protocol: str
) -> tuple[bool, bool]:
    """Return whether the agent's group lets a connection out, and whether both ends let it through."""
    sent: Any = ground["port", device].properties
    (group,) = sent["security_group_ids"]
    source = NetworkPort(sent["fixed_ips"][0]["ip_address"], frozenset({group.name}))
    rules = [as_group_rule(one) for (kind, _), one in ground.items() if kind == "security-group-rule"]
    there = world.ports[target]
    outward = groups_allow(rules, source, NetworkPort(there.address), port, protocol)
    return outward, outward and groups_allow([*rules, *world.rules], source, there, port, protocol)


def assert_doors(plan: CloudPlan) -> None:
    world, ground = group_world(plan), ground_of(plan)
    for one in plan.platform_connections:
        if one.source.kind == "vantage":
            found = reaches(world, ground, one.source.namespace, str(one.target), one.port, one.protocol.lower())
            assert found == (True, True), one
    for one in plan.closed_dials:
        found = reaches(world, ground, one.source.namespace, str(one.target), one.port, "tcp")
        # towards a component its own group refuses; towards a party outside the agent's group does
        assert found == (one.target.kind == "component", False), one


def test_what_is_probed_is_reached_and_what_must_be_closed_is_refused_by_the_target() -> None:
    assert_doors(machines_plan(calling_ngsp()))


@sized(4, 100)
@given(declarations())
def test_groups_of_any_declaration_open_the_ways_of_the_probes_and_no_closed_path(declaration: Any) -> None:  # noqa: ANN401
    plan = machines_plan(declaration)
    try:
        assert_doors(plan)
    except ConfigError as error:
        pytest.fail(f"{error.faults}")


def test_each_agent_has_a_machine_with_an_outbox_that_stays_in_its_zone() -> None:
    ground = ground_of(planned(base_declaration()))
    ports: dict[str, Any] = {name: one.properties for (kind, name), one in ground.items() if kind == "port"}
    assert {name: (one["network_id"].name, one["fixed_ips"][0]["ip_address"]) for name, one in ports.items()} == {
        MANAGE: ("vn83-manage-main", "10.84.0.250"), DMZ: (DMZ, "10.83.64.250"), SERVER: (SERVER, "10.83.128.250"),
    }  # fmt: skip
    assert ground["subnet", DMZ].properties["cidr"] == "10.83.64.0/24", "slot 0 is the platform's own"
    assert ground["volume", MANAGE].lasting
    machine: Any = ground["machine", MANAGE].properties
    assert machine["flavor_name"] == "SCS-1V-2"
    assert machine["block_devices"][1]["delete_on_termination"] is False
    assert ground["router-interface", SERVER].properties["router_id"] == CreatedReference(
        "router", "vn83-platform-main"
    )
    assert [kind for kind, name in ground if name == f"{DMZ}/to-10.83.193.0/25-5432-tcp"] == ["security-group-rule"]


def test_the_platforms_project_has_room_for_the_agents_rules() -> None:
    """Agents call each system: a project's default of a hundred rules was full with eleven systems."""
    ground = ground_of(planned(base_declaration()))
    rules = [name for kind, name in ground if kind == "security-group-rule"]
    (quota,) = [one for (kind, _), one in ground.items() if kind == "network-quota"]
    assert quota.properties["security_group_rule"] == len(rules) + 4 + 2 * 3 + 100
    assert quota.properties.keys() == {"project_id", "security_group_rule"}


def test_without_agents_the_ground_is_as_it_was() -> None:
    plan = planned(base_declaration())
    assert not any(one.kind in {"machine", "port"} for one in ground_resources(plan, CloudSettings()))


def test_the_machine_makes_its_key_itself_and_the_script_is_sound_shell() -> None:
    text = agent_user_data(DMZ, 'device = "x"\n', "motcua[edge]")
    files = {one["path"]: one for one in yaml.safe_load(text)["write_files"]}
    script = files["/usr/local/sbin/motcua-agent-first-boot"]
    assert (script["permissions"], files["/etc/motcua/agent.toml"]["content"]) == ("0755", 'device = "x"\n')
    assert "/opt/motcua/bin/motcua agent" in files["/etc/systemd/system/motcua-agent.service"]["content"]
    assert f'-subj "/CN={DMZ}"' in script["content"]
    assert "PRIVATE KEY" not in text
    subprocess.run(["sh", "-n"], input=script["content"], text=True, check=True)


def test_what_openstack_could_not_place_is_a_fault_before_anything_is_sent() -> None:
    base = base_declaration()
    platform = {
        **base.platform,
        "time": replace(base.platform["time"], address="10.84.0.250"),
        "broker": replace(base.platform["broker"], address=""),
    }
    sizes = {"S": ComponentSize("S", 500, 1024), "M": ComponentSize("M", 500, 1024), "L": ComponentSize("L", 5, 10)}
    networks = tuple(one for one in base.zone_networks if one.zone != "dmz")
    plan = planned(replace(base, platform=platform, sizes=sizes, zone_networks=networks))
    with pytest.raises(ConfigError) as error:
        ground_of(plan)
    problems = {fault.field: fault.problem for fault in error.value.faults}
    assert problems[f"agent {MANAGE}"] == "has the address 10.84.0.250, which [platform.time] has"
    assert problems[f"agent {DMZ}"] == "has no network of zone dmz at a main site"
    assert problems["sizes"] == "have no flavor, which a machine needs"
    assert problems["platform:broker"].startswith("has no network")
    assert f"{ONESTOP}/web" in problems, "without its zone's network nothing names it"
