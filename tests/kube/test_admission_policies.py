"""Each admission policy on a real API server: it refuses its bad object in its own words, and admits the good one.

The type check of expressions is a controller's work, so only objects show that one names a field wrongly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from infra.policy.cloud.admission import admission_objects
from tests.cloud_admission_examples import (
    AT_LEVEL_2,
    CLAIM,
    EXAMPLES,
    EXCEPTED_EXAMPLES,
    EXCEPTION_KEYS,
    NAMESPACES,
    UNTIL,
    AdmissionExample,
    edited,
    excepted,
    namespace,
)
from tests.cloud_examples import base_declaration
from tests.kube.policies import refusal_of, until_admitted, until_refused
from tests.kube.rollouts import RollOut, changed, key_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.kube.objects import Json
    from tests.kube_server import KubeServer

pytestmark = pytest.mark.kube
EXCEPTION_POLICY = ("ValidatingAdmissionPolicy", "", "motcua-exception-dated")
RAISED = "vn83-raised-database"
POLICIES = admission_objects(base_declaration(), "prod", "vn83", EXCEPTION_KEYS | {f"system-apart.{UNTIL}.{RAISED}"})


@pytest.fixture(scope="module")
def rolled(cluster: KubeServer) -> Iterator[RollOut]:
    """Return the policies on the server, which end with this module: other tests' namespaces have levels, too."""
    found = RollOut(cluster, (*NAMESPACES, *POLICIES))
    cluster.define_kinds(example.good for example in EXAMPLES)
    found.apply()
    yield found
    found.delete(POLICIES)


def test_the_policies_are_accepted_and_a_second_apply_changes_nothing(rolled: RollOut) -> None:
    before = rolled.read()
    assert changed(before, rolled.apply()) == set()


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_the_bad_object_is_refused_for_its_own_reason_and_the_good_one_admitted(
    rolled: RollOut, example: AdmissionExample
) -> None:
    refused = until_refused(lambda: rolled.server.apply(example.bad, dry_run=True))
    assert f"motcua-{example.rule}" in refused.message
    assert example.problem in refused.message
    rolled.server.apply(example.good, dry_run=True)


@pytest.mark.parametrize("example", EXCEPTED_EXAMPLES, ids=str)
def test_a_dated_exception_admits_the_object_that_its_rule_refuses(rolled: RollOut, example: AdmissionExample) -> None:
    until_refused(lambda: rolled.server.apply(example.bad, dry_run=True))
    refusal = refusal_of(lambda: rolled.server.apply(excepted(example), dry_run=True, warnings=True))
    # An object may break another rule, too: that one still refuses it.
    assert f"motcua-{example.rule}'" not in refusal
    assert not refusal or "ValidatingAdmissionPolicy" in refusal


@pytest.mark.parametrize("one", AT_LEVEL_2, ids=lambda one: " ".join(key_of(one)))
def test_a_rule_of_level_3_refuses_nothing_at_level_2(rolled: RollOut, one: Json) -> None:
    rolled.server.apply(one, dry_run=True, warnings=True)  # the API warns of external addresses of a Service itself


def test_without_its_binding_a_policy_refuses_nothing(rolled: RollOut) -> None:
    """So it is the policy, and nothing else, that refused the object before."""
    example = next(one for one in EXAMPLES if one.problem == "two instances")
    until_refused(lambda: rolled.server.apply(example.bad, dry_run=True))
    (binding,) = [one for one in POLICIES if one["kind"].endswith("Binding")
                  and one["metadata"]["name"] == f"motcua-{example.rule}"]  # fmt: skip
    rolled.server.delete(binding)
    try:
        until_admitted(lambda: rolled.server.apply(example.bad, dry_run=True))
    finally:
        rolled.server.apply(binding)


def test_what_an_ended_exception_allowed_goes_on_to_run_and_is_not_edited(rolled: RollOut) -> None:
    """A database's operator labels its volumes at a failover: the end of a paper must not stop it."""
    server = rolled.server
    running = excepted(next(one for one in EXAMPLES if one.problem == "two instances"))
    running = edited(running, "metadata.name", "ended")
    until_admitted(lambda: server.apply(running))
    (declared,) = [one for one in POLICIES if key_of(one) == EXCEPTION_POLICY]
    after = admission_objects(
        base_declaration(), "prod", "vn83", [key for key in EXCEPTION_KEYS if "replicas." not in key]
    )
    server.apply(next(one for one in after if key_of(one) == EXCEPTION_POLICY))
    try:
        anew = edited(running, "metadata.name", "ended-anew")
        refused = until_refused(lambda: server.apply(anew, dry_run=True))
        assert "an exception that nobody declared" in refused.message
        labels = {**running["metadata"]["labels"], "example/role": "primary"}
        server.apply(edited(running, "metadata.labels", labels), dry_run=True)
        longer = edited(running, "spec.minReadySeconds", 5)
        assert "nobody declared" in refusal_of(lambda: server.apply(longer, dry_run=True))
    finally:
        server.apply(declared)
        until_admitted(lambda: server.apply(anew, dry_run=True))


def test_a_volume_of_the_former_class_needs_its_exception_before_the_level_rises(rolled: RollOut) -> None:
    """The selector of a binding matches when the old or the new object does: later, even the label is refused."""
    server, place = rolled.server, RAISED
    server.apply(namespace(place, 2, "vn83-raised"))
    former = edited(edited(CLAIM, "metadata.namespace", place), "spec.storageClassName", "standard")
    labels = {"motcua.org/exception-system-apart": UNTIL}
    excepted_claim = edited(edited(former, "metadata.name", "excepted"), "metadata.labels", labels)
    for claim in (former, excepted_claim):
        server.apply(claim)
    server.apply(namespace(place, 3, "vn83-raised"))

    relabelled = edited(former, "metadata.labels", {"example/role": "primary"})
    assert "motcua-system-apart" in until_refused(lambda: server.apply(relabelled, dry_run=True)).message
    late = edited(former, "metadata.labels", labels)
    assert "motcua-system-apart" in refusal_of(lambda: server.apply(late, dry_run=True))
    server.apply(edited(excepted_claim, "metadata.labels", labels | {"example/role": "primary"}), dry_run=True)
