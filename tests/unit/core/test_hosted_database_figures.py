"""A hosted database's own figures against what is declared: good, beyond a limit, and never good on silence."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.device_sources import DeviceSource, default_sources, inherited_settings, sources_of
from telemetry.core.fold.live_row_types import DatabaseNow
from telemetry.core.fold.live_state import relevant_events, system_now
from telemetry.core.fold.sourced_event import SourcedEvent
from telemetry.core.hosted.database_figures import DatabaseFigure, copy_interval_hours, has_copies, judge_figures
from telemetry.core.inventory import SourceDeclaration, System
from telemetry.core.protocol import events as ev
from tests.cloud_examples import ONESTOP, base_declaration
from tests.hosted_network import INSIDE, hosting

DB, NOW, GIB = f"{ONESTOP}--db", 1_800_000_000_000, 1 << 30
CLOUD = base_declaration()
COMPONENT = next(c for c in CLOUD.components if c.kind == "database")
GOOD = DatabaseNow(
    at=NOW - MINUTE, every_ms=MINUTE, instances=3, copy_at=NOW - 5 * HOUR, archive_age_ms=40_000, archive_waiting=0,
    lag_ms=1_500, disk_bytes=50 * GIB,
)  # fmt: skip


def judged(seen: DatabaseNow | None, now: int = NOW) -> dict[str, tuple[str, float | None]]:
    return {one.id: (one.state, one.value) for one in judge_figures(CLOUD, COMPONENT, seen, now)}


def test_a_good_database_has_every_figure_within_its_limit() -> None:
    assert judge_figures(CLOUD, COMPONENT, GOOD, NOW) == (
        DatabaseFigure("copy", "good", 5 * 3600, 26 * 3600),
        DatabaseFigure("archive", "good", 100, 600),
        DatabaseFigure("instances", "good", 3, 3),
        DatabaseFigure("lag", "good", 1.5, 300),
        DatabaseFigure("disk", "good", 0.25, 0.8),
    )


@pytest.mark.parametrize(
    ("changes", "figure", "state"),
    [
        ({"copy_at": NOW - 26 * HOUR}, "copy", "good"),
        ({"copy_at": NOW - 26 * HOUR - 1}, "copy", "bad"),
        ({"copy_at": 0}, "copy", "bad"),
        ({"copy_at": None}, "copy", "unknown"),
        ({"archive_age_ms": 700_000}, "archive", "good"),
        ({"archive_age_ms": 540_000, "archive_waiting": 1}, "archive", "good"),
        ({"archive_age_ms": 540_001, "archive_waiting": 1}, "archive", "bad"),
        ({"archive_age_ms": -1, "archive_waiting": 1}, "archive", "bad"),
        ({"archive_age_ms": -1}, "archive", "unknown"),
        ({"archive_age_ms": None, "archive_waiting": 1}, "archive", "unknown"),
        ({"archive_waiting": None}, "archive", "unknown"),
        ({"instances": 2}, "instances", "bad"),
        ({"instances": 4}, "instances", "good"),
        ({"lag_ms": 300_000}, "lag", "good"),
        ({"lag_ms": 300_001}, "lag", "bad"),
        ({"lag_ms": None}, "lag", "unknown"),
        ({"disk_bytes": 160 * GIB - 1}, "disk", "good"),
        ({"disk_bytes": 160 * GIB}, "disk", "bad"),
        ({"disk_bytes": None}, "disk", "unknown"),
    ],
)
def test_each_figure_has_its_own_limit(changes: dict[str, int | None], figure: str, state: str) -> None:
    states = {ident: one[0] for ident, one in judged(structs.replace(GOOD, **changes)).items()}
    assert states == {**dict.fromkeys(judged(GOOD), "good"), figure: state}


def test_silence_is_unknown_and_keeps_the_last_value() -> None:
    assert set(judged(None).values()) == {("unknown", None)}
    grace = 2 * MINUTE + 30_000
    assert {state for state, _ in judged(GOOD, GOOD.at + grace).values()} == {"good"}
    assert judged(GOOD, GOOD.at + grace + 1)["instances"] == ("unknown", 3)
    assert {state for state, _ in judged(GOOD, GOOD.at + grace + 1).values()} == {"unknown"}
    assert judged(structs.replace(GOOD, instances=0), GOOD.at + DAY)["instances"] == ("unknown", 0)


def test_without_a_store_of_copies_nothing_is_said_of_copies() -> None:
    bare = replace(CLOUD, backups=())
    assert not has_copies(bare)
    assert copy_interval_hours(bare) == 24
    assert [one.id for one in judge_figures(bare, COMPONENT, GOOD, NOW)] == ["instances", "lag", "disk"]


def test_below_level_3_as_many_instances_are_wanted_as_are_declared() -> None:
    low = replace(CLOUD, systems={ONESTOP: replace(CLOUD.systems[ONESTOP], level=2)})
    single = replace(COMPONENT, least=1, most=1)
    assert judge_figures(low, single, structs.replace(GOOD, instances=1), NOW)[2].state == "good"


def test_the_live_row_has_the_newest_figures_whatever_comes_late() -> None:
    def figures(n: int, t: int, instances: int) -> SourcedEvent:
        return SourcedEvent(INSIDE, "s", ev.DatabaseFigures(n=n, t=t, system=DB, instances=instances))

    events = [figures(2, NOW - MINUTE, 2), figures(1, NOW - 2 * MINUTE, 3), figures(3, NOW + 1, 1)]
    system = System(DB, DB, DB, "component", vantage=(INSIDE,))
    assert system_now(system, events, NOW).database == DatabaseNow(at=NOW - MINUTE, every_ms=60_000, instances=2)
    assert system_now(system, relevant_events(events, NOW, 0), NOW) == system_now(system, events, NOW)
    assert system_now(system, [], NOW).database is None


def test_the_agent_in_the_zone_manage_reads_each_database() -> None:
    world = hosting()
    own = {name: one.settings for name, one in _sources(world.sources).items() if one.kind == "database"}
    target = "db-figures.vn83-onestop-database.svc:9187"
    assert own == {f"database:{DB}": {"system": DB, "target": target, "every_ms": 60_000}}
    moved = SourceDeclaration("database", f"database:{DB}", {"system": DB, "target": "10.0.0.1:9187"}, device=INSIDE)
    changed = _sources((moved,))[f"database:{DB}"].settings
    assert changed == {"system": DB, "target": "10.0.0.1:9187", "every_ms": 60_000}
    assert inherited_settings("database", world.systems[DB]) == own[f"database:{DB}"]
    assert inherited_settings("database", world.systems[ONESTOP]) == {}
    assert inherited_settings("probe", world.systems[DB])["probe"] == "tcp"
    assert inherited_settings("http", world.systems[DB]) == inherited_settings("probe", None) == {}


def _sources(declared: tuple[SourceDeclaration, ...]) -> dict[str, DeviceSource]:
    world = replace(hosting(), sources=declared)
    names = default_sources(world.devices[INSIDE], [s for s in world.systems.values() if INSIDE in s.vantage])
    return dict(zip(names, sources_of(world, world.devices[INSIDE]), strict=True))
