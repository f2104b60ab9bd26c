"""What greedy readers cost everybody else: long windows, slow readers, many event streams. It must not rate answers.

The store is that of `bench.api_scale` (1,000 devices, 28 days).  Every reader is another thread of this process; the
API is a process of its own, whose memory is read from /proc.

Run: python -m bench.readers [--devices 1000] [--streams 500]
"""

from __future__ import annotations

import argparse
import json
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.request import urlopen

from bench.api_client import ApiClient
from bench.api_scale import LiveRowWriter, fill_store
from bench.fleet import write_province
from bench.machine import describe, sample_process
from bench.progress import print_message
from bench.sandbox import open_sandbox
from bench.stores import open_store
from bench.summary import percentiles, round_figures
from telemetry.core.calendar.windows import DAY, SLOT, floor

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUS = "/api/v1/status"
CENTURY_WINDOWS = 8
GREEDY_CLIENTS = 4
SLOW_READERS = 60
STREAMS = 500
TIMED_S = 10.0
CENTURY = (
    "/api/v1/availability?scope=centre:vn83-83&bucket=total&from=1930-01-01T00:{minute:02}:00Z&to=2030-01-01T00:00:00Z"
)
COUNTRY_SLOTS = "/api/v1/availability?scope=country&bucket=5m"
CENTRE_SLOTS = "/api/v1/availability?scope=centre:vn83-83&bucket=5m"
QUEUE_HOURS = "/api/v1/queues/history?bucket=1h"
QUEUES_SINCE_1930 = "/api/v1/queues/history?from=1930-01-01T00:00:00Z&to=2030-01-01T00:00:00Z&bucket=total"


def newest_days(path: str, now: int, days: int) -> str:
    """Return a path that has parameters already, for the newest days."""
    start, end = (time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(t / 1000)) for t in (now - days * DAY, now))
    return f"{path}&from={start}&to={end}"


def request(base: str, path: str) -> tuple[int, float, int]:
    """Return status, seconds and bytes of one answer."""
    began = time.perf_counter()
    try:
        with urlopen(base + path, timeout=300) as answer:
            size = len(answer.read())
            return answer.status, time.perf_counter() - began, size
    except HTTPError as error:
        size = len(error.read())
        return error.code, time.perf_counter() - began, size


def time_status(base: str, seconds: float = TIMED_S) -> dict[str, float]:
    """Return how long `/status` takes meanwhile, ms."""
    took: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        took.append(request(base, STATUS)[1] * 1000)
        time.sleep(0.02)
    return {f"{name}_ms": value for name, value in percentiles(took).items()}


def measure_centuries(base: str, pid: int) -> dict[str, Any]:
    """Return what different windows of a century leave in memory, MB."""
    request(base, CENTURY.format(minute=0))
    before = sample_process(pid).rss_mb
    statuses = [request(base, CENTURY.format(minute=5 * (i + 1)))[0] for i in range(CENTURY_WINDOWS)]
    return {"status": statuses[0], "grown_mb": sample_process(pid).rss_mb - before}


def measure_greedy(base: str, paths: Mapping[str, str]) -> dict[str, Any]:
    """Return each path's answer alone, then the answers of `/status` beside clients that repeat them for ever."""
    alone = {name: request(base, path) for name, path in paths.items()}
    stop, answers = threading.Event(), []

    def repeat(path: str) -> None:
        while not stop.is_set():
            answers.append(request(base, path)[0])
            stop.wait(0.05)

    threads = [
        threading.Thread(target=repeat, args=(list(paths.values())[i % len(paths)],)) for i in range(GREEDY_CLIENTS)
    ]
    for thread in threads:
        thread.start()
    beside = time_status(base)
    stop.set()
    for thread in threads:
        thread.join()
    return {
        "alone": {name: {"status": s, "s": took, "bytes": size} for name, (s, took, size) in alone.items()},
        "status_beside": beside,
        "answers": {str(code): answers.count(code) for code in sorted(set(answers))},
    }


def measure_slow_readers(port: int, pid: int, path: str) -> dict[str, Any]:
    """Return what readers that never read a large answer cost, MB."""
    before = sample_process(pid).rss_mb
    with ExitStack() as sockets:
        for _ in range(SLOW_READERS):
            reader = sockets.enter_context(socket.socket())
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", port))
            reader.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        highest, end = before, time.perf_counter() + 3 * TIMED_S
        while time.perf_counter() < end:
            highest = max(highest, sample_process(pid).rss_mb)
            time.sleep(0.5)
    return {"grown_mb": highest - before}


def measure_streams(port: int, base: str, streams: int) -> dict[str, Any]:
    """Return the answers of `/status` beside open event streams, all of which are read."""
    sockets = [socket.create_connection(("127.0.0.1", port)) for _ in range(streams)]
    stop = threading.Event()

    def drain() -> None:
        while not stop.wait(0.2):
            for stream in sockets:
                try:
                    while stream.recv(65_536):
                        pass
                except BlockingIOError:
                    continue

    for stream in sockets:
        stream.sendall(b"GET /api/v1/events HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n")
        stream.settimeout(0)
    reader = threading.Thread(target=drain)
    reader.start()
    time.sleep(TIMED_S)
    timed = time_status(base, 2 * TIMED_S)
    stop.set()
    reader.join()
    for stream in sockets:
        stream.close()
    return timed


def measure(devices: int = 1_000, streams: int = STREAMS) -> dict[str, Any]:
    """Return what each kind of greedy reader costs."""
    with open_sandbox() as sandbox:
        inventory = write_province(sandbox.folder / "inventory", devices)
        sandbox.environ |= {"MOTCUA_INVENTORY": str(sandbox.folder / "inventory")}
        url = f"sqlite:///{sandbox.folder / 'store.db'}"
        now = floor(time.time_ns() // 1_000_000, SLOT)
        with open_store(url, "") as store:
            fill_store(store, inventory, now, full=False)
            api = ApiClient.start(sandbox, url)
            port, pid = api.port, api.process.pid
            base = f"http://127.0.0.1:{port}"
            with LiveRowWriter(store, inventory, now):
                results: dict[str, Any] = {"status_alone": time_status(base)}
                results["centuries"] = measure_centuries(base, pid)
                too_long = {
                    "queues_since_1930": QUEUES_SINCE_1930,
                    "country_month": newest_days(COUNTRY_SLOTS, now, 30),
                }
                results["too_long"] = measure_greedy(base, too_long)
                allowed = {
                    "queues_28_d": newest_days(QUEUE_HOURS, now, 28),
                    "country_9_d": newest_days(COUNTRY_SLOTS, now, 9),
                }
                results["allowed"] = measure_greedy(base, allowed)
                results["slow_readers"] = measure_slow_readers(port, pid, newest_days(CENTRE_SLOTS, now, 30))
                results["streams"] = measure_streams(port, base, streams)
                results["api_rss_mb"] = sample_process(pid).rss_mb
    beside = results["streams"]["p95_ms"]
    print_message(f"readers: status p95 {beside:.0f} ms beside {streams} streams")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.readers", description=__doc__)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--streams", type=int, default=STREAMS)
    args = parser.parse_args()
    print(json.dumps(round_figures({"machine": describe(), "readers": measure(args.devices, args.streams)}), indent=2))


if __name__ == "__main__":
    main()
