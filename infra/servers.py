"""Opens a stack's servers for looking at them without an engine; it must not change anything there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.drift import Drift
from infra.providers import influx
from infra.providers.files import FilesKind
from infra.providers.influx import marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.config.options import StackOptions
    from infra.providers.resource_kind import ResourceKind, ResourceSpec

PAGE_SIZE = 100
LISTED_KINDS = {"influx.bucket": ("/buckets", "buckets"), "influx.authorization": ("/authorizations", "authorizations")}
"""The kinds of which a stranger matters: where they are listed, and under which name."""


@dataclass(frozen=True, slots=True)
class StackServers:
    """A stack's InfluxDB."""

    store: influx.InfluxClient

    def open_kind(self, name: str) -> ResourceKind:
        """Open a kind by its name in a declaration; raises KeyError."""
        part, _, kind = name.partition(".")
        return FilesKind() if part == "host" else influx.KINDS[kind](self.store, False)  # noqa: FBT003 - as KINDS has it


@contextmanager
def open_servers(options: StackOptions, influx_token: str, stack: str = "") -> Iterator[StackServers]:
    """Open the servers that a stack names; closed at the end. No stack counts every stack's."""
    store = influx.InfluxClient(options.influx.url, influx_token, owner=stack)
    try:
        yield StackServers(store)
    finally:
        store.close()


def undeclared_resources(specs: Sequence[ResourceSpec], servers: StackServers) -> Iterator[Drift]:
    """Yield buckets and tokens that bear our mark and that no declaration names. Raises ProviderError."""
    for org in [str(spec.inputs["name"]) for spec in specs if spec.kind == "influx.organisation"]:
        yield from _undeclared_influx_resources(specs, servers.store, org)


def _undeclared_influx_resources(
    specs: Sequence[ResourceSpec], store: influx.InfluxClient, org: str
) -> Iterator[Drift]:
    organisations = _fetch_rows(store, "/orgs", "orgs", {"org": org})
    for kind, (path, name) in LISTED_KINDS.items():
        declared_names = {str(item.inputs["name"]) for item in specs if item.kind == kind}
        for row in (row for item in organisations for row in _list_rows(store, path, name, str(item["id"]))):
            tag = marks.parse_tag(row.get("description"))
            name_on_server = str(row.get("name") or (tag.resource_name if tag else ""))
            if tag is not None and tag.belongs_to(store.owner) and name_on_server not in declared_names:
                yield Drift(name_on_server, kind, "unplanned")


def _list_rows(store: influx.InfluxClient, path: str, name: str, org_id: str) -> Iterator[Mapping[str, object]]:
    """Yield every row of a list; InfluxDB gives tokens at once and buckets by pages."""
    offset = 0
    while True:
        rows = _fetch_rows(store, path, name, {"orgID": org_id, "limit": PAGE_SIZE, "offset": offset})
        yield from rows
        offset += PAGE_SIZE
        if len(rows) != PAGE_SIZE or path != LISTED_KINDS["influx.bucket"][0]:
            return


def _fetch_rows(
    store: influx.InfluxClient, path: str, name: str, query: Mapping[str, str | int]
) -> list[Mapping[str, object]]:
    rows = (store.find(path, **query) or {}).get(name)
    return rows if isinstance(rows, list) else []
