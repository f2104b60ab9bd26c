"""What the images are built from: pinned, without tools or a root user in the last stage, from files that there are."""

from __future__ import annotations

import fnmatch
import json
import re
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.targets.kubernetes.images import IMAGE_USERS

ROOT = Path(__file__).resolve().parents[3]
FILES = sorted((ROOT / "containers").glob("*.Containerfile"))
KNOWN = {"ARG", "FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "EXPOSE", "HEALTHCHECK", "ENTRYPOINT", "CMD", "VOLUME"}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Step:
    word: str
    rest: str


def steps(path: Path) -> list[Step]:
    """Return the instructions; continued lines are joined, comments are left out."""
    lines = [line for line in path.read_text().splitlines() if not line.lstrip().startswith("#")]
    whole = re.sub(r"\\\n", " ", "\n".join(lines))
    return [Step(*line.split(None, 1)) for line in whole.splitlines() if line.strip()]


def last_stage(path: Path) -> list[Step]:
    found = steps(path)
    return found[max(number for number, step in enumerate(found) if step.word == "FROM") :]


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def file(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_there_is_one_for_servers_and_one_for_agents() -> None:
    assert [path.name for path in FILES] == ["agent.Containerfile", "server.Containerfile"]


def test_every_instruction_is_one_that_there_is_and_lists_are_json(file: Path) -> None:
    assert {step.word for step in steps(file)} <= KNOWN
    for step in steps(file):
        if step.word in {"ENTRYPOINT", "CMD", "VOLUME"}:
            assert all(isinstance(word, str) for word in json.loads(step.rest))


def test_the_base_is_an_exact_version_and_may_be_given_by_digest(file: Path) -> None:
    (base,) = [step.rest for step in steps(file) if step.word == "ARG"]
    assert re.fullmatch(r"PYTHON=docker\.io/library/python:3\.\d+\.\d+-slim-bookworm", base)
    assert [step.rest for step in steps(file) if step.word == "FROM"] == ["${PYTHON} AS build", "${PYTHON}"]
    assert "--build-arg PYTHON=" in file.read_text()
    assert "@sha256:" in file.read_text()


def test_it_runs_as_a_user_that_is_not_root_and_the_clusters_too(file: Path) -> None:
    (user,) = [step.rest for step in last_stage(file) if step.word == "USER"]
    number, group = (int(part) for part in user.split(":"))
    assert number == group == IMAGE_USERS["motcua-server"]
    assert number > 0


def test_the_last_stage_brings_no_tools_and_takes_only_what_was_built(file: Path) -> None:
    stage = last_stage(file)
    runs = [step.rest for step in stage if step.word == "RUN"]
    assert runs[0] == "pip uninstall --yes --quiet pip setuptools wheel"
    libraries = [run for run in runs[1:] if "apt-get" in run]
    assert runs[1:] == libraries
    assert [re.findall(r" (lib\S+|fonts-\S+)", run) for run in libraries] == (
        [["libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-dejavu-core"]] if file.stem.startswith("server") else []
    )  # libraries of the PDF, and no tools
    assert [step.rest for step in stage if step.word == "COPY"] == ["--from=build /opt/motcua /opt/motcua"]
    assert not re.search(r"curl|wget|gcc|git ", " ".join(step.rest for step in steps(file)))


def copied(file: Path) -> set[str]:
    found = [step.rest.split()[:-1] for step in steps(file) if step.word == "COPY" and "--from" not in step.rest]
    return {name for names in found for name in names}


def test_what_is_copied_is_there_and_not_ignored(file: Path) -> None:
    taken = [line[1:].rstrip("/") for line in (ROOT / ".containerignore").read_text().splitlines() if line[:1] == "!"]
    for name in copied(file):
        assert (ROOT / name).exists()
        assert name in taken


def test_everything_that_the_wheel_needs_is_copied(file: Path) -> None:
    wheel = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = {
        *wheel["packages"],
        *wheel["force-include"],
        PROJECT["readme"],
        *PROJECT["license-files"],
        "pyproject.toml",
    }
    assert needed <= copied(file)


def test_secrets_of_a_stack_never_get_into_an_image() -> None:
    lines = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line and line[0] != "#"]
    assert lines[0] == "*"
    assert "infra/stacks" in lines
    assert not any(fnmatch.fnmatch(".local/tokens", line.strip("!")) for line in lines if line[0] == "!")


def test_the_command_is_one_that_the_wheel_brings(file: Path) -> None:
    stage = last_stage(file)
    (entry,) = [json.loads(step.rest) for step in stage if step.word == "ENTRYPOINT"]
    assert entry[0] in PROJECT["scripts"]
    (path,) = [re.search(r"PATH=(\S+)", step.rest) for step in stage if step.word == "ENV"]
    assert path is not None
    assert path[1].split(":")[0] == "/opt/motcua/bin"
    words = [*entry[1:], "--help"]
    done = subprocess.run([sys.executable, "-m", "motcua", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0


def test_every_dependency_is_held_to_one_version(file: Path) -> None:
    lines = [line for line in (ROOT / "containers/constraints.txt").read_text().splitlines() if line[:1] != "#"]
    held = dict(line.lower().replace("_", "-").split("==") for line in lines)
    extra = "edge" if file.stem.startswith("agent") else "server"
    (run,) = [step.rest for step in steps(file) if step.word == "RUN" and "[" in step.rest]
    assert f'".[{extra}]"' in run
    assert "--constraint /constraints.txt" in run
    for wanted in (*PROJECT["dependencies"], *PROJECT["optional-dependencies"][extra]):
        assert re.split(r"[<>=\[]", wanted)[0].lower().replace("_", "-") in held


def test_the_servers_health_check_asks_the_port_that_it_is_given_and_nothing_without_one() -> None:
    (check,) = [step.rest for step in steps(ROOT / "containers/server.Containerfile") if step.word == "HEALTHCHECK"]
    _, script, program = json.loads(check[check.index("[") :])
    assert script == "-c"
    quiet = subprocess.run([sys.executable, "-c", program], env={}, check=False, capture_output=True)
    assert quiet.returncode == 0
    nobody = subprocess.run([sys.executable, "-c", program], env={"HEALTH_PORT": "1"}, check=False, capture_output=True)
    assert nobody.returncode != 0
