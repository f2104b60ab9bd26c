"""The order in which hosted systems and components are rolled out: what is called before what calls it. Pure.

It must not decide whether a call is allowed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from infra.plan.cloud.values import AllowedConnection, CloudPlan


def component_calls(connections: Iterable[AllowedConnection]) -> dict[str, list[str]]:
    """Return the paths of the components that each component calls, callers by path."""
    calls: dict[str, list[str]] = {}
    for one in connections:
        if one.source.kind == one.target.kind == "component" and one.source != one.target:
            calls.setdefault(str(one.source), []).append(str(one.target))
    return calls


def systems_callees_first(plan: CloudPlan) -> tuple[str, ...]:
    """Return the ids of the systems; one that another calls comes before it."""
    calls: dict[str, list[str]] = {}
    for one in plan.connections:
        if one.source.kind == one.target.kind == "component":
            calls.setdefault(one.source.system, []).append(one.target.system)
    return callees_first([system.id for system in plan.systems], calls)


def callees_first(names: Iterable[str], calls: Mapping[str, Collection[str]]) -> tuple[str, ...]:
    """Return names in an order in which the callee precedes its caller; within a ring the first given name is last.

    >>> callees_first(["app", "db", "web"], {"web": ["app"], "app": ["db"]})
    ('db', 'app', 'web')
    """
    wanted = list(names)
    ordered: dict[str, None] = {}
    for name in wanted:
        seen = {name}
        path = [(name, iter(sorted(calls.get(name, ()))))]
        while path:
            caller, callees = path[-1]
            callee = next((one for one in callees if one not in seen and one not in ordered), None)
            if callee is None:
                ordered[caller] = None
                path.pop()
            else:
                seen.add(callee)
                path.append((callee, iter(sorted(calls.get(callee, ())))))
    known = set(wanted)
    return tuple(name for name in ordered if name in known)
