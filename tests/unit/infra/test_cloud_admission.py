"""Says that every rule that single objects can break has its admission policy, and every check its bad object."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import date

import pytest

from infra.policy.cloud.admission import admission_objects, platform_namespaces
from infra.policy.cloud.admission_checks import admission_policies
from infra.policy.cloud.catalogue import CLOUD_RULES
from infra.policy.cloud.exceptions import exception_label
from infra.policy.cloud.manifests import KnownExceptions, check_hosted_manifest
from telemetry.core.cloud.values import PolicyException
from tests.cloud_admission_examples import AT_LEVEL_2, EXAMPLES, EXCEPTED_EXAMPLES, AdmissionExample, excepted
from tests.cloud_examples import ONESTOP, TODAY, base_declaration
from tests.hosted_objects import hosted_objects

OBJECTS = admission_objects(base_declaration(), "prod", "vn83")
POLICIES = [one for one in OBJECTS if one["kind"] == "ValidatingAdmissionPolicy"]
EXCEPTION_POLICY = ("ValidatingAdmissionPolicy", "motcua-exception-dated")
BINDINGS = {one["metadata"]["name"]: one["spec"] for one in OBJECTS if one["kind"].endswith("Binding")}


def messages(rule: str) -> list[str]:
    (policy,) = [one for one in POLICIES if one["metadata"]["name"] == f"motcua-{rule}"]
    return [check["message"] for check in policy["spec"]["validations"]]


def level_values(name: str) -> list[str]:
    values: list[str] = BINDINGS[name]["matchResources"]["namespaceSelector"]["matchExpressions"][0]["values"]
    return values


def test_each_rule_of_single_objects_has_one_policy_and_a_binding() -> None:
    names = [one["metadata"]["name"] for one in POLICIES]
    assert sorted(names) == sorted(f"motcua-{rule}" for rule, one in CLOUD_RULES.items() if one.admission)
    assert {binding["policyName"] for binding in BINDINGS.values()} == set(names)
    assert {tuple(binding["validationActions"]) for binding in BINDINGS.values()} == {("Deny",)}


def test_each_check_has_a_bad_object_of_its_own_problem() -> None:
    for policy in admission_policies("prod", ()):
        for check in policy.checks:
            assert [one for one in EXAMPLES if one.rule == policy.rule and one.problem in check.problem], check.problem


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_an_example_names_one_check_and_its_objects_differ(example: AdmissionExample) -> None:
    assert sum(example.problem in message for message in messages(example.rule)) == 1
    assert example.good != example.bad
    assert example.good["kind"] == example.bad["kind"]


def test_each_kind_of_an_example_is_one_that_its_policy_looks_at() -> None:
    for example in EXAMPLES:
        (policy,) = [one for one in POLICIES if one["metadata"]["name"] == f"motcua-{example.rule}"]
        group = example.bad["apiVersion"].rpartition("/")[0]
        resources = {
            resource
            for rule in policy["spec"]["matchConstraints"]["resourceRules"]
            if group in rule["apiGroups"]
            for resource in rule["resources"]
        }
        kind = example.bad["kind"].lower()
        assert resources & {f"{kind}s", f"{kind.removesuffix('y')}ies", f"{kind}es"}, (example, resources)


def test_policies_are_bound_from_the_level_of_their_rule_and_for_personal_data() -> None:
    assert level_values("motcua-replicas") == ["3", "4"]
    assert level_values("motcua-pod-hardened") == ["1", "2", "3", "4"]
    personal = BINDINGS["motcua-tls-personal"]["matchResources"]["namespaceSelector"]["matchExpressions"]
    assert personal == [
        {"key": "motcua.org/level", "operator": "NotIn", "values": ["3", "4"]},
        {"key": "motcua.org/data", "operator": "In", "values": ["personal", "secret", "sensitive"]},
    ]
    assert {name for name in BINDINGS if name.endswith("-edge")} == {
        "motcua-tls-edge", "motcua-exception-dated-edge",
    }  # fmt: skip


def test_an_excepted_object_is_outside_the_binding_of_its_rule_only() -> None:
    for example in EXCEPTED_EXAMPLES:
        (selector,) = BINDINGS[f"motcua-{example.rule}"]["matchResources"]["objectSelector"]["matchExpressions"]
        assert selector["operator"] == "DoesNotExist"
        assert selector["key"] in excepted(example)["metadata"]["labels"]
        assert selector["key"] not in example.bad["metadata"].get("labels", {})


def test_nothing_is_outside_the_binding_of_the_rule_about_exceptions() -> None:
    for name in ("motcua-exception-dated", "motcua-exception-dated-edge"):
        assert "objectSelector" not in BINDINGS[name]["matchResources"]
    assert level_values("motcua-exception-dated") == ["1", "2", "3", "4"]


def test_the_rule_about_exceptions_looks_at_every_resource_of_the_others() -> None:
    policies = {one.rule: one for one in admission_policies("prod", ())}
    own = policies.pop("exception-dated").resources
    for policy in policies.values():
        for group, names in policy.resources.items():
            assert set(names) <= set(own[group]), policy.rule


def test_the_policy_of_the_ground_knows_the_declared_exceptions_that_hold() -> None:
    exceptions = (
        PolicyException("pod-hardened", f"{ONESTOP}/web", "the vendor's image", "vn83-dit", date(2027, 1, 31)),
        PolicyException("replicas", ONESTOP, "moves", "vn83-dit", date(2027, 2, 28)),
        PolicyException("tls", f"{ONESTOP}/app", "too long", "vn83-dit", date(2028, 1, 1)),
        PolicyException("tls", f"{ONESTOP}/app", "ended", "vn83-dit", date(2026, 11, 1)),
    )
    objects = hosted_objects(replace(base_declaration(), exceptions=exceptions))
    (policy,) = [one for one in objects.ground if (one["kind"], one["metadata"]["name"]) == EXCEPTION_POLICY]
    (text,) = [one["expression"] for one in policy["spec"]["variables"] if one["name"] == "declared"]
    declared = set(ast.literal_eval(text))
    places = [f"{ONESTOP}-{zone}" for zone in ("dmz", "server", "database", "database-drill")]
    assert declared == {
        f"pod-hardened.2027-01-31.{ONESTOP}-dmz.web", f"pod-hardened.2027-01-31.{ONESTOP}-dmz._namespace",
        *(f"replicas.2027-02-28.{place}" for place in places),
        *(f"replicas.2027-02-28.{place}._namespace" for place in places),
        *(f"replicas.2027-02-28.{place}.{one}" for place, one in zip(places, ("web", "app", "db", "db"), strict=True)),
    }  # fmt: skip
    known = KnownExceptions(TODAY, declared)
    assert [str(one) for obj in (*objects.ground, *objects.hosted) for one in check_hosted_manifest(obj, known)] == []
    labelled = [one for one in objects.hosted if exception_label("replicas") in one["metadata"]["labels"]]
    assert len(labelled) > 10


def test_a_message_names_its_rule_and_clause() -> None:
    assert messages("replicas")[0] == ("replicas: a component has at least two instances (TCVN 14423:2026 5.12.2.2 a)")
    assert messages("egress-closed")[2].endswith("(TCVN 14423:2026 6.12.2.4 c, 6.12.2.4 g)")


def test_outside_stage_prod_a_tag_is_enough_and_nothing_else_changes() -> None:
    dev = admission_objects(base_declaration(), "dev", "vn83")
    changed = [one["metadata"]["name"] for one, other in zip(OBJECTS, dev, strict=True) if one != other]
    assert changed == ["motcua-image-pinned"]


def test_systems_are_reached_from_the_namespaces_of_the_platform() -> None:
    assert platform_namespaces(base_declaration(), "vn83") == (
        "cnpg-system", "envoy-gateway-system", "kube-system", "platform-identity", "platform-logs",
        "platform-metrics", "platform-secrets", "vn83-cloud-dmz1", "vn83-cloud-manage1", "vn83-cloud-server1",
    )  # fmt: skip
    assert AT_LEVEL_2
