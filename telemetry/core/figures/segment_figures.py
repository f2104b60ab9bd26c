"""What a window's sums say of tickets beyond waits: ways, transfers, losses, the data's quality. Pure.

It must not read stores.  The sums are those of `totals.QUEUE_FIELDS` and `totals.SEGMENT_FIELDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.histograms import DurationHistogram, DurationSum, duration_histogram

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Share:
    """A numerator and its denominator; the ratio is null where the denominator is zero."""

    numerator: int
    denominator: int

    @property
    def ratio(self) -> float | None:
        """Return numerator ÷ denominator, None when the denominator is zero."""
        return self.numerator / self.denominator if self.denominator else None


@dataclass(frozen=True, slots=True)
class NegativeDurations:
    """How many durations were negative, because the clocks of two devices disagree: they are in no sum."""

    wait: int
    way: int
    service: int


@dataclass(frozen=True, slots=True)
class FinalCallWait(DurationSum):
    """Waits until the last call (Q-02): those until the first call (Q-02a), plus what recalls added; seconds."""

    recalled_tickets: int


@dataclass(frozen=True, slots=True)
class BookedFigures(DurationSum):
    """Visits with an appointment, and their waits since the later of arrival and booked time; the others walked in."""

    issued: int


@dataclass(frozen=True, slots=True)
class SegmentFigures:
    """A window's tickets by segment.

    `transferred` left the service for another, `transferred_in` came so; only `issued` counts visits.  Whom the end of
    the day found waiting is `closed_eod`, never abandoned.  `double_closed` services end a ticket that had ended.
    `data_quality` is complete segments ÷ segments: one without an entry, a needed call or an end is not complete.
    """

    called: int
    transferred: int
    transferred_in: int
    closed_eod: int
    recalls: int
    booked: BookedFigures
    final_wait: FinalCallWait
    way_time: DurationHistogram
    negative: NegativeDurations
    forgotten_open: int
    double_closed: int
    abandonment: Share
    no_shows: Share
    data_quality: Share


def segment_figures(sums: Mapping[str, int], *, whole_days: bool = False) -> SegmentFigures:
    """Read a window's sums; missing fields count as zero.

    Over whole past days every segment that began has ended: those without an end are incomplete too.
    """
    get = sums.get
    waits = duration_histogram(sums, "wait").count
    return SegmentFigures(
        called=get("called", 0),
        transferred=get("transferred", 0),
        transferred_in=get("transferred_in", 0),
        closed_eod=get("closed_eod", 0),
        recalls=get("recalled", 0),
        booked=BookedFigures(get("booked_wait_count", 0), get("booked_wait_sum_ms", 0), get("issued_booked", 0)),
        final_wait=FinalCallWait(
            waits, get("wait_sum_ms", 0) + get("recall_delay_sum_ms", 0), get("recall_delay_count", 0)
        ),
        way_time=duration_histogram(sums, "way"),
        negative=NegativeDurations(get("wait_negative", 0), get("way_negative", 0), get("service_negative", 0)),
        forgotten_open=get("forgotten_open", 0),
        double_closed=get("double_closed", 0),
        abandonment=Share(get("abandoned", 0), get("issued", 0)),
        no_shows=Share(get("no_show", 0), get("issued", 0)),
        data_quality=_data_quality(sums, whole_days=whole_days),
    )


_ENDS = ("served", "abandoned", "no_show", "closed_eod", "transferred")


def _data_quality(sums: Mapping[str, int], *, whole_days: bool) -> Share:
    ends = sum(sums.get(name, 0) for name in _ENDS)
    begins = sums.get("issued", 0) + sums.get("transferred_in", 0)
    segments = max(begins, ends) if whole_days else ends
    return Share(max(0, ends - sums.get("incomplete", 0)), segments)
