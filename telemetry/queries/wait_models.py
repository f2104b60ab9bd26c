"""The cards of the centres' wait models: what each was trained on, its back-tests, its promises by day.

It must not predict; promises are read from daily totals.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, day_window
from telemetry.core.figures.histograms import queue_figures
from telemetry.core.fold.totals import PROMISE_FIELDS, add_to_sums
from telemetry.core.inventory import local_date
from telemetry.core.queueing.wait_model_file import (
    HASH_DIGITS,
    MIN_MODEL_ROWS,
    InvalidModel,
    decode_backtest,
    decode_model,
    model_hash,
)
from telemetry.store import WAIT_MODELS_CHECKPOINT, wait_backtest_name, wait_model_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from telemetry.core.figures.histograms import WaitPromises
    from telemetry.core.inventory import Centre
    from telemetry.core.queueing.wait_model_file import BacktestReport, WaitModelFile
    from telemetry.store import Store

KNOWN_DAYS = 28
"""A fit looks back so many days."""
PROMISE_DAYS = 14
"""So many days of promises are on a card."""


@dataclass(frozen=True, slots=True)
class PromiseDay:
    """The promises to tickets called on one local day that begins at `start`, Unix ms."""

    start: int
    promise: WaitPromises


@dataclass(frozen=True, slots=True)
class WaitModelCard:
    """One centre's model; without `model` the head of the line stands in. `size` is the file's, bytes."""

    centre: Centre
    name: str
    sha256: str
    size: int
    model: WaitModelFile | None
    newest_backtest: BacktestReport | None
    days: tuple[PromiseDay, ...] = ()


@dataclass(frozen=True, slots=True)
class CentreWithoutModel:
    """A centre whose waits are those of the head of the line: tickets called in KNOWN_DAYS, and how many it needs.

    `days` is how many open days with tickets it still needs at its present pace; None: it had no ticket, or has enough
    and waits for the next refit.
    """

    centre: Centre
    called: int
    needed: int
    days: int | None


class WaitModelCards:
    """Reads the cards; the files are read again only when a refit has ended."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._read_at = -1
        self._cards: dict[str, WaitModelCard] = {}

    def cards(self, centres: Iterable[Centre], now: int) -> list[WaitModelCard]:
        """Return the card of each centre with a model, a back-test or a promise, by centre."""
        stored_at = self._store.checkpoint(WAIT_MODELS_CHECKPOINT)
        if stored_at != self._read_at:
            self._read_at, self._cards = stored_at, {}
        own = sorted((centre for centre in centres if not centre.imported), key=lambda centre: centre.id)
        days = self._promise_days([centre.id for centre in own], now)
        cards: list[WaitModelCard] = []
        for centre in own:
            card = self._cards.get(centre.id) or self._read_card(centre)
            self._cards[centre.id] = card
            starts = days.get(centre.id, {})
            shown = tuple(_promise_day(centre, start, sums) for start, sums in sorted(starts.items()))
            if card.model is not None or card.newest_backtest is not None or shown:
                figures = (card.name, card.sha256, card.size, card.model, card.newest_backtest)
                cards.append(WaitModelCard(centre, *figures, shown))
        return cards

    def without_model(self, centres: Iterable[Centre], now: int) -> list[CentreWithoutModel]:
        """Return the declared centres that have no model, by centre."""
        declared = [centre for centre in centres if not centre.imported]
        modelled = {card.centre.id for card in self.cards(declared, now) if card.model is not None}
        own = sorted((c for c in declared if c.id not in modelled), key=lambda centre: centre.id)
        called: dict[str, dict[int, int]] = {centre.id: {} for centre in own}
        window = Window(max(now - KNOWN_DAYS * DAY, 0), now)
        for total in self._store.totals([centre.id for centre in own], "1d", window, "desk"):
            if count := total.sums.get("called", 0):
                days = called[total.entity]
                days[total.start] = days.get(total.start, 0) + count
        return [_without_model(centre, list(called[centre.id].values())) for centre in own]

    def _read_card(self, centre: Centre) -> WaitModelCard:
        body = self._store.document(wait_model_name(centre.id)) if self._read_at else None
        tested = self._store.document(wait_backtest_name(centre.id)) if self._read_at else None
        report = None if tested is None else decode_backtest(tested)
        try:
            model = None if body is None else decode_model(body)
        except InvalidModel:
            model = None
        if body is None or model is None:
            return WaitModelCard(centre, "", "", 0, None, report)
        digest = model_hash(body)
        return WaitModelCard(centre, digest[:HASH_DIGITS], digest, len(body), model, report)

    def _promise_days(self, centres: list[str], now: int) -> dict[str, dict[int, dict[str, int]]]:
        days: dict[str, dict[int, dict[str, int]]] = {}
        window = Window(max(now - PROMISE_DAYS * DAY, 0), now)
        for total in self._store.totals(centres, "1d", window, "desk"):
            if total.sums.get(PROMISE_FIELDS[0]):
                sums = days.setdefault(total.entity, {}).setdefault(total.start, {})
                add_to_sums(sums, {name: total.sums.get(name, 0) for name in PROMISE_FIELDS})
        return days


def _without_model(centre: Centre, by_day: list[int]) -> CentreWithoutModel:
    called, missing = sum(by_day), MIN_MODEL_ROWS - sum(by_day)
    days = ceil(missing * len(by_day) / called) if called and missing > 0 else None
    return CentreWithoutModel(centre, called, MIN_MODEL_ROWS, days)


def _promise_day(centre: Centre, start: int, sums: dict[str, int]) -> PromiseDay:
    begins = day_window(local_date(start, centre.zone), centre.zone).start
    return PromiseDay(begins, queue_figures(sums).promise)
