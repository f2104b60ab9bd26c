"""Which devices an operation is for: each option narrows, and what is unknown is a fault."""

from __future__ import annotations

import pytest

from motcua.device_operations.selection import DeviceSelection, select_devices
from telemetry import inventory
from telemetry.errors import ConfigError

NOW = 1_640_000_000_000
SAMPLE = inventory.load(inventory.default_path())


def select(**selection: object) -> list[str]:
    return [one.device for one in select_devices(SAMPLE, DeviceSelection(**selection), NOW)]  # type: ignore[arg-type]


def test_options_narrow_each_other() -> None:
    assert select(devices=("vn83-83-kiosk1",)) == ["vn83-83-kiosk1"]
    kiosks = select(kinds=("kiosk",), centres=("vn83-83",))
    assert kiosks == [f"vn83-83-kiosk{n}" for n in range(1, 5)]
    assert select(devices=("vn83-83-*",), kinds=("kiosk",)) == kiosks
    assert len(select(everything=True)) == sum(d.kind != "replay" for d in SAMPLE.devices.values())


@pytest.mark.parametrize(
    ("selection", "problems"),
    [
        ({}, ["no device is selected"]),
        ({"everything": True, "kinds": ("kiosk",)}, ["stands beside a selection"]),
        (
            {"devices": ("nobody-*",), "kinds": ("kisk",), "centres": ("vn83-8",)},
            [
                "there is no device 'nobody-*' in service today",
                "there is no device of the kind 'kisk' in service today",
                "there is no device in the centre 'vn83-8' in service today",
            ],
        ),
        ({"devices": ("vn83-83-kiosk1",), "kinds": ("gateway",)}, ["no device fits all of these"]),
        ({"kinds": ("gateway",), "first": "vn83-83-kiosk1"}, ["'vn83-83-kiosk1' is not selected"]),
    ],
)  # fmt: skip
def test_what_selects_nothing_is_a_fault(selection: dict[str, object], problems: list[str]) -> None:
    with pytest.raises(ConfigError) as caught:
        select(**selection)
    assert [fault.problem for fault in caught.value.faults] == problems
