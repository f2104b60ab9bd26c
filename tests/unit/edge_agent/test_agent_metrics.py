"""The agent's own figures: what Prometheus's own checker accepts, with the values the agent has."""

from __future__ import annotations

import subprocess
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from edge_agent import metrics
from tests.unit.edge_agent.test_agent_alarms import Kiosk
from tests.unit.edge_agent.test_clock_repair import Box, Machine

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

END = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)


def figures(text: str) -> dict[str, float]:
    lines = [line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#")]
    return {name.removeprefix("motcua_agent_"): float(value) for name, value in lines}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    box = Box(tmp_path, Machine(wrong=0, synced=True))
    box.link()
    box.issue()
    box.steps(after=500)
    return box


def test_promtool_accepts_all_of_it(box: Box, require: Callable[[str], str]) -> None:
    box.outbox._dropped = {"sample": 3}
    text = metrics.render_metrics(
        metrics.metric_families(box.agent, {"probe:vn-ngsp": 2, 'odd "name"\\': 1}, END.timestamp())
    )
    done = subprocess.run(
        [require("promtool"), "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert 'motcua_agent_source_faults_total{source="probe:vn-ngsp"} 2' in text
    assert 'motcua_agent_events_dropped_total{class="sample"} 3' in text


def test_the_figures_are_the_agents(box: Box) -> None:
    box.receipt(ranges=[(1, 1)])
    box.issue()
    box.steps(after=1_500)
    found = figures(metrics.render_metrics(metrics.metric_families(box.agent, {}, END.timestamp())))
    assert found["events_appended_total"] == 2
    assert found["events_receipted_total"] == found["receipts_total"] == 1
    assert (found["outbox_rows"], found["outbox_bytes"]) == (1, box.outbox.size_bytes)
    assert found["outbox_oldest_age_seconds"] == 1.5
    assert found["frames_sent_total"] == 2
    assert (found["connected"], found["reconnects_total"], found["outbox_full"]) == (1, 0, 0)
    assert (found["clock_synchronized"], found["clock_error_seconds"]) == (1, 0.012)
    assert found["certificate_not_after_timestamp_seconds"] == END.timestamp()


def test_without_a_clock_or_a_certificate_there_is_no_figure_of_them(tmp_path: Path) -> None:
    found = figures(metrics.render_metrics(metrics.metric_families(Kiosk(tmp_path).agent, {}, None)))
    assert not [name for name in found if "clock" in name or "certificate" in name]


def test_the_file_is_replaced_as_a_whole_and_readable_by_the_collector(tmp_path: Path) -> None:
    path = tmp_path / "motcua.prom"
    path.write_text("old and longer\n" * 99)
    metrics.write_metrics_file(path, "new 1\n")
    assert path.read_text() == "new 1\n"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(tmp_path.iterdir()) == [path]


def test_a_certificates_end_is_read_without_another_library(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "c1-kiosk1")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(7).not_valid_before(END - timedelta(days=90)).not_valid_after(END)
    path = tmp_path / "c.pem"
    path.write_bytes(made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    assert metrics.certificate_not_after(str(path)) == END.timestamp()
    path.write_text("no certificate")
    assert metrics.certificate_not_after(str(path)) is None
    assert metrics.certificate_not_after(str(tmp_path / "none.pem")) is None


def test_the_figures_are_served_on_the_loopback_only(free_port: int) -> None:
    server = metrics.serve_metrics(free_port, lambda: "figure 1\n")
    assert server is not None
    try:
        assert server.server_address[0] == "127.0.0.1"
        with urllib.request.urlopen(f"http://127.0.0.1:{free_port}/metrics", timeout=5) as answer:
            assert answer.read() == b"figure 1\n"
        assert metrics.serve_metrics(free_port, str) is None
    finally:
        server.shutdown()
        server.server_close()
