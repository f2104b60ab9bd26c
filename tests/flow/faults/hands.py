"""Begins and ends faults on a cell; it must not decide which or when, nor look at what comes of them."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from tests.flow.faults.echo import KEPT, Echo, Frame
from tests.flow.faults.plan import HOLD_THEN_RESET, RESET

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tests.flow.faults.cell import Cell
    from tests.flow.faults.plan import Fault, Kind

    Act = Callable[[Fault], object]


class Hands:
    """`begin` and `end` a fault; what lies between is kept here."""

    def __init__(self, cell: Cell) -> None:
        self._cell = cell
        self._echo: Echo | None = None
        self._old: deque[Frame] = deque(maxlen=KEPT)
        self._acts: Mapping[Kind, tuple[Act, Act]] = {
            "kill_agent": (self._kill, self._start_again),
            "kill_ingest": (self._kill, self._start_again),
            "kill_rollup": (self._kill, self._start_again),
            "kill_broker": (lambda _: cell.broker.kill(), lambda _: cell.broker.start_again()),
            "kill_store": (lambda _: cell.store.kill(), lambda _: cell.store.start_again()),
            "cut": (self._cut, self._mend),
            "slow": (lambda fault: self._slow(fault, slow=True), lambda fault: self._slow(fault, slow=False)),
            "acl_refuses": (lambda _: cell.broker.rules(writing=False), lambda _: cell.broker.rules()),
            "lost_receipts": (lambda _: cell.broker.rules(receipts=False), lambda _: cell.broker.rules()),
            "token_revoked": (lambda _: cell.store.allow(token=False), lambda _: cell.store.allow(token=True)),
            "disk_full": (lambda fault: fill(self._filler(fault)), lambda fault: self._filler(fault).unlink()),
            "clock_step": (self._step, lambda fault: cell.stations[fault.target].step(0)),
            "repeats": (self._listen, self._repeat),
        }

    def begin(self, fault: Fault) -> None:
        self._acts[fault.kind][0](fault)

    def end(self, fault: Fault) -> None:
        self._acts[fault.kind][1](fault)

    def close(self) -> None:
        """Let go of what a broken round left."""
        if self._echo is not None:
            self._echo.close()

    def _kill(self, fault: Fault) -> None:
        self._cell.roles()[fault.target].kill()

    def _start_again(self, fault: Fault) -> None:
        self._cell.roles()[fault.target].start_again()

    def _cut(self, fault: Fault) -> None:
        self._cell.network.cut(fault.target, hold=fault.how != RESET)

    def _mend(self, fault: Fault) -> None:
        self._cell.network.mend(fault.target, reset=fault.how == HOLD_THEN_RESET)

    def _slow(self, fault: Fault, *, slow: bool) -> None:
        self._cell.network.links[fault.target].slow = slow

    def _step(self, fault: Fault) -> None:
        self._cell.stations[fault.target].step(fault.how)

    def _filler(self, fault: Fault) -> Path:
        return self._cell.stations[fault.target].box / "filler"

    def _listen(self, _: Fault) -> None:
        self._echo = Echo(self._cell.broker, self._old)

    def _repeat(self, fault: Fault) -> None:
        if self._echo is not None:
            self._echo.repeat(str(fault))
            self._echo = None


def fill(path: Path) -> None:
    """Write until the disk is full."""
    with path.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with suppress(OSError):
                while True:
                    file.write(b"\0" * size)
