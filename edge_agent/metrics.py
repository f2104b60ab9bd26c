"""The agent's own metrics as Prometheus text, in a file or on a loopback port; it must not change the agent."""

from __future__ import annotations

import os
import ssl
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge_agent.log import Logger
from telemetry import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from http.server import ThreadingHTTPServer
    from pathlib import Path

    from edge_agent.agent import Agent

_log = Logger(__name__)
LabelledValues = list[tuple[dict[str, str], float]]
METRIC_PREFIX = "motcua_agent_"


@dataclass(frozen=True, slots=True)
class MetricFamily:
    """One metric: its name without prefix, type, help text, and values by labels."""

    name: str
    kind: str
    help_text: str
    values: LabelledValues


def metric_families(agent: Agent, faults: Mapping[str, int], not_after_s: float | None) -> Iterator[MetricFamily]:
    """Yield an agent's metrics; `faults` by source, `not_after_s`: Unix time when its certificate expires."""
    outbox, clock, counters = agent.outbox, agent.environment.clock, agent.counters
    yield _gauge("info", "The running program.", 1, device=agent.settings.device, version=__version__)
    yield _counter("events_appended_total", "Rows numbered by the outbox since it was created.", outbox.highest_n)
    yield _counter("events_receipted_total", "Rows with a receipt since the start.", counters.receipted_rows)
    yield _counter("events_refused_total", "Rows finally rejected since the start.", counters.refused_rows)
    yield _counter("events_deferred_total", "Deferrals of rows since the start.", counters.deferred_rows)
    dropped: LabelledValues = [({"class": cls}, count) for cls, count in sorted(outbox.dropped_by_class.items())]
    yield MetricFamily("events_dropped_total", "counter", "Rows dropped at the outbox's cap since the start.", dropped)
    yield _gauge("outbox_rows", "Rows without a receipt.", outbox.pending_count())
    yield _gauge("outbox_bytes", "Size of the rows without a receipt.", outbox.size_bytes)
    oldest_s = agent.oldest_row_age_ms() / 1000
    yield _gauge("outbox_oldest_age_seconds", "Age of the oldest row without a receipt.", oldest_s)
    yield _gauge("outbox_refused_rows", "Rows in the refused table.", outbox.refused_count())
    yield _gauge("outbox_full", "1 while the outbox's disk is full.", outbox.file.is_disk_full)
    yield _counter("receipts_total", "Receipts received since the start.", counters.receipts)
    text = "Receipts dropped since the start: unreadable, or of rows that do not exist."
    yield _counter("receipts_invalid_total", text, counters.receipts_invalid)
    yield _counter("frames_sent_total", "Frames sent to the broker since the start.", agent.sender.frames_sent)
    yield _counter("reconnects_total", "Connections after the first.", max(0, counters.connections - 1))
    yield _gauge("connected", "1 while connected to the broker.", agent.link.is_connected)
    yield _gauge("resident_memory_bytes", "Memory in use.", agent.environment.rss())
    if clock is not None:
        yield _gauge("clock_synchronized", "1 while the kernel's clock is synchronised.", clock.sync.synced)
        if clock.sync.error_ms is not None:
            yield _gauge("clock_error_seconds", "Largest possible error of the clock.", clock.sync.error_ms / 1000)
        yield _gauge("clock_last_step_seconds", "Size of the clock's last step.", clock.last_step_ms / 1000)
    if not_after_s is not None:
        yield _gauge("certificate_not_after_timestamp_seconds", "When the certificate expires.", not_after_s)
    failed: LabelledValues = [({"source": name}, count) for name, count in sorted(faults.items())]
    yield MetricFamily("source_faults_total", "counter", "Ends of a source with an exception, or as hung.", failed)


def _gauge(name: str, help_text: str, value: float, **labels: str) -> MetricFamily:
    return MetricFamily(name, "gauge", help_text, [(labels, value)])


def _counter(name: str, help_text: str, value: float) -> MetricFamily:
    return MetricFamily(name, "counter", help_text, [({}, value)])


def render_metrics(families: Iterator[MetricFamily]) -> str:
    """Return the metrics in Prometheus's text format."""
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
    escapes = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
    pairs = ",".join(f'{name}="{value.translate(escapes)}"' for name, value in labels.items())
    return f"{{{pairs}}}" if pairs else ""


def write_metrics_file(path: Path, content: str) -> None:
    """Replace the file atomically. Raises OSError."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.write_text(content, encoding="utf-8")
    os.chmod(fresh, 0o644)  # noqa: PTH101 - the collector is another user
    fresh.replace(path)


def certificate_not_after(certificate: str) -> float | None:
    """Return the Unix time when a PEM certificate expires, None when it cannot be read."""
    try:
        # The standard library's only way to read a certificate that is not a peer's; `cryptography` needs 10 MB.
        decoded = ssl._ssl._test_decode_cert(certificate)  # type: ignore[attr-defined]  # noqa: SLF001
        return float(ssl.cert_time_to_seconds(decoded["notAfter"]))
    except (OSError, ssl.SSLError, KeyError, ValueError):
        return None


def serve_metrics(port: int, render: Callable[[], str]) -> ThreadingHTTPServer | None:
    """Serve `GET /metrics` on a loopback port, in its own thread; a port in use is logged, and the agent runs on.

    The HTTP server is imported here because it costs memory that most devices need not spend.
    """
    from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer  # noqa: PLC0415

    class MetricsHandler(BaseHTTPRequestHandler):
        timeout = 10

        def do_GET(self) -> None:
            is_metrics_path = self.path == "/metrics"
            content = render().encode() if is_metrics_path else b"GET /metrics\n"
            self.send_response(200 if is_metrics_path else 404)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), MetricsHandler)
    except OSError as error:
        _log.error("metrics_port_taken", port=port, error=str(error))
        return None
    threading.Thread(target=server.serve_forever, name="metrics", daemon=True).start()
    return server
