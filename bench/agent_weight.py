"""One real `motcua agent`: memory and processor share at an event each second, durable append, and drain.

Append is measured in this process on the agent's own outbox; drain is a backlog in an agent's outbox that its own
process sends through mosquitto and ingest, from its birth message to the last receipt.

Run: python -m bench.agent_weight [--seconds 60] [--rows 100000] [--store influx]
"""

from __future__ import annotations

import argparse
import json
import threading
import time
from typing import TYPE_CHECKING, Any

from bench import frames
from bench.machine import Others, describe, used, weigh, weight
from bench.progress import Bar, say
from bench.sandbox import room
from bench.servers import TOKEN, influxd, mosquitto
from bench.stores import stored_events
from bench.summary import rounded
from bench.wire import Receipts, Wire
from edge_agent.outbox import Outbox
from motcua import system

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.sandbox import Process, Room

DEVICE, CENTRE = "vn83-83-gateway1", "vn83-83"
SETTLE_S = 5.0
"""Start-up, which the processor share leaves out."""
APPEND_S = 3.0
THREADS = 8
GROUP = 50
FILL = 1_000
SILENCE_S = 60.0
HOST = '\n[[source]]\nkind = "host"\nevery_ms = 1000\n'


def agent_file(folder: Path, url: str, sources: str = "") -> Path:
    """Write an agent.toml."""
    path = folder / "agent.toml"
    path.write_text(
        f'device = "{DEVICE}"\ncentre = "{CENTRE}"\nkind = "gateway"\nevery_ms = 1000\nmqtt = "{url}"\n'
        f'outbox = "outbox.db"\n{sources}',
        encoding="utf-8",
    )
    return path


def _weigh(place: Room, seconds: float) -> dict[str, float]:
    """Run an agent with the host source each second; give its memory and processor share."""
    broker, url = mosquitto(place), f"sqlite:///{place.folder / 'store.db'}"
    ingest = place.role("ingest", "--store", url, "--mqtt", broker.url, watch="linked ")
    place.wait(ingest, lambda: ingest.said_at, "ingest is linked")
    agent = place.role("agent", "--config", str(agent_file(place.folder, broker.url, HOST)))
    with Bar("agent at an event each second", seconds + SETTLE_S) as bar:
        _watch(agent, SETTLE_S, bar.step)
        before, began = weight(agent.pid), time.perf_counter()
        _watch(agent, seconds, bar.step)
    after, took = weight(agent.pid), time.perf_counter() - began
    share = (after.cpu_s - before.cpu_s) / took * 100
    stored = stored_events(url, TOKEN)
    return {"rss_mb": after.rss_mb, "cpu_pct": round(share, 2), "seconds": took, "stored": stored}


def _watch(agent: Process, seconds: float, step: Callable[[float], None]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        step(0.5)
        if not agent.running:
            raise SystemExit(f"the agent ended:\n{agent.text()}")


def _appends(folder: Path, group: int, threads: int) -> float:
    """Return events/s that a new outbox makes durable from so many threads, `group` events in each append."""
    outbox = Outbox(folder / f"append-{group}-{threads}.db", system.new_id)
    end, done = time.perf_counter() + APPEND_S, [0] * threads

    def work(k: int) -> None:
        while time.perf_counter() < end:
            events = [frames.called(0, system.wall_ms(), done[k] + i) for i in range(group)]
            outbox.append(events)
            done[k] += group

    began = time.perf_counter()
    workers = [threading.Thread(target=work, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    outbox.close()
    return sum(done) / took


def _fill(path: Path, rows: int) -> str:
    outbox = Outbox(path, system.new_id)
    t = system.wall_ms() - frames.AGE_MS
    with Bar("rows into an outbox", rows) as bar:
        for first in range(0, rows, FILL):
            size = min(FILL, rows - first)
            outbox.append([frames.called(0, t + first + i, first + i) for i in range(size)])
            bar.step(size)
    spool = outbox.spool
    outbox.close()
    return spool


def _drain(place: Room, rows: int, store: str) -> dict[str, Any]:
    """Let an agent's own process send a backlog; from its birth message to its last receipt."""
    broker = mosquitto(place)
    url = influxd(place).url if store == "influx" else f"sqlite:///{place.folder / 'store.db'}"
    place.environ["MOTCUA_STORE_TOKEN"] = TOKEN
    ingest = place.role("ingest", "--store", url, "--mqtt", broker.url, watch="linked ")
    place.wait(ingest, lambda: ingest.said_at, "ingest is linked")
    _fill(place.folder / "outbox.db", rows)
    receipts, births = Receipts(broker.port), Wire(broker.port, "bench-births")
    births.subscribe("motcua/v1/+/+/state", 0)
    agent = place.role("agent", "--config", str(agent_file(place.folder, broker.url)))
    if not births.readable(SILENCE_S):
        raise SystemExit(f"the agent has not come:\n{agent.text()}")
    began = time.perf_counter()
    pids = {"agent": agent.pid, "ingest": ingest.pid, "broker": broker.process.pid}
    before = weigh(pids)
    ended = _receipted(receipts, agent, rows)
    after = weigh(pids)
    return {
        "rows": rows,
        "events_per_s": rows / (ended - began),
        "agent_peak_mb": after["agent"].peak_mb,
        "cpu_s": used(before, after),
        "stored": stored_events(url, TOKEN),
    }


def _receipted(receipts: Receipts, agent: Process, rows: int) -> float:
    last = time.perf_counter()
    with Bar("drained by the agent", rows) as bar:
        while receipts.rows < rows:
            seen = receipts.rows
            if receipts.take(0.5):
                last = time.perf_counter()
                bar.step(receipts.rows - seen)
            elif not agent.running or time.perf_counter() - last > SILENCE_S:
                raise SystemExit(f"{receipts.rows} of {rows} rows have a receipt, no more come\n{agent.text()}")
    return last


def measure(seconds: float = 60.0, rows: int = 100_000, store: str = "influx") -> dict[str, Any]:
    """Return weight, append rates (events/s) and drain."""
    others, found = Others(), dict[str, Any]()
    with room() as place:
        ways = {"single": (1, 1), "single_8_threads": (1, THREADS), "groups_of_50": (GROUP, 1)}
        found["append_per_s"] = {name: _appends(place.folder, *way) for name, way in ways.items()}
    with room() as place:
        found["drain"] = _drain(place, rows, store)
    with room() as place:
        found |= _weigh(place, seconds)
    found["others_pct"] = others.share_pct()
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in found["append_per_s"].items())
    say(f"agent: append {rates} events/s; drain {found['drain']['events_per_s']:,.0f} events/s; {found['rss_mb']} MB")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.agent_weight", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=100_000, help="rows to drain")
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    args = parser.parse_args()
    found = measure(args.seconds, args.rows, args.store)
    print(json.dumps(rounded({"machine": describe(), "agent": found}), indent=2))


if __name__ == "__main__":
    main()
