"""Which clauses of the standard are built, checked or named for a system, and which lie outside. Pure; counts only.

It must not say that a system meets the standard: most clauses are about people, rooms and contracts. The number of
requirements of a level counts the lines of an unofficial checklist (vn-cyber-compliance, 24 September 2026) of
TCVN 14423:2026; the standard itself was not read.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from infra.policy.cloud.catalogue import HIGHEST_HOSTED_LEVEL
from telemetry.core.hosted.database_figures import has_copies

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.policy.catalogue import Finding

ClausePart = Literal["built", "checked", "named"]
"""Made as an object; a rule compares the declaration with it; a protection elsewhere with evidence."""
GATEWAYS: Final = "gateways with TLS"
COPY_SCHEDULES: Final = "schedules of copies"
RESTRICTED_PODS: Final = "pods of the restricted level"
WAY_TO_LOGS: Final = "way to the central store of logs"
REQUIREMENTS_BY_LEVEL: Final[Mapping[int, int]] = MappingProxyType({1: 111, 2: 129, 3: 195, 4: 273})


@dataclass(frozen=True, slots=True)
class ClauseRequirement:
    """One requirement of a clause: what has a part in it, and the rules (or the objects) that do so."""

    clause: str
    part: ClausePart
    by: str

    @property
    def rules(self) -> tuple[str, ...]:
        """Return the ids of the rules whose finding leaves it open; none for what objects build."""
        return () if self.part == "built" else tuple(self.by.split(", "))


@dataclass(frozen=True, slots=True)
class ClauseCounts:
    """How many requirements of a system's level are built, checked or named, are open by a finding, or lie outside."""

    system: str
    level: int
    built: int
    checked: int
    named: int
    outside: int
    open: tuple[ClauseRequirement, ...]


def _requirements(level: int, *lines: str) -> tuple[ClauseRequirement, ...]:
    """Return requirements of lines `clause | part | by`; the standard's chapter of a level is level + 2."""
    made = []
    for line in lines:
        clause, part, by = line.split(" | ")
        parts: Mapping[str, ClausePart] = {"built": "built", "checked": "checked", "named": "named"}
        made.append(ClauseRequirement(f"{level + 2}.{clause}", parts[part], by))
    return tuple(made)


CLAUSES_BY_LEVEL: Final[Mapping[int, tuple[ClauseRequirement, ...]]] = MappingProxyType({
    1: _requirements(
        1,
        "4.2.4 | built | credentials from the secret store",
        "5.2.1 b | checked | pod-hardened, image-pinned",
        "8.2.1 a | checked | time",
        "9.2.2 | checked | dns",
        "11.2.2 | built | schedules of copies",
        "11.2.3 | checked | rpo-met, rto-met",
        "12.2.1 a | built | chart of flows",
        "12.2.1 b | built | namespaces and networks by zone",
        "12.2.2 | named | ips",
        "12.2.2 | built | figures of use",
        "12.2.4 a | built | gateways with TLS",
        "12.2.4 c | checked | flow-zone, flow-declared",
    ),
    2: _requirements(
        2,
        "4.2.1 b | built | label of the data's kind",
        "4.2.4 | checked | at-rest",
        "5.2.1 b | checked | pod-hardened, image-pinned",
        "5.2.1 c | checked | flow-declared",
        "8.2.1 a | checked | time",
        "8.2.1 a | checked | log-kept",
        "9.2.2 | checked | dns",
        "11.2.2 | built | schedules of copies",
        "11.2.3 | checked | rpo-met, rto-met",
        "11.2.4 | checked | backup-321",
        "12.2.1 a | built | chart of flows",
        "12.2.1 b | built | namespaces and networks by zone",
        "12.2.2 a | named | ips",
        "12.2.2 a | named | waf",
        "12.2.2 a | built | figures of use",
        "12.2.2 b | checked | zone-present",
        "12.2.4 a | built | gateways with TLS",
        "12.2.4 b | checked | flow-zone, flow-declared",
        "12.2.4 c | checked | admin-source",
        "12.2.5 | named | admin-source",
    ),
    3: _requirements(
        3,
        "3.2.2 c | checked | image-pinned",
        "4.2.1 b | built | label of the data's kind",
        "4.2.4 a | checked | at-rest",
        "4.2.4 b | checked | tls",
        "4.2.6 a | built | chart of flows",
        "4.2.7 b | checked | system-apart",
        "5.2.1 b | built | pods of the restricted level",
        "5.2.1 c | checked | flow-declared",
        "5.2.1 d | checked | pod-hardened",
        "8.2.1 a | checked | time",
        "8.2.1 a | named | siem",
        "8.2.1 a | built | way to the central store of logs",
        "8.2.1 a | checked | log-kept, log-room",
        "9.2.2 | checked | dns",
        "10.2.4 a | named | edr",
        "11.2.1 b | built | central stores of copies",
        "11.2.2 a | built | list of copies in the dossier",
        "11.2.2 b | built | schedules of copies",
        "11.2.3 a | checked | backup-321",
        "11.2.3 b | checked | at-rest",
        "11.2.4 | checked | backup-321",
        "12.2.1 a | built | chart of flows",
        "12.2.1 b | built | namespaces and networks by zone",
        "12.2.2 a | checked | replicas",
        "12.2.2 a | named | ips",
        "12.2.2 a | named | dbf",
        "12.2.2 a | named | waf",
        "12.2.2 a | named | ddos",
        "12.2.2 a | built | probes and dashboards",
        "12.2.2 a | built | figures of use",
        "12.2.2 b | checked | zone-present",
        "12.2.4 a | built | gateways with TLS",
        "12.2.4 d | checked | flow-zone, flow-declared, egress-closed",
        "12.2.4 f | built | policies of declared flows",
        "12.2.5 | named | admin-source",
        "12.2.5 | checked | admin-source",
        "13.2.1 a | built | probes and dashboards",
        "13.2.1 b | named | siem",
        "13.2.3 b | checked | admin-port",
        "17.2.3 | checked | secret-source",
    ),
    4: _requirements(
        4,
        "3.2.2 c | checked | image-pinned",
        "3.2.3 | checked | engine-supported",
        "4.2.1 b | built | label of the data's kind",
        "4.2.4 a | checked | at-rest",
        "4.2.4 b | checked | tls",
        "4.2.6 a | built | chart of flows",
        "4.2.7 b | checked | system-apart",
        "5.2.1 b | built | pods of the restricted level",
        "5.2.1 c | checked | flow-declared",
        "5.2.1 d | checked | pod-hardened",
        "6.2.3 | named | pam",
        "8.2.1 a | checked | time",
        "8.2.1 a | named | siem",
        "8.2.1 a | built | way to the central store of logs",
        "8.2.1 a | checked | log-kept, log-room",
        "8.2.3 b | checked | log-kept",
        "8.2.3 c | checked | log-kept",
        "9.2.2 | checked | dns",
        "10.2.5 a | named | edr",
        "11.2.1 b | built | central stores of copies",
        "11.2.2 a | built | list of copies in the dossier",
        "11.2.2 b | built | schedules of copies",
        "11.2.3 a | checked | backup-321",
        "11.2.3 b | checked | at-rest",
        "11.2.4 | checked | backup-321",
        "11.2.5 | checked | drill",
        "12.2.1 b | built | policies of declared flows",
        "12.2.1 c | built | namespaces and networks by zone",
        "12.2.1 d | checked | tls",
        "12.2.2 a | checked | replicas",
        "12.2.2 a | named | ips",
        "12.2.2 a | named | dbf",
        "12.2.2 a | named | waf",
        "12.2.2 a | named | ddos",
        "12.2.2 a | built | probes and dashboards",
        "12.2.2 a | built | figures of use",
        "12.2.2 b | checked | zone-present",
        "12.2.4 a | built | gateways with TLS",
        "12.2.4 c | checked | flow-zone, flow-declared",
        "12.2.4 f | built | policies of declared flows",
        "12.2.4 g | checked | egress-closed",
        "12.2.5 | named | admin-source",
        "12.2.5 | checked | admin-source",
        "13.2.1 a | built | probes and dashboards",
        "13.2.1 b | named | siem",
        "13.2.3 b | checked | admin-port",
        "16.2.5 | checked | stage-apart",
        "16.2.7 | checked | secret-source",
    ),
})  # fmt: skip
"""What has a part in a clause, by level; a clause with several requirements is there once for each of them."""


def clause_counts(plan: CloudPlan, findings: Iterable[Finding]) -> tuple[ClauseCounts, ...]:
    """Return the counts of each system that is planned, in order of id; `findings` are those of the plan."""
    rules = _rules_by_system(findings)
    return tuple(
        _counts(plan, system, rules.get(system.id, set()) | rules.get("cloud", set()))
        for system in plan.systems
        if system.declared.level <= HIGHEST_HOSTED_LEVEL
    )


def _rules_by_system(findings: Iterable[Finding]) -> dict[str, set[str]]:
    rules: dict[str, set[str]] = {}
    for finding in findings:
        place = finding.where.partition(" (")[0].partition("/")[0]
        rules.setdefault(place, set()).add(finding.rule)
    return rules


def requirements_of(system: SystemPlan) -> tuple[ClauseRequirement, ...]:
    """Return the requirements in which a system of its level has a part; no gateway is built where nobody calls."""
    level, is_reached = system.declared.level, system.declared.exposure != "none"
    return tuple(one for one in CLAUSES_BY_LEVEL.get(level, ()) if is_reached or one.by != GATEWAYS)


def _is_open(plan: CloudPlan, system: SystemPlan, one: ClauseRequirement, broken: set[str]) -> bool:
    """Return whether a rule is broken, or no object builds it: `rpo-met`, `log-kept` or `pod-hardened` has said so."""
    if one.by == COPY_SCHEDULES:
        has_database = any(planned.declared.kind == "database" for planned in system.components)
        return has_database and not has_copies(plan.declaration)
    if one.by == RESTRICTED_PODS:
        return "pod-hardened" in broken
    if one.by == WAY_TO_LOGS:
        return "logs" not in plan.declaration.platform
    return bool(broken & set(one.rules))


def _counts(plan: CloudPlan, system: SystemPlan, broken: set[str]) -> ClauseCounts:
    level, requirements = system.declared.level, requirements_of(system)
    still_open = tuple(one for one in requirements if _is_open(plan, system, one, broken))
    parts = [one.part for one in requirements if one not in still_open]
    return ClauseCounts(
        system.id,
        level,
        parts.count("built"),
        parts.count("checked"),
        parts.count("named"),
        REQUIREMENTS_BY_LEVEL[level] - len(requirements),
        still_open,
    )
