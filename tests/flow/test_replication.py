"""Roll-ups on their way from provinces to a national InfluxDB: all arrive, outages lose nothing, figures agree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import pytest

from telemetry.errors import StoreUnavailable
from tests.flow.provinces import NATIONAL, START, WIDTHS, Nation, Province
from tests.servers import InfluxServer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.flow.conftest import House

pytestmark = pytest.mark.flow


@pytest.fixture
def nation(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nation]:
    server = InfluxServer(influxd_program, tmp_path_factory.mktemp("upper")).start()
    found = Nation(server)
    found.provision()
    yield found
    server.end()


@pytest.fixture
def lower(influxd_program: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxServer]:
    server = InfluxServer(influxd_program, tmp_path_factory.mktemp("lower")).start()
    yield server
    server.end()


def _province(name: str, lower: InfluxServer, nation: Nation) -> Iterator[Province]:
    one = Province(name, lower, nation, f"org-{name}")
    one.provision()
    yield one
    one.close()


@pytest.fixture
def one(lower: InfluxServer, nation: Nation) -> Iterator[Province]:
    """A province in an organisation of its own, whose stream has not begun."""
    yield from _province("vn83", lower, nation)


@pytest.fixture
def two(lower: InfluxServer, nation: Nation) -> Iterator[Province]:
    """Another one on the same server."""
    yield from _province("vn84", lower, nation)


@pytest.fixture
def provinces(one: Province, two: Province) -> tuple[Province, Province]:
    """Both, streaming into the same national buckets."""
    one.stream()
    two.stream()
    return one, two


def test_two_provinces_arrive_in_one_set_of_buckets_and_answer_as_at_home(
    provinces: tuple[Province, Province],
) -> None:
    one, two = provinces
    one.work(range(30))
    two.work(range(0, 20, 2), ok=False)
    one.work(range(30, 40))
    for province in provinces:
        province.arrived()
        assert province.answers(copy=True) == province.answers(copy=False)
    shared = [
        p.answers(copy=True)[f"/api/v1/availability?scope=system:{NATIONAL}&{_DAY}&bucket=total"] for p in provinces
    ]
    (up,), (down,) = (answer["data"] for answer in shared)  # type: ignore[index]
    assert (up["seconds"]["down"], down["seconds"]["up"]) == (0, 0)
    assert up["seconds"]["up"] > 0 < down["seconds"]["down"]
    assert one.figures(copy=True)["dead"] == {"reason-vn83": 40}
    assert two.figures(copy=True)["dead"] == {"reason-vn84": 10}


_DAY = "from=2026-11-23T07:00:00%2B07:00&to=2026-11-23T13:00:00%2B07:00"


def test_the_national_api_runs_with_a_token_that_only_reads_totals(
    provinces: tuple[Province, Province], house: House
) -> None:
    one, two = provinces
    for province in provinces:
        province.work(range(5))
        province.arrived()
    house.store_url = one.url(copy=True)
    house._env["MOTCUA_STORE_TOKEN"] = one.nation.reader
    root = house.serve_api().removesuffix("/api/v1")
    ready = httpx.get(root + "/readyz", timeout=60)  # no rollup runs in this test
    assert (ready.status_code, ready.json()["code"]) == (503, "not-ready")
    for path in ("/metrics", "/", "/api/v1/status", "/api/v1/completeness"):
        answer = httpx.get(root + path, timeout=60)
        assert answer.status_code == 200, answer.text
        assert two.name not in answer.text
    assert one.name in httpx.get(root + "/api/v1/completeness").text


def test_nothing_is_lost_while_the_national_server_is_away_and_the_own_one_is_killed(
    provinces: tuple[Province, Province], nation: Nation
) -> None:
    one, two = provinces
    for province in provinces:
        province.work(range(10))
        province.arrived()
    before = one.figures(copy=True)
    nation.server.kill()
    for province in provinces:
        province.work(range(10, 60))
    one.lower.kill()
    one.lower.start()
    one.work(range(60, 90))
    with pytest.raises(StoreUnavailable):
        one.figures(copy=True)
    nation.server.start()
    for province in provinces:
        # A stream is tried when something is written to it; after a restart of its own server only then.
        province.work(range(90, 95))
        province.arrived()
        assert province.answers(copy=True) == province.answers(copy=False)
    assert one.figures(copy=True) != before
    assert len(one.figures(copy=True)["totals"]) > len(two.figures(copy=True)["totals"])  # type: ignore[arg-type]


def test_what_was_stored_before_the_stream_began_is_sent_by_writing_it_once_more(one: Province) -> None:
    one.work(range(20))
    one.stream()
    one.work(range(120, 130))
    first = one.totals(one.store())[0]
    assert first not in one.totals(one.store(copy=True))
    for width in WIDTHS:
        _write_again(one.lower, one.org, f"own-{width}")
    one.arrived()
    assert first in one.totals(one.store(copy=True))


def _write_again(server: InfluxServer, org: str, bucket: str) -> None:
    """Write a bucket's points over themselves, so that every stream of it sends them."""
    flux = f'from(bucket: "{bucket}") |> range(start: 1970-01-01T00:00:00Z) |> to(bucket: "{bucket}")'
    headers = {"Authorization": f"Token {server.token}", "Content-Type": "application/vnd.flux"}
    answer = httpx.post(f"{server.url}/api/v2/query?org={org}", content=flux, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text


def test_a_store_of_before_the_provinces_tag_goes_on_with_it(one: Province) -> None:
    province = one
    province.work(range(30), tagged=False)
    untagged = province.store(tagged=False)
    before = province.totals(untagged), untagged.live_rows(), untagged.dead_letter_counts(), untagged.row_ranges()
    tagged = province.store()
    assert (province.totals(tagged), tagged.live_rows(), tagged.dead_letter_counts(), tagged.row_ranges()) == before
    assert (tagged.cursor(), tagged.checkpoint("live")) == (untagged.cursor(), untagged.checkpoint("live"))
    province.work(range(15, 60, 2))
    after = province.totals(tagged)
    assert len(after) > len(before[0])
    assert len({(t.scope, t.width, t.start) for t in after}) == len(after)
    versions = {row.entity: row.version for row in before[1] if not row.entity.startswith("contacts:")}
    assert versions
    assert all(row.version > versions[row.entity] for row in tagged.live_rows() if row.entity in versions)
    assert tagged.dead_letter_counts() == {"reason-vn83": 53}
    (ranges,) = tagged.row_ranges()
    assert ranges.stored == ((1, 53 * 5),)
    assert tagged.cursor() > untagged.cursor() > START
    tagged.set_cursor(0)
    assert (tagged.cursor(), untagged.cursor() > 0) == (0, True)
