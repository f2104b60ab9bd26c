"""House rules that imports cannot show: purity, sizes, names, docstrings, the environment."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
HOUSE = ("telemetry", "edge_agent", "api", "dashboards", "infra", "motcua")
PURE = (
    "telemetry/core/**/*.py",
    "edge_agent/delivery.py", "edge_agent/deferral.py", "edge_agent/reconnect.py",
    "edge_agent/mapping/expressions.py", "edge_agent/remote/settings.py", "edge_agent/remote/rollout.py",
    "edge_agent/remote/commands.py", "edge_agent/sources/restart_policy.py", "edge_agent/sources/escpos_status.py",
    "infra/plan/*.py",
)  # fmt: skip
BUILTIN_IO = {"open", "print", "input"}
CLOCK = {"now", "today", "utcnow"}
VAGUE = {"util", "utils", "helper", "helpers", "manager", "base", "common", "misc"}
MAX_FUNCTION, MAX_FILE = 50, 450
# The only places that may look at the environment.
ENVIRONMENT = ("motcua/", "infra/program.py")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def house(*patterns: str) -> list[Path]:
    wanted = patterns or tuple(f"{package}/**/*.py" for package in HOUSE)
    return sorted(path for pattern in wanted for path in ROOT.glob(pattern))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> list[Function]:
    return [node for node in ast.walk(tree_of(path)) if isinstance(node, Function)]


def length(node: Function) -> int:
    """Lines of a function without its docstring and decorators."""
    lines = (node.end_lineno or node.lineno) - node.lineno + 1
    if ast.get_docstring(node) is None:
        return lines
    text = node.body[0]
    return lines - ((text.end_lineno or text.lineno) - text.lineno + 1)


def impure_calls(tree: ast.Module) -> list[str]:
    found = []
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Name(id=name)) if name in BUILTIN_IO | CLOCK:
                found.append(f"{node.lineno}: {name}()")
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCK:
                found.append(f"{node.lineno}: .{name}()")
            case ast.Call(func=ast.Attribute(value=ast.Name(id="time"), attr=name)) if name.startswith("time"):
                found.append(f"{node.lineno}: time.{name}()")
    return found


def environment_reads(tree: ast.Module) -> list[int]:
    """Lines that name os.environ or os.getenv, whichever way they were imported."""
    names = {"environ", "environb", "getenv"}
    return [
        node.lineno
        for node in ast.walk(tree)
        if (isinstance(node, ast.Attribute) and node.attr in names)
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and names & {alias.name for alias in node.names})
    ]


def test_the_rules_look_at_the_real_house() -> None:
    assert {name_of(path).split("/")[0] for path in house()} == set(HOUSE)
    assert house(*PURE)


@pytest.mark.parametrize("path", house(*PURE), ids=name_of)
def test_pure_modules_never_ask_for_the_time_or_touch_files(path: Path) -> None:
    assert impure_calls(tree_of(path)) == []


def test_the_purity_rule_sees_each_way_out() -> None:
    source = "open(x)\nprint(x)\ninput()\nnow()\ndatetime.now(UTC)\ndate.today()\ntime.time()\ntime.time_ns()\n"
    assert len(impure_calls(ast.parse(source))) == 8
    assert impure_calls(ast.parse("time(7, 30)\nwhen.time()\nhours.open(at)\n")) == []


@pytest.mark.parametrize("path", house(), ids=name_of)
def test_every_module_says_what_it_is_for(path: Path) -> None:
    assert ast.get_docstring(tree_of(path))


@pytest.mark.parametrize("path", house(), ids=name_of)
def test_functions_and_files_stay_short(path: Path) -> None:
    long = [f"{node.name}: {length(node)} lines" for node in functions(path) if length(node) > MAX_FUNCTION]
    assert long == []
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines <= MAX_FILE, f"{lines} lines"


@pytest.mark.parametrize("path", house(), ids=name_of)
def test_module_names_are_nouns_of_the_domain(path: Path) -> None:
    assert not VAGUE & set(path.stem.split("_"))


# A package's folder becomes sys.path[0] when a tool runs the folder (Pulumi does, for infra/), and
# then infra/queue.py replaces the standard library's queue. Deeper folders are never run that way.
@pytest.mark.parametrize("path", [path for path in house() if path.parent.parent == ROOT], ids=name_of)
def test_no_module_hides_one_of_the_standard_library(path: Path) -> None:
    assert path.stem in {"__init__", "__main__"} or path.stem not in sys.stdlib_module_names


@pytest.mark.parametrize("path", house(), ids=name_of)
def test_only_the_front_door_reads_the_environment(path: Path) -> None:
    if not name_of(path).startswith(ENVIRONMENT):
        assert environment_reads(tree_of(path)) == []


@pytest.mark.parametrize("path", house(), ids=name_of)
def test_importing_reads_no_environment(path: Path) -> None:
    inside = {line for node in functions(path) for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)}
    imports = {node.lineno for node in ast.walk(tree_of(path)) if isinstance(node, ast.ImportFrom)}
    assert set(environment_reads(tree_of(path))) <= inside | imports
