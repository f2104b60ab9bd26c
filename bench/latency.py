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
from bench.machine import Others, describe, used, weigh
from bench.progress import Bar, say
from bench.sandbox import room
from bench.servers import TOKEN, influxd, mosquitto
from bench.summary import percentiles, rounded
from edge_agent.agent import Agent, AgentSettings
from edge_agent.fleet import Fleet
from edge_agent.outbox import Outbox
from motcua import system
from telemetry.mqtt.link import address

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.frames import Kiosk
    from bench.sandbox import Room
    from telemetry.core.protocol.events import Event

AGENTS = 100
FEEDERS = 4
RATE = 1_000
READY_S = 60.0


class Timed(Outbox):
    """An outbox that notes when its rows were captured and when their receipts came."""

    def __init__(self, *told: Any) -> None:  # noqa: ANN401
        super().__init__(*told)
        self.captured: dict[int, float] = {}
        self.took: list[float] = []

    def put(self, event: Event) -> None:
        """Append one event; its clock starts before the write."""
        began = time.perf_counter()
        first, _ = self.append([event])
        self.captured[first] = began

    def forget(self, ranges: Sequence[tuple[int, int]]) -> None:
        """Note the receipt's moment, then forget."""
        now = time.perf_counter()
        for low, high in ranges:
            moments = (self.captured.pop(n, None) for n in range(low, high + 1))
            self.took += [now - moment for moment in moments if moment is not None]
        super().forget(ranges)


def _agents(place: Room, kiosks: list[Kiosk], url: str) -> list[Agent]:
    around = system.surroundings()
    return [
        Agent(
            AgentSettings(k.device, k.centre, address(url)),
            Timed(place.folder / "outbox" / f"{k.device}.db", system.new_id),
            around,
        )
        for k in kiosks
    ]


def _feed(agents: list[Agent], rate: float, seconds: float) -> None:
    """Append in turn at a steady rate; whoever is late catches up."""
    began = time.perf_counter()
    for i in range(int(rate * seconds)):
        wait = began + i / rate - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        _box(agents[i % len(agents)]).put(frames.called(0, system.wall_ms(), i))


def _box(agent: Agent) -> Timed:
    if not isinstance(agent.outbox, Timed):
        raise TypeError(type(agent.outbox))
    return agent.outbox


def _settle(agents: list[Agent], what: str) -> None:
    deadline = time.monotonic() + READY_S
    while pending := sum(not agent.settled() for agent in agents):
        if time.monotonic() > deadline:
            raise SystemExit(f"{what}: {pending} of {len(agents)} agents have rows without a receipt")
        time.sleep(0.05)


def _run(agents: list[Agent], seconds: float) -> float:
    """Warm every agent up, feed them all, wait for the last receipt; returns how long the feeding took."""
    _feed(agents, RATE, len(agents) / RATE)
    _settle(agents, "before the measurement")
    for agent in agents:
        _box(agent).took.clear()
    parts = [agents[i::FEEDERS] for i in range(FEEDERS)]
    threads = [threading.Thread(target=_feed, args=(part, RATE / FEEDERS, seconds)) for part in parts]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    with Bar("1,000 events/s", seconds) as bar:
        while any(thread.is_alive() for thread in threads):
            time.sleep(0.05)
            bar.step(0.05)
    fed = time.perf_counter() - began
    _settle(agents, "after the measurement")
    return fed


def one_run(store: str, seconds: float, *, rollup: bool) -> dict[str, Any]:
    """Return the latency's percentiles (s), the rate that was reached and processor seconds."""
    others = Others()
    with room() as place:
        kiosks = frames.devices(place.folder / "inventory")[:AGENTS]
        broker = mosquitto(place)
        url = influxd(place).url if store == "influx" else f"sqlite:///{place.folder / 'store.db'}"
        place.environ |= {"MOTCUA_INVENTORY": str(place.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
        where = ("--store", url, "--mqtt", broker.url)
        ingest = place.role("ingest", *where, watch="linked ")
        place.wait(ingest, lambda: ingest.said_at, "ingest is linked")
        roles = {"ingest": ingest.pid, "broker": broker.process.pid}
        if rollup:
            roles["rollup"] = place.role("rollup", *where).pid
        fleet = Fleet(system.monotonic_ms)
        agents = _agents(place, kiosks, broker.url)
        for agent in agents:
            fleet.add(agent)
        loop = threading.Thread(target=fleet.run, daemon=True)
        loop.start()
        place.stack.callback(partial(loop.join, 10))
        place.stack.callback(fleet.stop)
        before = weigh(roles)
        fed = _run(agents, seconds)
        took = [one for agent in agents for one in _box(agent).took]
        return {
            **percentiles(took),
            "events": len(took),
            "events_per_s": len(took) / fed,
            "cpu_s": used(before, weigh(roles)),
            "others_pct": others.share_pct(),
        }


def measure(seconds: float = 30.0, store: str = "influx") -> dict[str, Any]:
    """Measure without and with a rollup that folds what comes, every second."""
    found = {}
    for name, rollup in (("plain", False), ("with_rollup", True)):
        found[name] = one_run(store, seconds, rollup=rollup)
        one = found[name]
        say(f"latency {name}: p50 {one['p50']:.3f} s, p95 {one['p95']:.3f} s, p99 {one['p99']:.3f} s")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.latency", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    args = parser.parse_args()
    print(json.dumps(rounded({"machine": describe(), "latency": measure(args.seconds, args.store)}), indent=2))


if __name__ == "__main__":
    main()
