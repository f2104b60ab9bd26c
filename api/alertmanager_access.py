"""How the app reaches Alertmanager, and who may change something there; it must not ask it itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.alertmanager import AlertmanagerClient
    from api.operators import Operators


@dataclass(frozen=True, slots=True)
class AlertmanagerAccess:
    """Alertmanager's client and the operators; without operators nobody may acknowledge or silence."""

    client: AlertmanagerClient
    operators: Operators | None = None
