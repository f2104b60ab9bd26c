"""Rules about copies: where they are, whether they meet the owner's promises, whether a restore is proven. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.policy.cloud.breach import component_breach, shared_breach, system_breach, systems_under
from telemetry.core.cloud.values import DATA_ZONE_KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.policy.cloud.breach import CloudBreach
    from telemetry.core.cloud.values import Component

WAL_S: Final = 300
"""How old the newest copy of a database's changes is at most where they are streamed to a store, s."""
DRILL_AGES: Final = {3: timedelta(days=365), 4: timedelta(days=183), 5: timedelta(days=92)}
"""How old the last proven restore may be, by level; the year of level 3 is ours, the standard says regularly."""
LEAST_COPIES: Final = 3
_MB_PER_GB = 1000
_DRILL_REMEDY = "restore it, and declare the [[drill]] in cloud.toml"


def check_copies(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about copies and restores."""
    for rule, check in (
        ("backup-321", _place_breaches),
        ("rpo-met", _loss_breaches),
        ("rto-met", _restore_breaches),
        ("drill", _drill_breaches),
    ):
        for system in systems_under(plan, rule):
            if data_components(system):
                yield from check(plan, system)


def data_components(system: SystemPlan) -> tuple[Component, ...]:
    """Return the components that hold data which a deletion would lose."""
    return tuple(one.declared for one in system.components if one.declared.kind in DATA_ZONE_KINDS)


def _place_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    apart = [store for store in plan.declaration.backups if store.own_project]
    if not apart:
        problem = "no store of copies is apart from what it copies"
        remedy = "declare a [[backup]] with own_project = true in cloud.toml"
        yield shared_breach("backup-321", system, problem, remedy, "")
    if system.declared.level < 3:
        return
    if len(apart) + 1 < LEAST_COPIES:
        copies = "1 copy" if not apart else f"{len(apart) + 1} copies"
        problem = f"has {copies} of its data, its own one counted; {LEAST_COPIES} are wanted"
        yield shared_breach("backup-321", system, problem, "declare another [[backup]] in cloud.toml", "")
    media = {"block", *(store.medium for store in apart)}
    if len(media) < 2:
        problem = "all copies are on one kind of store"
        remedy = "store one on another medium: a [[backup]] of cloud.toml with medium objects or tape"
        yield shared_breach("backup-321", system, problem, remedy, "")
    if all(store.site == system.declared.site for store in apart):
        problem = f"all copies are at site {system.declared.site}"
        remedy = "store one at another site: a [[backup]] of cloud.toml with another site"
        yield shared_breach("backup-321", system, problem, remedy, "")


def _loss_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    rpo_s = system.declared.rpo_s
    for component in data_components(system):
        if rpo_s == 0:
            yield from _synchronous_breaches(system, component)
            continue
        intervals = [
            min(WAL_S, store.every_s) if store.wal and component.kind == "database" else store.every_s
            for store in plan.declaration.backups
        ]
        if not intervals or min(intervals) > rpo_s:
            every = f"every {min(intervals):,} s" if intervals else "nowhere"
            problem = f"its data are copied {every}, and the promised loss is {rpo_s:,} s at most: rpo_s"
            remedy = "stream changes to a store: wal" if component.kind == "database" else "copy more often: every_s"
            yield component_breach("rpo-met", system, component, problem, f"{remedy}, or promise less")


def _synchronous_breaches(system: SystemPlan, component: Component) -> Iterator[CloudBreach]:
    if component.kind != "database":
        problem = f"promises no loss, which a component of kind {component.kind} cannot give: rpo_s = 0"
        yield component_breach("rpo-met", system, component, problem, "promise a loss, or store it in a database")
    elif component.least < 2:
        problem = "promises no loss, which needs a synchronous second instance: rpo_s = 0"
        yield component_breach("rpo-met", system, component, problem, "least = 2, or promise a loss")


def _restore_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    rto_s = system.declared.rto_s
    speed = max((store.restore_mb_per_s for store in plan.declaration.backups), default=0)
    size_gb = sum(component.disk_gb for component in data_components(system))
    if not speed:
        yield system_breach(
            "rto-met", system, "no store of copies has a measured speed of restore, so that rto_s cannot be checked",
            "measure one, and write restore_mb_per_s", is_hint=True,
        )  # fmt: skip
        return
    needed_s = size_gb * _MB_PER_GB / speed
    if needed_s > rto_s:
        problem = f"a restore of {size_gb:,} GB at {speed:,} MB/s takes {needed_s:,.0f} s, and {rto_s:,} s are promised"
        yield system_breach("rto-met", system, problem, "restore faster, or promise more time: rto_s")


def _drill_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    longest = DRILL_AGES[min(system.declared.level, max(DRILL_AGES))]
    days = [drill.day for drill in plan.declaration.drills if drill.system == system.id and drill.day <= plan.today]
    if not days:
        yield system_breach("drill", system, "no restore is proven", _DRILL_REMEDY)
    elif plan.today - max(days) > longest:
        problem = f"the last proven restore is of {max(days)}, more than {longest.days} days ago"
        yield system_breach("drill", system, problem, _DRILL_REMEDY)
