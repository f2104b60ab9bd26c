"""An inventory with published months, as a folder that a copy is made of; it must not assert anything."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from telemetry import inventory
from telemetry.core.inventory import PublishedFigures
from telemetry.inventory import published

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def with_months(folder: Path, *months: str) -> Path:
    """Return a copy of the sample with some published months, one of its files with the line ends of Windows."""
    shutil.copytree(inventory.default_path(), folder)
    calendar = folder / "calendar.toml"
    calendar.write_bytes(calendar.read_bytes().replace(b"\n", b"\r\n"))
    for month in months:
        rows = [PublishedFigures(month, "country", "", 3600, 3500, 100, 0, 0, 0, 0)]
        path = folder / published.path_of(month)
        path.parent.mkdir(exist_ok=True)
        path.write_text(published.to_csv(rows))
    return folder


def written(folder: Path, files: Mapping[str, str]) -> Path:
    """Write the files of a copy, as a machine has them, and return their folder."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text.encode())
    return folder
