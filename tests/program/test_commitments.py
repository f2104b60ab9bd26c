"""Commitments beside the figures of their own unit or agency, in the API and on the page."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from telemetry.core.inventory import AdministrativeUnit, Commitment, IndexFigure
from tests.program.network import MIDNIGHT, Network, busy, inventory, network, waits

if TYPE_CHECKING:
    from collections.abc import Iterator

DAY = 86_400_000
OCTOBER, NOVEMBER = MIDNIGHT - 53 * DAY, MIDNIGHT - DAY
ENDS = date(2026, 12, 31)


def commitment(unit: str, agency: str, indicator: str, value: float, by: date = ENDS) -> Commitment:
    return Commitment(unit, agency, indicator, "", by, value, date(2026, 1, 5), "Bản cam kết")


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    declared = inventory()
    units = {
        code: AdministrativeUnit(code, level, parent, f"Đơn vị {code}", date(2020, 1, 1))  # type: ignore[arg-type]
        for code, level, parent in (("83", "province", ""), ("829", "district", "83"), ("28756", "commune", "829"))
    }
    owners = {"vn83-a": ("28756", "UBND xã"), "vn83-b": ("83", "Văn phòng")}
    centres = {
        ident: replace(one, unit=owners.get(ident, ("", ""))[0], owner_agency=owners.get(ident, ("", ""))[1])
        for ident, one in declared.centres.items()
    }
    services = {
        k: replace(s, owner_agency="Sở Tài nguyên" if k == "land" else "") for k, s in declared.services.items()
    }
    commitments = (
        commitment("829", "", "DG-17", 0.5),
        commitment("", "Văn phòng", "DG-17", 0.5),
        commitment("", "Sở Tài nguyên", "Q-04b", 100),
        commitment("829", "", "DG-09", 0.5),
        commitment("83", "", "X-01", 20, date(2025, 12, 31)),
    )
    indices = (IndexFigure("X-01", 2024, 30, 30, 63, "báo"),)
    world = replace(declared, units=units, centres=centres, services=services, commitments=commitments, indices=indices)
    found = busy(network(tmp_path_factory.mktemp("commitments"), world))
    for day, online, direct in ((OCTOBER, 2, 8), (NOVEMBER, 4, 6)):
        found.total("administration:vn83-a:commune", "1d", day, {"received_online": online, "received_direct": direct})
    found.total("administration:vn83-b:province", "1d", NOVEMBER, {"received_online": 9, "received_direct": 1})
    found.total("desk:vn83-a:land", "1d", NOVEMBER, waits(60, 120))
    found.total("desk:vn83-b:tax", "1d", NOVEMBER, waits(900))
    yield found
    found.store.close()


def rows(net: Network) -> list[dict[str, Any]]:
    answer = net.client.get("/api/v1/kpis/commitments")
    assert answer.status_code == 200, answer.text
    return list(answer.json()["data"])


def test_a_commitment_is_measured_by_the_figures_of_its_own_unit_or_agency(net: Network) -> None:
    unit, agency, services, silent, rank = rows(net)
    assert (unit["committer"], unit["measured"], unit["month"]["numerator"], unit["month"]["denominator"]) == (
        "Đơn vị 829", 0.4, 4, 10,
    )  # fmt: skip
    assert (unit["status"], unit["gap_points"]) == ("on_track", -10)
    assert (agency["measured"], agency["status"]) == (0.9, "fulfilled")
    assert (services["measured"], services["month"]["denominator"], services["status"]) == (90, 2, "fulfilled")
    assert (silent["measured"], silent["status"], silent["month"]) == (None, "no_source", None)
    assert (rank["measured"], rank["status"], rank["gap"]) == (30, "missed", 10)


def test_the_page_shows_who_promised_what_and_where_it_stands(net: Network) -> None:
    page = net.client.get("/kpis/commitments", headers={"accept-language": "vi"}).text
    for text in (
        "Đơn vị 829",
        "Sở Tài nguyên",
        "4 / 10",
        "Đúng tiến độ",
        "Đã hoàn thành",
        "Chưa có nguồn",
        "Không đạt",
    ):
        assert text in page.replace("\xa0", " ")
    assert "/kpis/commitments" in net.client.get("/kpis").text
