"""A wait model as a file: JSON of plain numbers, refused unless each is in its place. It must not fit or predict.

Reading it runs nothing that the file brings: it has no code and no class names, only the values below.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol.event_fields import Count, Instant
from telemetry.core.queueing.linear_quantile import LinearQuantile
from telemetry.core.queueing.queue_profile import QueueProfile
from telemetry.core.queueing.recalibration import RecalibratedWaits
from telemetry.core.queueing.wait_features import FEATURES
from telemetry.core.queueing.wait_model import FittedQuantiles, WaitPredictor
from telemetry.core.queueing.waiting_line import TicketKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telemetry.core.fold.live_row_types import WaitMethod

MODEL_FORMAT = 2
MIN_MODEL_ROWS = 100
"""With fewer known waits a centre has no model: the head of line stands in."""
BacktestWinner = Literal["learned", "drain", "champion", ""]
HASH_DIGITS = 12
"""So many digits of the SHA-256 name a model."""
Seconds = Annotated[float, Meta(ge=0, le=1e6)]
Sample = Annotated[tuple[Seconds, ...], Meta(max_length=400)]


class InvalidModel(ValueError):
    """Bytes that are not a model of this version."""


class KindValue(Struct, frozen=True):
    """A number for a kind of ticket."""

    service: str
    priority: str
    value: float


class ProfileFile(Struct, frozen=True):
    """A queue profile; see `QueueProfile`."""

    all_service_times: Sample = ()
    service_times: dict[str, Sample] = {}
    pauses: Sample = ()
    skills: dict[str, tuple[str, ...]] = {}
    patience: Annotated[tuple[Annotated[float, Meta(ge=0, le=1e6)], ...], Meta(max_length=6)] = ()
    head_starts: tuple[KindValue, ...] = ()
    default_head_starts: dict[str, float] = {}
    typical_waits: tuple[KindValue, ...] = ()
    typical_wait: float = 0.0
    past_waits: Sample = ()


class BacktestScore(Struct, frozen=True):
    """One method's scores in a back-test; a method that gives one figure has no pinball loss and `share_within`."""

    method: str
    count: Count
    mae_s: Seconds
    bias_s: Annotated[float, Meta(ge=-1e6, le=1e6)]
    pinball_s: Seconds | None = None
    share_within: Annotated[float, Meta(ge=0, le=1)] | None = None


class BacktestReport(Struct, frozen=True):
    """The newest back-test of a centre, at `at` (Unix ms): which candidate won, and all scores.

    `winner` is `learned`, `drain`, `champion` (it stays), or empty: a simple estimator had the smallest error.
    """

    at: Instant
    winner: BacktestWinner
    scores: tuple[BacktestScore, ...] = ()


class WaitModelFile(Struct, frozen=True):
    """A wait model of a centre: what it was trained on, its numbers, and the back-test that chose it; times Unix ms.

    Without `p50` and `p90` the drained waits are the prediction.
    """

    centre: str
    fitted_at: Instant
    trained_from: Instant
    trained_until: Instant
    rows: Count
    profile: ProfileFile
    features: tuple[str, ...] = FEATURES
    p50: LinearQuantile | None = None
    p90: LinearQuantile | None = None
    log_factor_p50: float = 0.0
    log_factor_p90: float = 0.0
    kind_log_factors: tuple[KindValue, ...] = ()
    backtest: tuple[BacktestScore, ...] = ()
    format: int = MODEL_FORMAT

    @property
    def method(self) -> WaitMethod:
        """Return how it predicts: `learned` or `drain`."""
        return "learned" if self.p50 else "drain"

    def predictor(self) -> WaitPredictor:
        """Return what predicts."""
        fitted = FittedQuantiles(self.p50, self.p90) if self.p50 and self.p90 else None
        return WaitPredictor(_profile_of(self.profile), fitted)

    def recalibration(self) -> RecalibratedWaits:
        """Return the recalibration at the time of the fit."""
        start = RecalibratedWaits()
        return RecalibratedWaits(
            start.p50.at(self.log_factor_p50),
            start.p90.at(self.log_factor_p90),
            {_kind_of(k): start.kind_part(_kind_of(k)).at(k.value) for k in self.kind_log_factors},
        )


def encode_model(model: WaitModelFile) -> bytes:
    """Return the file's bytes."""
    return msgspec.json.encode(model)


def decode_model(body: bytes) -> WaitModelFile:
    """Return the model of a file; raises InvalidModel."""
    try:
        model = msgspec.json.decode(body, type=WaitModelFile)
        if model.format != MODEL_FORMAT or model.features != FEATURES or (model.p50 is None) != (model.p90 is None):
            msg = f"format {model.format}, {len(model.features)} features"
            raise InvalidModel(msg)
        for part in (model.p50, model.p90):
            if part is not None:
                part.validate(len(model.features))
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise InvalidModel(str(error)) from error
    return model


def decode_backtest(body: bytes) -> BacktestReport | None:
    """Return the report of a back-test; None when the bytes are none."""
    try:
        return msgspec.json.decode(body, type=BacktestReport)
    except (msgspec.DecodeError, RecursionError):
        return None


def model_hash(body: bytes) -> str:
    """Return the SHA-256 of a model's file, hexadecimal."""
    return hashlib.sha256(body).hexdigest()


def profile_file(profile: QueueProfile) -> ProfileFile:
    """Return a profile as it is stored, to a hundredth of a second."""
    return ProfileFile(
        all_service_times=_round_sample(profile.all_service_times),
        service_times={name: _round_sample(sample) for name, sample in profile.service_times.items()},
        pauses=_round_sample(profile.pauses),
        skills={counter: tuple(sorted(services)) for counter, services in profile.skills.items()},
        patience=profile.patience,
        head_starts=kind_values(profile.head_starts),
        default_head_starts=dict(profile.default_head_starts),
        typical_waits=kind_values(profile.typical_waits),
        typical_wait=profile.typical_wait,
        past_waits=_round_sample(profile.past_waits),
    )


def _round_sample(sample: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(round(value, 2) for value in sample)


def kind_values(values: Mapping[TicketKind, float]) -> tuple[KindValue, ...]:
    """Return numbers by kind of ticket as they are stored."""
    return tuple(KindValue(kind.service, kind.priority, value) for kind, value in sorted(values.items()))


def _kind_of(value: KindValue) -> TicketKind:
    return TicketKind(value.service, value.priority)


def _profile_of(stored: ProfileFile) -> QueueProfile:
    return QueueProfile(
        all_service_times=tuple(sorted(stored.all_service_times)),
        service_times={name: tuple(sorted(sample)) for name, sample in stored.service_times.items()},
        pauses=tuple(sorted(stored.pauses)),
        skills={counter: frozenset(services) for counter, services in stored.skills.items()},
        patience=stored.patience,
        head_starts={_kind_of(v): v.value for v in stored.head_starts},
        default_head_starts=stored.default_head_starts,
        typical_waits={_kind_of(v): v.value for v in stored.typical_waits},
        typical_wait=stored.typical_wait,
        past_waits=tuple(sorted(stored.past_waits)),
    )
