"""`motcua inventory openslo` and the warnings of `motcua inventory check`: files, exit codes, nothing silent."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from telemetry.inventory import default_path, load

if TYPE_CHECKING:
    from pathlib import Path


def inventory(*words: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **({"MOTCUA_INVENTORY": str(folder)} if folder else {})}
    return subprocess.run(
        [sys.executable, "-m", "motcua", "inventory", *words], env=env, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip


def test_what_was_exported_is_imported_as_the_same_objectives(tmp_path: Path) -> None:
    folder, file = tmp_path / "world", tmp_path / "slo.yaml"
    shutil.copytree(default_path(), folder)
    assert inventory("openslo", "export", "--out", str(file)).returncode == 0
    done = inventory("openslo", "import", str(file))
    assert done.returncode == 0
    derived = sum(bool(o.level or o.part_kind) for o in load(folder).objectives)
    assert derived == 3
    assert done.stderr.count("imported as objective") == len(load(folder).objectives) - derived
    before = load(folder).objectives
    (folder / "objectives.toml").write_text(done.stdout, encoding="utf-8")
    assert load(folder).objectives == before


def test_export_prints_when_no_file_is_named() -> None:
    done = inventory("openslo", "export")
    assert done.returncode == 0
    assert "apiVersion: openslo/v1" in done.stdout
    assert "Trung tâm" in done.stdout


def test_a_file_of_nothing_we_know_exits_1_and_says_why(tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\n---\n- 1\n")
    done = inventory("openslo", "import", str(file))
    assert done.returncode == 1
    assert f"{file}:1: apiVersion: not imported" in done.stderr
    assert f"{file}:4: apiVersion: not imported" in done.stderr
    assert tomllib.loads(done.stdout) == {}


def test_what_is_no_yaml_exits_2_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text("a: 1\nb: [\n")
    done = inventory("openslo", "import", str(file))
    assert done.returncode == 2
    assert f"{file}:3: syntax: is not YAML" in done.stderr


@pytest.mark.parametrize(
    "text", ["a: 2026-13-45", "a: " + "9" * 5000, "[" * 5000, "a: !!python/object:os.system x", "\x00"]
)
def test_values_yaml_cannot_make_exit_2_without_a_traceback(tmp_path: Path, text: str) -> None:
    file = tmp_path / "strange.yaml"
    file.write_text(text)
    done = inventory("openslo", "import", str(file))
    assert (done.returncode, "Traceback" in done.stderr) == (2, False), done.stderr
    assert f"{file}:" in done.stderr


def test_an_export_that_cannot_be_written_exits_2(tmp_path: Path) -> None:
    done = inventory("openslo", "export", "--out", str(tmp_path / "none" / "slo.yaml"))
    assert done.returncode == 2
    assert "--out" in done.stderr


def test_check_prints_warnings_and_finds_no_fault(tmp_path: Path) -> None:
    folder = tmp_path / "world"
    shutil.copytree(default_path(), folder)
    text = (folder / "objectives.toml").read_text(encoding="utf-8")
    changed = text.replace("goal = 0.98\ndays = 28", 'goal = 0.8\nperiod = "year"', 1)
    assert changed != text
    (folder / "objectives.toml").write_text(changed, encoding="utf-8")
    done = inventory("check", str(folder))
    assert done.returncode == 0
    line = changed[: changed.index("goal = 0.8")].count("\n") + 1
    assert f"warning: {folder / 'objectives.toml'}:{line}: goal: no burn rule can ever fire" in done.stderr
    assert "no fault" in done.stdout
