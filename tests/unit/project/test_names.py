"""Names are the field's terms: no doubled class, no bare participle, no private synonym (see the glossary)."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PACKAGES = ("telemetry", "edge_agent", "api", "dashboards", "infra", "motcua")
GLOSSARY = ROOT / "docs" / "reference" / "glossary.md"

# A public class name stands for one thing; each exception has its reason.
_TYPED = "people write `from infra.components.cloud import System`; the last word of the type token is the class"
DOUBLED: dict[str, str] = dict.fromkeys(("Component", "Flow", "Province", "System"), _TYPED)
# Words that say nothing to a stranger, in any part of a name.
PRIVATE_WORDS = frozenset({
    "told", "said", "heard", "kept", "found", "mind", "deaf", "obey", "bring", "stranger", "strangers",
    "thing", "things", "gist", "whereabouts", "letterbox", "skin", "skins",
})  # fmt: skip
# "not found" is the term of HTTP and of every client library.
ALLOWED_PHRASES = ("not_found", "notfound")
BARE = re.compile(
    r"(told|said|found|heard|kept|made|seen|given|held|taken|gone|meant|shut|there|here|once|stand|mind|bring|obey|"
    r"left|lost|sent|shown|spent|drawn|known|written|[a-z]+ed|[a-z]+wn)"
)
# Verbs and nouns that only look like participles.
NO_PARTICIPLES = frozenset(
    {"unknown", "embed", "exceed", "feed", "need", "proceed", "seed", "shutdown", "speed", "teardown", "own"}
)
VAGUE_MODULES = frozenset({
    "kept", "given", "thing", "things", "said", "told", "found", "heard", "stand", "standing", "world", "worlds",
    "parts", "stuff", "common", "shared_things", "util", "utils", "helper", "helpers", "manager", "base", "misc",
})  # fmt: skip


def product_files() -> list[Path]:
    return sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def defined_names(tree: ast.Module) -> list[tuple[int, str]]:
    """Every name that the module itself chooses: definitions, parameters, variables, attributes of self."""
    names: list[tuple[int, str]] = []
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                names.append((node.lineno, name))
            case ast.arg(arg=name):
                names.append((node.lineno, name))
            case ast.Name(id=name, ctx=ast.Store()):
                names.append((node.lineno, name))
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                names.append((node.lineno, name))
            case _:
                pass
    return names


def words_of(name: str) -> set[str]:
    plain = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()
    for phrase in ALLOWED_PHRASES:
        plain = plain.replace(phrase, "")
    return set(plain.split("_"))


def is_bare_participle(name: str) -> bool:
    return bool(BARE.fullmatch(name)) and name not in NO_PARTICIPLES


def test_a_public_class_name_stands_for_one_thing() -> None:
    where: dict[str, list[str]] = defaultdict(list)
    for path in product_files():
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                where[node.name].append(relative(path))
    doubled = {name: files for name, files in where.items() if len(files) > 1}
    assert {name: files for name, files in doubled.items() if name not in DOUBLED} == {}
    assert set(DOUBLED) == set(doubled), "an exception that is no longer needed goes"
    assert len(DOUBLED) <= 10


@pytest.mark.parametrize("path", product_files(), ids=relative)
def test_no_function_is_named_by_a_bare_participle(path: Path) -> None:
    functions = [n for n in ast.walk(tree_of(path)) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)]
    assert [f"{n.lineno}: {n.name}" for n in functions if is_bare_participle(n.name.strip("_"))] == []


@pytest.mark.parametrize("path", product_files(), ids=relative)
def test_no_name_is_a_private_synonym(path: Path) -> None:
    assert [f"{line}: {name}" for line, name in defined_names(tree_of(path)) if words_of(name) & PRIVATE_WORDS] == []


def test_module_names_are_nouns_of_the_field() -> None:
    assert [relative(path) for path in product_files() if path.stem in VAGUE_MODULES] == []


def test_the_rules_see_what_they_forbid() -> None:
    assert all(is_bare_participle(name) for name in ("told", "found", "judged", "drawn", "opened"))
    assert not any(is_bare_participle(name) for name in ("seed", "render_table", "feed", "is_closed"))
    assert words_of("FoundRows") & PRIVATE_WORDS
    assert not words_of("StoreNotFound") & PRIVATE_WORDS


def test_the_glossary_has_each_term_once_with_its_vietnamese() -> None:
    rows = [line.split("|")[1:5] for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| ")]
    entries = [[cell.strip() for cell in row] for row in rows if row[0].strip() != "term"]
    terms = [term for term, *_ in entries]
    assert len(terms) == len(set(terms)) >= 60
    assert [term for term, vietnamese, meaning, _ in entries if not (vietnamese and meaning)] == []
