"""A Pulumi project of its own in a folder, run by the real engine with its own state, home and passphrase."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pulumi import automation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CHECKOUT = Path(__file__).resolve().parents[2]
STACK = "local"


@dataclass(frozen=True)
class Done:
    """What a run did: resources by operation (`create`, `same`, …), the names it touched, and everything it said."""

    counts: dict[str, int]
    touched: tuple[str, ...]
    text: str


class Project:
    """The shipped program on a copy of the sample inventory."""

    def __init__(self, folder: Path, name: str = STACK, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self.folder, self.name = folder, name
        for part in ("home", "state"):
            (folder / part).mkdir(parents=True)
        self.root = folder / "project"
        (self.root / "infra" / "stacks").mkdir(parents=True)
        shutil.copy(CHECKOUT / "Pulumi.yaml", self.root)
        shutil.copy(CHECKOUT / "infra" / "__main__.py", self.root / "infra")
        shutil.copytree(CHECKOUT / "inventory", self.root / "inventory")
        self.env = {
            **{name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PULUMI_HOME": str(folder / "home"),
            "PULUMI_BACKEND_URL": f"file://{folder / 'state'}",
            "PULUMI_CONFIG_PASSPHRASE": "only-for-tests",
            "PULUMI_SKIP_UPDATE_CHECK": "1",
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            **more,
        }
        work = automation.LocalWorkspace(work_dir=str(self.root), env_vars=self.env)
        self.stack = automation.Stack.create_or_select(name, work)

    @property
    def inventory(self) -> Path:
        return self.root / "inventory" / "bentre-2021"

    def configure(self, values: dict[str, object], secrets: dict[str, str] | None = None) -> None:
        for name, value in values.items():
            self._set(name, value if isinstance(value, str) else json.dumps(value), secret=False)
        for name, value in (secrets or {}).items():
            self._set(name, value, secret=True)

    def forget(self, name: str) -> None:
        """Take a value out of the configuration."""
        self.stack.remove_config(f"motcua:{name}")

    def _set(self, name: str, value: str, *, secret: bool) -> None:
        self.stack.set_config(f"motcua:{name}", automation.ConfigValue(value, secret=secret))

    def up(self) -> Done:
        return self._run(self.stack.up)

    def preview(self) -> Done:
        return self._run(self.stack.preview)

    def refresh(self) -> Done:
        return self._run(self.stack.refresh)

    def destroy(self) -> Done:
        return self._run(self.stack.destroy)

    def _run(self, work: Callable[..., object]) -> Done:
        said: list[str] = []
        steps: list[tuple[str, str]] = []

        def event(one: automation.EngineEvent) -> None:
            if one.resource_pre_event is not None:
                step = one.resource_pre_event.metadata
                steps.append((str(getattr(step.op, "value", step.op)), step.urn.rpartition("::")[2]))

        work(on_output=said.append, on_event=event, color="never")
        counts = Counter(op for op, name in steps if not name.startswith("motcua-"))
        touched = sorted({name for op, name in steps if op not in {"same", "refresh", "read"}})
        return Done(dict(counts), tuple(touched), "\n".join(said))

    def outputs(self) -> dict[str, Any]:
        return {name: found.value for name, found in self.stack.outputs().items()}

    def state(self) -> str:
        """The state as it lies on the disk."""
        return "".join(path.read_text() for path in (self.folder / "state").rglob("*.json*"))

    def command(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        run = ["pulumi", *words, "-s", self.name]
        return subprocess.run(run, cwd=self.root, env=self.env, check=check, capture_output=True, text=True)

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Start a run and leave it to itself."""
        return subprocess.Popen(
            ["pulumi", *words, "-s", self.name, "--non-interactive"], cwd=self.root, env=self.env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
