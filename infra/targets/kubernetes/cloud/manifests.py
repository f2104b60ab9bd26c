"""Cloud plan and options → every object of the ground and of the hosted systems. Pure: no clock, files or Pulumi.

Two sets for two stacks: the ground must be there before the hosted systems.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from infra.targets.kubernetes.cloud.databases import database_faults, database_images, database_manifests
from infra.targets.kubernetes.cloud.encryption import authority_faults, component_certificates
from infra.targets.kubernetes.cloud.exposure import exposure_faults, exposure_manifests
from infra.targets.kubernetes.cloud.ground import ground_faults, ground_objects
from infra.targets.kubernetes.cloud.network import network_manifests
from infra.targets.kubernetes.cloud.objects import HostedSpec, with_exceptions
from infra.targets.kubernetes.cloud.own_system import own_manifests, with_live_data
from infra.targets.kubernetes.cloud.secrets import caller_secrets
from infra.targets.kubernetes.cloud.stores import copy_schedules, store_faults, store_manifests
from infra.targets.kubernetes.cloud.tenancy import tenancy_manifests
from infra.targets.kubernetes.cloud.vantage import agent_faults, vantage_manifests
from infra.targets.kubernetes.cloud.workloads import workload_manifests
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from infra.config.options import StackOptions
    from infra.plan.cloud.values import CloudPlan, SystemPlan, ZonePlan
    from infra.targets.kubernetes.cloud.objects import OwnSystem
    from infra.targets.kubernetes.objects import Manifest

_DIGEST_PATTERN = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}@)?sha256:[0-9a-f]{64}")
_VERSION_PATTERN = re.compile(r"[0-9][A-Za-z0-9_.-]*@")
"""A tag by which the operator of databases knows the version of PostgreSQL."""
_IMAGELESS_KINDS = ("objects",)


def ground_manifests(plan: CloudPlan, options: StackOptions) -> tuple[Manifest, ...]:
    """Return the objects of the ground, namespaces first."""
    return ground_objects(HostedSpec(with_exceptions(plan), options))


def hosted_manifests(plan: CloudPlan, options: StackOptions, own: OwnSystem | None = None) -> tuple[Manifest, ...]:
    """Return the objects of all systems of the stack, in order of the systems, each with its namespaces first.

    The system that is `own` gets what Motcua needs in place of workloads that know nothing of it.

    Raises ConfigError naming everything that no cluster could run.
    """
    spec = HostedSpec(with_exceptions(plan), options, own)
    faults = hosted_faults(spec)
    if faults:
        raise ConfigError(sorted(faults))
    return tuple(manifest for system in spec.systems for manifest in system_manifests(spec, system))


def agent_manifests(plan: CloudPlan, options: StackOptions, agents: Mapping[str, str]) -> tuple[Manifest, ...]:
    """Return the objects of the agents inside the cloud; `agents`: device → its agent.toml.

    Raises ConfigError naming everything that no cluster could run, of the systems too.
    """
    spec = HostedSpec(with_exceptions(plan), options)
    faults = {*agent_faults(spec), *hosted_faults(spec)} if agents else set()
    if faults:
        raise ConfigError(sorted(faults))
    return vantage_manifests(spec, agents)


def system_manifests(spec: HostedSpec, system: SystemPlan) -> tuple[Manifest, ...]:
    """Return the objects of one system: tenancy of all zones, then what runs in them. Raises as `hosted_manifests`."""
    return (
        *(manifest for zone in system.zones for manifest in tenancy_manifests(spec, system, zone)),
        *(
            manifest
            for zone in system.zones
            for manifest in (
                *network_manifests(spec, zone),
                *component_certificates(spec, zone),
                *caller_secrets(spec, zone),
                *database_manifests(spec, system, zone),
                *store_manifests(spec, system, zone),
                *_running_manifests(spec, system, zone),
            )
        ),
        *copy_schedules(spec, system),
    )


def _running_manifests(spec: HostedSpec, system: SystemPlan, zone: ZonePlan) -> tuple[Manifest, ...]:
    """Return the workloads of a zone, and how people and partners reach them."""
    exposure = exposure_manifests(spec, system, zone)
    if spec.own and spec.own.id == system.id:
        return (*own_manifests(spec, spec.own, system, zone), *with_live_data(exposure))
    return (*workload_manifests(spec, system, zone), *exposure)


def hosted_faults(spec: HostedSpec) -> list[Fault]:
    """Return a fault for everything that no cluster could run: promises, images, networks, queues, hosts."""
    faults = [*ground_faults(spec), *_digest_faults(spec), *authority_faults(spec)]
    for system in spec.systems:
        faults += [*store_faults(spec, system), *exposure_faults(spec, system), *database_faults(system)]
        faults += [fault for zone in system.zones for fault in _network_faults(spec, zone)]
    return sorted(set(faults))


def _network_faults(spec: HostedSpec, zone: ZonePlan) -> list[Fault]:
    try:
        network_manifests(spec, zone)
    except ConfigError as error:
        return list(error.faults)
    return []


def _digest_faults(spec: HostedSpec) -> Iterator[Fault]:
    """Yield a fault for each image without a digest, and each value that is none."""
    digests = spec.options.cloud.image_digests
    wanted = {
        component.declared.image: component.declared.path
        for system in spec.systems
        for component in reversed(system.components)
        if component.declared.kind not in _IMAGELESS_KINDS
    }
    versioned = database_images(spec.plan)
    for image, path in sorted(wanted.items()):
        if image not in digests:
            version = "17.6@" if image in versioned else ""
            problem, remedy = f"{path}: image {image!r} has no digest", f"add `{image}: {version}sha256:…`"
            yield Fault("stack configuration", 0, "motcua:cloud.imageDigests", problem, remedy)
    yield from _version_faults(spec)
    for image, digest in sorted(digests.items()):
        if not _DIGEST_PATTERN.fullmatch(digest):
            problem, remedy = (
                f"{image}: {digest!r} is not a digest",
                "write sha256: and 64 hex digits, with TAG@ before them or alone",
            )
            yield Fault("stack configuration", 0, "motcua:cloud.imageDigests", problem, remedy)


def _version_faults(spec: HostedSpec) -> Iterator[Fault]:
    """Yield a fault for each image of a database without a version: its operator refuses a digest alone."""
    digests = spec.options.cloud.image_digests
    for image, path in sorted(database_images(spec.plan).items()):
        if image in digests and not _VERSION_PATTERN.match(digests[image]):
            problem = f"{path}: image {image!r} has no version, and CloudNativePG refuses a digest alone"
            remedy = f"write `{image}: 17.6@sha256:…` with the tag of that image"
            yield Fault("stack configuration", 0, "motcua:cloud.imageDigests", problem, remedy)
