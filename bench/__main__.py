"""`make bench`: measures everything, or the parts named, and keeps it in bench/results.json and bench/README.md."""

from __future__ import annotations

import argparse
import json
import re
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import (
    agent_weight,
    api_scale,
    backlog,
    centre_day,
    demo,
    embedded,
    latency,
    plan,
    reaggregate,
    recompute,
    slo,
    stack,
    telegraf,
)
from bench.backlog import Job
from bench.machine import BUSY_PCT, Others, describe
from bench.progress import say
from bench.servers import influxd_path
from bench.summary import rounded
from bench.table import table

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent
BETWEEN = re.compile(r"(<!-- results -->\n).*(<!-- /results -->)", re.DOTALL)
SIZES = {20: 400_000, 1: 200_000, 60: 600_000}
"""Events in a backlog, by events in a frame: some 5 to 15 s of work each."""
QUEUED = 1_000_000
LOOK_S = 3.0


@dataclass(frozen=True, slots=True)
class Size:
    """How much is measured; `share` of the usual amounts, for a try."""

    runs: int
    share: float = 1.0

    def of(self, amount: int) -> int:
        """Return this share of an amount."""
        return int(amount * self.share)


def _backlog(size: Size) -> dict[str, Any]:
    beside = telegraf.path() is not None
    if not beside:
        say("telegraf is not on PATH: no comparison")
    found: dict[str, Any] = {}
    for rows, events in SIZES.items():
        say(f"backlog in frames of {rows}")
        found[str(rows)] = backlog.measure(Job("influx", rows, size.of(events)), size.runs, beside=beside)
    return found


def _memory(size: Size) -> dict[str, Any]:
    others = Others()
    found = backlog.one_run(Job("influx", 1, size.of(QUEUED)))
    say(f"memory: ingest's peak {found['rss_peak_mb']['ingest']:.0f} MB")
    return found | {"others_pct": others.share_pct()}


PARTS: dict[str, Callable[[Size], dict[str, Any]]] = {
    "backlog": _backlog,
    "memory": _memory,
    "latency": lambda size: latency.measure(size.of(30)),
    "centre_day": lambda size: centre_day.measure(size.runs),
    "agent": lambda size: agent_weight.measure(size.of(60), size.of(100_000)),
    "recompute": lambda _: recompute.measure(),
    "readd": lambda size: reaggregate.measure(days=size.of(reaggregate.DAYS)),
    "api": lambda size: api_scale.measure((1_000, 8_400) if size.share == 1 else (1_000,)),
    "slo": lambda size: slo.measure(size.of(8_400)),
    "embedded": lambda size: embedded.measure(size.of(6_000), runs=size.runs),
    "demo": lambda _: demo.measure(),
    "plan": lambda size: plan.measure(size.of(plan.DEVICES)),
    "stack": lambda size: stack.measure(size.of(stack.DEVICES)),
}
INFLUX = {"backlog", "memory", "latency", "centre_day", "agent", "recompute", "api", "stack"}


def kept(folder: Path, machine: dict[str, str]) -> dict[str, Any]:
    """Return earlier results of the same machine, so that parts can be measured one by one; else none."""
    try:
        found: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    if found.get("machine") != machine or "parts" not in found:
        return {"machine": machine, "parts": {}}
    return found


def keep(results: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write results.json and the table between the README's marks."""
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(BETWEEN.sub(lambda m: m[1] + table(results) + m[2], text), encoding="utf-8")


def quiet() -> float:
    """Return how much of the machine other work takes right now, %."""
    others = Others()
    time.sleep(LOOK_S)
    return others.share_pct()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--runs", type=int, default=3, help="runs of what is measured by median and worst")
    parser.add_argument("--anyway", action="store_true", help="measure beside other work; the table will say so")
    parser.add_argument("--no-keep", action="store_true", help="print only")
    parser.add_argument("--quick", action="store_true", help="one run of a tenth, to see that it works; keeps nothing")
    args = parser.parse_args()
    wanted = _wanted(parser, args.parts)
    busy = quiet()
    if busy > BUSY_PCT and not args.anyway:
        raise SystemExit(f"other work takes {busy:.0f} % of the machine: wait for it, or measure with --anyway")
    results, size = kept(FOLDER, describe()), Size(1, 0.1) if args.quick else Size(args.runs)
    for name in wanted:
        began = time.perf_counter()
        say(f"{name} …")
        found = rounded(PARTS[name](size))
        results["parts"][name] = {"day": datetime.now(UTC).date().isoformat(), "found": found}
        say(f"{name} took {time.perf_counter() - began:.0f} s")
        if not args.no_keep and not args.quick:
            keep(results)
    print(table({**results, "parts": {name: results["parts"][name] for name in wanted}}))


def _wanted(parser: argparse.ArgumentParser, asked: list[str]) -> list[str]:
    for name in asked:
        if name not in PARTS:
            parser.error(f"no part {name!r}: one of {', '.join(PARTS)}")
    wanted = asked or list(PARTS)
    if INFLUX & set(wanted) and influxd_path() is None:
        parser.error("influxd is missing: put InfluxDB 2.7 on PATH, or run `make influxd`")
    return wanted


if __name__ == "__main__":
    main()
