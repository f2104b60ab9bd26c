"""Provisioning files of Grafana: data sources and dashboards of a plan. It must not hold secrets or install anything.

For Grafana 10 to 12. Debian has no package of it, so one server's files are beside those that are installed.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from infra.plan.workloads import INFLUX_PORT, PROMETHEUS_PORT
from infra.templates import render_yaml

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.plan.values import StackPlan

TOKEN_FILE = "/etc/grafana/motcua-influxdb.token"  # noqa: S105 - a path
"""The token by which one server's Grafana reads InfluxDB."""
DASHBOARDS_FOLDER = "/var/lib/grafana/dashboards/motcua"
"""Where one server's Grafana reads the dashboards."""


def prometheus_source(url: str, authority: str = "") -> dict[str, object]:
    """Return the data source of the metrics; `authority`: certificates, PEM, that sign the server's."""
    encryption = {"jsonData": {"tlsAuthWithCACert": True}, "secureJsonData": {"tlsCACert": authority}}
    return {
        "name": "Prometheus", "uid": "prometheus", "type": "prometheus", "access": "proxy", "url": url,
        "isDefault": True, "editable": False, **(encryption if authority else {}),
    }  # fmt: skip


def influxdb_source(plan: StackPlan, url: str) -> dict[str, object]:
    """Return the data source of hours and days in InfluxDB; its token is in a file that the operator makes."""
    raw = next(bucket.name for bucket in plan.influx.buckets if bucket.tier == "raw")
    return {
        "name": "InfluxDB", "uid": "influxdb", "type": "influxdb", "access": "proxy", "url": url, "editable": False,
        "jsonData": {"version": "Flux", "organization": plan.influx.org, "defaultBucket": raw},
        "secureJsonData": {"token": f"$__file{{{TOKEN_FILE}}}"},
    }  # fmt: skip


def sources_file(*sources: Mapping[str, object]) -> str:
    """Return the provisioning file of data sources."""
    return render_yaml({"apiVersion": 1, "datasources": list(sources)})


def providers_file(folder: str) -> str:
    """Return the provisioning file that makes Grafana read the dashboards of a folder."""
    provider = {"name": "motcua", "type": "file", "disableDeletion": True, "options": {"path": folder}}
    return render_yaml({"apiVersion": 1, "providers": [provider]})


def host_grafana_files(plan: StackPlan, head: str) -> dict[str, str]:
    """Return {path: text} of the dashboards and provisioning files for a Grafana that asks this machine."""
    boards = {path: text for path, text in plan.files.items() if path.startswith("grafana/")}
    return {
        "grafana/provisioning/datasources/motcua.yaml": sources_file(
            prometheus_source(f"http://127.0.0.1:{PROMETHEUS_PORT}"),
            influxdb_source(plan, f"http://127.0.0.1:{INFLUX_PORT}"),
        ),
        "grafana/provisioning/dashboards/motcua.yaml": providers_file(DASHBOARDS_FOLDER),
        **{
            path.replace("grafana/", "grafana/dashboards/", 1): _with_origin(text, head)
            for path, text in boards.items()
        },
    }


def _with_origin(text: str, head: str) -> str:
    """Return a dashboard that has its origin in its description: JSON has no comments."""
    board = json.loads(text)
    return json.dumps({**board, "description": f"{board['description']} {head}"}, indent=1, ensure_ascii=False) + "\n"
