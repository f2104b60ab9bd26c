"""`motcua cloud diff`: what an edit of the inventory creates, changes, moves, deletes. It must not apply it."""

from __future__ import annotations

import json as json_text
import subprocess
import tempfile
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from motcua.cli.cloud.plan import FolderArgument, JsonOption, StageOption, inventory_folder, open_cloud_plan
from motcua.report_console import open_report_console, print_table
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.cloud.changes import ChangeKind, CloudChange

FromOption = Annotated[
    str, typer.Option("--from", help="What to compare with: the folder of an earlier inventory, or a Git revision.")
]
GIT = "git"
COLOURS: Mapping[ChangeKind, str] = {"create": "green", "change": "blue", "move": "yellow", "delete": "red"}


def diff(
    earlier: FromOption, folder: FolderArgument = None, stage: StageOption = "prod", json: JsonOption = False
) -> None:
    """Compare with an earlier inventory. Exit 1 when the edit would delete or move data."""
    from infra.plan.cloud.changes import data_loss_phrase
    from infra.plan.cloud.declared_changes import edit_changes

    path = inventory_folder(folder)
    with tempfile.TemporaryDirectory(prefix="motcua-") as scratch:
        earlier_path = Path(earlier) if Path(earlier).is_dir() else _read_revision(path, earlier, Path(scratch))
        before = open_cloud_plan(earlier_path, stage)
    changes = edit_changes(before, open_cloud_plan(path, stage))
    if json:
        print(json_text.dumps([asdict(one) for one in changes], indent=2, ensure_ascii=False))
    else:
        _print_changes(changes, data_loss_phrase(changes))
    if any(one.loses_data for one in changes):
        raise typer.Exit(1)


def _print_changes(changes: tuple[CloudChange, ...], phrase: str) -> None:
    console = open_report_console()
    table = Table("Change", "Where", "What", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for one in changes:
        colour = "bold red" if one.loses_data else COLOURS[one.kind]
        table.add_row(
            f"[{colour}]{one.kind}[/{colour}]",
            escape(one.where),
            escape(f"{one.problem}; {one.remedy}" if one.remedy else one.problem),
        )
    if changes:
        print_table(console, table)
    counts = Counter(one.kind for one in changes)
    console.print(", ".join(f"{counts[kind]} {kind}" for kind in COLOURS if counts[kind]) or "nothing changes")
    if phrase:
        console.print(
            f'stage prod refuses this unless cloud.allowDataLoss is "{phrase}"',
            style="bold red",
            soft_wrap=True,
            markup=False,
        )


def _read_revision(folder: Path, revision: str, scratch: Path) -> Path:
    """Write the inventory of a Git revision below a scratch folder, and return it. Raises ConfigError."""
    names = _git(folder, revision, "ls-tree", "-r", "-z", "--name-only", revision, ".").split(b"\0")
    for name in filter(None, names):
        relative = name.decode()
        file = scratch / relative
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(_git(folder, revision, "show", f"{revision}:./{relative}"))
    return scratch


def _git(folder: Path, revision: str, *arguments: str) -> bytes:
    try:
        done = subprocess.run([GIT, "-C", str(folder), *arguments], capture_output=True, check=False)
    except OSError as error:
        raise _from_error(revision, f"git does not run: {error.strerror}") from None
    if done.returncode:
        reason = (done.stderr.decode(errors="replace").splitlines() or ["git failed"])[0]
        raise _from_error(revision, f"is no folder, and no Git revision of {folder}: {reason}")
    return done.stdout


def _from_error(revision: str, problem: str) -> ConfigError:
    remedy = "give the folder of an earlier inventory, or a revision such as HEAD~1"
    return ConfigError([Fault("command line", 0, "--from", f"{revision}: {problem}", remedy)])
