"""One condition: page, summary, badge, status page, API and metrics show the same one in every situation."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from api.badges import COLOUR_BY_CONDITION
from api.pages.frame.catalogues import load_messages
from telemetry.core.contacts import ContactsNow
from telemetry.core.figures.condition import CONDITIONS_WORST_FIRST
from telemetry.core.fold.live_row_types import ServiceNow, SloNow, SystemNow
from telemetry.core.inventory import DeclaredPeriod
from tests.program.network import NOW, Network, busy, centre_now, local
from tests.program.promises import OPEN, SETTLED, WELL, WORKED, promised, promising

if TYPE_CHECKING:
    from pathlib import Path

MINUTE = 60_000
GONE = NOW - 60 * MINUTE


def waiting(minutes: int) -> tuple[ServiceNow, ...]:
    return (ServiceNow(service="land", waiting=9, serving=1, oldest=NOW - minutes * MINUTE),)


def broken() -> tuple[Any, ...]:
    gateway, kiosk = centre_now("vn83-a", NOW).devices
    return gateway, msgspec.structs.replace(kiosk, state="down")


SITUATIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "all well": ({}, "operational", "none"),
    "a critical device is down": ({"devices": broken()}, "degraded", "minor"),
    "the centre cannot serve": ({"state": "down", "devices": broken()}, "down", "major"),
    "no data for an hour": ({"last_data": GONE}, "unknown", "minor"),
    "someone waits for twenty minutes": ({"services": waiting(20)}, "busy", "none"),
    "someone waits for an hour": ({"services": waiting(60)}, "overloaded", "minor"),
    "a budget is exhausted": ({"exhausted": True}, "below_target", "minor"),
    "closed, with an exhausted budget": ({"exhausted": True, "at_night": True}, "closed", "minor"),
    "closed": ({"at_night": True}, "closed", "none"),
    "never heard": ({"contacts": {}}, "planned", "none"),
    "planned for tomorrow": ({"from": local(0, day=24)}, "planned", "none"),
    "ended yesterday": ({"to": local(0, day=23)}, "retired", "none"),
}


def place(path: Path, situation: dict[str, Any]) -> Network:
    """Return the network in which An is in this situation and Ba is well."""
    declared = promised()
    period = DeclaredPeriod(situation.get("from"), situation.get("to"))
    centres = {**declared.centres, "vn83-a": replace(declared.centres["vn83-a"], declared_period=period)}
    net = busy(promising(path, replace(declared, centres=centres, coverage_floor=0.0)))
    row = {name: value for name, value in situation.items() if name in {"devices", "state", "last_data", "services"}}
    calm = {"services": (ServiceNow(service="land", waiting=1, serving=1, oldest=NOW - MINUTE),)}
    net.live("vn83-a", centre_now("vn83-a", NOW, **calm | row))
    if situation.get("exhausted"):
        slo = SloNow(slo=OPEN.id, at=NOW, settled_until=SETTLED, scopes=(replace_standing(), WELL))
        net.store.put_live_rows({"slo:open": msgspec.json.encode(slo)})
    if "contacts" in situation:
        contacts = ContactsNow(entity="vn83-a", first=situation["contacts"])
        net.store.put_live_rows({"contacts:vn83-a": msgspec.json.encode(contacts)})
    if situation.get("at_night"):
        now = local(22)
        for ident in ("vn83-a", "vn83-b"):
            net.live(ident, centre_now(ident, now, services=()))
        net.live("vn83-portal", SystemNow(system="vn83-portal", at=now, state="up"))
        net.time[0] = now
    else:
        net.time[0] = NOW + 5_000
    return net


def replace_standing() -> Any:  # noqa: ANN401
    return msgspec.structs.replace(WORKED, readings=())


@pytest.mark.parametrize("name", SITUATIONS)
def test_every_view_shows_the_one_condition(name: str, tmp_path: Path) -> None:
    situation, condition, indicator = SITUATIONS[name]
    net = place(tmp_path, situation)
    words = load_messages()["en"]
    get = net.client.get
    centre = get("/api/v1/centres/vn83-a").json()["data"]
    assert centre["condition"] == condition
    listed = {row["id"]: row for row in get("/api/v1/centres").json()["data"]}
    assert listed["vn83-a"]["condition"] == condition
    assert listed["vn83-a"]["reasons"] == centre["reasons"]
    assert bool(centre["reasons"]) == (condition not in {"operational", "closed"} or bool(situation.get("exhausted")))
    status = get("/api/v1/status").json()["data"]
    assert status["centres"][condition] >= 1
    assert status["indicator"] == indicator == get("/status/summary.json").json()["status"]["indicator"]
    page = get("/centres/vn83-a?lang=en").text
    assert f'mood-{condition}"' in page
    assert f"tag-{condition}" in page
    province = get("/?lang=en").text
    assert f'mood-{status["condition"]}"' in province
    assert f'tile c-{condition} main"' in province or f'tile c-{condition}"' in province
    assert words[f"cond_{condition}"] in province
    centre_list = get("/centres?lang=en&q=vn83-a").text
    assert f"tag-{condition}" in centre_list
    badge = get("/badges/centre/vn83-a.svg?lang=en").text
    assert words[f"cond_{condition}"] in badge
    if "no data" not in badge:
        assert COLOUR_BY_CONDITION[condition] in badge  # type: ignore[index]
    assert f'motcua_centre_state{{centre="vn83-a",state="{condition}"}} 1.0' in get("/metrics").text
    if centre["reasons"]:
        reason = centre["reasons"][0]["code"]
        first_words = words[f"reason_{reason}"].split("{")[0]
        assert first_words in page
        assert first_words in centre_list


def test_nothing_says_all_is_well_beside_an_exhausted_objective(tmp_path: Path) -> None:
    net = place(tmp_path, {"exhausted": True, "at_night": True})
    status = net.client.get("/api/v1/status").json()["data"]
    assert status["objectives"]["exhausted"] == 1
    assert net.client.get("/status/summary.json").json()["status"]["description"] != "All Systems Operational"
    assert load_messages()["en"]["p_objectives_exhausted_one"].format(n=1) in net.client.get("/?lang=en").text


def test_a_device_that_is_not_in_service_is_shown_as_planned_and_counted_nowhere(tmp_path: Path) -> None:
    net = place(tmp_path, {"contacts": {"vn83-a-gateway1": local(7)}})
    centre = net.client.get("/api/v1/centres/vn83-a").json()["data"]
    assert (centre["devices"]["total"], centre["in_service_from"]) == (1, "2026-11-23T07:00:00+07:00")
    device = net.client.get("/api/v1/devices/vn83-a-kiosk1").json()["data"]
    assert (device["phase"], device["in_service_from"], device["in_service_to"]) == ("awaiting", None, None)
    assert load_messages()["en"]["cond_planned"] in net.client.get("/centres/vn83-a?lang=en").text
    metrics = net.client.get("/metrics/devices?centre=vn83-a").text
    assert 'device="vn83-a-kiosk1"' not in metrics


def test_every_condition_has_its_words_colour_and_symbol() -> None:
    from api.pages.frame.render import STATE_ICONS

    for messages in load_messages().values():
        assert {f"cond_{condition}" for condition in CONDITIONS_WORST_FIRST} <= set(messages)
    assert set(COLOUR_BY_CONDITION) == set(CONDITIONS_WORST_FIRST) <= set(STATE_ICONS)
