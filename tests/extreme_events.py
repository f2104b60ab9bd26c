"""Every field of every message at its extremes, derived from the types of the wire contract; it must hold no test."""

from __future__ import annotations

import re
from functools import singledispatch
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw, inspect

from telemetry.core.protocol import events as ev

if TYPE_CHECKING:
    from random import Random

LARGEST_COMMON_LIST = 3
"""Lists at their longest take most of a frame, so they are rare (`RARELY`)."""
RARELY = 0.01
_ODD_TEXTS = (
    "ế", "e\u0302\u0301", "\x00", "\u202ekcab", "\ufeff", "\U0001f469\u200d\U0001f467", "a\n", " ", "../..", "<b>",
    "%s", "{}", "'--", Raw(b'"\\ud800"'), Raw(b'"\\u0000"'),
)  # fmt: skip
_ODD_NUMBERS = (
    1e20, -1e20, 5e-324, Raw(b"9" * 5_000), Raw(b"-" + b"9" * 400), Raw(b"1e999"), Raw(b"1E400"),
    Raw(b"9223372036854775808"), Raw(b"18446744073709551616"),
)  # fmt: skip
_OTHER_TYPES: tuple[Any, ...] = (None, True, "", "1", [], {}, [[]], {"a": 1}, 1.5, Raw(b"[" * 60 + b"]" * 60))
_ODD_NAMES = ("extra", "name", "", "ế", "a" * 5_000, "t\x00")
_SHAPE_CHARACTERS = "az0A9Z-_.+:"
_ODD_BODIES = (
    b"",
    b"\xff",
    b"[" * 100_000,
    b"null",
    b"[]",
    b"{}",
    b"\x00" * 100,
    b"\xef\xbb\xbf{}",
    "{}".encode("utf-16"),
)


class ExtremeEvents:
    """Draws events; `declared` gives for a field's name the values that the inventory knows."""

    def __init__(self, random: Random, declared: dict[str, tuple[Any, ...]]) -> None:
        self._random, self._declared = random, declared
        self._fields: dict[type[Any], tuple[inspect.Field, ...]] = {}
        self._scalars: dict[int, tuple[inspect.Type, list[Any]]] = {}

    def valid_event(self, n: int, t: int) -> dict[str, Any]:
        """Return an event in which each field has one of its extremes, a declared value, or its default."""
        kind = self._random.choice(ev.AGENT_EVENTS)
        tag = str(kind.__struct_config__.tag)
        return {"type": tag, **self._valid_struct(kind, t), "n": n, "t": t}

    def spoiled_event(self, n: int, t: int) -> dict[str, Any]:
        """Return an event with one fault: a value out of its range, of another type, missing or superfluous."""
        event = self.valid_event(n, t)
        kind = next(k for k in ev.AGENT_EVENTS if k.__struct_config__.tag == event["type"])
        field = self._random.choice([f for f in self._fields_of(kind) if f.encode_name != "n"])
        fault = self._random.randrange(8)
        if fault == 0 and field.required:
            del event[field.encode_name]
        elif fault == 1:
            event[self._random.choice(_ODD_NAMES)] = self._random.choice(_OTHER_TYPES)
        elif fault == 2:
            event["type"] = self._random.choice(["", "ticket.teleported", "device.status", "platform.beat", 5, None])
        else:
            outside = [v for v in self._outside(field.type) if not _fits(v, field.type)]
            event[field.encode_name] = self._random.choice(outside)
        return event

    def message(self, kind: type[Any], t: int) -> bytes:
        """Return the JSON of a message of the type, good or not, and sometimes bytes that are none."""
        chance, body = self._random.random(), self._valid_struct(kind, t)
        if chance < 0.2:
            field = self._random.choice(self._fields_of(kind))
            body[field.encode_name] = self._random.choice(self._outside(field.type))
        elif chance < 0.25:
            body[self._random.choice(_ODD_NAMES)] = self._random.choice(_OTHER_TYPES)
        elif chance < 0.3:
            return self._random.choice(_ODD_BODIES)
        payload = msgspec.json.encode(body)
        return payload[: self._random.randrange(len(payload))] if chance > 0.98 else payload

    def _fields_of(self, kind: type[Any]) -> tuple[inspect.Field, ...]:
        if kind not in self._fields:
            info = inspect.type_info(kind)
            assert isinstance(info, inspect.StructType)
            self._fields[kind] = info.fields
        return self._fields[kind]

    def _valid_struct(self, kind: type[Any], t: int) -> dict[str, Any]:
        values = {}
        for field in self._fields_of(kind):
            if not field.required and self._random.random() < 0.4:
                continue
            declared = self._declared.get(field.encode_name, ())
            is_near = isinstance(_plain(field.type), inspect.IntType) and self._random.random() < 0.5
            if declared and self._random.random() < 0.7:
                values[field.encode_name] = self._random.choice(declared)
            elif is_near and _fits(near := t - self._random.randrange(3_600_000), field.type):
                values[field.encode_name] = near
            else:
                values[field.encode_name] = self._random.choice(self._extremes(field.type))
        return values

    def _extremes(self, kind: inspect.Type) -> list[Any]:
        """Return the values at the ends of a type's range."""
        plain = _plain(kind)
        if isinstance(plain, inspect.UnionType):
            return [value for part in plain.types for value in self._extremes(part)]
        if isinstance(plain, inspect.StructType):
            return [self._valid_struct(plain.cls, 0)]
        if isinstance(plain, inspect.TupleType):
            return [[self._random.choice(self._extremes(item)) for item in plain.item_types]]
        if isinstance(plain, inspect.DictType):
            keys, values = self._extremes(plain.key_type), self._extremes(plain.value_type)
            return [{}, {self._random.choice(keys): self._random.choice(values)}]
        if isinstance(plain, inspect.CollectionType):
            is_long = self._random.random() < RARELY
            longest = plain.max_length if is_long and plain.max_length else LARGEST_COMMON_LIST
            return [[self._random.choice(self._extremes(plain.item_type)) for _ in range(n)] for n in (0, 1, longest)]
        if id(kind) not in self._scalars:  # they take most of the time; the type is kept so that its id stays its own
            self._scalars[id(kind)] = kind, _scalar_extremes(kind)
        return self._scalars[id(kind)][1]

    def _outside(self, kind: inspect.Type) -> list[Any]:
        """Return values just outside a type's range, odd ones and those of other types; some may be valid."""
        kind = _plain(kind)
        outside: list[Any] = [*_OTHER_TYPES, *_ODD_TEXTS, *_ODD_NUMBERS]
        if isinstance(kind, inspect.UnionType):
            outside += [value for part in kind.types if not isinstance(part, inspect.NoneType)
                        for value in self._outside(part)]  # fmt: skip
        elif isinstance(kind, inspect.IntType | inspect.FloatType):
            outside += [*((kind.ge or 0) - 1, (kind.le or 0) + 1, (kind.ge or 0) - 0.5)]
        elif isinstance(kind, inspect.StrType):
            outside += ["a" * ((kind.max_length or 0) + 1), "a" * 10_000, "ế" * (kind.max_length or 1)]
        elif isinstance(kind, inspect.CollectionType) and self._random.random() < RARELY:
            outside.append([self._extremes(kind.item_type)[0]] * ((kind.max_length or 0) + 1))
        return outside


def _plain(kind: inspect.Type) -> inspect.Type:
    """Return a type without its declaration of characters."""
    return kind.type if isinstance(kind, inspect.Metadata) else kind


def _scalar_extremes(kind: inspect.Type) -> list[Any]:
    plain = _plain(kind)
    if isinstance(plain, inspect.IntType | inspect.FloatType):
        ends = (plain.ge, plain.le, None if plain.ge is None else plain.ge + 1)
        return [end for end in ends if end is not None]
    if isinstance(plain, inspect.StrType):
        lengths = sorted({max(plain.min_length or 0, 1), plain.min_length or 0, plain.max_length or 64})
        return [text for c in _SHAPE_CHARACTERS for length in lengths if _fits(text := c * length, kind)]
    if isinstance(plain, inspect.LiteralType):
        return list(plain.values)
    return [True, False] if isinstance(plain, inspect.BoolType) else [None]


@singledispatch
def _fits_type(kind: inspect.Type, value: object) -> bool:
    """Return whether a value fits a type; judged by its declaration, not by the decoder."""
    del kind
    return isinstance(value, list) and not value  # of a list, only the empty one is drawn as odd value


@_fits_type.register
def _(kind: inspect.DictType, value: object) -> bool:
    is_dict = isinstance(value, dict)
    return is_dict and all(_fits(k, kind.key_type) and _fits(v, kind.value_type) for k, v in value.items())  # type: ignore[attr-defined]


@_fits_type.register
def _(kind: inspect.Metadata, value: object) -> bool:
    pattern = (kind.extra or {}).get("pattern")
    has_shape = not isinstance(value, str) or not pattern or re.fullmatch(pattern, value) is not None
    return has_shape and _fits(value, kind.type)


@_fits_type.register
def _(kind: inspect.UnionType, value: object) -> bool:
    return any(_fits(value, part) for part in kind.types)


@_fits_type.register
def _(kind: inspect.NoneType, value: object) -> bool:
    del kind
    return value is None


@_fits_type.register
def _(kind: inspect.BoolType, value: object) -> bool:
    del kind
    return isinstance(value, bool)


@_fits_type.register
def _(kind: inspect.IntType, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and _is_within(value, kind.ge, kind.le)


@_fits_type.register
def _(kind: inspect.FloatType, value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and _is_within(value, kind.ge, kind.le)


@_fits_type.register
def _(kind: inspect.StrType, value: object) -> bool:
    return isinstance(value, str) and (kind.min_length or 0) <= len(value) <= (kind.max_length or 1 << 30)


@_fits_type.register
def _(kind: inspect.LiteralType, value: object) -> bool:
    return isinstance(value, str | int) and value in kind.values


def _fits(value: object, kind: inspect.Type) -> bool:
    return bool(_fits_type(kind, value))


def _is_within(value: float, low: float | None, high: float | None) -> bool:
    return (low is None or value >= low) and (high is None or value <= high)
