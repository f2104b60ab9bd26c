"""The inputs of InfluxDB's kinds as tables: type, default, whether one must be given. Pure, asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.providers.resource_kind import Failure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.resource_kind import Props

_WORDS: Final = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}
_IDENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Field:
    """An input: its type, what stands for it when it is left out, and whether it must be given."""

    type: type
    default: object = None
    required: bool = False


def text(default: str | None = None) -> Field:
    """Return a text that may be left out."""
    return Field(str, default)


def must(type_: type = str) -> Field:
    """Return an input that must be given, and a text not empty."""
    return Field(type_, required=True)


def flag(*, default: bool = False) -> Field:
    """Return a yes or no."""
    return Field(bool, default)


def number(default: int | None = None) -> Field:
    """Return a whole number ≥ 0 that may be left out."""
    return Field(int, default)


def checked(fields: Mapping[str, Field], news: Props) -> tuple[dict[str, object], list[Failure]]:
    """Return the inputs with defaults, and what is missing, unknown or of a wrong type."""
    props = {name: field.default for name, field in fields.items() if field.default is not None}
    props |= {name: value for name, value in news.items() if value is not None}
    failures = [_unknown(name, fields) for name in sorted(news.keys() - fields.keys())]
    failures += [fault for name, field in fields.items() if (fault := _fault(name, field, props.get(name)))]
    return props, failures


def _unknown(name: str, fields: Mapping[str, Field]) -> Failure:
    return Failure(name, f"is unknown here; known are {', '.join(sorted(fields))}")


def _fault(name: str, field: Field, value: object) -> Failure | None:
    if value is None or value == "":
        return Failure(name, "is missing; give it") if field.required else None
    if not isinstance(value, field.type) or (field.type is int and isinstance(value, bool)):
        return Failure(name, f"is not {_WORDS[field.type]}; write {_WORDS[field.type]}")
    if isinstance(value, int) and value < 0:
        return Failure(name, "is below 0; write a number from 0 on")
    return None


def ident_fault(name: str, value: object) -> list[Failure]:
    """Return what is wrong with a name that goes into a mark."""
    if not isinstance(value, str) or not value or _IDENT.fullmatch(value):
        return []
    return [Failure(name, "goes into a mark; use letters, digits, dot, dash and underscore, at most 100")]


def whole(props: Props, name: str) -> int:
    """Return a number of the properties, 0 when it is absent."""
    value = props.get(name)
    return int(value) if isinstance(value, int | float) else 0


def word(props: Props, name: str) -> str:
    """Return a text of the properties, empty when it is absent."""
    value = props.get(name)
    return "" if value is None else str(value)
