"""What every resource kind does: check, diff, create, read, update, delete; how its inputs are read. No Pulumi here.

Properties are plain JSON values: texts, whole numbers, booleans, lists and mappings; absent instead of None. The
inputs of a kind are a pydantic model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol, TypeVar, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
)

Props = Mapping[str, object]


class ProviderError(Exception):
    """A server refused or cannot be reached. The text names the problem and its remedy and never contains a secret."""


@dataclass(frozen=True, slots=True)
class InputFault:
    """An input that cannot be used: which one, and why with the remedy."""

    field: str
    reason: str


class InputFaults(list[InputFault]):
    """The faults of one resource's inputs."""

    def add(self, name: str, reason: str) -> None:
        """Add a fault."""
        self.append(InputFault(name, reason))

    def has_any(self, *names: str) -> bool:
        """Return whether one of these inputs has a fault."""
        return any(fault.field in names for fault in self)


class KindInputs(BaseModel):
    """The inputs of one kind; a field without a default must be given, and a text must not be empty.

    `read_inputs` collects the faults of all fields: a faulty field is None, so check the faults before its value.
    """

    model_config = ConfigDict(
        frozen=True, extra="ignore", strict=True, arbitrary_types_allowed=True, hide_input_in_errors=True
    )

    @field_validator("*", mode="wrap")
    @classmethod
    def _collect_faults(
        cls, value: object, handler: ValidatorFunctionWrapHandler, info: ValidationInfo[InputFaults]
    ) -> object:
        name, faults = str(info.field_name), info.context
        if value is None or value == "":
            if cls.model_fields[name].is_required():
                faults.add(name, "is missing; give it")
            return value
        try:
            return handler(value)
        except ValidationError as error:
            faults.add(name, "; ".join(dict.fromkeys(_fault_text(detail) for detail in error.errors())))
        return None


Inputs = TypeVar("Inputs", bound=KindInputs)
_TYPE_TEXTS = {
    "string_type": "a text", "int_type": "a whole number", "bool_type": "true or false", "list_type": "a list",
    "dict_type": "a mapping",
}  # fmt: skip


def read_inputs(model: type[Inputs], values: Props) -> tuple[Inputs, InputFaults]:
    """Return the inputs of a kind and everything that is wrong with single inputs."""
    faults, fields = InputFaults(), model.model_fields
    for name in sorted(values.keys() - fields.keys()):
        faults.add(name, f"is unknown here; known are {', '.join(sorted(fields))}")
    required = {name: None for name, declared in fields.items() if declared.is_required()}
    given = {name: value for name, value in values.items() if value is not None and name in fields}
    return model.model_validate(required | given, context=faults), faults


def input_defaults(model: type[KindInputs]) -> dict[str, object]:
    """Return the defaults of a kind's inputs; an input that may be absent has none."""
    fields = model.model_fields.items()
    defaults = {n: f.get_default(call_default_factory=True) for n, f in fields if not f.is_required()}
    return {name: value for name, value in defaults.items() if value is not None}


def _fault_text(detail: Mapping[str, object]) -> str:
    """Return what a validation error means, with a remedy and without the value, which may be a secret."""
    location = cast("tuple[int | str, ...]", detail["loc"])
    place = "" if "[key]" in location else ".".join(part for part in location if isinstance(part, str))
    return f"{place}: {_error_text(detail)}" if place else _error_text(detail)


def _error_text(detail: Mapping[str, object]) -> str:
    kind, context = str(detail["type"]), detail.get("ctx")
    if kind == "missing":
        return "is missing; give it"
    if kind in _TYPE_TEXTS:
        return f"is not {_TYPE_TEXTS[kind]}; write {_TYPE_TEXTS[kind]}"
    if isinstance(context, dict):
        if kind == "value_error":
            return str(context["error"])
        if kind == "greater_than_equal":
            return f"is below {context['ge']}; write a whole number from {context['ge']} on"
        if kind == "literal_error":
            expected = str(context["expected"]).replace("'", "")
            return f"is not {expected}; write one of them"
    return f"{detail['msg']}; correct it"


@dataclass(frozen=True, slots=True)
class Difference:
    """The inputs that differ, those that need a replacement, and whether the old resource must be deleted first."""

    changed: frozenset[str] = frozenset()
    replaces: frozenset[str] = frozenset()
    delete_first: bool = False


@dataclass(frozen=True, slots=True)
class ResourceState:
    """An existing resource: its id, all outputs (inputs included), and the inputs that would create it as it is."""

    id: str
    outputs: Props
    inputs: Props


class ResourceKind(Protocol):
    """One kind of resource on one server.

    `inputs` names all inputs, `immutable` those whose change needs a replacement, `secret_outputs` the outputs that are
    secret although no input of that name is. Outputs are every input and what the server added. Every method raises
    ProviderError; `create` is an upsert by name, so that a create that failed half-way can be run again.
    """

    inputs: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]]
    secret_outputs: ClassVar[tuple[str, ...]]
    delete_first: ClassVar[bool]

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Return the inputs with defaults filled in, and every fault; queries no server.

        `olds` are the inputs of the last run, empty before the first.
        """

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Return whether two values of an input mean the same."""

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Create it, or take over the result of an interrupted create. Returns id and outputs."""

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return its present state, or None when the right server answers that it does not exist."""

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Apply `news`; `olds` are the previous outputs. Returns all outputs."""

    def delete(self, ident: str, outputs: Props) -> None:
        """Delete it; one that no longer exists is no error."""


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A resource that the plan declares: its name in the stack, its kind, its inputs."""

    name: str
    kind: str
    inputs: Props = field(default_factory=dict)


def difference(kind: ResourceKind, olds: Props, news: Props) -> Difference:
    """Compare the previous outputs with the present inputs, input by input."""
    changed = frozenset(name for name in kind.inputs if not _is_unchanged(kind, name, olds, news))
    return Difference(changed, changed & kind.immutable, kind.delete_first)


def _is_unchanged(kind: ResourceKind, name: str, olds: Props, news: Props) -> bool:
    old, new = olds.get(name), news.get(name)
    if old is None or new is None:
        return old is new
    return old == new or kind.is_equivalent(name, old, new)
