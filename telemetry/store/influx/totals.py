"""Totals as points: one per unit, kind of scope and start, so that a write replaces all its rows at once. Pure.

One point holds all scopes of a kind, because reading 8,400 devices over 28 days takes ten times as long
when each of them is a series of its own.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec

from telemetry.core.fold.totals import Total
from telemetry.store.influx.line_protocol import NS_IN_MS, tag, text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.core.calendar.windows import Width
    from telemetry.store.influx.server import Found

Group = tuple[str, str, list[tuple[str, list[int]]]]
"""Province, names of the sums with blanks between, and for each scope their values."""
_GROUPS = msgspec.json.Decoder(list[Group])


def _kind(scope: str) -> str:
    return scope.partition(":")[0]


def lines(unit: str, totals: Sequence[Total], held: Mapping[tuple[str, int], bytes], label: bytes = b"") -> list[bytes]:
    """Return the points to write over those `held`, bodies by (kind, start); what is alike is not written again.

    `label` says whose they are.
    """
    cells: dict[tuple[str, int], list[Total]] = {cell: [] for cell in held}
    for total in totals:
        cells.setdefault((_kind(total.scope), total.start), []).append(total)
    bodies = {cell: _body(rows) for cell, rows in cells.items()}
    return [_line(unit, cell, label, body) for cell, body in bodies.items() if held.get(cell) != body]


def held(found: Iterable[Found[tuple[int, str]]]) -> dict[tuple[str, int], bytes]:
    """Return the bodies there are, by kind and start."""
    return {(s.tags["kind"], time // NS_IN_MS): body.encode() for s in found for time, body in s.values}


def _line(unit: str, cell: tuple[str, int], label: bytes, body: bytes) -> bytes:
    return b"total,kind=%b%b,unit=%b body=%b %d" % (tag(cell[0]), label, tag(unit), text(body), cell[1] * NS_IN_MS)


def _body(rows: list[Total]) -> bytes:
    groups: dict[tuple[str, str], list[tuple[str, list[int]]]] = {}
    for total in sorted(rows, key=attrgetter("scope")):
        sums = total.sums
        groups.setdefault((total.province, " ".join(sums)), []).append((total.scope, list(sums.values())))
    return msgspec.json.encode([(province, names, values) for (province, names), values in groups.items()])


def totals(found: Iterable[Found[tuple[int, str]]], width: Width) -> dict[str, list[Total]]:
    """Return each unit's totals by start and scope; of two bodies of one cell the later one found counts."""
    bodies = {(s.tags["unit"], s.tags["kind"], time): body for s in found for time, body in s.values}
    out: dict[str, list[Total]] = {}
    for (unit, _, time), body in bodies.items():
        out.setdefault(unit, []).extend(_rows(unit, width, time // NS_IN_MS, body))
    for rows in out.values():
        rows.sort(key=attrgetter("start", "scope"))
    return out


def _rows(unit: str, width: Width, start: int, body: str) -> Iterator[Total]:
    for province, told, scopes in _GROUPS.decode(body):
        names = told.split()
        for scope, values in scopes:
            yield Total(unit, scope, width, start, province, dict(zip(names, values, strict=True)))
