"""Runs the demo on a terminal: addresses, progress, and the summary at the end; it must not simulate anything."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from motcua import system
from motcua.demo import scenario, summary
from motcua.demo.scenario import DemoEnvironment, DemoOptions
from motcua.replay_report import write_json
from telemetry.core.calendar.windows import to_local
from telemetry.core.inventory import Inventory


@dataclass(frozen=True, slots=True)
class DemoEnding:
    """Whether the demo ends by itself, and the file of its summary."""

    once: bool
    json: Path | None


def run_demo(
    inventory: Inventory, options: DemoOptions, stop: threading.Event, ending: DemoEnding, console: Console
) -> bool:
    """Run the demo; returns False when events were lost."""
    demo_inventory = scenario.demo_inventory(inventory, options)
    with scenario.run_environment(demo_inventory, options, stop) as demo:
        _print_welcome(demo, console)
        remaining = scenario.feed_history(demo, options, console)
        if ending.once:
            return _finish_once(demo, options, ending, console)
        scenario.start_host_sources(demo)
        demo.threads.start("town", lambda: scenario.feed_live(demo, options, remaining))
        scenario.wait_ready(demo, console)
        console.print(f"[bold]{demo.url}/[/bold] is live; press Ctrl-C to end")
        if demo.hosted:
            console.print("`motcua cloud stop SYSTEM/COMPONENT` in another terminal fails a hosted system; see docs")
            console.print(
                "`motcua render --target local --part hosted --out cloud` writes what a cloud would get for them"
            )
        stop.wait()
    return True


def _print_welcome(demo: DemoEnvironment, console: Console) -> None:
    local_time = to_local(demo.clock(), demo.inventory.zone)
    console.print(
        f"{demo.inventory.name_vi}: {len(demo.inventory.centres)} centres, {len(demo.agents)} agents, simulated data; "
        f"{demo.url}/ shows the progress"
    )
    if abs(demo.clock() - system.wall_ms()) > 60_000:
        console.print(
            f"All centres are closed now; the demo's clock starts at {local_time:%Y-%m-%d %H:%M} (--real-time)"
        )


def _finish_once(demo: DemoEnvironment, options: DemoOptions, ending: DemoEnding, console: Console) -> bool:
    scenario.report_host_once(demo)
    scenario.wait_ready(demo, console)
    report = summary.demo_summary(demo, scenario.covered_window(demo, options))
    if ending.json is not None:
        write_json(ending.json, report)
    is_complete = all(ratio == 1.0 for ratio in report["completeness"].values() if ratio is not None)
    console.print(
        f"{report['sent']} events sent, {report['stored']} stored, {report['refused']} refused, "
        f"{report['deferred']} deferred, {report['repeats']} repeats; complete: {is_complete}; {report['rss_mb']} MB"
    )
    return is_complete and report["sent"] == report["stored"] + report["refused"]
