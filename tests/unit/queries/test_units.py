"""The tree of units with their centres, in any depth, and what it finds by name."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

import pytest

from telemetry.core.calendar.windows import HOUR, Window
from telemetry.core.figures.condition import Assessment, Reason
from telemetry.core.inventory import AdministrativeUnit, Objective
from telemetry.queries.errors import NotFound
from telemetry.queries.network import NetworkView, NetworkViewCache
from telemetry.queries.search import SearchIndex, SearchIndexCache
from telemetry.queries.snapshot import Snapshot
from telemetry.queries.timeline import SegmentKind, TimelineSegment
from telemetry.queries.trouble import faulty_since, reason_since
from telemetry.queries.units import build_unit_tree
from tests.program.network import NOW, centre, centre_now, inventory

if TYPE_CHECKING:
    from telemetry.core.figures.condition import ReasonCode
    from telemetry.queries.views import CentreView

_SINCE = date(2020, 6, 1)


def unit(code: str, level: str, parent: str, name: str) -> AdministrativeUnit:
    return AdministrativeUnit(code, level, parent, name, _SINCE)  # type: ignore[arg-type]


PROVINCE = unit("83", "province", "", "Tỉnh Bến Tre")
DISTRICT = unit("831", "district", "83", "Huyện Châu Thành")
COMMUNE = unit("28800", "commune", "831", "Xã Tân Thạch")


def world(*units: AdministrativeUnit, **unit_of: str) -> NetworkView:
    """Return two centres, An in one unit and Ba in another, both heard of just now; Ba is down."""
    declared = {
        ident: replace(centre(ident, name), unit=unit_of.get(name, "83"))
        for ident, name in (("vn83-a", "An"), ("vn83-b", "Ba"))
    }
    own = replace(inventory(), centres=declared, units={u.code: u for u in units})
    rows = {"vn83-a": centre_now("vn83-a", NOW), "vn83-b": centre_now("vn83-b", NOW, state="down", services=())}
    return NetworkView(own, Snapshot(NOW, 2, rows, versions={"vn83-a": 1, "vn83-b": 2}), NOW)


def test_a_unit_has_the_sums_and_the_condition_of_all_centres_below_it() -> None:
    tree = build_unit_tree(world(PROVINCE, DISTRICT, COMMUNE, An="831", Ba="28800"))
    district = tree.find("831")
    assert [v.centre.id for v in district.centres] == ["vn83-b", "vn83-a"]
    assert [v.centre.id for v in district.own_centres] == ["vn83-a"]
    assert (district.waiting, district.serving, district.counters, district.counters_open) == (3, 1, 8, 6)
    assert (district.condition, district.in_trouble, district.conditions["down"]) == ("down", 1, 1)
    assert tree.find("83").today.wait.count == district.today.wait.count == 3
    assert district.devices["up"] == 4
    assert [view.unit.code for view in tree.districts] == ["831"]
    assert tree.unplaced == ()


def test_a_province_without_districts_has_its_communes_at_once() -> None:
    commune = replace(COMMUNE, parent="83")
    tree = build_unit_tree(world(PROVINCE, commune, Ba="28800"))
    assert tree.districts == ()
    assert [child.unit.code for child in tree.find("83").children] == ["28800"]
    assert tree.find("28800").condition == "down"


def test_a_unit_without_a_centre_has_no_data() -> None:
    empty = build_unit_tree(world(PROVINCE, DISTRICT)).find("831")
    assert (empty.centres, empty.last_data, empty.today.wait.mean_s) == ((), None, None)


def test_centres_of_undeclared_units_stand_beside_the_tree() -> None:
    tree = build_unit_tree(world())
    assert [v.centre.id for v in tree.unplaced] == ["vn83-b", "vn83-a"]
    with pytest.raises(NotFound, match="no unit '83'"):
        tree.find("83")


def test_parents_in_a_circle_are_each_shown_once() -> None:
    tree = build_unit_tree(world(unit("1", "commune", "2", "Xã Một"), unit("2", "commune", "1", "Xã Hai")))
    assert [view.unit.code for view in tree.all_units()] == ["1", "2"]


def test_a_search_finds_names_codes_and_ids_without_accents() -> None:
    network = world(PROVINCE, DISTRICT)
    objective = Objective("open-time", "Giờ mở cửa", "Opening time", "centre", "availability", 0.99, 28)
    network = replace(network, inventory=replace(network.inventory, objectives=(objective,)))
    index = SearchIndex(network)

    def found(query: str) -> list[tuple[str, str]]:
        return [(hit.kind, hit.id) for hit in index.find(query)]

    assert found("ben tre") == [("unit", "83")]
    assert found("CHÂU thanh") == [("unit", "831")]
    assert found("vn83-a")[:2] == [("centre", "vn83-a"), ("device", "vn83-a-gateway1")]
    assert ("system", "vn83-portal") in found("cong")
    assert found("gio mo cua") == [("objective", "open-time")]
    assert found("DG-01")[0] == ("kpi", "DG-01")
    assert found("") == found("nothing like it") == []


def test_an_index_is_made_again_when_something_else_is_declared_or_imported() -> None:
    cache, network = SearchIndexCache(), world(PROVINCE)
    assert [hit.id for hit in cache.find(network, "ben tre")] == ["83"]
    assert cache.find(replace(network, inventory=replace(network.inventory, units={})), "ben tre") == []
    log = centre_now("replay-x", NOW, declared={"name_vi": "Nhật ký", "name_en": "Log"})
    rows = {**network.snapshot.centres, "replay-x": log}
    imported = replace(network, snapshot=replace(network.snapshot, centres=rows))
    assert [hit.id for hit in cache.find(imported, "nhat ky")] == ["replay-x"]


def test_what_an_unchanged_row_holds_is_decoded_once_a_day() -> None:
    network = world(PROVINCE)
    cache = NetworkViewCache()

    def view_of(snapshot: Snapshot, now: int) -> CentreView:
        view = cache.get(network.inventory, snapshot, now)
        return view.centre_view(network.inventory.centres["vn83-a"])

    first = view_of(network.snapshot, NOW)
    assert first.today_sums["issued"] == 3
    assert view_of(replace(network.snapshot, at=NOW + 1), NOW + 1).today_sums is first.today_sums
    rows = {**network.snapshot.centres, "vn83-a": centre_now("vn83-a", NOW, services=())}
    assert view_of(replace(network.snapshot, centres=rows), NOW + 2).today_sums.get("issued", 0) == 0
    second = view_of(network.snapshot, NOW + 3)
    assert second.today_sums["issued"] == 3
    assert view_of(replace(network.snapshot, at=NOW), NOW + 24 * HOUR).today_sums.get("issued", 0) == 0


def segment(state: str, first: int, last: int) -> TimelineSegment:
    return TimelineSegment(Window(first * HOUR, last * HOUR), SegmentKind(state))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "since"),
    [
        (("up", "down"), 1),
        (("down", "up", "unknown", "down"), 2),
        (("up", "mixed", "closed", "down"), 1),
        (("up", "down", "excluded"), 1),
        (("down", "up"), 2),
        ((), 0),
    ],
)
def test_a_fault_began_where_the_time_was_last_up(states: tuple[str, ...], since: int) -> None:
    segments = [segment(state, hour, hour + 1) for hour, state in enumerate(states)]
    assert faulty_since(segments, len(states) * HOUR) == since * HOUR


@pytest.mark.parametrize(
    ("code", "values", "since"),
    [
        ("no_contact", {"at": NOW - HOUR}, NOW - HOUR),
        ("no_contact", {}, None),
        ("longest_wait", {"seconds": 60}, NOW - 60_000),
        ("devices_down", {"count": 1}, None),
    ],
)
def test_some_reasons_say_since_when(code: ReasonCode, values: dict[str, int], since: int | None) -> None:
    assert reason_since(Assessment("down", (Reason(code, **values),)), NOW) == since  # type: ignore[arg-type]
