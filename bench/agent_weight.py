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
from bench.machine import OtherWork, cpu_delta, describe, sample, sample_process
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd, start_mosquitto
from bench.stores import count_stored_events
from bench.summary import round_figures
from bench.wire import MqttConnection, ReceiptCounter
from edge_agent.outbox import Outbox
from motcua import system
from telemetry.core.calendar.windows import DAY

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.sandbox import BenchProcess, Sandbox

DEVICE, CENTRE = "vn83-83-gateway1", "vn83-83"
SETTLE_S = 5.0
"""Start-up, which the processor share leaves out."""
APPEND_S = 3.0
THREADS = 8
GROUP_SIZE = 50
FILL_BATCH = 1_000
ROWS_PER_DAY = 9_000
"""Rows of the backlog in one day: ingest refuses more than 10,000 events of a device that open tickets in a day."""
SILENCE_S = 60.0
HOST_SOURCE = '\n[[source]]\nkind = "host"\nevery_ms = 1000\n'


def agent_file(folder: Path, url: str, sources: str = "") -> Path:
    """Write an agent.toml."""
    path = folder / "agent.toml"
    path.write_text(
        f'device = "{DEVICE}"\ncentre = "{CENTRE}"\nkind = "gateway"\nevery_ms = 1000\nmqtt = "{url}"\n'
        f'outbox = "outbox.db"\n{sources}',
        encoding="utf-8",
    )
    return path


def _measure_weight(sandbox: Sandbox, seconds: float) -> dict[str, float]:
    """Run an agent with the host source each second; give its memory and processor share."""
    broker, url = start_mosquitto(sandbox), f"sqlite:///{sandbox.folder / 'store.db'}"
    ingest = sandbox.start_role("ingest", "--store", url, "--mqtt", broker.url, pattern="linked ")
    sandbox.wait_until_ready(ingest, lambda: ingest.matched_at, "ingest is linked")
    agent = sandbox.start_role("agent", "--config", str(agent_file(sandbox.folder, broker.url, HOST_SOURCE)))
    with ProgressBar("agent at an event each second", seconds + SETTLE_S) as bar:
        _wait_running(agent, SETTLE_S, bar.step)
        before, began = sample_process(agent.pid), time.perf_counter()
        _wait_running(agent, seconds, bar.step)
    after, took = sample_process(agent.pid), time.perf_counter() - began
    share = (after.cpu_s - before.cpu_s) / took * 100
    stored = count_stored_events(url, TOKEN)
    return {"rss_mb": after.rss_mb, "cpu_pct": round(share, 2), "seconds": took, "stored": stored}


def _wait_running(agent: BenchProcess, seconds: float, step: Callable[[float], None]) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.5)
        step(0.5)
        if not agent.is_running:
            raise SystemExit(f"the agent ended:\n{agent.log_tail()}")


def _append_rate(folder: Path, group: int, threads: int) -> float:
    """Return events/s that a new outbox makes durable from so many threads, `group` events in each append."""
    outbox = Outbox(folder / f"append-{group}-{threads}.db", system.new_id)
    end, done = time.perf_counter() + APPEND_S, [0] * threads

    def append_until_end(k: int) -> None:
        while time.perf_counter() < end:
            events = [frames.ticket_called(0, system.wall_ms(), done[k] + i) for i in range(group)]
            outbox.append(events)
            done[k] += group

    began = time.perf_counter()
    workers = [threading.Thread(target=append_until_end, args=(k,)) for k in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    took = time.perf_counter() - began
    outbox.close()
    return sum(done) / took


def _fill_outbox(path: Path, rows: int) -> str:
    outbox = Outbox(path, system.new_id)
    t = system.wall_ms() - frames.AGE_MS
    with ProgressBar("rows into an outbox", rows) as bar:
        for first in range(0, rows, FILL_BATCH):
            size = min(FILL_BATCH, rows - first)
            earlier = first // ROWS_PER_DAY * DAY
            outbox.append([frames.ticket_called(0, t - earlier + first + i, first + i) for i in range(size)])
            bar.step(size)
    outbox_id = outbox.outbox_id
    outbox.close()
    return outbox_id


def _measure_drain(sandbox: Sandbox, rows: int, store: str) -> dict[str, Any]:
    """Let an agent's own process send a backlog; from its birth message to its last receipt."""
    broker = start_mosquitto(sandbox)
    url = start_influxd(sandbox).url if store == "influx" else f"sqlite:///{sandbox.folder / 'store.db'}"
    sandbox.environ["MOTCUA_STORE_TOKEN"] = TOKEN
    ingest = sandbox.start_role("ingest", "--store", url, "--mqtt", broker.url, pattern="linked ")
    sandbox.wait_until_ready(ingest, lambda: ingest.matched_at, "ingest is linked")
    _fill_outbox(sandbox.folder / "outbox.db", rows)
    receipts, births = ReceiptCounter(broker.port), MqttConnection(broker.port, "bench-births")
    births.subscribe("motcua/v1/+/+/state", 0)
    agent = sandbox.start_role("agent", "--config", str(agent_file(sandbox.folder, broker.url)))
    if not births.readable(SILENCE_S):
        raise SystemExit(f"the agent has not come:\n{agent.log_tail()}")
    began = time.perf_counter()
    pids = {"agent": agent.pid, "ingest": ingest.pid, "broker": broker.process.pid}
    before = sample(pids)
    ended = _wait_receipts(receipts, agent, rows)
    after = sample(pids)
    return {
        "rows": rows,
        "events_per_s": rows / (ended - began),
        "agent_peak_mb": after["agent"].peak_mb,
        "cpu_s": cpu_delta(before, after),
        "stored": count_stored_events(url, TOKEN),
    }


def _wait_receipts(receipts: ReceiptCounter, agent: BenchProcess, rows: int) -> float:
    last = time.perf_counter()
    with ProgressBar("drained by the agent", rows) as bar:
        while receipts.rows < rows:
            before = receipts.rows
            if receipts.poll(0.5):
                last = time.perf_counter()
                bar.step(receipts.rows - before)
            elif not agent.is_running or time.perf_counter() - last > SILENCE_S:
                raise SystemExit(f"{receipts.rows} of {rows} rows have a receipt, no more come\n{agent.log_tail()}")
    return last


def measure(seconds: float = 60.0, rows: int = 100_000, store: str = "influx") -> dict[str, Any]:
    """Return weight, append rates (events/s) and drain."""
    others, results = OtherWork(), dict[str, Any]()
    with open_sandbox() as sandbox:
        ways = {"single": (1, 1), "single_8_threads": (1, THREADS), "groups_of_50": (GROUP_SIZE, 1)}
        results["append_per_s"] = {name: _append_rate(sandbox.folder, *arguments) for name, arguments in ways.items()}
    with open_sandbox() as sandbox:
        results["drain"] = _measure_drain(sandbox, rows, store)
    with open_sandbox() as sandbox:
        results |= _measure_weight(sandbox, seconds)
    results["others_pct"] = others.share_pct()
    rates = ", ".join(f"{name} {rate:,.0f}" for name, rate in results["append_per_s"].items())
    print_message(
        f"agent: append {rates} events/s; drain {results['drain']['events_per_s']:,.0f} events/s; "
        f"{results['rss_mb']} MB"
    )
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.agent_weight", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rows", type=int, default=100_000, help="rows to drain")
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    args = parser.parse_args()
    results = measure(args.seconds, args.rows, args.store)
    print(json.dumps(round_figures({"machine": describe(), "agent": results}), indent=2))


if __name__ == "__main__":
    main()
