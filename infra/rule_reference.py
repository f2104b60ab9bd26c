"""Writes the tables of rules and clauses of hosted systems for the documentation; it must not check anything.

Run: python -m infra.rule_reference --write
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from infra.policy.cloud.catalogue import CLOUD_RULES, HIGHEST_HOSTED_LEVEL
from infra.policy.cloud.clauses import CLAUSES_BY_LEVEL, REQUIREMENTS_BY_LEVEL

if TYPE_CHECKING:
    from infra.policy.cloud.catalogue import CloudRule

PAGE = Path("docs/reference/cloud-policy.md")
_STANDARD = "TCVN 14423:2026 "
MARKS = {
    "rules": ("<!-- rules -->\n", "<!-- /rules -->\n"),
    "clauses": ("<!-- clauses -->\n", "<!-- /clauses -->\n"),
}


def rule_table() -> str:
    """Return the rows of all rules as Markdown."""
    head = "| rule | from level | fault from | objects | clause | title |\n|---|---|---|---|---|---|\n"
    return head + "".join(_rule_row(rule) for rule in CLOUD_RULES.values())


def _rule_row(rule: CloudRule) -> str:
    first = f"{rule.from_level}" + (", personal data: 1" if rule.personal else "")
    fault = "never: hint" if rule.fault_level is None else f"level {max(rule.fault_level, rule.from_level)}"
    if rule.personal and rule.fault_level == 1:
        fault = "always"
    day = f", after {rule.due}" if rule.due else ""
    cells = (
        f"`{rule.id}`", first, f"{fault}{day}", "yes" if rule.admission else "",
        _clauses(rule) or "ours",
        f"{rule.title_en}<br>{rule.title_vi}",
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |\n"


def _clauses(rule: CloudRule) -> str:
    """Return a rule's clauses, with `x` for the standard's chapter of the level."""
    texts = {first: text.replace("{x}", "x").replace(_STANDARD, "") for first, text in rule.clauses.items()}
    if len(texts) == 1:
        return next(iter(texts.values()))
    return "<br>".join(f"from {first}: {text}" for first, text in sorted(texts.items()))


def clause_table() -> str:
    """Return how many requirements of each level have a part here, as Markdown."""
    head = "| level | built | checked | named | outside | all |\n|---|---|---|---|---|---|\n"
    return head + "".join(_clause_row(level) for level in range(1, HIGHEST_HOSTED_LEVEL + 1))


def _clause_row(level: int) -> str:
    parts = Counter(requirement.part for requirement in CLAUSES_BY_LEVEL[level])
    everything = REQUIREMENTS_BY_LEVEL[level]
    cells = (level, parts["built"], parts["checked"], parts["named"], everything - parts.total(), everything)
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def page_with_tables(text: str) -> str:
    """Return the page with the tables between their marks."""
    for name, made in (("rules", rule_table()), ("clauses", clause_table())):
        begin, end = MARKS[name]
        before, after = text.split(begin, maxsplit=1)[0], text.split(end)[1]
        text = before + begin + made + end + after
    return text


if __name__ == "__main__":
    page = page_with_tables(PAGE.read_text(encoding="utf-8"))
    if "--write" in sys.argv:
        PAGE.write_text(page, encoding="utf-8")
    elif page != PAGE.read_text(encoding="utf-8"):
        raise SystemExit(f"{PAGE} is old: run python -m infra.rule_reference --write")
