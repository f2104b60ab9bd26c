"""Ingest on the embedded default: broker, ingest and SQLite as processes, 1,000 devices in rotation.

Receipts are on and counted; the store is on a real disk with fsync.

Run: python -m bench.ingest_rate [--frames 4000] [--rows 20] [--runs 3]
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from pathlib import Path

import psutil

from bench.machine import describe
from telemetry.core import codec, events as ev
from telemetry.inventory import default_path, load
from telemetry.mqtt import Link, LinkSettings, Message, address
from telemetry.store.sqlite import SqliteStore

WINDOW = 400
"""Frames without receipt: what 1,000 devices with one frame each would well exceed."""
DEVICES = 1_000


class Load:
    """Publishes ready-made frames of many devices and counts receipts."""

    def __init__(self, url: str) -> None:
        self.receipts = 0
        self.rows = 0
        self.up = False
        subscription = ("motcua/v1/+/+/receipt", 0)
        self.link = Link(address(url), LinkSettings("bench", (subscription,)), self)

    def linked(self, *, session_present: bool) -> None:
        """Note the connection."""
        self.up = not session_present or True

    def unlinked(self, code: int, reason: str) -> None:
        """A lost link spoils the run."""
        raise SystemExit(f"link lost: {code} {reason}")

    def sent(self, mid: int, code: int) -> None:
        """Ignore the broker's answer; receipts count."""

    def received(self, message: Message) -> None:
        """Count a receipt's rows."""
        receipt = codec.decode_receipt(message.payload)
        if receipt is not None:
            self.receipts += 1
            self.rows += sum(high - low + 1 for low, high in receipt.ranges)


def devices(folder: Path) -> list[tuple[str, str]]:
    """Write an inventory with 1,000 kiosks from the sample and return (centre, device)."""
    source = default_path()
    for file in source.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    table = folder / "devices.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    columns = lines[0].split(",")
    centres = sorted(c for c in load(source).centres)
    made = [(centres[i % len(centres)], f"{centres[i % len(centres)]}-kiosk{100 + i}") for i in range(DEVICES)]
    for centre, device in made:
        values = {"id": device, "centre": centre, "kind": "kiosk", "every_ms": "60000", "critical": "no"}
        lines.append(",".join(values.get(column, "") for column in columns))
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return made


def frames(made: list[tuple[str, str]], count: int, rows: int) -> list[tuple[str, bytes]]:
    """Return topics and payloads in rotation over the devices."""
    now = time.time_ns() // 1_000_000 - 3_600_000
    out = []
    for i in range(count):
        centre, device = made[i % len(made)]
        first = i // len(made) * rows + 1
        events = [
            ev.TicketCalled(
                n=first + k, t=now + i + k, ticket=f"k{i:08x}{k:02x}", queue="land", service="land",
                counter="c3", entered=now + i + k - 300_000,
            )
            for k in range(rows)
        ]  # fmt: skip
        payload = codec.encode_frame("01BENCH", "01BOOT", now, [codec.encode_event(e) for e in events])
        out.append((f"motcua/v1/{centre}/{device}/up", payload))
    return out


def one_run(count: int, rows: int) -> dict[str, float]:
    """Measure one run from the first publish to the last receipt."""
    with tempfile.TemporaryDirectory(prefix="motcua-bench-", dir=Path()) as name:
        folder = Path(name)
        (folder / "inventory").mkdir()
        made = devices(folder / "inventory")
        port = _free_port()
        url, store = f"mqtt://127.0.0.1:{port}", f"sqlite:///{folder / 'store.db'}"
        environ = {**os.environ, "MOTCUA_INVENTORY": str(folder / "inventory"), "MOTCUA_LOG": "error"}
        broker = _start(environ, "broker", "--listen", f"127.0.0.1:{port}")
        try:
            _until_listening(port)
            ingest = _start(environ, "ingest", "--store", store, "--mqtt", url)
            try:
                return _measure(url, folder / "store.db", frames(made, count, rows), (ingest.pid, broker.pid))
            finally:
                _stop(ingest)
        finally:
            _stop(broker)


def _measure(url: str, store: Path, work: list[tuple[str, bytes]], pids: tuple[int, int]) -> dict[str, float]:
    load_ = Load(url)
    load_.link.connect()
    while not load_.up:
        load_.link.pump(0.1)
    _warm(load_, work[0])
    total = sum(payload.count(b'"type"') for _, payload in work)
    waiting, start_rows = deque(work), load_.rows
    cpu = psutil.Process(pids[0]).cpu_times()
    began = time.perf_counter()
    per_frame = total / len(work)
    while load_.rows - start_rows < total:
        done = (load_.rows - start_rows) / per_frame
        while waiting and len(work) - len(waiting) - done < WINDOW:
            topic, payload = waiting.popleft()
            load_.link.publish(topic, payload, qos=1, content_type=codec.CONTENT_TYPE)
        load_.link.pump(0.01)
        if time.perf_counter() - began > 120:
            raise SystemExit("no receipt for everything within 120 s")
    seconds = time.perf_counter() - began
    after = psutil.Process(pids[0]).cpu_times()
    rss = psutil.Process(pids[0]).memory_info().rss
    load_.link.disconnect()
    stored = SqliteStore(store).count()
    return {
        "events_per_s": total / seconds,
        "seconds": seconds,
        "events": total,
        "stored": stored,
        "ingest_cpu_s": after.user + after.system - cpu.user - cpu.system,
        "ingest_rss_mb": rss / 1e6,
    }


def _warm(load_: Load, frame: tuple[str, bytes]) -> None:
    """Send the first frame until its receipt shows that ingest serves."""
    while load_.rows == 0:
        load_.link.publish(frame[0], frame[1], qos=1, content_type=codec.CONTENT_TYPE)
        for _ in range(5):
            load_.link.pump(0.1)
    for _ in range(5):
        load_.link.pump(0.1)


def _start(environ: dict[str, str], *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "motcua", *words], env=environ)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=10)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _until_listening(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise SystemExit("the broker does not listen")


def measure(count: int, rows: int, runs: int) -> dict[str, object]:
    """Return the median, the worst and all runs."""
    found = [one_run(count, rows) for _ in range(runs)]
    rates = [run["events_per_s"] for run in found]
    return {"median": round(statistics.median(rates)), "worst": round(min(rates)), "runs": found}


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=6_000)
    parser.add_argument("--rows", type=int, default=20)
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    print(json.dumps({"machine": describe(), "ingest": measure(args.frames, args.rows, args.runs)}, indent=2))


if __name__ == "__main__":
    main()
