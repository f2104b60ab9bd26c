"""The figures of a past period as a document, from which a first answer is added up; pure, it must not read a store.

A document is a copy: totals are the truth, and whoever reads it reads them again later.
"""

from __future__ import annotations

import msgspec
from msgspec import Struct

from telemetry.core.fold.fold import FOLD_VERSION
from telemetry.core.fold.totals import EncodedSums, decode_sums, encode_sums
from telemetry.core.kpi.figures import FigureSet, PeriodFigures, SnapshotFigure


class _StoredSnapshot(Struct, frozen=True):
    scope: str
    figure: str
    at: int
    value: int


class _StoredProcedures(Struct, frozen=True):
    level: str
    figure: str
    procedures: list[str]


class StoredFigures(Struct, frozen=True, kw_only=True):
    """The figures from `start` to `end` (Unix ms) as they were at `made_at`.

    `declaration` is a digest of what was declared that the figures depend on.
    """

    start: int
    end: int
    made_at: int
    declaration: str
    fold_version: int = FOLD_VERSION
    flows: dict[str, int]
    flows_by_level: dict[str, dict[str, int]]
    flows_at: dict[str, int]
    snapshots: list[_StoredSnapshot]
    procedures: list[_StoredProcedures]
    procedures_at: int
    queues: dict[str, EncodedSums]
    queues_at: dict[str, int]

    def is_of(self, start: int, end: int, declaration: str) -> bool:
        """Return whether it has the figures of a period as this version would compute them from the same totals."""
        wanted = (start, end, declaration, FOLD_VERSION)
        return (self.start, self.end, self.declaration, self.fold_version) == wanted

    def period(self) -> PeriodFigures:
        """Return the figures; raises ValueError, KeyError or StopIteration when a histogram cannot be read."""
        return PeriodFigures(
            FigureSet(self.flows, self.flows_by_level, self.flows_at),
            {(s.scope, s.figure): SnapshotFigure(s.at, s.value) for s in self.snapshots},
            {(p.level, p.figure): set(p.procedures) for p in self.procedures},
            self.procedures_at,
            {level: decode_sums(sums) for level, sums in self.queues.items()},
            self.queues_at,
        )


_DECODER = msgspec.json.Decoder(StoredFigures)


def encode_figures(period: PeriodFigures, start: int, end: int, made_at: int, declaration: str) -> bytes:
    """Return the document of a period's figures."""
    flows = period.flows
    return msgspec.json.encode(
        StoredFigures(
            start=start, end=end, made_at=made_at, declaration=declaration,
            flows=flows.overall, flows_by_level=flows.by_level, flows_at=flows.latest,
            snapshots=[_StoredSnapshot(*key, one.at, one.value) for key, one in period.snapshots.items()],
            procedures=[_StoredProcedures(*key, sorted(names)) for key, names in period.procedures.items()],
            procedures_at=period.procedures_at,
            queues={level: encode_sums(sums) for level, sums in period.queues.items()},
            queues_at=period.queues_at,
        )
    )  # fmt: skip


def decode_figures(body: bytes) -> StoredFigures | None:
    """Return a document's figures, None when another version wrote it in another form."""
    try:
        return _DECODER.decode(body)
    except msgspec.DecodeError:
        return None
