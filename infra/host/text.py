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

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_YAML_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
_ESCAPED_CHARACTERS = re.compile(r"[^\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]")
"""What YAML wants escaped, or would take for a line's end."""


def render_yaml(values: Mapping[str, object]) -> str:
    """Return a mapping of texts, numbers, truths, None, lists and mappings as YAML."""
    return "\n".join([*_mapping_lines(values), ""])


def _mapping_lines(values: Mapping[str, object]) -> Iterator[str]:
    for key, value in values.items():
        yield from _entry_lines(f"{_render_key(key)}:", value)


def _sequence_lines(values: Sequence[object]) -> Iterator[str]:
    for value in values:
        lines = list(_nested_lines(value))
        if lines and not isinstance(value, str):
            yield f"- {lines[0]}"
            yield from (f"  {line}" if line else line for line in lines[1:])
        else:
            yield from _entry_lines("-", value)


def _nested_lines(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from _mapping_lines(value)
    elif isinstance(value, (list, tuple)):
        yield from _sequence_lines(value)


def _entry_lines(head: str, value: object) -> Iterator[str]:
    lines = list(_nested_lines(value))
    if isinstance(value, str) and "\n" in value and value[0] not in " \n" and not _ESCAPED_CHARACTERS.search(value):
        head, lines = f"{head} |{_block_chomping(value)}", value.removesuffix("\n").split("\n")
    if not lines:
        yield f"{head} {_render_scalar(value)}"
        return
    yield head
    yield from (f"  {line}" if line else line for line in lines)


def _block_chomping(text: str) -> str:
    """Return how a block says with how many line ends it closes: none, one, or all that there are."""
    return "+" if text.endswith("\n\n") else "" if text.endswith("\n") else "-"


def _render_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) and key.lower() not in _YAML_WORDS else _render_scalar(key)


def _render_scalar(value: object) -> str:
    if isinstance(value, (dict, list, tuple)):
        return "{}" if isinstance(value, dict) else "[]"
    return _ESCAPED_CHARACTERS.sub(lambda match: f"\\U{ord(match[0]):08x}", json.dumps(value, ensure_ascii=False))
