"""Starts `motcua api` and asks it over one kept connection. It must not judge the answers."""

from __future__ import annotations

import http.client
import json
import time
from typing import TYPE_CHECKING, Any

from bench.sandbox import free_port, listening
from bench.summary import percentiles

if TYPE_CHECKING:
    from bench.sandbox import Process, Room

LONGEST_S = 5.0
"""One address is asked no longer than this."""


class Api:
    """A running API."""

    def __init__(self, port: int, process: Process) -> None:
        self.process = process
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)

    @classmethod
    def start(cls, place: Room, store: str) -> Api:
        """Start it over a store and wait until it listens; it ends with the room."""
        port = free_port()
        process = place.role("api", "--store", store, "--listen", f"127.0.0.1:{port}")
        place.wait(process, lambda: listening(port), "the API listens")
        return cls(port, process)

    def get(self, path: str) -> bytes:
        """GET a path; any answer but 200 ends the benchmark."""
        self._connection.request("GET", path)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status} {body[:500]!r}\n{self.process.text()}")
        return body

    def data(self, path: str) -> Any:  # noqa: ANN401
        """GET JSON and return its `data`."""
        return json.loads(self.get(path))["data"]

    def timing(self, path: str, times: int) -> dict[str, float]:
        """Return how long answers take, ms, after a first one; fewer than `times` when they are slow."""
        first = time.perf_counter()
        size = len(self.get(path))
        began = time.perf_counter()
        took: list[float] = []
        while len(took) < times and time.perf_counter() - began < LONGEST_S:
            moment = time.perf_counter()
            self.get(path)
            took.append((time.perf_counter() - moment) * 1000)
        return {
            **{f"{name}_ms": value for name, value in percentiles(took).items()},
            "first_ms": (began - first) * 1000,
            "requests": len(took),
            "bytes": size,
        }
