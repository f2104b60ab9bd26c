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
from bench.machine import OtherWork, cpu_delta, describe, sample
from bench.progress import ProgressBar, print_message
from bench.sandbox import free_port, is_listening, open_sandbox
from bench.stores import count_stored_events
from bench.summary import round_figures, summarise_runs
from bench.wire import MqttConnection, ReceiptCounter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.sandbox import BenchProcess

MAX_UNRECEIPTED_FRAMES = 400
"""Frames without receipt: what 1,000 devices with one frame each would well exceed."""
SILENCE_S = 30.0


def one_run(count: int, rows: int) -> dict[str, Any]:
    """Start everything, send the frames, and check that the store holds every event."""
    others = OtherWork()
    with open_sandbox() as sandbox:
        kiosks, port = frames.write_kiosks(sandbox.folder / "inventory"), free_port()
        url, store = f"mqtt://127.0.0.1:{port}", f"sqlite:///{sandbox.folder / 'store.db'}"
        sandbox.environ["MOTCUA_INVENTORY"] = str(sandbox.folder / "inventory")
        broker = sandbox.start_role("broker", "--listen", f"127.0.0.1:{port}")
        sandbox.wait_until_ready(broker, lambda: is_listening(port), "the broker listens")
        ingest = sandbox.start_role("ingest", "--store", store, "--mqtt", url, pattern="linked ")
        sandbox.wait_until_ready(ingest, lambda: ingest.matched_at, "ingest is linked")
        packets = list(frames.encode_packets(kiosks, count * rows, rows))
        pids = {"ingest": ingest.pid, "broker": broker.pid}
        before = sample(pids)
        began = time.perf_counter()
        seconds = _send_frames(port, iter(packets), count * rows, rows, ingest) - began
        after = sample(pids)
        result = {
            "events_per_s": count * rows / seconds,
            "events": count * rows,
            "stored": count_stored_events(store, ""),
            "cpu_s": cpu_delta(before, after),
            "rss_peak_mb": {name: w.peak_mb for name, w in after.items()},
            "others_pct": others.share_pct(),
        }
        if result["stored"] != result["events"]:
            raise SystemExit(f"{result['events']} events sent, {result['stored']} stored")
        return result


def _send_frames(port: int, packets: Iterator[bytes], events: int, rows: int, ingest: BenchProcess) -> float:
    """Send frames as receipts allow; returns the last receipt's time."""
    sender, receipts = MqttConnection(port, "bench-loader"), ReceiptCounter(port)
    sent, last = 0, time.perf_counter()
    with ProgressBar("embedded", events) as bar:
        while receipts.rows < events:
            chunk = list(islice(packets, max(0, MAX_UNRECEIPTED_FRAMES - (sent - receipts.rows // rows))))
            sender.send(b"".join(chunk))
            sent += len(chunk)
            before = receipts.rows
            if receipts.poll(0.05):
                last = time.perf_counter()
                bar.step(receipts.rows - before)
            while sender.readable(0):
                sender.read()
            if not ingest.is_running or time.perf_counter() - last > SILENCE_S:
                raise SystemExit(
                    f"{receipts.rows} of {events} events have a receipt, no more come\n{ingest.log_tail()}"
                )
    return last


def measure(count: int = 6_000, rows: int = 20, runs: int = 3) -> dict[str, Any]:
    """Return the median, the worst and all runs."""
    results = summarise_runs([one_run(count, rows) for _ in range(runs)], "events_per_s")
    print_message(f"embedded: median {results['median']:,.0f} events/s, worst {results['worst']:,.0f}")
    return results


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m bench.embedded", description=__doc__)
    parser.add_argument("--frames", type=int, default=6_000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    results = measure(args.frames, args.rows, args.runs)
    print(json.dumps(round_figures({"machine": describe(), "embedded": results}), indent=2))


if __name__ == "__main__":
    main()
