"""Says what the rules find in single resources as Pulumi sees them, and that unknown values are no breach."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from infra.config.options import NationalOptions, StackOptions
from infra.plan import build_plan
from infra.policy.catalogue import RULES
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.manifests import UNKNOWN
from infra.policy.resources import RESOURCE_RULE_IDS, resource_violations
from infra.providers.resources import RESOURCE_TYPES
from infra.resource_specs import resource_specs
from tests.unit.inventories import fleet

DAY_S = 86_400
BUCKET, TOKEN = ("pulumi-python:dynamic/motcua/influx:" + name for name in ("Bucket", "Authorization"))
FILES = "pulumi-python:dynamic/motcua/host:Files"
RULE = "openstack:networking/secGroupRule:SecGroupRule"
KEY = "-----BEGIN PRIVATE KEY-----\nMII"
LABELS = {"labels": {"app.kubernetes.io/part-of": "motcua"}}


def told(kind: str, props: dict[str, Any]) -> list[str]:
    return [one.rule for one in resource_violations(kind, props, "thing")]


def type_of(kind: str) -> str:
    return f"pulumi-python:{RESOURCE_TYPES[kind].token}"


def test_everything_that_the_plan_declares_has_no_breach() -> None:
    options = StackOptions(
        stage="dev",
        target="local",
        national=NationalOptions(url="https://national.example", org_id="0" * 16),
    )
    things = resource_specs(build_plan(fleet(40), options, date(2026, 6, 1)), options)
    assert {one.kind for one in things} >= {"influx.bucket", "influx.authorization", "influx.remote"}
    assert [found for one in things for found in resource_violations(type_of(one.kind), one.inputs, one.name)] == []


@pytest.mark.parametrize(
    ("kind", "props", "expected"),
    [
        (BUCKET, {"name": "motcua", "retention_s": 29.0 * DAY_S}, ["retention"]),
        (BUCKET, {"name": "motcua", "retention_s": 0.0}, []),
        (BUCKET, {"name": "motcua", "retention_s": UNKNOWN}, []),
        (BUCKET, {"name": "motcua-1d", "retention_s": 3650 * DAY_S}, ["retention"]),
        (BUCKET, {"name": "motcua", "retention_s": 0, "allow_shrink": True}, ["shrink-allowed"]),
        (TOKEN, {"permissions": [{"action": "read", "type": "buckets", "bucket": "motcua"}]}, []),
        (TOKEN, {"permissions": [{"action": "write", "type": "buckets"}]}, ["token-rights"]),
        (TOKEN, {"permissions": [{"action": "read", "type": "orgs"}]}, ["token-rights"]),
        (TOKEN, {"permissions": UNKNOWN}, []),
        ("pulumi-python:dynamic/motcua/influx:Remote", {"url": "http://n"}, ["upstream-tls"]),
        (FILES, {"files": {"a.key": KEY, "b": "fine"}, "secret_files": {"c.key": KEY}}, ["plain-secret"]),
        (FILES, {"files": {"a.key": UNKNOWN}}, []),
        (FILES, {"files": UNKNOWN}, []),
        ("pulumi-python:dynamic/motcua/pki:Certificate", {"issuer_key": KEY}, []),
        ("kubernetes:core/v1:Service", {"kind": "Service", "metadata": LABELS, "spec": {"type": "LoadBalancer"}},
         ["balancer-sources"]),
        ("kubernetes:core/v1:Pod", {"kind": "Pod", "metadata": UNKNOWN, "spec": UNKNOWN}, []),
        ("kubernetes:helm.sh/v3:Release", {"chart": "x"}, []),
        ("openstack:networking/port:Port", {"portSecurityEnabled": False}, ["port-security"]),
        ("openstack:networking/network:Network", {"portSecurityEnabled": False}, ["port-security"]),
        ("openstack:networking/network:Network", {"portSecurityEnabled": UNKNOWN}, []),
        ("openstack:networking/port:Port", {}, []),
        ("aws:s3:Bucket", {"retention_s": 1}, []),
    ],
)  # fmt: skip
def test_resource(kind: str, props: dict[str, Any], expected: list[str]) -> None:
    assert told(kind, props) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"portRangeMin": 8883.0, "portRangeMax": 8883.0}, []),
        ({"portRangeMin": 443, "portRangeMax": 443, "remoteIpPrefix": "::/0"}, []),
        ({"portRangeMin": 22, "portRangeMax": 22}, ["open-to-all"]),
        ({"portRangeMin": 8086, "portRangeMax": 8086}, ["open-to-all", "store-closed"]),
        ({"portRangeMin": 8000, "portRangeMax": 9000}, ["open-to-all", "store-closed"]),
        ({"portRangeMin": 22, "portRangeMax": 22, "remoteIpPrefix": None}, ["open-to-all"]),
        ({}, ["open-to-all", "store-closed"]),
        ({"remoteGroupId": "g"}, []),
        ({"remoteIpPrefix": "10.0.0.0/8"}, []),
        ({"remoteIpPrefix": UNKNOWN}, []),
        ({"direction": "egress"}, []),
        ({"protocol": "icmp"}, []),
    ],
)
def test_security_group_rule(change: dict[str, Any], expected: list[str]) -> None:
    assert told(RULE, {"direction": "ingress", "remoteIpPrefix": "0.0.0.0/0", "protocol": "tcp", **change}) == expected


def test_user_data_of_a_machine_holds_no_key() -> None:
    kind = "openstack:compute/instance:Instance"
    assert told(kind, {"userData": f"#cloud-config\n{KEY}"}) == ["plain-secret"]
    assert told(kind, {"userData": "#cloud-config\n"}) == []


def test_rules_of_the_pack_are_rules() -> None:
    assert set(RESOURCE_RULE_IDS) <= set(RULES) | set(CLOUD_RULES)
    assert len(set(RESOURCE_RULE_IDS)) == len(RESOURCE_RULE_IDS)
