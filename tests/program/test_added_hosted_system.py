"""What a declared hosted system adds by itself: probes, objectives, metrics, a dashboard, one alert, a page."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dashboards.boards.hosted import COMPONENT_METRIC
from dashboards.files import generated_files
from telemetry.core.calendar.windows import MINUTE
from telemetry.core.hosted.derived_systems import CLOSED_PATH, default_objectives
from telemetry.core.slo.evaluation import scoped_objectives
from telemetry.inventory import render_agent
from telemetry.slo.alerting import Alerting
from tests.cloud_examples import ONESTOP
from tests.hosted_network import CLOSED_PATHS, INSIDE, PARTS, hosting, observe
from tests.judging import out
from tests.program.network import NOW, Network, inventory, network
from tests.program.test_pages import page

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from telemetry.core.inventory import Inventory
    from telemetry.core.slo.alert import PostableAlert


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    built = network(tmp_path_factory.mktemp("added"), hosting())
    observe(built, db="down")
    yield built
    built.store.close()


class Posted:
    """Keeps what is posted last."""

    def __init__(self) -> None:
        self.alerts: Sequence[PostableAlert] = ()

    def submit(self, alerts: Sequence[PostableAlert], at: int) -> None:
        del at
        self.alerts = alerts


def alerts_of(world: Inventory, *failed: str, answering: Iterable[str] = ()) -> list[tuple[str, str, str]]:
    """Return scope, cause and victims of what is posted when these have been down for ten minutes."""
    sender, chosen = Posted(), {f"system:{name}" for name in failed}
    alerting = Alerting(lambda: world, None, sender)  # type: ignore[arg-type]
    lines = [out(one, NOW - 10 * MINUTE, NOW) for one in scoped_objectives(world) if one.scope in chosen]
    alerting.step([line.judged(NOW) for line in lines], NOW, frozenset(answering))
    posted = [(dict(a.labels), dict(a.annotations)) for a in sender.alerts]
    return [
        (labels["scope"], labels["cause"], notes.get("children_ids", ""))
        for labels, notes in posted
        if "scope" in labels
    ]


def test_the_agent_inside_gets_a_probe_of_each_component() -> None:
    text = render_agent(hosting(), INSIDE)
    assert text.count('kind = "probe"') == len(PARTS) + 1  # and the way out that must be closed
    assert text.count('probe = "closed"') == 1
    assert 'target = "db-rw.vn83-onestop-database.svc:5432"' in text
    assert 'centre = "vn83-cloud"' in text
    assert "services" not in text


def test_the_system_and_its_components_get_the_objective_of_its_level() -> None:
    world = hosting()
    scopes = [str(one.scope) for one in scoped_objectives(world)]
    paths = [f"system:{path}" for path in CLOSED_PATHS]
    assert scopes == [f"system:{ONESTOP}", *(f"system:{ONESTOP}--{part}" for part in sorted(PARTS)), *paths]
    assert default_objectives(inventory()) == ()


def test_a_dead_database_is_one_alert_that_names_its_victims() -> None:
    everything = (ONESTOP, *(f"{ONESTOP}--{part}" for part in PARTS))
    victims = f"{ONESTOP}, {ONESTOP}--app, {ONESTOP}--web"
    assert alerts_of(hosting(), *everything) == [(f"system:{ONESTOP}--db", "system", victims)]


@pytest.mark.parametrize(
    ("part", "answering", "cause"),
    [
        ("", (f"{ONESTOP}--web",), "network"),
        ("", (f"{ONESTOP}--app", f"{ONESTOP}--db"), "system"),
        ("", (), "system"),
        ("--app", (f"{ONESTOP}--web", f"{ONESTOP}--db"), "system"),
    ],
    ids=[
        "the entry answers inside",
        "the entry is unknown inside",
        "nothing is known",
        "a component whose database answers",
    ],
)
def test_only_a_system_whose_entries_answer_inside_is_alerted_with_the_cause_network(
    part: str, answering: tuple[str, ...], cause: str
) -> None:
    scope = f"{ONESTOP}{part}"
    assert alerts_of(hosting(), scope, answering=answering) == [(f"system:{scope}", cause, "")]


@pytest.mark.parametrize("entity", CLOSED_PATHS)
def test_one_success_where_a_zone_must_be_closed_is_alerted_at_once_as_a_page(entity: str) -> None:
    world, sender = hosting(), Posted()
    paths = {str(one.scope): one for one in scoped_objectives(world) if one.objective.part_kind == CLOSED_PATH}
    path = paths[f"system:{entity}"]
    alerting = Alerting(lambda: world, None, sender)  # type: ignore[arg-type]
    alerting.step([out(path, NOW - MINUTE, NOW).judged(NOW)], NOW)
    (alert,) = [a for a in sender.alerts if "scope" in dict(a.labels)]
    assert dict(alert.labels)["severity"] == "page"
    assert f"{entity} is open and must be closed" in dict(alert.annotations)["summary"]


def test_metrics_have_each_component_in_its_zone(net: Network) -> None:
    shown = net.client.get("/metrics").text
    assert f'{COMPONENT_METRIC}{{component="db",state="down",system="{ONESTOP}",zone="database"}} 1.0' in shown
    assert f'{COMPONENT_METRIC}{{component="web",state="up",system="{ONESTOP}",zone="dmz"}} 1.0' in shown


def test_the_dashboard_has_the_system_its_agency_and_the_zones() -> None:
    world = hosting()
    board = json.loads(generated_files(world)["grafana/hosted.json"])
    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == [
        "All hosted systems", "Electronic one-stop system", "Agency: Provincial People's Committee", "Zone: dmz",
        "Zone: server", "Zone: database",
    ]  # fmt: skip
    nameless = replace(world, cloud=replace(world.cloud, agencies={}))
    assert "Agency: vn83-ubnd" in generated_files(nameless)["grafana/hosted.json"]
    assert "grafana/hosted.json" not in generated_files(inventory())


def test_the_page_shows_it(net: Network) -> None:
    html = page(net, f"/systems/{ONESTOP}?lang=en")
    assert "“database db” does not answer." in html
    assert 'id="part-db"' in html
