"""The inputs of InfluxDB's kinds as tables: type, default, whether one must be given. Pure, asks nobody."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.providers.resource_kind import InputFault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from infra.providers.resource_kind import Props

_TYPE_WORDS: Final = {str: "a text", int: "a whole number", bool: "true or false", list: "a list"}
_TAG_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class InputField:
    """An input: its type, what stands for it when it is left out, and whether it must be given."""

    type: type
    default: object = None
    required: bool = False


def optional_text(default: str | None = None) -> InputField:
    """Return a text that may be left out."""
    return InputField(str, default)


def required(type_: type = str) -> InputField:
    """Return an input that must be given, and a text not empty."""
    return InputField(type_, required=True)


def boolean(*, default: bool = False) -> InputField:
    """Return a yes or no."""
    return InputField(bool, default)


def optional_number(default: int | None = None) -> InputField:
    """Return a whole number ≥ 0 that may be left out."""
    return InputField(int, default)


def check_fields(fields: Mapping[str, InputField], news: Props) -> tuple[dict[str, object], list[InputFault]]:
    """Return the inputs with defaults, and what is missing, unknown or of a wrong type."""
    props = {name: field.default for name, field in fields.items() if field.default is not None}
    props |= {name: value for name, value in news.items() if value is not None}
    failures = [_unknown_input(name, fields) for name in sorted(news.keys() - fields.keys())]
    failures += [fault for name, field in fields.items() if (fault := _value_fault(name, field, props.get(name)))]
    return props, failures


def _unknown_input(name: str, fields: Mapping[str, InputField]) -> InputFault:
    return InputFault(name, f"is unknown here; known are {', '.join(sorted(fields))}")


def _value_fault(name: str, field: InputField, value: object) -> InputFault | None:
    if value is None or value == "":
        return InputFault(name, "is missing; give it") if field.required else None
    if not isinstance(value, field.type) or (field.type is int and isinstance(value, bool)):
        return InputFault(name, f"is not {_TYPE_WORDS[field.type]}; write {_TYPE_WORDS[field.type]}")
    if isinstance(value, int) and value < 0:
        return InputFault(name, "is below 0; write a number from 0 on")
    return None


def tag_name_faults(name: str, value: object) -> list[InputFault]:
    """Return what is wrong with a name that goes into a mark."""
    if not isinstance(value, str) or not value or _TAG_NAME.fullmatch(value):
        return []
    return [InputFault(name, "goes into a mark; use letters, digits, dot, dash and underscore, at most 100")]


def as_int(props: Props, name: str) -> int:
    """Return a number of the properties, 0 when it is absent."""
    value = props.get(name)
    return int(value) if isinstance(value, int | float) else 0


def as_text(props: Props, name: str) -> str:
    """Return a text of the properties, empty when it is absent."""
    value = props.get(name)
    return "" if value is None else str(value)
