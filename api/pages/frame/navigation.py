"""The main navigation of the pages; it must not know what they show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from fastapi import APIRouter

PATHS = (
    ("overview", "/"), ("centres", "/centres"), ("systems", "/systems"), ("incidents", "/incidents"),
    ("objectives", "/objectives"), ("kpis", "/kpis"), ("compare", "/compare"), ("reports", "/reports"),
    ("data_quality", "/data-quality"), ("maintenance", "/maintenance"), ("alerts", "/alerts"),
)  # fmt: skip
"""(Key of the name below `nav_`, path), in the order shown."""


@dataclass(frozen=True, slots=True)
class NavigationEntry:
    """A link of the main navigation; `is_current` marks the page, `is_parent` a page above it."""

    key: str
    path: str
    is_current: bool
    is_parent: bool


def served_paths(routers: Iterable[APIRouter]) -> frozenset[str]:
    """Return the paths that routers answer."""
    return frozenset(getattr(route, "path", "") for router in routers for route in router.routes)


def build_navigation(served: frozenset[str], path: str) -> Sequence[NavigationEntry]:
    """Return the entries whose pages are served, with the mark of where the reader is."""
    return [
        NavigationEntry(key, own, own == path, own not in {"/", path} and path.startswith(f"{own}/"))
        for key, own in PATHS
        if own in served
    ]
