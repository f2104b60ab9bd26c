"""Says what each rule over a plan, over texts and over Kubernetes objects finds, and that a good one has no finding."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings

from infra.config.options import (
    DeploymentTarget,
    InfluxOptions,
    KubernetesOptions,
    NationalOptions,
    OpenstackOptions,
    PkiOptions,
    StackOptions,
)
from infra.config.stack_file import load_options
from infra.plan import build_plan
from infra.plan.values import (
    BrokerListener,
    BrokerUser,
    BucketPermission,
    BucketPlan,
    DeviceAccess,
    NetworkFlow,
    TokenPlan,
)
from infra.policy import rules
from infra.policy.catalogue import RULES, new_finding
from infra.policy.manifests import UNKNOWN, check_manifests
from infra.policy.secret_scan import find_leaks
from tests.unit.inventories import fleet, inventories

if TYPE_CHECKING:
    from infra.plan import StackPlan
    from telemetry.core.inventory import Inventory

ROOT = Path(__file__).resolve().parents[3]
TODAY = date(2026, 6, 1)
DAY_S = 86_400
LOCAL = StackOptions(stage="dev", target="local")
GOOD = build_plan(fleet(3), LOCAL, TODAY)


def broken(found: StackPlan, options: StackOptions = LOCAL) -> list[str]:
    return [one.rule for one in rules.check_plan(found, options, TODAY)]


def influx(**changes: Any) -> StackPlan:  # noqa: ANN401 - fields of a plan
    return replace(GOOD, influx=replace(GOOD.influx, **changes))


def broker(**changes: Any) -> StackPlan:  # noqa: ANN401 - fields of a plan
    return replace(GOOD, broker=replace(GOOD.broker, **changes))


@settings(max_examples=30, deadline=None)
@given(inventories())
def test_plan_of_any_inventory_has_no_mandatory_finding(world: Inventory) -> None:
    assert broken(build_plan(world, LOCAL, TODAY)) == []


@pytest.mark.parametrize("path", sorted((ROOT / "infra/stacks").glob("Pulumi.*.yaml")), ids=lambda path: path.name)
def test_shipped_stacks_have_no_mandatory_finding(path: Path) -> None:
    options = load_options(path)
    found = rules.check_plan(build_plan(fleet(3), options, TODAY), options, TODAY)
    assert [one for one in found if one.severity == "mandatory"] == []


def test_every_rule_has_two_titles_and_every_finding_its_rules_weight() -> None:
    assert all(rule.title_vi and rule.title_en and rule.title_vi != rule.title_en for rule in RULES.values())
    assert new_finding("store-tls", "x", "p", "r").severity == "advisory"
    with pytest.raises(KeyError):
        new_finding("no-such-rule", "x", "p", "r")


@pytest.mark.parametrize(
    ("bind", "tls", "certificates", "anonymous", "expected"),
    [
        ("", True, True, False, []),
        ("127.0.0.1", False, False, False, []),
        ("::1", False, False, False, []),
        ("", False, True, False, ["listener-tls"]),
        ("0.0.0.0", True, False, False, ["listener-tls"]),
        ("10.1.2.3", False, False, True, ["listener-anonymous", "listener-tls"]),
        ("127.0.0.1", False, False, True, ["listener-anonymous"]),
    ],
)
def test_listener(bind: str, tls: bool, certificates: bool, anonymous: bool, expected: list[str]) -> None:
    assert broken(broker(listeners=(BrokerListener(1883, bind, tls, certificates, anonymous),))) == expected


@pytest.mark.parametrize(
    ("bucket", "expected"),
    [
        (BucketPlan("motcua", "raw", 0, DAY_S, ""), []),
        (BucketPlan("motcua", "raw", 30 * DAY_S, DAY_S, ""), []),
        (BucketPlan("motcua", "raw", 30 * DAY_S - 1, DAY_S, ""), ["retention"]),
        (BucketPlan("motcua-1d", "1d", 3650 * DAY_S, DAY_S, ""), ["retention"]),
        (BucketPlan("motcua-ops", "ops", DAY_S, DAY_S, ""), ["retention"]),
    ],
)
def test_retention(bucket: BucketPlan, expected: list[str]) -> None:
    assert broken(influx(buckets=(bucket,), tokens=())) == expected


def test_missing_and_empty_labels_are_found() -> None:
    assert broken(replace(GOOD, labels={})) == ["labels"] * len(rules.REQUIRED_LABELS)
    assert broken(replace(GOOD, labels={**GOOD.labels, "motcua.org/owner": ""})) == ["labels"]


@pytest.mark.parametrize(
    ("role", "right"),
    [
        ("api", BucketPermission("write", "motcua-1d")),
        ("api", BucketPermission("read", "motcua")),
        ("ingest", BucketPermission("write", "motcua-1h")),
        ("ingest", BucketPermission("read", "")),
        ("rollup", BucketPermission("read", "another")),
        ("grafana", BucketPermission("read", "motcua-1d")),
    ],
)
def test_token_with_a_right_too_many_is_found(role: str, right: BucketPermission) -> None:
    assert broken(influx(tokens=(TokenPlan("t", role, 1, (right,)),))) == ["token-rights"]


@pytest.mark.parametrize(
    "user",
    [
        BrokerUser("motcua-ingest-1", ("#",)),
        BrokerUser("motcua-ingest-1", ("motcua/v1/+/+/command",)),
        BrokerUser("motcua-rollup", ("motcua/v1/+/+/state",)),
        BrokerUser("motcua-monitor", (), ("#",)),
        BrokerUser("vn83-1-kiosk1", ("motcua/v1/+/+/up",)),
        BrokerUser("motcua-ingest-1x", (), ("motcua/v1/+/+/up",)),
    ],
)
def test_broker_user_with_a_topic_too_many_is_found(user: BrokerUser) -> None:
    assert broken(broker(users=(user,), devices=())) == ["broker-rights"]


@pytest.mark.parametrize("ident", ["+", "#", "a/b", "motcua-rollup"])
def test_device_that_would_reach_others_is_found(ident: str) -> None:
    assert broken(broker(devices=(DeviceAccess(ident, "c"),))) == ["broker-rights"]


def test_certificates_near_their_end_are_found_and_a_waiting_authority_is_not() -> None:
    late = rules.check_plan(GOOD, LOCAL, date(2026, 12, 20))
    assert {one.where for one in late} == {
        "certificate broker g1",
        "certificate motcua-ingest-1 g1",
        "certificate motcua-rollup g1",
        "revocation list",
    }
    assert {one.rule for one in late} == {"certificate-life"}
    assert broken(build_plan(fleet(1), LOCAL, date(2028, 6, 1))) != []
    waiting = date(2028, 3, 1)
    options = LOCAL.model_copy(update={"today": waiting})
    assert len(build_plan(fleet(1), options, waiting).pki.authorities) == 2
    assert rules.check_plan(build_plan(fleet(1), options, waiting), options) == []


def test_production_needs_its_own_root() -> None:
    bare = StackOptions(stage="prod", target="local")
    assert broken(build_plan(fleet(1), bare, TODAY), bare) == ["own-root"]
    good = StackOptions(stage="prod", target="local", pki=PkiOptions(root_certificate="root.pem"))
    assert broken(build_plan(fleet(1), good, TODAY), good) == []


def test_influxdb_open_to_the_outside_is_found() -> None:
    flow = NetworkFlow("people", "influxdb", 8086, "a shortcut")
    assert broken(replace(GOOD, flows=(flow,))) == ["store-closed"]


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:8086", []),
        ("http://localhost:8086", []),
        ("https://influx.example", []),
        ("http://10.0.0.2:8086", ["store-tls"]),
    ],
)
def test_plain_http_over_a_network_is_told(url: str, expected: list[str]) -> None:
    options = StackOptions(stage="dev", target="local", influx=InfluxOptions(url=url))
    assert broken(build_plan(fleet(1), options, TODAY), options) == expected


def test_open_networks_are_found() -> None:
    cloud = OpenstackOptions(admin_sources=("0.0.0.0/0",), device_sources=("10.0.0.0/8", "::/0"))
    options = StackOptions(stage="dev", target="openstack", openstack=cloud)
    assert broken(build_plan(fleet(1), options, TODAY), options) == ["devices-from-anywhere", "open-to-all"]


@pytest.mark.parametrize("more", [{"url": "http://n.example"}, {"allow_insecure_tls": True}])
def test_unchecked_way_to_the_national_copy_is_found(more: dict[str, Any]) -> None:
    there = NationalOptions(**{"url": "https://n.example", "org_id": "0" * 16, **more})
    options = StackOptions(stage="dev", target="local", national=there)
    assert broken(build_plan(fleet(1), options, TODAY), options) == ["upstream-tls"]


@pytest.mark.parametrize(("stage", "rule"), [("dev", "image-digest"), ("prod", "image-pinned")])
def test_images_without_a_digest_are_found(stage: str, rule: str) -> None:
    target: DeploymentTarget = "kubernetes"
    digests = {"mosquitto": "sha256:" + "a" * 64, "grafana": "latest"}
    cluster = KubernetesOptions(image_digests=digests, registry="images.province.example/motcua")
    pki = PkiOptions(root_certificate="root.pem")
    options = StackOptions.model_validate({"stage": stage, "target": target, "pki": pki, "kubernetes": cluster})
    found = rules.check_plan(build_plan(fleet(1), options, TODAY), options, TODAY)
    assert {one.rule for one in found} == {rule}
    assert "image grafana" in {one.where for one in found}
    assert "image mosquitto" not in {one.where for one in found}


def test_nobody_is_advised_to_pin_an_image_before_a_registry_is_named() -> None:
    options = StackOptions(stage="stage", target="kubernetes")
    assert rules.check_plan(build_plan(fleet(1), options, TODAY), options, TODAY) == []
    prod = StackOptions(stage="prod", target="kubernetes", pki=PkiOptions(root_certificate="root.pem"))
    assert {one.rule for one in rules.check_plan(build_plan(fleet(1), prod, TODAY), prod, TODAY)} == {"image-pinned"}


# --- texts --------------------------------------------------------------------------------------

TOKEN = "a" * 40 + "-_" + "B" * 44 + "=="


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-----BEGIN PRIVATE KEY-----\nMII", "a private key"),
        ("x\n  -----BEGIN EC PRIVATE KEY-----", "a private key"),
        (f"token: {TOKEN}", "an InfluxDB token"),
        (f"url=http://h/?t={TOKEN} ", "an InfluxDB token"),
        ("store = 'mqtt://me:hunter22@broker:1883'", "a password in an address"),
        ("Authorization: Token abcdef1234567890", "an Authorization header"),
        ("MOTCUA_STORE_TOKEN=abcdefgh", "a value for a secret"),
        ('  "password": "hunter22"', "a value for a secret"),
    ],
)
def test_secret_in_a_text_is_found_and_not_shown(text: str, what: str) -> None:
    found = find_leaks({"a.conf": text})
    assert f"holds {what}" in [one.problem for one in found]
    assert not any(TOKEN in str(one) or "hunter22" in str(one) for one in found)


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN CERTIFICATE-----",
        "MOTCUA_STORE_TOKEN=${TOKEN}",
        "password_file /etc/mosquitto/passwords",
        "token: /run/secrets/token",
        "secretName: motcua-tokens",
        "  secret:\n    secretName: x",
        "# the token: read it from a file",
        "image: x@sha256:" + "a" * 64,
        "allow_anonymous false",
        "mqtts://broker.example:8883",
        "http://${USER}:${PASSWORD}@host",
    ],
)
def test_references_are_no_secrets(text: str) -> None:
    assert find_leaks({"a.conf": text}) == []


def test_planted_values_are_found_anywhere_and_the_line_is_told() -> None:
    found = find_leaks(
        {"a": "fine", "b": "x\ny planted-1 z", "c": "one\n-----BEGIN RSA PRIVATE KEY-----"}, ["planted-1", ""]
    )
    assert [(one.where, one.rule) for one in found] == [("b", "plain-secret"), ("c:2", "plain-secret")]
    assert "planted-1" not in str(found)


# --- Kubernetes objects -------------------------------------------------------------------------

POD: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "containers": [
        {
            "name": "api",
            "image": "registry.example/motcua@sha256:" + "a" * 64,
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "resources": {"limits": {"memory": "1Gi"}},
            "env": [
                {"name": "MOTCUA_STORE_TOKEN", "valueFrom": {"secretKeyRef": {"name": "tokens", "key": "api"}}},
                {"name": "MOTCUA_STORE_TOKEN_FILE", "value": "x"},
                {"name": "KEY", "value": "/run/key"},
            ],
        }
    ],
}
META = {"name": "api", "labels": {"app.kubernetes.io/part-of": "motcua"}}


def deployment(pod: dict[str, Any] = POD, **labels: str) -> dict[str, Any]:
    meta = {**META, "labels": {**META["labels"], **labels}}  # type: ignore[dict-item]
    return {"kind": "Deployment", "metadata": meta, "spec": {"template": {"spec": pod}}}


def pod(change: dict[str, Any], container: dict[str, Any] | None = None) -> dict[str, Any]:
    made = {**deepcopy(POD), **change}
    made["containers"][0] |= container or {}
    return made


def told(one: dict[str, Any]) -> list[str]:
    return [found.rule for found in check_manifests([one])]


def test_hardened_pod_has_no_finding_wherever_it_stands() -> None:
    cron = {"kind": "CronJob", "metadata": META, "spec": {"jobTemplate": {"spec": {"template": {"spec": POD}}}}}
    assert check_manifests([deployment(), cron, {"kind": "Pod", "metadata": META, "spec": POD}]) == []


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (pod({"hostNetwork": True}), 1),
        (pod({"automountServiceAccountToken": None}), 1),
        (pod({"volumes": [{"name": "x", "hostPath": {"path": "/"}}]}), 1),
        (pod({"securityContext": {}}), 2),
        (pod({}, {"securityContext": {"privileged": True}}), 4),
        (pod({}, {"resources": {}}), 1),
        (pod({"securityContext": {"runAsNonRoot": True, "runAsUser": 0, "seccompProfile": {"type": "Localhost"}}}), 1),
        (pod({"initContainers": [{"name": "i", "image": "x@sha256:" + "b" * 64}]}), 4),
    ],
)
def test_soft_pods_are_found(made: dict[str, Any], count: int) -> None:
    assert told(deployment(made)) == ["pod-hardened"] * count


@pytest.mark.parametrize(
    ("image", "stage", "expected"),
    [
        ("motcua", "dev", ["image-pinned"]),
        ("host:5000/motcua:latest", "dev", ["image-pinned"]),
        ("motcua:1.2", "dev", ["image-digest"]),
        ("motcua:1.2", "prod", ["image-pinned"]),
        (UNKNOWN, "prod", []),
    ],
)
def test_images(image: str, stage: str, expected: list[str]) -> None:
    assert told(deployment(pod({}, {"image": image}), **{"motcua.org/stage": stage})) == expected


def test_secrets_in_the_open_are_found() -> None:
    env = [{"name": "MOTCUA_STORE_TOKEN", "value": "abc"}, {"name": "X", "value": "http://a:bcdefg@h"}]
    assert told(deployment(pod({}, {"env": env}))) == ["plain-secret"] * 2
    key = {"kind": "ConfigMap", "metadata": META, "data": {"a": "-----BEGIN PRIVATE KEY-----", "b": "fine"}}
    assert told(key) == ["plain-secret"]


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"type": "ClusterIP", "ports": [{"port": 8086}]}, []),
        ({"type": "LoadBalancer", "ports": [{"port": 8883}]}, ["balancer-sources"]),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": ["10.0.0.0/8"]}, []),
        ({"type": "LoadBalancer", "loadBalancerSourceRanges": UNKNOWN}, []),
        ({"type": "NodePort", "ports": [{"port": 8086.0}]}, ["balancer-sources", "store-closed"]),
    ],
)
def test_services(spec: dict[str, Any], expected: list[str]) -> None:
    assert told({"kind": "Service", "metadata": META, "spec": spec}) == expected


def test_object_without_labels_is_found() -> None:
    assert told({"kind": "Namespace", "metadata": {"name": "n"}}) == ["labels", "pod-hardened"]
    assert told({}) == ["labels"]
