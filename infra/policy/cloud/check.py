"""All rules over a plan of hosted systems → findings with severity and clause; exceptions make them hints. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.plan.cloud.sentences import Sentence, day_vi
from infra.policy.catalogue import Finding
from infra.policy.cloud.availability import check_availability
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.copies import check_copies
from infra.policy.cloud.data import check_data
from infra.policy.cloud.deployable import check_deployable
from infra.policy.cloud.exceptions import check_exceptions, find_exception
from infra.policy.cloud.level import check_levels
from infra.policy.cloud.network import check_network
from infra.policy.cloud.operation import check_operation
from infra.policy.cloud.protection import check_protections
from infra.policy.cloud.tenancy import check_tenancy
from telemetry.errors import Fault, declaration_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

    from infra.plan.cloud.values import CloudPlan
    from infra.policy.cloud.breach import CloudBreach


def check_cloud_plan(plan: CloudPlan, system: str = "") -> list[Finding]:
    """Return every finding on the plan's day, sorted; with a system's id those at it and at the cloud as a whole."""
    breaches = cloud_breaches(plan)
    return sorted({_finding(plan, breach) for breach in breaches if not system or concerns(breach, system)})


def finding_faults(findings: Iterable[Finding], file: str) -> list[Fault]:
    """Return the mandatory findings as faults at the lines that declare their places; others are of `file`.

    What cloud.toml declares for all systems is one fault, however many systems it concerns.
    """
    once: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        if one.severity == "mandatory":
            place, _, declared_at = one.where.partition(" (")
            shared = declared_at.startswith("cloud.toml")
            once.setdefault((declared_at, "" if shared else place, one.rule, one.problem, one.remedy), []).append(one)
    return [_fault(same[0], file, len(same)) for same in once.values()]


def _fault(finding: Finding, file: str, count: int) -> Fault:
    place, _, declared_at = finding.where.removesuffix(")").partition(" (")
    clause = f" ({finding.clause})" if finding.clause else ""
    return declaration_fault(
        declared_at,
        file,
        f"{place if count == 1 else f'{count} systems'}: {finding.rule}",
        finding.problem,
        f"{finding.remedy}{clause}",
    )


def cloud_breaches(plan: CloudPlan) -> list[CloudBreach]:
    """Return the breaches of all rules, before severity and exceptions."""
    checks = (
        check_levels, check_tenancy, check_network, check_availability, check_protections, check_data, check_copies,
        check_operation, check_deployable,
    )  # fmt: skip
    breaches = [breach for check in checks for breach in check(plan)]
    return [*breaches, *check_exceptions(plan.declaration, plan.today)] if plan.declaration.exceptions else breaches


def concerns(breach: CloudBreach, system: str) -> bool:
    """Return whether a breach is at a system or a component of it, or at the cloud as a whole."""
    return breach.place.partition("/")[0] in {system, "cloud"}


def _finding(plan: CloudPlan, breach: CloudBreach) -> Finding:
    rule = CLOUD_RULES[breach.rule]
    severity = "advisory" if breach.is_hint else rule.severity(breach.level, plan.today)
    problem = breach.problem
    exception = find_exception(plan.declaration, breach, plan.today)
    if exception is not None:
        severity = "advisory"
        until_vi = f"; ngoại lệ đến {day_vi(exception.until)} do {exception.by}" if exception.until else ""
        problem = Sentence(
            f"{problem.en}; excepted until {exception.until} by {exception.by}", f"{problem.vi}{until_vi}"
        )
    return Finding(
        breach.rule, breach.where, problem.en, breach.remedy.en, severity, breach.clause or rule.clause(breach.level),
        problem.vi, breach.remedy.vi,
    )  # fmt: skip
