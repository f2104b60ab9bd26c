"""The preview of many hosted systems by the real engine and provider, whole and as one of several stacks.

It needs `pulumi`, its language host and `pulumi-resource-kubernetes` on PATH, and an API server of its own that has the
definitions of the operators' kinds: it creates nothing there. It makes no part of `make bench`, which needs no cluster.

Run: python -m bench.cloud_preview --kubeconfig FILE [--systems 40] [--listed 10]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.hosted_systems import DAY, build_declaration, stack_options
from bench.machine import OtherWork, describe
from bench.progress import print_message
from bench.summary import round_figures
from infra.plan.cloud import build_cloud_plan
from infra.targets.kubernetes.cloud.deploy import deploy_cloud

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CHECKOUT = Path(__file__).resolve().parents[1]
PROGRAMS = ("pulumi", "pulumi-language-python", "pulumi-resource-kubernetes")
SYSTEMS, LISTED = 40, 10
_SIZE, _LISTED = "MOTCUA_BENCH_SYSTEMS", "MOTCUA_BENCH_LISTED"
_MAIN = "from bench.cloud_preview import deploy_systems\n\ndeploy_systems()\n"
_PROJECT = "name: motcua\nruntime: python\nmain: program/\n"
_RESOURCES = re.compile(r"\+ (\d+) to create")


def deploy_systems() -> None:
    """Deploy the systems that the environment asks for: the program that the engine runs."""
    plan = build_cloud_plan(build_declaration(int(os.environ[_SIZE])), province="vn83", stage="dev", today=DAY)
    options = stack_options("dev")
    listed = tuple(system.id for system in plan.systems[: int(os.environ[_LISTED])])
    cloud = options.cloud.model_copy(update={"systems": listed})
    deploy_cloud(plan, options.model_copy(update={"cloud": cloud}), {})


def missing_programs() -> list[str]:
    """Return what of the engine is not on PATH."""
    return [name for name in PROGRAMS if shutil.which(name) is None]


def measure_preview(folder: Path, kubeconfig: Path, systems: int, listed: int) -> dict[str, Any]:
    """Return seconds, processor seconds of all processes, and resources of one preview; `listed` 0 is all systems."""
    (folder / "program").mkdir(parents=True)
    (folder / "program" / "__main__.py").write_text(_MAIN)
    (folder / "Pulumi.yaml").write_text(_PROJECT)
    (folder / "state").mkdir()
    environment = {
        **os.environ, _SIZE: str(systems), _LISTED: str(listed), "KUBECONFIG": str(kubeconfig.resolve()),
        "PYTHONPATH": str(CHECKOUT), "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PULUMI_HOME": str(folder / "home"), "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "of-a-measure", "PULUMI_SKIP_UPDATE_CHECK": "1",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }  # fmt: skip
    _run(["pulumi", "stack", "init", "bench"], folder, environment)
    others, began, used = OtherWork(), time.perf_counter(), _processor_s()
    text = _run(["pulumi", "preview", "-s", "bench", "--non-interactive", "--color", "never"], folder, environment)
    seconds, processor_s = time.perf_counter() - began, _processor_s() - used
    match = _RESOURCES.search(text)
    return {
        "systems": systems, "listed": listed or systems, "resources": int(match[1]) if match else 0,
        "total_s": seconds, "processor_s": processor_s, "others_pct": others.share_pct(),
    }  # fmt: skip


def _processor_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(command: Sequence[str], folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command[:3])} failed:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    return done.stdout


def main() -> None:
    """Measure a preview of all systems, and one of the systems that a stack's list names."""
    parser = argparse.ArgumentParser(prog="python -m bench.cloud_preview", description=__doc__)
    parser.add_argument("--kubeconfig", type=Path, required=True, help="of an API server to which nothing is written")
    parser.add_argument("--systems", type=int, default=SYSTEMS)
    parser.add_argument("--listed", type=int, default=LISTED, help="how many of them the second stack deploys")
    chosen = parser.parse_args()
    if missing := missing_programs():
        raise SystemExit(f"not on PATH: {', '.join(missing)} (https://www.pulumi.com/docs/install/)")
    found = []
    with tempfile.TemporaryDirectory(prefix="motcua-") as scratch:
        for listed in (0, chosen.listed):
            folder = Path(scratch) / str(listed)
            one = measure_preview(folder, chosen.kubeconfig, chosen.systems, listed)
            print_message(
                f"{one['listed']} of {one['systems']} systems: {one['total_s']:.1f} s, {one['resources']:,} resources"
            )
            found.append(one)
    print(json.dumps(round_figures({"machine": describe(), "previews": found}), indent=2))


if __name__ == "__main__":
    main()
