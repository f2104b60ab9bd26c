"""Pairs of what two declarations of a cloud both have: by id, or by the earlier ids that `was` names. Pure.

It must not compare what it pairs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class NamedSystem(Protocol):
    """A system as it is declared, or as a stack recorded it."""

    @property
    def id(self) -> str:
        """Return its id."""

    @property
    def was(self) -> tuple[str, ...]:
        """Return the ids that it had before."""


class NamedComponent(NamedSystem, Protocol):
    """A component as it is declared, or as a stack recorded it; its `was` may hold a path of another system."""

    @property
    def system(self) -> str:
        """Return the id of its system."""


def component_path(component: NamedComponent) -> str:
    """Return `system/component`."""
    return f"{component.system}/{component.id}"


def paired_systems(old: Iterable[NamedSystem], new: Iterable[NamedSystem]) -> Mapping[str, str]:
    """Return old id → new id of the systems that both have."""
    named = tuple(new)
    ids = {one.id for one in named}
    renamed = {ident: one.id for one in named for ident in one.was}
    return {one.id: one.id if one.id in ids else renamed[one.id] for one in old if one.id in ids or one.id in renamed}


def paired_components(
    old: Iterable[NamedComponent], new: Iterable[NamedComponent], systems: Mapping[str, str]
) -> Mapping[str, str]:
    """Return old path → new path of the components that both have; `systems` are the pairs of their systems."""
    named = tuple(new)
    paths = {component_path(one) for one in named}
    renamed = {
        ident if "/" in ident else f"{one.system}/{ident}": component_path(one) for one in named for ident in one.was
    }
    pairs = {}
    for one in old:
        path = f"{systems.get(one.system, one.system)}/{one.id}"
        target = path if path in paths else renamed.get(path) or renamed.get(component_path(one))
        if target is not None:
            pairs[component_path(one)] = target
    return pairs
