"""What every kind of provisioned thing answers: check, diff, create, read, update, delete. It must not know Pulumi.

Properties are plain JSON values: text, whole numbers, truth, lists and mappings; absent instead of None.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

Props = Mapping[str, object]


class ProviderError(Exception):
    """A server refused or could not be reached. Its text names what and the way out, and never holds a secret."""


@dataclass(frozen=True, slots=True)
class InputFault:
    """An input that cannot be used: which one, and why with the remedy."""

    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Difference:
    """The inputs that differ, those of them that need a new thing, and whether the old one must go first."""

    changed: frozenset[str] = frozenset()
    replaces: frozenset[str] = frozenset()
    delete_first: bool = False


@dataclass(frozen=True, slots=True)
class ResourceState:
    """What is there: its id, all outputs (inputs included), and the inputs that would make it as it is."""

    id: str
    outputs: Props
    inputs: Props


class ResourceKind(Protocol):
    """One kind of thing on one server.

    `inputs` names all inputs, `fixed` those whose change needs a new thing, `secrets` the outputs that are secret
    though no input of that name is. Outputs hold every input and what the server added. Every method raises
    ProviderError; `create` is an upsert by name, so that a create that died half-way can be run again.
    """

    inputs: ClassVar[frozenset[str]]
    immutable: ClassVar[frozenset[str]]
    secret_outputs: ClassVar[tuple[str, ...]]
    delete_first: ClassVar[bool]

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Return the inputs with defaults filled in, and what is wrong with them; asks no server.

        `olds` are the inputs of the last run, empty before the first.
        """

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Tell whether two values of an input mean the same."""

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Make it, or take over what a create that died has left. Returns id and outputs."""

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return what is there now, or None when the right server says that it is gone."""

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Bring it to `news`; `olds` are the outputs of before. Returns all outputs."""

    def delete(self, ident: str, outputs: Props) -> None:
        """Remove it; what is gone already is no error."""


@dataclass(frozen=True, slots=True)
class ResourceSpec:
    """A thing that the plan wants: its name in the stack, its kind, its inputs."""

    name: str
    kind: str
    inputs: Props = field(default_factory=dict)


def difference(kind: ResourceKind, olds: Props, news: Props) -> Difference:
    """Compare the outputs of before with the inputs of now, input by input."""
    changed = frozenset(name for name in kind.inputs if not _is_unchanged(kind, name, olds, news))
    return Difference(changed, changed & kind.immutable, kind.delete_first)


def _is_unchanged(kind: ResourceKind, name: str, olds: Props, news: Props) -> bool:
    old, new = olds.get(name), news.get(name)
    if old is None or new is None:
        return old is new
    return old == new or kind.is_equivalent(name, old, new)
