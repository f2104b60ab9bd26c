"""What the pages serve of others' work: every file is named with its version and licence, and is as published."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path

FOLDER = Path(__file__).parents[3] / "dashboards" / "page" / "static" / "vendor"
MANIFEST = "vendored.toml"


def test_every_vendored_file_is_as_published() -> None:
    parts = tomllib.loads((FOLDER / MANIFEST).read_text("utf-8"))
    declared = {name: digest for part in parts.values() for name, digest in part["sha256"].items()}
    present = {
        file.relative_to(FOLDER).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in FOLDER.rglob("*")
        if file.is_file() and file.name != MANIFEST
    }
    assert present == declared


def test_a_vendored_part_has_its_version_and_licence() -> None:
    for name, part in tomllib.loads((FOLDER / MANIFEST).read_text("utf-8")).items():
        assert {"version", "package", "licence", "purpose"} <= part.keys(), name
        assert f"{name}/LICENSE" in part["sha256"], name
    version = tomllib.loads((FOLDER / MANIFEST).read_text("utf-8"))["uplot"]["version"]
    assert f"v{version})" in (FOLDER / "uplot" / "uPlot.iife.min.js").read_text("utf-8")[:120]
