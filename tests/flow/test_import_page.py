"""The pages about imports: their commands are run as they are, and give the outputs that they show."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlopen

import pytest

if TYPE_CHECKING:
    from tests.flow.conftest import House

pytestmark = pytest.mark.flow
DOCS = Path(__file__).resolve().parents[2] / "docs"
BLOCK = re.compile(r"```(sh|text)\n(.*?)```", re.DOTALL)


@dataclass(frozen=True)
class ShownBlock:
    commands: list[str]
    output: str


def shown_blocks(page: str) -> list[ShownBlock]:
    """Each block of commands with the output that the page shows for the last of them."""
    found: list[ShownBlock] = []
    for kind, body in BLOCK.findall((DOCS / "how-to" / page).read_text("utf-8")):
        if kind == "sh":
            found.append(ShownBlock(body.strip().splitlines(), ""))
        else:
            found[-1] = ShownBlock(found[-1].commands, body)
    return found


def without_seconds(text: str) -> list[str]:
    return [re.sub(r"\d+\.\d+ s$", "… s", line.rstrip()) for line in text.splitlines()]


@pytest.mark.parametrize("page", ["import-your-log.md", "import-one-stop-data.md"])
def test_the_pages_commands_give_the_outputs_that_it_shows(house: House, page: str) -> None:
    place = house.folder / "examples"
    shutil.copytree(DOCS / "examples", place)
    environment = {**house._env, "COLUMNS": "120", "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin"}
    for block in shown_blocks(page):
        said: list[str] = []
        for command in block.commands:
            if command.startswith(("cd ", ". .venv", "motcua api")):
                continue
            done = subprocess.run(
                ["/bin/sh", "-c", command], cwd=place, env=environment, capture_output=True, text=True, check=False,
                timeout=60,
            )  # fmt: skip
            assert done.returncode == 0, (command, done.stdout, done.stderr)
            said = without_seconds(done.stdout + done.stderr)
        assert [line for line in without_seconds(block.output) if line not in said] == []


def test_the_link_of_the_report_opens_the_logs_days_with_its_services(house: House) -> None:
    place = house.folder / "examples"
    shutil.copytree(DOCS / "examples", place)
    words = ("--mapping", str(place / "tickets.toml"), "--store", house.store_url)
    said = house.ends("replay", str(place / "tickets.jsonl"), *words)
    (serve,) = re.findall(r"serve it: motcua (.*)", said)
    (page,) = re.findall(r"open: +http://127\.0\.0\.1:8080(\S+)", said)
    assert page == "/centres/replay-tickets?from=2025-10-13&to=2025-10-17"
    assert shlex.split(serve)[:3] == ["api", "--store", house.store_url]
    root = house.serve_api().removesuffix("/api/v1")
    with urlopen(f"{root}{page}&lang=en", timeout=60) as response:
        text = response.read().decode()
    assert "Civil status" in text
    assert "Sample JSON log" in text
    assert re.search(r"\b187\b", text)
    with urlopen(f"{root}/api/v1/centres?limit=500", timeout=60) as response:
        listed = response.read().decode()
    assert "replay-tickets" in listed
    assert "replay-bank-1999" not in listed
