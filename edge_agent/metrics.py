"""The agent's own figures as Prometheus text, in a file or on a loopback port; it must not change what it looks at."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry import __version__

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from edge_agent.agent import Agent

Labelled = list[tuple[dict[str, str], float]]
PREFIX = "motcua_agent_"


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: its name without prefix, kind, meaning, and values by labels."""

    name: str
    kind: str
    text: str
    values: Labelled


def families(agent: Agent, faults: Mapping[str, int], not_after_s: float | None) -> Iterator[Family]:
    """Yield all figures of an agent; `faults` by source, `not_after_s`: Unix time when its certificate ends."""
    outbox, clock = agent.outbox, agent.clock
    yield _one("info", "gauge", "The running program.", 1, device=agent.settings.device, version=__version__)
    yield _one("events_appended_total", "counter", "Rows ever numbered by the outbox.", outbox.highest)
    yield _one("events_receipted_total", "counter", "Rows with a receipt since the start.", agent.receipted)
    yield _one("events_refused_total", "counter", "Rows refused for good since the start.", agent.refused)
    yield _one("events_deferred_total", "counter", "Times a row was put off since the start.", agent.deferred)
    dropped: Labelled = [({"class": cls}, count) for cls, count in sorted(outbox.dropped_by_class.items())]
    yield Family("events_dropped_total", "counter", "Rows given up at the outbox's cap since the start.", dropped)
    yield _one("outbox_rows", "gauge", "Rows without a receipt.", outbox.pending())
    yield _one("outbox_bytes", "gauge", "Their weight.", outbox.size_bytes)
    yield _one("outbox_oldest_age_seconds", "gauge", "Age of the oldest of them.", agent.oldest_ms() / 1000)
    yield _one("outbox_refused_rows", "gauge", "Refused rows kept aside.", outbox.refused())
    yield _one("outbox_full", "gauge", "1 while its disk has no room.", outbox.file.full)
    yield _one("receipts_total", "counter", "Receipts taken since the start.", agent.receipts)
    yield _one("frames_sent_total", "counter", "Frames handed to the broker since the start.", agent.sending.frames)
    yield _one("reconnects_total", "counter", "Connections after the first.", max(0, agent.connections - 1))
    yield _one("connected", "gauge", "1 while the link to the broker stands.", agent.link.up)
    yield _one("resident_memory_bytes", "gauge", "Memory in use.", agent.rss())
    if clock is not None:
        yield _one("clock_synchronized", "gauge", "1 while the kernel's clock is disciplined.", clock.sync.synced)
        if clock.sync.error_ms is not None:
            yield _one("clock_error_seconds", "gauge", "Its largest possible error.", clock.sync.error_ms / 1000)
        yield _one("clock_last_step_seconds", "gauge", "How far it was last set.", clock.last_step_ms / 1000)
    if not_after_s is not None:
        yield _one("certificate_not_after_timestamp_seconds", "gauge", "When the certificate ends.", not_after_s)
    failed: Labelled = [({"source": name}, count) for name, count in sorted(faults.items())]
    yield Family("source_faults_total", "counter", "Ends of a source with an exception, or in silence.", failed)


def _one(name: str, kind: str, text: str, value: float, **labels: str) -> Family:
    return Family(name, kind, text, [(labels, value)])


def text(found: Iterator[Family]) -> str:
    """Return the figures in Prometheus's text format."""
    lines: list[str] = []
    for family in found:
        if not family.values:
            continue
        lines += [f"# HELP {PREFIX}{family.name} {family.text}", f"# TYPE {PREFIX}{family.name} {family.kind}"]
        lines += [f"{PREFIX}{family.name}{_labels(labels)} {float(value):.15g}" for labels, value in family.values]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def write(path: Path, content: str) -> None:
    """Put the text in the file's place, whole or not at all. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(content, encoding="utf-8")
    os.chmod(fresh, 0o644)  # noqa: PTH101 - the collector is another user
    fresh.replace(path)


def not_after(certificate: str) -> float | None:
    """Return the Unix time when a PEM certificate ends, None when it cannot be read."""
    try:
        # The one way of the standard library to read a certificate that is not a peer's; `cryptography` weighs 10 MB.
        told = ssl._ssl._test_decode_cert(certificate)  # type: ignore[attr-defined]  # noqa: SLF001
        return float(ssl.cert_time_to_seconds(told["notAfter"]))
    except (OSError, ssl.SSLError, KeyError, ValueError):
        return None
