"""What OpenStack is asked for: projects, quotas, networks, groups, machines, balancers of hosted systems."""

from __future__ import annotations

import ipaddress
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given

from infra.config.options import StackOptions
from infra.targets.openstack.cloud.document import openstack_documents, stack_documents
from infra.targets.openstack.cloud.refusals import explain_refusal
from infra.targets.openstack.cloud.resources import ground_resources, hosted_resources
from infra.targets.openstack.cloud.user_data import backup_interval_s
from infra.targets.openstack.cloud.values import CloudSettings, CreatedReference, ExistingReference
from telemetry.core.cloud.values import Component, ComponentSize, Flow, PlatformService
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    base_components,
    base_declaration,
    base_flows,
    base_lock,
    component_end,
    gateway_system,
    hosted_system,
    outside,
    planned,
    with_system,
)

if TYPE_CHECKING:
    from infra.targets.openstack.cloud.values import CloudResource
    from telemetry.core.cloud.values import CloudDeclaration

SETTINGS = CloudSettings(name_zone="example.")
PROJECT = "vn83-onestop-prod"


def resources_of(declaration: CloudDeclaration) -> tuple[CloudResource, ...]:
    return hosted_resources(planned(declaration), SETTINGS)


def named(resources: tuple[CloudResource, ...], kind: str) -> dict[str, CloudResource]:
    return {one.name: one for one in resources if one.kind == kind}


def test_vector_14_one_project_with_three_networks_three_groups_and_a_quota_of_the_sum_and_one_roll_out() -> None:
    found = resources_of(base_declaration())
    assert list(named(found, "project")) == [PROJECT]
    assert list(named(found, "network")) == ["vn83-onestop-dmz", "vn83-onestop-server", "vn83-onestop-database"]
    groups = named(found, "security-group")
    assert list(groups) == [f"{PROJECT}/{name}" for name in ("web", "app", "db")]
    assert all(one.properties["delete_default_rules"] is True for one in groups.values())
    rule = named(found, "security-group-rule")[f"{PROJECT}/app/to-db-5432-tcp"].properties
    assert rule["remote_group_id"] == CreatedReference("security-group", f"{PROJECT}/db")
    assert (rule["direction"], rule["port_range_min"], rule["port_range_max"]) == ("egress", 5432, 5432)
    assert "remote_ip_prefix" not in rule
    compute = named(found, "compute-quota")[PROJECT].properties
    # web 4 × SCS-1V-2, app 2 × SCS-2V-4, db 3 × SCS-2V-8, and in each zone one more
    assert (compute["cores"], compute["ram"], compute["instances"]) == (
        4 + 4 + 6 + (1 + 2 + 2), 1024 * (8 + 8 + 24 + (2 + 4 + 8)), 4 + 2 + 3 + 3,
    )  # fmt: skip
    network = named(found, "network-quota")[PROJECT].properties
    assert (network["network"], network["router"], network["floatingip"], network["rbac_policy"]) == (3, 1, 1, 0)
    volume = named(found, "volume-quota")[PROJECT].properties
    assert (volume["volumes"], volume["gigabytes"], volume["per_volume_gigabytes"]) == (3, 600, 200)


def test_each_reference_leads_to_an_earlier_resource_and_each_name_is_there_once() -> None:
    for declaration in (base_declaration(), gateway_system()):
        assert_order(resources_of(declaration))


def assert_order(resources: tuple[CloudResource, ...]) -> None:
    earlier: set[tuple[str, str]] = set()
    for one in resources:
        for reference in (*one.references, *one.after):
            if isinstance(reference, CreatedReference):
                assert (reference.kind, reference.name) in earlier, (one.name, reference)
        assert (one.kind, one.name) not in earlier
        earlier.add((one.kind, one.name))


def test_roles_of_owner_and_operator_are_those_of_their_agencies_groups_and_no_name_has_an_agency() -> None:
    found = resources_of(base_declaration())
    roles = {
        name: (one.properties.get("group_id"), one.properties["role_id"])
        for name, one in named(found, "role-assignment").items()
    }
    assert roles[f"{PROJECT}/owner"] == (
        CreatedReference("agency-group", "vn83-ubnd-prod"), ExistingReference("role", "reader"),
    )  # fmt: skip
    assert roles[f"{PROJECT}/operator"] == (
        CreatedReference("agency-group", "vn83-dit-prod"), ExistingReference("role", "member"),
    )  # fmt: skip
    names = {one.name for one in found if one.kind != "agency-group"}
    assert not any("ubnd" in name or "dit" in name for name in names)


def test_another_owner_changes_role_labels_and_no_name_address_or_data() -> None:
    before = resources_of(base_declaration())
    after = resources_of(with_system(base_declaration(), hosted_system(owner="vn83-police")))
    changed = {(one.kind, one.name) for one in set_of(after) ^ set_of(before)}
    kinds = {kind for kind, _ in changed}
    assert kinds == {"agency-group", "role-assignment", "project", "volume", "machine"}
    for kind, name in changed - {("agency-group", "vn83-ubnd-prod"), ("agency-group", "vn83-police-prod")}:
        old, new = named(before, kind)[name].properties, named(after, kind)[name].properties
        different = {key for key in old if old[key] != new[key]}
        assert different <= {"group_id", "tags", "metadata"}


def set_of(resources: tuple[CloudResource, ...]) -> set[Comparable]:
    return {Comparable(one) for one in resources}


class Comparable:
    """A resource as a member of a set: its properties are mappings, which have no hash."""

    def __init__(self, resource: CloudResource) -> None:
        self.kind, self.name, self._text = resource.kind, resource.name, repr(resource)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Comparable) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


def test_the_balancer_reaches_machines_from_a_part_of_the_network_that_no_machine_is_in() -> None:
    found = resources_of(base_declaration())
    subnets = named(found, "subnet")
    machines = ipaddress.ip_network(str(subnets["vn83-onestop-dmz"].properties["cidr"]))
    balancer = ipaddress.ip_network(str(subnets["vn83-onestop-dmz/balancer"].properties["cidr"]))
    assert not machines.overlaps(balancer)
    rules = [one.properties for one in named(found, "security-group-rule").values()]
    doors = [one for one in rules if one.get("remote_ip_prefix") == str(balancer)]
    assert [(one["direction"], one["port_range_min"]) for one in doors] == [("ingress", 8080)]
    assert "vn83-onestop-server/balancer" not in subnets


def test_across_systems_the_caller_names_the_balancer_and_the_balancer_the_callers_router() -> None:
    found = resources_of(gateway_system())
    vip = named(found, "port")["vn83-lgsp-prod/balancer"].properties["fixed_ips"]
    router = named(found, "router")[PROJECT].properties["external_fixed_ips"]
    assert isinstance(vip, list)
    assert isinstance(router, list)
    out = named(found, "security-group-rule")[f"{PROJECT}/app/to-{vip[0]['ip_address']}/32-5500-tcp"].properties
    assert "remote_group_id" not in out
    listeners = named(found, "listener")
    sources = listeners["vn83-lgsp-prod/gw-5500"].properties["allowed_cidrs"]
    assert sources == ["10.255.0.0/16", f"{router[0]['ip_address']}/32"]
    assert listeners["vn83-onestop-prod/web-443"].properties["allowed_cidrs"] == ["0.0.0.0/0"]
    # only what the Internet may reach has an address of the Internet
    assert list(named(found, "floating-address")) == [PROJECT]
    assert named(found, "name-record")[PROJECT].properties["name"] == "onestop.example."


def test_machines_are_kept_apart_from_level_3_and_each_disk_is_of_the_encrypted_type() -> None:
    found = resources_of(base_declaration())
    assert {one.properties["policies"] for one in named(found, "server-group").values()} == {"anti-affinity"}
    volumes = named(found, "volume")
    assert list(volumes) == [f"{PROJECT}/db-{number}" for number in (1, 2, 3)]
    assert {one.properties["volume_type"] for one in volumes.values()} == {"encrypted"}
    assert all(one.lasting for one in volumes.values())
    machines = named(found, "machine")
    assert len(machines) == 2 + 2 + 3
    assert all(one.properties["config_drive"] is True for one in machines.values())
    low = with_system(base_declaration(), hosted_system(level=2, procedures=False, subjects=1))
    assert {one.properties["policies"] for one in named(resources_of(low), "server-group").values()} == {
        "soft-anti-affinity"
    }


def test_a_database_gets_a_backup_timer_and_nothing_is_installed() -> None:
    found = resources_of(base_declaration())
    data = {name: str(one.properties.get("user_data", "")) for name, one in named(found, "machine").items()}
    assert not data[f"{PROJECT}/web-1"]
    text = data[f"{PROJECT}/db-1"]
    assert "motcua-hosted-backup.timer" in text
    assert "/usr/lib/motcua/backup" in text
    assert "packages" not in text
    assert "10.84.0.30" in text


def test_a_backup_runs_by_the_stores_schedule_and_without_streaming_as_often_as_promised() -> None:
    base = base_declaration()
    plan = planned(base)
    assert backup_interval_s(plan, plan.systems[0]) == 86_400
    plain = planned(replace(base, backups=tuple(replace(store, wal=False) for store in base.backups)))
    assert backup_interval_s(plain, plain.systems[0]) == 300


def test_objects_are_a_container_with_versions_and_have_no_machine() -> None:
    base = base_declaration()
    files = Component(ONESTOP, "files", "objects", "database", "S", 1, 1, disk_gb=500)
    flow = Flow(component_end(ONESTOP, "app"), component_end(ONESTOP, "files"), 443, "files")
    found = resources_of(replace(base, components=(*base.components, files), flows=(*base.flows, flow)))
    container = named(found, "container")[f"{PROJECT}/files"]
    assert container.properties["versioning"] is True
    assert container.properties["metadata"] == {"Quota-Bytes": "500000000000"}
    assert container.lasting
    assert not any("files" in name for name in named(found, "machine"))
    rules = named(found, "security-group-rule")
    assert f"{PROJECT}/app/to-10.84.0.40/32-443-tcp" in rules
    assert not any("/18" in name for name in rules), "a whole zone is open"


@pytest.mark.parametrize(
    ("store", "port", "problem"),
    [
        (PlatformService("objects", "platform-objects", port=443), 443, "calls the object store, which has no address"),
        (None, 443, "calls the object store, which has no address"),
        (PlatformService("objects", address="10.84.0.40", port=8333), 443, "the object store answers at 8333"),
    ],
)
def test_a_flow_to_a_container_whose_store_is_not_there_is_a_fault(
    store: PlatformService | None, port: int, problem: str
) -> None:
    base = base_declaration()
    files = Component(ONESTOP, "files", "objects", "database", "S", 1, 1, disk_gb=500)
    flow = Flow(
        component_end(ONESTOP, "app"), component_end(ONESTOP, "files"), port, "files", declared_at="flows.csv:9"
    )
    platform = {name: one for name, one in base.platform.items() if name != "objects"}
    platform |= {"objects": store} if store else {}
    edited = replace(base, components=(*base.components, files), flows=(*base.flows, flow), platform=platform)
    with pytest.raises(ConfigError, match=problem) as raised:
        resources_of(edited)
    assert [(one.file, one.line) for one in raised.value.faults] == [("flows.csv", 9)]


def test_more_routes_than_neutron_allows_a_router_are_a_fault_before_anything_is_sent() -> None:
    assert hosted_resources(planned(base_declaration()), replace(SETTINGS, max_routes=3))
    with pytest.raises(ConfigError, match="router vn83-platform-main gets 3 routes") as raised:
        hosted_resources(planned(base_declaration()), replace(SETTINGS, max_routes=2))
    assert "(from 2026.2 on quota_router_route in [quotas]) to 3 or more" in raised.value.faults[0].remedy
    assert CloudSettings().max_routes == 30, "Neutron's own default"


def test_a_system_of_level_5_is_not_there() -> None:
    five = with_system(base_declaration(), hosted_system(level=5))
    assert resources_of(five) == ()


def test_data_projects_networks_and_addresses_are_lasting() -> None:
    lasting = {one.kind for one in resources_of(base_declaration()) if one.lasting}
    assert {"project", "network", "subnet", "router", "volume", "floating-address", "balancer"} <= lasting
    assert not lasting & {"security-group-rule", "listener", "member", "role-assignment"}


def test_a_renamed_component_keeps_its_volumes_and_rules_by_their_earlier_names() -> None:
    base = base_declaration()
    store = replace(base_components()[2], id="store", was=("db",))
    flows = tuple(replace(flow, target=component_end(ONESTOP, "store")) if flow.port == 5432 else flow
                  for flow in base_flows())  # fmt: skip
    before = resources_of(base)
    after = resources_of(replace(base, components=(*base.components[:2], store), flows=flows))
    known = {(one.kind, one.name) for one in after} | {(one.kind, name) for one in after for name in one.aliases}
    assert {(one.kind, one.name) for one in before} <= known


def test_the_ground_has_an_edge_and_a_router_at_each_site() -> None:
    found = ground_resources(planned(base_declaration()), SETTINGS)
    assert_order(found)
    assert named(found, "network")["vn83-edge-main"].properties["external"] is True
    assert named(found, "network")["vn83-manage-main"].properties["external"] is False
    assert list(named(found, "router")) == ["vn83-platform-main"]


def test_the_documents_hold_one_project_each_and_are_the_same_twice() -> None:
    found = resources_of(gateway_system())
    documents = openstack_documents(found, "# head")
    assert list(documents) == ["cloud/agencies.yaml", "cloud/vn83-lgsp-prod.yaml", "cloud/vn83-onestop-prod.yaml"]
    assert documents == openstack_documents(resources_of(gateway_system()), "# head")
    alone = openstack_documents(resources_of(base_declaration()), "# head")
    with_another = replace(gateway_system(), flows=base_flows())
    both = openstack_documents(resources_of(with_another), "# head")
    assert both["cloud/vn83-onestop-prod.yaml"] == alone["cloud/vn83-onestop-prod.yaml"]


@pytest.mark.parametrize(("part", "paths"), [
    ("ground", ["cloud/vn83-platform-prod.yaml"]), ("hosted", ["cloud/agencies.yaml", "cloud/vn83-onestop-prod.yaml"]),
])  # fmt: skip
def test_a_stack_of_ground_or_hosted_systems_has_its_documents(part: str, paths: list[str]) -> None:
    given = {"stage": "prod", "target": "openstack", "cloud": {"part": part}, "broker": {"host": "mqtt.example"}}
    given["openstack"] = {"siteZones": {"main": "az-1"}, "volumeType": "luks"}
    documents = stack_documents(planned(base_declaration()), StackOptions.model_validate(given), {})
    assert list(documents) == paths
    if part == "hosted":
        assert "availability_zone: az-1" in documents[paths[1]]
        assert "volume_type: luks" in documents[paths[1]]


def test_every_fault_names_its_place_and_remedy_at_once() -> None:
    base = base_declaration()
    sizes = {**base.sizes, "M": ComponentSize("M", 1000, 2048)}
    second = replace(base_components()[0], id="second", declared_at="components.csv:5")
    flow = Flow(outside("internet"), component_end(ONESTOP, "second"), 8080, "pages", declared_at="flows.csv:9")
    faulty = replace(
        base, sizes=sizes, lock=base.lock[1:], components=(*base.components, second), flows=(*base.flows, flow)
    )
    with pytest.raises(ConfigError) as caught:
        resources_of(faulty)
    text = str(caught.value)
    assert "zone dmz: has no network" in text
    assert "size M has no flavor, which a machine needs; write flavor in [sizes.M]" in text
    assert "flows.csv:9: vn83-onestop/second: is called at port 443 of the balancer, as web is" in text


def test_a_peer_that_is_known_by_name_only_is_a_fault_where_a_group_needs_its_network() -> None:
    base = base_declaration()
    peers = {**base.peers, "ngsp": replace(base.peers["ngsp"], cidrs=())}
    flow = Flow(component_end(ONESTOP, "app"), outside("ngsp"), 443, "exchange", declared_at="flows.csv:4")
    with pytest.raises(ConfigError, match=r"flows.csv:4: outside:ngsp: has no network.*write its cidrs"):
        resources_of(replace(base, peers=peers, flows=(*base.flows, flow)))


def test_a_platform_service_without_an_address_is_a_fault_and_does_not_open_the_network_it_is_in() -> None:
    base = base_declaration()
    logs = replace(base.platform["logs"], address="", declared_at="cloud.toml:112")
    with pytest.raises(ConfigError) as caught:
        resources_of(replace(base, platform={**base.platform, "logs": logs}))
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.field) == ("cloud.toml", 112, "platform:logs")
    assert fault.remedy == "write address in [platform.logs] of cloud.toml; namespace may stay"


@given(declarations())
def test_what_is_drawn_is_created_in_order_or_refused_with_a_remedy(declaration: CloudDeclaration) -> None:
    locked = replace(declaration, lock=base_lock(*sorted(declaration.systems)))
    try:
        found = resources_of(locked)
    except ConfigError as error:
        assert all(fault.remedy for fault in error.faults)  # noqa: PT017 - either is right
        assert {fault.problem.partition(" at port")[0] for fault in error.faults} == {"is called"}  # noqa: PT017
        return
    assert_order(found)
    rules = Counter(str(sorted((key, str(value)) for key, value in one.properties.items() if key != "description"))
                    for one in found if one.kind == "security-group-rule")  # fmt: skip
    assert all(count == 1 for count in rules.values())


def test_a_router_that_is_full_of_routes_names_the_setting_and_no_full_project() -> None:
    """The answer of Neutron 29, which counts a router's routes as a quota."""
    message = "Quota exceeded for resources: ['router_route']."
    body = json.dumps({"NeutronError": {"type": "OverQuota", "message": message, "detail": ""}})
    route = next(one for one in hosted_resources(planned(base_declaration()), SETTINGS) if one.kind == "route")
    fault = explain_refusal(route, 409, body)
    assert fault.problem == f"the cloud refused it (409): {message}"
    assert "raise quota_router_route in [quotas]" in fault.remedy
