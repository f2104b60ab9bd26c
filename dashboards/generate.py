"""Writes the shipped dashboards and rules from the sample inventory; it must not touch what is written by hand.

Run: python -m dashboards.generate --check | --write
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from dashboards.files import generated_files
from telemetry import inventory

FOLDER = Path(__file__).resolve().parent
COMMAND = "python -m dashboards.generate --write"


def shipped_texts() -> dict[str, str]:
    """Return {path below `dashboards/`: text} of what the sample inventory gives."""
    return generated_files(inventory.load(inventory.default_path()))


def outdated_files(folder: Path = FOLDER) -> list[str]:
    """Return the paths of files that are missing, differ, or are made from nothing any more."""
    expected = shipped_texts()
    present = {f"grafana/{path.name}" for path in (folder / "grafana").glob("*.json")}
    differing = {name for name, text in expected.items() if _text_of(folder / name) != text}
    return sorted(differing | present - set(expected))


def _text_of(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


def write_files(folder: Path = FOLDER) -> None:
    """Write all files, and remove dashboards that are no longer made."""
    expected = shipped_texts()
    for name, text in expected.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for path in (folder / "grafana").glob("*.json"):
        if f"grafana/{path.name}" not in expected:
            path.unlink()


def main(argv: list[str] | None = None) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.generate", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write dashboards/grafana and dashboards/rules")
    mode.add_argument("--check", action="store_true", help="fail when a file does not match the inventory")
    if parser.parse_args(argv).write:
        write_files()
    outdated = outdated_files()
    for name in outdated:
        sys.stderr.write(f"dashboards/{name} does not match the inventory and the catalogue: run {COMMAND}\n")
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
