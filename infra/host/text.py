"""Writes values as YAML without a library, so that rendering needs no extra; it must not read any.

Block style, keys in the order given, no anchors, every text quoted as JSON does (which YAML reads alike), except
that texts of several lines stand as they are.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPED = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
"""What YAML wants escaped, or would take for a line's end."""


def block(values: Mapping[str, object]) -> str:
    """Return a mapping of texts, numbers, truths, None, lists and mappings as YAML."""
    return "\n".join([*_mapping(values), ""])


def _mapping(values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        yield from _joined(f"{_key(key)}:", value)


def _sequence(values: Sequence[object]) -> Iterator[str]:
    for value in values:
        lines = list(_lines(value))
        if lines and not isinstance(value, str):
            yield f"- {lines[0]}"
            yield from (f"  {line}" if line else line for line in lines[1:])
        else:
            yield from _joined("-", value)


def _lines(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping(value)
    elif isinstance(value, (list, tuple)):
        yield from _sequence(value)


def _joined(head: str, value: object) -> Iterator[str]:
    lines = list(_lines(value))
    if isinstance(value, str) and "\n" in value and value[0] not in " \n" and not _ESCAPED.search(value):
        head, lines = f"{head} |{_ending(value)}", value.removesuffix("\n").split("\n")
    if not lines:
        yield f"{head} {_scalar(value)}"
        return
    yield head
    yield from (f"  {line}" if line else line for line in lines)


def _ending(text: str) -> str:
    """Return how a block says with how many line ends it closes: none, one, or all that there are."""
    return "+" if text.endswith("\n\n") else "" if text.endswith("\n") else "-"


def _key(key: str) -> str:
    return key if _PLAIN.fullmatch(key) and key.lower() not in _WORDS else _scalar(key)


def _scalar(value: object) -> str:
    if isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
    return _ESCAPED.sub(lambda found: f"\\U{ord(found[0]):08x}", json.dumps(value, ensure_ascii=False))
