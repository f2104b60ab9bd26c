"""`motcua cloud lock`: writes address slots and physical names for new zones. It must never change an entry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.cli.cloud.plan import FolderArgument, inventory_folder
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from pathlib import Path


def lock(
    folder: FolderArgument = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit 1 when an entry is missing (for CI).")
    ] = False,
) -> None:
    """Append to cloud.lock what new systems and zones need: their address slot and physical name, set once."""
    from infra.plan.cloud.lock import LOCK_FILE, missing_entries
    from telemetry import inventory
    from telemetry.core.cloud.lock_text import render_lock

    path = inventory_folder(folder)
    declaration = inventory.load(path).cloud
    missing = missing_entries(declaration)
    for entry in missing:
        print(f"{'missing' if check else 'new'}: {entry.system} {entry.zone} slot {entry.slot}, {entry.name}")
    if not missing:
        print(f"{LOCK_FILE}: {len(declaration.lock)} entries, none is missing")
    elif check:
        print(f"run `motcua cloud lock` and commit {LOCK_FILE}")
        raise typer.Exit(1)
    else:
        _replace_text(path / LOCK_FILE, render_lock((*declaration.lock, *missing)))


def _replace_text(file: Path, text: str) -> None:
    """Write the file at once or not at all. Raises ConfigError when a line of it would change."""
    before = set(file.read_text(encoding="utf-8").split()) if file.exists() else set()
    lost = sorted(before - set(text.split()))
    if lost:
        problem = f"a line would be lost: {lost[0]}"
        raise ConfigError([Fault(str(file), 0, "entry", problem, "restore the file from version control")])
    partial = file.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    os.replace(partial, file)  # noqa: PTH105 - Path.replace is the same; this one reads as what it does
