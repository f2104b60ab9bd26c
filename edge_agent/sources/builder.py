"""Builds a source from what `agent.toml` says of it; each kind's modules are loaded only when it is used."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from edge_agent.sources.context import Site
from telemetry.core.protocol.event_types import MAX_EVERY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.sources import Source

LOOK_MS = 10_000
"""How often a printer or a queue system is asked unless told otherwise, or the agent's interval is shorter."""
__all__ = ["Site", "build", "name_of", "phase_of"]


def build(kind: str, values: Mapping[str, Any], site: Site) -> Source:
    """Return a source; one with `isolate = true` runs in a process of its own. Raises ValueError."""
    if values.get("isolate"):
        from edge_agent.sources.isolation import IsolatedSource  # noqa: PLC0415

        plain = {key: value for key, value in values.items() if key != "isolate"}
        return IsolatedSource(kind, plain, site, name_of(kind, plain))
    return _BUILDERS[kind](values, site)


def name_of(kind: str, values: Mapping[str, Any]) -> str:
    """Return the name under which a source keeps its cursor and is restarted."""
    key = {"probe": "system", "file": "path", "escpos": "address", "queue_http": "url"}.get(kind)
    return f"{kind}:{values[key]}" if key else kind


def phase_of(name: str, every_ms: int) -> int:
    """Return when in its interval a device probes, so that a fleet never probes all at once."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % every_ms


def _every(values: Mapping[str, Any], site: Site, longest: int = MAX_EVERY_MS) -> int:
    return int(values.get("every_ms", min(site.every_ms, longest)))


def _host(values: Mapping[str, Any], site: Site) -> Source:
    from edge_agent.sources.host import HostSource  # noqa: PLC0415

    return HostSource(site.clock, _every(values, site), site.state)


def _probe(values: Mapping[str, Any], site: Site) -> Source:
    from edge_agent.sources.probe import Probe, ProbeSource  # noqa: PLC0415

    probe = Probe(values["system"], values["probe"], values["target"])
    every = _every(values, site)
    phase = phase_of(f"{site.device}/{probe.system}", every)
    return ProbeSource(probe, site.clock, every, phase, name_of("probe", values))


def _file(values: Mapping[str, Any], site: Site) -> Source:
    from edge_agent.sources.file import FileSource  # noqa: PLC0415

    return FileSource(site.folder / values["path"], site.state, name_of("file", values))


def _http(values: Mapping[str, Any], site: Site) -> Source:
    from edge_agent.sources.local_http import HttpSource  # noqa: PLC0415

    return HttpSource(int(values["port"]), site.state, site.clock)


def _escpos(values: Mapping[str, Any], site: Site) -> Source:
    from edge_agent.sources.byte_stream import address_of  # noqa: PLC0415
    from edge_agent.sources.escpos import EscposSource  # noqa: PLC0415

    address = address_of(values["address"])
    return EscposSource(address, site.clock, site.state, _every(values, site, LOOK_MS), name=name_of("escpos", values))


def _queue_http(values: Mapping[str, Any], site: Site) -> Source:
    from edge_agent.sources.queue_http import QueueHttpSource, rows_through  # noqa: PLC0415

    header = site.folder / values["header_file"] if "header_file" in values else None
    mapped = rows_through(str(site.folder / values["mapping"])) if "mapping" in values else None
    return QueueHttpSource(
        values["url"], site.state, _every(values, site, LOOK_MS), header, mapped, name_of("queue_http", values)
    )


_BUILDERS: dict[str, Callable[[Mapping[str, Any], Site], Source]] = {
    "host": _host,
    "probe": _probe,
    "file": _file,
    "http": _http,
    "escpos": _escpos,
    "queue_http": _queue_http,
}
