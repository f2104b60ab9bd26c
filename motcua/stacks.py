"""Opens stack files for commands: options, inventory and plan of each. It must not query a server or an engine."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from telemetry.errors import ConfigError, Fault, InventoryError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory

BUILT_IN = "built-in defaults"
CLOUD_FILES = (
    "Pulumi.ground.yaml", "Pulumi.hosted.yaml", "Pulumi.local-ground.yaml", "Pulumi.local-hosted.yaml",
)  # fmt: skip
"""The shipped stack files of the province's cloud: they have no plan of Motcua's own stack."""


@dataclass(frozen=True, slots=True)
class OpenedStack:
    """One stack: the name of its file, the project's folder, its options, its inventory and its plan."""

    name: str
    root: Path
    options: StackOptions
    folder: Path
    inventory: Inventory
    plan: StackPlan

    @property
    def pulumi_name(self) -> str:
        """Return its Pulumi name, as in ownership tags on the servers; empty when the file is not Pulumi.NAME.yaml."""
        first, _, rest = Path(self.name).name.partition(".")
        name, _, end = rest.rpartition(".")
        return name if (first, end) == ("Pulumi", "yaml") else ""


def shipped_files() -> list[Path]:
    """Return the stack files of Motcua's own stack that are shipped with the program."""
    return [path for path in sorted(_shipped_folder().glob("Pulumi.*.yaml")) if path.name not in CLOUD_FILES]


def _shipped_folder() -> Path:
    return Path(str(resources.files("infra") / "stacks"))


def open_stacks(files: Sequence[Path], folder: Path | None, today: date) -> list[OpenedStack]:
    """Open stack files, the shipped ones when none is given; `folder` is an inventory in place of theirs.

    Raises ConfigError with the faults of all files, and InventoryError.
    """
    chosen = list(files or shipped_files())
    if not chosen:
        return [_built_in_stack(folder, today)]
    stacks, faults = [], []
    for file in chosen:
        options, wrong = _load_options(file)
        inventory, more = _load_inventory(file, folder)
        faults += [*wrong, *more]
        if options is not None and inventory is not None:
            folders = (_project_root(file), folder or inventory_folder(file))
            stacks.append(_build_stack(str(file), options, inventory, folders, today))
    if faults:
        raise ConfigError(list(dict.fromkeys(faults)))
    return stacks


def _load_options(file: Path) -> tuple[StackOptions | None, Sequence[Fault]]:
    from infra.config.stack_file import load_options

    try:
        return load_options(file), ()
    except ConfigError as error:
        return None, error.faults


def _load_inventory(file: Path, folder: Path | None) -> tuple[Inventory | None, Sequence[Fault]]:
    """Return the inventory of a stack, or `folder` in place of it, or its faults."""
    from infra.config.stack_file import value_and_line
    from telemetry import inventory

    chosen = folder or inventory_folder(file)
    if folder is None and not chosen.is_dir():
        remedy = "write its path relative to the folder of Pulumi.yaml, or give an inventory on the command line"
        line = value_and_line(file, "inventory")[1]
        return None, [Fault(str(file), line, "motcua:inventory", f"there is no folder {chosen}", remedy)]
    try:
        return inventory.load(chosen), ()
    except InventoryError as error:
        return None, error.faults


def _build_stack(
    name: str, options: StackOptions, inventory: Inventory, folders: tuple[Path, Path], today: date
) -> OpenedStack:
    from dashboards.files import provisioned_files
    from infra.plan import build_plan

    root, folder = folders
    plan = build_plan(inventory, options, today, provisioned_files(inventory))
    return OpenedStack(name, root, options, folder, inventory, plan)


def _built_in_stack(folder: Path | None, today: date) -> OpenedStack:
    from infra.config.options import StackOptions
    from telemetry import inventory

    chosen = folder or inventory.default_path()
    options = StackOptions(stage="dev", target="local")
    return _build_stack(BUILT_IN, options, inventory.load(chosen), (Path.cwd(), chosen), today)


def _project_root(file: Path) -> Path:
    """Return the folder that a stack file's relative paths start from: that of Pulumi.yaml, else the current one."""
    return find_project(file.resolve().parent) or Path.cwd()


def find_project(folder: Path) -> Path | None:
    """Return the nearest folder with Pulumi.yaml, from `folder` upwards."""
    return next((parent for parent in (folder, *folder.parents) if (parent / "Pulumi.yaml").is_file()), None)


def inventory_folder(file: Path) -> Path:
    """Return the inventory of a stack file; the sample for a shipped file outside a checkout."""
    from infra.config.options import StackOptions
    from infra.config.stack_file import value_and_line
    from telemetry import inventory

    path = value_and_line(file, "inventory")[0] or str(StackOptions.model_fields["inventory"].default)
    folder = _project_root(file) / path
    return inventory.default_path() if not folder.is_dir() and file.parent == _shipped_folder() else folder


def stack_file_of(stack: str) -> Path | None:
    """Return the stack file of a Pulumi stack in the project around the current folder, if there is one."""
    root = find_project(Path.cwd())
    candidates = [
        folder / f"Pulumi.{stack.rpartition('/')[2]}.yaml" for folder in ([root / "infra/stacks", root] if root else [])
    ]
    return next((path for path in candidates if path.is_file()), None)


def input_faults(stack: OpenedStack) -> list[Fault]:
    """Return what the resources of a stack will refuse, each at the line of its key."""
    from infra.config.stack_file import locate_faults
    from infra.input_check import find_input_faults, root_certificate

    path = stack.root / stack.options.pki.root_certificate
    text = root_certificate(stack.options, stack.root) if path.is_file() else ""
    root = {"root_certificate": text} if text else {}
    return locate_faults(Path(stack.name), find_input_faults(stack.plan, stack.options, root, stack.name))


def own_system_faults(stack: OpenedStack, today: date) -> list[Fault]:
    """Return in what the hosted system that a stack file names as Motcua is not what Motcua needs."""
    if not stack.options.cloud.own_system:
        return []
    from infra.config.stack_file import locate_faults
    from infra.plan.cloud import build_cloud_plan
    from infra.plan.own_system import build_own_plan, own_options

    options, cloud, province = stack.options, stack.inventory.cloud, stack.inventory.province
    plan = build_cloud_plan(cloud, province=province, stage=options.stage, today=today)
    try:
        build_own_plan(stack.inventory, own_options(options, plan), plan, today, {})
    except ConfigError as error:
        return locate_faults(Path(stack.name), error.faults)
    return []


def kubernetes_files(stack: OpenedStack) -> Mapping[str, str]:
    """Return the files of the target kubernetes, name → text; none for another target.

    Raises ConfigError, InventoryError.
    """
    if stack.options.target != "kubernetes" or stack.options.cloud.part != "motcua":
        return {}
    from infra.targets.kubernetes.kustomize import kustomize_files
    from telemetry.inventory.files import bundle_files

    return kustomize_files(stack.plan, stack.options, bundle_files(stack.folder))
