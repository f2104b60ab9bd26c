"""Ingest throughput: a backlog in a persistent session on mosquitto, drained into SQLite or InfluxDB 2.

1,000 kiosks in rotation, receipts counted, the store on this disk with fsync; broker, database and the counter
share the processors.  The clock runs from ingest's CONNACK to the last receipt.

Run: python -m bench.backlog [--store influx] [--frames 20] [--events 400000] [--runs 3] [--profile] [--telegraf]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench import frames, profiling, telegraf
from bench.machine import OtherWork, cpu_delta, describe, sample
from bench.progress import ProgressBar, print_message
from bench.sandbox import open_sandbox
from bench.servers import TOKEN, start_influxd, start_mosquitto
from bench.stores import count_stored_events
from bench.summary import round_figures, summarise_runs
from bench.wire import ReceiptCounter, create_session, publish_all

if TYPE_CHECKING:
    from bench.sandbox import BenchProcess, Sandbox
    from bench.servers import InfluxdProcess, MosquittoProcess

SESSION = "motcua-ingest-1"
FILTER = "motcua/v1/+/+/up"
SILENCE_S = 60.0
"""Longest time without a receipt."""


@dataclass(frozen=True, slots=True)
class BacklogJob:
    """What one run drains and how."""

    store: str = "influx"
    rows: int = 20
    events: int = 400_000
    profile: bool = False


def one_run(job: BacklogJob) -> dict[str, Any]:
    """Fill the broker's queue, let ingest drain it, and check that the store holds every event."""
    with open_sandbox() as sandbox:
        kiosks = frames.write_kiosks(sandbox.folder / "inventory")
        broker = start_mosquitto(sandbox)
        database = start_influxd(sandbox) if job.store == "influx" else None
        create_session(broker.port, SESSION, FILTER)
        sent = _fill_queue(broker, kiosks, job)
        result = _drain(sandbox, broker, database, job, sent)
        if result["stored"] != job.events:
            raise SystemExit(f"{job.events} events sent, {result['stored']} stored")
        return result


def _fill_queue(broker: MosquittoProcess, kiosks: list[frames.Kiosk], job: BacklogJob) -> int:
    with ProgressBar(f"backlog, frames of {job.rows}", job.events // job.rows) as bar:
        return publish_all(broker.port, frames.encode_packets(kiosks, job.events, job.rows), bar.step)


def _drain(
    sandbox: Sandbox, broker: MosquittoProcess, database: InfluxdProcess | None, job: BacklogJob, sent: int
) -> dict[str, Any]:
    url = database.url if database else f"sqlite:///{sandbox.folder / 'store.db'}"
    sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
    others = {"broker": broker.process.pid} | ({"influxd": database.process.pid} if database else {})
    receipts = ReceiptCounter(broker.port)
    ingest, began = _start_ingest(sandbox, broker, url, job)
    others["ingest"] = ingest.pid
    before, counter = sample(others), time.process_time()
    ended = _wait_receipts(receipts, ingest, job.events)
    after = sample(others)
    counter = time.process_time() - counter
    receipts.close()
    ingest.stop()
    if job.profile:
        print_message("\n".join(profiling.top_functions(str(sandbox.folder / "profile"))))
    seconds = ended - began
    return {
        "events_per_s": job.events / seconds,
        "messages_per_s": sent / seconds,
        "seconds": seconds,
        "events": job.events,
        "messages": sent,
        "receipts": receipts.messages,
        "stored": count_stored_events(url, TOKEN),
        "cpu_s": cpu_delta(before, after) | {"counter": counter},
        "rss_peak_mb": {name: w.peak_mb for name, w in after.items()},
    }


def _start_ingest(sandbox: Sandbox, broker: MosquittoProcess, url: str, job: BacklogJob) -> tuple[BenchProcess, float]:
    """Start ingest; also returns when its CONNACK came."""
    arguments = ("ingest", "--store", url, "--mqtt", broker.url)
    plain = [sys.executable, "-m", "motcua"]
    command = [sys.executable, "-m", "bench.profiling", str(sandbox.folder / "profile")] if job.profile else plain
    process = sandbox.start("ingest", [*command, *arguments], pattern="linked ")
    sandbox.wait_until_ready(process, lambda: process.matched_at, "ingest is linked")
    return process, process.matched_at or 0.0


def _wait_receipts(receipts: ReceiptCounter, ingest: BenchProcess, events: int) -> float:
    """Count receipts until every event has one; returns the last one's time."""
    last = time.perf_counter()
    with ProgressBar("drained", events) as bar:
        while receipts.rows < events:
            before = receipts.rows
            if receipts.poll(0.5):
                last = time.perf_counter()
                bar.step(receipts.rows - before)
            elif not ingest.is_running or time.perf_counter() - last > SILENCE_S:
                raise SystemExit(
                    f"{receipts.rows} of {events} events have a receipt, no more come\n{ingest.log_tail()}"
                )
    return last


def measure(job: BacklogJob, runs: int, *, with_telegraf: bool = False) -> dict[str, Any]:
    """Return median and worst of the runs; `beside` has Telegraf drain the same backlog after each, and the ratio."""
    ingest_runs, telegraf_runs = [], []
    for number in range(1, runs + 1):
        others = OtherWork()
        ingest_runs.append(one_run(job))
        if with_telegraf:
            telegraf_runs.append(telegraf.one_run(job.rows, job.events))
        ingest_runs[-1]["others_pct"] = others.share_pct()
        _print_run(number, ingest_runs[-1], telegraf_runs[-1] if with_telegraf else None)
    out = summarise_runs(ingest_runs, "events_per_s")
    if with_telegraf:
        other = summarise_runs(telegraf_runs, "events_per_s")
        out |= {"telegraf": other, "ratio": out["median"] / other["median"]}
    return out


def _print_run(number: int, ingest_run: dict[str, Any], telegraf_run: dict[str, Any] | None) -> None:
    cpu = ", ".join(f"{name} {seconds:.1f}" for name, seconds in ingest_run["cpu_s"].items())
    text = (
        f"run {number}: {ingest_run['events_per_s']:,.0f} events/s, {ingest_run['messages_per_s']:,.0f} "
        f"messages/s; CPU s: {cpu}"
    )
    text += f"; ingest's peak {ingest_run['rss_peak_mb']['ingest']:.0f} MB; others took {ingest_run['others_pct']} %"
    print_message(text + (f"; Telegraf {telegraf_run['events_per_s']:,.0f} events/s" if telegraf_run else ""))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.backlog", description=__doc__)
    parser.add_argument("--store", choices=("influx", "sqlite"), default="influx")
    parser.add_argument("--frames", type=int, default=20, help="events in a frame")
    parser.add_argument("--events", type=int, default=400_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--profile", action="store_true", help="run ingest under cProfile and print its top 40")
    parser.add_argument("--telegraf", action="store_true", help="let Telegraf (on PATH) drain the same backlog too")
    args = parser.parse_args()
    events = args.events - args.events % args.frames
    job = BacklogJob(args.store, args.frames, events, args.profile)
    results = measure(job, args.runs, with_telegraf=args.telegraf)
    print(json.dumps(round_figures({"machine": describe(), "backlog": results}), indent=2))


if __name__ == "__main__":
    main()
