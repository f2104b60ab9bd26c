"""Opens stack files for commands: options, inventory and plan of each. It must not ask a server or an engine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from infra.options import Options
    from infra.plan import Plan
    from telemetry.core.inventory import Inventory

BUILT_IN = "built-in defaults"


@dataclass(frozen=True, slots=True)
class Stack:
    """One stack: the name of its file, the project's folder, its options, its inventory, and what is to be there."""

    name: str
    root: Path
    options: Options
    folder: Path
    inventory: Inventory
    plan: Plan


def shipped() -> list[Path]:
    """Return the stack files that come with the program."""
    folder = Path(str(resources.files("infra") / "stacks"))
    return sorted(folder.glob("Pulumi.*.yaml"))


def opened(files: Sequence[Path], folder: Path | None, today: date) -> list[Stack]:
    """Open stack files, the shipped ones when none is named; `folder` is an inventory in place of theirs.

    Raises ConfigError with the faults of all files, InventoryError, and ConfigError when the infra extra is missing.
    """
    _needs_infra()
    from infra.options import Options
    from infra.stack_file import load

    found: list[tuple[str, Options, Path | None]] = []
    faults: list[Fault] = []
    for file in files or shipped():
        try:
            found.append((str(file), load(file), file))
        except ConfigError as error:
            faults += error.faults
    if faults:
        raise ConfigError(faults)
    found = found or [(BUILT_IN, Options(stage="dev", target="local"), None)]
    return [
        _stack(name, options, (_root(file), folder or _folder(options, file)), today) for name, options, file in found
    ]


def _needs_infra() -> None:
    try:
        import pydantic
        import yaml
    except ImportError as error:
        remedy = "install motcua[infra]"
        raise ConfigError([Fault("installation", 0, str(error.name), "is missing", remedy)]) from None
    del pydantic, yaml


def _stack(name: str, options: Options, where: tuple[Path, Path], today: date) -> Stack:
    from dashboards.files import provisioned
    from infra.plan import plan
    from telemetry import inventory

    root, folder = where
    world = inventory.load(folder)
    return Stack(name, root, options, folder, world, plan(world, options, today, provisioned()))


def _root(file: Path | None) -> Path:
    """Return the project's folder, from which relative paths of a stack file count: that of Pulumi.yaml, else here."""
    above = [] if file is None else [one for one in file.resolve().parents if (one / "Pulumi.yaml").is_file()]
    return above[0] if above else Path.cwd()


def _folder(options: Options, file: Path | None) -> Path:
    """Return the inventory of a stack; the sample one for what is shipped, where no checkout is around it."""
    from telemetry import inventory

    folder = _root(file) / options.inventory
    sample = not folder.is_dir() and (file is None or file in shipped())
    return inventory.default_path() if sample else folder


def manifests(stack: Stack) -> Mapping[str, str]:
    """Return the files of the target kubernetes, name → text; none for another target. Raises ConfigError."""
    if stack.options.target != "kubernetes":
        return {}
    from infra.targets.kubernetes.written import files

    try:
        texts = {one.name: one.read_text(encoding="utf-8") for one in sorted(stack.folder.iterdir()) if one.is_file()}
    except (OSError, UnicodeDecodeError) as error:
        raise InventoryError([Fault(str(stack.folder), 0, "file", str(error), "make it readable")]) from None
    return files(stack.plan, stack.options, texts)
