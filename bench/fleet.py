"""An inventory of any size: the sample province with more centres like its own and more devices in them."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from bench import frames
from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from pathlib import Path

    from telemetry.core.inventory import Inventory

PER_CENTRE = 12
"""One of them is the display that the table of centres declares."""
DEVICE_SUFFIXES = ("gateway1", "kiosk1", "kiosk2", *(f"counter{i}" for i in range(1, 9)))


def write_province(folder: Path, devices: int) -> Inventory:
    """Write and load an inventory with so many devices, twelve to a centre where the sample has too few centres."""
    sample = load(default_path())
    clones = max(0, devices // PER_CENTRE - len(sample.centres))
    frames.write_kiosks(folder, max(0, devices - len(sample.devices) - clones * PER_CENTRE))
    _append_centres(folder / "centres.csv", folder / "devices.csv", clones)
    return load(folder)


def _append_centres(centres: Path, devices: Path, clones: int) -> None:
    """Append centres like the last of the table, with devices of their own."""
    with centres.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    names = [f"{rows[-1]['id']}{i:03}" for i in range(clones)]
    with centres.open("a", encoding="utf-8", newline="") as file:
        csv.DictWriter(file, list(rows[-1])).writerows({**rows[-1], "id": name} for name in names)
    with devices.open("a", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        for name in names:
            table.writerows(
                [f"{name}-{kind}", name, kind.rstrip("0123456789"), 60_000, "no"] for kind in DEVICE_SUFFIXES
            )
