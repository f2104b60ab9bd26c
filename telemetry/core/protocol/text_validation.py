"""Which characters the texts of an event may have, checked for many events at once; it must not decode anything.

A pattern in a struct costs the decoder 0.4 µs per field, more than all the rest of an event.  Here each distinct
text is checked once: queues and services repeat, tickets do not.
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

_MAX_SEEN_IDS = 50_000
_ID_PATTERN = "[a-z0-9-]{1,63}"
"""Ids are few, so valid ones are cached; tickets and the like are not."""


class _TextRule:
    """One field: how its texts are read, and the pattern they must match."""

    def __init__(self, name: str, pattern: str, texts_of: Callable[[Sequence[Any]], Iterable[str | None]]) -> None:
        self.name, self.pattern = name, pattern
        self.matches = re.compile(pattern).fullmatch
        self._texts_of = texts_of
        self._remembers = pattern == _ID_PATTERN

    def has_invalid(self, group: Sequence[Any]) -> bool:
        """Return whether a text of the field does not match."""
        texts = set(self._texts_of(group)) - (_seen_ids if self._remembers else {None})
        if not texts:
            return False
        if not all(map(self.matches, texts)):  # type: ignore[arg-type]
            return True
        if self._remembers and len(_seen_ids) < _MAX_SEEN_IDS:
            _seen_ids.update(texts)
        return False


_seen_ids: set[str | None] = {None}


def _pattern_of(kind: object) -> str:
    """Return the pattern of a field's type, None without one."""
    if isinstance(kind, inspect.Metadata):
        return str((kind.extra or {}).get("pattern", ""))
    if isinstance(kind, inspect.UnionType):
        return next((pattern for part in kind.types if (pattern := _pattern_of(part))), "")
    return _pattern_of(kind.item_type) if isinstance(kind, inspect.VarTupleType) else ""


_rules_by_type: dict[type[Any], tuple[_TextRule, ...]] = {}


def _rules_of(kind: type[Any]) -> tuple[_TextRule, ...]:
    if kind in _rules_by_type:
        return _rules_by_type[kind]
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)  # noqa: S101  # every event is one
    rules: list[_TextRule] = []
    for field in info.fields:
        get = attrgetter(field.name)
        item_type = field.type.item_type if isinstance(field.type, inspect.VarTupleType) else None
        if isinstance(item_type, inspect.StructType):
            rules += [_nested_rule(field.encode_name, get, rule) for rule in _rules_of(item_type.cls)]
        elif pattern := _pattern_of(field.type):
            texts_of = _single_texts(get) if item_type is None else _flattened_texts(get)
            rules.append(_TextRule(field.encode_name, pattern, texts_of))
    _rules_by_type[kind] = tuple(rules)
    return _rules_by_type[kind]


def _single_texts(get: Callable[[Any], str | None]) -> Callable[[Sequence[Any]], Iterable[str | None]]:
    return lambda group: map(get, group)


def _flattened_texts(get: Callable[[Any], Sequence[str]]) -> Callable[[Sequence[Any]], Iterable[str | None]]:
    return lambda group: chain.from_iterable(map(get, group))


def _nested_rule(name: str, get: Callable[[Any], Sequence[Any]], rule: _TextRule) -> _TextRule:
    return _TextRule(name, rule.pattern, lambda group: rule._texts_of([x for event in group for x in get(event)]))  # noqa: SLF001


def texts_are_valid(events: Iterable[ev.Event]) -> bool:
    """Return whether all texts of all events have only the characters they may have."""
    groups: dict[type[ev.Event], list[ev.Event]] = {}
    for event in events:
        groups.setdefault(event.__class__, []).append(event)
    return not any(rule.has_invalid(group) for kind, group in groups.items() for rule in _rules_of(kind))


def convert_event(value: object, kind: Any) -> Any:  # noqa: ANN401  # as the library's own
    """Return a JSON value as an event; raises msgspec.ValidationError for a text that violates its pattern."""
    event = msgspec.convert(value, kind)
    for rule in _rules_of(type(event)):
        if rule.has_invalid([event]):
            msg = f"Expected `str` matching regex '^{rule.pattern}$' - at `$.{rule.name}`"
            raise msgspec.ValidationError(msg)
    return event


def check_literal(literal: object, kind: object) -> None:
    """Check a value that a field of this type will get. Raises msgspec.ValidationError."""
    pattern = _pattern_of(inspect.type_info(kind))
    if pattern and isinstance(literal, str) and not re.fullmatch(pattern, literal):
        msg = f"Expected `str` matching regex '^{pattern}$'"
        raise msgspec.ValidationError(msg)
