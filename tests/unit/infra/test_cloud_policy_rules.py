"""Says what breaks each rule over hosted systems, from which level, how severe on which day, and what is just good."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from infra.plan.cloud import build_cloud_plan
from infra.policy.cloud.availability import distance_km
from infra.policy.cloud.catalogue import CLOUD_RULES, LEVELS
from infra.policy.cloud.check import check_cloud_plan
from infra.policy.cloud.exceptions import exception_labels
from infra.policy.cloud.protection import PROTECTION_RULES
from telemetry.core.cloud.values import (
    Component,
    Flow,
    Peer,
    PlatformService,
    PolicyException,
    RestoreDrill,
    Site,
    ZoneNetwork,
)
from tests.cloud_examples import (
    BACKUPS,
    LOGS,
    ONESTOP,
    PEERS,
    PLATFORM,
    SITES,
    TODAY,
    ZONE_NETWORKS,
    base_declaration,
    component_end,
    hosted_system,
    outside,
    second_system,
    with_components,
    with_flows,
    with_system,
)

if TYPE_CHECKING:
    from infra.policy.catalogue import Finding
    from telemetry.core.cloud.values import CloudDeclaration

BASE = base_declaration()


def findings(declaration: CloudDeclaration, today: date = TODAY, stage: str = "prod") -> list[Finding]:
    return check_cloud_plan(build_cloud_plan(declaration, province="vn83", stage=stage, today=today))


def problems(declaration: CloudDeclaration, rule: str, today: date = TODAY, stage: str = "prod") -> list[str]:
    return [finding.problem for finding in findings(declaration, today, stage) if finding.rule == rule]


def severities(declaration: CloudDeclaration, rule: str, today: date = TODAY) -> list[str]:
    return [finding.severity for finding in findings(declaration, today) if finding.rule == rule]


def system(level: int = 3, **changes: Any) -> CloudDeclaration:  # noqa: ANN401 - fields of the dataclass
    """Return the base declaration with its system at a level, and logs and drills that are enough for level 4."""
    enough = replace(BASE, logs=replace(LOGS, keep_days=180, locked=True))
    low = {"procedures": False, "subjects": 1} if level < 3 else {}
    return with_system(enough, hosted_system(level=level, **{**low, **changes}))


def ground(declaration: CloudDeclaration, **changes: Any) -> CloudDeclaration:  # noqa: ANN401
    return replace(declaration, ground=replace(declaration.ground, **changes))


@pytest.mark.parametrize("level", [2, 3, 4])
def test_a_system_that_meets_its_level_has_no_fault(level: int) -> None:
    assert [one for one in findings(system(level)) if one.severity == "mandatory"] == []


def test_a_decision_is_due_at_the_end_of_2026() -> None:
    proposed = system(level_decision=None)
    assert severities(proposed, "decision", date(2026, 12, 31)) == ["advisory"]
    assert severities(proposed, "decision", date(2027, 1, 1)) == ["mandatory"]
    assert problems(proposed, "decision", stage="dev") == []
    assert problems(system(2, level_decision=None), "decision") == []


@pytest.mark.parametrize("name", PROTECTION_RULES)
def test_a_protection_is_declared_with_evidence_of_the_last_year(name: str) -> None:
    fourth = system(4)
    absent = replace(fourth, protections={key: one for key, one in fourth.protections.items() if key != name})
    assert severities(absent, name, date(2027, 5, 31)) == ["advisory"]
    assert severities(absent, name, date(2027, 7, 1)) == ["mandatory"]
    declared = fourth.protections[name]
    for changes in ({"evidence": " "}, {"evidence_day": date(2025, 11, 28)}, {"evidence_day": date(2027, 1, 1)},
                    {"since": date(2027, 1, 1)}):  # fmt: skip
        edited = replace(fourth, protections={**fourth.protections, name: replace(declared, **changes)})
        assert len(problems(edited, name)) == 1, changes
    year_old = replace(
        fourth, protections={**fourth.protections, name: replace(declared, evidence_day=date(2025, 11, 29))}
    )
    assert problems(year_old, name) == []


def test_a_protection_is_asked_for_where_it_has_something_to_protect() -> None:
    bare = replace(system(), protections={})
    assert {one.rule for one in findings(bare)} >= {"ips", "waf", "ddos", "dbf", "edr", "siem"}
    assert problems(bare, "pam") == []
    closed = with_system(bare, hosted_system(exposure="none", host=""))
    assert problems(closed, "waf") == []
    without_database = replace(bare, components=BASE.components[:2], flows=BASE.flows[:2])
    assert problems(without_database, "dbf") == []


def test_owner_operator_and_security_unit_are_agencies_of_today() -> None:
    assert "no declared agency" in problems(system(owner="vn83-nobody"), "one-owner")[0]
    assert problems(system(operator="vn83-police"), "one-owner")[0].startswith("vn83-police operates it")
    later = {**BASE.agencies, "vn83-dit": replace(BASE.agencies["vn83-dit"], valid_from=date(2027, 1, 1))}
    assert "begins on 2027-01-01" in problems(replace(BASE, agencies=later), "one-owner")[0]


def test_two_systems_with_one_host_or_database_look_like_one() -> None:
    same_host = second_system("vn83-portal", host=hosted_system().host)
    assert severities(same_host, "level-split") == ["advisory"]
    assert problems(second_system("vn83-portal"), "level-split") == []
    reads = Flow(component_end("vn83-portal", "app"), component_end(ONESTOP, "db"), 5432, "reads it")
    assert "shares a database" in problems(with_flows(second_system("vn83-portal"), reads), "level-split")[0]


def test_a_host_belongs_to_one_system_and_each_names_the_line_of_the_other() -> None:
    two = second_system("vn83-portal", host=hosted_system().host, declared_at="systems.toml:40")
    first = with_system(two, hosted_system(declared_at="systems.toml:12"))
    other, finding = [one for one in findings(first) if one.rule == "host-once"]
    assert "as has vn83-portal (systems.toml:40)" in other.problem
    assert finding.where == "vn83-portal (systems.toml:40)"
    assert "as has vn83-onestop (systems.toml:12)" in finding.problem
    assert finding.severity == "mandatory"
    assert problems(second_system("vn83-portal"), "host-once") == []


def test_a_zone_without_its_entry_in_the_lock_is_a_hint_with_the_command() -> None:
    unlocked = replace(BASE, lock=BASE.lock[1:])
    (finding,) = findings(unlocked)
    assert (finding.rule, finding.severity) == ("lock-entry", "advisory")
    assert finding.problem.startswith("zone dmz has no address slot in cloud.lock")
    assert finding.remedy.startswith("run `motcua cloud lock`")
    assert "zones dmz, server, database have" in problems(replace(BASE, lock=()), "lock-entry")[0]
    renamed = with_system(replace(BASE, systems={}), hosted_system("vn83-counter", was=(ONESTOP,)))
    moved = tuple(replace(one, system="vn83-counter") for one in BASE.components)
    assert problems(replace(renamed, components=moved), "lock-entry") == [], "the entries of its former id are its own"
    assert problems(with_system(replace(BASE, lock=()), hosted_system(level=5)), "lock-entry") == []


def test_what_only_a_target_refused_is_said_before() -> None:
    queue = Component(ONESTOP, "queue", "queue", "server", "S", 3, 3, 10, 5671, image="rabbitmq")
    files = Component(ONESTOP, "files", "objects", "database", "S", 1, 1, disk_gb=10)
    base = replace(BASE, components=(*BASE.components, queue, files))
    assert severities(base, "queue-operator") == ["advisory"]
    engines = replace(BASE.ground, engines={"rabbitmq-cluster-operator": "2.12"})
    assert problems(replace(base, ground=engines), "queue-operator") == []
    elsewhere = (*BASE.components, replace(queue, port=5672), files)
    (problem,) = problems(replace(base, ground=engines, components=elsewhere), "queue-operator")
    assert problem.startswith("has port 5672, and its operator opens 5671 alone for calls with TLS")
    without = replace(base, platform={name: one for name, one in base.platform.items() if name != "objects"})
    assert severities(without, "object-store") == ["mandatory"]
    assert problems(base, "object-store") == []
    wrong = Flow(component_end(ONESTOP, "app"), component_end(ONESTOP, "files"), 9000, "files")
    (problem,) = problems(with_flows(base, wrong), "object-store")
    assert problem.endswith("calls port 9000, and the object store answers at 443")


def test_an_exposure_that_nobody_calls_is_a_hint() -> None:
    silent = replace(BASE, flows=tuple(flow for flow in BASE.flows if flow.source.kind != "outside"))
    assert severities(silent, "flow-declared") == ["advisory"]
    assert problems(silent, "flow-declared") == ["is exposed to internet, and no flow from outside reaches it"]
    hidden = with_system(silent, hosted_system(exposure="none", host=""))
    assert problems(hidden, "flow-declared") == []


def test_systems_never_share_a_physical_name() -> None:
    two = second_system("vn83-portal")
    lock = tuple(replace(entry, name="common") if entry.zone == "database" else entry for entry in two.lock)
    assert "physical name common" in problems(replace(two, lock=lock), "system-apart")[0]
    assert problems(two, "system-apart") == []


def test_a_partner_that_stores_data_abroad_is_a_fault() -> None:
    abroad = {**PEERS, "vendor": Peer("vendor", "partner", ("198.51.100.0/24",), country="SG")}
    assert severities(replace(BASE, peers=abroad), "site-country") == ["mandatory"]
    passing = {**PEERS, "vendor": Peer("vendor", "partner", ("198.51.100.0/24",))}
    assert problems(replace(BASE, peers=passing), "site-country") == []


@pytest.mark.parametrize(("zone", "level"), [("edge", 2), ("dmz", 2), ("server", 2), ("database", 3), ("manage", 3)])
def test_a_zone_is_asked_for_from_its_level(zone: str, level: int) -> None:
    without = tuple(network for network in ZONE_NETWORKS if network.zone != zone)
    assert any(f"zone {zone}" in one for one in problems(replace(system(level), zone_networks=without), "zone-present"))
    below = replace(system(level - 1), zone_networks=without)
    assert not any(f"zone {zone}" in one for one in problems(below, "zone-present"))


def test_a_network_of_another_site_is_no_zone_of_the_system() -> None:
    moved = tuple(ZoneNetwork(one.zone, "backup", one.cidr) for one in ZONE_NETWORKS)
    assert len(problems(replace(system(), zone_networks=moved), "zone-present")) == 5


def test_outside_networks_are_asked_for_from_their_level() -> None:
    only = {"internet": PEERS["internet"]}
    assert ["kind office" in one for one in problems(replace(system(3), peers=only), "zone-present")] == [True]
    assert ["kind wan" in one for one in problems(replace(system(4), peers=only), "zone-present")] == [False, True]


def test_a_database_is_in_its_zone_from_level_3() -> None:
    beside = with_components(system(3), f"{ONESTOP}/db", zone="server")
    assert problems(beside, "zone-present") == ["a database is in zone server"]
    assert problems(with_components(system(2), f"{ONESTOP}/db", zone="server"), "zone-present") == []


def test_a_flow_with_an_undeclared_end_is_a_fault() -> None:
    for end in (component_end(ONESTOP, "api"), outside("nobody")):
        flow = Flow(component_end(ONESTOP, "app"), end, 443, "asks it")
        assert problems(with_flows(BASE, flow), "flow-declared")[0].endswith("is not declared")


def test_the_whole_internet_enters_at_the_edge_only() -> None:
    everywhere = {**PEERS, "ngsp": replace(PEERS["ngsp"], cidrs=("0.0.0.0/0",))}
    flow = Flow(component_end(ONESTOP, "app"), outside("ngsp"), 443, "shares")
    assert "is every network" in problems(with_flows(replace(BASE, peers=everywhere), flow), "flow-declared")[0]
    assert problems(with_flows(BASE, flow), "flow-declared") == []


def test_the_way_out_is_to_named_hosts_and_at_level_4_through_the_proxy() -> None:
    named = {**PEERS, "registry": Peer("registry", "internet", ("198.51.100.0/24",), ("packages.example",))}
    flow = Flow(component_end(ONESTOP, "app"), outside("registry"), 443, "updates")
    third, fourth = (with_flows(replace(system(level), peers=named), flow) for level in (3, 4))
    assert problems(third, "egress-closed") == []
    (closed,) = [one for one in findings(fourth) if one.rule == "egress-closed"]
    assert closed.clause.endswith("6.12.2.4 g")
    open_network = ground(system(), network_policies_enforced=False)
    assert severities(open_network, "egress-closed") == ["mandatory"]
    assert problems(ground(system(2), network_policies_enforced=False), "egress-closed") == []


def test_administration_is_reached_from_named_networks_only() -> None:
    shell = Flow(outside("office"), component_end(ONESTOP, "web"), 22, "repairs")
    assert len(problems(with_flows(system(3), shell), "admin-port")) == 1
    assert problems(with_flows(system(2), shell), "admin-port") == []
    assert len(problems(with_flows(system(2), shell), "admin-source")) == 1
    anywhere = {**PEERS, "office": replace(PEERS["office"], cidrs=())}
    assert "from everywhere" in problems(replace(system(2), peers=anywhere), "admin-source")[0]
    no_vpn = {name: one for name, one in BASE.protections.items() if name != "vpn"}
    assert "no declared VPN" in problems(replace(system(2), protections=no_vpn), "admin-source")[0]
    assert problems(system(2), "admin-source") == []


def test_health_and_administration_are_apart_from_the_port_that_people_call() -> None:
    shared = with_components(system(3), f"{ONESTOP}/web", health_port=0)
    (problem,) = problems(shared, "admin-port")
    assert problem == "answers its health at port 8080, the port of the service that people call"
    assert problems(with_components(system(2), f"{ONESTOP}/web", health_port=0), "admin-port") == []
    silent = with_components(shared, f"{ONESTOP}/web", health="")
    assert problems(silent, "admin-port") == [], "a port that only accepts connections administers nothing"
    inner = with_components(system(3), f"{ONESTOP}/app", health_port=0)
    assert problems(inner, "admin-port") == [], "nobody outside calls it"


def test_a_port_of_health_is_opened_to_no_party_outside_and_no_other_system() -> None:
    web, office = component_end(ONESTOP, "web"), Flow(outside("office"), component_end(ONESTOP, "web"), 9080, "state")
    assert problems(with_flows(system(3), office), "admin-port") == [
        "port 9080 is for health and administration, and edge:internet may call it"
    ]
    foreign = with_flows(second_system("vn83-portal"), Flow(component_end("vn83-portal", "app"), web, 9080, "state"))
    assert problems(foreign, "admin-port") == [
        "port 9080 is for health and administration, and vn83-portal/app may call it"
    ]
    own = with_flows(system(3), Flow(component_end(ONESTOP, "app"), web, 9080, "state"))
    assert problems(own, "admin-port") == []


def test_a_lone_control_plane_is_no_hot_spare() -> None:
    assert len(problems(ground(system(3), control_planes=1), "replicas")) == 1
    assert problems(ground(system(2), control_planes=1), "replicas") == []


def test_a_spare_site_is_30_km_away() -> None:
    near = Site("near", "VN", 10.2415, 106.3759 + 0.27)
    far = Site("far", "VN", 10.2415, 106.3759 + 0.28)
    assert 29 < distance_km(SITES["main"], near) < 30 < distance_km(SITES["main"], far) < 31
    assert severities(system(4), "site-spare") == ["advisory"]
    beside = replace(system(4, spare_site="near"), sites={**SITES, "near": near})
    assert problems(beside, "site-spare") == ["its spare site near is 30 km away"]
    assert problems(replace(system(4, spare_site="far"), sites={**SITES, "far": far}), "site-spare") == []
    assert severities(system(5), "site-spare") == ["mandatory"]
    assert problems(system(3), "site-spare") == []


def test_flows_have_tls_for_personal_data_and_from_level_3() -> None:
    plain = replace(BASE.flows[1], tls=False, no_tls_reason="old software")
    flows = (BASE.flows[0], plain, BASE.flows[2])
    assert len(problems(replace(system(3), flows=flows), "tls")) == 1
    personal = [one for one in findings(replace(system(2), flows=flows)) if one.rule == "tls"]
    assert [one.clause for one in personal] == ["356/2025 Art. 12.4"]
    assert problems(replace(system(2, data="private"), flows=flows), "tls") == []
    assert "without a host name" in problems(system(3, host=""), "tls")[0]


def test_volumes_secrets_and_copies_are_encrypted() -> None:
    assert len(problems(ground(system(), storage_encrypted=False), "at-rest")) == 1
    assert len(problems(ground(system(), etcd_encrypted=False), "at-rest")) == 1
    plain = (BACKUPS[0], replace(BACKUPS[1], encrypted=False))
    assert problems(replace(system(), backups=plain), "at-rest") == ["its copies in far-tape are not encrypted"]
    assert problems(replace(system(2, data="private"), backups=plain), "at-rest") == []


def test_the_store_of_logs_has_room_before_its_alarm() -> None:
    # 100 events/s × 86,400 s × 180 days × 500 bytes = 777.6 GB, and the alarm is at 0.8 of the disk.
    busy = system(log_events_per_s=100)
    assert problems(replace(busy, logs=replace(busy.logs or LOGS, disk_gb=972)), "log-room") == []
    full = replace(busy, logs=replace(busy.logs or LOGS, disk_gb=971))
    assert "are 778 GB" in problems(full, "log-room")[0]
    assert [one.remedy for one in findings(full) if one.rule == "log-room"] == [
        "write disk_gb = 972 in [logs] of cloud.toml"
    ]
    assert problems(replace(system(), logs=None), "log-kept") == ["no store of logs is declared"]


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        (BACKUPS[:1], "has 2 copies"),
        ((BACKUPS[0], replace(BACKUPS[1], own_project=False)), "has 2 copies"),
        (tuple(replace(one, medium="block") for one in BACKUPS), "one kind of store"),
        (tuple(replace(one, site="main") for one in BACKUPS), "at site main"),
    ],
)
def test_copies_follow_the_3_2_1_rule_from_level_3(changed: tuple[Any, ...], problem: str) -> None:
    assert any(problem in one for one in problems(replace(system(3), backups=changed), "backup-321"))
    assert problems(replace(system(2), backups=changed), "backup-321") == []


def test_copies_are_apart_from_operation_from_level_2() -> None:
    inside = tuple(replace(one, own_project=False) for one in BACKUPS)
    assert "apart from" in problems(replace(system(2), backups=inside), "backup-321")[0]
    assert problems(replace(system(1), backups=inside), "backup-321") == []
    without_data = replace(system(2), components=BASE.components[:2], flows=BASE.flows[:2], backups=())
    assert problems(without_data, "backup-321") == []


def test_a_restore_is_as_fast_as_promised() -> None:
    # 200 GB at 100 MB/s are 2,000 s.
    assert problems(system(rto_s=2000), "rto-met") == []
    assert "takes 2,000 s, and 1,999 s" in problems(system(rto_s=1999), "rto-met")[0]
    unmeasured = tuple(replace(one, restore_mb_per_s=0) for one in BACKUPS)
    assert severities(replace(system(), backups=unmeasured), "rto-met") == ["advisory"]


def test_only_a_database_can_promise_no_loss() -> None:
    bucket = with_components(system(rpo_s=0), f"{ONESTOP}/db", kind="objects")
    assert "component of kind objects" in problems(bucket, "rpo-met")[0]
    nowhere = replace(system(), backups=())
    assert "copied nowhere" in problems(nowhere, "rpo-met")[0]


def test_restores_are_proven_more_often_at_higher_levels() -> None:
    def drilled(level: int, day: date) -> CloudDeclaration:
        return replace(system(level), drills=(RestoreDrill(ONESTOP, day, "minutes"),))

    assert severities(drilled(3, date(2025, 11, 29)), "drill") == []
    assert severities(drilled(3, date(2025, 11, 28)), "drill") == ["advisory"]
    assert severities(drilled(4, date(2026, 5, 30)), "drill") == []
    assert severities(drilled(4, date(2026, 5, 29)), "drill") == ["mandatory"]
    assert problems(drilled(4, date(2027, 1, 1)), "drill") == ["no restore is proven"]
    assert problems(replace(system(2), drills=()), "drill") == []


def test_time_and_names_are_declared_and_reached() -> None:
    for name in ("time", "dns"):
        absent = {key: service for key, service in PLATFORM.items() if key != name}
        assert severities(replace(BASE, platform=absent), name) == ["mandatory"]
    assert problems(ground(BASE, time_synchronised=False), "time") == ["the hosts' clocks are not synchronised"]
    plan = build_cloud_plan(BASE, province="vn83", stage="prod", today=TODAY)
    closed = replace(
        plan, platform_connections=tuple(one for one in plan.platform_connections if one.source.zone != "dmz")
    )
    assert {one.rule for one in check_cloud_plan(closed)} == {"time", "dns"}


def test_an_engine_is_reported_sixty_days_before_its_end() -> None:
    def ends(day: date) -> CloudDeclaration:
        return ground(BASE, engines={"kubernetes": "1.31.4"}, engine_ends={"kubernetes": day})

    assert severities(ends(date(2027, 1, 29)), "engine-supported") == []
    assert severities(ends(date(2027, 1, 28)), "engine-supported") == ["advisory"]
    assert severities(ends(TODAY), "engine-supported") == ["advisory"]
    assert severities(ends(date(2026, 11, 28)), "engine-supported") == ["mandatory"]


def test_stages_are_apart_from_level_4_and_should_be_at_level_3() -> None:
    assert severities(ground(system(3), stages_apart=False), "stage-apart") == ["advisory"]
    assert severities(ground(system(4), stages_apart=False), "stage-apart") == ["mandatory"]
    assert severities(ground(system(2), stages_apart=False), "stage-apart") == []


def test_credentials_have_a_source_and_texts_hold_none() -> None:
    absent = {key: service for key, service in PLATFORM.items() if key != "secrets"}
    assert len(problems(replace(system(3), platform=absent), "secret-source")) == 1
    assert problems(replace(system(2), platform=absent), "secret-source") == []
    leak = with_components(system(3), f"{ONESTOP}/web", health="http://app:hunter2@web/healthz")
    assert problems(leak, "secret-source") == ["health holds a password in an address"]


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rule": "nothing"}, "names no rule"),
        ({"rule": "site-country"}, "is not possible"),
        ({"where": "vn83-onestop/api"}, "is not declared"),
        ({"why": " "}, "has no reason"),
        ({"by": "vn83-nobody"}, "no agency of today"),
    ],
)
def test_an_exception_that_is_not_complete_is_a_fault_and_excepts_nothing(
    changes: dict[str, Any], problem: str
) -> None:
    whole = PolicyException("replicas", f"{ONESTOP}/app", "moves in January", "vn83-dit", date(2027, 1, 31))
    lone = with_components(BASE, f"{ONESTOP}/app", least=1)
    assert [one.severity for one in findings(replace(lone, exceptions=(whole,)))] == ["advisory"]
    broken = replace(lone, exceptions=(replace(whole, **changes),))
    assert any(problem in one for one in problems(broken, "exception-dated"))
    assert severities(broken, "replicas") == ["mandatory"]


def test_an_exception_of_a_component_leaves_the_others_alone() -> None:
    lone = with_components(with_components(BASE, f"{ONESTOP}/app", least=1), f"{ONESTOP}/web", least=1)
    one = PolicyException("replicas", f"{ONESTOP}/app", "moves", "vn83-dit", date(2027, 1, 31))
    excepted = replace(lone, exceptions=(one,))
    assert sorted(severities(excepted, "replicas")) == ["advisory", "mandatory"]
    assert exception_labels(excepted, f"{ONESTOP}/app", TODAY) == {"motcua.org/exception-replicas": "2027-01-31"}
    assert exception_labels(excepted, f"{ONESTOP}/web", TODAY) == {}
    assert exception_labels(excepted, f"{ONESTOP}/app", date(2027, 2, 1)) == {}


def test_findings_of_one_system_are_those_at_it_and_at_the_cloud() -> None:
    two = second_system("vn83-portal")
    lone = with_components(with_components(two, f"{ONESTOP}/app", least=1), "vn83-portal/app", least=1)
    full = replace(lone, logs=replace(LOGS, disk_gb=0))
    plan = build_cloud_plan(full, province="vn83", stage="prod", today=TODAY)
    assert [one.where for one in check_cloud_plan(plan, ONESTOP)] == ["cloud", f"{ONESTOP}/app"]


def test_clauses_follow_the_level() -> None:
    assert CLOUD_RULES["log-kept"].clause(2) == "TCVN 14423:2026 4.8.2.1 a"
    assert CLOUD_RULES["log-kept"].clause(4) == "TCVN 14423:2026 6.8.2.1 a, 6.8.2.3"
    assert CLOUD_RULES["tls"].clause(2) == "356/2025 Art. 12.4"
    assert CLOUD_RULES["rpo-met"].clause(3) == ""
    for rule in CLOUD_RULES.values():
        assert "{" not in "".join(rule.clause(level) for level in LEVELS)


def test_a_service_of_a_namespace_is_reached_as_well() -> None:
    inside = {**PLATFORM, "time": PlatformService("time", "platform-time", port=123)}
    assert problems(replace(BASE, platform=inside), "time") == []
