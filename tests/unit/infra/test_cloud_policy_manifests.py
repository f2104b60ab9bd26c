"""Says that the policy pack finds in an object what the admission policy of the same rule refuses, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from infra.policy.cloud.exceptions import exception_label
from infra.policy.cloud.manifests import HOSTED_RULE_IDS, KnownExceptions, check_hosted_manifest
from infra.policy.manifests import UNKNOWN
from infra.policy.resources import resource_violations
from telemetry.core.cloud.values import PolicyException
from tests.cloud_admission_examples import (
    BACKEND,
    CLUSTER,
    DEPLOYMENT,
    EDGE,
    ENDED,
    EXAMPLES,
    EXCEPTION_KEYS,
    FLOW_IN,
    LEVEL_4,
    SERVICE,
    TODAY as EXAMPLES_TODAY,
    UNTIL,
    AdmissionExample,
    edited,
)
from tests.cloud_examples import ONESTOP, base_declaration, with_components
from tests.hosted_objects import hosted_objects

Json = dict[str, Any]
CLUSTER_ONLY = {"proxy only"}
"""What only the cluster knows: the zone's labels are not those of the object."""


def labelled(obj: Json, **labels: str) -> Json:
    """Return an object with the labels that the program gives it in its namespace."""
    meta = obj["metadata"]
    own = {"motcua.org/level": "4" if meta.get("namespace") == LEVEL_4 else "3", "motcua.org/data": "personal"}
    own |= {"motcua.org/system": "vn83-onestop"}
    if meta.get("namespace") == EDGE:
        own = {"motcua.org/zone": "edge"}
    return {**obj, "metadata": {**meta, "labels": {**meta.get("labels", {}), **own, **labels}}}


def rules(obj: Json) -> set[str]:
    return {finding.rule for finding in check_hosted_manifest(obj, KnownExceptions(EXAMPLES_TODAY, EXCEPTION_KEYS))}


def pack_rules(obj: Json) -> set[str]:
    return {finding.rule for finding in resource_violations("kubernetes:apps/v1:Deployment", obj)}


PACK_EXAMPLES = [one for one in EXAMPLES if one.rule in HOSTED_RULE_IDS and one.problem not in CLUSTER_ONLY]


@pytest.mark.parametrize("example", PACK_EXAMPLES, ids=str)
def test_the_pack_agrees_with_the_admission_policy(example: AdmissionExample) -> None:
    assert example.rule not in rules(labelled(example.good))
    if example.bad["spec"].get("ingress") and example.problem == "of kind gateway":
        # A name alone does not say whose namespace it is: the cluster has a list of the platform's ones.
        hidden = "motcua.org/system" not in str(example.bad["spec"])
        assert (example.rule in rules(labelled(example.bad))) is not hidden
        return
    assert rules(labelled(example.bad)) == {example.rule}


@pytest.mark.parametrize("example", [one for one in EXAMPLES if one.rule in {"pod-hardened", "image-pinned"}], ids=str)
def test_hardening_and_images_are_checked_for_every_object_of_a_stack(example: AdmissionExample) -> None:
    if example.bad["kind"] in {"Cluster", "Namespace"}:
        return
    assert example.rule in pack_rules(labelled(example.bad))


def test_the_pack_lets_a_level_below_pass_and_an_exception() -> None:
    lone = edited(DEPLOYMENT, "spec.replicas", 1)
    assert rules(labelled(lone)) == {"replicas"}
    assert rules(labelled(lone, **{"motcua.org/level": "2"})) == set()
    assert rules(labelled(lone, **{exception_label("replicas"): UNTIL})) == set()
    assert rules(lone) == set()


def exception_findings(labels: Json, known: KnownExceptions) -> list[str]:
    return [one.problem for one in check_hosted_manifest(labelled(DEPLOYMENT, **labels), known)]


def test_an_exception_that_nobody_declared_is_a_breach_itself() -> None:
    known = KnownExceptions(EXAMPLES_TODAY, EXCEPTION_KEYS)
    declared = {exception_label("replicas"): UNTIL}
    assert exception_findings(declared, known) == []
    assert exception_findings(declared | {"motcua.org/component": "app"}, known) == [
        f"is left out of replicas until {UNTIL}, and nobody declared it"
    ]
    assert exception_findings(declared, KnownExceptions(EXAMPLES_TODAY)) == [], "who does not know declares nothing"
    assert exception_findings({exception_label("replicas"): ENDED}, known) == [
        f"was left out of replicas until {ENDED}"
    ]
    far = {exception_label("replicas"): "2999-01-01"}
    assert "is left out of replicas for" in exception_findings(far, known)[0]


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({exception_label("replicas"): "soon"}, "is left out of replicas without a last day"),
        ({exception_label("level-refused"): UNTIL}, "is left out of level-refused, which has no exceptions"),
        ({exception_label("coffee"): UNTIL}, "is left out of coffee, which has no exceptions"),
    ],
)
def test_an_exception_without_an_end_or_a_rule_is_a_breach_for_everybody(labels: Json, problem: str) -> None:
    assert exception_findings(labels, KnownExceptions()) == [problem]


def test_data_of_people_have_tls_at_every_level() -> None:
    plain = edited(CLUSTER, "spec.postgresql.parameters.ssl", "off")
    assert rules(labelled(plain, **{"motcua.org/level": "1"})) == {"tls"}
    assert rules(labelled(plain, **{"motcua.org/level": "1", "motcua.org/data": "public"})) == set()


@pytest.mark.parametrize(
    ("base", "path"),
    [
        (DEPLOYMENT, "spec.replicas"),
        (CLUSTER, "spec.instances"),
        (CLUSTER, "spec.storage.storageClass"),
        (SERVICE, "spec.type"),
        (FLOW_IN, "spec.ingress.0.from.0.namespaceSelector"),
        (BACKEND, "spec.validation"),
        (DEPLOYMENT, "metadata.labels.motcua.org/exception-replicas"),
    ],
)
def test_what_is_unknown_in_a_preview_is_no_breach(base: Json, path: str) -> None:
    assert rules(labelled(edited(base, path, UNKNOWN))) == set()


def test_a_finding_has_the_clause_of_the_objects_level() -> None:
    (finding,) = check_hosted_manifest(labelled(edited(CLUSTER, "spec.instances", 1)))
    assert str(finding) == (
        "mandatory replicas: Cluster db: runs 1 of 3 instances; instances: 3 (TCVN 14423:2026 5.12.2.2 a)"
    )


def test_what_the_program_renders_has_no_breach_and_keeps_its_exception() -> None:
    objects = hosted_objects(base_declaration())
    rendered = (*objects.ground, *objects.hosted)
    assert [str(one) for obj in rendered for one in check_hosted_manifest(obj)] == []
    looked_at = {
        "Deployment",
        "HorizontalPodAutoscaler",
        "Cluster",
        "NetworkPolicy",
        "Service",
        "Gateway",
        "ListenerSet",
    }
    assert {one["kind"] for one in rendered} >= looked_at
    lone = with_components(base_declaration(), f"{ONESTOP}/app", least=1, most=1)
    assert [one.rule for obj in hosted_objects(lone).hosted for one in check_hosted_manifest(obj)] == ["replicas"]
    until = PolicyException("replicas", f"{ONESTOP}/app", "moves", "vn83-dit", date(2027, 1, 31))
    excepted = hosted_objects(replace(lone, exceptions=(until,)))
    assert [one for obj in excepted.hosted for one in check_hosted_manifest(obj)] == []
    labelled_objects = {
        f"{one['kind']} {one['metadata']['name']}"
        for one in excepted.hosted
        if exception_label("replicas") in one["metadata"]["labels"]
    }
    assert "Deployment app" in labelled_objects
    assert not [name for name in labelled_objects if name.split()[1] in {"web", "db"}]
