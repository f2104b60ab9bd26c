"""Reads a hosted database's own figures from each of its instances; numbers only, and never one that nobody gave.

An instance that does not answer, or whose text cannot be read, is counted; the others are reported.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.http_client import HttpFailure, HttpRequest, request
from edge_agent.name_lookup import look_up_addresses
from edge_agent.sources.prometheus_text import parse_samples
from telemetry.core.hosted.database_figures import (
    ARCHIVE_AGE,
    ARCHIVE_STATUS,
    CHANGES_SIZE,
    DATABASE_SIZE,
    IS_UP,
    LAG,
    LAST_COPY,
    METRICS_PORT,
)
from telemetry.core.protocol import events as ev
from telemetry.core.protocol.event_fields import LAST_INSTANT_MS
from telemetry.web_address import parse_host_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from edge_agent.sources import Sink, Stop
    from edge_agent.sources.prometheus_text import Sample

READ_TIMEOUT_S = 10.0
"""The deadline over all instances of a database, s; the interval counts when it is shorter."""
MAX_TEXT_BYTES = 4_000_000
MAX_INSTANCES = 32
_FIGURES = frozenset({LAST_COPY, ARCHIVE_AGE, ARCHIVE_STATUS, IS_UP, LAG, DATABASE_SIZE, CHANGES_SIZE})
_LARGEST = 1 << 53
_LAST_SECONDS = {LAST_COPY: LAST_INSTANT_MS // 1000, ARCHIVE_AGE: _LARGEST // 1000, LAG: _LARGEST // 1000}


@dataclass(slots=True)
class DatabaseSource:
    """Reads at HOST:PORT every `every_ms`, first after `phase_ms`; `clock` returns Unix ms."""

    system: str
    target: str
    clock: Callable[[], int]
    every_ms: int = 60_000
    phase_ms: int = 0
    name: str = "database"

    def run(self, outbox: Sink, stop: Stop) -> None:
        """Read until stopped, at even intervals."""
        if stop.wait(self.phase_ms / 1000):
            return
        while True:
            due = time.monotonic() + self.every_ms / 1000
            event = self.read_once()
            if event is not None:
                outbox.append([event])
            if stop.wait(max(due - time.monotonic(), 0)):
                return

    def read_once(self) -> ev.DatabaseFigures | None:
        """Read every instance once; None when its name has no address, which says nothing about the database."""
        place, t, timeout_s = parse_host_port(self.target), self.clock(), min(READ_TIMEOUT_S, self.every_ms / 1000)
        deadline = time.monotonic() + timeout_s
        try:
            addresses = look_up_addresses(place.host, timeout_s)[:MAX_INSTANCES]
        except (OSError, UnicodeError):
            return None
        read: list[list[Sample]] = []
        unread = 0
        for number, address in enumerate(addresses):
            host = f"[{address}]" if ":" in address else address
            share_s = max(deadline - time.monotonic(), 0.1) / (len(addresses) - number)
            try:
                read.append(_read_instance(f"http://{host}:{place.port or METRICS_PORT}/metrics", share_s))
            except (OSError, ValueError):
                unread += 1
        return figures_event(self.system, t, self.every_ms, read, unread)


def _read_instance(url: str, timeout_s: float) -> list[Sample]:
    """Return an instance's figures. Raises HttpFailure, ValueError for an answer that is not its figures."""
    answer = request(HttpRequest(url, timeout_s, max_body_bytes=MAX_TEXT_BYTES))
    if answer.status != 200 or answer.is_cut or answer.is_refused:
        raise HttpFailure("other", f"status {answer.status}, {len(answer.body)} bytes", answer.status)
    samples = parse_samples(answer.body.decode("utf-8"), _FIGURES)
    if not any(sample.name == IS_UP for sample in samples):
        raise ValueError(f"no line of {IS_UP}")
    for sample in samples:
        largest = _LAST_SECONDS.get(sample.name, _LARGEST)
        if not (-1 if sample.name == ARCHIVE_AGE else 0) <= sample.value <= largest:
            raise ValueError(f"{sample.name} is out of range: {sample.value}")
    return samples


def figures_event(
    system: str, t: int, every_ms: int, instances: Sequence[Iterable[Sample]], unread: int
) -> ev.DatabaseFigures:
    """Return the event of all instances' figures: the newest copy, the newest archive, the largest lag and disk.

    Who was primary once has an old archive's age, and who never was has -1, so the least of the others counts. A text
    may hold several instances, told apart by the label `pod`.
    """
    values, used = defaultdict[str, list[float]](list), defaultdict[tuple[int, str], float](float)
    for number, samples in enumerate(instances):
        for sample in samples:
            if sample.name == DATABASE_SIZE or (sample.name == CHANGES_SIZE and sample.labels.get("value") == "size"):
                used[number, sample.labels.get("pod", "")] += sample.value
            if sample.name != ARCHIVE_STATUS or sample.labels.get("value") == "ready":
                values[sample.name].append(sample.value)
    ages = values[ARCHIVE_AGE]
    archive_age_s = min((age for age in ages if age >= 0), default=-1 if ages else None)
    return ev.DatabaseFigures(
        n=1,
        t=t,
        system=system,
        every_ms=every_ms,
        instances=min(sum(value == 1 for value in values[IS_UP]), 999),
        unread=unread,
        copy_at=_scaled_count(max(values[LAST_COPY], default=None), 1000),
        archive_age_ms=-1 if archive_age_s == -1 else _scaled_count(archive_age_s, 1000),
        archive_waiting=_scaled_count(max(values[ARCHIVE_STATUS], default=None)),
        lag_ms=_scaled_count(max(values[LAG], default=None), 1000),
        disk_bytes=_scaled_count(max(used.values()) if values[DATABASE_SIZE] else None),
    )


def _scaled_count(value: float | None, factor: int = 1) -> int | None:
    return None if value is None else min(max(round(value * factor), 0), _LARGEST)
