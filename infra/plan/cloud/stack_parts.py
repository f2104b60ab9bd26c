"""Which of the hosted systems each stack deploys; the plan stays that of the whole province. Pure.

It must not read stack files or states, and compares nothing with what runs: `infra.plan.cloud.part_moves` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from infra.config.options import INSIDE_AGENTS, is_listed
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from infra.config.hosted_stacks import HostedStack
    from infra.plan.cloud.values import CloudPlan
    from telemetry.core.cloud.values import CloudDeclaration

OPTION: Final = "motcua:cloud.systems"
STACK_FILE: Final = "stack configuration"


@dataclass(frozen=True, slots=True)
class StackPart:
    """What one stack deploys of the hosted systems: their ids in order of the plan, and whether the agents inside."""

    systems: tuple[str, ...]
    inside_agents: bool = True

    @property
    def names(self) -> frozenset[str]:
        """Return the names by which a stack file would list all of it."""
        return frozenset((*self.systems, INSIDE_AGENTS) if self.inside_agents else self.systems)


def planned_part(plan: CloudPlan, listed: Sequence[str]) -> StackPart:
    """Return what a stack deploys. Raises ConfigError naming every listed name that is no hosted system."""
    faults = sorted(_unknown_names(plan.declaration, listed))
    if faults:
        raise ConfigError(faults)
    systems = tuple(system.id for system in plan.systems if is_listed(system.id, listed))
    return StackPart(systems, is_listed(INSIDE_AGENTS, listed))


def _unknown_names(declaration: CloudDeclaration, listed: Sequence[str]) -> Iterator[Fault]:
    renamed = {earlier: one.id for one in declaration.systems.values() for earlier in one.was}
    for name in listed:
        if name == INSIDE_AGENTS or name in declaration.systems:
            continue
        similar = get_close_matches(name, [*declaration.systems, INSIDE_AGENTS], 3, 0.5)
        remedy = f"write {' or '.join(similar)}" if similar else "write ids of systems with a table [system.hosted]"
        remedy = f"it was renamed: write {renamed[name]}" if name in renamed else remedy
        yield Fault(STACK_FILE, 0, OPTION, f"{name!r} is no hosted system", remedy)


def divided_faults(stacks: Sequence[HostedStack]) -> list[Fault]:
    """Return a fault for each system in two stack files of one cloud, and for agents apart from Motcua's own system.

    Two files without a list are left alone: each of them is a whole that somebody may want for a trial.
    """
    faults = list[Fault]()
    names = dict.fromkeys(name for stack in stacks for name in stack.listed_systems)
    for name in names:
        files = [stack.file for stack in stacks if stack.deploys(name)]
        if len(files) > 1:
            remedy = "let one of them list it; a file without cloud.systems deploys all"
            faults.append(Fault(files[-1], 0, OPTION, f"{name} is in {' and '.join(files)}", remedy))
    for stack in stacks:
        own_system = stack.options.cloud.own_system
        if own_system and not stack.deploys(INSIDE_AGENTS):
            problem = f"leaves out {INSIDE_AGENTS}, which report to the broker of {own_system}"
            faults.append(Fault(stack.file, 0, OPTION, problem, f"list {INSIDE_AGENTS} here"))
    return faults


def undeployed_names(stacks: Sequence[HostedStack], plan: CloudPlan) -> tuple[str, ...]:
    """Return the systems, and the agents inside, that no stack file of one cloud deploys."""
    names = (*(system.id for system in plan.systems), INSIDE_AGENTS)
    return tuple(name for name in names if not any(stack.deploys(name) for stack in stacks))
