"""The dashboard of hours and days as InfluxDB stores them, asked in Flux; it must not average ratios.

Fields are those of docs/reference/influxdb.md: integers that may be added. Ratios and means are made after adding, as
the API makes them. A day's point lies at its local midnight, so the day in which the time range begins is left out.
The data source's default bucket is that of MOTCUA_STORE; hours and days are in the buckets beside it.
"""

from __future__ import annotations

from dashboards.panels import Choice, Dashboard, Panel, PanelQuery, Section

_CENTRES_OF_BUCKET = (
    'import "influxdata/influxdb/schema"\nschema.tagValues(bucket: v.defaultBucket + "-1d", tag: "centre")'
)
_CENTRE = Choice("centre", "Centre", _CENTRES_OF_BUCKET, "influxdb")
_TICKETS = ("issued", "called", "served", "abandoned", "no_show")
_OF_CENTRES = "r.centre =~ /^${centre:regex}$/"
_WITHIN_S = 900


def stored_board(time_zone: str) -> Dashboard:
    """Return the dashboard of queues, availability and systems by day and hour, from the store itself."""
    return Dashboard(
        "motcua-stored",
        "Motcua: hours and days in InfluxDB",
        "The API's figures of hours and days, straight from InfluxDB. A store in SQLite has none.",
        (_queues(), _availability(), _systems()),
        (_CENTRE,),
        period="now-28d",
        time_zone=time_zone,
        sources=("influxdb",),
    )


def sums_query(width: str, measurement: str, fields: tuple[str, ...], by: str = "_time", where: str = "") -> str:
    """Return the Flux of the sums of fields, a column each and a row for each value of the column `by`."""
    condition = f" and {where}" if where else ""
    names = " or ".join(f'r._field == "{field}"' for field in fields)
    return (
        f'from(bucket: v.defaultBucket + "-{width}")\n'
        "  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)\n"
        f'  |> filter(fn: (r) => r._measurement == "{measurement}"{condition})\n'
        f"  |> filter(fn: (r) => {names})\n"
        f'  |> group(columns: ["{by}", "_field"])\n'
        "  |> sum()\n"
        "  |> group()\n"
        f'  |> pivot(rowKey: ["{by}"], columnKey: ["_field"], valueColumn: "_value")\n'
        f'  |> sort(columns: ["{by}"])'
    )


def _ratio(over: str, under: str, name: str, by: str = "_time") -> str:
    """Return the Flux that divides two sums, where there is something to divide by."""
    return (
        f"\n  |> filter(fn: (r) => {under} > 0)"
        f"\n  |> map(fn: (r) => ({{{by}: r.{by}, {name}: float(v: {over}) / float(v: {under})}}))"
    )


def _flux(title: str, query: str, description: str = "", *, unit: str = "short", width: int = 12) -> Panel:
    return Panel(title, (PanelQuery(query),), description, unit=unit, width=width, source="influxdb")


def _queues() -> Section:
    waits = sums_query("1d", "desk", ("wait_sum_ms", "wait_count"), where=_OF_CENTRES)
    within = sums_query("1d", "desk", (f"wait_within_{_WITHIN_S}_s", "wait_count"), where=_OF_CENTRES)
    return Section(
        "Queues",
        (
            _flux("Tickets by day", sums_query("1d", "desk", _TICKETS, where=_OF_CENTRES)),
            _flux(
                "Mean wait by day",
                waits + _ratio("r.wait_sum_ms", "(r.wait_count * 1000)", "mean"),
                "Of called tickets, on the day of the call.",
                unit="s",
            ),
            _flux(
                "Waits within 15 minutes, by day",
                within + _ratio(f"r.wait_within_{_WITHIN_S}_s", "r.wait_count", "within"),
                "Share of the waits of called tickets.",
                unit="percentunit",
            ),
            _flux("Tickets by hour", sums_query("1h", "desk", _TICKETS, where=_OF_CENTRES)),
        ),
    )


def _availability() -> Section:
    states = ("open_up_ms", "open_down_ms", "open_unknown_ms")
    by_day = sums_query("1d", "centre", states, where=_OF_CENTRES)
    known = "(r.open_up_ms + r.open_down_ms)"
    everything = "(r.open_up_ms + r.open_down_ms + r.open_unknown_ms)"
    coverage = "Share of opening hours about which is known whether the centre worked; silence is not success."
    by_centre = sums_query("1d", "centre", states, "centre", _OF_CENTRES)
    return Section(
        "Centres in opening hours",
        (
            _flux(
                "Availability by day",
                by_day + _ratio("r.open_up_ms", known, "availability"),
                "Up ÷ (up + down), of the known time of all chosen centres.",
                unit="percentunit",
            ),
            _flux("Coverage by day", by_day + _ratio(known, everything, "coverage"), coverage, unit="percentunit"),
            Panel(
                "Availability by centre",
                (PanelQuery(by_centre + _ratio("r.open_up_ms", known, "availability", "centre")),),
                "Over the whole days of the time range.",
                "table",
                "percentunit",
                12,
                source="influxdb",
            ),
            Panel(
                "Coverage by centre",
                (PanelQuery(by_centre + _ratio(known, everything, "coverage", "centre")),),
                coverage,
                "table",
                "percentunit",
                12,
                source="influxdb",
            ),
        ),
    )


def _systems() -> Section:
    probes = sums_query("1d", "system", ("probes", "probes_ok"), "system")
    latency = sums_query("1d", "system", ("latency_sum_ms", "latency_count"), "system")
    return Section(
        "Digital systems",
        (
            Panel(
                "Probes that succeeded, by system",
                (PanelQuery(probes + _ratio("r.probes_ok", "r.probes", "succeeded", "system")),),
                "Over the whole days of the time range.",
                "table",
                "percentunit",
                12,
                source="influxdb",
            ),
            Panel(
                "Mean latency of successful probes, by system",
                (PanelQuery(latency + _ratio("r.latency_sum_ms", "r.latency_count", "latency", "system")),),
                "Over the whole days of the time range.",
                "table",
                "ms",
                12,
                source="influxdb",
            ),
        ),
    )
