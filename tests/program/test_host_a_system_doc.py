"""The command blocks about hosted systems do what their pages say on a copy of the sample."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (
    "tutorials/first-hosted-system",
    "how-to/raise-a-systems-level",
    "how-to/move-a-system-to-another-agency",
    "how-to/restore-a-system",
    "how-to/rename-a-system",
)
"""In the order of the story: each page continues in the folder and terminal of those before."""
SKIPPED_BLOCKS: Final = frozenset({"raise, objects", "move, write", "move, merge"})
"""What tests of the plan and of the rendered objects hold, and costs seconds."""
SKIPPED: Final = frozenset({"motcua cloud flows", "motcua cloud size"})
"""Commands that only print what tests of their own look at."""

WATCHING: Final = frozenset({"devices", "vn83-cloud-manage1", "vn83-cloud-server1", "vn83-motcua"})
"""Folders of what probes a new system or shows it: agents, agents inside, Motcua. No other system's changes."""


def script_of_pages() -> str:
    """Return the marked blocks of all pages as one script that prints the name of each block before it."""
    lines = []
    for page in PAGES:
        text = (ROOT / f"docs/{page}.md").read_text(encoding="utf-8")
        blocks = re.findall(r"<!-- tested: ([^\n]*) -->\n```sh\n(.*?)```", text, re.DOTALL)
        assert blocks, page
        for name, block in blocks:
            if name in SKIPPED_BLOCKS:
                continue
            commands = [line for line in block.splitlines() if line.partition(" #")[0].rstrip() not in SKIPPED]
            lines += [f"echo '=== {name}'", *commands]
    return "\n".join(lines)


@pytest.fixture(scope="module")
def walk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """Walk all pages; return the folder in which they end, and what each block printed."""
    folder = tmp_path_factory.mktemp("motcua")
    for name in ("inventory", "infra/stacks"):
        shutil.copytree(ROOT / name, folder / name)
    (folder / ".venv/bin").mkdir(parents=True)
    (folder / ".venv/bin/activate").touch()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MOTCUA_")} | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "COLUMNS": "200",
        **{f"GIT_{who}_{what}": "test@example" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")},
    }
    done = subprocess.run(
        ["bash", "-eu", "-c", script_of_pages()],
        cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    parts = re.split(r"^=== (.*)\n", done.stdout, flags=re.MULTILINE)
    return folder / "try", dict(zip(parts[1::2], parts[2::2], strict=True))


def test_a_new_system_has_a_slot_no_finding_and_changes_no_other_system(walk: tuple[Path, dict[str, str]]) -> None:
    _, printed = walk
    assert "new: vn83-library database slot 12, vn83-library-database" in printed["library, declare"]
    look = printed["library, look"]
    assert "0 faults, 0 hints" in look
    assert "11 create\n" in look
    objects = printed["library, objects"]
    assert "cluster-vn83-library-database-db.yaml" in objects
    counts = {folder: int(count) for count, folder in re.findall(r"^ +(\d+) (\S+)$", objects, re.MULTILINE)}
    assert set(counts) == {"vn83-library", *WATCHING}
    assert counts["devices"] == 10, "those that probe it from outside, and no other"


def test_a_raised_level_is_mended_and_named_where_data_would_move(walk: tuple[Path, dict[str, str]]) -> None:
    _, printed = walk
    look = printed["raise, look"]
    assert "runs 2 of the 3 instances" in look
    assert "mend the faults" in look
    assert 'cloud.allowDataLoss is "move vn83-library/db"' in look
    assert "0 faults, 2 hints" in printed["raise, mend"]


def test_a_system_of_an_ended_agency_is_a_fault_that_names_the_successor(walk: tuple[Path, dict[str, str]]) -> None:
    _, printed = walk
    assert "7 faults" in printed["move, declare"]
    assert "successor is vn83-skhcn" in printed["move, declare"]


def test_a_drill_reads_the_copies_and_ends_the_hint(walk: tuple[Path, dict[str, str]]) -> None:
    folder, printed = walk
    drill = (folder / "drill/vn83-library/cluster-vn83-library-database-drill-db.yaml").read_text(encoding="utf-8")
    assert "recovery:\n      source: copies" in drill
    assert "isWALArchiver" not in drill
    assert "no restore is proven" not in printed["drill, record"]
    assert "0 faults, 1 hint" in printed["drill, record"]  # the decision


def test_a_system_with_another_id_keeps_its_names_by_was(walk: tuple[Path, dict[str, str]]) -> None:
    _, printed = walk
    without, _, with_was = printed["rename"].partition("without 'was' its data would be deleted")
    assert 'cloud.allowDataLoss is "delete vn83-library/db"' in without
    assert "none is missing" in with_was
    assert "\n1 change\n" in with_was
