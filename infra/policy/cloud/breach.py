"""A breach of a rule over hosted systems, before its severity is known. It must not decide what is a breach."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from infra.policy.cloud.catalogue import CLOUD_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.sentences import Sentence
    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from telemetry.core.cloud.values import Component

CLOUD: Final = "cloud"
"""The place of a breach that is of no single system."""


@dataclass(frozen=True, slots=True)
class CloudBreach:
    """What is wrong at a place: a system, `system/component`, or `cloud`; never the value of a secret.

    `level` is that of the system concerned; `clause` is set where it is more exact than the rule's own.
    `is_hint`: a hint whatever the rule's severity.
    """

    rule: str
    place: str
    problem: Sentence
    remedy: Sentence
    level: int = 1
    declared_at: str = ""
    clause: str = ""
    is_hint: bool = False

    @property
    def where(self) -> str:
        """Return the place with the file and line that declares it."""
        return f"{self.place} ({self.declared_at})" if self.declared_at else self.place


def all_systems(plan: CloudPlan) -> tuple[SystemPlan, ...]:
    """Return every declared system, those that no shared cloud may host as well, in order of id."""
    return tuple(sorted((*plan.systems, *plan.refused), key=lambda system: system.id))


def systems_under(plan: CloudPlan, rule: str) -> Iterator[SystemPlan]:
    """Yield the systems for which a rule holds, in order of id."""
    for system in all_systems(plan):
        if CLOUD_RULES[rule].applies_to(system.declared.level, system.declared.data):
            yield system


def highest_level(plan: CloudPlan) -> int:
    """Return the highest level of the declared systems, 1 without any."""
    return max((system.declared.level for system in all_systems(plan)), default=1)


def system_breach(
    rule: str, system: SystemPlan, problem: Sentence, remedy: Sentence, *, is_hint: bool = False
) -> CloudBreach:
    """Return a breach at a system."""
    declared = system.declared
    return CloudBreach(
        rule, declared.id, problem, remedy, declared.level, declared_at=declared.declared_at, is_hint=is_hint
    )


def shared_breach(
    rule: str, system: SystemPlan, problem: Sentence, remedy: Sentence, declared_at: str, *, is_hint: bool = False
) -> CloudBreach:
    """Return a breach at a system by what all systems share, at the line of cloud.toml that declares it, if any."""
    level = system.declared.level
    return CloudBreach(rule, system.id, problem, remedy, level, declared_at or "cloud.toml", is_hint=is_hint)


def component_breach(
    rule: str, system: SystemPlan, component: Component, problem: Sentence, remedy: Sentence
) -> CloudBreach:
    """Return a breach at a component of a system."""
    return CloudBreach(rule, component.path, problem, remedy, system.declared.level, declared_at=component.declared_at)
