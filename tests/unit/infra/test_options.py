"""Says what options are refused, with which remedy, and that everything wrong is told in one go."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from infra.config.options import REMOVED, SECRET_NAMES, StackOptions, parse_options
from telemetry.errors import ConfigError, Fault

GOOD: dict[str, Any] = {"stage": "dev", "target": "local"}
PROD: dict[str, Any] = {"stage": "prod", "pki": {"rootCertificate": "root.pem"}}
PLANTED = "hunter2-planted"


def faults(**values: object) -> list[Fault]:
    with pytest.raises(ConfigError) as caught:
        parse_options({**GOOD, **values}, "stack", {"pki": 7, "pki.hosts": 9})
    return list(caught.value.faults)


def fields(**values: object) -> list[str]:
    return [fault.field for fault in faults(**values)]


def test_two_words_are_enough() -> None:
    assert parse_options(GOOD, "stack") == StackOptions(stage="dev", target="local")


@pytest.mark.parametrize("target", ["local", "kubernetes", "openstack"])
@pytest.mark.parametrize("part", ["ground", "hosted"])
def test_every_target_has_the_parts_of_the_provinces_cloud_without_what_motcuas_own_stack_needs(
    target: str, part: str
) -> None:
    parsed = parse_options({"stage": "prod", "target": target, "cloud": {"part": part}}, "stack")
    assert (parsed.target, parsed.cloud.part) == (target, part)


def test_options_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        parse_options(GOOD, "stack").stage = "prod"


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"influx": {"rawDays": 29}}, "motcua:influx.rawDays"),
        ({"influx": {"fiveMinuteDays": 1}}, "motcua:influx.fiveMinuteDays"),
        ({"influx": {"hourDays": 29}}, "motcua:influx.hourDays"),
        ({"influx": {"url": "http://me:pw@host:8086"}}, "motcua:influx.url"),
        ({"influx": {"bucket": "_mine"}}, "motcua:influx.bucket"),
        ({"influx": {"bucket": 'a"b'}}, "motcua:influx.bucket"),
        ({"influx": {"bucket": "b" * 61}}, "motcua:influx.bucket"),
        ({"influx": {"org": "a\nb"}}, "motcua:influx.org"),
        ({"broker": {"kind": "cluster"}}, "motcua:broker.kind"),
        ({"broker": {"port": 0}}, "motcua:broker.port"),
        ({"broker": {"host": "a b"}}, "motcua:broker.host"),
        ({"broker": {"bind": "0.0.0.0\nallow_anonymous true"}}, "motcua:broker.bind"),
        ({"pki": {"overlapDays": 200}}, "motcua:pki.overlapDays"),
        ({"pki": {"authorityDays": 400}}, "motcua:pki.authorityDays"),
        ({"pki": {"revoked": ["xyz"]}}, "motcua:pki.revoked"),
        ({"pki": {"revoked": ["ab@2026-02-30"]}}, "motcua:pki.revoked"),
        ({"pki": {"epoch": 1767225600}}, "motcua:pki.epoch"),
        ({"pki": {"epoch": "0001-01-01"}}, "motcua:pki.epoch"),
        ({"pki": {"epoch": "2026-05-01"}, "today": "2026-04-30"}, "motcua:pki.epoch"),
        ({"pki": {"hosts": ["ok.example", "not ok"]}}, "motcua:pki.hosts.1"),
        ({"today": "9999-12-31"}, "motcua:today"),
        ({"workers": 51}, "motcua:workers"),
        ({"workers": True}, "motcua:workers"),
        ({"workers": 1.5}, "motcua:workers"),
        ({"tokens": {"generation": 0}}, "motcua:tokens.generation"),
        ({"national": {"url": "https://n.example", "orgId": "mine"}}, "motcua:national.orgId"),
        ({"openstack": {"cidr": "10.83.0.1/24"}}, "motcua:openstack.cidr"),
        ({"kubernetes": {"ingestLeast": 5}}, "motcua:kubernetes.ingestLeast"),
        ({"kubernetes": {"namespace": "-x"}}, "motcua:kubernetes.namespace"),
        ({"target": "openstack"}, "motcua:openstack.deviceSources"),
        ({"stage": "prod"}, "motcua:pki.rootCertificate"),
        ({**PROD, "target": "kubernetes"}, "motcua:kubernetes.deviceSources"),
        ({"colour": "red"}, "motcua:colour"),
    ],
)
def test_fault_is_told_by_its_name_with_a_remedy(values: dict[str, object], field: str) -> None:
    found = faults(**values)
    assert [fault.field for fault in found] == [field]
    assert all(fault.problem and fault.remedy for fault in found)


@pytest.mark.parametrize("section", ["influx", "broker", "pki", "tokens", "local", "kubernetes", "openstack"])
@pytest.mark.parametrize("value", [None, [], [1], "x", 5, True])
def test_section_of_a_wrong_type_is_one_fault(section: str, value: object) -> None:
    assert fields(**{section: value}) == [f"motcua:{section}"]


@pytest.mark.parametrize("value", [[1], "x", 5, True])
def test_wrong_national_section_is_one_fault(value: object) -> None:
    assert fields(national=value) == ["motcua:national"]


def test_wrong_section_does_not_hide_what_is_wrong_elsewhere() -> None:
    found = fields(influx=[1], broker={"port": 0}, workers=0, pki={"overlapDays": 300, "hosts": {"a": 1}})
    wrong = {"broker.port", "influx", "pki.overlapDays", "pki.hosts", "workers"}
    assert set(found) == {f"motcua:{name}" for name in wrong}


def test_line_is_that_of_the_key_or_of_the_nearest_around_it() -> None:
    found = {fault.field: fault.line for fault in faults(pki={"hosts": ["a b"], "crlDays": 1}, workers=0)}
    assert found == {"motcua:pki.hosts.0": 9, "motcua:pki.crlDays": 7, "motcua:workers": 0}


@pytest.mark.parametrize("name", ["influx", "pki", "kubernetes", "national"])
def test_what_was_written_in_the_wrong_place_is_not_shown(name: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_options({**GOOD, name: {"influxToken": PLANTED}, "url": PLANTED}, "stack")
    assert PLANTED not in str(caught.value)


@pytest.mark.parametrize("name", sorted(REMOVED))
def test_a_key_of_an_earlier_version_is_one_fault_that_says_to_take_it_out(name: str) -> None:
    section, _, key = name.rpartition(".")
    (fault,) = faults(**{section: {key: PLANTED}} if section else {key: PLANTED})
    assert fault.field == f"motcua:{name}"
    assert "dynamic security, which was removed" in fault.problem
    assert fault.remedy.startswith("take it out")
    assert PLANTED not in str(fault)


def test_all_keys_of_an_earlier_version_are_told_at_once_and_hide_nothing() -> None:
    old = {"form": "dynsec", "url": "mqtt://h", "kind": "cluster", "port": 0}
    found = fields(broker=old, shards=16, brokerPassword=PLANTED)
    wrong = ("broker.form", "broker.url", "broker.kind", "broker.port", "shards", "brokerPassword")
    assert set(found) == {f"motcua:{name}" for name in wrong}


def test_secrets_are_not_read() -> None:
    assert parse_options({**GOOD, **dict.fromkeys(SECRET_NAMES, PLANTED)}, "stack") == parse_options(GOOD, "stack")


def test_values_as_the_engine_hands_them_on_are_understood() -> None:
    given_ = {"workers": "8", "today": "2026-05-01", "influx": {"rawDays": 45, "adopt": True}}
    found = parse_options({**GOOD, **json.loads(json.dumps(given_))}, "stack")
    assert (found.workers, str(found.today), found.influx.raw_days) == (8, "2026-05-01", 45)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from([field.alias or "" for field in StackOptions.model_fields.values()]), JSON))
def test_any_value_is_taken_or_told(values: dict[str, object]) -> None:
    told: object
    try:
        told = parse_options(values, "stack")
    except ConfigError as error:
        told = error.faults
    assert told
