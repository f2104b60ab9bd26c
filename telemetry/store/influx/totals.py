"""Totals as points: one per entity, scope kind and start, so that a write replaces all its rows at once. Pure.

One point has all scopes of a kind, because reading 8,400 devices over 28 days takes ten times as long
when each of them is a series of its own.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.fold.totals import StoredSum, Total, decode_sums, encode_sums
from telemetry.core.scope import Scope
from telemetry.store.influx.line_protocol import NS_IN_MS, escape_tag, quote_field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import BucketWidth
    from telemetry.store.influx.server import InfluxSeries
    from telemetry.store.unreadable import UnreadableRows

TotalsGroup = tuple[str, str, list[tuple[str, list[StoredSum | str]]]]
"""Province, names of the sums separated by blanks, and for each scope their values."""
_GROUPS_DECODER = msgspec.json.Decoder(list[TotalsGroup])


def total_lines(
    entity: str, totals: Sequence[Total], existing: Mapping[tuple[str, int], bytes], label: bytes = b""
) -> dict[tuple[str, int], bytes]:
    """Return, by (kind, start), the points to write over the `existing` bodies; an equal body is not written again.

    `label` is the line's province tag.
    """
    rows_by_key: dict[tuple[str, int], list[Total]] = {key: [] for key in existing}
    for total in totals:
        rows_by_key.setdefault((Scope(total.scope).kind, total.start), []).append(total)
    bodies = {key: _encode_body(rows) for key, rows in rows_by_key.items()}
    return {key: _total_line(entity, key, label, body) for key, body in bodies.items() if existing.get(key) != body}


def existing_bodies(answer: Iterable[InfluxSeries[tuple[int, str]]]) -> dict[tuple[str, int], bytes]:
    """Return the stored bodies by kind and start."""
    return {(s.tags["kind"], time // NS_IN_MS): body.encode() for s in answer for time, body in s.values}


def _total_line(entity: str, key: tuple[str, int], label: bytes, body: bytes) -> bytes:
    series = b"total,kind=%b%b,unit=%b" % (escape_tag(key[0]), label, escape_tag(entity))
    return b"%b body=%b %d" % (series, quote_field(body), key[1] * NS_IN_MS)


def _encode_body(rows: list[Total]) -> bytes:
    groups: dict[tuple[str, str], list[tuple[str, list[int | str]]]] = {}
    for total in sorted(rows, key=attrgetter("scope")):
        sums = encode_sums(total.sums)
        groups.setdefault((total.province, " ".join(sums)), []).append((str(total.scope), list(sums.values())))
    return msgspec.json.encode([(province, names, values) for (province, names), values in groups.items()])


def decode_totals(
    answer: Iterable[InfluxSeries[tuple[int, str]]], width: BucketWidth, unreadable: UnreadableRows
) -> dict[str, list[Total]]:
    """Return each entity's totals by start and scope; of two bodies of one kind and start the later one counts.

    Bodies that cannot be read are left out.
    """
    bodies = {(s.tags["unit"], s.tags["kind"], time): body for s in answer for time, body in s.values}
    out: dict[str, list[Total]] = {}
    for (entity, kind, time), body in bodies.items():
        try:
            rows = list(_decode_rows(entity, width, time // NS_IN_MS, body))
        except Exception as error:  # noqa: BLE001  # whatever stored bytes raise
            unreadable.record(entity, f"total {width} {time} {kind}", error)
        else:
            out.setdefault(entity, []).extend(rows)
    for totals in out.values():
        totals.sort(key=attrgetter("start", "scope"))
    return out


def _decode_rows(entity: str, width: BucketWidth, start: int, body: str) -> Iterator[Total]:
    for province, sum_names, scopes in _GROUPS_DECODER.decode(body):
        names = sum_names.split()
        for scope, values in scopes:
            yield Total(entity, scope, width, start, province, decode_sums(dict(zip(names, values, strict=True))))
