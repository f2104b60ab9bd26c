"""cloud.lock is only appended to: slots and names of systems never change and are never given again."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.lock import extended_lock, missing_entries
from telemetry.core.cloud.values import CloudDeclaration, LockEntry, ZoneNetwork
from telemetry.errors import ConfigError
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    base_lock,
    hosted_system,
    renamed_system,
    with_system,
)
from tests.property_sizes import sized

PORTAL, MOTCUA = "vn83-portal", "vn83-motcua"


def two_systems() -> CloudDeclaration:
    declaration = with_system(base_declaration(), hosted_system(PORTAL))
    return replace(declaration, components=(*declaration.components, *base_components(PORTAL)))


def test_a_new_system_gets_the_next_slot_in_all_its_zones() -> None:
    assert missing_entries(base_declaration()) == ()
    assert missing_entries(two_systems()) == (
        LockEntry(PORTAL, "database", 2, "vn83-portal-database"),
        LockEntry(PORTAL, "dmz", 2, "vn83-portal-dmz"),
        LockEntry(PORTAL, "server", 2, "vn83-portal-server"),
    )


def test_a_new_zone_gets_the_slot_of_its_system() -> None:
    declaration = replace(base_declaration(), lock=base_lock()[:2])
    assert missing_entries(declaration) == (base_lock()[2],)


def test_the_slot_of_a_system_that_is_gone_is_not_given_again() -> None:
    gone = (LockEntry("vn83-gone", "server", 7, "vn83-gone-server"),)
    declaration = replace(base_declaration(), lock=gone)
    assert {entry.slot for entry in missing_entries(declaration)} == {8}
    assert gone[0] in extended_lock(declaration)


def test_a_renamed_system_keeps_slots_names_and_project() -> None:
    before = build_cloud_plan(base_declaration(), province="vn83", stage="prod", today=TODAY).systems[0]
    declaration = renamed_system(base_declaration(), MOTCUA, ONESTOP)
    assert missing_entries(declaration) == ()
    after = build_cloud_plan(declaration, province="vn83", stage="prod", today=TODAY).systems[0]
    assert (after.id, after.project) == (MOTCUA, before.project)
    assert [(zone.namespace, zone.cidr) for zone in after.zones] == [
        (zone.namespace, zone.cidr) for zone in before.zones
    ]


def test_a_renamed_system_names_a_new_zone_as_before() -> None:
    declaration = replace(renamed_system(base_declaration(), MOTCUA, ONESTOP), lock=base_lock()[:2])
    assert missing_entries(declaration) == (LockEntry(MOTCUA, "database", 1, "vn83-onestop-database"),)


def test_without_the_earlier_id_a_system_is_a_new_one() -> None:
    assert {entry.slot for entry in missing_entries(renamed_system(base_declaration(), MOTCUA))} == {2}


def test_an_earlier_id_cannot_be_another_system() -> None:
    declaration = with_system(base_declaration(), hosted_system(MOTCUA, was=(ONESTOP,)))
    with pytest.raises(ConfigError, match="is the earlier id of vn83-motcua and the id of another system"):
        extended_lock(declaration)


def test_a_new_system_never_gets_a_name_that_another_one_has() -> None:
    lock = (LockEntry(MOTCUA, "server", 1, "vn83-onestop-server"),)
    names = {entry.zone: entry.name for entry in missing_entries(replace(base_declaration(), lock=lock))}
    assert names["server"] == "vn83-onestop-server-2"


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ((LockEntry("a", "dmz", 1, "a-dmz"), LockEntry("b", "dmz", 1, "b-dmz")), "slot 1 of dmz has two names"),
        ((LockEntry("a", "dmz", 1, "a-dmz"), LockEntry("b", "dmz", 2, "a-dmz")), "a-dmz has 2 slots"),
    ],
)
def test_a_lock_that_contradicts_itself_is_refused(entries: tuple[LockEntry, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        extended_lock(replace(base_declaration(), lock=entries))


def test_a_full_network_is_refused() -> None:
    small = (ZoneNetwork("dmz", "main", "10.83.64.0/23", "cloud.toml:9"),)
    declaration = replace(two_systems(), zone_networks=small)
    with pytest.raises(ConfigError, match=r"cloud.toml:9: .*has no slot 2"):
        extended_lock(declaration)


@sized(40, 500)
@given(declarations(), st.data())
def test_a_lock_is_only_appended_to(declaration: CloudDeclaration, data: st.DataObject) -> None:
    lock = extended_lock(declaration)
    assert {*declaration.lock} <= {*lock}
    places = {(entry.zone, entry.slot) for entry in lock}
    assert len(places) == len({entry.name for entry in lock}) == len(lock)
    assert all(len(entry.name) <= 63 for entry in lock)
    assert extended_lock(replace(declaration, lock=lock)) == lock
    fewer = data.draw(st.lists(st.sampled_from(lock), unique=True))
    shuffled = data.draw(st.permutations(declaration.components))
    assert {*fewer} <= {*extended_lock(replace(declaration, lock=tuple(fewer), components=tuple(shuffled)))}
