"""Finds texts without regard to accents and case, as people type them: "ben tre" finds "Bến Tre". Pure."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EXACT, BEGINNING, WORDS, PARTS = range(4)
"""How well a text matches, best first: it is the query, begins with it, has words that begin with its words, parts."""


def fold_accents(text: str) -> str:
    """Return a text in lower case without diacritics, `đ` as `d`, with single spaces."""
    decomposed = unicodedata.normalize("NFD", text.casefold()).replace("đ", "d")
    return " ".join("".join(c for c in decomposed if not unicodedata.combining(c)).split())


def match_rank(query: str, texts: Iterable[str]) -> int | None:
    """Return how well the best of some texts matches, None when one of the query's words is in none of them.

    Query and texts are folded already (`fold_accents`); an empty query matches nothing.
    """
    if not query:
        return None
    known = tuple(texts)
    if query in known:
        return EXACT
    if any(text.startswith(query) for text in known):
        return BEGINNING
    words, whole = query.split(), " ".join(known)
    if not all(word in whole for word in words):
        return None
    known_words = whole.split()
    return WORDS if all(any(k.startswith(word) for k in known_words) for word in words) else PARTS
