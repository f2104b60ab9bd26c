"""What broke and what is planned: incidents, systems, devices, maintenance, alerts, data quality."""

from __future__ import annotations
