"""Each thing that the files about hosted systems cannot say is a fault with file, line, field and remedy."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, cast

import pytest

from telemetry import inventory
from telemetry.core.cloud.values import Agency, CloudDeclaration, Component, Flow, LockEntry, ZoneNetwork
from telemetry.errors import InventoryError
from telemetry.inventory.files import CLOUD_FILES
from telemetry.toml_lines import locate_keys
from tests.cloud_examples import (
    AGENCIES,
    ONESTOP,
    ZONE_NETWORKS,
    base_declaration,
    component_end,
    hosted_system,
    with_flows,
    with_system,
)
from tests.cloud_files import SMALL_INVENTORY, write_inventory

if TYPE_CHECKING:
    from telemetry.core.cloud.values import ComponentKind
    from telemetry.errors import Fault

PORTAL = "vn83-portal"


def faults_of(folder: Path) -> list[str]:
    """Return the faults of an inventory as `file:line: field: problem`."""
    faults: tuple[Fault, ...] = ()
    try:
        inventory.load(folder)
    except InventoryError as error:
        faults = error.faults
    assert all(fault.remedy for fault in faults)
    return [f"{Path(fault.file).name}:{fault.line}: {fault.field}: {fault.problem}" for fault in faults]


def declared_faults(folder: Path, declaration: CloudDeclaration) -> list[str]:
    return faults_of(write_inventory(folder, declaration))


def edited_faults(folder: Path, name: str, old: str, new: str) -> list[str]:
    """Return the faults of the example with one text in one file replaced."""
    write_inventory(folder, base_declaration())
    text = (folder / name).read_text("utf-8")
    assert old in text, name
    (folder / name).write_text(text.replace(old, new, 1), "utf-8")
    return faults_of(folder)


@pytest.mark.parametrize(
    ("port", "fault"),
    [
        (9080, None), (8080, None),
        (8099, f"flows.csv:2: port: {ONESTOP}/web does not listen on 8099"),
    ],
)  # fmt: skip
def test_a_flow_calls_a_port_on_which_its_component_listens(tmp_path: Path, port: int, fault: str | None) -> None:
    web = f"{ONESTOP}/web"
    assert edited_faults(tmp_path, "flows.csv", f"{web},8080", f"{web},{port}") == ([fault] if fault else [])
    with pytest.raises(InventoryError) if fault else nullcontext() as raised:
        inventory.load(tmp_path)
    if fault and raised:
        assert raised.value.faults[0].remedy == "write its port: 8080, or 9080 for its health"


@pytest.mark.parametrize(("kind", "is_fault"), [("gateway", False), ("app", True)])
def test_a_gateway_may_have_a_further_port_for_its_own_system(tmp_path: Path, kind: str, is_fault: bool) -> None:
    base = base_declaration()
    broker = Component(ONESTOP, "broker", cast("ComponentKind", kind), "server", "S", 1, 1, port=8883, image="broker")
    flow = Flow(component_end(ONESTOP, "app"), component_end(ONESTOP, "broker"), 8884, "messages")
    faults = declared_faults(tmp_path, with_flows(replace(base, components=(*base.components, broker)), flow))
    assert [fault.partition(": ")[2] for fault in faults] == (
        [f"port: {ONESTOP}/broker does not listen on 8884"] if is_fault else []
    )


def test_a_comma_in_a_reason_without_quotes_says_quotes(tmp_path: Path) -> None:
    write_inventory(tmp_path, base_declaration())
    flows = tmp_path / "flows.csv"
    flows.write_text(flows.read_text("utf-8").replace("requests", "requests, and files", 1), "utf-8")
    text = flows.read_text("utf-8").splitlines()[2]
    assert text.split(",")[3:5] == ["requests", " and files"]
    with pytest.raises(InventoryError) as raised:
        inventory.load(tmp_path)
    faults = raised.value.faults
    assert all("quote" in fault.remedy for fault in faults), faults


def test_an_inventory_that_hosts_nothing_has_an_empty_declaration(tmp_path: Path) -> None:
    folder = write_inventory(tmp_path, CloudDeclaration())
    for name in CLOUD_FILES:
        (folder / name).unlink()
    assert inventory.load(folder).cloud == CloudDeclaration()


def test_a_place_is_the_file_without_its_folder_and_the_line(tmp_path: Path) -> None:
    cloud = inventory.load(write_inventory(tmp_path, base_declaration())).cloud
    lines = (tmp_path / "systems.toml").read_text("utf-8").splitlines()
    assert cloud.systems[ONESTOP].declared_at == f"systems.toml:{lines.index('[system.hosted]') + 1}"
    assert [one.declared_at for one in cloud.components] == [f"components.csv:{line}" for line in (2, 3, 4)]
    assert cloud.flows[0].declared_at == "flows.csv:2"
    assert cloud.zone_networks[0].declared_at.startswith("cloud.toml:")


def test_the_version_depends_on_every_file_about_the_cloud(tmp_path: Path) -> None:
    folder = write_inventory(tmp_path, base_declaration())
    versions = {inventory.load(folder).version}
    for name in CLOUD_FILES:
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("# a remark\n")
        versions.add(inventory.load(folder).version)
    assert len(versions) == 1 + len(CLOUD_FILES)


@pytest.mark.parametrize("name", CLOUD_FILES[:4])
def test_a_missing_file_beside_the_others_is_one_fault(tmp_path: Path, name: str) -> None:
    write_inventory(tmp_path, base_declaration())
    (tmp_path / name).unlink()
    assert faults_of(tmp_path) == [f"{name}:1: file: is missing, though systems.toml has hosted systems"]


def test_a_lone_file_names_the_ones_that_belong_to_it(tmp_path: Path) -> None:
    write_inventory(tmp_path, CloudDeclaration())
    for name in set(CLOUD_FILES) - {"components.csv"}:
        (tmp_path / name).unlink()
    assert faults_of(tmp_path) == [
        f"{name}:1: file: is missing, though components.csv is there"
        for name in ("agencies.csv", "cloud.toml", "flows.csv")
    ]


def test_a_file_of_before_the_port_of_health_is_still_read(tmp_path: Path) -> None:
    write_inventory(tmp_path, base_declaration())
    file = tmp_path / "components.csv"
    rows = [line.rpartition(",")[0] for line in file.read_text("utf-8").splitlines()]
    file.write_text("\n".join([*rows, ""]), "utf-8")
    assert "health_port" not in rows[0]
    components = inventory.load(tmp_path).cloud.components
    assert components == tuple(replace(one, health_port=0) for one in base_declaration().components)


def test_a_new_system_needs_no_lock_yet(tmp_path: Path) -> None:
    write_inventory(tmp_path, base_declaration())
    (tmp_path / "cloud.lock").unlink()
    assert inventory.load(tmp_path).cloud == replace(base_declaration(), lock=())


def test_a_broken_file_hides_no_fault_of_another_and_adds_none(tmp_path: Path) -> None:
    write_inventory(tmp_path, base_declaration())
    (tmp_path / "cloud.toml").write_text("[[site]\n", "utf-8")
    (tmp_path / "agencies.csv").write_text("id,unit\nvn83-ubnd,83\n", "utf-8")
    (tmp_path / "cloud.lock").write_text("system,zone,slot,name\nvn83-onestop,dmz,x,y\n", "utf-8")
    found = faults_of(tmp_path)
    assert [fault.partition(":")[0] for fault in found] == ["agencies.csv", "agencies.csv", "cloud.lock", "cloud.toml"]


EDITS = {
    "systems.toml": [
        ('owner = "vn83-ubnd"', 'owner = "vn83-none"', "owner: there is no agency 'vn83-none'"),
        ('security = "vn83-police"', 'security = ""', "security: must be a text that is not empty"),
        ('serves = "public"', 'serves = "everybody"', "serves: 'everybody' is not known"),
        ("level = 3", "level = 6", "level: 6 is out of range: from 1 to 5"),
        ("subjects = 900000", "subjects = 1.5", "subjects: 1.5 is not a whole number from 0 to 1000000000"),
        ("rto_s = 3600", "rto_s = 0", "rto_s: 0 is out of range: from 1 to 31622400"),
        ('site = "main"', 'site = "moon"', "site: there is no site 'moon'"),
        ('site = "main"', 'site = "backup"', "site: 'backup' stores backups only"),
        ('spare_site = ""', 'spare_site = "main"', "spare_site: 'main' is the site itself"),
        ('exposure = "internet"', 'exposure = "none"', "host: 'onestop.example' is reached from nowhere"),
        ('host = "onestop.example"', 'host = ""', "host: is missing for the exposure 'internet'"),
        ('host = "onestop.example"', 'host = "One Stop"', "host: 'One Stop' is not a host name"),
        ("was = []", 'was = ["vn83-onestop"]', "was: 'vn83-onestop' is a system now"),
        ("was = []", 'was = ["Old"]', "was: 'Old' is not an id"),
        ("was = []", "colour = 1", "colour: is unknown here"),
        ("date = 2026-09-01", 'date = "soon"', "date: soon is not a date"),
        ("level_decision = {", "level_decision = 7 #", "level_decision: is not a table"),
        ("[system.hosted]", "hosted = 3\n[system.other]", "hosted: is not a table"),
    ],
    "agencies.csv": [
        ("vn83-dit,83", "vn83-dit,84", "unit: there is no unit '84'"),
        ("vn83-dit,83", "VN,83", "id: 'VN' is not an id"),
        ("vn83-police,83", "vn83-dit,83", "id: 'vn83-dit' is already on line 3"),
        ("2020-06-01,,", "2020-06-01,2020-06-01,", "valid_to: 2020-06-01 is not after 2020-06-01"),
        ("2020-06-01,,", "2020-06-01,,vn83-dit", "valid_to: is empty, but 'vn83-dit' follows it"),
        ("2020-06-01,,", "2020-06-01,2025-07-01,vn86-ubnd", "successor: there is no agency 'vn86-ubnd'"),
        (",2020-06-01", "vn83-dit,2020-06-01", "parent: leads back to it: vn83-ubnd → vn83-dit → vn83-ubnd"),
    ],
    "components.csv": [
        ("vn83-onestop,web", "vn83-none,web", "system: there is no hosted system 'vn83-none'"),
        ("vn83-onestop,web", "vn83-onestop,web--x", "id: 'web--x' ends with a dash or has two in a row"),
        ("vn83-onestop,app", "vn83-onestop,web", "id: vn83-onestop/web is already on line 2"),
        ("web,web,dmz", "web,page,dmz", "kind: 'page' is not known"),
        ("web,web,dmz", "web,web,edge", "zone: 'edge' is not known"),
        ("db,database,database", "db,database,dmz", "zone: a component of kind database cannot be in dmz"),
        ("app,app,server", "app,app,database", "zone: a component of kind app cannot be in database"),
        (",S,2,4", ",XXL,2,4", "size: there is no size 'XXL'"),
        (",S,2,4", ",S,2,1", "most: 1 is fewer than least, 2"),
        (",S,2,4", ",S,0,4", "least: 0 is out of range: from 1 to 100"),
        ("3,3,200", "3,3,", "disk_gb: is missing: a component of kind database stores data"),
        ("3,3,200", "3,3,-1", "disk_gb: -1 is out of range: from 0 to 1000000"),
        (",8080,", ",,", "port: is missing for a component of kind web"),
        (",8080,", ",0,", "port: 0 is out of range: from 1 to 65535"),
        ("app,app,server", "app,job,server", "port: a component of kind job listens on none"),
        ("/healthz,onestop-app", "/healthz,", "image: is missing for a component of kind app"),
        (",onestop-app", ",onestop-app@sha256:00", "image: 'onestop-app@sha256:00' is not the name of an image"),
        (",/healthz,onestop-app", ",healthz,onestop-app", "health: 'healthz' is not a path"),
        (",onestop-web,", ",onestop-web,db", "was: 'db' is a component now"),
        (",9080", ",8080", "health_port: 8080 is the port of the service, too"),
        (",9080", ",0", "health_port: 0 is out of range: from 1 to 65535"),
        ("postgresql,,", "postgresql,,9187", "health_port: a component of kind database has that of its operator"),
        ("app,app,server,M,2,2,,8081,/healthz,onestop-app,,", "app,job,server,M,2,2,,,,onestop-app,,9081",
         "health_port: a component of kind job listens on none"),
    ],
    "flows.csv": [
        ("vn83-onestop/app,8081", "vn83-onestop/none,8081", "to: there is no component 'vn83-onestop/none'"),
        ("vn83-onestop/app,8081", "vn83-none/app,8081", "to: there is no hosted system 'vn83-none'"),
        ("vn83-onestop/app,8081", "somewhere,8081", "to: 'somewhere' is not the end of a flow"),
        ("vn83-onestop/app,8081", "platform:coffee,8081", "to: 'coffee' is no platform service"),
        ("vn83-onestop/app,8081", "platform:gateway,8081", "to: there is no platform service 'gateway'"),
        ("vn83-onestop/app,8081", "outside:moon,8081", "to: there is no peer 'moon'"),
        ("outside:internet,vn83-onestop/web", "outside:internet,outside:office", "to: neither end is a component"),
        ("outside:internet", "platform:logs", "from: what the platform calls itself"),
        ("8081,requests,yes,", "8081,requests,no,", "no_tls_reason: is missing for a flow without TLS"),
        ("8081,requests,yes,", "8081,requests,yes,habit", "no_tls_reason: is for flows without TLS"),
        ("8081,requests", "80810,requests", "port: 80810 is out of range: from 1 to 65535"),
        ("8081,requests", "8081,", "why: must be a text that is not empty"),
        (
            "vn83-onestop/web,vn83-onestop/app,8081", "vn83-onestop/app,vn83-onestop/db,5432",
            "to: is already declared on line 3",
        ),
    ],
    "cloud.toml": [
        ('country = "VN"', 'country = "Vietnam"', "country: 'Vietnam' is not a country's code"),
        ("latitude = 10.2415", "latitude = 91", "latitude: 91 is not a number from -90 to 90"),
        ('kind = "main"', 'kind = "second"', "kind: 'second' is not known"),
        ('edge = "10.83.0.0/18"', 'edge = "10.83.0.1/18"', "edge: '10.83.0.1/18' is not an IPv4 network"),
        ('edge = "10.83.0.0/18"', 'core = "10.83.0.0/18"', "core: is unknown here"),
        ("[zones.main]", "[zones.moon]", "moon: there is no site 'moon'"),
        ("cpu_m = 500", "cpu_m = 0", "cpu_m: 0 is out of range: from 10 to 256000"),
        ("[sizes.S]", "[sizes]\nS = 3\n[sizes.T]", "S: is not a table"),
        ('kind = "wan"', 'kind = "tunnel"', "kind: 'tunnel' is not known"),
        ('cidrs = ["10.10.0.0/16"]', "cidrs = []", "cidrs: is missing: no address of this peer is known"),
        ('cidrs = ["10.10.0.0/16"]', 'cidrs = ["10.10.0.0"]', "cidrs: '10.10.0.0' is not an IPv4 network"),
        ('hosts = ["ngsp.example"]', 'hosts = ["NGSP"]', "hosts: 'NGSP' is not a host name"),
        ('address = "10.84.0.10"', 'address = "time.example"', "address: 'time.example' is not an IPv4 address"),
        ('address = "10.84.0.10"', 'address = ""', "namespace: and address: at least one of them is needed"),
        ("[platform.time]", "[platform.coffee]", "coffee: is unknown here"),
        ("keep_days = 90", "keep_days = 0", "keep_days: 0 is out of range: from 1 to 3660"),
        ('medium = "tape"', 'medium = "paper"', "medium: 'paper' is not known"),
        ("every_s = 86400", "every_s = 1", "every_s: 1 is out of range: from 60 to 31622400"),
        ("[protections.waf]", "[protections.moat]", "moat: is unknown here"),
        ("since = 2025-01-01", "since = 2026-07-01", "evidence_date: 2026-06-01 is before 2026-07-01"),
        ("control_planes = 3", "control_planes = 0", "control_planes: 0 is out of range: from 1 to 99"),
        ("[443, 6443]", "[]", "api_server_ports: is not a list of whole numbers from 1 to 65535"),
        ("[443, 6443]", "[443, 65536]", "api_server_ports: is not a list of whole numbers from 1 to 65535"),
        ("[443, 6443]", "[443, true]", "api_server_ports: is not a list of whole numbers from 1 to 65535"),
        ("[443, 6443]", "[443, 443]", "api_server_ports: names '443' more than once"),
        ("storage_encrypted = true", "", "storage_encrypted: is missing"),
        ("[logs]", "[colours]\n[logs]", "colours: is unknown here"),
    ],
    "cloud.lock": [
        ("vn83-onestop,server", "vn83-onestop,edge", "zone: 'edge' is not known"),
        ("vn83-onestop,server,1", "vn83-onestop,dmz,1", "system: zone dmz of vn83-onestop is on line 2 already"),
        ("vn83-onestop-server", "vn83-onestop-dmz", "name: the name vn83-onestop-dmz was given to"),
        ("vn83-onestop-server", "Server", "name: 'Server' is not the name of a namespace"),
        ("server,1", "server,-1", "slot: -1 is out of range"),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "old", "new", "problem"), [(name, *edit) for name, edits in EDITS.items() for edit in edits]
)
def test_a_wrong_value_is_a_fault_of_its_line(tmp_path: Path, name: str, old: str, new: str, problem: str) -> None:
    found = edited_faults(tmp_path, name, old, new)
    assert any(f"{name}:" in fault and problem in fault for fault in found), found


def test_many_wrong_values_are_shown_at_once(tmp_path: Path) -> None:
    write_inventory(tmp_path, base_declaration())
    for name, edits in EDITS.items():
        old, new, _ = edits[0]
        path = tmp_path / name
        path.write_text(path.read_text("utf-8").replace(old, new, 1), "utf-8")
    assert {fault.partition(":")[0] for fault in faults_of(tmp_path)} == set(EDITS)


def test_two_zones_a_peer_and_the_platform_never_share_an_address(tmp_path: Path) -> None:
    networks = (*ZONE_NETWORKS[:4], ZoneNetwork("manage", "main", "10.83.192.0/19"))
    assert (
        "10.83.192.0/19 of zone manage of site main overlaps 10.83.192.0/18 of zone database of site main"
        in (declared_faults(tmp_path, replace(base_declaration(), zone_networks=networks))[0])
    )
    found = edited_faults(tmp_path, "cloud.toml", '"10.10.0.0/16"', '"10.83.0.0/24"')
    assert "10.83.0.0/24 of peer office overlaps 10.83.0.0/18 of zone edge of site main" in found[0]
    found = edited_faults(tmp_path, "cloud.toml", '"10.84.0.10"', '"10.83.64.1"')
    assert "10.83.64.1/32 of platform service time overlaps 10.83.64.0/18 of zone dmz of site main" in found[0]


def test_a_zone_has_a_network_where_its_components_run(tmp_path: Path) -> None:
    found = declared_faults(tmp_path, replace(base_declaration(), zone_networks=ZONE_NETWORKS[:3]))
    assert [fault.partition(": ")[2] for fault in found] == [
        "zones: site main has no network for zone database, in which components of hosted systems run"
    ]


@pytest.mark.parametrize(("lock", "needed"), [((), 3), ((LockEntry(ONESTOP, "dmz", 4, "x"),), 5)])
def test_a_network_has_a_slot_for_every_system(tmp_path: Path, lock: tuple[LockEntry, ...], needed: int) -> None:
    """The second system's slot follows the highest that was ever given."""
    both = with_system(base_declaration(), hosted_system(PORTAL))
    more = tuple(replace(one, system=PORTAL) for one in both.components)
    networks = (ZoneNetwork("dmz", "main", "10.83.64.0/24"), *ZONE_NETWORKS[2:])
    declaration = replace(both, components=(*both.components, *more), zone_networks=networks, lock=lock)
    [fault] = declared_faults(tmp_path, declaration)
    assert f"dmz: 10.83.64.0/24 has 1 slots of a /24, {needed} are needed" in fault


def test_a_slot_of_a_system_that_is_gone_is_not_given_again(tmp_path: Path) -> None:
    gone = LockEntry("vn83-gone", "dmz", 1, "vn83-gone-dmz")
    declaration = replace(base_declaration(), lock=(*base_declaration().lock, gone))
    assert [fault.partition(": ")[2] for fault in declared_faults(tmp_path, declaration)] == [
        "slot: slot 1 of zone dmz was given to vn83-onestop on line 2"
    ]
    declaration = replace(base_declaration(), lock=(*base_declaration().lock, replace(gone, slot=2)))
    assert inventory.load(write_inventory(tmp_path, declaration)).cloud.lock[-1].system == "vn83-gone"


def test_a_renamed_system_has_the_slot_and_the_name_of_its_former_id(tmp_path: Path) -> None:
    former = tuple(replace(entry, system="vn83-door") for entry in base_declaration().lock)
    declaration = replace(base_declaration(), lock=(*base_declaration().lock, *former))
    problems = [fault.partition(": ")[2] for fault in declared_faults(tmp_path, declaration)]
    assert "slot: slot 1 of zone dmz was given to vn83-onestop on line 2" in problems
    renamed = with_system(declaration, hosted_system(was=("vn83-door",)))
    assert declared_faults(tmp_path, renamed) == []


def test_a_store_of_another_make_is_an_app_with_a_disk_in_the_zone_database(tmp_path: Path) -> None:
    store = replace(base_declaration().components[2], kind="app", image="influxdb")
    declaration = replace(base_declaration(), components=(*base_declaration().components[:2], store))
    assert declared_faults(tmp_path, declaration) == []


def test_an_agency_that_ends_names_one_that_exists_then(tmp_path: Path) -> None:
    merged = {
        **AGENCIES,
        "vn83-ubnd": replace(AGENCIES["vn83-ubnd"], valid_to=date(2025, 7, 1), successor="vn86-ubnd"),
        "vn86-ubnd": Agency("vn86-ubnd", "83", "Ủy ban", "Committee", valid_from=date(2025, 7, 2)),
    }
    found = declared_faults(tmp_path, replace(base_declaration(), agencies=merged))
    assert [fault.partition(": ")[2] for fault in found] == [
        "successor: 'vn86-ubnd' does not exist on 2025-07-01, when this agency ends"
    ]
    merged["vn86-ubnd"] = replace(merged["vn86-ubnd"], valid_from=date(2025, 7, 1))
    assert declared_faults(tmp_path, replace(base_declaration(), agencies=merged)) == []


def test_agencies_that_follow_each_other_are_faults_each(tmp_path: Path) -> None:
    ends = date(2025, 7, 1)
    circle = {
        **AGENCIES,
        "vn83-ubnd": replace(AGENCIES["vn83-ubnd"], valid_to=ends, successor="vn83-dit"),
        "vn83-dit": replace(AGENCIES["vn83-dit"], valid_to=date(2026, 1, 1), successor="vn83-ubnd", valid_from=ends),
    }
    found = declared_faults(tmp_path, replace(base_declaration(), agencies=circle))
    assert sum("successor: leads back to it" in fault for fault in found) == 2


def test_a_former_id_belongs_to_one_system(tmp_path: Path) -> None:
    declaration = with_system(base_declaration(), hosted_system(was=("vn83-door",)))
    declaration = with_system(declaration, hosted_system(PORTAL, was=("vn83-door",)))
    portal = tuple(replace(one, system=PORTAL) for one in base_declaration().components)
    declaration = replace(declaration, components=(*declaration.components, *portal), lock=())
    found = declared_faults(tmp_path, declaration)
    assert [fault.partition(": ")[2] for fault in found] == [
        "was: 'vn83-door' is a former id of another system, too"
    ] * 2
    assert declared_faults(tmp_path, with_system(base_declaration(), hosted_system(was=("vn83-door",)))) == []


def test_a_hosted_system_has_a_component(tmp_path: Path) -> None:
    declaration = with_system(base_declaration(), hosted_system(PORTAL))
    assert [fault.partition(": ")[2] for fault in declared_faults(tmp_path, declaration)] == [
        "hosted: vn83-portal has no component"
    ]


@pytest.mark.parametrize("ident", ["vn83-cloud", "vn83-cloud-manage1", "vn83-onestop--db"])
def test_what_the_cloud_derives_has_no_declared_id(tmp_path: Path, ident: str) -> None:
    write_inventory(tmp_path, base_declaration())
    text = (tmp_path / "systems.toml").read_text("utf-8")
    names = f'id = "{ident}"\nname_vi = "x"\nname_en = "x"\nkind = "data"\n'
    more = f'\n[[system]]\n{names}probe = "tcp"\ntarget = "a.example:1"\n'
    (tmp_path / "systems.toml").write_text(text + more, "utf-8")
    assert any("systems.toml:1: id" in fault and ident in fault for fault in faults_of(tmp_path))


def test_exceptions_and_drills_name_what_is_declared(tmp_path: Path) -> None:
    write_inventory(tmp_path, base_declaration())
    more = (
        '\n[[drill]]\nsystem = "vn83-none"\ndate = 2026-01-01\nevidence = "x"\n'
        '[[exception]]\nrule = "replicas"\nwhere = "vn83-onestop/none"\nwhy = "x"\nby = "vn83-none"\n'
        '[[exception]]\nrule = "replicas"\nwhere = "cloud"\nwhy = "has no end"\nby = "vn83-ubnd"\n'
        '[[exception]]\nrule = "replicas"\nwhere = "cloud"\nwhy = "again"\nby = "vn83-ubnd"\n'
        '[prices]\ncpu_core = 1\nmemory_gb = 1\ndisk_gb = 1\ncopy_gb = 1\ncurrency = "dong"\n'
    )
    text = (tmp_path / "cloud.toml").read_text("utf-8")
    (tmp_path / "cloud.toml").write_text(text + more, "utf-8")
    problems = [fault.split(": ", 1)[1] for fault in faults_of(tmp_path)]
    assert [problem for problem in problems if "already" not in problem] == [
        "system: there is no hosted system 'vn83-none'",
        "where: there is no component 'vn83-onestop/none'",
        "by: there is no agency 'vn83-none'",
        "currency: 'dong' is not a currency's code",
    ]
    assert sum("cloud is already excepted from replicas" in problem for problem in problems) == 1


def test_a_cloud_without_systems_is_allowed(tmp_path: Path) -> None:
    nothing = replace(base_declaration(), systems={}, components=(), flows=(), drills=(), lock=())
    assert inventory.load(write_inventory(tmp_path, nothing)).cloud == nothing


def test_every_file_of_the_cloud_belongs_to_the_small_inventory_too(tmp_path: Path) -> None:
    folder = write_inventory(tmp_path, base_declaration())
    assert {path.name for path in folder.iterdir()} == {*SMALL_INVENTORY, "systems.toml", *CLOUD_FILES}


def test_a_table_below_one_of_several_is_found_on_its_line() -> None:
    first = '[[system]]\nid = "a"\n[system.hosted]\nlevel = 1\n'
    text = first + "[[system]]\n[system.hosted]\nlevel = 2\n[[system.port]]\nn = 1\n"
    lines = locate_keys(text)
    assert (lines["system", 0, "hosted"], lines["system", 0, "hosted", "level"]) == (3, 4)
    assert (lines["system", 1, "hosted", "level"], lines["system", 1, "port", 0, "n"]) == (7, 9)


def test_a_bucket_calls_nobody(tmp_path: Path) -> None:
    base = base_declaration()
    bucket = Component(ONESTOP, "files", "objects", "database", "S", 1, 1, disk_gb=100)
    app, files = component_end(ONESTOP, "app"), component_end(ONESTOP, "files")
    called = with_flows(replace(base, components=(*base.components, bucket)), Flow(app, files, 443, "documents"))
    assert declared_faults(tmp_path / "called", called) == []
    (fault,) = declared_faults(tmp_path / "calling", with_flows(called, Flow(files, app, 8081, "notices")))
    assert "from: vn83-onestop/files is a bucket, which calls nobody" in fault


def test_another_agency_on_the_pages_than_the_owner_is_a_warning(tmp_path: Path) -> None:
    """Without `owner_agency` pages show the owner's name, so that nothing is declared twice."""
    write_inventory(tmp_path, base_declaration())
    file = tmp_path / "systems.toml"
    text = file.read_text("utf-8")
    warned = {}
    owner = inventory.load(tmp_path).cloud.agencies[base_declaration().systems[ONESTOP].owner]
    for shown in ("", owner.name_vi, owner.name_en, "Sở Khác"):
        line = f'owner_agency = "{shown}"\n' if shown else ""
        file.write_text(text.replace("probe = ", f"{line}probe = ", 1), "utf-8")
        warned[shown] = [one for one in inventory.load_with_warnings(tmp_path)[1] if one.field == "owner"]
    ((*others, (warning,)), names) = (list(warned.values()), list(warned))
    assert (names[-1], others) == ("Sở Khác", [[], [], []])
    assert warning.line == file.read_text("utf-8").splitlines().index(f'owner = "{owner.id}"') + 1
    assert warning.problem == f"is {owner.id} ({owner.name_vi}), and pages show owner_agency of the system, 'Sở Khác'"
    assert "remove owner_agency" in warning.remedy


@pytest.mark.parametrize("sample", ["bentre-2021", "vinhlong-2025"])
def test_the_samples_name_one_owner_of_each_system(sample: str) -> None:
    warnings = inventory.load_with_warnings(inventory.default_path().parent / sample)[1]
    assert [one for one in warnings if one.field == "owner"] == []
