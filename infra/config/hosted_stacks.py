"""The stack files of hosted systems in a folder: which cloud each is for, and what it lists. It judges nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.config.options import is_listed
from infra.config.stack_file import load_options
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from infra.config.options import StackOptions


@dataclass(frozen=True, slots=True)
class HostedStack:
    """A stack of hosted systems on Kubernetes: its name, its file for messages, its options."""

    name: str
    file: str
    options: StackOptions

    @property
    def listed_systems(self) -> tuple[str, ...]:
        """Return the systems that it lists; none is all."""
        return self.options.cloud.systems

    def deploys(self, name: str) -> bool:
        """Return whether the stack deploys a system, or the agents inside."""
        return is_listed(name, self.listed_systems)

    def is_beside(self, other: HostedStack) -> bool:
        """Return whether another stack is of the same inventory, stage and cluster."""
        own, others = self.options, other.options
        return (own.stage, own.inventory, own.kubernetes.context) == (
            others.stage, others.inventory, others.kubernetes.context
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class HostedStackFiles:
    """The stacks of hosted systems in a folder, by name, and the faults of the stack files that cannot be read."""

    stacks: Sequence[HostedStack]
    faults: Sequence[Fault]


def read_hosted_stacks(folder: Path) -> HostedStackFiles:
    """Return the stacks of hosted systems on Kubernetes whose files are in a folder."""
    stacks, faults = [], list[Fault]()
    for path in sorted(folder.glob("Pulumi.*.yaml")):
        try:
            options = load_options(path)
        except ConfigError as error:
            faults += error.faults
            continue
        if options.cloud.part == "hosted" and options.target == "kubernetes":
            name = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
            stacks.append(HostedStack(name, str(path), options))
    return HostedStackFiles(stacks, faults)
