"""Rules about protections that are bought or run elsewhere: each is declared, with evidence of the last year. Pure.

It must not judge how well a protection works.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import Sentence, day_vi
from infra.policy.cloud.breach import shared_breach, systems_under

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.policy.cloud.breach import CloudBreach
    from telemetry.core.cloud.values import Protection

PROTECTION_RULES: Final = ("ips", "waf", "ddos", "dbf", "edr", "siem", "pam")
LONGEST_EVIDENCE_AGE: Final = timedelta(days=365)


def check_protections(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield each system that lacks a protection of its level, or has one without new evidence."""
    for rule in PROTECTION_RULES:
        for system in systems_under(plan, rule):
            if _needs(rule, system):
                protection = plan.declaration.protections.get(rule)
                problem = protection_problem(protection, plan.today)
                if problem is not None:
                    remedy = protection_remedy(rule)
                    yield shared_breach(rule, system, problem, remedy, protection.declared_at if protection else "")


def _needs(rule: str, system: SystemPlan) -> bool:
    """Return whether a system has what a protection is for: pages for a web firewall, a database for its one."""
    if rule == "waf":
        return system.declared.exposure != "none"
    return rule != "dbf" or any(one.declared.kind == "database" for one in system.components)


def protection_remedy(name: str) -> Sentence:
    """Return what to do about a protection that is missing or not proven."""
    return Sentence(
        f"name it in [protections.{name}] of cloud.toml, with the evidence and its day",
        f"Khai báo trong [protections.{name}] của cloud.toml, kèm minh chứng và ngày của minh chứng",
    )


def protection_problem(protection: Protection | None, today: date) -> Sentence | None:
    """Return what is wrong with a protection on a day, None for nothing."""
    if protection is None:
        return Sentence("the protection is not declared", "Chưa khai báo biện pháp")
    if not protection.evidence.strip():
        return Sentence("the protection is declared without evidence", "Biện pháp chưa có minh chứng")
    since, day = protection.since, protection.evidence_day
    if since > today:
        return Sentence(
            f"the protection begins on {since} only", f"Biện pháp chỉ bắt đầu áp dụng từ ngày {day_vi(since)}"
        )
    if day > today:
        return Sentence(f"its evidence is of {day}, a day to come", f"Minh chứng ghi ngày {day_vi(day)}, chưa tới")
    if today - day > LONGEST_EVIDENCE_AGE:
        return Sentence(
            f"its evidence is of {day}, more than a year ago", f"Minh chứng ngày {day_vi(day)}, đã quá một năm"
        )
    return None
