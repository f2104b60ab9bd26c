"""`motcua cloud check`: what the rules find in the hosted systems, and who does what of the standard's clauses.

It must not judge; `infra.policy.cloud` does. It never says that a system meets the standard.
"""

from __future__ import annotations

import json as json_text
from collections import Counter
from dataclasses import asdict
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich import box
from rich.markup import escape
from rich.table import Table

from motcua.cli.cloud.plan import NOTHING_HOSTED, FolderArgument, JsonOption, StageOption, open_cloud_plan
from motcua.report_console import open_report_console, print_table
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from infra.plan.cloud import CloudPlan
    from infra.policy.catalogue import Finding
    from infra.policy.cloud.clauses import ClauseCounts

SHOWN_PLACES = 3
"""Places of one problem that a table names before it counts the others."""
SEVERITY_WORDS = {"mandatory": "fault", "advisory": "hint"}
_STYLES = {"mandatory": "red", "advisory": "yellow"}


def check(
    folder: FolderArgument = None,
    system: Annotated[str, typer.Option("--system", help="Id of one hosted system.")] = "",
    stage: StageOption = "prod",
    today: Annotated[
        datetime | None, typer.Option("--today", formats=["%Y-%m-%d"], help="Day to judge on (default: today in UTC).")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Check the hosted systems against the rules of their level. Exit 1 when a fault is found."""
    from infra.policy.cloud.check import check_cloud_plan
    from infra.policy.cloud.clauses import clause_counts

    plan = open_cloud_plan(folder, stage, today.date() if today else None)
    if system and system not in plan.declaration.systems:
        known = ", ".join(sorted(plan.declaration.systems)) or "none"
        raise ConfigError([Fault("command line", 0, "--system", f"{system!r} is not hosted", f"hosted are: {known}")])
    findings = check_cloud_plan(plan, system)
    counts = [one for one in clause_counts(plan, check_cloud_plan(plan)) if not system or one.system == system]
    if json:
        print(json_text.dumps(check_document(plan, findings, counts), indent=2, ensure_ascii=False))
    elif not plan.declaration.systems:
        open_report_console().print(NOTHING_HOSTED, markup=False)
    else:
        print_check(open_report_console(), plan.today, findings, counts)
    if any(finding.severity == "mandatory" for finding in findings):
        raise typer.Exit(1)


def check_document(plan: CloudPlan, findings: Sequence[Finding], counts: Sequence[ClauseCounts]) -> dict[str, Any]:
    """Return everything for JSON: findings with the titles of their rules, and the counts of clauses."""
    from infra.policy.cloud.catalogue import CLOUD_RULES

    severities = Counter(finding.severity for finding in findings)
    return {
        "province": plan.province,
        "stage": plan.stage,
        "day": plan.today.isoformat(),
        "faults": severities["mandatory"],
        "hints": severities["advisory"],
        "findings": [
            {
                **asdict(finding),
                "title_vi": CLOUD_RULES[finding.rule].title_vi,
                "title_en": CLOUD_RULES[finding.rule].title_en,
            }
            for finding in findings
        ],
        "clauses": [asdict(one) for one in counts],
    }


def print_check(console: Console, day: date, findings: Sequence[Finding], counts: Sequence[ClauseCounts]) -> None:
    """Print the findings, faults first, their counts, and the counts of clauses by system."""
    if findings:
        print_table(console, finding_table(findings))
    severities = Counter(finding.severity for finding in findings)
    console.print(f"{count_of(severities['mandatory'], 'fault')}, {count_of(severities['advisory'], 'hint')} on {day}")
    if counts:
        print_table(console, clause_table(counts))
        console.print(
            "requirements of TCVN 14423:2026 at the system's level: built as objects, checked by a rule, named with "
            "evidence, open by a finding, or outside (people, rooms, contracts)",
            style="dim",
        )
    for one in counts:
        if one.open:
            clauses = ", ".join(dict.fromkeys(requirement.clause for requirement in one.open))
            console.print(f"open at {one.system}: {clauses}")


def count_of(count: int, word: str) -> str:
    """Return a number with its noun: `1 fault`, `2 faults`."""
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def finding_table(findings: Sequence[Finding]) -> Table:
    """Return a row for each problem with its places; faults are above hints."""
    places: dict[tuple[str, str, str, str, str], list[str]] = {}
    for one in findings:
        key = (SEVERITY_WORDS[one.severity], one.rule, one.problem, one.remedy, one.clause)
        places.setdefault(key, []).append(one.where)
    table = Table(
        "", "Rule", "Where", "Problem → remedy", "Clause", box=box.SIMPLE, collapse_padding=True, pad_edge=False
    )
    for (word, rule, problem, remedy, clause), where in sorted(places.items(), key=lambda row: (row[0][0], row[0])):
        style = _STYLES["mandatory" if word == "fault" else "advisory"]
        shown = [
            *where[:SHOWN_PLACES],
            *([f"and {len(where) - SHOWN_PLACES} more"] if len(where) > SHOWN_PLACES else []),
        ]
        table.add_row(
            f"[{style}]{word}[/]", rule, escape("\n".join(shown)), escape(f"{problem} → {remedy}"), escape(clause)
        )
    return table


def clause_table(counts: Sequence[ClauseCounts]) -> Table:
    """Return a row of counts for each system."""
    table = Table("System", "Level", box=box.SIMPLE, collapse_padding=True, pad_edge=False)
    for name in ("Built", "Checked", "Named", "Open", "Outside"):
        table.add_column(name, justify="right")
    for one in counts:
        numbers = (one.built, one.checked, one.named, len(one.open), one.outside)
        table.add_row(one.system, str(one.level), *(str(number) for number in numbers))
    return table
