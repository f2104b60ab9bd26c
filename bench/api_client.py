"""Starts `motcua api` and sends requests over one connection. It must not rate the answers."""

from __future__ import annotations

import gzip
import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from bench.sandbox import free_port, is_listening
from bench.summary import percentiles

if TYPE_CHECKING:
    from bench.sandbox import BenchProcess, Sandbox

MAX_TIMING_S = 5.0
"""Longest time spent on one address, s."""


class ApiClient:
    """A running API."""

    def __init__(self, port: int, process: BenchProcess) -> None:
        self.process = process
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    @classmethod
    def start(cls, sandbox: Sandbox, store: str) -> ApiClient:
        """Start it over a store and wait until it listens; it ends with the sandbox."""
        port = free_port()
        process = sandbox.start_role("api", "--store", store, "--listen", f"127.0.0.1:{port}")
        sandbox.wait_until_ready(process, lambda: is_listening(port), "the API listens")
        return cls(port, process)

    def get(self, path: str) -> bytes:
        """GET a path; any answer but 200 ends the benchmark."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status} {body[:500]!r}\n{self.process.log_tail()}")
        return body

    def get_data(self, path: str) -> Any:  # noqa: ANN401
        """GET JSON and return its `data`."""
        return json.loads(self.get(path))["data"]

    def measure_latency(self, path: str, times: int) -> dict[str, float]:
        """Return how long answers take, ms, after a first one; fewer than `times` when they are slow."""
        first = time.perf_counter()
        body = self.get(path)
        began = time.perf_counter()
        took: list[float] = []
        while len(took) < times and time.perf_counter() - began < MAX_TIMING_S:
            request_at = time.perf_counter()
            self.get(path)
            took.append((time.perf_counter() - request_at) * 1000)
        return {
            **{f"{name}_ms": value for name, value in percentiles(took).items()},
            "first_ms": (began - first) * 1000,
            "requests": len(took),
            "bytes": len(body),
            **({"gzip_bytes": len(gzip.compress(body))} if body.startswith(b"<!doctype html>") else {}),
        }
