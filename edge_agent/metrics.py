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

LabelledValues = list[tuple[dict[str, str], float]]
METRIC_PREFIX = "motcua_agent_"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric: its name without prefix, kind, meaning, and values by labels."""

    name: str
    kind: str
    help_text: str
    values: LabelledValues


def metric_families(agent: Agent, faults: Mapping[str, int], not_after_s: float | None) -> Iterator[MetricFamily]:
    """Yield all figures of an agent; `faults` by source, `not_after_s`: Unix time when its certificate ends."""
    outbox, clock = agent.outbox, agent.clock
    yield _single_value("info", "gauge", "The running program.", 1, device=agent.settings.device, version=__version__)
    yield _single_value("events_appended_total", "counter", "Rows ever numbered by the outbox.", outbox.highest_n)
    yield _single_value(
        "events_receipted_total", "counter", "Rows with a receipt since the start.", agent.receipted_rows
    )
    yield _single_value("events_refused_total", "counter", "Rows refused for good since the start.", agent.refused_rows)
    yield _single_value(
        "events_deferred_total", "counter", "Times a row was put off since the start.", agent.deferred_rows
    )
    dropped: LabelledValues = [({"class": cls}, count) for cls, count in sorted(outbox.dropped_by_class.items())]
    yield MetricFamily("events_dropped_total", "counter", "Rows given up at the outbox's cap since the start.", dropped)
    yield _single_value("outbox_rows", "gauge", "Rows without a receipt.", outbox.pending_count())
    yield _single_value("outbox_bytes", "gauge", "Their weight.", outbox.size_bytes)
    yield _single_value(
        "outbox_oldest_age_seconds", "gauge", "Age of the oldest of them.", agent.oldest_row_age_ms() / 1000
    )
    yield _single_value("outbox_refused_rows", "gauge", "Refused rows kept aside.", outbox.refused_count())
    yield _single_value("outbox_full", "gauge", "1 while its disk has no room.", outbox.file.is_disk_full)
    yield _single_value("receipts_total", "counter", "Receipts taken since the start.", agent.receipt_count)
    yield _single_value(
        "frames_sent_total", "counter", "Frames handed to the broker since the start.", agent.sender.frames_sent
    )
    yield _single_value(
        "reconnects_total", "counter", "Connections after the first.", max(0, agent.connection_count - 1)
    )
    yield _single_value("connected", "gauge", "1 while the link to the broker stands.", agent.link.is_connected)
    yield _single_value("resident_memory_bytes", "gauge", "Memory in use.", agent.rss())
    if clock is not None:
        yield _single_value(
            "clock_synchronized", "gauge", "1 while the kernel's clock is disciplined.", clock.sync.synced
        )
        if clock.sync.error_ms is not None:
            yield _single_value(
                "clock_error_seconds", "gauge", "Its largest possible error.", clock.sync.error_ms / 1000
            )
        yield _single_value("clock_last_step_seconds", "gauge", "How far it was last set.", clock.last_step_ms / 1000)
    if not_after_s is not None:
        yield _single_value(
            "certificate_not_after_timestamp_seconds", "gauge", "When the certificate ends.", not_after_s
        )
    failed: LabelledValues = [({"source": name}, count) for name, count in sorted(faults.items())]
    yield MetricFamily("source_faults_total", "counter", "Ends of a source with an exception, or in silence.", failed)


def _single_value(name: str, kind: str, help_text: str, value: float, **labels: str) -> MetricFamily:
    return MetricFamily(name, kind, help_text, [(labels, value)])


def render_metrics(families: Iterator[MetricFamily]) -> str:
    """Return the figures in Prometheus's text format."""
    lines: list[str] = []
    for family in families:
        if not family.values:
            continue
        lines += [
            f"# HELP {METRIC_PREFIX}{family.name} {family.help_text}",
            f"# TYPE {METRIC_PREFIX}{family.name} {family.kind}",
        ]
        lines += [
            f"{METRIC_PREFIX}{family.name}{_render_labels(labels)} {float(value):.15g}"
            for labels, value in family.values
        ]
    return "\n".join(lines) + "\n"


def _render_labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escape_label(value)}"' for name, value in labels.items()) + "}"


def _escape_label(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def write_metrics_file(path: Path, content: str) -> None:
    """Put the text in the file's place, whole or not at all. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(content, encoding="utf-8")
    os.chmod(fresh, 0o644)  # noqa: PTH101 - the collector is another user
    fresh.replace(path)


def certificate_not_after(certificate: str) -> float | None:
    """Return the Unix time when a PEM certificate ends, None when it cannot be read."""
    try:
        # The one way of the standard library to read a certificate that is not a peer's; `cryptography` weighs 10 MB.
        decoded = ssl._ssl._test_decode_cert(certificate)  # type: ignore[attr-defined]  # noqa: SLF001
        return float(ssl.cert_time_to_seconds(decoded["notAfter"]))
    except (OSError, ssl.SSLError, KeyError, ValueError):
        return None
