"""What the documents promise must be what the program has."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[3]


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def commands(command: Any, words: str) -> Iterator[str]:  # noqa: ANN401 - typer's own tree, by duck
    """Yield each command of the tree as it is typed, groups left out."""
    children = getattr(command, "commands", None)
    if children is None:
        yield words
        return
    for name, child in children.items():
        if not child.hidden:
            yield from commands(child, f"{words} {name}")


def documents() -> list[Path]:
    return sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_version_is_the_changelogs_newest() -> None:
    newest = re.search(r"^## \[(\d[^\]]*)\]", text("CHANGELOG.md"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == telemetry.__version__


def test_readme_names_the_two_commands() -> None:
    readme = text("README.md")
    assert "make demo" in readme
    assert "make test" in readme


def test_every_command_is_documented() -> None:
    import typer

    from motcua.cli.app import app

    reference = text("docs/reference/commands.md")
    names = list(commands(typer.main.get_command(app), "motcua"))
    assert len(names) > 5
    assert [name for name in names if f"`{name}" not in reference] == []


def test_every_command_has_its_extras_and_the_page_says_them() -> None:
    import typer

    from motcua.cli.app import app
    from motcua.cli.extras import EXTRAS, EXTRAS_BY_COMMAND

    plain = {name for name in EXTRAS_BY_COMMAND if " --" not in name}
    assert plain == {name.removeprefix("motcua ") for name in commands(typer.main.get_command(app), "motcua")}
    said = {
        row[0].strip(" `").removeprefix("motcua "): [cell.strip() for cell in row[1:5]]
        for line in text("docs/reference/commands.md").partition("## Extras")[2].partition("\n## ")[0].splitlines()
        if line.startswith("| `")
        for row in [line.strip("|").split("|")]
    }
    assert said == {
        name: ["✓" if not extras or one in extras else "" for one in ("none", *EXTRAS)]
        for name, extras in EXTRAS_BY_COMMAND.items()
    }


def test_every_setting_the_command_reads_is_documented() -> None:
    sources = [*ROOT.glob("motcua/**/*.py"), ROOT / "telemetry/config.py"]
    read = {
        name for path in sources for name in re.findall(r"\bMOTCUA_[A-Z_]*[A-Z]\b", path.read_text(encoding="utf-8"))
    }
    assert read
    assert sorted(name for name in read if f"`{name}`" not in text("docs/reference/settings.md")) == []


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents()
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8"))
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert broken == []


def test_the_site_builds_without_a_dead_link_and_reads_offline(tmp_path: Path) -> None:
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    quiet = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(words, cwd=ROOT, env=quiet, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    pages = {path: path.read_text(encoding="utf-8") for path in tmp_path.rglob("*.html")}
    assert len(pages) > len(list(ROOT.glob("docs/*/*.md")))
    fetched = r"""<(?:script|img|iframe|source)\b[^>]*\bsrc="?(?:https?:)?//|<link\b[^>]*\bhref="?(?:https?:)?//"""
    assert [str(path) for path, html in pages.items() if re.search(fetched, html)] == []


def slug_of(heading: str) -> str:
    """The anchor that Git hosts make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_anchors_between_documents_are_headings() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}#{anchor}"
        for path in documents()
        for target, anchor in re.findall(r"\]\(([^)#\s]*\.md|)#([^)\s]+)\)", path.read_text(encoding="utf-8"))
        if "://" not in target
        for text in [(path.parent / target if target else path).read_text(encoding="utf-8")]
        if anchor not in {slug_of(heading) for heading in re.findall(r"^#+ (.+)$", text, re.MULTILINE)}
    ]
    assert broken == []
