"""Systems that go from one stack to another: refused until their state was moved, then compared with its record. Pure.

It must not read a state: it gets what the stacks' outputs and states name.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from infra.config.options import INSIDE_AGENTS
from infra.plan.cloud.data_loss import RECORD_OUTPUT
from infra.plan.cloud.record import CloudRecord, decode_cloud_record, part_of_record
from infra.plan.cloud.stack_parts import OPTION, STACK_FILE
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from infra.plan.cloud.stack_parts import StackPart
    from infra.plan.cloud.values import CloudPlan

SYSTEMS_OUTPUT: Final = "systems"
AGENTS_OUTPUT: Final = "insideAgents"
HOW_TO: Final = "docs/how-to/divide-the-hosted-systems.md"
_TYPES: Final = {
    "system": "motcua:cloud:Province$motcua:cloud:System",
    "agents": "motcua:platform:Province$motcua:cloud:Part",
}


@dataclass(frozen=True, slots=True)
class RunStack:
    """A stack as its last run left it: the names that its outputs say it deploys, and its record of the systems."""

    name: str
    deployed: frozenset[str] = frozenset()
    record: CloudRecord = field(default_factory=CloudRecord)


@dataclass(frozen=True, slots=True)
class PartMoves:
    """Which names leave a stack, and which come to it from the stack that runs them so far: name → stack."""

    leaving: tuple[str, ...]
    coming: Mapping[str, str]

    @property
    def is_empty(self) -> bool:
        """Return whether nothing moves."""
        return not self.leaving and not self.coming


def run_stack(name: str, outputs: Mapping[str, Any]) -> RunStack:
    """Return a stack from its outputs, empty ones before its first run."""
    systems = outputs.get(SYSTEMS_OUTPUT)
    deployed = [str(one) for one in systems] if isinstance(systems, list) else []
    if deployed and outputs.get(AGENTS_OUTPUT, True):
        deployed.append(INSIDE_AGENTS)
    record = decode_cloud_record(str(outputs.get(RECORD_OUTPUT, "")))
    return RunStack(name, frozenset(deployed), record or CloudRecord())


def part_moves(plan: CloudPlan, part: StackPart, own: RunStack, others: Iterable[RunStack]) -> PartMoves:
    """Return what leaves the stack though it is still declared, and what another stack has run so far."""
    names = _earlier_names(plan)
    leaving = [name for name, earlier in names.items() if name not in part.names and own.deployed & earlier]
    coming = {
        name: other.name
        for other in others
        for name in sorted(part.names)
        if not own.deployed & names[name] and other.deployed & names[name]
    }
    return PartMoves(tuple(leaving), coming)


def check_moves(plan: CloudPlan, moves: PartMoves, own: str, project: str, in_state: Collection[str]) -> None:
    """Check that the state has what comes and has not what leaves; `in_state`: names of systems and agents in it.

    Raises ConfigError with the commands that move them.
    """
    names, faults = _earlier_names(plan), []
    staying = {name: sorted(names[name].intersection(in_state)) for name in moves.leaving}
    if any(staying.values()):
        shown = ", ".join(name for name, there in staying.items() if there)
        command = _move_command(own, "OTHER", project, [one for there in staying.values() for one in there])
        faults.append(Fault(STACK_FILE, 0, OPTION, f"leaves out {shown}, which this stack runs: it would be deleted",
                            f"list it again, or move its state first: {command}"))  # fmt: skip
    missing = [name for name in moves.coming if not names[name].intersection(in_state)]
    for source in dict.fromkeys(moves.coming[name] for name in missing):
        here = [name for name in missing if moves.coming[name] == source]
        problem = f"takes {', '.join(here)}, which the stack {source} runs: it would be made a second time"
        command = _move_command(source, own, project, here)
        faults.append(Fault(STACK_FILE, 0, OPTION, problem, f"move its state first: {command}"))
    if faults:
        raise ConfigError(faults)


def departed_ids(plan: CloudPlan, moves: PartMoves) -> frozenset[str]:
    """Return the ids, earlier ones too, of what leaves the stack."""
    names = _earlier_names(plan)
    return frozenset(ident for name in moves.leaving for ident in names[name])


def moved_record(plan: CloudPlan, moves: PartMoves, others: Iterable[RunStack]) -> CloudRecord:
    """Return the record of the systems that have come, as the stacks that ran them left it."""
    names = _earlier_names(plan)
    merged = CloudRecord()
    for other in others:
        idents = {one for name, source in moves.coming.items() if source == other.name for one in names[name]}
        merged = merged.union(part_of_record(other.record, idents))
    return merged


def _earlier_names(plan: CloudPlan) -> dict[str, frozenset[str]]:
    """Return every name that a stack may list, with the ids that a system had before."""
    names = {system.id: frozenset((system.id, *system.declared.was)) for system in plan.systems}
    return {**names, INSIDE_AGENTS: frozenset((INSIDE_AGENTS,))}


def _move_command(source: str, target: str, project: str, names: Iterable[str]) -> str:
    kinds = {name: _TYPES["agents" if name == INSIDE_AGENTS else "system"] for name in names}
    urns = " ".join(f"'urn:pulumi:{source}::{project}::{kind}::{name}'" for name, kind in kinds.items())
    return f"`pulumi state move --source {source} --dest {target} {urns}` ({HOW_TO})"
