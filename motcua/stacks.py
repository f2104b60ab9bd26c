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

    from infra.config.options import Options
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

    @property
    def called(self) -> str:
        """Return how Pulumi calls it, as its marks on the servers do; empty when the file has another's name."""
        first, _, rest = Path(self.name).name.partition(".")
        name, _, end = rest.rpartition(".")
        return name if (first, end) == ("Pulumi", "yaml") else ""


def shipped() -> list[Path]:
    """Return the stack files that come with the program."""
    folder = Path(str(resources.files("infra") / "stacks"))
    return sorted(folder.glob("Pulumi.*.yaml"))


def opened(files: Sequence[Path], folder: Path | None, today: date) -> list[Stack]:
    """Open stack files, the shipped ones when none is named; `folder` is an inventory in place of theirs.

    Raises ConfigError with the faults of all files, InventoryError, and ConfigError when the infra extra is missing.
    """
    _needs_infra()
    chosen = list(files or shipped())
    if not chosen:
        return [_built_in(folder, today)]
    found, faults = [], []
    for file in chosen:
        options, wrong = _options(file)
        world, more = _world(file, folder)
        faults += [*wrong, *more]
        if options is not None and world is not None:
            found.append(_stack(str(file), options, world, (_root(file), folder or named(file)), today))
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    return found


def _options(file: Path) -> tuple[Options | None, Sequence[Fault]]:
    from infra.config.stack_file import load

    try:
        return load(file), ()
    except ConfigError as error:
        return None, error.faults


def _world(file: Path, folder: Path | None) -> tuple[Inventory | None, Sequence[Fault]]:
    """Return the inventory of a stack, or `folder` in place of it, or its faults."""
    from infra.config.stack_file import said
    from telemetry import inventory

    chosen = folder or named(file)
    if folder is None and not chosen.is_dir():
        remedy = "write its path from the folder of Pulumi.yaml, or name an inventory on the command line"
        line = said(file, "inventory")[1]
        return None, [Fault(str(file), line, "motcua:inventory", f"there is no folder {chosen}", remedy)]
    try:
        return inventory.load(chosen), ()
    except InventoryError as error:
        return None, error.faults


def _needs_infra() -> None:
    try:
        import pydantic
        import yaml
    except ImportError as error:
        remedy = "install motcua[infra]"
        raise ConfigError([Fault("installation", 0, str(error.name), "is missing", remedy)]) from None
    del pydantic, yaml


def _stack(name: str, options: Options, world: Inventory, where: tuple[Path, Path], today: date) -> Stack:
    from dashboards.files import provisioned
    from infra.plan import plan

    root, folder = where
    return Stack(name, root, options, folder, world, plan(world, options, today, provisioned()))


def _built_in(folder: Path | None, today: date) -> Stack:
    from infra.config.options import Options
    from telemetry import inventory

    chosen = folder or inventory.default_path()
    options = Options(stage="dev", target="local")
    return _stack(BUILT_IN, options, inventory.load(chosen), (Path.cwd(), chosen), today)


def _root(file: Path) -> Path:
    """Return the project's folder, from which relative paths of a stack file count: that of Pulumi.yaml, else here."""
    return project(file.resolve().parent) or Path.cwd()


def project(folder: Path) -> Path | None:
    """Return the nearest folder with Pulumi.yaml, from `folder` upwards."""
    return next((one for one in (folder, *folder.parents) if (one / "Pulumi.yaml").is_file()), None)


def named(file: Path) -> Path:
    """Return the inventory that a stack file names; the sample for a shipped one where no checkout is around it."""
    from infra.config.options import Options
    from infra.config.stack_file import said
    from telemetry import inventory

    folder = _root(file) / (said(file, "inventory")[0] or str(Options.model_fields["inventory"].default))
    return inventory.default_path() if not folder.is_dir() and file in shipped() else folder


def file_of(stack: str) -> Path | None:
    """Return the stack file of a Pulumi stack in the project around the current folder, if there is one."""
    around = project(Path.cwd())
    found = [
        folder / f"Pulumi.{stack.rpartition('/')[2]}.yaml"
        for folder in ([around / "infra/stacks", around] if around else [])
    ]
    return next((one for one in found if one.is_file()), None)


def manifests(stack: Stack) -> Mapping[str, str]:
    """Return the files of the target kubernetes, name → text; none for another target.

    Raises ConfigError, InventoryError.
    """
    if stack.options.target != "kubernetes":
        return {}
    from infra.targets.kubernetes.kustomize import files
    from telemetry.inventory.carried import carried

    return files(stack.plan, stack.options, carried(stack.folder))
