"""Compares declared resources with the servers' and the files', field by field. It changes nothing, shows no secret."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal, cast

from infra.providers import influx
from infra.providers.files import FilesKind
from infra.providers.influx.resource import InfluxKind, items_in, parse_tag
from infra.providers.resource_kind import ResourceSpec, difference

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.providers.resource_kind import Props, ResourceKind, ResourceState

DriftState = Literal["missing", "changed", "foreign", "unplanned"]
SECRET_INPUTS = frozenset({"token", "password", "secret_files", "remote_token"})
"""Inputs whose values are never shown."""
MAX_SHOWN_LENGTH = 120
PAGE_SIZE = 100
LISTED_KINDS = {"influx.bucket": ("/buckets", "buckets"), "influx.authorization": ("/authorizations", "authorizations")}
"""The kinds whose undeclared resources are reported: where InfluxDB lists them, and under which name."""


@dataclass(frozen=True, slots=True)
class Drift:
    """A difference: missing, not owned (foreign), ours but undeclared (unplanned), or another value in one field."""

    name: str
    kind: str
    state: DriftState
    field: str = ""
    wanted: str = ""
    actual: str = ""

    def to_json(self) -> dict[str, str]:
        """Return the difference as `motcua drift --json` prints it."""
        return {"found" if name == "actual" else name: value for name, value in asdict(self).items()}


def find_drifts(specs: Iterable[ResourceSpec], kind_of: Callable[[str], ResourceKind]) -> Iterator[Drift]:
    """Yield what differs; `kind_of` opens a kind by its name. Raises ProviderError when a server does not answer."""
    for spec in specs:
        kind = kind_of(spec.kind)
        inputs, _ = kind.check({}, spec.inputs)
        existing = find_resource(kind, inputs)
        if existing is None:
            yield Drift(spec.name, spec.kind, "missing")
            continue
        # A resource without a description carries no ownership tag, and belongs to the stack that declares it.
        adopted = existing.outputs.get("adopted") is True and inputs.get("adopt") is not True
        if adopted and "description" in kind.inputs:
            yield Drift(spec.name, spec.kind, "foreign")
            continue
        # A secret that is not declared here cannot be compared.
        comparable = difference(kind, existing.outputs, inputs).changed - (SECRET_INPUTS - inputs.keys())
        for field in sorted(comparable):
            hidden = ("(hidden)", "(hidden)") if field in SECRET_INPUTS else None
            values = hidden or render_values(inputs.get(field), existing.outputs.get(field))
            yield Drift(spec.name, spec.kind, "changed", field, *values)


def find_resource(kind: ResourceKind, inputs: Props) -> ResourceState | None:
    """Return the resource of the inputs' name, without any state; files are read by their folder."""
    if isinstance(kind, InfluxKind):
        return kind.locate(inputs)
    return kind.read(str(inputs["folder"]), inputs)


def render_values(wanted: object, actual: object) -> tuple[str, str]:
    """Return two values as text, reduced to what differs; of long texts only the line."""
    if isinstance(wanted, dict) and isinstance(actual, dict):
        return _render_maps(wanted, actual)
    if isinstance(wanted, list) and isinstance(actual, list):
        return _render_items(wanted, actual), _render_items(actual, wanted)
    if isinstance(wanted, str) and isinstance(actual, str) and "\n" in wanted + actual:
        return f"{len(wanted.splitlines())} lines", f"differs from line {_first_different_line(wanted, actual)} on"
    return _render_value(wanted), _render_value(actual)


def _render_maps(wanted: Mapping[str, object], actual: Mapping[str, object]) -> tuple[str, str]:
    names = sorted(name for name in {*wanted, *actual} if wanted.get(name) != actual.get(name))
    sides = [render_values(wanted.get(name), actual.get(name)) for name in names]
    left = "; ".join(f"{name}: {side[0]}" for name, side in zip(names, sides, strict=True))
    right = "; ".join(f"{name}: {side[1]}" for name, side in zip(names, sides, strict=True))
    return _truncate(left), _truncate(right)


def _render_items(these: list[object], others: list[object]) -> str:
    missing = [item for item in these if item not in others]
    return _truncate("; ".join(_render_value(item) for item in missing)) if missing else f"{len(these)} items"


def _first_different_line(wanted: str, actual: str) -> int:
    wanted_lines, actual_lines = wanted.splitlines(), actual.splitlines()
    different = (at for at, pair in enumerate(zip(wanted_lines, actual_lines, strict=False), 1) if pair[0] != pair[1])
    return next(different, min(len(wanted_lines), len(actual_lines)) + 1)


def _render_value(value: object) -> str:
    if isinstance(value, dict):
        return _truncate(", ".join(f"{name} {inner}" for name, inner in cast("dict[str, object]", value).items()))
    return "–" if value is None or value == "" else _truncate(str(value))


def _truncate(text: str) -> str:
    return text if len(text) <= MAX_SHOWN_LENGTH else f"{text[: MAX_SHOWN_LENGTH - 1]}…"


def local_file_specs(plan: StackPlan, options: StackOptions, root: str, inventory: str) -> tuple[ResourceSpec, ...]:
    """Return the files of the target `local` without secrets and certificates, below the project's folder."""
    from infra.targets.local import documents  # noqa: PLC0415 - only that target has it

    if options.target != "local":
        return ()
    folder = f"{root}/{options.local.folder}".removesuffix("/.")
    roles = {"motcua.env": documents.role_settings(plan, options, inventory, f"{folder}/roles")}
    specs = [ResourceSpec("role-files", "host.files", {"folder": f"{folder}/roles", "files": roles})]
    if options.broker.managed:
        texts = documents.broker_files(plan, options, f"{folder}/broker", options.local.broker_user)
        specs.append(ResourceSpec("broker-files", "host.files", {"folder": f"{folder}/broker", "files": texts}))
    return tuple(specs)


@dataclass(frozen=True, slots=True)
class StackServers:
    """A stack's InfluxDB."""

    store: influx.InfluxClient

    def open_kind(self, name: str) -> ResourceKind:
        """Open a kind by its name in a ResourceSpec; raises KeyError."""
        family, _, kind = name.partition(".")
        return FilesKind() if family == "host" else influx.KINDS[kind](self.store, False)  # noqa: FBT003 - as KINDS has it


@contextmanager
def open_servers(options: StackOptions, influx_token: str, stack: str = "") -> Iterator[StackServers]:
    """Open the servers that a stack names; closed at the end. Without `stack` every stack's resources count as ours."""
    authority = options.cloud.internal_authority if options.cloud.own_system else ""
    store = influx.InfluxClient(options.influx.url, influx_token, owner=stack, authority=authority)
    try:
        yield StackServers(store)
    finally:
        store.close()


def undeclared_resources(specs: Sequence[ResourceSpec], servers: StackServers) -> Iterator[Drift]:
    """Yield buckets and tokens that carry our ownership tag and that no spec names. Raises ProviderError."""
    store = servers.store
    for org_name in [str(spec.inputs["name"]) for spec in specs if spec.kind == "influx.organisation"]:
        for org in items_in(store.find("/orgs", org=org_name), "orgs"):
            for kind, (path, list_key) in LISTED_KINDS.items():
                declared_names = {str(spec.inputs["name"]) for spec in specs if spec.kind == kind}
                for item in _list_items(store, path, list_key, str(org["id"])):
                    tag = parse_tag(item.get("description"))
                    name = str(item.get("name") or (tag.resource_name if tag else ""))
                    if tag is not None and tag.belongs_to(store.owner) and name not in declared_names:
                        yield Drift(name, kind, "unplanned")


def _list_items(store: influx.InfluxClient, path: str, list_key: str, org_id: str) -> Iterator[Mapping[str, object]]:
    """Yield every item of a list; InfluxDB returns all tokens at once and buckets by pages."""
    offset = 0
    while True:
        items = items_in(store.find(path, orgID=org_id, limit=PAGE_SIZE, offset=offset), list_key)
        yield from items
        offset += PAGE_SIZE
        if len(items) != PAGE_SIZE or path != LISTED_KINDS["influx.bucket"][0]:
            return
