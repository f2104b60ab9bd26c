"""`make bench`: measures everything, or the given parts, and stores it in bench/results.json and bench/README.md."""

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
    anomalies,
    api_scale,
    backlog,
    burden,
    centre_day,
    datasets,
    demo,
    embedded,
    forecast,
    hosted_systems,
    kpis,
    latency,
    live_updates,
    monthly_report,
    pages,
    plan,
    queue_history,
    readers,
    reaggregate,
    recompute,
    slo,
    stack,
    telegraf,
    waits,
)
from bench.backlog import BacklogJob
from bench.machine import BUSY_PCT, OtherWork, describe
from bench.progress import print_message
from bench.servers import find_influxd
from bench.summary import round_figures
from bench.table import render_table

if TYPE_CHECKING:
    from collections.abc import Callable

FOLDER = Path(__file__).resolve().parent
RESULTS_BLOCK = re.compile(r"(<!-- results -->\n).*(<!-- /results -->)", re.DOTALL)
BACKLOG_SIZES = {20: 400_000, 1: 200_000, 60: 600_000}
"""Events in a backlog, by events in a frame: some 5 to 15 s of work each."""
QUEUED_FRAMES = 1_000_000
IDLE_CHECK_S = 3.0


@dataclass(frozen=True, slots=True)
class BenchSize:
    """How much is measured: `share` of the usual amounts, less for a quick run."""

    runs: int
    share: float = 1.0

    def scaled(self, amount: int) -> int:
        """Return this share of an amount."""
        return int(amount * self.share)


def _measure_backlog(size: BenchSize) -> dict[str, Any]:
    with_telegraf = telegraf.find_telegraf() is not None
    if not with_telegraf:
        print_message("telegraf is not on PATH: no comparison")
    results: dict[str, Any] = {}
    for rows, events in BACKLOG_SIZES.items():
        print_message(f"backlog in frames of {rows}")
        results[str(rows)] = backlog.measure(
            BacklogJob("influx", rows, size.scaled(events)), size.runs, with_telegraf=with_telegraf
        )
    return results


def _measure_memory(size: BenchSize) -> dict[str, Any]:
    others = OtherWork()
    result = backlog.one_run(BacklogJob("influx", 1, size.scaled(QUEUED_FRAMES)))
    print_message(f"memory: ingest's peak {result['rss_peak_mb']['ingest']:.0f} MB")
    return result | {"others_pct": others.share_pct()}


PARTS: dict[str, Callable[[BenchSize], dict[str, Any]]] = {
    "backlog": _measure_backlog,
    "memory": _measure_memory,
    "latency": lambda size: latency.measure(size.scaled(30)),
    "centre_day": lambda size: centre_day.measure(size.runs),
    "agent": lambda size: agent_weight.measure(size.scaled(60), size.scaled(100_000)),
    "recompute": lambda _: recompute.measure(),
    "readd": lambda size: reaggregate.measure(days=size.scaled(reaggregate.DAYS)),
    "burden": lambda size: burden.measure(count=size.scaled(burden.EVENTS), frames=size.scaled(burden.FRAMES)),
    "api": lambda size: api_scale.measure((1_000, 8_400) if size.share == 1 else (1_000,)),
    "queue_history": lambda size: queue_history.measure(centres=size.scaled(queue_history.CENTRES)),
    "readers": lambda size: readers.measure(streams=size.scaled(readers.STREAMS)),
    "live": lambda size: live_updates.measure(size.scaled(live_updates.STREAMS), size.scaled(live_updates.EVENTS)),
    "pages": lambda size: pages.measure(size.scaled(pages.REQUESTS)),
    "slo": lambda size: slo.measure(size.scaled(8_400)),
    "kpis": lambda size: kpis.measure(size.scaled(kpis.REQUESTS)),
    "datasets": lambda size: datasets.measure(days=size.scaled(datasets.DAYS)),
    "monthly_report": lambda _: monthly_report.measure(),
    "embedded": lambda size: embedded.measure(size.scaled(6_000), runs=size.runs),
    "demo": lambda _: demo.measure(),
    "forecast": lambda _: forecast.measure(),
    "anomalies": lambda _: anomalies.measure(),
    "plan": lambda size: plan.measure(size.scaled(plan.DEVICES)),
    "cloud": lambda size: hosted_systems.measure(size.scaled(hosted_systems.SYSTEMS)),
    "waits": lambda _: waits.measure(),
    "stack": lambda size: stack.measure(size.scaled(stack.DEVICES)),
}
INFLUX_PARTS = {"backlog", "memory", "latency", "centre_day", "agent", "recompute", "api", "queue_history", "stack"}


def load_results(folder: Path, machine: dict[str, str]) -> dict[str, Any]:
    """Return earlier results of the same machine, so that parts can be measured one by one; else none."""
    try:
        results: dict[str, Any] = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        results = {}
    if results.get("machine") != machine or "parts" not in results:
        return {"machine": machine, "parts": {}}
    return results


def save_results(results: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write results.json and the table between the README's marks."""
    (folder / "results.json").write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(RESULTS_BLOCK.sub(lambda m: m[1] + render_table(results) + m[2], text), encoding="utf-8")


def other_work_pct() -> float:
    """Return how much of the machine other work takes right now, %."""
    others = OtherWork()
    time.sleep(IDLE_CHECK_S)
    return others.share_pct()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--runs", type=int, default=3, help="runs of what is measured by median and worst")
    parser.add_argument("--anyway", action="store_true", help="measure beside other work; the table will say so")
    parser.add_argument("--no-keep", action="store_true", help="print only")
    parser.add_argument("--quick", action="store_true", help="one run of a tenth, to see that it works; keeps nothing")
    args = parser.parse_args()
    selected = _select_parts(parser, args.parts)
    busy = other_work_pct()
    if busy > BUSY_PCT and not args.anyway:
        raise SystemExit(f"other work takes {busy:.0f} % of the machine: wait for it, or measure with --anyway")
    results, size = load_results(FOLDER, describe()), BenchSize(1, 0.1) if args.quick else BenchSize(args.runs)
    for name in selected:
        began = time.perf_counter()
        print_message(f"{name} …")
        measured = round_figures(PARTS[name](size))
        results["parts"][name] = {"day": datetime.now(UTC).date().isoformat(), "found": measured}
        print_message(f"{name} took {time.perf_counter() - began:.0f} s")
        if not args.no_keep and not args.quick:
            save_results(results)
    print(render_table({**results, "parts": {name: results["parts"][name] for name in selected}}))


def _select_parts(parser: argparse.ArgumentParser, requested: list[str]) -> list[str]:
    for name in requested:
        if name not in PARTS:
            parser.error(f"no part {name!r}: one of {', '.join(PARTS)}")
    selected = requested or list(PARTS)
    if INFLUX_PARTS & set(selected) and find_influxd() is None:
        parser.error("influxd is missing: put InfluxDB 2.7 on PATH, or run `make influxd`")
    return selected


if __name__ == "__main__":
    main()
