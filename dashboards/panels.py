"""Dashboards of Grafana as values: panels, sections, variables and their JSON; it must not know any metric.

The JSON is that of Grafana 10 to 12 (schema 39). Panels flow from left to right in the order in which they are
declared; positions, ids and reference letters are derived.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import count
from string import ascii_uppercase
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

JsonObject = dict[str, object]
PanelKind = Literal["stat", "timeseries", "state-timeline", "table"]
DataSourceKind = Literal["prometheus", "influxdb"]

GRID_WIDTH = 24
SCHEMA_VERSION = 39
GREEN, ORANGE, RED, PURPLE = "green", "orange", "red", "purple"
SOURCE_VARIABLES: Mapping[DataSourceKind, str] = MappingProxyType({"prometheus": "datasource", "influxdb": "store"})
"""The dashboard variable by which people choose the data source of a kind."""


@dataclass(frozen=True, slots=True)
class PanelQuery:
    """A query in the data source's language, and the legend of its series (`{{label}}` is replaced)."""

    text: str
    legend: str = "__auto"


@dataclass(frozen=True, slots=True)
class Threshold:
    """From this value on a figure has this colour; None stands for the least value."""

    value: float | None
    color: str


CALM = (Threshold(None, GREEN),)


@dataclass(frozen=True, slots=True)
class ShownValue:
    """What is shown in place of a value, and its colour."""

    value: int
    text: str
    color: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel; width and height are cells of the grid (24 wide), `unit` is one of Grafana's names of units.

    `dashed` is a regular expression of legends that are drawn as dashed lines, as those of targets.
    """

    title: str
    queries: tuple[PanelQuery, ...]
    description: str = ""
    kind: PanelKind = "timeseries"
    unit: str = "short"
    width: int = 8
    height: int = 8
    thresholds: tuple[Threshold, ...] = CALM
    value_texts: tuple[ShownValue, ...] = ()
    dashed: str = ""
    is_stacked: bool = False
    source: DataSourceKind = "prometheus"
    no_value: str = "no data"


@dataclass(frozen=True, slots=True)
class Section:
    """A row of the dashboard with its panels; a closed one runs no query before it is opened."""

    title: str
    panels: tuple[Panel, ...]
    is_closed: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """A variable of the dashboard that takes its values from a query; several may be chosen, all at first."""

    name: str
    title: str
    query: str
    source: DataSourceKind = "prometheus"


@dataclass(frozen=True, slots=True)
class Dashboard:
    """A dashboard; `uid` is its stable id, `period` the time range at first sight."""

    uid: str
    title: str
    description: str
    sections: tuple[Section, ...]
    choices: tuple[Choice, ...] = ()
    period: str = "now-6h"
    time_zone: str = "Asia/Ho_Chi_Minh"
    sources: tuple[DataSourceKind, ...] = ("prometheus",)


def stat(
    title: str, query: str, description: str = "", *, unit: str = "short", alarm: Threshold | None = None
) -> Panel:
    """Return a small panel with one present figure, in the alarm's colour from its value on."""
    thresholds = CALM if alarm is None else (*CALM, alarm)
    return Panel(title, (PanelQuery(query),), description, "stat", unit, 3, 4, thresholds)


def graph(
    title: str, queries: Mapping[str, str], description: str = "", *, unit: str = "short", width: int = 8
) -> Panel:
    """Return lines over time; `queries` are {legend: query}."""
    texts = tuple(PanelQuery(query, legend) for legend, query in queries.items())
    return Panel(title, texts, description, unit=unit, width=width)


def render_dashboard(dashboard: Dashboard) -> str:
    """Return the dashboard's JSON, as Grafana imports it."""
    return json.dumps(dashboard_object(dashboard), indent=1, ensure_ascii=False) + "\n"


def dashboard_object(dashboard: Dashboard) -> JsonObject:
    """Return the dashboard as Grafana's JSON object."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.description,
        "tags": ["motcua"],
        "schemaVersion": SCHEMA_VERSION,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "refresh": "30s",
        "timezone": dashboard.time_zone,
        "weekStart": "monday",
        "time": {"from": dashboard.period, "to": "now"},
        "timepicker": {},
        "annotations": {"list": [_alert_annotation()] if "prometheus" in dashboard.sources else []},
        "links": [_link_to_others()],
        "templating": {"list": list(_variables(dashboard))},
        "panels": list(_placed_panels(dashboard.sections)),
    }


def _alert_annotation() -> JsonObject:
    return {
        "name": "Alerts",
        "enable": True,
        "datasource": _source_reference("prometheus"),
        "expr": 'ALERTS{alertname=~"Motcua.*",alertstate="firing"}',
        "iconColor": RED,
        "titleFormat": "{{alertname}}",
        "step": "60s",
    }


def _link_to_others() -> JsonObject:
    """Return the menu of all dashboards of Motcua, which keeps the chosen time range."""
    return {
        "type": "dashboards", "title": "Motcua", "tags": ["motcua"], "asDropdown": True, "includeVars": False,
        "keepTime": True, "targetBlank": False, "icon": "external link", "tooltip": "", "url": "",
    }  # fmt: skip


def _source_reference(source: DataSourceKind) -> JsonObject:
    return {"type": source, "uid": f"${{{SOURCE_VARIABLES[source]}}}"}


def _variables(dashboard: Dashboard) -> Iterator[JsonObject]:
    """Yield the data sources, then the choices, which ask one of them."""
    for source in dashboard.sources:
        title = {"prometheus": "Prometheus", "influxdb": "InfluxDB"}[source]
        yield {
            "name": SOURCE_VARIABLES[source], "label": title, "type": "datasource", "query": source, "refresh": 1,
            "hide": 0, "multi": False, "includeAll": False, "options": [], "current": {},
        }  # fmt: skip
    for choice in dashboard.choices:
        query: object = choice.query
        if choice.source == "prometheus":
            query = {"query": choice.query, "refId": choice.name}
        yield {
            "name": choice.name, "label": choice.title, "type": "query", "datasource": _source_reference(choice.source),
            "definition": choice.query, "query": query, "refresh": 2, "sort": 1, "hide": 0,
            "multi": True, "includeAll": True, "allValue": ".*", "options": [],
            "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        }  # fmt: skip


def _placed_panels(sections: Sequence[Section]) -> Iterator[JsonObject]:
    """Yield rows and panels with their ids and places; a closed section's panels are inside its row."""
    idents, top = count(1), 0
    for section in sections:
        row: JsonObject = {
            "id": next(idents), "type": "row", "title": section.title, "collapsed": section.is_closed,
            "gridPos": {"x": 0, "y": top, "w": GRID_WIDTH, "h": 1},
        }  # fmt: skip
        panels, left, top, line_height = list[JsonObject](), 0, top + 1, 0
        for panel in section.panels:
            if left + panel.width > GRID_WIDTH:
                left, top, line_height = 0, top + line_height, 0
            place = {"x": left, "y": top, "w": panel.width, "h": panel.height}
            panels.append({"id": next(idents), **_panel_object(panel), "gridPos": place})
            left, line_height = left + panel.width, max(line_height, panel.height)
        top += line_height
        yield {**row, "panels": panels if section.is_closed else []}
        yield from () if section.is_closed else panels


def _panel_object(panel: Panel) -> JsonObject:
    defaults: JsonObject = {
        "unit": panel.unit,
        "noValue": panel.no_value,
        "thresholds": {"mode": "absolute", "steps": [{"color": t.color, "value": t.value} for t in panel.thresholds]},
        "color": {"mode": "palette-classic" if panel.kind == "timeseries" else "thresholds"},
        "mappings": [_value_mapping(panel.value_texts)] if panel.value_texts else [],
    }
    if panel.kind == "timeseries":
        defaults["custom"] = _line_style(panel)
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.description,
        "datasource": _source_reference(panel.source),
        "targets": [
            _target(panel, letter, query) for letter, query in zip(ascii_uppercase, panel.queries, strict=False)
        ],
        "fieldConfig": {"defaults": defaults, "overrides": _overrides(panel)},
        "options": _OPTIONS[panel.kind],
    }


def _target(panel: Panel, letter: str, query: PanelQuery) -> JsonObject:
    source = _source_reference(panel.source)
    if panel.source == "influxdb":
        return {"datasource": source, "refId": letter, "query": query.text}
    is_present = panel.kind in {"stat", "table"}
    return {
        "datasource": source, "refId": letter, "expr": query.text, "legendFormat": query.legend, "instant": is_present,
        "range": not is_present, "format": "table" if panel.kind == "table" else "time_series",
    }  # fmt: skip


def _line_style(panel: Panel) -> JsonObject:
    fill = 40 if panel.is_stacked else 0
    stacking = {"mode": "normal" if panel.is_stacked else "none", "group": "A"}
    return {"drawStyle": "line", "fillOpacity": fill, "stacking": stacking}


def _value_mapping(texts: Sequence[ShownValue]) -> JsonObject:
    options = {
        str(shown.value): {"text": shown.text, "color": shown.color, "index": index}
        for index, shown in enumerate(texts)
    }
    return {"type": "value", "options": options}


STATE_COLORS = MappingProxyType({"up": GREEN, "down": RED, "unknown": ORANGE})


def _overrides(panel: Panel) -> list[JsonObject]:
    """Return fixed colours of stacked states, dashed lines, and tables without the time of the query."""
    overrides = []
    if panel.is_stacked:
        overrides += [
            _override(f"/(^|\\s){state}$/", "color", {"mode": "fixed", "fixedColor": color})
            for state, color in STATE_COLORS.items()
        ]
    if panel.dashed:
        overrides.append(_override(f"/{panel.dashed}/", "custom.lineStyle", {"fill": "dash", "dash": [8, 8]}))
    if panel.kind == "table":
        overrides.append(_override("/^Time$/", "custom.hidden", value=True))
    return overrides


def _override(legends: str, name: str, value: object) -> JsonObject:
    return {"matcher": {"id": "byRegexp", "options": legends}, "properties": [{"id": name, "value": value}]}


_LEGEND = {"displayMode": "list", "placement": "bottom", "showLegend": True}
_OPTIONS: Mapping[PanelKind, JsonObject] = {
    "stat": {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "colorMode": "value", "graphMode": "none", "textMode": "auto",
    },
    "timeseries": {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    "state-timeline": {
        "showValue": "never", "mergeValues": True, "rowHeight": 0.8, "legend": _LEGEND, "tooltip": {"mode": "single"},
    },
    "table": {"showHeader": True, "cellHeight": "sm", "sortBy": [{"displayName": "Value", "desc": False}]},
}  # fmt: skip
