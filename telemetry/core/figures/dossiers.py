"""Dossiers from additive sums: by channel, online, in time, median processing time; it must not read stores.

The sums are those of `administrative_counts.ADMINISTRATION_FIELDS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from telemetry.core.figures.histograms import BucketedDurations
from telemetry.core.fold.administrative_counts import DOSSIER_CHANNELS, ONLINE_CHANNELS

if TYPE_CHECKING:
    from collections.abc import Mapping

MS_PER_DAY = 86_400_000


@dataclass(frozen=True, slots=True)
class DossierFigures:
    """The dossiers of a window; one that is still open counts in neither `on_time` nor `late`."""

    received_by_channel: Mapping[str, int]
    resolved: int
    on_time: int
    late: int
    processing: BucketedDurations

    @property
    def received_count(self) -> int:
        """Return how many dossiers were received."""
        return sum(self.received_by_channel.values())

    @property
    def received_online(self) -> int:
        """Return how many came through the portal or its mobile application; e-mail is neither."""
        return sum(self.received_by_channel[channel] for channel in ONLINE_CHANNELS)

    @property
    def online_ratio(self) -> float | None:
        """Return dossiers received online ÷ dossiers received, None without any."""
        return self.received_online / self.received_count if self.received_count else None

    @property
    def on_time_ratio(self) -> float | None:
        """Return resolved by the due time ÷ resolved with a due time, None without any."""
        timed = self.on_time + self.late
        return self.on_time / timed if timed else None

    @property
    def median_days(self) -> float | None:
        """Return the nearest-rank median from receipt to result in days of 24 hours, within 2 %; None without any.

        Times are instants, so a change of daylight saving between them adds or takes no hour.
        """
        median_ms = self.processing.percentile_ms(0.5)
        return None if median_ms is None else median_ms / MS_PER_DAY


def dossier_figures(sums: Mapping[str, int]) -> DossierFigures:
    """Read a window's sums; missing fields count as zero."""
    return DossierFigures(
        received_by_channel={channel: sums.get(f"received_{channel}", 0) for channel in DOSSIER_CHANNELS},
        resolved=sum(sums.get(f"resolved_{channel}", 0) for channel in DOSSIER_CHANNELS),
        on_time=sums.get("resolved_on_time", 0),
        late=sums.get("resolved_late", 0),
        processing=BucketedDurations(sums.get("processing_histogram", 0)),
    )
