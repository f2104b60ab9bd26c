"""What hosted systems ask of OpenStack is accepted by a real Keystone and Neutron, and what is wrong is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.targets.openstack.cloud.checks import find_resource_faults
from infra.targets.openstack.cloud.values import CloudResource, CreatedReference
from telemetry import inventory
from tests.cloud_examples import ONESTOP
from tests.openstack_cloud import send_systems
from tests.property_sizes import LONG

if TYPE_CHECKING:
    from tests.openstack_cloud import OpenstackCloud, SentSystems

LGSP = "vn83-lgsp"
SAMPLES = Path(__file__).resolve().parents[2] / "inventory"


def test_vector_14_everything_of_the_base_is_accepted_and_nothing_else_is_there(onestop: SentSystems) -> None:
    sender, project = onestop.sender, onestop.project(ONESTOP)
    assert {one["name"] for one in sender.listed("networks", project)} == {
        "vn83-onestop-dmz", "vn83-onestop-server", "vn83-onestop-database",
    }  # fmt: skip
    groups = {one["name"]: one for one in sender.listed("security-groups", project)}
    assert set(groups) == {"default", "web", "app", "db"}
    rules = [rule for name in ("web", "app", "db") for rule in groups[name]["security_group_rules"]]
    wanted = [
        one for one in onestop.resources if one.kind == "security-group-rule" and one.project == f"{ONESTOP}-prod"
    ]
    assert len(rules) == len(wanted)
    (out,) = [
        rule
        for rule in groups["app"]["security_group_rules"]
        if rule["remote_group_id"] == groups["db"]["id"] and rule["direction"] == "egress"
    ]
    assert (out["port_range_min"], out["port_range_max"], out["protocol"]) == (5432, 5432, "tcp")


def test_a_new_group_lets_everything_out_until_its_rules_are_deleted(onestop: SentSystems) -> None:
    groups = {one["name"]: one for one in onestop.sender.listed("security-groups", onestop.project(ONESTOP))}
    # the project's own group shows that this cloud gives groups rules, so that the others' absence proves something
    assert len(groups["default"]["security_group_rules"]) == 4
    is_open = [
        rule
        for name, group in groups.items()
        for rule in group["security_group_rules"]
        if name != "default" and rule["remote_group_id"] is None and rule["remote_ip_prefix"] is None
    ]
    assert is_open == []


def test_one_network_more_is_refused_because_the_project_is_full(onestop: SentSystems) -> None:
    project = onestop.project(ONESTOP)
    fault = onestop.sender.send(CloudResource("network", "by-hand", {"name": "by-hand"}, project))
    assert fault is not None
    assert fault.field == f"network by-hand in project {project}"
    assert fault.problem == "the cloud refused it (409): Quota exceeded for resources: ['network']."
    assert fault.remedy.startswith("the project is full")


@pytest.mark.parametrize(
    ("changes", "status", "problem", "remedy"),
    [
        ({}, 409, "Security group rule already exists", "somebody made the same rule by hand"),
        ({"port_range_min": 5433}, 400, "port_range_min must be <= port_range_max", "write one port from 1 to 65535"),
        ({"port_range_min": 1, "port_range_max": 70_000}, 400, "Invalid value for port 70000", "write one port"),
        (
            {"remote_group_id": None, "remote_ip_prefix": "10.83.0.0/40"}, 400, "Invalid CIDR 10.83.0.0/40",
            "write the network of the peer or service",
        ),
    ],
    ids=["a second one", "ports the wrong way", "no such port", "no network"],
)  # fmt: skip
def test_a_wrong_rule_is_refused_with_our_sentence_and_our_check_names_it_first(
    onestop: SentSystems, changes: dict[str, object], status: int, problem: str, remedy: str
) -> None:
    rule = onestop.one("security-group-rule", "/app/to-db-5432-tcp")
    properties = {name: value for name, value in {**rule.properties, **changes}.items() if value is not None}
    wrong = replace(rule, name="wrong", properties=properties, declared_at="flows.csv:3")
    fault = onestop.sender.send(wrong)
    assert fault is not None
    assert (fault.file, fault.line) == ("flows.csv", 3)
    assert fault.problem.startswith(f"the cloud refused it ({status}): ")
    assert problem in fault.problem
    assert fault.remedy.startswith(remedy)
    assert [one for one in find_resource_faults([*onestop.resources, wrong]) if one.field == "rule wrong"]
    assert find_resource_faults(onestop.resources) == []


@pytest.mark.parametrize(
    ("cidr", "remedy"),
    [("10.83.129.64/26", "two subnets have the same addresses"), ("10.83.300.0/24", "correct the row")],
)
def test_a_subnet_that_overlaps_or_is_none_is_refused_and_our_check_names_it_first(
    onestop: SentSystems, cidr: str, remedy: str
) -> None:
    project = onestop.project(ONESTOP)
    roomy = {"project_id": CreatedReference("project", project), "subnet": 9}
    assert onestop.sender.send(CloudResource("network-quota", project, roomy)) is None
    subnet = onestop.one("subnet", "vn83-onestop-server")
    wrong = replace(subnet, name="wrong", properties={**subnet.properties, "cidr": cidr})
    fault = onestop.sender.send(wrong)
    assert fault is not None
    assert "(400)" in fault.problem
    assert fault.remedy.startswith(remedy)
    assert [one for one in find_resource_faults([*onestop.resources, wrong]) if one.field == "subnet wrong"]


def test_a_network_in_use_is_not_deleted_and_the_remedy_names_the_order(onestop: SentSystems) -> None:
    fault = onestop.sender.delete(onestop.one("network", "vn83-onestop-database"))
    assert fault is not None
    assert fault.problem.startswith("the cloud refused it (409): ")
    assert "ports still in use on the network" in fault.problem
    assert fault.remedy.startswith("ports are still in it")


def test_a_member_cannot_take_an_address_of_the_edge_so_that_the_administrator_must(onestop: SentSystems) -> None:
    port = onestop.one("port", f"{onestop.project(ONESTOP)}/balancer")
    fault = onestop.sender.send(replace(port, name="by-member", by_administrator=False))
    assert fault is not None
    assert fault.remedy.startswith(("the program's user may not do this", "what it refers to is not there"))


def test_a_second_run_finds_everything_there_and_changes_nothing(onestop: SentSystems) -> None:
    project = onestop.project(ONESTOP)
    before = onestop.sender.listed("security-groups", project)
    named = [
        onestop.one("project", project), onestop.one("agency-group", "vn83-dit-prod"),
        onestop.one("router-interface", "vn83-onestop-database"), onestop.one("application-credential", project),
    ]  # fmt: skip
    for one in named:
        fault = onestop.sender.send(one)
        assert fault is not None, one.name
    assert onestop.sender.listed("security-groups", project) == before


def test_systems_that_call_each_other_are_accepted_in_projects_of_their_own(onestop_and_lgsp: SentSystems) -> None:
    sender = onestop_and_lgsp.sender
    addresses = {
        system: [
            address["ip_address"]
            for port in sender.listed("ports", onestop_and_lgsp.project(system))
            if port["name"] == "balancer"
            for address in port["fixed_ips"]
        ]
        for system in (ONESTOP, LGSP)
    }
    assert addresses == {ONESTOP: ["10.83.1.20"], LGSP: ["10.83.2.20"]}
    networks = [one for name in addresses for one in sender.listed("networks", onestop_and_lgsp.project(name))]
    assert len(networks) == 4
    assert not any(one["shared"] for one in networks)


def test_a_group_of_another_project_cannot_be_named_so_that_rules_name_the_balancer(
    onestop_and_lgsp: SentSystems,
) -> None:
    rule = onestop_and_lgsp.one("security-group-rule", f"{onestop_and_lgsp.project(ONESTOP)}/app/to-db-5432-tcp")
    other = CreatedReference("security-group", f"{onestop_and_lgsp.project(LGSP)}/gw")
    wrong = replace(rule, name="across", properties={**rule.properties, "remote_group_id": other})
    fault = onestop_and_lgsp.sender.send(wrong)
    assert fault is not None
    assert "(404)" in fault.problem


def test_the_agents_inside_have_groups_networks_and_addresses_that_the_cloud_accepts(onestop: SentSystems) -> None:
    sender, project = onestop.sender, "vn83-platform-prod"
    devices = {f"vn83-cloud-{zone}1" for zone in ("manage", "dmz", "server")}
    groups = {one["name"]: one["security_group_rules"] for one in sender.listed("security-groups", project)}
    assert set(groups) == {"default", *devices}
    for device in devices:
        wanted = [one for one in onestop.resources if one.name.startswith(f"{device}/to-")]
        assert {rule["direction"] for rule in groups[device]} == {"egress"}, "nobody calls an agent"
        assert len(groups[device]) == len(wanted) > 0
    ports = {one["name"]: one["fixed_ips"][0]["ip_address"] for one in sender.listed("ports", project)
             if one["name"] in devices}  # fmt: skip
    assert ports == {"vn83-cloud-manage1": "10.84.0.250", "vn83-cloud-dmz1": "10.83.64.250",
                     "vn83-cloud-server1": "10.83.128.250"}  # fmt: skip


@pytest.mark.sized
@pytest.mark.parametrize("sample", ["bentre-2021", "vinhlong-2025"])
def test_systems_of_the_samples_are_accepted(cloud: OpenstackCloud, sample: str) -> None:
    """In the short size the first system; in the long one (`LONG=1`) all, which takes some minutes."""
    declaration = inventory.load(SAMPLES / sample).cloud
    chosen = set(declaration.systems) if LONG else {min(declaration.systems)}
    sent = send_systems(cloud, declaration, sample, chosen)
    projects = {one.name for one in sent.resources if one.kind == "project" and "platform" not in one.name}
    assert projects == {f"{system}-{sample}" for system in chosen}
    for project in projects:
        groups = {one["name"]: one["security_group_rules"] for one in sent.sender.listed("security-groups", project)}
        rules = [rule for name, listed in groups.items() if name != "default" for rule in listed]
        wanted = [one for one in sent.resources if one.kind == "security-group-rule" and one.project == project]
        assert len(rules) == len(wanted) > 0
