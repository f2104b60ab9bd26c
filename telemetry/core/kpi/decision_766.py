"""The score of Decision 766/QĐ-TTg (2022) from ratios: six groups, 100 points; pure, it must not gather the ratios.

The rules are reconstructed from the national portal's published answers (error ≤ 0.015 point); they are not the legal
text.  What is not reported has no points and is named as missing: a score is never made up from silence.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from telemetry.core.kpi.values import is_counted

if TYPE_CHECKING:
    from collections.abc import Mapping

ScoreGroup = Literal["transparency", "progress", "online", "payment", "digitisation", "satisfaction"]


@dataclass(frozen=True, slots=True)
class ScoreRule:
    """A component: min(`points`, `points` × ratio ÷ `full_at`); `zero_case` are the points when nothing was counted."""

    code: str
    group: ScoreGroup
    points: float
    figures: tuple[tuple[str, ...], tuple[str, ...]]
    full_at: float = 1.0
    zero_case: float | None = None
    """None: without a denominator the component has no points and counts as missing."""
    evidence: tuple[str, ...] = ()
    """The figures of which one shows that somebody reports the component; by default its denominator."""


_RECEIVED_ONLINE = ("received_online", "received_mobile")
_RECEIVED = (
    *_RECEIVED_ONLINE,
    "received_direct",
    "received_post",
    "received_email",
    "received_internal",
    "received_other",
)
_RESOLVED = tuple(name.replace("received", "resolved") for name in _RECEIVED)
_RECORDED = ("digitisation_recorded",)
_PETITIONS = ("petitions_received", "petitions_answered", "petitions_rated")

SCORE_RULES: tuple[ScoreRule, ...] = (
    ScoreRule("PUBLISH_ON_TIME", "transparency", 6, (("catalogue_published_on_time",), ("catalogue_procedures",))),
    ScoreRule("PUBLIC_UPDATE_ON_TIME", "transparency", 4, (("catalogue_updated_on_time",), ("catalogue_procedures",))),
    ScoreRule("PUBLIC_CONTENT_FULL", "transparency", 2, (("catalogue_content_complete",), ("catalogue_procedures",))),
    ScoreRule("DOSSIER_SYNC", "transparency", 6, (("sync_synced",), ("sync_dossiers",))),
    ScoreRule("PROGRESS", "progress", 20, (("resolved_on_time",), _RECEIVED)),
    ScoreRule(
        "ONLINE_SERVICES", "online", 2, (("catalogue_partial", "catalogue_full"), ("catalogue_procedures",)), 0.80,
    ),
    ScoreRule(
        "SERVICES_WITH_DOSSIERS", "online", 4,
        (("procedures_with_online_dossiers",), ("catalogue_partial", "catalogue_full")),
    ),
    ScoreRule("ONLINE_DOSSIERS", "online", 6, (_RECEIVED_ONLINE, _RECEIVED), 0.50),
    ScoreRule("DOSSIERS_PAID_ONLINE", "payment", 6, (("resolved_paid_online",), ("resolved_with_fee",))),
    ScoreRule("PROCEDURES_PAID_ONLINE", "payment", 2, (("procedures_paid_online",), ("catalogue_with_fee",)), 0.80),
    ScoreRule("FEES_ON_PORTAL", "payment", 2, (("catalogue_fee_online",), ("catalogue_with_fee",)), 0.80),
    ScoreRule("ORIGINAL_RESULT_AVAILABLE", "digitisation", 6, (("resolved_digital",), _RESOLVED)),
    ScoreRule("PAPERS_DIGITISED", "digitisation", 4, (("digitised_papers_digitised",), _RECORDED)),
    ScoreRule("ELECTRONIC_CERTIFIED_COPY", "digitisation", 2, (("digitised_certified_copy",), _RECORDED)),
    ScoreRule("REUSED_DIGITIZED_DATA", "digitisation", 2, (("digitised_data_reused",), _RECORDED), 0.80),
    ScoreRule("SYNCED_WITH_PERSONAL_STORAGE", "digitisation", 4, (("digitised_personal_storage",), _RECORDED)),
    ScoreRule("CITIZEN_DATA_CONNECTED_DOSSIER", "digitisation", 2, (("digitised_citizen_data_connected",), _RECORDED)),
    ScoreRule(
        "CITIZEN_DATA_CONNECTED_FORMALITY", "digitisation", 2,
        (("catalogue_citizen_data_connected",), ("catalogue_procedures",)),
    ),
    ScoreRule("DOSSIER_RECEIVING_SATISFACTION", "satisfaction", 6, (("ratings_good",), ("ratings",)), 0.90, 0.0),
    ScoreRule(
        "PETITION_PROCESSING_ON_TIME", "satisfaction", 6, (("petitions_on_time",), ("petitions_timed",)), zero_case=6.0,
        evidence=_PETITIONS,
    ),
    ScoreRule(
        "PETITION_HANDLING_SATISFACTION", "satisfaction", 6, (("petitions_satisfied",), ("petitions_rated",)),
        zero_case=6.0, evidence=_PETITIONS,
    ),
)  # fmt: skip
"""The components in the order of the portal; the maxima are 18 + 20 + 12 + 10 + 22 + 18 = 100."""


@dataclass(frozen=True, slots=True)
class ScoredComponent:
    """A component's numerator, denominator and points; `points` is None when it is not reported."""

    rule: ScoreRule
    numerator: int
    denominator: int
    points: float | None


@dataclass(frozen=True, slots=True)
class Score:
    """All components; `points` adds those that are reported, out of `reported_maximum`."""

    components: tuple[ScoredComponent, ...]

    @property
    def points(self) -> float:
        """Return the points of what is reported."""
        return sum(c.points for c in self.components if c.points is not None)

    @property
    def reported_maximum(self) -> float:
        """Return the most points that what is reported could have."""
        return sum(c.rule.points for c in self.components if c.points is not None)

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the codes of components that nobody reports."""
        return tuple(c.rule.code for c in self.components if c.points is None)

    def change_since(self, former: Score) -> float | None:
        """Return the change of points over the components that both scores have, None when they share none."""
        pairs = zip(self.components, former.components, strict=True)
        changes = [new.points - old.points for new, old in pairs if new.points is not None and old.points is not None]
        return sum(changes) if changes else None


def score_766(figures: Mapping[str, int], reported: frozenset[str]) -> Score:
    """Return the score; `figures` may miss names, `reported` are the names that anybody reports at all.

    A period may have nothing to count of what is reported at other times: `reported` comes from a longer one.
    """
    return Score(tuple(_score_component(rule, figures, reported) for rule in SCORE_RULES))


def _score_component(rule: ScoreRule, figures: Mapping[str, int], reported: frozenset[str]) -> ScoredComponent:
    over, under = rule.figures
    numerator, denominator = (sum(figures.get(name, 0) for name in names) for names in (over, under))
    if denominator and is_counted(over, figures):
        return ScoredComponent(
            rule, numerator, denominator, min(rule.points, rule.points * numerator / denominator / rule.full_at)
        )
    points = rule.zero_case if not denominator and reported.intersection(rule.evidence or under) else None
    return ScoredComponent(rule, numerator, denominator, points)
