"""Which characters the texts of an event may have, checked for many events at once; it must not decode anything.

A pattern in a struct costs the decoder 0.4 µs per field, more than all the rest of an event.  Here each distinct
word is looked at once: queues and services repeat, tickets do not.
"""

from __future__ import annotations

import re
from itertools import chain
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from telemetry.core.protocol import events as ev

_KNOWN = 50_000
_KEEP = "[a-z0-9-]{1,63}"
"""Ids are few and remembered; tickets and the like are not."""


class _Rule:
    """One field: how its words are got, and what they must look like."""

    def __init__(self, name: str, pattern: str, words_of: Callable[[Sequence[Any]], Iterable[str | None]]) -> None:
        self.name, self.pattern = name, pattern
        self.fits = re.compile(pattern).fullmatch
        self._words_of = words_of
        self._keeps = pattern == _KEEP

    def bad(self, group: Sequence[Any]) -> bool:
        """Tell whether a word of the field does not fit."""
        words = set(self._words_of(group)) - (_known if self._keeps else {None})
        if not words:
            return False
        if not all(map(self.fits, words)):  # type: ignore[arg-type]
            return True
        if self._keeps and len(_known) < _KNOWN:
            _known.update(words)
        return False


_known: set[str | None] = {None}


def _pattern(kind: object) -> str:
    """Return the pattern of a field's type, or nothing."""
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra or {}).get("pattern", ""))
    if isinstance(kind, inspect.UnionType):
        return next((found for part in kind.types if (found := _pattern(part))), "")
    return _pattern(kind.item_type) if isinstance(kind, inspect.VarTupleType) else ""


_all_rules: dict[type[Any], tuple[_Rule, ...]] = {}


def _rules(kind: type[Any]) -> tuple[_Rule, ...]:
    if kind not in _all_rules:
        _all_rules[kind] = _made(kind)
    return _all_rules[kind]


def _made(kind: type[Any]) -> tuple[_Rule, ...]:
    told = inspect.type_info(kind)
    assert isinstance(told, inspect.StructType)  # noqa: S101  # every event is one
    found: list[_Rule] = []
    for field in told.fields:
        get = attrgetter(field.name)
        inner = field.type.item_type if isinstance(field.type, inspect.VarTupleType) else None
        if isinstance(inner, inspect.StructType):
            found += [_nested(field.encode_name, get, rule) for rule in _rules(inner.cls)]
        elif pattern := _pattern(field.type):
            found.append(_Rule(field.encode_name, pattern, _joined(get) if inner is not None else _plain(get)))
    return tuple(found)


def _plain(get: Callable[[Any], str | None]) -> Callable[[Sequence[Any]], Iterable[str | None]]:
    return lambda group: map(get, group)


def _joined(get: Callable[[Any], Sequence[str]]) -> Callable[[Sequence[Any]], Iterable[str | None]]:
    return lambda group: chain.from_iterable(map(get, group))


def _nested(name: str, get: Callable[[Any], Sequence[Any]], rule: _Rule) -> _Rule:
    return _Rule(name, rule.pattern, lambda group: rule._words_of([x for event in group for x in get(event)]))  # noqa: SLF001


def well_worded(events: Iterable[ev.Event]) -> bool:
    """Tell whether all texts of all events have only the characters they may have."""
    groups: dict[type[ev.Event], list[ev.Event]] = {}
    for event in events:
        groups.setdefault(event.__class__, []).append(event)
    return not any(rule.bad(group) for kind, group in groups.items() for rule in _rules(kind))


def convert(loose: object, kind: Any) -> Any:  # noqa: ANN401  # as the library's own
    """Return the event a JSON value is; raises msgspec.ValidationError as if the patterns stood in the type."""
    event = msgspec.convert(loose, kind)
    for rule in _rules(type(event)):
        if rule.bad([event]):
            msg = f"Expected `str` matching regex '^{rule.pattern}$' - at `$.{rule.name}`"
            raise msgspec.ValidationError(msg)
    return event


def check_literal(literal: object, kind: object) -> None:
    """Check a value that a field of this type will get. Raises msgspec.ValidationError."""
    pattern = _pattern(inspect.type_info(kind))
    if pattern and isinstance(literal, str) and not re.fullmatch(pattern, literal):
        msg = f"Expected `str` matching regex '^{pattern}$'"
        raise msgspec.ValidationError(msg)
