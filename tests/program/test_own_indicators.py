"""A row that the inventory adds is on the page, in the API and in Prometheus, with its target; no program changes."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from telemetry.inventory import default_path, load
from tests.program.network import MIDNIGHT, Network, busy, inventory, network

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY = 86_400_000
ROW = """
[[indicator]]
id = "BT-01"
name_vi = "Hồ sơ nộp qua bưu chính công ích"
name_en = "Dossiers by public post"
strand = "procedures"
owner = "Sở Nội vụ"
numerator = ["received_post"]
denominator = ["received_post", "received_direct"]

[[indicator]]
id = "BT-02"
name_vi = "Con dấu điện tử lỗi"
name_en = "Failed seals"
strand = "modernisation"
owner = "Sở Thông tin và Truyền thông"
numerator = ["seal_failed"]
direction = "down"

[[target]]
id = "BT-01"
name_vi = "Bưu chính"
name_en = "Post"
value = 0.5
unit = "ratio"
by = 2026-12-31
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    folder: Path = tmp_path_factory.mktemp("own")
    shutil.copytree(default_path(), folder / "inventory")
    with (folder / "inventory" / "targets.toml").open("a", encoding="utf-8") as targets:
        targets.write(ROW)
    written = load(folder / "inventory")
    declared = replace(inventory(), own_indicators=written.own_indicators, targets=written.targets)
    found = busy(network(folder, declared))
    found.total("administration:vn83-a:commune", "1d", MIDNIGHT - DAY, {"received_post": 2, "received_direct": 6})
    yield found
    found.store.close()


def test_a_row_of_the_inventory_is_on_page_api_and_prometheus(net: Network) -> None:
    rows = {row["id"]: row for row in net.client.get("/api/v1/kpis", params={"limit": 500}).json()["data"]}
    own, silent = rows["BT-01"], rows["BT-02"]
    assert (own["numerator"], own["denominator"], own["value"]) == (2, 8, 0.25)
    assert (own["owner"], own["strand"], own["source"]) == ("Sở Nội vụ", "procedures", "events")
    assert own["by_level"]["commune"]["value"] == own["trajectories"][0]["measured"] == 0.25
    assert (silent["state"], silent["value"]) == ("no_source", None)
    (bucket,) = net.client.get("/api/v1/kpis/BT-01/values").json()["data"]
    assert bucket["value"] == 0.25
    text = net.client.get("/metrics/kpis").text
    assert 'motcua_kpi_value{kpi="BT-01",level="all"} 0.25' in text
    assert 'motcua_kpi_target{kpi="BT-01",level="all"} 0.5' in text
    assert "BT-02" not in text
    page = net.client.get("/kpis", headers={"accept-language": "vi"}).text
    line = page[page.index('<tr id="BT-01"') :].split("</tr>")[0]
    assert "Hồ sơ nộp qua bưu chính công ích" in line
    assert "2 / 8" in line.replace("\xa0", " ")
    assert "tag-no_source" in page[page.index('<tr id="BT-02"') :].split("</tr>")[0]
