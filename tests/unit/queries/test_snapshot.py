"""The snapshot tells centres, systems and objectives apart, and all who ask within its second share one world."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from telemetry.core.fold.live_row_types import CentreNow, SloNow, SystemNow
from telemetry.inventory import default_path, load
from telemetry.queries.network import NetworkViewCache
from telemetry.queries.snapshot import Snapshot, apply_rows
from telemetry.store import LiveRow

if TYPE_CHECKING:
    from msgspec import Struct

NOW = 1_795_417_500_000
CENTRE = CentreNow(centre="vn83-1", at=NOW, state="up", reopened=7)
SYSTEM = SystemNow(system="vn-ngsp", at=NOW, state="up", reopened=8)
SLO = SloNow(slo="centres-open", at=NOW, settled_until=0)


def live(unit: str, version: int, row: Struct) -> LiveRow:
    return LiveRow(unit, version, msgspec.json.encode(row))


ROWS = [live("vn83-1", 1, CENTRE), live("vn-ngsp", 2, SYSTEM), live("slo:centres-open", 3, SLO)]


def test_each_row_is_read_as_what_it_is() -> None:
    found = apply_rows(Snapshot(0), ROWS, NOW)
    assert (found.centres, found.systems, found.slos) == (
        {"vn83-1": CENTRE}, {"vn-ngsp": SYSTEM}, {"centres-open": SLO},
    )  # fmt: skip
    assert (found.version, found.centres_changed_since(0), found.centres_changed_since(1)) == (3, ["vn83-1"], [])
    assert [found.reopened_at(unit) for unit in ("vn83-1", "vn-ngsp", "vn83-2")] == [7, 8, 0]


def test_a_row_that_cannot_be_read_leaves_what_was_known() -> None:
    before = apply_rows(Snapshot(0), ROWS, NOW)
    spoiled = [LiveRow(row.entity, 9, row.body[:-5]) for row in ROWS]
    after = apply_rows(before, [*spoiled, LiveRow("vn83-2", 9, b"[]")], NOW)
    assert (after.centres, after.systems, after.slos) == (before.centres, before.systems, before.slos)
    assert after.version == 9


def test_one_world_is_made_for_one_snapshot_and_inventory() -> None:
    worlds, inventory, snapshot = NetworkViewCache(), load(default_path()), Snapshot(NOW)
    world = worlds.get(inventory, snapshot, NOW)
    assert worlds.get(inventory, snapshot, NOW + 900) is world
    assert world.status(None) is world.status(None)
    assert world.centre_view(world.centre("vn83-83")) is world.centre_view(world.centre("vn83-83"))
    assert worlds.get(inventory, Snapshot(NOW + 1000), NOW + 1000) is not world
    assert worlds.capacity_centres(inventory) is worlds.capacity_centres(inventory)
    assert "vn83-83" in worlds.capacity_centres(inventory)
