"""The page and the API of a hosted system: the path of a request, each component's state, and why it fails."""

from __future__ import annotations

import re
from dataclasses import replace
from html import unescape
from typing import TYPE_CHECKING

import pytest

from telemetry.core.cloud.values import Flow
from telemetry.core.fold.live_row_types import DatabaseNow, SystemNow
from tests.cloud_examples import (
    ONESTOP,
    base_components,
    base_declaration,
    component_end,
    hosted_system,
    with_system,
)
from tests.hosted_network import CLOSED_PATHS, INSIDE, hosting, observe, probe, report_figures
from tests.program.network import NOW, Network, network
from tests.program.test_pages import Outline, page

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from telemetry.core.fold.live_row_types import AvailabilityState

DB, APP, WEB = (f"{ONESTOP}--{part}" for part in ("db", "app", "web"))


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    built = network(tmp_path_factory.mktemp("hosted"), hosting())
    yield built
    built.store.close()


def seen_path(html: str) -> str:
    part = html.split('id="live-path"')[1].split("</section>", maxsplit=1)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())


def facts(net: Network, ident: str = ONESTOP) -> dict[str, object]:
    answer: dict[str, object] = net.client.get(f"/api/v1/systems/{ident}").json()["data"]["hosted"]
    return answer


def look(net: Network, **states: str) -> tuple[str, object]:
    observe(net, **states)  # type: ignore[arg-type]
    return seen_path(page(net, f"/systems/{ONESTOP}?lang=en")), facts(net)["cause"]


def test_a_dead_database_is_the_cause_that_the_page_and_the_api_name(net: Network) -> None:
    path, cause = look(net, db="down", app="down", web="down", onestop="down")
    assert cause == {"kind": "component", "system": DB, "victims": [ONESTOP, APP, WEB]}
    assert "The cause: “database db” does not answer." in path
    assert "It takes down: application app, web server web." in path
    vi = seen_path(page(net, f"/systems/{ONESTOP}?lang=vi"))
    assert "Nguyên nhân: “cơ sở dữ liệu db” không trả lời." in vi
    states = {row["id"]: row["state"] for row in facts(net)["components"]}  # type: ignore[attr-defined]
    assert states == {"web": "down", "app": "down", "db": "down"}


def test_a_dead_database_of_another_system_is_the_cause_too(tmp_path: Path) -> None:
    base, front = base_declaration(), "vn83-portal"
    web = replace(base_components(front)[0], zone="server")
    call = Flow(component_end(front, "web"), component_end(ONESTOP, "app"), 8081, "dossiers")
    cloud = replace(
        with_system(base, hosted_system(front)), components=(*base.components, web), flows=(*base.flows, call)
    )
    other = network(tmp_path, hosting(cloud=cloud))
    observe(other, db="down", app="down", web="down", onestop="down")
    other.live(f"{front}--web", SystemNow(system=f"{front}--web", at=NOW, state="down", vantage=()))
    other.live(front, SystemNow(system=front, at=NOW, state="down", vantage=()))
    cause = facts(other, front)["cause"]
    other.store.close()
    assert cause == {"kind": "component", "system": DB, "victims": [ONESTOP, APP, WEB, front, f"{front}--web"]}


def test_a_request_passes_web_application_and_database_in_this_order(net: Network) -> None:
    path, cause = look(net)
    assert cause is None
    assert re.findall(r"Step \d . Up (\w+)", path) == ["web", "app", "db"]
    assert facts(net)["path"] == [["web"], ["app"], ["db"]]
    assert facts(net)["peers"] == [
        {"id": f"{ONESTOP}--to-ngsp", "name_vi": "Hệ thống một cửa điện tử: bên ngoài ngsp",
         "name_en": "Electronic one-stop system: peer ngsp", "state": "unknown"}
    ]  # fmt: skip


def test_down_outside_and_up_inside_is_the_network(net: Network) -> None:
    path, cause = look(net, onestop="down")
    assert cause == {"kind": "network", "system": ONESTOP, "victims": []}
    assert "the fault is in the network between, not in the system" in path


def test_silence_inside_is_unknown_and_no_cause(net: Network) -> None:
    path, cause = look(net, onestop="down", web="unknown", app="unknown", db="unknown")
    assert cause == {"kind": "unseen", "system": ONESTOP, "victims": []}
    assert "It is not known whether it answers inside the cloud." in path


def test_a_failed_component_is_named_while_the_system_answers(net: Network) -> None:
    path, cause = look(net, db="down")
    assert cause == {"kind": "component", "system": DB, "victims": []}
    assert "“database db” does not answer." in path


@pytest.mark.parametrize(
    ("seen", "target", "state", "word"),
    [("up", "up", "closed", "Closed"), ("down", "up", "open", "Open"), ("up", "down", "unknown", "Unknown")],
)
def test_a_path_from_the_dmz_to_the_database_is_closed_open_or_unknown(
    net: Network, seen: str, target: str, state: str, word: str
) -> None:
    path, _ = look(net, path=seen, db=target)
    rows = {row["id"]: row["state"] for row in facts(net)["closed_paths"]}  # type: ignore[attr-defined]
    assert rows == {**dict.fromkeys(CLOSED_PATHS, "unknown"), f"{ONESTOP}--dmz-to-db": state}
    assert re.search(rf"{word} Electronic one-stop system: DMZ must not reach db", path)


def test_a_way_out_of_the_zone_manage_is_closed_only_while_the_party_answers_those_who_may_call_it(
    net: Network,
) -> None:
    way_out, party = f"{ONESTOP}--manage-out-ngsp", f"{ONESTOP}--to-ngsp"
    cases: tuple[tuple[AvailabilityState, str], ...] = (("down", "unknown"), ("up", "closed"))
    for seen, state in cases:
        observe(net)
        probe(net, way_out, "up", INSIDE)
        probe(net, party, seen, "vn83-cloud-server1")
        rows = {row["id"]: row["state"] for row in facts(net)["closed_paths"]}  # type: ignore[attr-defined]
        assert rows[way_out] == state


def test_parts_are_in_no_list_and_have_a_page_of_their_own(net: Network) -> None:
    assert [row["id"] for row in net.client.get("/api/v1/systems").json()["data"]] == [ONESTOP, "vn83-portal"]
    assert DB not in page(net, "/systems?lang=en")
    own = page(net, f"/systems/{DB}?lang=en")
    assert f'href="/systems/{ONESTOP}"' in own
    assert "Inside the cloud" in own
    assert facts(net, DB) is None
    assert facts(net, "vn83-portal") is None


def test_systems_are_listed_by_the_agency_that_owns_them_with_their_level(net: Network) -> None:
    def listed(query: str) -> list[tuple[str, int]]:
        rows = net.client.get(f"/api/v1/systems{query}").json()["data"]
        return [(row["id"], row["level"]) for row in rows]

    assert listed("?agency=vn83-ubnd") == [(ONESTOP, 3)]
    assert listed("?agency=vn83-dit") == []
    assert listed("") == [(ONESTOP, 3), ("vn83-portal", 0)]
    html = page(net, "/systems?agency=vn83-ubnd&lang=en")
    assert ("system-vn83-onestop" in html, "system-vn83-portal" in html) == (True, False)
    assert '<option value="vn83-ubnd" selected>Provincial People\'s Committee' in unescape(html)


@pytest.mark.parametrize("lang", ["vi", "en"])
@pytest.mark.parametrize("ident", [ONESTOP, DB])
def test_the_page_is_sound_html(net: Network, ident: str, lang: str) -> None:
    outline = Outline(page(net, f"/systems/{ident}?lang={lang}"))
    assert (outline.inline, len(outline.ids)) == ([], len(set(outline.ids)))


def test_the_vantage_point_inside_is_found_in_no_list_of_devices(net: Network) -> None:
    assert net.client.get("/devices/vn83-cloud-manage1").status_code == 404
    assert "vn83-cloud-manage1" not in page(net, "/devices?lang=en") + page(net, "/search?q=cloud&lang=en")
    assert net.client.get("/data-quality").status_code == 200


def test_the_monthly_report_lists_systems_and_not_their_components(net: Network) -> None:
    report = net.client.get("/api/v1/reports/2026-11").json()["data"]["report"]
    assert [system["id"] for system in report["systems"]] == [ONESTOP, "vn83-portal"]


def test_a_components_page_leads_back_to_its_system_by_name(net: Network) -> None:
    html = page(net, f"/systems/{DB}?lang=en")
    assert html.count(f'href="/systems/{ONESTOP}"') == 2, "the way back, and the fact"
    assert f">{ONESTOP}</a>" not in html


def figures_now(net: Network) -> DatabaseNow:
    return DatabaseNow(
        at=net.time[0], every_ms=60_000, instances=2, copy_at=net.time[0] - 30 * 3_600_000, archive_age_ms=40_000,
        archive_waiting=0, disk_bytes=50 << 30,
    )  # fmt: skip


def seen_figures(net: Network, lang: str = "en", ident: str = ONESTOP) -> str:
    html = page(net, f"/systems/{ident}?lang={lang}")
    part = html.split('id="live-figures"')[1].split("</section>", maxsplit=1)[0]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", part)).split())


def answered_figures(net: Network) -> tuple[dict[str, str], str | None]:
    database = next(c for c in facts(net)["components"] if c["id"] == "db")  # type: ignore[attr-defined]
    return {one["id"]: one["state"] for one in database["figures"]}, database["figures_at"]


def test_a_databases_own_figures_stand_with_their_limits_and_the_cause_of_what_is_beyond(net: Network) -> None:
    observe(net)
    report_figures(net, figures_now(net))
    states, at = answered_figures(net)
    assert states == {"copy": "bad", "archive": "good", "instances": "bad", "lag": "unknown", "disk": "good"}
    assert at is not None
    text = seen_figures(net)
    assert "Beyond the limit The last scheduled copy is missing or failed." in text
    assert "30 h 0 min at most 26 h 0 min" in text
    assert "An instance is missing or does not answer." in text
    assert "25% at most 80%" in text
    assert "tối thiểu 3" in seen_figures(net, "vi")


def test_a_databases_own_page_shows_its_figures_and_other_components_have_none(net: Network) -> None:
    observe(net)
    report_figures(net, figures_now(net))
    assert "25% at most 80%" in seen_figures(net, ident=DB)
    assert "Each database gives them itself." in seen_figures(net, ident=DB)
    assert 'id="live-figures"' not in page(net, f"/systems/{APP}?lang=en")


def test_a_database_whose_figures_were_never_read_says_why(net: Network) -> None:
    observe(net)
    assert "No figures were received yet." in seen_figures(net, ident=DB)
    assert "trên OpenStack" in seen_figures(net, "vi")


def test_figures_that_are_too_old_or_were_never_read_are_unknown(net: Network) -> None:
    observe(net)
    report_figures(net, DatabaseNow(at=net.time[0] - 150_001, every_ms=60_000, instances=3, lag_ms=1))
    assert set(answered_figures(net)[0].values()) == {"unknown"}
    report_figures(net, None)
    assert answered_figures(net) == (dict.fromkeys(("copy", "archive", "instances", "lag", "disk"), "unknown"), None)
    assert "Good" not in seen_figures(net)
    report_figures(net, DatabaseNow(at=net.time[0], every_ms=60_000, instances=3, copy_at=0))
    assert "never at most 26 h 0 min" in seen_figures(net)


def test_metrics_have_what_is_known_of_a_database_and_the_state_of_each_figure(net: Network) -> None:
    observe(net)
    report_figures(net, figures_now(net))
    shown = net.client.get("/metrics").text
    labels = f'component="db",{{}}system="{ONESTOP}"'
    assert f"motcua_hosted_database_instances{{{labels.format('')}}} 2.0" in shown
    assert f"motcua_hosted_database_copy_age_seconds{{{labels.format('')}}} 1080" in shown
    assert f"motcua_hosted_database_disk_used_ratio{{{labels.format('')}}} 0.25" in shown
    assert "motcua_hosted_database_lag_seconds{" not in shown
    state = 'component="db",figure="copy",state="{}",system="vn83-onestop"'
    assert f"motcua_hosted_database_figure_state{{{state.format('bad')}}} 1.0" in shown
    assert f"motcua_hosted_database_figure_state{{{state.format('good')}}} 0.0" in shown
