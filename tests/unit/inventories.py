"""Small, nasty, valid inventories for Hypothesis: long ids, ids that begin alike, centres without a device."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, get_args
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from telemetry.core.inventory import ALWAYS_OPEN, Centre, Device, DeviceKind, Inventory, Objective, System
from telemetry.inventory.objectives import (
    DEVICE_SCOPES,
    PERIOD_MAX_DAYS,
    POLICIES,
    SLI_SCOPE_KINDS,
    THRESHOLDS,
    TIME_SLIS,
    default_policy,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
LONGEST_ID = 63
_END = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=40)
_KINDS = get_args(DeviceKind)


def centre(ident: str, province: str) -> Centre:
    """Return a centre that is always open."""
    return Centre(ident, "83", "province", "Một cửa", "Desk", province, "", 2, ALWAYS_OPEN, ("land",), ZONE)


def inventory(province: str, centres: Mapping[str, Centre], devices: Mapping[str, Device]) -> Inventory:
    """Return an inventory of these centres and devices, and one probed system when there is a device."""
    watching = tuple(devices)[:1]
    systems = {"vn-ngsp": System("vn-ngsp", "NGSP", "NGSP", "platform", vantage=watching)} if watching else {}
    return Inventory("v1", province, "Tỉnh", "Province", ZONE, {}, centres, devices, {}, systems)


@st.composite
def inventories(draw: st.DrawFn, least: int = 0) -> Inventory:
    """Draw 0 to 3 centres and `least` to 60 devices of every kind, with ids up to the longest there may be."""
    province = draw(st.sampled_from(["vn83", "vn1", "p" * 20]))
    ends = draw(st.lists(_END, min_size=min(1, least), max_size=3, unique=True))
    names = [f"{province}-{end}"[:LONGEST_ID] for end in ends]
    centres = {name: centre(name, province) for name in names}
    count = draw(st.integers(least, 60)) if names else 0
    made = [draw(_device(names)) for _ in range(count)]
    return inventory(province, centres, {one.id: one for one in made})


@st.composite
def _device(draw: st.DrawFn, centres: list[str]) -> Device:
    home, kind = draw(st.sampled_from(centres)), draw(st.sampled_from(_KINDS))
    end = draw(_END | st.integers(1, 99).map(lambda number: f"{kind}{number}"))
    ident = f"{home}-{end}"[:LONGEST_ID]
    return Device(ident, home, kind, draw(st.sampled_from([1_000, 60_000])), simulated=draw(st.booleans()))


@st.composite
def objectives(draw: st.DrawFn, world: Inventory) -> Objective:
    """Draw an objective that the inventory could declare: every SLI, scope, period, clock and policy."""
    sli = draw(st.sampled_from(sorted(SLI_SCOPE_KINDS)))
    scope = draw(st.sampled_from([name for kind in SLI_SCOPE_KINDS[sli] for name in _scopes(kind, world)]))
    period = draw(st.sampled_from(["rolling", *PERIOD_MAX_DAYS]))
    _, unit, allowed = THRESHOLDS.get(sli, ("", 0, (0,)))
    return Objective(
        id=draw(st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=LONGEST_ID)),
        name_vi=draw(st.text(min_size=1, max_size=20)),
        name_en=draw(st.text(min_size=1, max_size=20)),
        scope=scope,
        sli=sli,
        goal=draw(st.floats(0, 1, exclude_min=True, exclude_max=True)),
        days=PERIOD_MAX_DAYS[period] if period in PERIOD_MAX_DAYS else draw(st.integers(1, 366)),
        clock="open" if sli == "readiness" else draw(st.sampled_from(["open", "wall"])),
        threshold_ms=unit * draw(st.sampled_from(allowed)),
        period=period,
        unknown=draw(st.sampled_from(POLICIES)) if sli in TIME_SLIS else default_policy(sli),
        alert=draw(st.booleans()),
    )


def _scopes(kind: str, world: Inventory) -> list[str]:
    named = {"centre": world.centres, "device": world.devices, "system": world.systems}[kind]
    words = {"centre": ["centre", "province", "district", "commune"], "device": [*DEVICE_SCOPES], "system": ["system"]}[
        kind
    ]
    return words + [f"{kind}:{ident}" for ident in named]


def fleet(count: int) -> Inventory:
    """Return an inventory of so many kiosks, 50 to a centre."""
    homes = {f"vn83-{number}": centre(f"vn83-{number}", "vn83") for number in range(-(-count // 50))}
    made = [Device(f"vn83-{n // 50}-kiosk{n % 50}", f"vn83-{n // 50}", "kiosk") for n in range(count)]
    return inventory("vn83", homes, {one.id: one for one in made})
