"""Chart points as numeric fields, which Flux, InfluxQL and Grafana read directly; it must not read totals.

InfluxDB merges the fields of a point, so what has vanished is written as zero.  What is stored is read from the server,
or known from the last write of the same hour or day: rollup, the only writer, writes the running ones again and again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from telemetry.core.calendar.windows import HOUR
from telemetry.store.influx import influxql
from telemetry.store.influx.line_protocol import NS_IN_MS, escape_tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth, Window
    from telemetry.core.figures.chart_points import EntityChart
    from telemetry.store.influx.server import InfluxSeries, InfluxServer

BodiesBySeries = dict[bytes, bytes]
"""The fields of the points of one time, as in line protocol and by name, by measurement and tags."""
_FieldRow: type[Any] = list[int | None]
_REMEMBERED_STARTS = 2
"""Newest hours, and days, of an entity whose points are remembered: about 5 kB each."""


class ChartWriter:
    """Finds what must be written so that the stored points of an entity become those of a chart."""

    def __init__(self, server: InfluxServer) -> None:
        self._server = server
        self._known: dict[tuple[str, str], dict[int, BodiesBySeries]] = {}

    def changed_lines(self, bucket: str, chart: EntityChart, width: BucketWidth, window: Window) -> dict[str, bytes]:
        """Return the lines to write, by a name for messages, and forget what the window's points were."""
        starts = _starts(width, window)
        known = self._known.pop((bucket, chart.entity), {})
        if starts is None or not all(start in known for start in starts):
            known = self._read(bucket, chart, window)
        wanted = _bodies_by_start(chart)
        lines: dict[str, bytes] = {}
        for start in {**wanted, **{s: b for s, b in known.items() if window.start <= s < window.end}}:
            present, bodies = known.get(start, {}), wanted.get(start, {})
            for series in {**present, **bodies}:
                body = _with_zeros(bodies.get(series, b""), present.get(series, b""))
                if body != present.get(series):
                    lines[f"{series.decode()} {start}"] = b"%b %b %d" % (series, body, start * NS_IN_MS)
        return lines

    def remember(self, bucket: str, chart: EntityChart, width: BucketWidth, window: Window) -> None:
        """Take the points of a chart as stored: they were written."""
        starts = _starts(width, window)
        if starts:
            wanted = _bodies_by_start(chart)
            newest = {start: wanted.get(start, {}) for start in starts[-_REMEMBERED_STARTS:]}
            self._known[bucket, chart.entity] = newest

    def _read(self, bucket: str, chart: EntityChart, window: Window) -> dict[int, BodiesBySeries]:
        answers = self._server.query(bucket, _FieldRow, *_stored_points_queries(chart, window))
        return _stored_bodies(series for answer in answers for series in answer)


def _starts(width: BucketWidth, window: Window) -> Sequence[int] | None:
    """Return the starts of the buckets in the window; None of several days, which depend on a zone."""
    if width == "1h":
        return range(window.start, window.end, HOUR)
    return [window.start] if window.length == 1 else None


def _stored_points_queries(chart: EntityChart, window: Window) -> list[str]:
    """Return the queries for an entity's stored points, one for each measurement."""
    of_entity = " AND ".join(
        (
            f"{chart.entity_tag} = {influxql.quote_string(chart.entity)}",
            f"{influxql.PROVINCE_TAG} = {influxql.quote_string(chart.province)}",
            influxql.time_condition(window),
        )
    )
    return [f"SELECT *::field FROM {kind} WHERE {of_entity} GROUP BY *" for kind in chart.kinds]  # noqa: S608


def _stored_bodies(answer: Iterable[InfluxSeries[list[int | None]]]) -> dict[int, BodiesBySeries]:
    bodies: dict[int, BodiesBySeries] = {}
    for series in answer:
        name = _series_text(series.name, [(tag, value) for tag, value in series.tags.items() if value])
        for time, *values in series.values:
            fields = {n: v for n, v in zip(series.columns[1:], values, strict=True) if v is not None}
            bodies.setdefault((time or 0) // NS_IN_MS, {})[name] = _body(fields)
    return bodies


def _bodies_by_start(chart: EntityChart) -> dict[int, BodiesBySeries]:
    bodies: dict[int, BodiesBySeries] = {}
    for point in chart.points:
        bodies.setdefault(point.start, {})[_series_text(point.kind, point.tags)] = _body(point.fields)
    return bodies


def _series_text(measurement: str, tags: Iterable[tuple[str, str]]) -> bytes:
    return b",".join([measurement.encode(), *(b"%b=%b" % (t.encode(), escape_tag(value)) for t, value in sorted(tags))])


def _body(fields: Mapping[str, int]) -> bytes:
    return ",".join([f"{name}={value}i" for name, value in sorted(fields.items())]).encode()


def _with_zeros(body: bytes, present: bytes) -> bytes:
    """Return a body with zeros for the fields that only the present one has."""
    if body == present or not present:
        return body
    fields = body.split(b",") if body else []
    names = {field.partition(b"=")[0] for field in fields}
    vanished = [name for field in present.split(b",") if (name := field.partition(b"=")[0]) not in names]
    return b",".join(sorted([*fields, *(b"%b=0i" % name for name in vanished)]))
