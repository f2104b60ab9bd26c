"""The commands of docs/how-to/connect-a-kiosk.md bring a ticket onto the page, with the real roles."""

from __future__ import annotations

import ast
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.flow.device import wait_until
from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.flow
PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "connect-a-kiosk.md"
PORTS = ("1883", "8080", "8137")


class Shop:
    """A folder in which the page's blocks run, with free ports in the place of the page's."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {port: str(free_port()) for port in PORTS}
        self.env = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}

    def block(self, name: str) -> str:
        found = re.findall(rf"<!-- tested: {name} -->\n```(?:sh|python)\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
        assert len(found) == 1, name
        return re.sub("|".join(PORTS), lambda match: self.ports[match[0]], found[0])

    def run(self, name: str, *, program: str = "bash") -> Any:  # noqa: ANN401
        done = subprocess.run(
            [shutil.which(program) or program, "-c", self.block(name)],
            cwd=self.folder, env=self.env, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return ast.literal_eval(done.stdout) if program == sys.executable else json.loads(done.stdout)

    def waiting(self) -> int | None:
        try:
            rows = self.run("kiosk-look")["data"]
        except (AssertionError, ValueError):
            return None
        return rows[0]["waiting"] if rows else None


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    place = Shop(tmp_path_factory.mktemp("kiosk"))
    with (place.folder / "roles.log").open("wb") as log:
        roles = subprocess.Popen(
            ["bash", "-c", f"{place.block('kiosk-roles')}\nwait"],
            cwd=place.folder, env=place.env, stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip
        try:
            yield place
        finally:
            os.killpg(roles.pid, signal.SIGTERM)
            roles.wait(60)
    print((place.folder / "roles.log").read_text(encoding="utf-8")[-4_000:])  # noqa: T201 - shown when a test failed


def test_a_ticket_comes_onto_the_page_and_leaves_it(shop: Shop) -> None:
    answer = shop.run("kiosk-ticket")
    assert answer == {"first": answer["last"], "last": answer["first"], "repeated": False, "warnings": []}
    wait_until(lambda: shop.waiting() == 1, "the ticket waits", 60)
    with urllib.request.urlopen(f"http://127.0.0.1:{shop.ports['8080']}/centres/vn83-829") as page:
        assert page.status == 200
    assert shop.run("kiosk-ticket")["repeated"]
    answer = shop.run("kiosk-call")
    assert (answer["last"] - answer["first"], answer["repeated"], answer["warnings"]) == (1, False, [])
    wait_until(lambda: shop.waiting() == 0, "nobody waits", 60)
    today = shop.run("kiosk-look")["data"][0]["today"]
    assert (today["issued"], today["called"], today["served"], today["wait"]["mean_s"]) == (1, 1, 1, 300.0)


def test_validation_explains_the_seconds_and_stores_nothing(shop: Shop) -> None:
    wait_until(lambda: shop.run("kiosk-health")["status"] == "ok", "the agent runs", 60)
    problem = shop.run("kiosk-validate")
    assert (problem["status"], problem["field"]) == (400, "t")
    assert "looks like seconds" in problem["remedy"]


def test_the_python_example_delivers_a_ticket(shop: Shop) -> None:
    answer = shop.run("kiosk-python", program=sys.executable)
    assert answer["first"] == answer["last"] >= 1
    wait_until(lambda: shop.run("kiosk-health")["pending"] == 0, "all is delivered", 60)
