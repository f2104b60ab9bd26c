"""End-to-end latency at 1,000 events/s: from capture, before the outbox, to the receipt at the agent.

100 real agents in one process append one event at a time, each made durable on its own; broker, ingest,
InfluxDB and (in the second figure) rollup share the processors with them.

Run: python -m bench.latency [--seconds 30] [--store influx]
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from bench import frames
from bench.machine import OtherWork, cpu_delta, describe, sample
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd, start_mosquitto
from bench.summary import percentiles, round_figures
from edge_agent.agent import Agent, AgentSettings
from edge_agent.agent_loop import AgentLoop
from edge_agent.outbox import Outbox
from motcua import system
from telemetry.mqtt.address import parse_broker_url

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.frames import Kiosk
    from bench.sandbox import Sandbox
    from telemetry.core.protocol.events import Event

AGENTS = 100
FEEDERS = 4
RATE = 1_000
RECEIPT_TIMEOUT_S = 60.0


class TimedOutbox(Outbox):
    """An outbox that records when its rows were captured and when their receipts came."""

    def __init__(self, *args: Any) -> None:  # noqa: ANN401
        super().__init__(*args)
        self.captured: dict[int, float] = {}
        self.latencies: list[float] = []

    def append_timed(self, event: Event) -> None:
        """Append one event; its clock starts before the write."""
        began = time.perf_counter()
        first, _ = self.append([event])
        self.captured[first] = began

    def forget(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Record the receipt's time, then delete."""
        now = time.perf_counter()
        for low, high in ranges:
            moments = (self.captured.pop(n, None) for n in range(low, high + 1))
            self.latencies += [now - started for started in moments if started is not None]
        super().delete_receipted(ranges)


def _build_agents(sandbox: Sandbox, kiosks: list[Kiosk], url: str) -> list[Agent]:
    environment = system.agent_environment()
    return [
        Agent(
            AgentSettings(k.device, k.centre, parse_broker_url(url)),
            TimedOutbox(sandbox.folder / "outbox" / f"{k.device}.db", system.new_id),
            environment,
        )
        for k in kiosks
    ]


def _feed_events(agents: list[Agent], rate: float, seconds: float) -> None:
    """Append in turn at a steady rate; late appends are caught up."""
    began = time.perf_counter()
    for i in range(int(rate * seconds)):
        wait = began + i / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        _timed_outbox(agents[i % len(agents)]).append_timed(frames.ticket_called(0, system.wall_ms(), i))


def _timed_outbox(agent: Agent) -> TimedOutbox:
    if not isinstance(agent.outbox, TimedOutbox):
        raise TypeError(type(agent.outbox))
    return agent.outbox


def _wait_receipts(agents: list[Agent], what: str) -> None:
    deadline = time.monotonic() + RECEIPT_TIMEOUT_S
    while pending := sum(not agent.all_receipted() for agent in agents):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: {pending} of {len(agents)} agents have rows without a receipt")
        time.sleep(0.05)


def _measure_feed(agents: list[Agent], seconds: float) -> float:
    """Warm every agent up, feed them all, wait for the last receipt; returns how long the feeding took."""
    _feed_events(agents, RATE, len(agents) / RATE)
    _wait_receipts(agents, "before the measurement")
    for agent in agents:
        _timed_outbox(agent).latencies.clear()
    parts = [agents[i::FEEDERS] for i in range(FEEDERS)]
    threads = [threading.Thread(target=_feed_events, args=(part, RATE / FEEDERS, seconds)) for part in parts]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    with ProgressBar("1,000 events/s", seconds) as bar:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.05)
            bar.step(0.05)
    feed_seconds = time.perf_counter() - began
    _wait_receipts(agents, "after the measurement")
    return feed_seconds


def one_run(store: str, seconds: float, *, rollup: bool) -> dict[str, Any]:
    """Return the latency's percentiles (s), the rate that was reached and processor seconds."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        kiosks = frames.write_kiosks(sandbox.folder / "inventory")[:AGENTS]
        broker = start_mosquitto(sandbox)
        url = start_influxd(sandbox).url if store == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        arguments = ("--store", url, "--mqtt", broker.url)
        ingest = sandbox.start_role("ingest", *arguments, pattern="linked ")
        sandbox.wait_until_ready(ingest, lambda: ingest.matched_at, "ingest is linked")
        roles = {"ingest": ingest.pid, "broker": broker.process.pid}
        if rollup:
            roles["rollup"] = sandbox.start_role("rollup", *arguments).pid
        fleet = AgentLoop(system.monotonic_ms)
        agents = _build_agents(sandbox, kiosks, broker.url)
        for agent in agents:
            fleet.add(agent)
        loop = threading.Thread(target=fleet.run, daemon=True)
        loop.start()
        sandbox.stack.callback(partial(loop.join, 10))
        sandbox.stack.callback(fleet.stop)
        before = sample(roles)
        feed_seconds = _measure_feed(agents, seconds)
        took = [latency for agent in agents for latency in _timed_outbox(agent).latencies]
        return {
            **percentiles(took),
            "events": len(took),
            "events_per_s": len(took) / feed_seconds,
            "cpu_s": cpu_delta(before, sample(roles)),
            "others_pct": others.share_pct(),
        }


def measure(seconds: float = 30.0, store: str = "influx") -> dict[str, Any]:
    """Measure without and with a rollup that folds what comes, every second."""
    results = {}
    for name, rollup in (("plain", False), ("with_rollup", True)):
        results[name] = one_run(store, seconds, rollup=rollup)
        result = results[name]
        print_message(
            f"latency {name}: p50 {result['p50']:.3f} s, p95 {result['p95']:.3f} s, p99 {result['p99']:.3f} s"
        )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    args = parser.parse_args()
    print(json.dumps(round_figures({"machine": describe(), "latency": measure(args.seconds, args.store)}), indent=2))


if __name__ == "__main__":
    main()
