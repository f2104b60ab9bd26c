"""Objectives are judged where they are declared for, and count tickets and probes as their totals say."""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType

import pytest

from telemetry.core.calendar.windows import SLOT, Window, floor
from telemetry.core.fold.histogram_buckets import LATENCY_BOUNDS_MS, histogram_of
from telemetry.core.fold.totals import Total
from telemetry.core.inventory import Device, System
from telemetry.core.slo.evaluation import scopes_of
from telemetry.slo.evaluator import SloEvaluator
from tests.unit.slo.test_evaluator_engine import CENTRE, NOW, Rows, aim, world

OTHER = replace(CENTRE, id="c2", level="province")
LOG = replace(CENTRE, id="replay-log", imported=True)
KIOSK, SCREEN = Device("c1-kiosk1", "c1", "kiosk", every_ms=30_000), Device("c1-display1", "c1", "display", 90_000)
REPLAY = Device("replay-log-replay1", "replay-log", "replay")
PORTAL = System("vn83-portal", "Cổng", "Portal", "portal")
WORLD = replace(
    world(),
    centres=MappingProxyType({c.id: c for c in (CENTRE, OTHER, LOG)}),
    devices=MappingProxyType({d.id: d for d in (KIOSK, SCREEN, REPLAY)}),
    systems=MappingProxyType({PORTAL.id: PORTAL, "vn-ngsp": replace(PORTAL, id="vn-ngsp")}),
)


@pytest.mark.parametrize(
    ("scope", "found"),
    [
        ("centre", ["centre:c1", "centre:c2"]),
        ("commune", ["centre:c1"]),
        ("centre:c2", ["centre:c2"]),
        ("centre:replay-log", []),
        ("system", ["system:vn-ngsp", "system:vn83-portal"]),
        ("system:vn-ngsp", ["system:vn-ngsp"]),
        ("device", ["device:c1-display1", "device:c1-kiosk1"]),
        ("kiosk", ["device:c1-kiosk1"]),
        ("device:c1-display1", ["device:c1-display1"]),
    ],
)
def test_scopes(scope: str, found: list[str]) -> None:
    assert [aimed.scope for aimed in scopes_of(aim(scope=scope), WORLD)] == found


def test_a_centre_is_heard_as_often_as_its_most_frequent_device() -> None:
    assert [aimed.every_ms for aimed in scopes_of(aim(), WORLD)] == [30_000, 60_000]


def test_tickets_and_probes_are_counted_in_closed_cells() -> None:
    both = (aim("wait", 0.8, threshold_ms=900_000), aim("latency", 0.9, scope="system:vn83-portal", threshold_ms=2000))
    inventory, mark = replace(WORLD, objectives=both), floor(NOW, SLOT) - SLOT
    watch = SloEvaluator(Rows(), lambda: inventory)  # type: ignore[arg-type]
    watch.evaluate_all(NOW)
    window = Window(mark, mark + 2 * SLOT)
    desks = [
        Total("c1", f"desk:c1:{name}", "5m", t, "vn83", {"level_good_900": 8, "level_bad_900": 2, "level_bad_300": 5})
        for name in ("land", "tax")
        for t in (mark, mark + SLOT)
    ]
    watch.on_totals("c1", "5m", window, desks)
    probes = {"latency_histogram": sum(map(histogram_of, (*LATENCY_BOUNDS_MS, 11_000))), "probes": 20}
    watch.on_totals(PORTAL.id, "5m", window, [Total(PORTAL.id, f"system:{PORTAL.id}", "5m", mark, "vn83", probes)])
    waits, _, latency = watch.evaluate_all(NOW)
    assert (waits.status.good_bad.good, waits.status.good_bad.bad) == (16, 4)
    assert (latency.status.good_bad.good, latency.status.good_bad.bad) == (7, 13)
