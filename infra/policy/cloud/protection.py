"""Rules about protections that are bought or run elsewhere: each is declared, with evidence of the last year. Pure.

It must not judge how well a protection works.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

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
                problem = _problem(protection, plan.today)
                if problem:
                    remedy = f"name it in [protections.{rule}] of cloud.toml, with the evidence and its day"
                    yield shared_breach(rule, system, problem, remedy, protection.declared_at if protection else "")


def _needs(rule: str, system: SystemPlan) -> bool:
    """Return whether a system has what a protection is for: pages for a web firewall, a database for its one."""
    if rule == "waf":
        return system.declared.exposure != "none"
    return rule != "dbf" or any(one.declared.kind == "database" for one in system.components)


def _problem(protection: Protection | None, today: date) -> str:
    if protection is None:
        return "the protection is not declared"
    if not protection.evidence.strip():
        return "the protection is declared without evidence"
    if protection.since > today:
        return f"the protection begins on {protection.since} only"
    if protection.evidence_day > today:
        return f"its evidence is of {protection.evidence_day}, a day to come"
    if today - protection.evidence_day > LONGEST_EVIDENCE_AGE:
        return f"its evidence is of {protection.evidence_day}, more than a year ago"
    return ""
