"""A new site's time before its first word is in no total, whichever day of UTC or of the site it lies on."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, SLOT, ceil, day_window, to_local
from telemetry.core.inventory import DeclaredPeriod, Device
from telemetry.core.protocol import events as ev
from tests.unit.rollup.test_rollup_calendar import EVER, HANOI, START, Place

UNDECLARED = DeclaredPeriod()
TIMES = tuple(f"{state}_ms" for state in ("up", "down", "link", "platform", "conn_up", "conn_down", "conn_platform"))
"""The sums of time that a total may have."""
UNITS = ("c1", "vn83-portal")


def new_site(place: Place) -> None:
    """Declare a centre of two devices and its system, none with a day on which its service begins."""
    devices = {
        "c1-gateway1": Device("c1-gateway1", "c1", "gateway", declared_period=UNDECLARED),
        "c1-kiosk1": Device("c1-kiosk1", "c1", "kiosk", declared_period=UNDECLARED),
    }
    centre = replace(place.world.centres["c1"], declared_period=UNDECLARED)
    system = replace(place.world.systems["vn83-portal"], declared_period=UNDECLARED)
    place.world = replace(place.world, devices=devices, centres={"c1": centre}, systems={system.id: system})
    place.start()


@pytest.mark.parametrize("is_running_before", [True, False], ids=["rollup-runs-before", "rollup-starts-then"])
@pytest.mark.parametrize(
    "first_word",
    [START + DAY - MINUTE, START + DAY + MINUTE, START + DAY + 7 * HOUR - MINUTE, START + DAY + 7 * HOUR + MINUTE],
    ids=["before-local-midnight", "after-local-midnight", "before-utc-midnight", "after-utc-midnight"],
)
def test_silence_before_the_first_word_is_in_no_total(first_word: int, is_running_before: bool) -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Place(Path(folder))
        new_site(place)
        if is_running_before:
            for place.now in range(first_word - 30 * HOUR, first_word, HOUR):
                place.passes()
        words = range(first_word, first_word + 15 * MINUTE, MINUTE)
        place.now = words[-1]
        place.write(*(ev.DeviceContact(n=3 * t // MINUTE, t=t) for t in words))
        place.write(*(ev.DeviceHeartbeat(n=3 * t // MINUTE + 1, t=t) for t in words))
        place.write(*(probe(t) for t in words))
        place.passes(2)
        for place.now in range(first_word + HOUR, first_word + 27 * HOUR, HOUR):
            place.passes(2)
        began = ceil(first_word, SLOT)
        timed = [t for t in place.store.totals(list(UNITS), "5m", EVER) if any(t.sums.get(name) for name in TIMES)]
        assert {t.scope for t in timed} == {"device:c1-gateway1", "centre:c1", "system:vn83-portal"}
        assert {min(t.start for t in timed if t.scope == scope) for scope in {t.scope for t in timed}} == {began}
        assert max(t.sums.get("link_ms", 0) for t in timed) == 0
        days = [t for t in place.store.totals(list(UNITS), "1d", EVER) if any(t.sums.get(name) for name in TIMES)]
        assert {t.start for t in days} == {day_window(to_local(began, HANOI).date(), HANOI).start}
        place.store.close()


def probe(t: int) -> ev.ProbeResult:
    return ev.ProbeResult(n=3 * t // MINUTE + 2, t=t, system="vn83-portal", kind="http", ok=True)
