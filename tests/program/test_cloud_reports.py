"""`motcua cloud dossier` and `motcua cloud report` over the sample: each form of file, and wrong input."""

from __future__ import annotations

import subprocess
from importlib.util import find_spec
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from motcua.cli.app import app
from telemetry.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SYSTEM = "vn83-onestop"
MOST_BYTES = 220_000


def written(*words: str) -> str:
    result = CliRunner().invoke(app, ["cloud", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_dossier_of_the_sample_names_the_system_in_vietnamese(tmp_path: Path) -> None:
    text = written("dossier", "--system", SYSTEM)
    assert text.startswith("# Thuyết minh cấp độ: Hệ thống một cửa điện tử\n")
    assert text.count("\n## ") == 13
    written("dossier", "--system", SYSTEM, "--out", str(tmp_path / "d.html"))
    assert '<html lang="vi">' in (tmp_path / "d.html").read_text()


def test_the_yearly_report_counts_the_eleven_systems_of_the_sample(tmp_path: Path) -> None:
    written("report", "--year", "2026", "--out", str(tmp_path / "r.md"))
    assert "| Tổng số | 11 |" in (tmp_path / "r.md").read_text()


@pytest.mark.skipif(find_spec("weasyprint") is None, reason="WeasyPrint is missing: pip install 'motcua[server]'")
def test_a_pdf_is_made_and_the_documentation_has_a_picture_of_it(
    tmp_path: Path, pictures: Path, require: Callable[[str], str]
) -> None:
    made = tmp_path / "d.pdf"
    written("dossier", "--system", SYSTEM, "--out", str(made))
    assert made.read_bytes().startswith(b"%PDF-")
    words = ("-png", "-r", "90", "-f", "1", "-l", "1", "-singlefile")
    subprocess.run([require("pdftoppm"), *words, made, pictures / "dossier"], check=True)
    assert 20_000 < (pictures / "dossier.png").stat().st_size < MOST_BYTES


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("dossier", "--system", "vn83-nothing"), "no hosted system 'vn83-nothing'"),
        (("dossier", "--system", SYSTEM, "--out", "d.doc"), r"d\.doc is no \.md, \.html or \.pdf"),
        (("report", "--year", "2026", "--out", "none/r.md"), "cannot be written"),
        (("dossier", "--system", SYSTEM, "--stage", "nosuch"), "'nosuch' is no stage; use one of dev, stage, prod"),
        (("check", "--stage", "nosuch"), "'nosuch' is no stage"),
    ],
)
def test_wrong_input_is_a_fault(words: tuple[str, ...], problem: str) -> None:
    with pytest.raises(ConfigError, match=problem):
        CliRunner().invoke(app, ["cloud", *words], catch_exceptions=False)
