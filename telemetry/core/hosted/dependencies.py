"""Which failed component is the cause of others: what the declared flows say about dependencies. Pure.

It must not decide who has failed.  A system or component depends on what it calls; nodes are ids of systems.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from telemetry.core.fold.live_row_types import AvailabilityState

PathState = Literal["closed", "open", "unknown"]
FailureKind = Literal["component", "network", "unseen"]
"""A component that does not answer; the network between outside and inside; or inside is not known."""


def root_causes(failed: Collection[str], calls: Mapping[str, Iterable[str]]) -> dict[str, str]:
    """Return, for each failed node, the failed node that explains it: itself when nothing that it calls has failed.

    Of several causes the nearest counts, then the first by id.  Nodes that call each other in a ring have one cause
    together: the first of the ring by id.
    """
    own = set(failed)
    distances = {node: _distances(node, own, calls) for node in own}
    roots = {
        node: min(reached) for node, reached in distances.items() if all(node in distances[other] for other in reached)
    }
    return {
        node: roots[min((steps, other) for other, steps in reached.items() if other in roots)[1]]
        for node, reached in sorted(distances.items())
    }


def _distances(start: str, failed: set[str], calls: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return the failed nodes that one reaches by calls between failed ones, itself included, with the steps there."""
    steps, queue = {start: 0}, deque([start])
    while queue:
        node = queue.popleft()
        for called in calls.get(node, ()):
            if called in failed and called not in steps:
                steps[called] = steps[node] + 1
                queue.append(called)
    return steps


def nearest_called(start: str, wanted: Collection[str], calls: Mapping[str, Iterable[str]]) -> str | None:
    """Return the nearest of the wanted nodes that one calls, over others too; the first by id, None without one."""
    distances = _distances(start, {start, *calls, *wanted, *chain.from_iterable(calls.values())}, calls)
    reached = sorted((distances[node], node) for node in wanted if node in distances and node != start)
    return reached[0][1] if reached else None


def victims_of(root: str, causes: Mapping[str, str]) -> tuple[str, ...]:
    """Return the failed nodes that a cause explains beside itself, by id."""
    return tuple(sorted(node for node, cause in causes.items() if cause == root and node != root))


def call_layers(
    entries: Iterable[str], calls: Mapping[str, Iterable[str]], members: Collection[str]
) -> list[list[str]]:
    """Return the members in the order in which a request reaches them: the entries, what they call, and so on.

    Members that no request reaches (jobs) are the last layer.
    """
    own, layers, placed = set(members), [], set[str]()
    layer = sorted(own.intersection(entries))
    while layer:
        layers.append(layer)
        placed.update(layer)
        layer = sorted({called for node in layer for called in calls.get(node, ())} & own - placed)
    rest = sorted(own - placed)
    return [*layers, rest] if rest else layers


def closed_path_state(negative_probe: AvailabilityState, target: AvailabilityState) -> PathState:
    """Return whether a path is closed: only a target that answers somebody else can prove that."""
    if negative_probe == "down":
        return "open"
    return "closed" if negative_probe == target == "up" else "unknown"


@dataclass(frozen=True, slots=True)
class FailureExplanation:
    """Why a hosted system, or a component of it, does not answer: `cause` is the id of what failed first.

    `victims` are the ids of what it takes down, over all systems.
    """

    kind: FailureKind
    cause: str
    victims: tuple[str, ...] = ()


def explain_failure(
    ident: str, parts: Iterable[str], states: Mapping[str, AvailabilityState], calls: Mapping[str, Iterable[str]]
) -> FailureExplanation | None:
    """Return why a system is down, or else why the first of its `parts` is; None when none of them is down.

    When all that requests reach first answers inside and the system does not outside, the network between has failed.
    """
    causes = root_causes([node for node, state in states.items() if state == "down"], calls)
    failed = next((node for node in (ident, *sorted(parts)) if node in causes), None)
    if failed is None:
        return None
    cause = causes[failed]
    if cause != ident:
        return FailureExplanation("component", cause, victims_of(cause, causes))
    entries = [states.get(entry, "unknown") for entry in calls.get(ident, ())]
    return FailureExplanation("network" if entries and set(entries) == {"up"} else "unseen", cause)
