"""Every panel of the dashboard over InfluxDB asked of a real one: each answers, with the API's own figures.

Two days of a hall and a system as rollup folds them; queries are those of the rendered JSON, filled as Grafana does.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from dashboards.files import provisioned_files
from telemetry.core.calendar.windows import DAY, Window
from tests.contract.test_influx_charts import FIRST, HALL, PORTAL, Charted
from tests.dashboard_panels import targets_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.core.calendar.windows import BucketWidth
    from tests.servers import InfluxServer

DAYS = Window(FIRST.start, FIRST.start + 2 * DAY)
Rows = list[dict[str, str]]


def utc_text(t: int) -> str:
    return datetime.fromtimestamp(t / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture(scope="module")
def charted(influx: InfluxServer) -> Iterator[Charted]:
    made = Charted(influx, "dashboard")
    yield made
    made.store.close()


@pytest.fixture(scope="module")
def answers(charted: Charted, influx: InfluxServer) -> dict[str, Rows]:
    """Return each panel's rows; Grafana replaces the time range and the data source's default bucket in the text."""
    files = provisioned_files(charted.world)
    values = {
        "v.timeRangeStart": utc_text(DAYS.start),
        "v.timeRangeStop": utc_text(DAYS.end),
        "v.defaultBucket": f'"{charted.bucket}"',
    }
    found = dict[str, Rows]()
    for target in targets_of(files, "query"):
        query = target.query
        for name, value in values.items():
            query = query.replace(name, value)
        found[target.panel] = influx.flux(query)
    return found


def test_every_panel_has_an_answer(answers: dict[str, Rows]) -> None:
    assert len(answers) == 10
    assert [panel for panel, rows in answers.items() if not rows] == []


def test_centres_can_be_chosen_as_the_variable_asks(charted: Charted, influx: InfluxServer) -> None:
    query = 'import "influxdata/influxdb/schema"\nschema.tagValues(bucket: "{}" + "-1d", tag: "centre")'
    assert [row["_value"] for row in influx.flux(query.format(charted.bucket))] == [HALL]


@pytest.mark.parametrize(("panel", "width"), [("Tickets by day", "1d"), ("Tickets by hour", "1h")])
def test_tickets_are_those_of_the_api(
    charted: Charted, answers: dict[str, Rows], panel: str, width: BucketWidth
) -> None:
    rows = charted.queries.queue_history(HALL, None, DAYS, width, "centre").rows
    names = ("issued", "called", "served", "abandoned", "no_show")
    expected = [tuple(getattr(row.figures, name) for name in names) for row in rows]
    shown = [tuple(int(row.get(name) or 0) for name in names) for row in answers[panel]]
    assert [counts for counts in shown if any(counts)] == [counts for counts in expected if any(counts)]
    assert sum(counts[0] for counts in shown) == 80


def test_waits_by_day_are_those_of_the_api(charted: Charted, answers: dict[str, Rows]) -> None:
    days = charted.queries.queue_history(HALL, None, DAYS, "1d", "centre").rows
    waits = [row.figures.wait for row in days]
    assert [float(row["mean"]) for row in answers["Mean wait by day"]] == pytest.approx([w.mean_s for w in waits])
    shares = [w.within_threshold(900).count / w.count for w in waits]
    assert [float(row["within"]) for row in answers["Waits within 15 minutes, by day"]] == pytest.approx(shares)


def test_availability_and_coverage_by_day_are_those_of_the_api(charted: Charted, answers: dict[str, Rows]) -> None:
    for number in range(2):
        day = Window(FIRST.start + number * DAY, FIRST.start + (number + 1) * DAY)
        result = charted.queries.availability(f"centre:{HALL}", day)
        shown = float(answers["Availability by day"][number]["availability"])
        assert shown == pytest.approx(result.ratio_of(result.overall).value)
        assert float(answers["Coverage by day"][number]["coverage"]) == pytest.approx(result.overall.coverage)


def test_availability_and_coverage_by_centre_are_those_of_the_api(charted: Charted, answers: dict[str, Rows]) -> None:
    result = charted.queries.availability(f"centre:{HALL}", DAYS)
    (available,), (covered,) = answers["Availability by centre"], answers["Coverage by centre"]
    assert (available["centre"], covered["centre"]) == (HALL, HALL)
    assert float(available["availability"]) == pytest.approx(result.ratio_of(result.overall).value)
    assert float(covered["coverage"]) == pytest.approx(result.overall.coverage)
    assert 0 < float(covered["coverage"]) < 1


def test_probes_of_a_system_are_those_that_were_sent(charted: Charted, answers: dict[str, Rows]) -> None:
    (share,) = answers["Probes that succeeded, by system"]
    assert share["system"] == PORTAL
    assert float(share["succeeded"]) == pytest.approx(77 / 96)
    (latency,) = answers["Mean latency of successful probes, by system"]
    sums = charted.sums("system", "1h", "latency_sum_ms", "latency_count")
    assert float(latency["latency"]) == pytest.approx(sums["latency_sum_ms"] / sums["latency_count"])
