"""Rules about the level itself: high enough, decided, not lowered by a split, allowed in a shared cloud. Pure.

It must not compute the criteria; `infra.plan.cloud.least_level` does.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

from infra.plan.cloud.least_level import refusal_clause
from infra.plan.cloud.sentences import Sentence, day_vi
from infra.policy.cloud.breach import CloudBreach, all_systems, system_breach, systems_under

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan


def check_levels(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about levels."""
    for system in all_systems(plan):
        yield from _least_level_breaches(system)
        yield from _refusals(system)
    yield from _split_hints(plan)
    yield from _decision_breaches(plan)


def _least_level_breaches(system: SystemPlan) -> Iterator[CloudBreach]:
    declared = system.declared
    if declared.level >= system.least_level:
        return
    reason = system.reasons[0]
    yield CloudBreach(
        "level-least",
        system.id,
        Sentence(
            f"{reason.reason_en}: at least {reason.level} ({reason.clause}), not level {declared.level}",
            f"Theo tiêu chí “{reason.reason_vi}”, cấp độ thấp nhất là {reason.level}, không phải {declared.level}",
        ),
        Sentence(
            f"declare level = {reason.level}, and what that level asks",
            f"Khai báo level = {reason.level}, cùng những gì cấp độ đó yêu cầu",
        ),
        declared.level,
        declared_at=declared.declared_at,
        clause=f"331 Art. 8.2; {reason.clause}",
    )


def _refusals(system: SystemPlan) -> Iterator[CloudBreach]:
    clause = refusal_clause(system.declared)
    if not clause:
        return
    level = system.declared.level
    reason = (
        Sentence("holds state secrets", "Hệ thống có bí mật nhà nước")
        if system.declared.data == "secret"
        else Sentence(f"has level {level}", f"Hệ thống cấp độ {level}")
    )
    yield CloudBreach(
        "level-refused",
        system.id,
        Sentence(
            f"{reason.en}, so that no shared cloud may host it: nothing of it is deployed",
            f"{reason.vi}, không được đặt trên đám mây dùng chung: không triển khai thành phần nào",
        ),
        Sentence(
            "host it on machines, networks and stores of its own",
            "Đặt hệ thống trên máy chủ, mạng và kho lưu trữ riêng",
        ),
        level,
        declared_at=system.declared.declared_at,
        clause=clause,
    )


def _split_hints(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield a hint for each pair of systems that looks like one: same owner and host, or one's database in common."""
    shared = _systems_with_shared_database(plan)
    for one, other in combinations(all_systems(plan), 2):
        same_host = bool(one.declared.host) and (one.declared.owner, one.declared.host) == (
            other.declared.owner,
            other.declared.host,
        )
        reason = (
            Sentence("the owner and the host name", "chủ quản và tên miền")
            if same_host
            else Sentence("a database", "một cơ sở dữ liệu")
        )
        if same_host or frozenset({one.id, other.id}) in shared:
            yield system_breach(
                "level-split",
                other,
                Sentence(
                    f"shares {reason.en} with {one.id}: two parts of one system have one level, the highest of both",
                    f"Dùng chung {reason.vi} với {one.id}: hai phần của một hệ thống có chung cấp độ cao nhất",
                ),
                Sentence(
                    "declare one system, or write into the dossier why they are two",
                    "Khai báo thành một hệ thống, hoặc giải trình trong hồ sơ vì sao là hai hệ thống",
                ),
            )


def _systems_with_shared_database(plan: CloudPlan) -> set[frozenset[str]]:
    declaration = plan.declaration
    pairs = set()
    for flow in declaration.flows:
        component = declaration.component(flow.target)
        crosses = flow.source.kind == "component" and flow.source.system != flow.target.system
        if crosses and component is not None and component.kind == "database":
            pairs.add(frozenset({flow.source.system, flow.target.system}))
    return pairs


def _decision_breaches(plan: CloudPlan) -> Iterator[CloudBreach]:
    if plan.stage != "prod":
        return
    for system in systems_under(plan, "decision"):
        decision = system.declared.level_decision
        if decision is None:
            level = system.declared.level
            problem = Sentence(
                f"level {level} is proposed, and not approved by a decision",
                f"Cấp độ {level} mới được đề xuất, chưa có quyết định phê duyệt",
            )
            remedy = Sentence(
                "enter number and day: level_decision", "Ghi số và ngày của quyết định vào level_decision"
            )
            yield system_breach("decision", system, problem, remedy)
        elif decision.day > plan.today:
            problem = Sentence(
                f"the decision on its level is of {decision.day}, a day to come",
                f"Quyết định phê duyệt cấp độ ghi ngày {day_vi(decision.day)}, chưa tới",
            )
            remedy = Sentence(
                "enter the day on which it was signed: level_decision", "Ghi ngày ký quyết định vào level_decision"
            )
            yield system_breach("decision", system, problem, remedy)
