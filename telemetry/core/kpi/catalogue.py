"""The catalogue of all indicators by id; it must hold no rows of its own."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from telemetry.core.kpi.digital_indicators import DIGITAL_INDICATORS
from telemetry.core.kpi.service_indicators import SERVICE_INDICATORS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.kpi.indicators import Indicator

INDICATORS: Mapping[str, Indicator] = MappingProxyType({row.id: row for row in DIGITAL_INDICATORS + SERVICE_INDICATORS})
"""Every indicator in the order in which it is shown."""
