"""Says what the plan promises of certificates on each day of six years: valid, with overlap, never a gap."""

from __future__ import annotations

from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings, strategies as st

from infra.config.options import PkiOptions, StackOptions
from infra.plan import build_plan
from infra.plan.pki import RotationSchedule
from telemetry.errors import ConfigError
from tests.unit.inventories import fleet

if TYPE_CHECKING:
    from infra.plan.values import CertificatePlan, PkiPlan

EPOCH = date(2026, 1, 1)
DAY = timedelta(days=1)
SIX_YEARS = 6 * 366
WORLD = fleet(2)
USUAL = PkiOptions()
SHORT = PkiOptions(authority_days=90, certificate_days=30, overlap_days=15, crl_days=7)
ODD = PkiOptions(authority_days=1000, certificate_days=397, overlap_days=1, crl_days=8)


@cache
def on(pki: PkiOptions, day: date) -> PkiPlan:
    return build_plan(WORLD, StackOptions(stage="dev", target="local", pki=pki), day).pki


def days(pki: PkiOptions) -> list[tuple[date, PkiPlan]]:
    return [(day, on(pki, day)) for day in (EPOCH + number * DAY for number in range(SIX_YEARS))]


def valid(one: CertificatePlan, day: date) -> bool:
    return one.not_before <= day < one.not_after


every_kind = pytest.mark.parametrize("pki", [USUAL, SHORT, ODD], ids=["usual", "short", "odd"])


@every_kind
def test_current_certificates_are_valid_on_every_day(pki: PkiOptions) -> None:
    for day, found in days(pki):
        assert all(valid(one, day) for one in (*found.authorities, *found.certificates)), day


@every_kind
def test_on_the_last_day_of_a_generation_the_overlap_is_left(pki: PkiOptions) -> None:
    for (day, old), (_, new) in zip(days(pki), days(pki)[1:], strict=False):
        for before, after in zip(old.certificates, new.certificates, strict=True):
            if before.generation != after.generation:
                assert before.not_after - (day + DAY) >= timedelta(days=pki.overlap_days)
                assert before.renew_on == day + DAY


@every_kind
def test_a_generation_never_goes_back_and_never_leaves_one_out(pki: PkiOptions) -> None:
    found = [on for _, on in days(pki)]
    for seen in ([one.certificates[0].generation for one in found], [one.authorities[0].generation for one in found]):
        assert {new - old for old, new in pairwise(seen)} <= {0, 1}


@every_kind
def test_authority_outlives_what_it_signs(pki: PkiOptions) -> None:
    for day, found in days(pki):
        signer = found.authorities[0]
        assert all(signer.not_before <= one.not_before for one in found.certificates), day
        assert all(one.not_after <= signer.not_after for one in found.certificates), day


@every_kind
def test_a_certificate_that_an_authority_signs_on_its_last_day_has_its_whole_life(pki: PkiOptions) -> None:
    for day, found in days(pki):
        signer = found.authorities[0]
        if on(pki, day + DAY).authorities[0] != signer:
            assert signer.not_after - day >= timedelta(days=pki.certificate_days)


@every_kind
def test_an_authority_is_trusted_as_long_as_anything_it_signed_is_valid(pki: PkiOptions) -> None:
    latest: dict[int, date] = {}
    for day, found in days(pki):
        signer = found.authorities[0].generation
        last = max(one.not_after for one in found.certificates)
        latest[signer] = max(last, latest.get(signer, last))
        needed = {number for number, until in latest.items() if day < until}
        assert needed <= {one.generation for one in found.authorities}, day


@every_kind
def test_revocation_list_never_lapses_and_half_its_life_is_left_when_the_next_comes(pki: PkiOptions) -> None:
    for day, found in days(pki):
        assert found.crl_from <= day < found.crl_until
        assert (found.crl_until - day).days >= pki.crl_days // 2


@every_kind
def test_number_of_the_revocation_list_rises_with_time_and_with_what_is_revoked(pki: PkiOptions) -> None:
    numbers = [found.crl_number for _, found in days(pki)]
    assert numbers == sorted(numbers)
    many = pki.model_copy(update={"revoked": tuple(f"{number:x}" for number in range(1, 12_001))})
    later = EPOCH + pki.crl_days * DAY
    assert on(pki, EPOCH).crl_number < on(many, EPOCH).crl_number < on(pki, later).crl_number


def test_a_serial_counts_once_from_its_earliest_day() -> None:
    pki = PkiOptions(revoked=("00AB@2026-03-01", "ab@2026-02-01", "c", "0"))
    assert on(pki, EPOCH).revoked == (("0", EPOCH), ("ab", date(2026, 2, 1)), ("c", EPOCH))


def test_before_the_epoch_there_is_no_certificate_and_the_error_says_so() -> None:
    with pytest.raises(ConfigError, match=r"pki\.epoch: 2026-01-01 is after today, 2025-12-31"):
        build_plan(WORLD, StackOptions(stage="dev", target="local"), EPOCH - DAY)


def test_day_of_the_options_wins_over_the_real_one() -> None:
    options = StackOptions(stage="dev", target="local", today=date(2027, 6, 1))
    assert build_plan(WORLD, options, EPOCH) == build_plan(WORLD, options, date(2030, 1, 1))


def test_broker_answers_to_its_host_to_the_extra_ones_and_on_the_machine() -> None:
    pki = PkiOptions(hosts=("mqtt.example", "localhost"))
    assert on(pki, EPOCH).certificates[0].hosts == ("localhost", "mqtt.example", "127.0.0.1")


def test_people_get_their_certificates_by_request_and_not_from_the_stack() -> None:
    names = {one.name for one in on(USUAL, EPOCH).certificates}
    assert names == {"broker", "motcua-ingest-1", "motcua-rollup"}


@settings(deadline=None)
@given(st.integers(2, 900), st.data(), st.integers(0, 4000))
def test_generations_follow_each_other_with_the_overlap(life: int, data: st.DataObject, after: int) -> None:
    overlap = data.draw(st.integers(1, life - 1))
    epoch, day = RotationSchedule(EPOCH, life, overlap), EPOCH + after * DAY
    number = epoch.generation_on(day)
    assert epoch.start_of(number) <= day < epoch.start_of(number + 1) <= epoch.end_of(number)
    assert (epoch.end_of(number) - epoch.start_of(number + 1)).days == overlap
