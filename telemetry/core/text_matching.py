"""Finds texts without regard to accents and case, as people type them: "ben tre" finds "Bến Tre". Pure."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

EXACT, BEGINNING, WORDS, PARTS = range(4)
"""How well a text matches, best first: it is the query, begins with it, has words that begin with its words, parts."""
MIN_PART_LENGTH = 3
"""A shorter word must begin a word of the text: "an" is in half of all Vietnamese names."""


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
    known_words = [*whole.split(), *whole.replace("-", " ").split()]
    inside = [word for word in words if not any(known_word.startswith(word) for known_word in known_words)]
    if any(len(word) < MIN_PART_LENGTH for word in inside):
        return None
    return PARTS if inside else WORDS
