"""Runs the demo for a person: what is where, progress, and the summary at the end."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motcua import system
from motcua.demo import scenario, summary
from motcua.replay import write_json
from telemetry import wiring
from telemetry.core.calendar.windows import to_local

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from motcua.demo.scenario import DemoEnvironment, DemoOptions
    from telemetry.core.inventory import Inventory

FOLD_TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class DemoEnding:
    """Whether the demo ends by itself, and where its summary goes."""

    once: bool
    json: Path | None


def run_demo(
    inventory: Inventory, options: DemoOptions, stop: threading.Event, ending: DemoEnding, console: Console
) -> bool:
    """Run the demo; returns False when figures do not add up."""
    demo_inventory = scenario.demo_inventory(inventory, options)
    with scenario.run_environment(demo_inventory, options) as environment:
        _print_welcome(environment, console)
        with _StopForwarder(stop, environment):
            remaining = scenario.feed_history(environment, options, console)
            if ending.once:
                return _finish_once(environment, options, ending, console)
            scenario.start_host_sources(environment)
            environment.threads.start("town", lambda: scenario.feed_live(environment, options, remaining))
            scenario.wait_delivered(environment, console)
            console.print(f"[bold]{environment.url}/[/bold] is live; Ctrl-C ends it")
            environment.threads.stop.wait()
    return True


class _StopForwarder:
    """Lets the outer signal stop the town."""

    def __init__(self, stop: threading.Event, environment: DemoEnvironment) -> None:
        self._finished = threading.Event()
        threading.Thread(target=self._forward, args=(stop, environment.threads.stop), daemon=True).start()

    def _forward(self, stop: threading.Event, inner: threading.Event) -> None:
        while not self._finished.is_set():
            if stop.wait(0.2):
                inner.set()
                return

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End."""
        self._finished.set()


def _print_welcome(environment: DemoEnvironment, console: Console) -> None:
    local_time = to_local(environment.clock(), environment.inventory.zone)
    console.print(
        f"[bold]{environment.url}/[/bold]  {environment.inventory.name_vi}: {len(environment.agents)} "
        f"agents, simulated data"
    )
    if abs(environment.clock() - system.wall_ms()) > 60_000:
        console.print(
            f"All centres are closed now, so the demo's clock stands at {local_time:%Y-%m-%d %H:%M} (--real-time)"
        )


def _finish_once(environment: DemoEnvironment, options: DemoOptions, ending: DemoEnding, console: Console) -> bool:
    scenario.report_host_once(environment)
    scenario.wait_delivered(environment, console)
    _wait_folded(environment, console)
    report = summary.demo_summary(environment, scenario.covered_window(environment, options))
    if ending.json is not None:
        write_json(ending.json, report)
    is_complete = all(ratio == 1.0 for ratio in report["completeness"].values() if ratio is not None)
    console.print(
        f"{report['sent']} events sent, {report['stored']} stored, {report['refused']} refused, "
        f"{report['deferred']} deferred, {report['repeats']} repeats; complete: {is_complete}; {report['rss_mb']} MB"
    )
    return is_complete and report["sent"] == report["stored"] + report["refused"]


def _wait_folded(environment: DemoEnvironment, console: Console) -> None:
    """Wait until rollup has read past this moment."""
    reader = wiring.open_store(environment.store_url)
    goal = environment.clock() * 1000
    limit = system.monotonic_ms() + int(FOLD_TIMEOUT_S * 1000)
    with console.status("folding"):
        while reader.cursor() <= goal and system.monotonic_ms() < limit:
            environment.threads.stop.wait(0.1)
    reader.close()
