"""The causes of unknown and down time, each instant charged once, as the reference defines them; for tests.

Source: slo.md 2.2, first match: an outbox announces the rows (late), our own platform was down, the site's link was
down, else the device.  The platform is asked before the link, because a dead platform silences whole sites too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.windows import Window, difference, intersection, merge
from telemetry.core.figures.accounting import TimeByState, sum_times

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.fold.states import StateSegment

GapCause = Literal["late", "platform", "link", "device"]
AttributedState = Literal["up", "down", "unknown", "excluded"]


@dataclass(frozen=True, slots=True)
class GapEvidence:
    """When each cause held: rows announced but not yet here, our platform down, the site's link down."""

    late: Sequence[Window] = ()
    platform: Sequence[Window] = ()
    link: Sequence[Window] = ()


@dataclass(frozen=True, slots=True)
class AttributedSpan:
    """A run of one state; `cause` of a gap, `caused_by` the parent whose outage it belongs to."""

    window: Window
    state: AttributedState
    cause: GapCause | None = None
    caused_by: str = ""


def common_silence(segments_by_device: Sequence[Sequence[StateSegment]], window: Window) -> list[Window]:
    """Return when there was no contact with any device of a site: its link was down.

    One device alone proves nothing about its link, so fewer than two give no evidence.
    """
    if len(segments_by_device) < 2:
        return []
    return difference(
        [window], [Window(s.start, s.end) for segments in segments_by_device for s in segments if s.state == "up"]
    )


def attribute_gaps(segments: Sequence[StateSegment], window: Window, evidence: GapEvidence) -> list[AttributedSpan]:
    """Tile the window with known states and with the causes of the gaps; sorted.

    A gap the platform caused is excluded; every other gap is unknown, and its cause says who is charged.
    """
    spans = [AttributedSpan(part, s.state) for s in segments if (part := Window(s.start, s.end).clip(window))]
    gaps = difference([window], [s.window for s in spans])
    windows_by_cause: tuple[tuple[GapCause, Sequence[Window]], ...] = (
        ("late", evidence.late),
        ("platform", evidence.platform),
        ("link", evidence.link),
        ("device", [window]),
    )
    for cause, windows in windows_by_cause:
        state: AttributedState = "excluded" if cause == "platform" else "unknown"
        spans += [AttributedSpan(part, state, cause) for part in intersection(gaps, windows)]
        gaps = difference(gaps, windows)
    return sorted(spans, key=lambda s: s.window)


def attribute_to_parent(
    spans: Iterable[AttributedSpan], parent: str, parent_down: Sequence[Window]
) -> list[AttributedSpan]:
    """Mark the down and unknown time in which the parent was down as caused by it; other time stays as it is."""
    attributed: list[AttributedSpan] = []
    for s in spans:
        shared = intersection([s.window], parent_down) if s.state in {"down", "unknown"} and not s.caused_by else []
        attributed += [replace(s, window=w, caused_by=parent) for w in shared]
        attributed += [replace(s, window=w) for w in difference([s.window], shared)]
    return sorted(attributed, key=lambda s: s.window)


def sum_spans(spans: Iterable[AttributedSpan], scope: Sequence[Window]) -> TimeByState:
    """Add spans over the time in scope, ms; unknown time that the link explains is charged elsewhere: to the link."""
    return sum_times(_span_time(s, sum(w.length for w in intersection([s.window], scope))) for s in spans)


def _span_time(span: AttributedSpan, ms: int) -> TimeByState:
    if span.state == "unknown":
        return TimeByState(unknown=ms, charged_elsewhere=ms * (span.cause == "link"))
    return TimeByState(
        up=ms * (span.state == "up"), down=ms * (span.state == "down"), excluded=ms * (span.state == "excluded")
    )


def charge_each_once(down: Mapping[str, Sequence[Window]]) -> dict[str, list[Window]]:
    """Charge each instant to the first of the sources that was down then (parents first).

    The charges are disjoint and cover exactly the union of all down time.
    """
    charged: dict[str, list[Window]] = {}
    covered: list[Window] = []
    for source, windows in down.items():
        charged[source] = difference(windows, covered)
        covered = merge([*covered, *windows])
    return charged
