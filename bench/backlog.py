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
from bench.machine import Others, describe, used, weigh
from bench.progress import Bar, say
from bench.sandbox import room
from bench.servers import TOKEN, influxd, mosquitto
from bench.stores import stored_events
from bench.summary import rounded, spread
from bench.wire import Receipts, leave_session, load

if TYPE_CHECKING:
    from bench.sandbox import Process, Room
    from bench.servers import Broker, Influx

SESSION = "motcua-ingest-1"
FILTER = "motcua/v1/+/+/up"
SILENCE_S = 60.0
"""Longest time without a receipt."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one run drains and how."""

    store: str = "influx"
    rows: int = 20
    events: int = 400_000
    profile: bool = False


def one_run(job: Job) -> dict[str, Any]:
    """Fill the broker's queue, let ingest drain it, and check that the store holds every event."""
    with room() as place:
        made = frames.devices(place.folder / "inventory")
        broker = mosquitto(place)
        database = influxd(place) if job.store == "influx" else None
        leave_session(broker.port, SESSION, FILTER)
        sent = _fill(broker, made, job)
        found = _drain(place, broker, database, job, sent)
        if found["stored"] != job.events:
            raise SystemExit(f"{job.events} events sent, {found['stored']} stored")
        return found


def _fill(broker: Broker, made: list[frames.Kiosk], job: Job) -> int:
    with Bar(f"backlog, frames of {job.rows}", job.events // job.rows) as bar:
        return load(broker.port, frames.packets(made, job.events, job.rows), bar.step)


def _drain(place: Room, broker: Broker, database: Influx | None, job: Job, sent: int) -> dict[str, Any]:
    url = database.url if database else f"sqlite:///{place.folder / 'store.db'}"
    place.environ |= {"MOTCUA_INVENTORY": str(place.folder / "inventory"), "MOTCUA_STORE_TOKEN": TOKEN}
    others = {"broker": broker.process.pid} | ({"influxd": database.process.pid} if database else {})
    receipts = Receipts(broker.port)
    ingest, began = _ingest(place, broker, url, job)
    others["ingest"] = ingest.pid
    before, counter = weigh(others), time.process_time()
    ended = _until_all(receipts, ingest, job.events)
    after = weigh(others)
    counter = time.process_time() - counter
    receipts.close()
    ingest.end()
    if job.profile:
        say("\n".join(profiling.lines(str(place.folder / "profile"))))
    seconds = ended - began
    return {
        "events_per_s": job.events / seconds,
        "messages_per_s": sent / seconds,
        "seconds": seconds,
        "events": job.events,
        "messages": sent,
        "receipts": receipts.messages,
        "stored": stored_events(url, TOKEN),
        "cpu_s": used(before, after) | {"counter": counter},
        "rss_peak_mb": {name: w.peak_mb for name, w in after.items()},
    }


def _ingest(place: Room, broker: Broker, url: str, job: Job) -> tuple[Process, float]:
    """Start ingest; returns when its CONNACK came too."""
    words = ("ingest", "--store", url, "--mqtt", broker.url)
    plain = [sys.executable, "-m", "motcua"]
    command = [sys.executable, "-m", "bench.profiling", str(place.folder / "profile")] if job.profile else plain
    process = place.start("ingest", [*command, *words], watch="linked ")
    place.wait(process, lambda: process.said_at, "ingest is linked")
    return process, process.said_at or 0.0


def _until_all(receipts: Receipts, ingest: Process, events: int) -> float:
    """Count receipts until every event has one; returns the last one's moment."""
    last = time.perf_counter()
    with Bar("drained", events) as bar:
        while receipts.rows < events:
            before = receipts.rows
            if receipts.take(0.5):
                last = time.perf_counter()
                bar.step(receipts.rows - before)
            elif not ingest.running or time.perf_counter() - last > SILENCE_S:
                raise SystemExit(f"{receipts.rows} of {events} events have a receipt, no more come\n{ingest.text()}")
    return last


def measure(job: Job, runs: int, *, beside: bool = False) -> dict[str, Any]:
    """Return median and worst of the runs; `beside` has Telegraf drain the same backlog after each, and the ratio."""
    found, theirs = [], []
    for number in range(1, runs + 1):
        others = Others()
        found.append(one_run(job))
        if beside:
            theirs.append(telegraf.one_run(job.rows, job.events))
        found[-1]["others_pct"] = others.share_pct()
        _tell(number, found[-1], theirs[-1] if beside else None)
    out = spread(found, "events_per_s")
    if beside:
        other = spread(theirs, "events_per_s")
        out |= {"telegraf": other, "ratio": out["median"] / other["median"]}
    return out


def _tell(number: int, ours: dict[str, Any], theirs: dict[str, Any] | None) -> None:
    cpu = ", ".join(f"{name} {seconds:.1f}" for name, seconds in ours["cpu_s"].items())
    text = f"run {number}: {ours['events_per_s']:,.0f} events/s, {ours['messages_per_s']:,.0f} messages/s; CPU s: {cpu}"
    text += f"; ingest's peak {ours['rss_peak_mb']['ingest']:.0f} MB; others took {ours['others_pct']} %"
    say(text + (f"; Telegraf {theirs['events_per_s']:,.0f} events/s" if theirs else ""))


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
    job = Job(args.store, args.frames, events, args.profile)
    found = measure(job, args.runs, beside=args.telegraf)
    print(json.dumps(rounded({"machine": describe(), "backlog": found}), indent=2))


if __name__ == "__main__":
    main()
