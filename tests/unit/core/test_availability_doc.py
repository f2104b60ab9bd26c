"""docs/reference/availability.md is run: each figure has an example, each example and table is what the code says."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import typing
from pathlib import Path

import pytest

import api.metrics
import api.schemas
from api.schemas.envelope import ApiModel
from telemetry.core.calendar.windows import DAY, HOUR, MINUTE
from telemetry.core.fold.histogram_buckets import HISTOGRAM_BOUNDS_S
from telemetry.core.slo import burn_rate
from telemetry.core.slo.budget import error_budget
from tests.oracles.sli import time_until_firing

REFERENCE = Path(__file__).resolve().parents[3] / "docs/reference"
DOC = (REFERENCE / "availability.md").read_text(encoding="utf-8")
SECTIONS = {part.split("\n", 1)[0]: part for part in re.split(r"^###? ", DOC, flags=re.MULTILINE)[1:]}
CHAPTERS = re.findall(r"^## (.+)", DOC, re.MULTILINE)
EXAMPLE = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
WEEKS = 166 * HOUR


def test_every_example_gives_what_the_document_says() -> None:
    source = "\n".join(EXAMPLE.findall(DOC))
    case = doctest.DocTestParser().get_doctest(source, {}, "availability.md", "availability.md", 0)
    report: list[str] = []
    found = doctest.DocTestRunner(verbose=False).run(case, out=report.append)
    assert found.attempted > 60
    assert found.failed == 0, "".join(report)


@pytest.mark.parametrize("name", [n for n in SECTIONS if n not in CHAPTERS or n == "Late data"])
def test_every_figure_has_a_worked_example(name: str) -> None:
    assert EXAMPLE.search(SECTIONS[name])


def rows(rules: tuple[burn_rate.BurnRateRule, ...], period: int, goal: float) -> list[str]:
    out = []
    for r in rules:
        full, tenth = time_until_firing(r, period, goal), time_until_firing(r, period, goal, 0.1)
        assert full is not None
        assert tenth is not None
        cells = (
            f"`{r.name}`", r.severity, f"{r.budget_share:.0%}".replace("%", " %"), f"{r.long_ms // MINUTE} min",
            f"{r.short_ms // MINUTE} min", f"{burn_rate.burn_rate_threshold(r, period):.2f}",
            f"{full / MINUTE:.1f} min",
            f"{tenth / MINUTE:.0f} min",
        )  # fmt: skip
        out.append(f"| {' | '.join(cells)} |")
    return out


def test_the_tables_of_rules_are_the_rules() -> None:
    expected = [*rows(burn_rate.OPEN_CLOCK_RULES, WEEKS, 0.995), *rows(burn_rate.WALL_CLOCK_RULES, 30 * DAY, 0.995)]
    assert re.findall(r"^\| `(?:page|ticket)-.*\|$", DOC, re.MULTILINE) == expected


def test_the_table_of_budgets_is_computed() -> None:
    found = re.findall(r"^\| ([\d.]+) % \| ([\d.]+) min \| ([\d.]+) min \|$", DOC, re.MULTILINE)
    assert len(found) == 3
    for goal, opening, always in found:
        share = round(float(goal) / 100, 3)
        minutes = [error_budget(share, period // 1000, 0).minutes[0] for period in (WEEKS, 28 * DAY)]
        assert [f"{m:.1f}" for m in minutes] == [opening, always]


def test_a_lower_goal_fires_as_late_as_it_says() -> None:
    fires = time_until_firing(burn_rate.OPEN_CLOCK_RULES[0], WEEKS, 0.98)
    assert fires is not None
    assert round(fires / MINUTE) == 10
    assert "with a\ngoal of 98 % a full outage passes `page-fast` after 10 minutes" in DOC


def test_the_exact_thresholds_are_all_named() -> None:
    *most, last = map(str, HISTOGRAM_BOUNDS_S)
    assert f"{', '.join(most)} or {last} s" in DOC


SHOWN = SECTIONS["Where each figure is shown"]
TABLED = re.findall(r"^\| (`.+) \| (.+) \|$", SHOWN, re.MULTILINE)


def numeric(kind: object) -> bool:
    return kind in {int, float} or any(map(numeric, typing.get_args(kind)))


def models() -> list[type[ApiModel]]:
    modules = [importlib.import_module(f"api.schemas.{m.name}") for m in pkgutil.iter_modules(api.schemas.__path__)]
    found = [v for m in modules for v in vars(m).values() if isinstance(v, type) and v.__module__ == m.__name__]
    return [v for v in found if issubclass(v, ApiModel)]


def numbers_of(page: str) -> str:
    """Return the table of a page that explains numbers which are no time and no wait."""
    text = (REFERENCE / page).read_text(encoding="utf-8")
    return text.partition("## Numbers of the answers\n")[2].partition("\n## ")[0]


OTHER_NUMBERS = numbers_of("models.md") + numbers_of("indicators.md")


@pytest.mark.parametrize("model", models(), ids=lambda m: m.__name__)
def test_every_number_of_an_answer_is_explained(model: type[ApiModel]) -> None:
    named = set(re.findall(r"`(\w+)`", SHOWN.split("| family of")[0] + OTHER_NUMBERS))
    assert {name for name, field in model.model_fields.items() if numeric(field.annotation)} <= named


def test_no_name_is_explained_that_no_answer_has() -> None:
    known = {name for model in models() for name in (*model.model_fields, "service_level", "capacity")}
    assert set(re.findall(r"`([a-z]\w+)`", SHOWN.split("| family of")[0])) <= known


def test_every_figure_that_is_named_has_a_section() -> None:
    assert len(TABLED) >= 30
    named = [re.sub(r"^.*`: ", "", part) for _, figure in TABLED for part in figure.split("; ")]
    assert set(named) <= set(SECTIONS)


def test_every_family_that_is_a_figure_is_explained() -> None:
    files = [path for folder in api.metrics.__path__ for path in Path(folder).glob("*.py")]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    found = set(re.findall(r'"(slo_[a-z_]+|[a-z_]+_ratio|queue_wait_\w+)"', source))
    found |= {f"slo_{name}_{unit}" for name in ("good", "bad") for unit in ("seconds", "events")}
    named = {name for names, _ in TABLED for name in re.findall(r"`(\w+)`", names)}
    assert found <= named
