"""Where each number of each page comes from in the API, one line for a table or stat; it must not compute a figure.

`NOT_COMPARED` names what stands elsewhere, with where it is tested, or why the API has no such figure.
"""

from __future__ import annotations

from datetime import date

from tests.cloud_examples import ONESTOP
from tests.page_figures import (
    BURN,
    CENTRE_DAYS,
    CENTRE_DEVICES,
    CENTRE_SLOS,
    CENTRES,
    COMPLETENESS,
    DEVICES,
    FIGURES as DATABASE_FIGURES,
    HALF_HOURS_TODAY,
    HISTORY,
    HISTORY_CHARTS,
    IMPORTED,
    INCIDENTS,
    INDICATORS,
    LATENCY,
    MONTHS,
    NAME,
    OBJECTIVES,
    PROFILE,
    QUEUES,
    REPORT_COVERAGE,
    REPORT_DAYS,
    REPORT_SERVICES,
    REPORT_SYSTEMS,
    REPORT_TICKETS,
    SLO_DAYS,
    SLOS,
    STRIP,
    SYSTEMS,
    UNITS,
    VANTAGE,
    WORDS,
    Column,
    Json,
    StatFigure,
    TableFigures,
    as_it_is,
    clock,
    completeness_by_centre,
    count,
    covered,
    day,
    hours,
    minutes,
    open_counters,
    percent,
    share,
)

CENTRE_NAMES = {"vn83-a": "An desk", "vn83-b": "Ba desk"}
PLACE_NAMES = {**CENTRE_NAMES, "vn83-portal": "Portal", ONESTOP: "Electronic one-stop system"}
FIGURE_NAMES = {
    "copy": "age of the newest whole copy", "archive": "last change archived", "instances": "instances that answer",
    "lag": "lag of the last replica", "disk": "disk in use",
}  # fmt: skip
RULE_NAMES = {"page-fast": "last 60 min and last 5 min", "ticket-day": "last 7.5 h and last 40 min"}
WEEK, TO_SUNDAY, FRIDAY = "from=2026-11-16&to=2026-11-23", "from=2026-11-16&to=2026-11-22", "from=2026-11-20"
LAST_28 = "from=2026-10-27&to=2026-11-24"
TODAY = "from=2026-11-23T00:00:00%2B07:00&to=2026-11-23T10:00:00%2B07:00"
OPEN_A = "/objectives/open?scope=centre:vn83-a"
CENTRE, KIOSK, PORTAL = "/centres/vn83-a", "/devices/vn83-a-kiosk1", "/systems/vn83-portal"
REPORT, QUALITY = "/reports/2026-11", "/data-quality"


def _place(scope: str) -> str:
    kind, _, ident = scope.partition(":")
    if kind == "device":
        word = ident.rpartition("-")[2]
        return f"{word[:-1].capitalize()} {word[-1]}"
    return PLACE_NAMES.get(ident, ident)


def _availability(scope: str, period: str = LAST_28) -> str:
    return f"/api/v1/availability?scope={scope}&bucket=1d&{period}"


BY_DAY, BY_TIME = Column("", "from", day), Column("", "from", clock)
BY_SERVICE = Column("", lambda row: row["service"].capitalize(), as_it_is)
BY_CENTRE = Column("", lambda row: CENTRE_NAMES[row["centre"]], as_it_is)
BY_PLACE = Column("", lambda row: _place(row["scope"]), as_it_is)
BY_VANTAGE = Column("", lambda row: CENTRE_NAMES[row["device"].rpartition("-")[0]], as_it_is)
BY_RULE = Column("", lambda row: RULE_NAMES[row["rule"]], as_it_is)
BY_HALF_HOUR = Column("", lambda row: f"{row['weekday'].capitalize()} {row['time_of_day']}", as_it_is)
BY_TIME_OF_DAY = Column("", lambda row: row["from"][11:16], as_it_is)
BY_MONTH = Column("", lambda row: WORDS.month(date.fromisoformat(row["from"][:10])), as_it_is)
BY_FIGURE = Column("", lambda row: f"{row['component']}: {FIGURE_NAMES[row['id']]}", as_it_is)
BY_REPORTED_DAY = Column("", lambda row: WORDS.plain_date(date.fromisoformat(row["day"])), as_it_is)
BY_INDICATOR = Column("", lambda row: f"{row['id']} {row['name_en']}", as_it_is)
TIMELINE = (Column("to", "to", clock), Column("length_s", "seconds", minutes))


def _history(address: str, api: str) -> tuple[TableFigures, ...]:
    """Return the tables of a page of past days: by day, its charts' tables, and by service."""
    days = f"/api/v1/queues/history?{api}&{WEEK}&bucket=1d&by=level&limit=500"
    services = f"/api/v1/queues/history?{api}&{WEEK}&bucket=total&by=service&limit=500"
    return (
        TableFigures(address, "By day", days, BY_DAY, HISTORY),
        *(TableFigures(address, name, days, BY_DAY, columns) for name, columns in HISTORY_CHARTS.items()),
        TableFigures(address, "By service", services, BY_SERVICE, HISTORY),
    )


def _history_stats(address: str, api: str) -> tuple[StatFigure, ...]:
    total = f"/api/v1/queues/history?{api}&{WEEK}&bucket=total&by=level"
    lost = lambda rows: rows[0]["abandoned"] + rows[0]["no_show"]  # noqa: E731
    return (
        StatFigure(address, "Arrivals", total, lambda rows: rows[0]["issued"], count),
        StatFigure(address, "Mean wait", total, lambda rows: rows[0]["wait"]["mean_s"], minutes),
        StatFigure(address, "90% waited at most", total, lambda rows: rows[0]["wait"]["p90_s"], minutes),
        StatFigure(address, "Called within 15 min", total, lambda rows: rows[0]["within"]["ratio"], share),
        StatFigure(address, "Abandoned and no-shows", total, lost, count),
    )


def _system(ident: str) -> tuple[TableFigures, ...]:
    address, scope = f"/systems/{ident}", f"system:{ident}"
    latency = f"/api/v1/systems/{ident}/latency?bucket=1d&{LAST_28}"
    incidents = f"/api/v1/incidents?scope={scope}&{LAST_28}"
    return (
        TableFigures(address, "Last 28 days", _availability(scope), BY_DAY, STRIP),
        TableFigures(address, "vantage", f"/api/v1/systems/{ident}", BY_VANTAGE, VANTAGE, lambda s: s["vantage"]),
        TableFigures(address, "slos", f"/api/v1/slos?scope={scope}", BY_PLACE, SLOS),
        TableFigures(address, "incidents", incidents, BY_PLACE, INCIDENTS),
        *(
            (TableFigures(address, "figures", f"/api/v1{address}", BY_FIGURE, DATABASE_FIGURES, database_figures),)
            if ident == ONESTOP
            else ()
        ),
        *((TableFigures(address, "Response time", latency, BY_DAY, LATENCY),) if ident == "vn83-portal" else ()),
    )


def database_figures(system: Json) -> list[Json]:
    """Return the own figures of a hosted system's databases, each with its component and its time."""
    return [
        {**figure, "component": part["id"], "at": part["figures_at"]}
        for part in system["hosted"]["components"]
        for figure in part["figures"]
    ]


def _strand(caption: str, strand: str) -> TableFigures:
    api = f"/api/v1/kpis?strand={strand}&limit=500"
    return TableFigures("/kpis", caption, api, BY_INDICATOR, INDICATORS, is_part=True)


def _reported(name: str, by: Column, columns: tuple[Column, ...], key: str) -> TableFigures:
    return TableFigures(REPORT, name, f"/api/v1{REPORT}", by, columns, lambda answer: answer["report"][key])


FIGURES: tuple[TableFigures, ...] = (
    TableFigures("/centres", "centres", "/api/v1/centres?limit=500", NAME, CENTRES),
    TableFigures("/districts/829", "centres", "/api/v1/units/829", NAME, CENTRES, lambda unit: unit["all_centres"]),
    TableFigures(
        "/districts/83", "units", "/api/v1/units/83", Column("", "name", as_it_is), UNITS, lambda u: u["units"]
    ),
    TableFigures("/", "Imported from old logs", "/api/v1/centres?limit=500", NAME, IMPORTED, is_part=True, place=1),
    *_history(f"/?{TO_SUNDAY}", ""),
    TableFigures(
        f"/?{TO_SUNDAY}", "By centre", f"/api/v1/queues/history?{WEEK}&bucket=total&by=centre", BY_CENTRE, HISTORY
    ),
    *_history(f"{CENTRE}?{TO_SUNDAY}", "centre=vn83-a"),
    TableFigures(
        f"{CENTRE}?{FRIDAY}&to=2026-11-20",
        "By half hour",
        f"/api/v1/queues/history?centre=vn83-a&{FRIDAY}&to=2026-11-21&bucket=30m&by=centre",
        BY_TIME_OF_DAY,
        HISTORY,
    ),
    TableFigures(CENTRE, "queues", "/api/v1/queues/now?centre=vn83-a", BY_SERVICE, QUEUES),
    TableFigures(CENTRE, "today", "/api/v1/queues/today?centre=vn83-a", BY_TIME, HALF_HOURS_TODAY, is_part=True),
    TableFigures(CENTRE, "days", _availability("centre:vn83-a"), BY_DAY, CENTRE_DAYS, is_part=True),
    TableFigures(CENTRE, "devices", "/api/v1/centres/vn83-a/devices", Column("", "id", as_it_is), CENTRE_DEVICES),
    TableFigures(
        CENTRE,
        "objectives",
        "/api/v1/slos?scope=centre:vn83-a",
        Column("", lambda row: row["slo"].capitalize(), as_it_is),
        CENTRE_SLOS,
    ),
    TableFigures(
        f"{CENTRE}/half-hours", "profile", "/api/v1/queues/profile?centre=vn83-a&limit=500", BY_HALF_HOUR, PROFILE
    ),
    TableFigures("/systems", "systems", "/api/v1/systems?limit=500", NAME, SYSTEMS),
    *_system("vn83-portal"),
    *_system(ONESTOP),
    TableFigures(
        "/devices?centre=vn83-a",
        "devices",
        "/api/v1/centres/vn83-a/devices",
        Column("", lambda row: _place(f"device:{row['id']}"), as_it_is),
        DEVICES,
    ),
    TableFigures(KIOSK, "The last 28 days, in opening hours", _availability("device:vn83-a-kiosk1"), BY_DAY, STRIP),
    TableFigures(
        KIOSK, "timeline", "/api/v1/devices/vn83-a-kiosk1/timeline?from=2026-11-23&to=2026-11-24", BY_TIME, TIMELINE
    ),
    TableFigures(KIOSK, "incidents", f"/api/v1/incidents?scope=device:vn83-a-kiosk1&{LAST_28}", BY_PLACE, INCIDENTS),
    TableFigures("/incidents", "incidents", "/api/v1/incidents?from=2026-11-23&to=2026-11-24", BY_PLACE, INCIDENTS),
    TableFigures(
        "/incidents?from=2026-11-17&to=2026-11-23",
        "incidents",
        "/api/v1/incidents?from=2026-11-17&to=2026-11-24",
        BY_PLACE,
        INCIDENTS,
    ),
    TableFigures(QUALITY, "devices", "/api/v1/completeness?limit=500", Column("", "device", as_it_is), COMPLETENESS),
    TableFigures(
        QUALITY, "centres", "/api/v1/completeness?limit=500", BY_CENTRE, COMPLETENESS[1:], completeness_by_centre
    ),
    TableFigures("/objectives", "objectives", "/api/v1/slos/open", NAME, OBJECTIVES, lambda slo: [slo], is_part=True),
    TableFigures("/objectives/wait", "slos", "/api/v1/slos?slo=wait", BY_PLACE, SLOS),
    TableFigures(
        OPEN_A, "burn", "/api/v1/slos/open/status?scope=centre:vn83-a", BY_RULE, BURN, lambda status: status["burn"]
    ),
    TableFigures(OPEN_A, "days", "/api/v1/slos/open/history?scope=centre:vn83-a&bucket=1d&limit=500", BY_DAY, SLO_DAYS),
    _strand("Institutional reform", "institutions"),
    _strand("Reform of administrative procedures", "procedures"),
    _strand("Reform of public finance", "public_finance"),
    _strand("E-government and digital government", "modernisation"),
    TableFigures(
        "/kpis/Q-01", "months", "/api/v1/kpis/Q-01/values?bucket=1mo&from=2025-12-01&to=2026-12-01", BY_MONTH, MONTHS
    ),
    TableFigures(
        "/kpis/Q-02",
        "months",
        "/api/v1/kpis/Q-02/values?bucket=1mo&from=2025-12-01&to=2026-12-01",
        BY_MONTH,
        (Column("numerator", "numerator", hours), Column("denominator", "denominator", count)),
    ),
    _reported("services", NAME, REPORT_SERVICES, "services"),
    _reported("centres", NAME, (*REPORT_TICKETS, REPORT_COVERAGE), "centres"),
    _reported("systems", NAME, REPORT_SYSTEMS, "systems"),
    _reported("Visitors and waits by day", BY_REPORTED_DAY, REPORT_DAYS, "days"),
)
UNIT, STATUS, CENTRE_NOW, PORTAL_NOW = "/api/v1/units/829", "/api/v1/status", f"/api/v1{CENTRE}", f"/api/v1{PORTAL}"
OBJECTIVE_NOW = "/api/v1/slos/open/status?scope=centre:vn83-a"
STATS: tuple[StatFigure, ...] = (
    StatFigure("/districts/829", "Centres", UNIT, "centres", count),
    StatFigure("/districts/829", "People waiting", UNIT, "waiting", count),
    StatFigure("/districts/829", "Mean wait today", UNIT, "wait_mean_s", minutes),
    StatFigure(
        "/districts/829", "Devices working", UNIT, lambda u: f"{u['devices']['up']}/{u['devices']['total']}", as_it_is
    ),
    StatFigure("/", "People waiting", STATUS, "queue.waiting", count),
    StatFigure("/", "Mean wait today", STATUS, "today.wait.mean_s", minutes),
    StatFigure("/", "Devices working", STATUS, lambda s: f"{s['devices']['up']}/{s['devices']['total']}", as_it_is),
    StatFigure(
        "/",
        "Available in opening hours, today",
        f"/api/v1/availability?scope=province:vn83&{TODAY}",
        lambda rows: covered(rows[0]),
        as_it_is,
    ),
    StatFigure("/", "Data complete", STATUS, "completeness", percent),
    *_history_stats(f"/?{TO_SUNDAY}", ""),
    *_history_stats(f"{CENTRE}?{TO_SUNDAY}", "centre=vn83-a"),
    StatFigure(
        f"{CENTRE}?{TO_SUNDAY}",
        "Available in opening hours",
        _availability("centre:vn83-a", WEEK).replace("1d", "total"),
        lambda rows: covered(rows[0]),
        as_it_is,
    ),
    StatFigure(
        f"/?{TO_SUNDAY}",
        "Available in opening hours",
        _availability("province:vn83", WEEK).replace("1d", "total"),
        lambda rows: covered(rows[0]),
        as_it_is,
    ),
    StatFigure(CENTRE, "People waiting", CENTRE_NOW, "waiting", count),
    StatFigure(CENTRE, "Mean wait today", CENTRE_NOW, "today.wait.mean_s", minutes),
    StatFigure(
        CENTRE,
        "Available in opening hours, today",
        f"/api/v1/availability?scope=centre:vn83-a&{TODAY}",
        lambda rows: covered(rows[0]),
        as_it_is,
    ),
    StatFigure(f"{CENTRE}/counters", "Counters open now", CENTRE_NOW, open_counters, as_it_is),
    StatFigure(f"{CENTRE}/counters", "Being served", CENTRE_NOW, "serving", count),
    StatFigure(f"{CENTRE}/counters", "People waiting", CENTRE_NOW, "waiting", count),
    StatFigure(PORTAL, "Last 24 h", PORTAL_NOW, lambda s: covered(s["availability_24h"]), as_it_is),
    StatFigure(PORTAL, "Last 7 days", PORTAL_NOW, lambda s: covered(s["availability_7d"]), as_it_is),
    StatFigure(PORTAL, "Last 28 days", PORTAL_NOW, lambda s: covered(s["availability_28d"]), as_it_is),
    StatFigure(PORTAL, "Last 90 days", PORTAL_NOW, lambda s: covered(s["availability_90d"]), as_it_is),
    StatFigure(PORTAL, "Response time", PORTAL_NOW, lambda s: f"{s['latency_24h']['p50_ms']:.0f} ms", as_it_is),
    StatFigure(PORTAL, "Certificate, days left", PORTAL_NOW, "tls_expiry.days", count),
    StatFigure(
        QUALITY,
        "Missing rows",
        "/api/v1/completeness?limit=500",
        lambda rows: sum(row["missing"] for row in rows),
        count,
    ),
    StatFigure(QUALITY, "Silent devices", "/api/v1/data-quality?kind=silent_device&limit=500", len, count),
    StatFigure(QUALITY, "Data complete", STATUS, "completeness", percent),
    StatFigure(OPEN_A, "Objective", OBJECTIVE_NOW, "target", percent),
    StatFigure(OPEN_A, "Measured", OBJECTIVE_NOW, "sli.value", percent),
)
_IN_WORDS = "an amount in words: tests/program/test_objectives_pages.py"
_TARGETS = "tests/program/test_kpi_targets_pages.py, against the trajectories of the API"
_SAME_HISTORY = "the same rows by the same function as `By day`, whose columns are compared"
_TIMES = "times, not figures: tests/program/test_incidents_page.py"
NOT_COMPARED: dict[tuple[str, str, str], str] = {
    ("/alerts", "firing", "*"): "tests/program/test_alerts_page.py",
    ("/centres/{ident}", "", "Today against the usual day"): "empty here: tests/program/test_centre_days.py",
    ("/centres/{ident}", "Arrivals by half hour", "*"): _SAME_HISTORY,
    ("/centres/{ident}", "Waits by half hour (minutes)", "*"): _SAME_HISTORY,
    ("/centres/{ident}", "Arrivals by half hour of the day, mean per open day", "*"): _SAME_HISTORY,
    ("/centres/{ident}", "By half hour of the day", "*"): "no answer has half hours over days: test_history_pages.py",
    ("/centres/{ident}", "queues", "within_ratio"): "no answer has it live; the history of today has",
    ("/centres/{ident}", "objectives", "budget_left"): _IN_WORDS,
    ("/centres/{ident}/counters", "days", "*"): "empty here: tests/program/test_finding_pages.py",
    ("/centres/{ident}/counters", "half-hours", "*"): "empty here: tests/program/test_finding_pages.py",
    ("/compare", "Mean wait by day (minutes)", "*"): _SAME_HISTORY,
    ("/compare", "Tickets issued by day", "*"): _SAME_HISTORY,
    ("/compare", "comparison", "*"): "tests/program/test_comparison.py, figure by figure",
    ("/data-quality", "", "Folded until"): "of the rollup, in /metrics alone",
    ("/data-quality", "", "Settled until"): "a day, not a figure",
    ("/data-quality", "centres", "last_data"): _TIMES,
    ("/data-quality", "centres", "corrected"): _TIMES,
    ("/data-quality", "devices", "*"): "live figures of the devices' page: tests/program/test_data_quality.py",
    ("/data-quality", "issues", "*"): "an amount in words: tests/program/test_data_quality.py",
    ("/data-quality", "reasons", "*"): "of the ingest, in /metrics alone",
    ("/", "Imported from old logs", "Devices"): "an imported log has none",
    ("/kpis", "*", "Gap to the path"): _TARGETS,
    ("/kpis", "", "*"): _TARGETS,
    ("/kpis", "targets", "*"): _TARGETS,
    ("/kpis/{ident}", "levels", "*"): "`by_level` of the answer: tests/program/test_kpis_page.py",
    ("/maintenance", "maintenance", "*"): "times, not figures: tests/program/test_maintenance_page.py",
    ("/models", "*", "*"): "no answer has centres without a model: tests/program/test_wait_models.py",
    ("/objectives", "objectives", "left"): _IN_WORDS,
    ("/objectives", "slos", "*"): "the table of `/objectives/wait`, which is compared",
    ("/objectives/{ident}", "", "Budget left"): _IN_WORDS,
    ("/objectives/{ident}", "burn", "firing"): "a state in words",
    ("/objectives/{ident}", "days", "bad"): _IN_WORDS,
    ("/objectives/{ident}", "days", "left"): _IN_WORDS,
    ("/objectives/{ident}", "slos", "*"): _IN_WORDS,
    ("/objectives/{ident}", "spending", "*"): _IN_WORDS,
    ("/reports", "months", "*"): "revisions: tests/program/test_reports.py",
    ("/reports/{month}", "centres", "availability"): "a range of little coverage: tests/program/test_reports.py",
    ("/reports/{month}", "systems", "availability"): "none is known here: tests/program/test_reports.py",
    ("/reports/{month}", "incidents", "*"): "tests/program/test_reports.py, against the incidents of the API",
    ("/reports/{month}", "indicators", "*"): "tests/program/test_reports.py",
    ("/reports/{month}", "key", "*"): "tests/program/test_reports.py",
    ("/reports/{month}", "need", "*"): "rows of `centres`, which are compared",
    ("/reports/{month}/{centre}", "*", "*"): "a part of the province's report, by the same functions",
    ("/systems/{ident}", "slos", "*"): _IN_WORDS,
    ("/systems/{ident}", "incidents", "*"): _TIMES,
    ("/devices/{ident}", "incidents", "*"): _TIMES,
    ("/incidents", "incidents", "*"): _TIMES,
}
"""(route, table or empty for a stat, column or heading; `*` is any) → why it is not compared here."""
