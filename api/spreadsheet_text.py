"""What makes a CSV safe and readable in a spreadsheet; it must not know what the cells mean."""

from __future__ import annotations

BYTE_ORDER_MARK = "\ufeff"
"""What spreadsheets recognise UTF-8 by."""
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def escape_formula(text: str) -> str:
    """Return a text with an apostrophe in front where a spreadsheet would take it for a formula.

    >>> escape_formula("=1+1"), escape_formula("Đất đai")
    ("'=1+1", 'Đất đai')
    """
    return f"'{text}" if text.startswith(_FORMULA_STARTS) else text
