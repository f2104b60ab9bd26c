"""Orders the folders of the documentation's site by purpose; it must not list pages: a new one needs no entry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.structure.nav import Navigation

SECTIONS = ("Tutorials", "How to", "Reference", "Explanation", "Decisions")
"""The titles that mkdocs makes of the folders' names; a folder that is not here is a fault."""


def on_nav(nav: Navigation, **_: Any) -> Navigation:  # noqa: ANN401 - mkdocs passes its own values by name
    """Put the home page first, then the sections in the order of `SECTIONS`."""
    nav.items.sort(key=lambda item: SECTIONS.index(str(item.title)) if item.is_section else -1)
    return nav
