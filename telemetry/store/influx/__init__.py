"""The store in InfluxDB 2: the production adapter. It must not divide, and only `server` sends requests."""

from __future__ import annotations

from telemetry.store.influx.adapter import InfluxStore as InfluxStore
from telemetry.store.influx.address import InfluxAddress as InfluxAddress, parse as parse
