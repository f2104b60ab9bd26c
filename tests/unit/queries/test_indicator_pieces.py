"""Long windows of indicators are added up from cached months; one old month at a time is read again."""

from __future__ import annotations

from datetime import date, time
from zoneinfo import ZoneInfo

from telemetry.core.calendar.windows import DAY, HOUR, MINUTE, Window, local_ms
from telemetry.core.kpi.figures import PeriodFigures
from telemetry.queries.indicator_pieces import CachedPiece, FigurePiece, PieceCache, months_to_store, pieces_of

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def midnight(month: int, day: int = 1) -> int:
    return local_ms(date(2026, month, day), time(0), ZONE)


NOW = midnight(11, 23) + 10 * HOUR
YEAR = Window(midnight(9, 15), midnight(11, 24))


class Reader:
    """Counts what is read."""

    def __init__(self) -> None:
        self.windows: list[Window] = []

    def __call__(self, piece: FigurePiece) -> PeriodFigures:
        self.windows.append(piece.window)
        period = PeriodFigures()
        period.flows.add("", "received_online", 1)
        return period


def of(windows: list[Window], declaration: str = "a") -> list[FigurePiece]:
    return [FigurePiece("administration", window, declaration) for window in windows]


def test_a_window_is_its_months_and_the_present_day_apart() -> None:
    assert pieces_of(YEAR, NOW, ZONE) == [
        Window(midnight(9, 15), midnight(10)),
        Window(midnight(10), midnight(11)),
        Window(midnight(11), midnight(11, 23)),
        Window(midnight(11, 23), midnight(11, 24)),
    ]
    assert pieces_of(Window(midnight(11, 23), midnight(11, 24)), NOW, ZONE) == [
        Window(midnight(11, 23), midnight(11, 24))
    ]
    past = Window(midnight(3), midnight(4))
    assert pieces_of(past, NOW, ZONE) == [past]


def test_the_present_month_ends_with_today_so_that_it_is_the_same_piece_for_every_window() -> None:
    until_tomorrow, until_december = (Window(midnight(11, 20), end) for end in (midnight(11, 24), midnight(12)))
    assert pieces_of(until_december, NOW, ZONE) == pieces_of(until_tomorrow, NOW, ZONE)
    future = Window(midnight(11, 25), midnight(12))
    assert pieces_of(future, NOW, ZONE) == [future]


def test_the_present_day_is_read_once_for_the_windows_of_one_page() -> None:
    cache, reader, pieces = PieceCache(), Reader(), pieces_of(YEAR, NOW, ZONE)
    cache.periods(of(pieces), NOW, reader)
    cache.periods(of(pieces[2:]), NOW + 900, reader)
    assert reader.windows == pieces
    cache.periods(of(pieces[2:]), NOW + 5_000, reader)
    assert reader.windows == [*pieces, pieces[3]]


def test_past_months_are_read_once_and_the_present_day_each_time() -> None:
    cache, reader, pieces = PieceCache(), Reader(), pieces_of(YEAR, NOW, ZONE)
    assert len(cache.periods(of(pieces), NOW, reader)) == 4
    cache.periods(of(pieces), NOW + MINUTE, reader)
    assert reader.windows == [*pieces, pieces[-1]]
    cache.periods(of(pieces, "another inventory"), NOW + MINUTE, reader)
    assert reader.windows[5:] == pieces


def test_after_ten_minutes_one_past_month_is_read_again_each_time() -> None:
    cache, reader, pieces = PieceCache(), Reader(), pieces_of(YEAR, NOW, ZONE)
    cache.periods(of(pieces), NOW, reader)
    for minute, again in ((10, pieces[0]), (11, pieces[1]), (12, pieces[2])):
        reader.windows.clear()
        cache.periods(of(pieces), NOW + minute * MINUTE, reader)
        assert reader.windows == [again, pieces[3]]
    reader.windows.clear()
    cache.periods(of(pieces), NOW + 13 * MINUTE, reader)
    assert reader.windows == [pieces[3]]


def test_a_day_that_ended_a_moment_ago_is_not_settled() -> None:
    cache, reader = PieceCache(), Reader()
    yesterday = Window(midnight(11, 22), midnight(11, 23))
    for now in (yesterday.end + MINUTE, yesterday.end + 2 * MINUTE, yesterday.end + 5 * MINUTE, yesterday.end + DAY):
        cache.periods(of([yesterday]), now, reader)
    assert len(reader.windows) == 4
    cache.periods(of([yesterday]), yesterday.end + DAY + MINUTE, reader)
    assert len(reader.windows) == 4


def test_a_stored_month_is_not_read_and_renewed_in_its_turn() -> None:
    cache, reader, pieces = PieceCache(), Reader(), pieces_of(YEAR, NOW, ZONE)
    made_at = NOW - 8 * HOUR
    stored = CachedPiece(made_at, PeriodFigures())

    def october(piece: FigurePiece) -> CachedPiece | None:
        return stored if piece.window == pieces[1] else None

    periods = cache.periods(of(pieces), NOW, reader, october)
    assert (periods[1] is stored.period, reader.windows) == (True, [pieces[0], pieces[2], pieces[3]])
    reader.windows.clear()
    cache.periods(of(pieces), NOW + MINUTE, reader, october)
    assert reader.windows == [pieces[1], pieces[3]], "it is older than ten minutes"


def test_the_year_before_is_stored_and_the_past_days_of_the_present_month() -> None:
    windows = months_to_store(NOW, ZONE)
    assert windows[:2] == [Window(midnight(11), midnight(11, 23)), Window(midnight(10), midnight(11))]
    assert (len(windows), windows[-1].start) == (13, local_ms(date(2025, 11, 1), time(0), ZONE))
    assert months_to_store(midnight(11) + HOUR, ZONE)[0] == Window(midnight(10), midnight(11))
