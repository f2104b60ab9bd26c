"""Admission policies in tests: a small one of an expression, its binding, and the wait until one acts."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from tests.kube_server import READY_S, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

Json = dict[str, Any]
VERSION = "admissionregistration.k8s.io/v1"


def policy_of(name: str, expression: str, message: str, on_failure: str = "Fail") -> Json:
    """Return a policy about Deployments."""
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE"],
            "resources": ["deployments"]}  # fmt: skip
    spec = {
        "failurePolicy": on_failure,
        "matchConstraints": {"resourceRules": [rule]},
        "validations": [{"expression": expression, "message": message}],
    }
    return {"apiVersion": VERSION, "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name}, "spec": spec}


def binding_of(policy: Json, **labels: str) -> Json:
    """Return the binding of a policy to namespaces with labels."""
    name = policy["metadata"]["name"]
    wanted = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    spec = {
        "policyName": name,
        "validationActions": ["Deny"],
        "matchResources": {"namespaceSelector": {"matchLabels": wanted}},
    }
    return {"apiVersion": VERSION, "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name}, "spec": spec}


def until_refused(attempt: Callable[[], object], undo: Callable[[], object] = lambda: None) -> Refused:
    """Repeat an attempt until the server refuses it, and undo each that it still accepted; returns the refusal.

    Policies, bindings, labels of namespaces and quotas reach admission by watches, a moment after they are stored.
    """
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline:
        try:
            attempt()
        except Refused as refused:
            return refused
        undo()
        time.sleep(0.05)
    raise AssertionError(f"accepted for {READY_S:g} s")


def until_admitted(attempt: Callable[[], object]) -> None:
    """Repeat an attempt until the server admits it."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            attempt()
        except Refused:
            assert time.monotonic() < deadline, f"refused for {READY_S:g} s"
            time.sleep(0.05)
        else:
            return


def refusal_of(attempt: Callable[[], object]) -> str:
    """Return the server's words when it refuses an attempt, nothing when it admits it."""
    try:
        attempt()
    except Refused as refused:
        return refused.message
    return ""
