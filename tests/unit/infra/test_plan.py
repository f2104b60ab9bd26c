"""Says what the plan promises for any inventory: names apart and valid, least rights, one shard a device, no order."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings, strategies as st

from infra.config.options import InfluxOptions, KubernetesOptions, NationalOptions, StackOptions, TokenOptions
from infra.plan import StackPlan, build_plan
from infra.plan.broker import (
    DEVICE_READ_CHANNELS,
    DEVICE_WRITE_CHANNELS,
    INGEST_NAME_FORMAT,
    MONITOR_NAME,
    PROVISION_NAME,
    ROLLUP_NAME,
    agent_devices,
)
from infra.plan.influx import role_permissions
from infra.plan.values import BucketPermission
from telemetry.core.protocol.topics import Topic
from telemetry.errors import InventoryError
from tests.unit.inventories import centre, fleet, inventories, inventory

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping

    from telemetry.core.inventory import Inventory

few = settings(max_examples=30, deadline=None)
TODAY = date(2026, 6, 1)
LOCAL = StackOptions(stage="dev", target="local")
CLUSTER = StackOptions(stage="prod", target="kubernetes", kubernetes=KubernetesOptions(ingest_least=2, ingest_most=5))
# What each role may do, written out by hand: bucket endings by action.
ROLES = {
    "ingest": {"read": {""}, "write": {""}},
    "rollup": {"read": {"", "-5m", "-1h", "-1d"}, "write": {"", "-5m", "-1h", "-1d"}},
    "api": {"read": {"-5m", "-1h", "-1d"}, "write": set()},
}
USERS = {
    "motcua-ingest-1": ({"motcua/v1/+/+/receipt"}, {"motcua/v1/+/+/up"}),
    "motcua-rollup": (set(), {"motcua/v1/+/+/state"}),
    "motcua-provision": ({"motcua/v1/+/+/config", "motcua/v1/+/+/command"}, set()),
    "motcua-monitor": (set(), {"$SYS/broker/#"}),
}


def planned(world: Inventory, options: StackOptions = LOCAL) -> StackPlan:
    return build_plan(world, options, TODAY)


@few
@given(inventories())
def test_every_agent_may_reach_the_broker_and_nobody_else(world: Inventory) -> None:
    found = [(one.id, one.centre) for one in planned(world).broker.devices]
    wanted = {name: one.centre for name, one in world.devices.items() if one.kind != "replay"}
    assert found == sorted(wanted.items())


def reaches(pattern: str, topic: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\+", "[^/]+").replace(r"\#", ".*"), topic) is not None


@few
@given(inventories(least=1))
def test_every_device_reaches_its_own_topics_by_one_rule_each_and_no_other_device(world: Inventory) -> None:
    rules = [
        (name, f"motcua/v1/{device.centre}/{device.id}/{name}", device.id)
        for device in planned(world).broker.devices
        for name in {*DEVICE_READ_CHANNELS, *DEVICE_WRITE_CHANNELS}
    ]
    for device in agent_devices(world):
        for channel in ("up", "state", "receipt", "config", "command"):
            topic = Topic(device.centre, device.id, channel).path
            assert [owner for _, rule, owner in rules if reaches(rule, topic)] == [device.id]


@few
@given(inventories(), st.sampled_from([LOCAL, CLUSTER]))
def test_names_are_apart_and_valid(world: Inventory, options: StackOptions) -> None:
    found = planned(world, options)
    devices = [one.id for one in found.broker.devices]
    subjects = [*devices, *(user.name for user in found.broker.users)]
    for names in (
        [one.name for one in found.influx.buckets],
        [one.name for one in found.influx.tokens],
        [one.name for one in found.workloads],
        [one.name for one in found.scrape_jobs],
        [one.name for one in found.pki.certificates],
        subjects,
    ):
        assert len(set(names)) == len(names)
    assert all(re.fullmatch(r"[a-z0-9-]{1,63}", name) for name in subjects)
    assert all(len(one.name) <= 64 for one in found.all_certificates)
    assert all(not one.name.startswith("_") and '"' not in one.name for one in found.influx.buckets)


@few
@given(st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True), st.sampled_from(["dev", "stage", "prod"]))
def test_authority_of_any_province_has_a_name_that_a_certificate_can_carry(province: str, stage: str) -> None:
    options = StackOptions.model_validate({"stage": stage, "target": "local"})
    name = planned(inventory(province, {}, {}), options).pki.authorities[0].name
    assert len(name) <= 64
    assert name.endswith(stage)


def test_long_provinces_that_begin_alike_get_authorities_of_different_names() -> None:
    names = {planned(inventory("p" * 62 + end, {}, {})).pki.authorities[0].name for end in "ab"}
    assert len(names) == 2


@few
@given(inventories(), st.randoms(use_true_random=False))
def test_order_of_the_inventory_does_not_matter(world: Inventory, chance: random.Random) -> None:
    def shuffled(found: Mapping[str, Any]) -> dict[str, Any]:
        return dict(chance.sample(sorted(found.items()), len(found)))

    mixed = replace(
        world,
        centres=shuffled(world.centres),
        devices=shuffled(world.devices),
        systems=shuffled(world.systems),
    )
    assert planned(mixed) == planned(world)


@few
@given(inventories())
def test_same_day_gives_the_same_plan(world: Inventory) -> None:
    assert planned(world) == planned(world)
    assert hash(planned(world).broker) == hash(planned(world).broker)
    assert hash(planned(world).influx) == hash(planned(world).influx)
    assert hash(planned(world).pki) == hash(planned(world).pki)


def test_plan_cannot_be_changed() -> None:
    found = planned(fleet(3))
    for value in (found, found.influx, found.broker, found.pki, found.workloads[0], found.broker.devices[0]):
        with pytest.raises(FrozenInstanceError):
            value.__setattr__(next(iter(value.__slots__)), None)


@few
@given(st.integers(1, 9), st.sampled_from(["gone", "inactive", "active"]), st.sampled_from(["motcua", "Bến Tre 1"]))
def test_no_token_has_more_rights_than_its_role(generation: int, previous: str, bucket: str) -> None:
    tokens = TokenOptions.model_validate({"generation": generation, "previous": previous})
    options = StackOptions(stage="dev", target="local", tokens=tokens, influx=InfluxOptions(bucket=bucket))
    found = planned(fleet(1), options)
    held = {one.name for one in found.influx.buckets}
    for token in found.influx.tokens:
        allowed = {
            BucketPermission(action, f"{bucket}{end}")  # type: ignore[arg-type]
            for action, ends in ROLES[token.role].items()
            for end in ends
        }
        assert set(token.permissions) == allowed
        assert {one.bucket for one in token.permissions} <= held
    assert {one.role for one in found.influx.tokens} == set(ROLES)


def test_a_role_without_token_has_no_rights() -> None:
    with pytest.raises(KeyError):
        role_permissions("grafana", "motcua")


@pytest.mark.parametrize(
    ("generation", "previous", "expected"),
    [
        (1, "active", {"ingest-g1": True}),
        (2, "active", {"ingest-g2": True, "ingest-g1": True}),
        (3, "inactive", {"ingest-g3": True, "ingest-g2": False}),
        (3, "gone", {"ingest-g3": True}),
    ],
)
def test_token_rotation_keeps_the_one_before_as_asked(
    generation: int, previous: str, expected: dict[str, bool]
) -> None:
    tokens = TokenOptions.model_validate({"generation": generation, "previous": previous})
    found = planned(fleet(1), StackOptions(stage="dev", target="local", tokens=tokens))
    assert {one.name: one.active for one in found.influx.tokens if one.role == "ingest"} == expected


def test_services_may_do_what_is_written_here_and_no_more() -> None:
    found = {one.name: (set(one.publish), set(one.subscribe)) for one in planned(fleet(1)).broker.users}
    assert found == USERS


def test_workers_of_a_cluster_share_one_certificate_and_those_of_a_machine_have_their_own() -> None:
    names = {one.name for one in planned(fleet(1), CLUSTER).broker.users}
    assert names == {ROLLUP_NAME, PROVISION_NAME, MONITOR_NAME, INGEST_NAME_FORMAT.format(1)}
    machine = planned(fleet(1), StackOptions(stage="dev", target="local", workers=3)).broker.users
    assert {one.name for one in machine} == {
        ROLLUP_NAME,
        PROVISION_NAME,
        MONITOR_NAME,
        *(INGEST_NAME_FORMAT.format(n) for n in range(1, 4)),
    }


@pytest.mark.parametrize("ident", ["motcua-ingest-1", "motcua-ingest-77"])
def test_a_device_under_a_services_name_is_refused(ident: str) -> None:
    home = centre("motcua-ingest", "motcua")
    kiosk = replace(fleet(1).devices["vn83-0-kiosk0"], id=ident, centre=home.id)
    with pytest.raises(InventoryError, match=ident):
        planned(inventory("motcua", {home.id: home}, {kiosk.id: kiosk}))


@few
@given(inventories(), st.sampled_from([LOCAL, CLUSTER]))
def test_what_the_plan_names_is_in_the_plan(world: Inventory, options: StackOptions) -> None:
    found = planned(world, options)
    outside = {"devices", "people", "national"}
    names = {one.name for one in found.workloads}
    ports = {one.name: set(one.ports.values()) for one in found.workloads}
    tokens, certificates = {one.name for one in found.influx.tokens}, {one.name for one in found.all_certificates}
    assert all({flow.source, flow.target} <= names | outside for flow in found.flows)
    assert all(flow.port in ports[flow.target] for flow in found.flows if flow.target not in outside)
    assert all(job.port in ports[job.workload] for job in found.scrape_jobs)
    assert {one.token for one in found.workloads} <= tokens | {""}
    assert {one.certificate for one in found.workloads} <= certificates | {""}


@few
@given(inventories())
def test_prometheus_may_reach_what_it_scrapes(world: Inventory) -> None:
    found = planned(world)
    allowed = {(flow.target, flow.port) for flow in found.flows if flow.source == "prometheus"}
    assert {(job.workload, job.port) for job in found.scrape_jobs if job.workload != "prometheus"} <= allowed


@pytest.mark.parametrize("options", [LOCAL, CLUSTER])
def test_prometheus_asks_for_no_page_that_has_a_series_for_each_device(options: StackOptions) -> None:
    """Below `/metrics` of the API are pages of one centre or one objective: who needs one asks for it by name."""
    assert {job.path for job in planned(fleet(3), options).scrape_jobs} == {"/metrics", "/metrics/kpis"}


def test_day_totals_are_kept_for_ever_whatever_is_asked() -> None:
    influx = InfluxOptions(raw_days=30, five_minute_days=30, hour_days=30)
    found = planned(fleet(1), StackOptions(stage="dev", target="local", influx=influx))
    assert [one.retention_s for one in found.influx.buckets if one.tier == "1d"] == [0]
    assert all(one.shard_s <= one.retention_s or one.retention_s == 0 for one in found.influx.buckets)


def test_only_roll_ups_leave_the_province() -> None:
    national = NationalOptions(url="https://national.example", org_id="0" * 16)
    found = planned(fleet(1), StackOptions(stage="dev", target="local", national=national)).influx
    assert found.upstream is not None
    assert [one.local_bucket for one in found.upstream.streams] == ["motcua-5m", "motcua-1h", "motcua-1d"]


@few
@given(st.integers(0, 400))
def test_broker_bears_every_device_twice(count: int) -> None:
    assert planned(fleet(count)).broker.connections >= max(1024, 2 * count)


def test_listener_asks_for_certificates_and_knows_no_anonymous() -> None:
    for options in (LOCAL, CLUSTER):
        for one in planned(fleet(1), options).broker.listeners:
            assert (one.tls, one.client_certificates, one.anonymous) == (True, True, False)


def test_the_volume_holds_what_waits_for_the_national_copy() -> None:
    national = NationalOptions(url="https://national.example", org_id="0" * 16, queue_bytes=4_000_000_000)
    alone, copied = (planned(fleet(4), one) for one in (LOCAL, LOCAL.model_copy(update={"national": national})))
    streams = copied.influx.upstream.streams if copied.influx.upstream else ()
    assert len(streams) == 3
    assert copied.workload("influxdb").volume_gb == alone.workload("influxdb").volume_gb + 4 * 3
