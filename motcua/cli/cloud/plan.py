"""Opens the plan of the hosted systems for commands: inventory, stage, today. It must not print."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.startup import load_settings
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from infra.plan.cloud import CloudPlan

FolderArgument = Annotated[
    Path | None, typer.Argument(help="Folder of the inventory (default: MOTCUA_INVENTORY, else the sample).")
]
StageOption = Annotated[str, typer.Option("--stage", help="Stage whose names are shown.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of tables.")]

NOTHING_HOSTED = "The inventory hosts no system: no system of systems.toml has a table [system.hosted]."


def check_stage(stage: str) -> None:
    """Refuse a stage that no stack may have. Raises ConfigError naming those that there are."""
    from infra.config.options import STAGES

    if stage not in STAGES:
        problem, remedy = f"{stage!r} is no stage", f"use one of {', '.join(STAGES)}"
        raise ConfigError([Fault("command line", 0, "--stage", problem, remedy)])


def inventory_folder(folder: Path | None) -> Path:
    """Return the folder that a command reads: the argument, else that of the settings, else the sample."""
    from telemetry import inventory

    return folder or load_settings(None).inventory or inventory.default_path()


def open_cloud_plan(folder: Path | None, stage: str = "prod", today: date | None = None) -> CloudPlan:
    """Return the plan of the systems that an inventory hosts, on a day (default: today in UTC)."""
    from infra.plan.cloud import build_cloud_plan
    from telemetry import inventory

    check_stage(stage)
    declared = inventory.load(inventory_folder(folder))
    day = today or datetime.now(UTC).date()
    return build_cloud_plan(declared.cloud, province=declared.province, stage=stage, today=day)
