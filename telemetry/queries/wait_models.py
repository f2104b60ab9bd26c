"""The cards of the centres' wait models: what each was trained on, its back-tests, its promises by day.

It must not predict; promises are read from daily totals.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

from telemetry.core.calendar.windows import DAY, Window, day_window, days_in
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
from telemetry.queries.declared_centres import declared_centres
from telemetry.queries.settled_cache import SettledCache, settled_version
from telemetry.store import WAIT_MODELS_CHECKPOINT, wait_backtest_name, wait_model_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from telemetry.core.figures.histograms import WaitPromises
    from telemetry.core.inventory import Centre
    from telemetry.core.queueing.wait_model_file import BacktestReport, WaitModelFile
    from telemetry.queries.queue_history import HistoryInputs
    from telemetry.store import Store

KNOWN_DAYS = 28
"""A fit looks back so many days."""
PROMISE_DAYS = 14
"""So many days of promises are on a card."""
MAX_CACHED_DAYS = 120_000
"""Days of centres remembered in all, a few integers each."""
_DAY_FIELDS = ("called", *PROMISE_FIELDS)


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


class _TicketDays:
    """The tickets called and promised by centre and day; past days are read again only when they changed."""

    def __init__(self, store: Store, inputs: Callable[[], HistoryInputs]) -> None:
        self._store, self._inputs = store, inputs
        self._past: SettledCache[tuple[str, Window], Mapping[int, Mapping[str, int]]] = SettledCache(MAX_CACHED_DAYS)

    def read(self, centres: Sequence[Centre]) -> dict[str, dict[int, Mapping[str, int]]]:
        """Return the sums of the desks of KNOWN_DAYS and today, by centre and the day's start."""
        inputs = self._inputs()
        days: dict[str, dict[int, Mapping[str, int]]] = {centre.id: {} for centre in centres}
        for zone in {centre.zone for centre in centres}:
            in_zone = [centre for centre in centres if centre.zone == zone]
            window = Window(max(inputs.now - KNOWN_DAYS * DAY, 0), inputs.now)
            starts = [day_window(day, zone).start for day in days_in(window, zone)]
            past = Window(starts[0], starts[-1])
            versions = {c.id: settled_version(inputs.snapshot, c.id, past, inputs.now) for c in in_zone}
            cached = {ident: self._past.recall((ident, past), version) for ident, version in versions.items()}
            fresh = self._read([ident for ident, known in cached.items() if known is None], past)
            for ident, own in fresh.items():
                self._past.remember((ident, past), versions[ident], own, len(starts))
            today = self._read([centre.id for centre in in_zone], Window(past.end, window.end))
            for ident, known in cached.items():
                days[ident] = {**(fresh[ident] if known is None else known), **today[ident]}
        return days

    def _read(self, centres: Sequence[str], window: Window) -> dict[str, dict[int, dict[str, int]]]:
        days: dict[str, dict[int, dict[str, int]]] = {ident: {} for ident in centres}
        for total in self._store.totals(centres, "1d", window, "desk") if centres else ():
            sums = days[total.entity].setdefault(total.start, {})
            add_to_sums(sums, {name: total.sums[name] for name in _DAY_FIELDS if total.sums.get(name)})
        return days


class WaitModelCards:
    """Reads the cards; the files are read again only when a refit has ended."""

    def __init__(self, store: Store, inputs: Callable[[], HistoryInputs]) -> None:
        self._store = store
        self._days = _TicketDays(store, inputs)
        self._read_at = -1
        self._cards: dict[str, WaitModelCard] = {}

    def cards(self, centres: Iterable[Centre], now: int) -> list[WaitModelCard]:
        """Return the card of each centre with a model, a back-test or a promise, by centre."""
        own = declared_centres(centres)
        return self._cards_of(own, self._days.read(own), now)

    def without_model(self, centres: Iterable[Centre], now: int) -> list[CentreWithoutModel]:
        """Return the declared centres that have no model, by centre."""
        own = declared_centres(centres)
        days = self._days.read(own)
        modelled = {card.centre.id for card in self._cards_of(own, days, now) if card.model is not None}
        return [
            _without_model(centre, [sums["called"] for sums in days[centre.id].values() if "called" in sums])
            for centre in own
            if centre.id not in modelled
        ]

    def _cards_of(
        self, centres: Sequence[Centre], days: Mapping[str, Mapping[int, Mapping[str, int]]], now: int
    ) -> list[WaitModelCard]:
        stored_at = self._store.checkpoint(WAIT_MODELS_CHECKPOINT)
        if stored_at != self._read_at:
            self._read_at, self._cards = stored_at, {}
        cards: list[WaitModelCard] = []
        for centre in centres:
            card = self._cards.get(centre.id) or self._read_card(centre)
            self._cards[centre.id] = card
            shown = tuple(
                _promise_day(centre, start, sums)
                for start, sums in sorted(days[centre.id].items())
                if start >= now - PROMISE_DAYS * DAY and sums.get(PROMISE_FIELDS[0])
            )
            if card.model is not None or card.newest_backtest is not None or shown:
                figures = (card.name, card.sha256, card.size, card.model, card.newest_backtest)
                cards.append(WaitModelCard(centre, *figures, shown))
        return cards

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


def _without_model(centre: Centre, by_day: list[int]) -> CentreWithoutModel:
    called, missing = sum(by_day), MIN_MODEL_ROWS - sum(by_day)
    days = ceil(missing * len(by_day) / called) if called and missing > 0 else None
    return CentreWithoutModel(centre, called, MIN_MODEL_ROWS, days)


def _promise_day(centre: Centre, start: int, sums: Mapping[str, int]) -> PromiseDay:
    begins = day_window(local_date(start, centre.zone), centre.zone).start
    return PromiseDay(begins, queue_figures(sums).promise)
