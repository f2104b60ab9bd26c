"""Cuts a list in a damaged JSON text into its elements; it must not read them.

A bracket or quotation mark that one element lacks, or has too much, ends with that element: its neighbours are cut out
as they are.  The element itself is cut out as it stands, so that its reader refuses it.
"""

from __future__ import annotations

import re
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_END_CHECKS = 64
"""Most closing brackets of which it is asked whether they end the list."""
_TEXT = rb'"(?:[^"\\]++|\\.)*+"'
_TOKEN = re.compile(_TEXT + rb"|[\[\]{},]", re.DOTALL)
_AFTER_TEXT = re.compile(rb"\s*+(?:[,:\]}]|\Z)")
_MEMBER = re.compile(rb"\s*+" + _TEXT + rb"\s*+:", re.DOTALL)
_RESUMPTION = re.compile(rb",(?=\s*+\{\s*+" + _TEXT + rb"\s*+:)|\]", re.DOTALL)
_OPENERS = {b"}": b"{", b"]": b"["}


@dataclass(frozen=True, slots=True)
class CutList:
    """A list's elements as bytes, and where its closing bracket is."""

    elements: list[bytes]
    end: int


@dataclass(slots=True)
class ListCutter:
    """Cuts the list whose `[` is at `start`; `is_end` says whether the `]` at an offset may be the list's."""

    text: bytes
    start: int
    is_end: Callable[[int], bool]
    _elements: list[bytes] = field(default_factory=list)
    _open: list[bytes] = field(default_factory=list)
    _open_counts: Counter[bytes] = field(default_factory=Counter)
    _element_start: int = 0
    _comma: int = -1
    _is_damaged: bool = False
    _end_checks: int = 0

    def cut(self) -> CutList | None:
        """Return the list, None when its end cannot be determined."""
        self._element_start = at = self.start + 1
        while token := _TOKEN.search(self.text, at):
            sign, at = token[0], token.end()
            if sign in _OPENERS:
                if self._close(sign, token.start()):
                    return CutList(self._elements, token.start())
            elif sign in {b"{", b"["}:
                self._begin(sign, token.start())
            elif sign == b",":
                self._separate(token.start())
            elif _AFTER_TEXT.match(self.text, at) is None:
                at = self._resume_after(token.start() + 1)
        return None

    def _begin(self, sign: bytes, at: int) -> None:
        """Open a bracket; an object where a member's name must be is the next element."""
        is_next = sign == b"{" and self._open[-1:] == [b"{"] and not self.text[self._comma + 1 : at].strip()
        if is_next:
            self._close_all()
            self._end_element(self._comma)
        self._open.append(sign)
        self._open_counts[sign] += 1

    def _separate(self, at: int) -> None:
        """End an element at a comma, unless it is damaged and the rest of its members follows."""
        self._comma = at
        if self._open:
            return
        if _MEMBER.match(self.text, at + 1) is not None:
            self._is_damaged = self._is_damaged or not _is_json(self.text[self._element_start : at])
            if self._is_damaged:
                return
        self._end_element(at)

    def _close(self, sign: bytes, at: int) -> bool:
        """Close the bracket and those left open inside it; return whether it is the list's end."""
        opener = _OPENERS[sign]
        if self._open_counts[opener]:
            while (closed := self._open.pop()) != opener:
                self._open_counts[closed] -= 1
            self._open_counts[opener] -= 1
        elif sign == b"]" and self._may_end(at):
            self._end_element(at)
            return True
        return False

    def _resume_after(self, at: int) -> int:
        """Return where reading goes on after a text that has no end: at the next element, or at the list's end."""
        for match in _RESUMPTION.finditer(self.text, at):
            if match[0] == b"," or self._may_end(match.start()):
                self._close_all()
                return match.start()
        return len(self.text)

    def _close_all(self) -> None:
        self._open.clear()
        self._open_counts.clear()

    def _may_end(self, at: int) -> bool:
        self._end_checks += 1
        return self._end_checks <= MAX_END_CHECKS and self.is_end(at)

    def _end_element(self, at: int) -> None:
        if element := self.text[self._element_start : at].strip():
            self._elements.append(element)
        self._element_start, self._is_damaged = at + 1, False


def _is_json(text: bytes) -> bool:
    with suppress(msgspec.MsgspecError, ValueError, RecursionError):
        msgspec.json.decode(text, type=msgspec.Raw)
        return True
    return False
