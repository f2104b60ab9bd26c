"""Runs the demo for a person: what is where, progress, and the summary at the end."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from motcua import system
from motcua.demo import scenario, summary
from motcua.replay import write_json
from telemetry import wiring
from telemetry.core.calendar.windows import at

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from motcua.demo.scenario import Knobs, Town
    from telemetry.core.inventory import Inventory

FOLD_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Ending:
    """Whether the demo ends by itself, and where its summary goes."""

    once: bool
    json: Path | None


def run(inventory: Inventory, knobs: Knobs, stop: threading.Event, ending: Ending, console: Console) -> bool:
    """Run the demo; returns False when figures do not add up."""
    town_world = scenario.world(inventory, knobs)
    with scenario.running(town_world, knobs) as town:
        _greet(town, console)
        with _Following(stop, town):
            rest = scenario.feed_history(town, knobs, console)
            if ending.once:
                return _finish(town, knobs, ending, console)
            scenario.host_sources(town)
            town.parts.run("town", lambda: scenario.live(town, knobs, rest))
            scenario.deliver(town, console)
            console.print(f"[bold]{town.url}/[/bold] is live; Ctrl-C ends it")
            town.parts.stop.wait()
    return True


class _Following:
    """Lets the outer signal stop the town."""

    def __init__(self, stop: threading.Event, town: Town) -> None:
        self._over = threading.Event()
        threading.Thread(target=self._follow, args=(stop, town.parts.stop), daemon=True).start()

    def _follow(self, stop: threading.Event, inner: threading.Event) -> None:
        while not self._over.is_set():
            if stop.wait(0.2):
                inner.set()
                return

    def __enter__(self) -> None:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End."""
        self._over.set()


def _greet(town: Town, console: Console) -> None:
    moment = at(town.clock(), town.inventory.zone)
    console.print(f"[bold]{town.url}/[/bold]  {town.inventory.name_vi}: {len(town.agents)} agents, simulated data")
    if abs(town.clock() - system.wall_ms()) > 60_000:
        console.print(
            f"All centres are closed now, so the demo's clock stands at {moment:%Y-%m-%d %H:%M} (--real-time)"
        )


def _finish(town: Town, knobs: Knobs, ending: Ending, console: Console) -> bool:
    scenario.host_once(town)
    scenario.deliver(town, console)
    _fold(town, console)
    report = summary.summary(town, scenario.whole_window(town, knobs))
    if ending.json is not None:
        write_json(ending.json, report)
    whole = all(ratio == 1.0 for ratio in report["completeness"].values() if ratio is not None)
    console.print(
        f"{report['sent']} events sent, {report['stored']} stored, {report['refused']} refused, "
        f"{report['deferred']} deferred, {report['repeats']} repeats; complete: {whole}; {report['rss_mb']} MB"
    )
    return whole and report["sent"] == report["stored"] + report["refused"]


def _fold(town: Town, console: Console) -> None:
    """Wait until rollup has read past this moment."""
    reader = wiring.open_store(town.store_url)
    goal = town.clock() * 1000
    limit = system.monotonic_ms() + int(FOLD_PATIENCE_S * 1000)
    with console.status("folding"):
        while reader.cursor() <= goal and system.monotonic_ms() < limit:
            town.parts.stop.wait(0.1)
    reader.close()
