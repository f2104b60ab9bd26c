"""The ids that the platform uses itself; it must not know who declares others. Pure."""

from __future__ import annotations

from telemetry.core.fold.platform_heartbeat import PLATFORM_ENTITY
from telemetry.core.inventory import UNDECLARED_SERVICE

RESERVED_IDS = {
    UNDECLARED_SERVICE: "all that is not declared is shown under it",
    PLATFORM_ENTITY: "the platform itself has it",
}
"""Ids that no declaration may have, and why."""
