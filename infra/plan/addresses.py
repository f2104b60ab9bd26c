"""Addresses that follow from the plan, as roles and people are told them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

if TYPE_CHECKING:
    from infra.plan.values import StackPlan


def store_url(plan: StackPlan, url: str = "") -> str:
    """Return MOTCUA_STORE for the stack's InfluxDB, or for the same store at another address."""
    raw = next(bucket.name for bucket in plan.influx.buckets if bucket.tier == "raw")
    query = {"org": plan.influx.org, "bucket": raw, "province": plan.province}
    return f"influxdb+{url or plan.influx.url}?{urlencode(query)}"
