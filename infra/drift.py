"""Compares what is declared with what is there, thing by thing, field by field. It changes nothing, shows no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, cast, runtime_checkable

from infra.providers.resource_kind import Declared, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from infra.config.options import Options
    from infra.plan import Plan
    from infra.providers.resource_kind import Found, Kind, Props

State = Literal["missing", "changed", "foreign", "unplanned"]
HIDDEN = frozenset({"token", "password", "secret_files", "remote_token"})
"""Inputs whose values are never shown."""
LONGEST = 120


@dataclass(frozen=True, slots=True)
class Drift:
    """A thing that is not as declared: missing, another's (foreign), ours but not declared, or with another field."""

    name: str
    kind: str
    state: State
    field: str = ""
    wanted: str = ""
    found: str = ""


@runtime_checkable
class Locates(Protocol):
    """A kind that finds a thing without any state, by what its inputs say."""

    def locate(self, inputs: Props) -> Found | None:
        """Return what is there under these inputs' name."""


def drifts(things: Iterable[Declared], kind_of: Callable[[str], Kind]) -> Iterator[Drift]:
    """Yield what differs; `kind_of` opens a kind by its name. Raises ProviderError when a server cannot be asked."""
    for thing in things:
        kind = kind_of(thing.kind)
        inputs, _ = kind.check({}, thing.inputs)
        found = located(kind, inputs)
        if found is None:
            yield Drift(thing.name, thing.kind, "missing")
        elif _foreign(kind, inputs, found):
            yield Drift(thing.name, thing.kind, "foreign")
        else:
            yield from _changed(thing, kind, inputs, found)


def _foreign(kind: Kind, inputs: Props, found: Found) -> bool:
    """Tell whether it is another's; what has no description bears no mark, and belongs to whoever names it."""
    marked = "description" in kind.inputs
    return marked and found.outputs.get("adopted") is True and inputs.get("adopt") is not True


def located(kind: Kind, inputs: Props) -> Found | None:
    """Return what is there under the inputs' name; a kind whose name is its id is simply read."""
    if isinstance(kind, Locates):
        return kind.locate(inputs)
    ident = str(inputs.get("name") or inputs.get("folder") or "")
    return kind.read(ident, inputs)


def _changed(thing: Declared, kind: Kind, inputs: Props, found: Found) -> Iterator[Drift]:
    for name in sorted(difference(kind, found.outputs, inputs).changed - _untold(inputs)):
        wanted, there = ("(hidden)", "(hidden)") if name in HIDDEN else shown(inputs.get(name), found.outputs.get(name))
        yield Drift(thing.name, thing.kind, "changed", name, wanted, there)


def _untold(inputs: Props) -> frozenset[str]:
    """Return the secret inputs that are not declared here: nobody can compare them."""
    return HIDDEN - frozenset(inputs)


def shown(wanted: object, found: object) -> tuple[str, str]:
    """Return two values for people, only what differs; of long texts no more than the line."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return _shown_maps(wanted, found)
    if isinstance(wanted, list) and isinstance(found, list):
        return _items(wanted, found), _items(found, wanted)
    if isinstance(wanted, str) and isinstance(found, str) and "\n" in wanted + found:
        return f"{len(wanted.splitlines())} lines", f"differs from line {_line(wanted, found)} on"
    return _short(wanted), _short(found)


def _shown_maps(wanted: Mapping[str, object], found: Mapping[str, object]) -> tuple[str, str]:
    names = sorted(name for name in {*wanted, *found} if wanted.get(name) != found.get(name))
    sides = [shown(wanted.get(name), found.get(name)) for name in names]
    return _short_all(names, [side[0] for side in sides]), _short_all(names, [side[1] for side in sides])


def _short_all(names: list[str], values: list[str]) -> str:
    return _cut("; ".join(f"{name}: {value}" for name, value in zip(names, values, strict=True)))


def _items(these: list[object], others: list[object]) -> str:
    only = [one for one in these if one not in others]
    return _cut("; ".join(_short(one) for one in only)) if only else f"{len(these)} items"


def _line(wanted: str, found: str) -> int:
    ours, theirs = wanted.splitlines(), found.splitlines()
    same = (at for at, pair in enumerate(zip(ours, theirs, strict=False), 1) if pair[0] != pair[1])
    return next(same, min(len(ours), len(theirs)) + 1)


def _short(value: object) -> str:
    if isinstance(value, dict):
        return _cut(", ".join(f"{name} {inner}" for name, inner in cast("dict[str, object]", value).items()))
    return "–" if value is None or value == "" else _cut(str(value))


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def files(plan: Plan, options: Options, root: str, inventory: str) -> tuple[Declared, ...]:
    """Return the files of the target `local` that hold no secret and nothing signed, below the project's folder."""
    from infra.targets.local import documents  # noqa: PLC0415 - only that target has it

    if options.target != "local":
        return ()
    folder = f"{root}/{options.local.folder}".removesuffix("/.")
    roles = {"motcua.env": documents.settings(plan, options, inventory, f"{folder}/roles")}
    found = [Declared("role-files", "host.files", {"folder": f"{folder}/roles", "files": roles})]
    if options.broker.managed:
        texts = documents.broker_files(plan, options, f"{folder}/broker", options.local.broker_user)
        found.append(Declared("broker-files", "host.files", {"folder": f"{folder}/broker", "files": texts}))
    return tuple(found)
