"""What the agents inside dial is there: each probed name is a Service of the cluster, asked as its component serves."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from infra.plan.own_system import KNOWN_COMPONENTS
from infra.targets.kubernetes.cloud.encryption import service_names
from telemetry.core.hosted.derived_systems import COMPONENT, derive_monitoring
from tests.own_objects import MOTCUA, SAMPLE, own_objects

if TYPE_CHECKING:
    from telemetry.core.cloud.values import CloudDeclaration, Component, FlowEnd
    from telemetry.core.inventory import System
    from tests.own_objects import OwnObjects

FORMER = {"vn83-portal": "vn83-site"}
HOST = re.compile(r"([a-z0-9.-]+\.svc):\d+")


@pytest.fixture(scope="module")
def whole() -> OwnObjects:
    return own_objects(SAMPLE.cloud)


def probed(cloud: CloudDeclaration) -> list[System]:
    declared = {one.id: one for one in SAMPLE.systems.values() if not one.part_of}
    declared |= {one.id: replace(declared[one.was[0]], id=one.id) for one in cloud.systems.values() if one.was}
    systems = derive_monitoring(replace(SAMPLE, systems=declared, cloud=cloud)).systems.values()
    return [one for one in systems if ".svc:" in one.target and one.part_of in cloud.systems]


def test_every_probed_name_is_a_service_of_the_sample(whole: OwnObjects) -> None:
    assert len(probed(whole.plan.declaration)) > 60
    assert unknown_hosts(whole, probed(whole.plan.declaration)) == set()


def test_every_database_has_a_service_of_all_instances_at_which_its_figures_are_read(whole: OwnObjects) -> None:
    services = {(f"{one['metadata']['name']}.{one['metadata']['namespace']}.svc", one["spec"]["ports"][0]["port"]): one
                for one in whole.hosted.of("Service")}  # fmt: skip
    targets = [one.figures_target.rpartition(":") for one in probed(whole.plan.declaration) if one.figures_target]
    asked = [services[host, int(port)]["spec"] for host, _, port in targets]
    assert len(asked) == len(whole.hosted.of("Cluster")) > 5
    assert all(one["clusterIP"] == "None" and one["publishNotReadyAddresses"] for one in asked)
    names = {one["metadata"]["name"] for one in whole.hosted.of("Cluster")}
    assert {one["selector"]["cnpg.io/cluster"] for one in asked} <= names


def unknown_hosts(found: OwnObjects, systems: list[System]) -> set[str]:
    names = {name for system in found.plan.systems for one in system.components for name in service_names(one)}
    objects = {f"{one['metadata']['name']}.{one['metadata']['namespace']}.svc"
               for one in found.hosted.of("Service", "RabbitmqCluster")}  # fmt: skip
    objects |= {f"{one['metadata']['name']}-rw.{one['metadata']['namespace']}.svc"
                for one in found.hosted.of("Cluster")}  # fmt: skip
    hosts = {match[1] for one in systems if (match := HOST.search(one.target))}
    return hosts - (objects & names)


def test_what_was_renamed_is_dialled_by_the_names_that_its_services_keep() -> None:
    before = own_objects(SAMPLE.cloud)
    cloud = renamed(SAMPLE.cloud)
    after = own_objects(cloud)
    assert unknown_hosts(after, probed(cloud)) == set()
    assert component_targets(cloud) == component_targets(SAMPLE.cloud)
    assert after.hosted.names("Service") == before.hosted.names("Service")


def component_targets(cloud: CloudDeclaration) -> list[str]:
    return sorted(one.target for one in probed(cloud) if one.kind == COMPONENT)


def renamed(cloud: CloudDeclaration) -> CloudDeclaration:
    """Return the declaration with other ids for a system and all components but Motcua's; `cloud.lock` stays."""

    def component(one: Component) -> Component:
        if one.system == MOTCUA:
            return one
        return replace(one, system=FORMER.get(one.system, one.system), id=f"{one.id}x", was=(one.id,))

    def end(one: FlowEnd) -> FlowEnd:
        if one.kind != "component" or one.system == MOTCUA:
            return one
        return replace(one, system=FORMER.get(one.system, one.system), name=f"{one.name}x")

    systems = {
        FORMER.get(ident, ident): replace(one, id=FORMER[ident], was=(ident,)) if ident in FORMER else one
        for ident, one in cloud.systems.items()
    }
    flows = tuple(replace(one, source=end(one.source), target=end(one.target)) for one in cloud.flows)
    return replace(cloud, systems=systems, components=tuple(map(component, cloud.components)), flows=flows)


ENCRYPTED = {"influxdb", "prometheus", "alertmanager"}
"""Motcua's parts that serve TLS by a certificate of the authority inside, as the sample declares."""


def test_motcuas_parts_are_asked_as_they_serve(whole: OwnObjects) -> None:
    """The agents inside would show every part of Motcua as down if a flow said TLS and the part served none."""
    own = [one for one in probed(whole.plan.declaration) if one.part_of == MOTCUA]
    parts = {one.part: one for one in own if one.kind == COMPONENT}
    served = {ident for ident, known in KNOWN_COMPONENTS.items() if known.port_name}
    assert parts.keys() == served
    schemes = {part: one.target.partition("://")[0] for part, one in parts.items() if one.probe == "http"}
    encrypted = {part for part, scheme in schemes.items() if scheme == "https"}
    assert encrypted == ENCRYPTED
    assert schemes.keys() == served - {"mqtt", "broker"}
    containers = {
        one["metadata"]["name"]: one["spec"]["template"]["spec"]["containers"][0]
        for one in whole.hosted.of("Deployment", "StatefulSet")
        if one["metadata"]["labels"]["motcua.org/system"] == MOTCUA
    }
    for part, scheme in schemes.items():
        asked = containers[part]["readinessProbe"]["httpGet"]
        assert asked.get("scheme", "HTTP").lower() == scheme, "the hosts ask by the same scheme"


def test_only_what_serves_tls_has_it_in_the_plan(whole: OwnObjects) -> None:
    """Dossier and pages of connections read the plan."""
    own = [one for one in whole.plan.connections if one.target.system == MOTCUA and one.origin != "platform"]
    assert len(own) > 15
    assert {one.target.name for one in own if one.tls} == ENCRYPTED | {"mqtt", "broker"}
    assert not {one.target.name for one in own if not one.tls} & (ENCRYPTED | {"mqtt", "broker"})
