"""Recognises the names that rotation gives to a followed file's predecessors. Pure."""

from __future__ import annotations

import re

_COMPRESSED = r"(?:\.(?:gz|gzip|bz2|xz|lzma|zip|zst|zstd))?"
_SEPARATOR = r"[._-]+"
_NUMBER_OR_DATE = r"\d[\dTtZzh:._+-]*"


class RotatedNames:
    """The names of a followed file's family.

    >>> names = RotatedNames("events.jsonl")
    >>> names.is_rotated("events.jsonl.1"), names.is_rotated("events-20261129.jsonl.gz")
    (True, True)
    >>> names.is_rotated("events.jsonl.bak"), names.may_hold_content("events.jsonl.bak")
    (False, True)
    >>> RotatedNames("current", "tickets-20261129.jsonl").is_rotated("tickets-20261128.jsonl")
    True
    """

    def __init__(self, *file_names: str) -> None:
        """Take the file's name, and that of the file to which it is a link."""
        self._own_names = frozenset(file_names)
        self._stems = tuple(name.split(".")[0].rstrip("0123456789-_") or name for name in self._own_names)
        self._pattern = re.compile("|".join(_pattern_of(name) for name in sorted(self._own_names)))

    def is_rotated(self, name: str) -> bool:
        """Return whether the name is the file's with a number or date: all its content was in the followed file."""
        return name not in self._own_names and self._pattern.fullmatch(name) is not None

    def may_hold_content(self, name: str) -> bool:
        """Return whether a file of this name is worth a look for content that was read before."""
        return any(stem in name for stem in self._stems)


def _pattern_of(name: str) -> str:
    """Return a pattern: NAME.1, NAME-DATE, STEM.1.EXT, STEM-DATE.1.EXT, DATE-NAME, and NAME with another date."""
    stem, dot, suffix = name.rpartition(".") if "." in name.lstrip(".") else (name, "", "")
    whole, first, last = re.escape(name), re.escape(stem), re.escape(dot + suffix)
    forms = [
        f"{whole}{_SEPARATOR}?{_NUMBER_OR_DATE}",
        f"{first}{_SEPARATOR}{_NUMBER_OR_DATE}{last}",
        f"{_NUMBER_OR_DATE}{_SEPARATOR}{whole}",
    ]
    if re.search(r"\d", stem):
        forms.append("".join(r"\d+" if part.isdigit() else re.escape(part) for part in re.split(r"(\d+)", name)))
    return "|".join(f"(?:{form}{_COMPRESSED})" for form in forms)
