"""Both samples host systems, and the merged province hosts those of the former one as they were."""

from __future__ import annotations

import csv
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from infra.plan.cloud.tenancy import build_cloud_plan
from telemetry import inventory

if TYPE_CHECKING:
    from telemetry.core.inventory import Inventory

HOSTED = {
    "vn83-portal", "vn83-onestop", "vn83-lgsp", "vn83-eform", "vn83-documents", "vn83-participation", "vn83-app",
    "vn83-identity", "vn83-eseal", "vn83-data", "vn83-motcua",
}  # fmt: skip
MERGER = date(2025, 7, 1)


@pytest.fixture(scope="module")
def former() -> Inventory:
    return inventory.load(inventory.default_path())


@pytest.fixture(scope="module")
def merged() -> Inventory:
    return inventory.load(inventory.default_path().with_name("vinhlong-2025"))


def test_the_sample_hosts_eleven_systems_and_monitors_the_national_ones_only(former: Inventory) -> None:
    assert set(former.cloud.systems) == HOSTED
    assert {ident for ident in former.whole_systems if ident not in HOSTED} == {
        "vn-portal", "vn-ngsp", "vn-paygov", "vn-signature", "vn-identity", "vn83-links",
    }  # fmt: skip
    assert {peer.id for peer in former.cloud.peers.values() if peer.kind == "partner"} == {
        "national-portal", "ngsp", "paygov", "signature", "vneid",
    }  # fmt: skip


def test_every_zone_of_the_sample_has_its_slot_and_its_first_name(former: Inventory) -> None:
    cloud = former.cloud
    zones = {(one.system, one.zone) for one in cloud.components}
    assert {(entry.system, entry.zone): entry.name for entry in cloud.lock} == {
        (system, zone): f"{system}-{zone}" for system, zone in zones
    }


def test_an_exposed_system_is_probed_at_the_host_at_which_people_reach_it(former: Inventory) -> None:
    for ident, system in former.cloud.systems.items():
        assert former.systems[ident].target.removeprefix("https://").partition("/")[0] == system.host


def test_no_name_address_or_data_moves_when_provinces_merge(former: Inventory, merged: Inventory) -> None:
    before, after = former.cloud, merged.cloud
    assert {"vn83-onestop", "vn83-portal"} <= set(after.systems) <= set(before.systems)
    for ident, system in after.systems.items():
        own = before.systems[ident]
        assert replace(own, owner=system.owner, operator=system.operator, security=system.security) == system
        assert before.components_of(ident) == after.components_of(ident)
    assert set(after.flows) == {
        flow for flow in before.flows if {flow.source.system, flow.target.system} - {""} <= set(after.systems)
    }
    assert (after.lock, after.zone_networks, after.sites) == (before.lock, before.zone_networks, before.sites)
    assert (after.peers, after.platform, after.sizes) == (before.peers, before.platform, before.sizes)


@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_physical_names_and_networks_stay_in_the_plan_of_the_merged_province(
    former: Inventory, merged: Inventory, stage: str
) -> None:
    before, after = (
        build_cloud_plan(declared.cloud, province=declared.province, stage=stage, today=date(2025, 7, 1))
        for declared in (former, merged)
    )
    for system in after.systems:
        own = before.system(system.id)
        assert (own.project, own.reasons) == (system.project, system.reasons)
        places = [(zone.namespace, zone.cidr, zone.slot, zone.quota) for zone in own.zones]
        assert [(zone.namespace, zone.cidr, zone.slot, zone.quota) for zone in system.zones] == places
        assert all(cidr for _, cidr, *_ in places)


def test_each_owner_is_what_followed_the_former_owner(former: Inventory, merged: Inventory) -> None:
    agencies = merged.cloud.agencies
    for ident, system in merged.cloud.systems.items():
        line = [former.cloud.systems[ident].owner]
        while agencies[line[-1]].successor:
            line.append(agencies[line[-1]].successor)
        assert system.owner == line[-1]
        assert not agencies[line[0]].is_valid_on(MERGER)
        assert agencies[system.owner].is_valid_on(MERGER)


def test_an_agency_of_both_samples_has_one_name(former: Inventory, merged: Inventory) -> None:
    for ident, agency in former.cloud.agencies.items():
        assert merged.cloud.agencies[ident].name_vi == agency.name_vi


def test_the_lock_is_sorted(former: Inventory) -> None:
    rows = list(csv.reader((inventory.default_path() / "cloud.lock").read_text("utf-8").splitlines()))
    assert rows[1:] == sorted(rows[1:])
    assert len(former.cloud.lock) == len(rows) - 1
