"""Checks the inputs of the plan's resources before the first is registered, so that all faults are reported at once.

It queries no server. What only a run can know, as whether an authority already exists, is the resource's own check.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from infra.providers import influx, pki
from infra.resource_specs import authority_spec, resource_specs
from telemetry.errors import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from infra.config.options import StackOptions
    from infra.plan import StackPlan
    from infra.providers.resource_kind import ResourceKind, ResourceSpec

OPTION_OF_INPUT: Mapping[tuple[str, str], str] = {
    ("influx.organisation", "name"): "influx.org",
    ("influx.bucket", "name"): "influx.bucket",
    ("influx.remote", "url"): "national.url",
    ("influx.replication", "max_queue_bytes"): "national.queueBytes",
    ("pki.authority", "not_after"): "pki.rootCertificate",
    ("pki.authority", "root_certificate"): "pki.rootCertificate",
    ("pki.authority", "root_key"): "rootKey",
    ("pki.authority", "self_rooted"): "pki.rootCertificate",
}
"""Kind and input → the key of the stack file that it comes from."""
LATER_INPUTS = frozenset({("influx.remote", "token")})
"""Required inputs that the plan does not contain, because they are secrets."""


def find_input_faults(plan: StackPlan, options: StackOptions, root: Mapping[str, object], file: str) -> Iterator[Fault]:
    """Yield what the resources' own checks will refuse; `root` has the operator's root certificate, perhaps its key."""
    authorities = [authority_spec(planned, plan.stage, root) for planned in plan.pki.authorities]
    seen: set[tuple[str, str]] = set()
    client = influx.InfluxClient(options.influx.url, "")
    for spec in (*resource_specs(plan, options), *authorities):
        for name, reason in _spec_faults(spec, client):
            key = OPTION_OF_INPUT.get((spec.kind, name), f"{spec.name}.{name}")
            if (key, reason) not in seen:
                problem, _, remedy = reason.partition("; ")
                yield Fault(file, 0, f"motcua:{key}", problem, remedy)
            seen.add((key, reason))


def root_certificate(options: StackOptions, root: Path) -> str:
    """Return the province's own root as PEM, from its file or from the option itself; empty when there is none."""
    certificate = options.pki.root_certificate
    if not certificate or certificate.startswith("-----BEGIN"):
        return certificate
    return (root / certificate).read_text(encoding="ascii", errors="replace")


def _spec_faults(spec: ResourceSpec, client: influx.InfluxClient) -> Iterator[tuple[str, str]]:
    """Yield input and reason of every fault of one resource; `client` is never used."""
    family, _, name = spec.kind.partition(".")
    kind: ResourceKind = pki.KINDS[name]() if family == "pki" else influx.KINDS[name](client)
    _, faults = kind.check({}, spec.inputs)
    for fault in faults:
        # The root's key is needed only in the run that creates the authority, which the stack's state decides.
        is_later = (spec.kind, fault.field) in LATER_INPUTS or (
            fault.field == "root_key" and "root_key" not in spec.inputs
        )
        if not is_later:
            yield fault.field, fault.reason
