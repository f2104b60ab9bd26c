"""Every panel's query asked of a real Prometheus that scrapes a real API: each answers, with the API's own figures.

One Prometheus with the rendered jobs and rules, one API over a small store, an ingest's counters and an InfluxDB.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from dashboards.files import provisioned_files
from infra.config.options import StackOptions
from infra.host.monitoring import prometheus_configuration
from infra.plan import build_plan
from telemetry.core.calendar.windows import DAY
from telemetry.core.fold.live_row_types import FAULT_ROW_PREFIX, DeviceNow, FoldFaultNow, ScopedSloNow, SloNow
from telemetry.core.inventory import Target
from telemetry.ingest import metrics_server
from telemetry.ingest.stats import IngestStats
from tests.cloud_examples import ONESTOP
from tests.dashboard_panels import targets_of
from tests.hosted_network import hosting, observe
from tests.page_server import serving_queries
from tests.program.network import MIDNIGHT, NOW, Network, busy, centre_now, waits
from tests.program.promises import judged, promised, promising
from tests.prometheus import Prometheus
from tests.servers import InfluxServer, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


WORLD = replace(
    hosting(promised()),
    targets=(
        *promised().targets,
        Target("Q-08", "Phục vụ", "Service", 30, "s", date(2025, 12, 31)),
        Target("Q-08-commune", "Phục vụ", "Service", 90, "s", date(2027, 12, 31)),
    ),
)
Json = dict[str, Any]


def _kept(ident: str, bad: int) -> ScopedSloNow:
    """Return an objective of 28 days at a system that was down so many seconds."""
    whole = 28 * 86_400
    return ScopedSloNow(
        scope=f"system:{ident}", start=NOW - 28 * DAY, end=NOW, good=whole - bad, bad=bad, standing="healthy",
        open=whole, up=whole - bad, down=bad,
    )  # fmt: skip


HOSTED_OBJECTIVE = SloNow(
    slo="hosted-level-3", at=NOW, settled_until=NOW - DAY, scopes=(_kept(ONESTOP, 6_000), _kept(f"{ONESTOP}--db", 0))
)
STATE_CODES = {"up": 1, "unknown": 2, "down": 3}
"""The numbers that the boards of hosted systems show for states."""


@dataclass(frozen=True)
class Observed:
    """The API, the Prometheus that scrapes it, and the files that a stack of this inventory would deploy."""

    net: Network
    prometheus: Prometheus
    files: dict[str, str]

    def api(self, path: str) -> Any:  # noqa: ANN401 - JSON
        answer = self.net.client.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    def figures(self, board: str, panel: str, *labels: str) -> dict[tuple[str, ...], float]:
        """Return the answer to a panel's only query, by the values of these labels."""
        (target,) = (t for t in targets_of(self.files, "expr") if (t.board, t.panel) == (f"motcua-{board}", panel))
        return self.answer(target.query, *labels)

    def answer(self, query: str, *labels: str) -> dict[tuple[str, ...], float]:
        samples = self.prometheus.ask(query)
        found = {tuple(sample.labels[label] for label in labels): sample.value for sample in samples}
        assert len(found) == len(samples), query
        return found

    def figure(self, board: str, panel: str) -> float:
        return self.figures(board, panel)[()]


def filled(net: Network) -> Network:
    """Fill a morning with a device that is down, one of which nobody knows, a failure, and yesterday's tickets."""
    busy(net)
    devices = (
        DeviceNow(id="vn83-b-gateway1", kind="gateway", state="unknown"),
        DeviceNow(id="vn83-b-kiosk1", kind="kiosk", state="down", last_event=NOW),
    )
    net.live("vn83-b", centre_now("vn83-b", NOW, services=(), counters_open=1, devices=devices))
    judged(net)
    observe(net, onestop="down", web="down", db="unknown")
    net.store.put_live_rows({"slo:hosted-level-3": msgspec.json.encode(HOSTED_OBJECTIVE)})
    net.total("desk:vn83-a:land", "1d", MIDNIGHT - DAY, waits(60, 120))
    fault = FoldFaultNow(entity="vn83-a", at=NOW, failures=1, since=NOW, part="fold")
    net.store.put_live_rows({f"{FAULT_ROW_PREFIX}vn83-a": msgspec.json.encode(fault)})
    net.store.set_cursor(NOW * 1000)
    return net


def write_once(stats: IngestStats) -> None:
    """Count one write of one event, and one refused."""
    stats.record_write(NOW, NOW + 7)
    stats.rows += 1
    stats.frames += 1
    stats.receipts += 1
    stats.refused_by_reason["malformed"] += 1


@pytest.fixture(scope="module")
def observed(
    require: Callable[[str], str], influxd_program: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Observed]:
    folder = tmp_path_factory.mktemp("observed")
    net, stats, port = filled(promising(folder, WORLD)), IngestStats(), free_port()
    stats.record_connect()
    ingest = metrics_server.serve_metrics(stats, lambda: NOW, ("127.0.0.1", port))
    influx = InfluxServer(influxd_program, folder / "influxd").start()
    with serving_queries(net.queries) as (url, _):
        addresses = {
            "motcua-api": url.removeprefix("http://"),
            "indicators": url.removeprefix("http://"),
            "motcua-ingest": f"127.0.0.1:{port}",
            "influxdb": f"127.0.0.1:{influx.port}",
        }
        discovery = {name: {"static_configs": [{"targets": [address]}]} for name, address in addresses.items()}
        options = StackOptions(stage="dev", target="local")
        files = dict(provisioned_files(WORLD))
        plan = build_plan(WORLD, options, options.pki.epoch, files)
        rules = {path.removeprefix("rules/"): text for path, text in files.items() if path.startswith("rules/")}
        config = prometheus_configuration(plan, discovery)
        prometheus = Prometheus(require("prometheus"), folder / "prometheus", config, rules)
        try:
            prometheus.start()
            prometheus.until(lambda: has_all(prometheus, stats, influx, len(addresses)))
            yield Observed(net, prometheus, files)
        finally:
            prometheus.end()
            influx.end()
            ingest.shutdown()
            ingest.server_close()
    net.store.close()


def has_all(prometheus: Prometheus, stats: IngestStats, influx: InfluxServer, jobs: int) -> bool:
    """Return whether every job was scraped twice and the rules have followed; counters move meanwhile."""
    write_once(stats)
    influx.write("default", "m v=1i")
    influx.flux('from(bucket: "default") |> range(start: -1m)')
    scraped = prometheus.ask("count_over_time(up[1m]) >= 2 and up == 1")
    recorded = prometheus.ask("kpi:motcua_kpi_value:max") and prometheus.ask("motcua:ingest_events_stored:rate5m > 0")
    return len(scraped) == jobs and bool(recorded)


def test_every_panel_of_every_dashboard_has_an_answer(observed: Observed) -> None:
    """An indicator without a source has none; a place without burn rates neither. Everything else shows something."""
    rows = {row["id"]: row for row in observed.api("/api/v1/kpis?limit=500")}
    silent = {f"{ident} {row['name_en']}" for ident, row in rows.items() if row["value"] is None}
    slos = observed.api("/api/v1/slos?limit=500")
    unjudged = {slo.id for slo in WORLD.objectives} - {row["slo"] for row in slos if row["value"] is not None}
    burning = {row["slo"] for row in slos if row["firing"]}
    empty, asked = set[str](), 0
    for target in targets_of(observed.files, "expr"):
        samples = [sample for sample in observed.prometheus.ask(target.query) if not math.isnan(sample.value)]
        asked += 1
        (about,) = re.findall(r'slo="([\w-]+)"', target.query) or [""]
        is_calm = about not in burning and target.panel.startswith("Highest burn rate of any place")
        if not samples and target.panel not in silent and about not in unjudged and not is_calm:
            empty.add(f"{target.board}: {target.panel}: {target.query}")
    assert asked > 120
    assert empty == set()


def test_the_fleets_figures_are_those_of_the_api(observed: Observed) -> None:
    status, centres = observed.api("/api/v1/status"), observed.api("/api/v1/centres?limit=500")
    for state in ("up", "down", "unknown"):
        assert observed.figure("fleet", f"Devices {state}") == status["devices"][state]
    assert status["devices"]["down"] == status["devices"]["unknown"] == 1
    assert observed.figure("fleet", "Centres open") == status["centres"]["open"] == 2
    assert observed.figure("fleet", "People waiting") == status["queue"]["waiting"] == 3
    assert observed.figures("fleet", "People waiting by centre", "centre") == {
        (c["id"],): c["waiting"] for c in centres
    }
    assert observed.figures("fleet", "Open counters", "centre") == {(c["id"],): c["counters_open"] for c in centres}
    assert observed.figures("fleet", "Working share of counters", "centre") == {
        (c["id"],): c["capacity"]["low"] for c in centres if c["capacity"] is not None
    }
    assert observed.figures("fleet", "Tickets today", "event") == {
        (event,): status["today"][event] for event in ("issued", "called", "served", "abandoned", "no_show")
    }


def test_hosted_systems_are_shown_with_the_states_of_the_api_by_system_agency_and_zone(observed: Observed) -> None:
    (system,) = (row for row in observed.api("/api/v1/systems?limit=500") if row["id"] == ONESTOP)
    code = {(ONESTOP,): STATE_CODES[system["state"]]}
    for panel in ("Systems, from outside", "From outside", "Its systems"):
        assert observed.figures("hosted", panel, "system") == code, panel
    parts = observed.api(f"/api/v1/systems/{ONESTOP}")["hosted"]["components"]
    states = {(part["zone"], part["id"]): STATE_CODES[part["state"]] for part in parts}
    assert observed.figures("hosted", "Components, inside", "zone", "component") == states
    assert len(set(states.values())) == 3, "each state is shown"
    by_zone = [
        t.query for t in targets_of(observed.files, "expr") if (t.board, t.panel) == ("motcua-hosted", "Components")
    ]
    shown = [observed.answer(query, "system", "component") for query in by_zone]
    assert shown == [
        {(ONESTOP, ident): code for (at, ident), code in states.items() if at == zone}
        for zone in ("dmz", "server", "database")
    ]
    assert observed.figure("hosted", "Systems down") == 1
    assert observed.figure("hosted", "Components down") == sum(part["state"] == "down" for part in parts)
    budgets = observed.api("/api/v1/slos?slo=hosted-level-3&limit=500")
    assert observed.figures("hosted", "Least budget left", "scope") == {
        (row["scope"],): row["remaining_ratio"] for row in budgets if row["remaining_ratio"] is not None
    }


def test_waits_of_today_are_those_of_the_api(observed: Observed) -> None:
    centres = observed.api("/api/v1/centres?limit=500")
    assert observed.figures("indicators", "Mean wait today", "centre") == {
        (c["id"],): c["today"]["wait"]["mean_s"] for c in centres if c["today"]["wait"]["count"]
    }


def test_each_indicator_is_shown_with_the_values_and_the_path_that_the_api_has(observed: Observed) -> None:
    rows, paths = observed.api("/api/v1/kpis?limit=500"), 0
    for row in rows:
        queries = [t.query for t in targets_of(observed.files, "expr") if t.panel == f"{row['id']} {row['name_en']}"]
        values = {("all",): row["value"], **{(level,): v["value"] for level, v in row["by_level"].items()}}
        assert observed.answer(queries[0], "level") == {at: v for at, v in values.items() if v is not None}, row["id"]
        assert len(queries) == (3 if row["trajectories"] else 1)
        if not row["trajectories"]:
            continue
        path = {(t["level"] or "all",): t["path_value"] for t in row["trajectories"]}
        target = {(t["level"] or "all",): t["target"]["value"] for t in row["trajectories"]}
        assert observed.answer(queries[1], "level") == path
        assert observed.answer(queries[2], "level") == target
        paths += len(path)
    assert paths == 3
    behind = {(row["id"], t["level"] or "all") for row in rows for t in row["trajectories"] if t["on_track"] is False}
    assert (
        set(observed.figures("indicators", "Values behind their path", "kpi", "level")) == behind == {("Q-08", "all")}
    )
    assert observed.figure("indicators", "Behind their path") == len(behind)


def test_each_objective_is_shown_with_the_figures_of_the_api(observed: Observed) -> None:
    rows = observed.api("/api/v1/slos?limit=500")
    by_panel: dict[str, list[str]] = {}
    for target in targets_of(observed.files, "expr"):
        if target.board == "motcua-objectives" and 'slo="open"' in target.query:
            by_panel.setdefault(target.panel, []).append(target.query)
    answers = {panel: observed.answer(queries[0], *SLO_LABELS.get(panel, ())) for panel, queries in by_panel.items()}
    places = [row for row in rows if row["slo"] == "open"]
    assert answers["Goal"] == {(): places[0]["target"]}
    assert answers["Least budget left"] == {(): min(row["remaining_ratio"] for row in places)}
    assert answers["Least coverage"] == {(): min(row["coverage"] for row in places)}
    assert answers["Least budget left: 20 places"] == {(row["scope"],): row["remaining_ratio"] for row in places}
    assert answers["Share that was good"] == {(row["scope"],): row["value"] for row in places}
    counts = {standing: sum(row["status"] == standing for row in places) for (standing,) in answers["Places by state"]}
    assert answers["Places by state"] == {(standing,): count for standing, count in counts.items()}
    detail = observed.api("/api/v1/slos/open/status?scope=centre:vn83-a")
    rates = {(burn["rule"], "1h"): burn["long"] for burn in detail["burn"] if burn["long"] is not None}
    shown = answers["Highest burn rate of any place"]
    assert {at: rate for at, rate in shown.items() if at[1] == "1h"} == rates
    assert rates


SLO_LABELS = {
    "Places by state": ("standing",),
    "Least budget left: 20 places": ("scope",),
    "Share that was good": ("scope",),
    "Highest burn rate of any place": ("rule", "window"),
}


def test_an_alarm_that_fires_is_a_series_and_its_rule_waits_for_it(observed: Observed) -> None:
    fired = [
        (row["slo"], row["scope"], rule) for row in observed.api("/api/v1/slos?limit=500") for rule in row["firing"]
    ]
    assert set(observed.answer("motcua_slo_alarm_firing", "slo", "scope", "rule")) == set(fired) != set()
    pending = observed.answer('ALERTS{alertname="MotcuaObjectiveBurns"}', "objective", "scope", "alertstate")
    assert set(pending) == {(slo, scope, "pending") for slo, scope, _ in fired}
