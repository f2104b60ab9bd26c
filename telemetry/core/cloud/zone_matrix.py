"""The matrix of zones: what each pair of networks allows between them. Pure; `infra.plan.cloud.zones` judges by it.

The matrix forbids, it never opens: what it allows still needs a row in flows.csv.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from telemetry.core.cloud.values import CloudZone, PeerKind

if TYPE_CHECKING:
    from collections.abc import Mapping

Network = CloudZone | PeerKind
"""A zone of the cloud, or the kind of network that an outside party is in."""
CellRule = Literal[
    "https", "https-or-gateway-port", "gateway-called", "gateway-calls", "declared", "own-system",
    "own-system-to-level-2", "own-system-or-gateway", "services", "named-hosts", "administration",
]  # fmt: skip
MATRIX: Mapping[tuple[Network, Network], CellRule] = MappingProxyType({
    ("internet", "edge"): "https",
    ("office", "edge"): "https",
    ("wireless", "edge"): "https",
    ("wan", "edge"): "https-or-gateway-port",
    ("partner", "edge"): "https-or-gateway-port",
    ("wan", "dmz"): "gateway-called",
    ("partner", "dmz"): "gateway-called",
    ("edge", "dmz"): "declared",
    ("edge", "manage"): "services",
    ("dmz", "dmz"): "own-system",
    ("dmz", "server"): "own-system-or-gateway",
    ("dmz", "database"): "own-system-to-level-2",
    ("dmz", "manage"): "services",
    ("dmz", "wan"): "gateway-calls",
    ("dmz", "partner"): "gateway-calls",
    ("server", "server"): "own-system-or-gateway",
    ("server", "database"): "own-system",
    ("server", "manage"): "services",
    ("server", "internet"): "named-hosts",
    ("server", "wan"): "gateway-calls",
    ("server", "partner"): "gateway-calls",
    ("database", "database"): "own-system",
    ("database", "manage"): "services",
    ("manage", "edge"): "administration",
    ("manage", "dmz"): "administration",
    ("manage", "server"): "administration",
    ("manage", "database"): "administration",
    ("manage", "manage"): "declared",
})  # fmt: skip
"""(from, to) → what the cell allows; a pair that is not here is closed."""
SEPARATED_LEVEL: Final = 3
"""From this level on systems are kept apart (331 Art. 30.8.a): a party of no system reaches none but by a gateway."""
_OWN_SYSTEM_CELLS: Final[frozenset[CellRule]] = frozenset({
    "own-system", "own-system-to-level-2", "own-system-or-gateway",
})  # fmt: skip


def is_closed_across_systems(source: Network, target: Network, level: int) -> bool:
    """Return whether a party of no system may not reach a system's component of this level, which is no gateway."""
    cell = MATRIX.get((source, target))
    return cell is None or (level >= SEPARATED_LEVEL and cell in _OWN_SYSTEM_CELLS)
