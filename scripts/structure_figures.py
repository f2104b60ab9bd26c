"""Counts the figures of the code's structure that CONTRIBUTING limits; it must not judge them: tests do."""

from __future__ import annotations

import ast
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("telemetry", "edge_agent", "api", "dashboards", "infra", "motcua")
SMALL_LINES = 60


@dataclass(frozen=True)
class StructureFigures:
    """What is counted over the product's packages; modules are counted without `__init__.py`."""

    modules: int
    lines: int
    small_modules_with_one_importer: tuple[str, ...]
    duplicated_classes: dict[str, tuple[str, ...]]
    functions: int
    one_word_functions: int


def product_files() -> list[Path]:
    """Return the product's Python files that Git tracks, sorted."""
    listed = subprocess.run(
        ["git", "ls-files", *(f"{package}/*.py" for package in PACKAGES)],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    return sorted(ROOT / name for name in listed if (ROOT / name).exists())


def module_name(path: Path) -> str:
    """Return the dotted name by which a file is imported."""
    return path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")


def imported_modules(tree: ast.Module, known: set[str]) -> set[str]:
    """Return which of the known modules a module imports, also for type checking only."""
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names & known


def public_classes(tree: ast.Module) -> set[str]:
    """Return the names of the classes that do not begin with an underscore."""
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not node.name.startswith("_")}


def measure() -> StructureFigures:
    """Read every file of the product once and count."""
    trees = {path: ast.parse(path.read_text(encoding="utf-8")) for path in product_files()}
    lines = {path: path.read_text(encoding="utf-8").count("\n") for path in trees}
    known = {module_name(path) for path in trees}
    importers: dict[str, set[str]] = defaultdict(set)
    classes: dict[str, set[str]] = defaultdict(set)
    functions = []
    for path, tree in trees.items():
        for imported in imported_modules(tree, known) - {module_name(path)}:
            importers[imported].add(module_name(path))
        for name in public_classes(tree):
            classes[name].add(module_name(path))
        functions += [n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    plain = [name for name in functions if not name.startswith("__")]
    modules = [path for path in trees if path.name != "__init__.py"]
    return StructureFigures(
        modules=len(modules),
        lines=sum(lines.values()),
        small_modules_with_one_importer=tuple(
            name for path in modules if lines[path] < SMALL_LINES and len(importers[name := module_name(path)]) == 1
        ),
        duplicated_classes={name: tuple(sorted(where)) for name, where in sorted(classes.items()) if len(where) > 1},
        functions=len(plain),
        one_word_functions=sum("_" not in name.strip("_") for name in plain),
    )


def main() -> None:
    """Print the figures, one a line, and the lists behind them."""
    figures = measure()
    print(f"modules without __init__             {figures.modules}")
    print(f"lines of Python                      {figures.lines}")
    print(f"modules below {SMALL_LINES} lines, one importer  {len(figures.small_modules_with_one_importer)}")
    for name in figures.small_modules_with_one_importer:
        print(f"    {name}")
    print(f"public class names defined twice     {len(figures.duplicated_classes)}")
    for name, where in figures.duplicated_classes.items():
        print(f"    {name}: {', '.join(where)}")
    print(f"functions of one word                {figures.one_word_functions} of {figures.functions}")


if __name__ == "__main__":
    main()
