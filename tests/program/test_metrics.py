"""The Prometheus page: its families, its lint, and what it says when the store is gone."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from telemetry.core.fold.live_row_types import SystemNow, VantageNow
from telemetry.errors import StoreUnavailable
from tests.program.network import NOW, Network, busy, network

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def net(tmp_path: Path) -> Iterator[Network]:
    found = busy(network(tmp_path))
    found.store.set_cursor(NOW * 1000)
    yield found
    found.store.close()


def values(net: Network, name: str, path: str = "/metrics") -> dict[tuple[str, ...], float]:
    text = net.client.get(path).text
    samples = (s for family in text_string_to_metric_families(text) for s in family.samples)
    return {tuple(s.labels.values()): s.value for s in samples if s.name == name}


def test_the_families_carry_the_network(net: Network) -> None:
    assert values(net, "motcua_build_info") == {("1.2.3",): 1}
    assert values(net, "motcua_source_up") == {("store",): 1}
    assert values(net, "motcua_simulated") == {(): 0}
    assert values(net, "motcua_centre_open")[("vn83-a",)] == 1
    assert values(net, "motcua_centres")[("operational",)] == 2
    assert values(net, "motcua_centre_capacity_ratio")[("vn83-a",)] == 1
    assert values(net, "motcua_devices")[("vn83-a", "up")] == 2
    assert values(net, "motcua_devices_by_type")[("kiosk", "up")] == 2
    assert values(net, "motcua_queue_waiting_tickets")[("vn83-a",)] == 3
    assert values(net, "motcua_queue_open_counters")[("vn83-a",)] == 3
    assert values(net, "motcua_tickets_today")[("vn83-a", "issued")] == 3
    assert values(net, "motcua_wait_today_seconds")[("vn83-a",)] == 1320
    assert values(net, "motcua_waits_today")[("vn83-a",)] == 3
    waits = values(net, "motcua_queue_wait_seconds")
    assert (waits["30",], waits["120",], waits["1800",], waits["+Inf",]) == (1, 2, 3, 3)
    assert values(net, "motcua_dead_letters_total") == {("malformed",): 2}
    assert values(net, "motcua_events_stored") == {(): 4}
    assert values(net, "motcua_completeness_ratio") == {(): 0.8}
    assert values(net, "motcua_rollup_cursor_timestamp_seconds") == {(): NOW / 1000}
    assert NOW / 1000 <= values(net, "motcua_snapshot_timestamp_seconds")[()] <= NOW / 1000 + 10


@pytest.mark.parametrize("name", ["motcua_centre_state", "motcua_system_state"])
def test_a_state_set_has_exactly_one_present_state(net: Network, name: str) -> None:
    found: dict[str, float] = {}
    unit = 1 if name == "motcua_system_state" else 0  # labels come in order of name
    for labels, value in values(net, name).items():
        found[labels[unit]] = found.get(labels[unit], 0) + value
    assert found
    assert set(found.values()) == {1}


def test_a_systems_certificate_is_that_which_expires_first_of_those_seen_now(net: Network) -> None:
    name = "motcua_system_certificate_expiry_days"
    assert values(net, name) == {}, "the portal is probed without TLS"
    seen = (
        VantageNow(device="vn83-a-gateway1", state="up", at=NOW, tls_days=41.5),
        VantageNow(device="vn83-b-gateway1", state="down", at=NOW, tls_days=12.0),
        VantageNow(device="vn83-c-gateway1", state="unknown", at=NOW, tls_days=3.0),
    )
    net.live("vn83-portal", SystemNow(system="vn83-portal", at=NOW, state="up", vantage=seen))
    assert values(net, name) == {("vn83-portal",): 12.0}


def test_one_centre_is_shown_in_full_on_its_own_pages(net: Network) -> None:
    devices, centre = "/metrics/devices?centre=vn83-a", "/metrics/centre?centre=vn83-a"
    assert values(net, "motcua_device_state", devices)[("vn83-a", "vn83-a-kiosk1", "kiosk", "up")] == 1
    assert values(net, "motcua_device_online", devices)[("vn83-a", "vn83-a-kiosk1", "kiosk")] == 1
    assert len(values(net, "motcua_device_last_event_timestamp_seconds", devices)) == 2
    assert values(net, "motcua_service_waiting_tickets", centre)[("vn83-a", "land")] == 3
    assert values(net, "motcua_service_tickets_today", centre)[("vn83-a", "issued", "land")] == 3
    assert values(net, "motcua_service_queue_wait_seconds", centre)[("120", "vn83-a", "land")] == 2
    assert values(net, "motcua_centre_devices", centre)[("vn83-a", "kiosk", "up")] == 1
    assert values(net, "motcua_centre_capacity_bound_ratio", centre) == {("low", "vn83-a"): 1, ("high", "vn83-a"): 1}
    for path in ("/metrics/devices?centre=x", "/metrics/centre?centre=x", "/metrics/slos?slo=x"):
        assert net.client.get(path).status_code == 404


def test_every_name_has_our_prefix(net: Network) -> None:
    text = net.client.get("/metrics").text
    assert all(line.startswith(("#", "motcua_")) for line in text.splitlines())


def test_the_scraper_may_ask_for_openmetrics(net: Network) -> None:
    answer = net.client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert answer.text.endswith("# EOF\n")


def test_a_store_that_is_gone_shows_as_a_source_that_is_down(net: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_args: object, **_named: object) -> None:
        raise StoreUnavailable

    monkeypatch.setattr(net.store, "live_rows", gone)
    assert values(net, "motcua_source_up") == {("store",): 0}
    assert values(net, "motcua_centre_open") == {}


@pytest.mark.parametrize("path", ["/metrics", "/metrics/devices?centre=vn83-a", "/metrics/centre?centre=vn83-a"])
def test_promtool_finds_nothing_to_mend(net: Network, require: Callable[[str], str], path: str) -> None:
    assert checked(require("promtool"), net.client.get(path).content) == (0, b"")


def checked(promtool: str, page: bytes) -> tuple[int, bytes]:
    done = subprocess.run([promtool, "check", "metrics"], input=page, capture_output=True, check=False)
    return done.returncode, done.stdout + done.stderr
