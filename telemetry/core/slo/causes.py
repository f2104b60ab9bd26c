"""Why time is unknown or down, and who is charged for it, each moment once; it must not read events.

Source: slo.md 2.2, first match: an outbox announces the rows (late), our own platform was down, the site's link was
down, else the device.  The platform is asked before the link, because a dead platform silences whole sites too.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from telemetry.core.calendar.intervals import minus, overlap
from telemetry.core.calendar.windows import Window, merge
from telemetry.core.slo.sli import Tally, total

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from telemetry.core.fold.states import Segment

Cause = Literal["late", "platform", "link", "device"]
Fate = Literal["up", "down", "unknown", "excluded"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """When each cause held: rows announced but not yet here, our platform down, the site's link down."""

    late: Sequence[Window] = ()
    platform: Sequence[Window] = ()
    link: Sequence[Window] = ()


@dataclass(frozen=True, slots=True)
class Spell:
    """A run of one state; `cause` of a gap, `caused_by` the parent whose outage it belongs to."""

    window: Window
    state: Fate
    cause: Cause | None = None
    caused_by: str = ""


def silent_together(heard: Sequence[Sequence[Segment]], window: Window) -> list[Window]:
    """Return when no device of a site was heard: its link was down.

    One device alone proves nothing about its link, so fewer than two give no evidence.
    """
    if len(heard) < 2:
        return []
    return minus([window], [Window(s.start, s.end) for known in heard for s in known if s.state == "up"])


def spells(known: Sequence[Segment], window: Window, evidence: Evidence) -> list[Spell]:
    """Tile the window with what is known and with the causes of the gaps; sorted.

    A gap the platform caused is excluded; every other gap is unknown, and its cause says who is charged.
    """
    out = [Spell(part, s.state) for s in known if (part := Window(s.start, s.end).clip(window))]
    gaps = minus([window], [s.window for s in out])
    ranked: tuple[tuple[Cause, Sequence[Window]], ...] = (
        ("late", evidence.late),
        ("platform", evidence.platform),
        ("link", evidence.link),
        ("device", [window]),
    )
    for cause, windows in ranked:
        state: Fate = "excluded" if cause == "platform" else "unknown"
        out += [Spell(part, state, cause) for part in overlap(gaps, windows)]
        gaps = minus(gaps, windows)
    return sorted(out, key=lambda s: s.window)


def under(found: Iterable[Spell], parent: str, parent_down: Sequence[Window]) -> list[Spell]:
    """Mark the down and unknown time in which the parent was down as caused by it; other time stays as it is."""
    out: list[Spell] = []
    for s in found:
        shared = overlap([s.window], parent_down) if s.state in {"down", "unknown"} and not s.caused_by else []
        out += [replace(s, window=w, caused_by=parent) for w in shared]
        out += [replace(s, window=w) for w in minus([s.window], shared)]
    return sorted(out, key=lambda s: s.window)


def tally_of(found: Iterable[Spell], scope: Sequence[Window]) -> Tally:
    """Add spells over the time in scope, ms; unknown time the link caused is charged elsewhere: to the link."""
    return total(_tally(s, sum(w.length for w in overlap([s.window], scope))) for s in found)


def _tally(spell: Spell, ms: int) -> Tally:
    if spell.state == "unknown":
        return Tally(unknown=ms, elsewhere=ms * (spell.cause == "link"))
    return Tally(
        up=ms * (spell.state == "up"), down=ms * (spell.state == "down"), excluded=ms * (spell.state == "excluded")
    )


def charge_once(down: Mapping[str, Sequence[Window]]) -> dict[str, list[Window]]:
    """Charge each moment to the first of the sources that was down then (parents first).

    The charges are disjoint and cover exactly the union of all down time.
    """
    out: dict[str, list[Window]] = {}
    taken: list[Window] = []
    for source, windows in down.items():
        out[source] = minus(windows, taken)
        taken = merge([*taken, *windows])
    return out
