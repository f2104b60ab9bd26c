"""Writes the table of all indicators for the documentation from the catalogue; it must not read a store.

Run: python -m api.indicator_reference --write
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.core.kpi.catalogue import INDICATORS

if TYPE_CHECKING:
    from telemetry.core.kpi.indicators import Indicator

PAGE = Path("docs/reference/indicators.md")
BEGIN, END = "<!-- indicators -->\n", "<!-- /indicators -->\n"


def table() -> str:
    """Return the rows of all indicators as Markdown."""
    head = "| id | indicator | formula | numerator | denominator | source | levels |\n|---|---|---|---|---|---|---|\n"
    return head + "".join(_row(indicator) for indicator in INDICATORS.values())


def _row(indicator: Indicator) -> str:
    over, under = (" + ".join(f"`{name}`" for name in side) for side in (indicator.numerator, indicator.denominator))
    levels = "province, district, commune" if indicator.by_level else "all"
    name = f"{indicator.name_en}<br>{indicator.name_vi}"
    cells = (indicator.id, name, indicator.formula, over or "–", under or "–", indicator.source, levels)
    return "| " + " | ".join(cells) + " |\n"


def page_with_table(text: str) -> str:
    """Return the page with the table between its marks."""
    before, after = text.split(BEGIN, maxsplit=1)[0], text.split(END)[1]
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    page = page_with_table(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(page, encoding="utf-8")
    elif page != PAGE.read_text(encoding="utf-8"):
        raise SystemExit(f"{PAGE} is old: run python -m api.indicator_reference --write")
