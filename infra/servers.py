"""Opens a stack's servers for looking at them without an engine; it must not change anything there."""

from __future__ import annotations

import functools
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from infra.drift import Drift
from infra.providers import broker, influx
from infra.providers.broker import listing
from infra.providers.broker.administrator import administrator
from infra.providers.files import Files
from infra.providers.influx import marks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from infra.options import Options
    from infra.providers.kind import Declared, Kind

PAGE = 100
LISTS = {"influx.bucket": ("/buckets", "buckets"), "influx.authorization": ("/authorizations", "authorizations")}
"""The kinds of which a stranger matters: where they are listed, and under which name."""


@dataclass(frozen=True, slots=True)
class Servers:
    """A stack's InfluxDB, and its broker once somebody asks."""

    store: influx.Client
    control: Callable[[], broker.Dynsec]

    def kind(self, name: str) -> Kind:
        """Open a kind by its name in a declaration; raises KeyError."""
        part, _, kind = name.partition(".")
        if part == "influx":
            return influx.KINDS[kind](self.store, False)  # noqa: FBT003 - as KINDS has it
        return Files() if part == "host" else broker.KINDS[kind](self.control())


@contextmanager
def servers(options: Options, influx_token: str, broker_password: str, stack: str = "") -> Iterator[Servers]:
    """Open the servers that a stack names; each gets one client, closed at the end. No stack counts every stack's."""
    store = influx.Client(options.influx.url, influx_token, owner=stack)

    def control() -> broker.Dynsec:
        return broker.Dynsec(administrator(options.broker, broker_password), owner=stack)

    try:
        yield Servers(store, functools.cache(control))
    finally:
        store.close()


def strangers(things: Sequence[Declared], opened: Servers) -> Iterator[Drift]:
    """Yield what is ours and not declared, and what has a declared name and another owner. Raises ProviderError."""
    for org in [str(one.inputs["name"]) for one in things if one.kind == "influx.organisation"]:
        yield from _unplanned(things, opened.store, org)
    if any(one.kind.startswith("broker.") for one in things):
        yield from _clients(things, opened.control())
        yield from _roles(things, opened.control())


def _unplanned(things: Iterable[Declared], store: influx.Client, org: str) -> Iterator[Drift]:
    """Yield buckets and tokens that bear our mark and that no declaration names."""
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


def _clients(things: Iterable[Declared], control: broker.Dynsec) -> Iterator[Drift]:
    """Yield clients of ours that nobody declares, and another's under a declared name; shards see to devices."""
    wanted = {str(one.inputs["username"]): one.name for one in things if one.kind == "broker.client"}
    shards = {str(one.inputs["name"]) for one in things if one.kind == "broker.registry_shard"}
    for name, there in sorted(listing.clients(control).items()):
        if name in wanted and (not there.mark.of(control.owner) or there.mark.shard):
            yield Drift(wanted[name], "broker.client", "foreign")
        elif there.mark.of(control.owner) and name not in wanted and not any(map(there.mark.lies_in, shards)):
            yield Drift(name, "broker.client", "unplanned")


def _roles(things: Iterable[Declared], control: broker.Dynsec) -> Iterator[Drift]:
    wanted = {str(one.inputs["name"]): one.name for one in things if one.kind == "broker.role"}
    for name, there in sorted(listing.roles(control, sorted(wanted)).items()):
        if not there.mark.of(control.owner) or there.mark.shard:
            yield Drift(wanted[name], "broker.role", "foreign")
