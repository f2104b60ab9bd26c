"""A kind for tests, whose things are lines of one file; it must be importable by the provider's own process."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from infra.providers.dynamic import DynamicProvider
from infra.providers.resource_kind import InputFault, ProviderError, ResourceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from infra.providers.resource_kind import Props, ResourceKind

PLANTED = "hunter2-planted"


class Shelf:
    """Things on a shelf: `name`, `weight`, `tags`; the provider adds `label`."""

    inputs: ClassVar[frozenset[str]] = frozenset({"name", "weight", "tags", "note"})
    immutable: ClassVar[frozenset[str]] = frozenset({"name"})
    secret_outputs: ClassVar[tuple[str, ...]] = ()
    delete_first: ClassVar[bool] = True

    def __init__(self, file: Path, token: str, broken: str, structure: str) -> None:
        self._file, self._token, self._broken, self._structure = file, token, broken, structure
        self._lock, self._busy, self._most = threading.Lock(), 0, 0

    def check(self, olds: Props, news: Props) -> tuple[Props, list[InputFault]]:
        """Give a weight, refuse an empty name and say which type each number has."""
        self._fail()
        wrong = [InputFault("name", "is empty; give it one")] if news.get("name") == "" else []
        wrong += [InputFault("note", f"is {type(news['note']).__name__}")] if news.get("name") == "typed" else []
        return {"weight": olds.get("weight", 7200), **news}, wrong

    def is_equivalent(self, name: str, old: object, new: object) -> bool:
        """Tags have no order."""
        self._fail()
        return name == "tags" and sorted(map(str, _list(old))) == sorted(map(str, _list(new)))

    def create(self, inputs: Props) -> tuple[str, Props]:
        """Put it there; while it is busy others may come."""
        self._fail()
        with self._lock:
            self._busy += 1
            self._most = max(self._most, self._busy)
        _wait_for(lambda: self._most >= int(str(inputs["weight"])) or inputs["name"] != "crowd")
        with self._lock:
            self._busy -= 1
            self._write(self._held() | {str(inputs["name"]): dict(inputs)})
        return str(inputs["name"]), self._outputs(inputs)

    def read(self, ident: str, outputs: Props) -> ResourceState | None:
        """Return what stands in the file."""
        self._fail()
        held = self._held().get(ident)
        return ResourceState(ident, {**outputs, **self._outputs(held)}, held) if held is not None else None

    def update(self, ident: str, olds: Props, news: Props) -> Props:
        """Change it."""
        self._fail()
        self._write(self._held() | {ident: dict(news)})
        return {**self._outputs(news), "was": olds["weight"]}

    def delete(self, ident: str, outputs: Props) -> None:
        """Take it away."""
        assert outputs
        self._write({name: one for name, one in self._held().items() if name != ident})

    def _outputs(self, inputs: Props) -> dict[str, object]:
        seen = {"token_length": len(self._token), "structure": self._structure, "most": self._most}
        kinds = {f"{name}_type": type(value).__name__ for name, value in inputs.items()}
        return {**inputs, "label": f"{inputs['name']}!", **seen, **kinds}

    def _fail(self) -> None:
        if self._broken == "told":
            raise ProviderError("the shelf is away; is it up?")
        if self._broken == "raw":
            raise ValueError(f"token {self._token} was refused")
        if self._broken == "caused":
            try:
                int(self._token)
            except ValueError as error:
                raise ProviderError("the shelf refused the token") from error

    def _held(self) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = json.loads(self._file.read_text()) if self._file.exists() else {}
        return found

    def _write(self, held: dict[str, dict[str, object]]) -> None:
        self._file.write_text(json.dumps(held))


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _wait_for(good: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not good() and time.monotonic() < deadline:
        time.sleep(0.005)


class ShelfSkin(DynamicProvider):
    """The shelf for Pulumi: its file, token and manner come from the stack's configuration."""

    def open_kind(self, setting: Callable[[str], str]) -> ResourceKind:
        """Return the shelf."""
        if setting("broken") == "open":
            raise ValueError(f"token {setting('influxToken')} cannot be used")
        return Shelf(Path(setting("file")), setting("influxToken"), setting("broken"), setting("influx"))
