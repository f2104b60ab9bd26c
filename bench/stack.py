"""Infrastructure: the first `up`, a second one and a no-op preview of the stack `local`, in the real engine.

For the sample province, and with 10,000 devices. Needs Pulumi's command line.

Run: python -m bench.stack
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.summary import round_figures

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engine.stack import Project
    from tests.engine.world import World

DEVICES = 10_000


def is_available() -> bool:
    """Return whether Pulumi is installed."""
    return shutil.which("pulumi") is not None and shutil.which("pulumi-language-python") is not None


def add_devices(inventory: Path, count: int) -> int:
    """Add tablets to the inventory's centres until it has so many devices; returns how many it has."""
    centres = [line.split(",")[0] for line in (inventory / "centres.csv").read_text().splitlines()[1:] if line]
    devices = inventory / "devices.csv"
    text = devices.read_text()
    present = len([line for line in text.splitlines()[1:] if line])
    missing = range(max(0, count - present))
    homes = [(centres[number % len(centres)], number // len(centres) + 100) for number in missing]
    devices.write_text(text + "".join(f"{home}-tablet{number},{home},tablet,60000,no\n" for home, number in homes))
    return present + len(homes)


def measure_form(count: int = 0) -> dict[str, Any]:
    """Return the seconds of each run in a folder of its own."""
    from tests.engine.stack import Project  # noqa: PLC0415  # needs the tests' folder, which other parts do not
    from tests.engine.world import World  # noqa: PLC0415

    with tempfile.TemporaryDirectory(prefix="motcua-bench-") as folder:
        project = Project(Path(folder) / "project")
        devices = add_devices(project.inventory, count)
        world = World(Path(folder) / "world")
        try:
            return _measure_runs(world, project, devices)
        finally:
            world.end()


def _measure_runs(world: World, project: Project, devices: int) -> dict[str, Any]:
    project.configure(world.settings(), world.secrets)
    first_up, first_s = _time_call(project.up)
    _, again_s = _time_call(project.up)
    previews = [_time_call(project.preview) for _ in range(3)]
    assert all(set(done.counts) == {"same"} for done, _ in previews), previews[0][0].text
    return {
        "devices": devices,
        "resources": sum(first_up.counts.values()),
        "up_s": first_s,
        "again_s": again_s,
        "preview_s": max(seconds for _, seconds in previews),
    }


def _time_call(work: Callable[[], Any]) -> tuple[Any, float]:
    began = time.perf_counter()
    return work(), time.perf_counter() - began


def measure(count: int = DEVICES) -> dict[str, Any]:
    """Return the runs for the sample and for many devices."""
    if not is_available():
        print_message("pulumi is not on PATH: no stack is measured")
        return {"runs": [], "others_pct": 0.0}
    others, runs = OtherWork(), []
    for many in (0, count):
        runs.append(measure_form(many))
        print_message(f"stack local: {runs[-1]}")
    return {"runs": runs, "others_pct": others.share_pct()}


def main() -> None:
    print(json.dumps(round_figures({"machine": describe(), "stack": measure()}), indent=2))


if __name__ == "__main__":
    main()
