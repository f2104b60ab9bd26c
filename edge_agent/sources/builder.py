"""Builds a source from what `agent.toml` says of it; each kind's modules are loaded only when it is used."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from edge_agent.sources.context import SourceContext
from telemetry.core.protocol.events import MAX_INTERVAL_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from edge_agent.sources import Source

DEFAULT_POLL_MS = 10_000
"""How often a printer or a queue system is asked unless told otherwise, or the agent's interval is shorter."""
__all__ = ["SourceContext", "build_source", "probe_phase_ms", "source_name"]


def build_source(kind: str, values: Mapping[str, Any], context: SourceContext) -> Source:
    """Return a source; one with `isolate = true` runs in a process of its own. Raises ValueError."""
    if values.get("isolate"):
        from edge_agent.sources.isolation import IsolatedSource  # noqa: PLC0415

        source_values = {key: value for key, value in values.items() if key != "isolate"}
        return IsolatedSource(kind, source_values, context, source_name(kind, source_values))
    return _BUILDERS[kind](values, context)


def source_name(kind: str, values: Mapping[str, Any]) -> str:
    """Return the name under which a source keeps its cursor and is restarted."""
    key = {"probe": "system", "file": "path", "escpos": "address", "queue_http": "url"}.get(kind)
    return f"{kind}:{values[key]}" if key else kind


def probe_phase_ms(name: str, every_ms: int) -> int:
    """Return when in its interval a device probes, so that a fleet never probes all at once."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % every_ms


def _interval_ms(values: Mapping[str, Any], context: SourceContext, max_ms: int = MAX_INTERVAL_MS) -> int:
    return int(values.get("every_ms", min(context.every_ms, max_ms)))


def _build_host(values: Mapping[str, Any], context: SourceContext) -> Source:
    from edge_agent.sources.host import HostSource  # noqa: PLC0415

    return HostSource(context.clock, _interval_ms(values, context), context.state)


def _build_probe(values: Mapping[str, Any], context: SourceContext) -> Source:
    from edge_agent.sources.probe import Probe, ProbeSource  # noqa: PLC0415

    probe = Probe(values["system"], values["probe"], values["target"])
    every_ms = _interval_ms(values, context)
    phase_ms = probe_phase_ms(f"{context.device}/{probe.system}", every_ms)
    return ProbeSource(probe, context.clock, every_ms, phase_ms, source_name("probe", values))


def _build_file(values: Mapping[str, Any], context: SourceContext) -> Source:
    from edge_agent.sources.file import FileSource  # noqa: PLC0415

    return FileSource(context.folder / values["path"], context.state, source_name("file", values))


def _build_http(values: Mapping[str, Any], context: SourceContext) -> Source:
    from edge_agent.sources.local_http import HttpSource  # noqa: PLC0415

    return HttpSource(int(values["port"]), context.state, context.clock)


def _build_escpos(values: Mapping[str, Any], context: SourceContext) -> Source:
    from edge_agent.sources.byte_stream import parse_device_address  # noqa: PLC0415
    from edge_agent.sources.escpos import EscposSource  # noqa: PLC0415

    address = parse_device_address(values["address"])
    return EscposSource(
        address,
        context.clock,
        context.state,
        _interval_ms(values, context, DEFAULT_POLL_MS),
        name=source_name("escpos", values),
    )


def _build_queue_http(values: Mapping[str, Any], context: SourceContext) -> Source:
    from edge_agent.sources.queue_http import QueueHttpSource, load_row_mapper  # noqa: PLC0415

    header = context.folder / values["header_file"] if "header_file" in values else None
    row_mapper = load_row_mapper(str(context.folder / values["mapping"])) if "mapping" in values else None
    return QueueHttpSource(
        values["url"],
        context.state,
        _interval_ms(values, context, DEFAULT_POLL_MS),
        header,
        row_mapper,
        source_name("queue_http", values),
    )


_BUILDERS: dict[str, Callable[[Mapping[str, Any], SourceContext], Source]] = {
    "host": _build_host,
    "probe": _build_probe,
    "file": _build_file,
    "http": _build_http,
    "escpos": _build_escpos,
    "queue_http": _build_queue_http,
}
