"""Finds what is declared by name, code or id, without regard to accents and case. Pure; it must not read stores."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.kpi.catalogue import all_indicators
from telemetry.core.text_matching import fold_accents, match_rank

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telemetry.queries.network import NetworkView

SearchKind = Literal["centre", "unit", "system", "objective", "kpi", "device"]
SEARCH_KINDS: tuple[SearchKind, ...] = ("centre", "unit", "system", "objective", "kpi", "device")
"""In the order of results that match equally well."""
MAX_HITS = 200


@dataclass(frozen=True, slots=True)
class SearchHit:
    """What was found: its kind, id and names; `centre` is the device's."""

    kind: SearchKind
    id: str
    name_vi: str
    name_en: str
    centre: str = ""


@dataclass(frozen=True, slots=True)
class _SearchEntry:
    hit: SearchHit
    texts: tuple[str, ...]


class SearchIndex:
    """All names of an inventory and of imported logs, folded once."""

    def __init__(self, network: NetworkView) -> None:
        self.inventory = network.inventory
        self.imported = frozenset(ident for ident, row in network.snapshot.centres.items() if row.declared)
        self._entries = [
            _SearchEntry(hit, tuple(dict.fromkeys(fold_accents(t) for t in (hit.id, hit.name_vi, hit.name_en))))
            for hit in _iter_hits(network)
        ]

    def is_current(self, network: NetworkView) -> bool:
        """Return whether the same things are declared and imported."""
        return self.inventory is network.inventory and self.imported == frozenset(
            ident for ident, row in network.snapshot.centres.items() if row.declared
        )

    def find(self, query: str) -> list[SearchHit]:
        """Return what matches, best first, at most MAX_HITS."""
        folded = fold_accents(query)
        ranked = [
            (rank, SEARCH_KINDS.index(entry.hit.kind), entry.hit.id, entry.hit)
            for entry in self._entries
            if (rank := match_rank(folded, entry.texts)) is not None
        ]
        return [hit for *_, hit in sorted(ranked, key=lambda row: row[:3])[:MAX_HITS]]


def _iter_hits(network: NetworkView) -> Iterator[SearchHit]:
    inventory = network.inventory
    for centre in network.centres():
        yield SearchHit("centre", centre.id, centre.name_vi, centre.name_en)
    for unit in inventory.units.values():
        yield SearchHit("unit", unit.code, unit.name, unit.name)
    for system in inventory.systems.values():
        yield SearchHit("system", system.id, system.name_vi, system.name_en)
    for objective in inventory.objectives:
        yield SearchHit("objective", objective.id, objective.name_vi, objective.name_en)
    for indicator in all_indicators(inventory.own_indicators).values():
        yield SearchHit("kpi", indicator.id, indicator.name_vi, indicator.name_en)
    for device in inventory.devices.values():
        if device.centre not in inventory.centres:  # a vantage point in the cloud has no page
            continue
        yield SearchHit("device", device.id, device.id, device.id, device.centre)


class SearchIndexCache:
    """Keeps the index until something is declared or imported."""

    def __init__(self) -> None:
        self._cached: SearchIndex | None = None

    def find(self, network: NetworkView, query: str) -> list[SearchHit]:
        """Return what matches, best first."""
        cached = self._cached
        if cached is None or not cached.is_current(network):
            cached = self._cached = SearchIndex(network)
        return cached.find(query)
