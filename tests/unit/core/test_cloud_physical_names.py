"""Names of hosted systems are short, never meet, and stay when a system is renamed."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import pytest

from telemetry.core.cloud.physical_names import LONGEST_NAME, first_id, lock_entry, short_name, zone_namespace
from telemetry.core.cloud.values import CloudDeclaration, LockEntry
from tests.cloud_examples import ONESTOP, base_declaration

RENAMED = "vn83-counter"
ZONE: Final = "server"


def renamed(*lock: LockEntry) -> CloudDeclaration:
    """Return the base declaration with its system under another id."""
    base = base_declaration()
    system = replace(base.systems[ONESTOP], id=RENAMED, was=(ONESTOP,))
    return replace(base, systems={RENAMED: system}, lock=lock)


@pytest.mark.parametrize("parts", [("a" * 40, "b" * 40), ("a", "0123456789")], ids=["long", "like a digest"])
def test_a_name_that_could_meet_another_ends_with_a_digest_of_its_parts(parts: tuple[str, str]) -> None:
    name = short_name(*parts)
    assert len(name) <= LONGEST_NAME
    assert name.startswith(parts[0])
    assert name not in {short_name("-".join(parts), ""), "-".join(parts)}


def test_a_short_name_is_its_parts() -> None:
    assert short_name("vn83-a", "dmz") == "vn83-a-dmz"


@pytest.mark.parametrize(
    ("lock", "first", "namespace"),
    [
        ((LockEntry(ONESTOP, ZONE, 1, f"{ONESTOP}-{ZONE}"),), ONESTOP, f"{ONESTOP}-{ZONE}"),
        ((LockEntry(RENAMED, ZONE, 1, f"{ONESTOP}-{ZONE}"),), ONESTOP, f"{ONESTOP}-{ZONE}"),
        ((LockEntry(ONESTOP, ZONE, 1, "named-by-hand"),), ONESTOP, "named-by-hand"),
        ((LockEntry("vn83-other", ZONE, 1, f"vn83-other-{ZONE}"),), RENAMED, f"{RENAMED}-{ZONE}"),
        ((), RENAMED, f"{RENAMED}-{ZONE}"),
    ],
    ids=["locked before", "locked again", "other name", "of another system", "not locked"],
)
def test_a_renamed_system_keeps_the_names_that_are_locked(
    lock: tuple[LockEntry, ...], first: str, namespace: str
) -> None:
    declaration = renamed(*lock)
    system = declaration.systems[RENAMED]
    assert first_id(declaration, system) == first
    assert zone_namespace(declaration, system, ZONE) == namespace
    assert lock_entry(declaration, system, "dmz") is None
