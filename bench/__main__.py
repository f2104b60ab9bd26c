"""`make bench`: measures everything, prints it, and keeps it in bench/results.json and bench/README.md."""

from __future__ import annotations

import argparse
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from bench import agent_weight, api_latency, ingest_rate
from bench.machine import describe

FOLDER = Path(__file__).resolve().parent
BETWEEN = re.compile(r"(<!-- results -->\n).*(<!-- /results -->)", re.DOTALL)

BUSY_PCT = 10.0
"""Other work beyond this spoils the figures, and the table says so."""


def measured(runs: int) -> dict[str, Any]:
    return {
        "day": datetime.now(UTC).date().isoformat(),
        "machine": describe(),
        "busy_before_pct": psutil.cpu_percent(interval=2.0),
        "ingest": ingest_rate.measure(6_000, 20, runs),
        "agent": agent_weight.measure(),
        "api": api_latency.measure(),
    }


def rounded(value: Any) -> Any:  # noqa: ANN401
    """Keep three decimals: more is noise."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [rounded(inner) for inner in value]
    return round(value, 3) if isinstance(value, float) else value


def rows(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what was measured, the goal and the figure."""
    ingest, agent, api = found["ingest"], found["agent"], found["api"]
    worst = max(run["ingest_rss_mb"] for run in ingest["runs"])
    lines = [
        ("Ingest, frames of 20, median run", "≥ 20,000 events/s", f"{ingest['median']:,} events/s"),
        ("Ingest, worst run", "", f"{ingest['worst']:,} events/s"),
        ("Ingest's memory (RSS), largest", "", f"{worst:.0f} MB"),
        ("Agent's memory (RSS)", "≤ 40 MB", f"{agent['rss_mb']} MB"),
        ("Agent's processor share, a report each second", "", f"{agent['cpu_pct']} % of a core"),
    ]
    goals = {"/metrics": "p95 < 1,000 ms"}
    for path, took in api["paths"].items():
        figure = f"p50 {took['p50_ms']} ms, p95 {took['p95_ms']} ms"
        lines.append((f"`GET {path}`, {api['requests']} warm", goals.get(path, "p95 < 50 ms"), figure))
    demo = api["demo"]
    return [
        *lines,
        ("Demo with a day behind it: live after", "", f"{demo['live_after_s']} s"),
        ("Demo's memory (RSS)", "≤ 500 MB", f"{demo['rss_mb']} MB"),
        ("Demo's processor share, live", "≤ 100 % of a core", f"{demo['cpu_pct']} % of a core"),
    ]


def table(found: dict[str, Any]) -> str:
    machine = found["machine"]
    said = f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}"
    share = found["busy_before_pct"]
    busy = [f"**The processors were {share:.0f} % busy with other work: measure again.**"] if share > BUSY_PCT else []
    lines = [
        f"{found['day']}, {said}, Python {machine['python']}.",
        *busy,
        "",
        "| What | Goal | Measured |",
        "|---|---|---|",
    ]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows(found))]) + "\n"


def keep(found: dict[str, Any], folder: Path = FOLDER) -> None:
    """Write results.json and the table between the README's marks."""
    (folder / "results.json").write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")
    readme = folder / "README.md"
    text = readme.read_text(encoding="utf-8")
    readme.write_text(BETWEEN.sub(lambda m: m[1] + table(found) + m[2], text), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="runs of the ingest benchmark")
    parser.add_argument("--no-keep", action="store_true", help="print only")
    args = parser.parse_args()
    found = rounded(measured(args.runs))
    if not args.no_keep:
        keep(found)
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
