"""Ingest on the embedded default: `motcua broker`, ingest and SQLite as processes, 1,000 devices in rotation.

A live stream, at most 400 frames without a receipt; from the first publication to the last receipt.

Run: python -m bench.embedded [--frames 6000] [--rows 20] [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import time
from itertools import islice
from typing import TYPE_CHECKING, Any

from bench import frames
from bench.machine import Others, describe, used, weigh
from bench.progress import Bar, say
from bench.sandbox import free_port, listening, room
from bench.stores import stored_events
from bench.summary import rounded, spread
from bench.wire import Receipts, Wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.sandbox import Process

AHEAD = 400
"""Frames without receipt: what 1,000 devices with one frame each would well exceed."""
SILENCE_S = 30.0


def one_run(count: int, rows: int) -> dict[str, Any]:
    """Start everything, send the frames, and check that the store holds every event."""
    others = Others()
    with room() as place:
        made, port = frames.devices(place.folder / "inventory"), free_port()
        url, store = f"mqtt://127.0.0.1:{port}", f"sqlite:///{place.folder / 'store.db'}"
        place.environ["MOTCUA_INVENTORY"] = str(place.folder / "inventory")
        broker = place.role("broker", "--listen", f"127.0.0.1:{port}")
        place.wait(broker, lambda: listening(port), "the broker listens")
        ingest = place.role("ingest", "--store", store, "--mqtt", url, watch="linked ")
        place.wait(ingest, lambda: ingest.said_at, "ingest is linked")
        work = list(frames.packets(made, count * rows, rows))
        pids = {"ingest": ingest.pid, "broker": broker.pid}
        before = weigh(pids)
        began = time.perf_counter()
        seconds = _send(port, iter(work), count * rows, rows, ingest) - began
        after = weigh(pids)
        found = {
            "events_per_s": count * rows / seconds,
            "events": count * rows,
            "stored": stored_events(store, ""),
            "cpu_s": used(before, after),
            "rss_peak_mb": {name: w.peak_mb for name, w in after.items()},
            "others_pct": others.share_pct(),
        }
        if found["stored"] != found["events"]:
            raise SystemExit(f"{found['events']} events sent, {found['stored']} stored")
        return found


def _send(port: int, work: Iterator[bytes], events: int, rows: int, ingest: Process) -> float:
    """Send frames as receipts allow; returns the last receipt's moment."""
    sender, receipts = Wire(port, "bench-loader"), Receipts(port)
    sent, last = 0, time.perf_counter()
    with Bar("embedded", events) as bar:
        while receipts.rows < events:
            chunk = list(islice(work, max(0, AHEAD - (sent - receipts.rows // rows))))
            sender.send(b"".join(chunk))
            sent += len(chunk)
            before = receipts.rows
            if receipts.take(0.05):
                last = time.perf_counter()
                bar.step(receipts.rows - before)
            while sender.readable(0):
                sender.read()
            if not ingest.running or time.perf_counter() - last > SILENCE_S:
                raise SystemExit(f"{receipts.rows} of {events} events have a receipt, no more come\n{ingest.text()}")
    return last


def measure(count: int = 6_000, rows: int = 20, runs: int = 3) -> dict[str, Any]:
    """Return the median, the worst and all runs."""
    found = spread([one_run(count, rows) for _ in range(runs)], "events_per_s")
    say(f"embedded: median {found['median']:,.0f} events/s, worst {found['worst']:,.0f}")
    return found


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.embedded", description=__doc__)
    parser.add_argument("--frames", type=int, default=6_000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    found = measure(args.frames, args.rows, args.runs)
    print(json.dumps(rounded({"machine": describe(), "embedded": found}), indent=2))


if __name__ == "__main__":
    main()
