"""Breaches that try to slip past a rule by another way of writing the same; one thing is changed at a time."""

from __future__ import annotations

import base64
import gzip
from copy import deepcopy
from datetime import date
from typing import Any

import pytest

from infra.config.options import InfluxOptions, KubernetesOptions, StackOptions
from infra.plan import build_plan
from infra.policy.manifests import UNKNOWN, check_manifests
from infra.policy.resources import resource_violations
from infra.policy.rules import check_plan, is_open_network
from infra.policy.secret_scan import find_leaks
from tests.kubernetes import stack
from tests.unit.inventories import fleet

KEY = "-----BEGIN PRIVATE KEY-----\nMII"
META = {"name": "x", "labels": {"app.kubernetes.io/part-of": "motcua"}}
TOKEN = "pulumi-python:dynamic/motcua/influx:Authorization"
LISTENER = "openstack:loadbalancer/listener:Listener"
RULE = "openstack:networking/secGroupRule:SecGroupRule"


def test_the_shipped_stack_has_no_finding_but_tags_for_images() -> None:
    assert {one.rule for one in check_manifests(stack().objects)} <= {"image-digest"}


@pytest.mark.parametrize(
    ("network", "expected"),
    [
        ("0.0.0.0/0", True), ("::/0", True), ("0.0.0.0/1", True), ("128.0.0.0/1", True), ("2000::/3", True),
        ("10.0.0.0/8", False), ("fc00::/7", False), ("2405:4800::/32", False), (UNKNOWN, False),
    ],
)  # fmt: skip
def test_everybody_is_everybody_in_two_halves_too(network: str, expected: bool) -> None:
    assert is_open_network(network) is expected


def pod_of(kind: str, name: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Return a shipped object, its pod and its container, each open to change."""
    whole = deepcopy(stack().one(kind, name))
    pod = whole["spec"]["template"]["spec"]
    return whole, pod, pod["containers"][0]


@pytest.mark.parametrize(
    ("where", "change", "rule"),
    [
        ("pod.securityContext", {"seccompProfile": {"type": "Unconfined"}}, "pod-hardened"),
        ("container.securityContext", {"seccompProfile": {"type": "Unconfined"}}, "pod-hardened"),
        ("container.securityContext", {"runAsNonRoot": False}, "pod-hardened"),
        ("container.securityContext", {"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}, "pod-hardened"),
        ("container.securityContext", {"procMount": "Unmasked"}, "pod-hardened"),
        ("container", {"ports": [{"containerPort": 8080, "hostPort": 8080}]}, "pod-hardened"),
        ("pod", {"ephemeralContainers": [{"name": "debug", "image": "x@sha256:" + "a" * 64}]}, "pod-hardened"),
        ("container", {"args": ["serve", "--token=hunter2222"]}, "plain-secret"),
        ("container", {"command": ["sh", "-c", "export PASSWORD=hunter2222; run"]}, "plain-secret"),
        ("container", {"env": [{"name": "DB_PASSWORD", "value": "/hunter2"}]}, "plain-secret"),
    ],
)
def test_a_pod_made_soft(where: str, change: dict[str, Any], rule: str) -> None:
    whole, pod, container = pod_of("Deployment", "api")
    before = len(check_manifests([whole]))
    place, _, inner = where.partition(".")
    target = {"pod": pod, "container": container}[place]
    (target[inner] if inner else target).update(change)
    found = check_manifests([whole])
    assert rule in [one.rule for one in found]
    assert len(found) > before


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("Service", {"spec": {"type": "NodePort", "ports": [{"port": 8883}]}}, ["balancer-sources"]),
        ("Service", {"spec": {"type": "ClusterIP", "externalIPs": ["203.0.113.7"]}}, ["balancer-sources"]),
        ("Service", {"spec": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["0.0.0.0/0"]}},
         ["devices-from-anywhere"]),
        ("Service", {"spec": {"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"],
                              "selector": {"app.kubernetes.io/component": "influxdb"},
                              "ports": [{"port": 80, "targetPort": "http"}]}}, ["store-closed"]),
        ("Ingress", {"spec": {"tls": [{}], "rules": [{"http": {"paths": [
            {"backend": {"service": {"name": "influxdb", "port": {"name": "http"}}}}]}}]}}, ["store-closed"]),
        ("Ingress", {"spec": {"tls": [{}], "defaultBackend": {"service": {"name": "a", "port": {"number": 8086}}}}},
         ["store-closed"]),
        ("Ingress", {"spec": {"rules": []}}, ["listener-tls"]),
        ("NetworkPolicy", {"spec": {"podSelector": {}, "ingress": [{}]}}, ["open-to-all"]),
        ("NetworkPolicy", {"spec": {"ingress": [{"ports": [{"port": 8086}]}]}}, ["store-closed"]),
        ("NetworkPolicy", {"spec": {"podSelector": {}, "ingress": []}}, []),
        ("ConfigMap", {"binaryData": {"key": base64.b64encode(KEY.encode()).decode()}}, ["plain-secret"]),
        ("ConfigMap", {"data": {"a.json": '{"user": "a", "password": "hunter22"}'}}, ["plain-secret"]),
        ("Namespace", {}, ["pod-hardened"]),
    ],
)  # fmt: skip
def test_an_object_that_opens_or_shows(kind: str, body: dict[str, Any], expected: list[str]) -> None:
    one = {"kind": kind, "metadata": META, **body}
    assert [found.rule for found in check_manifests([one])] == expected
    assert [found.rule for found in check_manifests([{"kind": "List", "items": [one]}])] == expected


@pytest.mark.parametrize(
    "text",
    [
        "adminPassword: hunter22",
        "x: {user: a, api_key: hunter22}",
        "Environment=MOTCUA_STORE_TOKEN=abcdefgh",
        "ExecStart=/usr/bin/influxd --token=abcdefgh",
        "key: " + base64.b64encode(KEY.encode()).decode(),
        "key: " + base64.b64encode(KEY.replace("BEGIN", "BEGIN EC").encode()).decode(),
    ],
)
def test_a_secret_written_in_another_way(text: str) -> None:
    assert {one.rule for one in find_leaks({"a.conf": text})} == {"plain-secret"}


def told(kind: str, props: dict[str, Any]) -> list[str]:
    return [one.rule for one in resource_violations(kind, props, "thing")]


def test_a_key_packed_into_user_data() -> None:
    packed = base64.b64encode(gzip.compress(KEY.encode(), mtime=0)).decode()
    data = {"userData": f"#cloud-config\nwrite_files:\n- encoding: gz+b64\n  content: {packed}\n"}
    assert told("openstack:compute/instance:Instance", data) == ["plain-secret"]


@pytest.mark.parametrize(
    ("props", "expected"),
    [
        ({"protocolPort": 8883, "allowedCidrs": ["10.0.0.0/8"]}, []),
        ({"protocolPort": 443, "allowedCidrs": ["0.0.0.0/0"]}, []),
        ({"protocolPort": 22, "allowedCidrs": ["0.0.0.0/1", "128.0.0.0/1"]}, ["open-to-all"]),
        ({"protocolPort": 8086, "allowedCidrs": ["10.0.0.0/8"]}, ["store-closed"]),
        ({"protocolPort": 8883}, ["balancer-sources"]),
        ({"protocolPort": 8883, "allowedCidrs": UNKNOWN}, []),
    ],
)
def test_a_load_balancers_door(props: dict[str, Any], expected: list[str]) -> None:
    assert told(LISTENER, props) == expected


def test_a_security_group_open_in_two_halves() -> None:
    rule = {"direction": "ingress", "protocol": "tcp", "portRangeMin": 22, "portRangeMax": 22}
    assert told(RULE, {**rule, "remoteIpPrefix": "128.0.0.0/1"}) == ["open-to-all"]


@pytest.mark.parametrize(
    ("name", "rights", "expected"),
    [
        ("api-g1", [("read", "tram-1h")], []),
        ("api-g2", [("read", "tram-1h"), ("write", "tram-1h")], ["token-rights"]),
        ("api-g1", [("read", "tram"), ("read", "tram-1h")], ["token-rights"]),
        ("ingest-g1", [("read", "tram"), ("write", "tram")], []),
        ("ingest-g1", [("write", "tram"), ("write", "tram-1d")], ["token-rights"]),
        ("people-own", [("write", "tram")], []),
    ],
)
def test_a_token_with_more_than_its_role_needs(name: str, rights: list[tuple[str, str]], expected: list[str]) -> None:
    held = [{"action": action, "type": "buckets", "bucket": bucket} for action, bucket in rights]
    assert told(TOKEN, {"name": name, "permissions": held}) == expected


def rules_of(options: StackOptions) -> set[str]:
    return {one.rule for one in check_plan(build_plan(fleet(2), options, date(2026, 6, 1)), options)}


def test_the_operator_token_over_a_network_and_a_digest_with_another_name() -> None:
    cluster = dict.fromkeys(("mosquitto", "influxdb"), f"elsewhere/x@sha256:{'a' * 64}")
    options = StackOptions(stage="dev", target="kubernetes", influx=InfluxOptions(url="http://10.0.0.5:8086"),
                      kubernetes=KubernetesOptions(image_digests=cluster, registry="registry.example"))  # fmt: skip
    assert "store-tls" in rules_of(options)
    found = check_plan(build_plan(fleet(2), options, date(2026, 6, 1)), options)
    assert "image mosquitto" in {one.where for one in found if one.rule == "image-digest"}
