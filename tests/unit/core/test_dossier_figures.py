"""Figures of dossiers from sums: e-mail is not online, open ones are not in time, nothing is divided by nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from telemetry.core.figures.dossiers import MS_PER_DAY, dossier_figures
from telemetry.core.fold.administrative_counts import counts_of
from telemetry.core.fold.histogram_buckets import RELATIVE_ERROR
from telemetry.core.fold.totals import add_sums
from telemetry.core.protocol.events import DossierReceived, DossierResolved, Event

BEGAN = 1_600_000_000_000


def received(channel: str, number: int = 0) -> Event:
    return DossierReceived(n=1, t=BEGAN, dossier=f"{number:026d}", service="land", channel=channel)  # type: ignore[arg-type]


def resolved(days: float, due_days: float | None = None, began: int = BEGAN) -> Event:
    due = None if due_days is None else began + round(due_days * MS_PER_DAY)
    t = began + round(days * MS_PER_DAY)
    return DossierResolved(n=1, t=t, dossier="0" * 26, service="land", received=began, due=due)


def test_an_email_is_a_channel_of_its_own_and_not_online() -> None:
    figures = dossier_figures(
        add_sums(counts_of(received(c)) for c in ("online", "mobile", "email", "direct", "other"))
    )
    assert {c: n for c, n in figures.received_by_channel.items() if n} == {
        "online": 1, "mobile": 1, "email": 1, "direct": 1, "other": 1,
    }  # fmt: skip
    assert (figures.received_online, figures.received_count, figures.online_ratio) == (2, 5, 0.4)


def test_a_dossier_is_in_time_at_its_due_time_and_open_ones_are_not() -> None:
    events = [received("online"), received("direct"), resolved(3, 3), resolved(3.001, 3), resolved(9)]
    figures = dossier_figures(add_sums(map(counts_of, events)))
    assert (figures.on_time, figures.late, figures.resolved, figures.on_time_ratio) == (1, 1, 3, 0.5)


def test_without_dossiers_there_is_no_ratio_and_no_median() -> None:
    figures = dossier_figures({})
    assert (figures.online_ratio, figures.on_time_ratio, figures.median_days) == (None, None, None)


@pytest.mark.parametrize("days", [0.5, 1.0, 30.0, 53.43, 329.0])
def test_the_median_is_within_two_percent(days: float) -> None:
    figures = dossier_figures(add_sums(counts_of(resolved(d)) for d in (days / 9, days, days, days * 1.2, days)))
    assert figures.median_days == pytest.approx(days, rel=RELATIVE_ERROR)


def test_a_change_of_clocks_adds_no_hour() -> None:
    summer, winter = timezone(timedelta(hours=2)), timezone(timedelta(hours=1))
    began = round(datetime(2010, 10, 30, 9, tzinfo=summer).timestamp() * 1000)
    end = round(datetime(2010, 10, 31, 9, tzinfo=winter).timestamp() * 1000)
    assert (end - began) / 3_600_000 == 25
    event = DossierResolved(n=1, t=end, dossier="0" * 26, service="land", received=began, due=end)
    figures = dossier_figures(counts_of(event))
    assert figures.on_time == 1
    assert figures.median_days == pytest.approx(25 / 24, rel=RELATIVE_ERROR)
    assert datetime.fromtimestamp(end / 1000, tz=UTC).hour == 8
