"""Builds a source from its table in `agent.toml`; a kind's modules are imported only when it is used."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from telemetry.core.protocol.events import MAX_INTERVAL_MS
from telemetry.source_settings import parse_device_address, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from edge_agent.sources import Source, SourceContext

DEFAULT_LOOK_MS = 60_000
"""How often an export of dossiers is looked at without `every_ms`."""
DEFAULT_POLL_MS = 10_000
"""How often a printer or a queue system is polled without `every_ms`; the agent's interval counts when shorter."""


def build_source(kind: str, values: Mapping[str, Any], context: SourceContext) -> Source:
    """Return a source; one with `isolate = true` runs in its own process. Raises ValueError."""
    if values.get("isolate"):
        from edge_agent.sources.isolation import IsolatedSource  # noqa: PLC0415

        source_values = {key: value for key, value in values.items() if key != "isolate"}
        return IsolatedSource(kind, source_values, context, source_name(kind, source_values))
    if kind in {"dossier_file", "dossier_http"}:
        return _build_dossier_source(kind, values, context, source_name(kind, values))
    if kind == "statistics_http":
        return _build_statistics_source(values, context, source_name(kind, values))
    if kind == "database":
        return _build_database_source(values, context, source_name(kind, values))
    return _build_in_process(kind, values, context, source_name(kind, values))


def _build_in_process(kind: str, values: Mapping[str, Any], context: SourceContext, name: str) -> Source:
    every_ms = int(values.get("every_ms", min(context.every_ms, MAX_INTERVAL_MS)))
    poll_ms = int(values.get("every_ms", min(context.every_ms, DEFAULT_POLL_MS)))
    match kind:
        case "host":
            from edge_agent.sources.host import HostSource  # noqa: PLC0415

            return HostSource(context.clock, every_ms, context.state)
        case "probe":
            from edge_agent.sources.probe import Probe, ProbeSource  # noqa: PLC0415

            probe = Probe(values["system"], values["probe"], values["target"])
            phase_ms = probe_phase_ms(f"{context.device}/{probe.system}", every_ms)
            return ProbeSource(probe, context.clock, every_ms, phase_ms, name)
        case "file":
            from edge_agent.sources.file import FileSource  # noqa: PLC0415

            path = context.folder / values["path"]
            return FileSource(path, context.state, name, clock=context.clock, raise_alarm=context.raise_alarm)
        case "http":
            from edge_agent.sources.local_http import HttpSource  # noqa: PLC0415

            return HttpSource(int(values["port"]), context.state, context.clock, context.device, context.services, name)
        case "escpos":
            from edge_agent.sources.escpos import EscposSource  # noqa: PLC0415

            address = parse_device_address(values["address"])
            return EscposSource(address, context.clock, context.state, poll_ms, name=name)
        case "queue_http":
            from edge_agent.sources.queue_http import QueueHttpSource, load_row_mapper  # noqa: PLC0415

            header = context.folder / values["header_file"] if "header_file" in values else None
            row_mapper = load_row_mapper(str(context.folder / values["mapping"])) if "mapping" in values else None
            return QueueHttpSource(
                values["url"], context.state, poll_ms, header, row_mapper, name,
                clock=context.clock, raise_alarm=context.raise_alarm,
            )  # fmt: skip
        case _:
            raise ValueError(f"no such source: {kind!r}")


def _build_database_source(values: Mapping[str, Any], context: SourceContext, name: str) -> Source:
    from edge_agent.sources.database import DatabaseSource  # noqa: PLC0415

    system, every_ms = values["system"], int(values.get("every_ms", min(context.every_ms, MAX_INTERVAL_MS)))
    phase_ms = probe_phase_ms(f"{context.device}/{system}/figures", every_ms)
    return DatabaseSource(system, values["target"], context.clock, every_ms, phase_ms, name)


def _build_dossier_source(kind: str, values: Mapping[str, Any], context: SourceContext, name: str) -> Source:
    """Return a source of dossiers; its mapping is a shipped one or a file. Raises MappingError."""
    from edge_agent.mapping.document import load_mapping, shipped_mappings  # noqa: PLC0415
    from edge_agent.sources.dossier_feed import DossierFeed  # noqa: PLC0415

    written, every_ms = values["mapping"], int(values.get("every_ms", DEFAULT_LOOK_MS))
    mapping = load_mapping(written if written in shipped_mappings() else str(context.folder / written))
    feed = DossierFeed(name, mapping, context.folder / values["salt_file"], context.clock, context.raise_alarm)
    if kind == "dossier_file":
        from edge_agent.sources.dossier_file import DossierFileSource  # noqa: PLC0415

        return DossierFileSource(context.folder / values["path"], feed, every_ms, name)
    from edge_agent.sources.dossier_http import DossierHttpSource  # noqa: PLC0415

    header = context.folder / values["header_file"] if "header_file" in values else None
    return DossierHttpSource(
        values["url"], context.state, every_ms, header, name=name, clock=context.clock,
        raise_alarm=context.raise_alarm, feed=feed,
    )  # fmt: skip


def _build_statistics_source(values: Mapping[str, Any], context: SourceContext, name: str) -> Source:
    """Return a source of another system's statistics. Raises MappingError."""
    from edge_agent.sources.statistics_http import StatisticsHttpSource, load_statistics_mapping  # noqa: PLC0415

    header = context.folder / values["header_file"] if "header_file" in values else None
    return StatisticsHttpSource(
        values["url"], context.state, int(values.get("every_ms", DEFAULT_LOOK_MS)), header, name=name,
        clock=context.clock, raise_alarm=context.raise_alarm,
        mapping=load_statistics_mapping(str(context.folder / values["mapping"])),
    )  # fmt: skip


def probe_phase_ms(name: str, every_ms: int) -> int:
    """Return the offset of a device's probes in their interval, ms, so that devices do not probe all at once."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % every_ms
