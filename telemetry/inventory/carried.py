"""The files that a machine gets as its copy of an inventory; it must not check what they hold.

A copy has all that the version is made of and nothing else, so both versions are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from telemetry.errors import Fault, InventoryError
from telemetry.inventory import INVENTORY_FILES
from telemetry.inventory.files import InventoryFolder

if TYPE_CHECKING:
    from pathlib import Path


def bundle_files(folder: Path) -> dict[str, str]:
    """Return the text of each file by its path in the folder: `province.toml`, …, `published/2026-10.csv`.

    Every byte is kept, line ends and byte order marks as well. Raises InventoryError naming each file that cannot be
    read.
    """
    texts: dict[str, str] = {}
    faults = []
    for name in (*INVENTORY_FILES, *InventoryFolder(folder).published_files()):
        try:
            texts[name] = (folder / name).read_bytes().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            faults.append(Fault(str(folder / name), 1, "file", str(error), "put it there, as readable UTF-8"))
    if faults:
        raise InventoryError(faults)
    return texts
