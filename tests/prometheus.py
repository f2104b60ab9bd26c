"""A real Prometheus on the loopback, with given jobs and rules, that scrapes and evaluates every second."""

from __future__ import annotations

import json
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.servers import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

READY_S = 60.0


@dataclass(frozen=True)
class Sample:
    """One series' present value and its labels, without its name."""

    labels: Mapping[str, str]
    value: float


class Prometheus:
    """One server on its own folder and port; `config` is prometheus.yml as a mapping, `rules` {name: text}."""

    def __init__(self, program: str, folder: Path, config: Mapping[str, Any], rules: Mapping[str, str]) -> None:
        self._program, self._folder = program, folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "rules").mkdir(parents=True)
        for name, text in rules.items():
            (folder / "rules" / name).write_text(text, encoding="utf-8")
        hurried = {"scrape_interval": "1s", "scrape_timeout": "1s"}
        jobs = [{**job, **hurried} for job in config["scrape_configs"]]
        hurried_config = {
            "global": {**config["global"], **hurried, "evaluation_interval": "1s"},
            "rule_files": [f"{folder}/rules/*.yaml"],
            "scrape_configs": jobs,
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(hurried_config))

    def start(self) -> Prometheus:
        words = [
            self._program, f"--config.file={self._folder}/prometheus.yml", f"--storage.tsdb.path={self._folder}/data",
            f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=warn",
        ]  # fmt: skip
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.until(self._is_ready)
        return self

    def _is_ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=60) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition with a deadline; the log and the targets are shown when it does not come."""
        deadline = time.monotonic() + READY_S
        while not condition():
            assert self._process is not None, "it was never started"
            assert self._process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < deadline, ((self._folder / "log").read_text(), self.ask("up"))
            time.sleep(0.1)

    def ask(self, query: str) -> list[Sample]:
        """Return the present answer; fails on a query that Prometheus refuses."""
        words = urllib.parse.urlencode({"query": query})
        with urllib.request.urlopen(f"{self.url}/api/v1/query?{words}", timeout=60) as answer:
            data = json.load(answer)["data"]
        assert data["resultType"] == "vector", query
        return [
            Sample({k: v for k, v in row["metric"].items() if k != "__name__"}, float(row["value"][1]))
            for row in data["result"]
        ]

    def end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(60)
