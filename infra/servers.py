"""Opens a stack's servers for looking at them without an engine; it must not change anything there."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.drift import Drift
from infra.providers import influx
from infra.providers.files import Files
from infra.providers.influx import marks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from infra.config.options import Options
    from infra.providers.resource_kind import Declared, Kind

PAGE = 100
LISTS = {"influx.bucket": ("/buckets", "buckets"), "influx.authorization": ("/authorizations", "authorizations")}
"""The kinds of which a stranger matters: where they are listed, and under which name."""


@dataclass(frozen=True, slots=True)
class Servers:
    """A stack's InfluxDB."""

    store: influx.Client

    def kind(self, name: str) -> Kind:
        """Open a kind by its name in a declaration; raises KeyError."""
        part, _, kind = name.partition(".")
        return Files() if part == "host" else influx.KINDS[kind](self.store, False)  # noqa: FBT003 - as KINDS has it


@contextmanager
def servers(options: Options, influx_token: str, stack: str = "") -> Iterator[Servers]:
    """Open the servers that a stack names; closed at the end. No stack counts every stack's."""
    store = influx.Client(options.influx.url, influx_token, owner=stack)
    try:
        yield Servers(store)
    finally:
        store.close()


def strangers(things: Sequence[Declared], opened: Servers) -> Iterator[Drift]:
    """Yield buckets and tokens that bear our mark and that no declaration names. Raises ProviderError."""
    for org in [str(one.inputs["name"]) for one in things if one.kind == "influx.organisation"]:
        yield from _unplanned(things, opened.store, org)


def _unplanned(things: Sequence[Declared], store: influx.Client, org: str) -> Iterator[Drift]:
    there = _rows(store, "/orgs", "orgs", {"org": org})
    for kind, (path, name) in LISTS.items():
        wanted = {str(one.inputs["name"]) for one in things if one.kind == kind}
        for row in (row for one in there for row in _all(store, path, name, str(one["id"]))):
            mark = marks.read(row.get("description"))
            called = str(row.get("name") or (mark.ident if mark else ""))
            if mark is not None and mark.of(store.owner) and called not in wanted:
                yield Drift(called, kind, "unplanned")


def _all(store: influx.Client, path: str, name: str, org_id: str) -> Iterator[Mapping[str, object]]:
    """Yield every row of a list; InfluxDB gives tokens at once and buckets by pages."""
    offset = 0
    while True:
        rows = _rows(store, path, name, {"orgID": org_id, "limit": PAGE, "offset": offset})
        yield from rows
        offset += PAGE
        if len(rows) != PAGE or path != LISTS["influx.bucket"][0]:
            return


def _rows(store: influx.Client, path: str, name: str, query: Mapping[str, str | int]) -> list[Mapping[str, object]]:
    found = (store.find(path, **query) or {}).get(name)
    return found if isinstance(found, list) else []
