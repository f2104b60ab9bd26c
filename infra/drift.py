"""Compares what is declared with what is there, thing by thing, field by field. It changes nothing, shows no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast, runtime_checkable

from infra.providers.resource_kind import ResourceSpec, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.providers.resource_kind import Props, ResourceKind, ResourceState

DriftState = Literal["missing", "changed", "foreign", "unplanned"]
SECRET_INPUTS = frozenset({"token", "password", "secret_files", "remote_token"})
"""Inputs whose values are never shown."""
MAX_SHOWN_LENGTH = 120


@dataclass(frozen=True, slots=True)
class Drift:
    """A thing that is not as declared: missing, another's (foreign), ours but not declared, or with another field."""

    name: str
    kind: str
    state: DriftState
    field: str = ""
    wanted: str = ""
    found: str = ""


@runtime_checkable
class LocatableKind(Protocol):
    """A kind that finds a thing without any state, by what its inputs say."""

    def locate(self, inputs: Props) -> ResourceState | None:
        """Return what is there under these inputs' name."""


def find_drifts(specs: Iterable[ResourceSpec], kind_of: Callable[[str], ResourceKind]) -> Iterator[Drift]:
    """Yield what differs; `kind_of` opens a kind by its name. Raises ProviderError when a server cannot be asked."""
    for spec in specs:
        kind = kind_of(spec.kind)
        inputs, _ = kind.check({}, spec.inputs)
        existing = find_resource(kind, inputs)
        if existing is None:
            yield Drift(spec.name, spec.kind, "missing")
        elif _is_not_owned(kind, inputs, existing):
            yield Drift(spec.name, spec.kind, "foreign")
        else:
            yield from _changed_inputs(spec, kind, inputs, existing)


def _is_not_owned(kind: ResourceKind, inputs: Props, existing: ResourceState) -> bool:
    """Tell whether it is another's; what has no description bears no mark, and belongs to whoever names it."""
    is_taggable = "description" in kind.inputs
    return is_taggable and existing.outputs.get("adopted") is True and inputs.get("adopt") is not True


def find_resource(kind: ResourceKind, inputs: Props) -> ResourceState | None:
    """Return what is there under the inputs' name; a kind whose name is its id is simply read."""
    if isinstance(kind, LocatableKind):
        return kind.locate(inputs)
    identifier = str(inputs.get("name") or inputs.get("folder") or "")
    return kind.read(identifier, inputs)


def _changed_inputs(spec: ResourceSpec, kind: ResourceKind, inputs: Props, existing: ResourceState) -> Iterator[Drift]:
    for name in sorted(difference(kind, existing.outputs, inputs).changed - _undeclared_secrets(inputs)):
        wanted, actual = (
            ("(hidden)", "(hidden)")
            if name in SECRET_INPUTS
            else render_values(inputs.get(name), existing.outputs.get(name))
        )
        yield Drift(spec.name, spec.kind, "changed", name, wanted, actual)


def _undeclared_secrets(inputs: Props) -> frozenset[str]:
    """Return the secret inputs that are not declared here: nobody can compare them."""
    return SECRET_INPUTS - frozenset(inputs)


def render_values(wanted: object, actual: object) -> tuple[str, str]:
    """Return two values for people, only what differs; of long texts no more than the line."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return _render_maps(wanted, actual)
    if isinstance(wanted, list) and isinstance(actual, list):
        return _render_items(wanted, actual), _render_items(actual, wanted)
    if isinstance(wanted, str) and isinstance(actual, str) and "\n" in wanted + actual:
        return f"{len(wanted.splitlines())} lines", f"differs from line {_first_different_line(wanted, actual)} on"
    return _render_value(wanted), _render_value(actual)


def _render_maps(wanted: Mapping[str, object], actual: Mapping[str, object]) -> tuple[str, str]:
    names = sorted(name for name in {*wanted, *actual} if wanted.get(name) != actual.get(name))
    sides = [render_values(wanted.get(name), actual.get(name)) for name in names]
    return _render_pairs(names, [side[0] for side in sides]), _render_pairs(names, [side[1] for side in sides])


def _render_pairs(names: list[str], values: list[str]) -> str:
    return _truncate("; ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True)))


def _render_items(these: list[object], others: list[object]) -> str:
    missing = [item for item in these if item not in others]
    return _truncate("; ".join(_render_value(item) for item in missing)) if missing else f"{len(these)} items"


def _first_different_line(wanted: str, actual: str) -> int:
    wanted_lines, actual_lines = wanted.splitlines(), actual.splitlines()
    different = (at for at, pair in enumerate(zip(wanted_lines, actual_lines, strict=False), 1) if pair[0] != pair[1])
    return next(different, min(len(wanted_lines), len(actual_lines)) + 1)


def _render_value(value: object) -> str:
    if isinstance(value, dict):
        return _truncate(", ".join(f"{name} {inner}" for name, inner in cast("dict[str, object]", value).items()))
    return "–" if value is None or value == "" else _truncate(str(value))


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[: MAX_SHOWN_LENGTH - 1]}…"


def local_file_specs(plan: StackPlan, options: StackOptions, root: str, inventory: str) -> tuple[ResourceSpec, ...]:
    """Return the files of the target `local` that hold no secret and nothing signed, below the project's folder."""
    from infra.targets.local import documents  # noqa: PLC0415 - only that target has it

    if options.target != "local":
        return ()
    folder = f"{root}/{options.local.folder}".removesuffix("/.")
    roles = {"motcua.env": documents.role_settings(plan, options, inventory, f"{folder}/roles")}
    specs = [ResourceSpec("role-files", "host.files", {"folder": f"{folder}/roles", "files": roles})]
    if options.broker.managed:
        texts = documents.broker_files(plan, options, f"{folder}/broker", options.local.broker_user)
        specs.append(ResourceSpec("broker-files", "host.files", {"folder": f"{folder}/broker", "files": texts}))
    return tuple(specs)
