"""What monitors a hosted system follows from its declaration: vantage points, probes, objectives."""

from __future__ import annotations

from dataclasses import replace

from telemetry.core.cloud.values import CloudDeclaration, Component, Flow
from telemetry.core.device_sources import sources_of
from telemetry.core.hosted.derived_systems import (
    complete_objectives,
    default_objectives,
    derive_monitoring,
    entry_components,
    inside_target,
    part_id,
    system_calls,
)
from telemetry.core.hosted.inside_probes import InsideProbe, answering_part, figure_reads
from telemetry.core.inventory import Inventory, Objective, System
from telemetry.core.slo.evaluation import scopes_of
from tests.cloud_examples import ONESTOP, base_components, base_declaration, component_end, hosted_system, outside
from tests.program.network import inventory

INSIDE = "vn83-cloud-manage1"
DB, PATH = f"{ONESTOP}--db", f"{ONESTOP}--dmz-to-db"
CLOSED = [f"{ONESTOP}--{part}" for part in ("dmz-to-app", "dmz-to-db", "server-to-db", "server-to-web")]


def declared(cloud: CloudDeclaration | None = None, **own: object) -> Inventory:
    """Return the tests' network with the one-stop system, hosted as in the base declaration."""
    world = inventory()
    outer = System(
        ONESTOP, "Một cửa", "One-stop", "one-stop", "http", "https://onestop.example/", quorum=1,
        vantage=("vn83-a-gateway1", "vn83-b-gateway1"), **own,  # type: ignore[arg-type]
    )  # fmt: skip
    return replace(world, systems={**world.systems, ONESTOP: outer}, cloud=cloud or base_declaration())


def derived(cloud: CloudDeclaration | None = None) -> Inventory:
    return derive_monitoring(declared(cloud))


def test_an_inventory_without_a_cloud_stays_as_it_is() -> None:
    world = inventory()
    assert derive_monitoring(world) == world
    assert default_objectives(world) == ()
    unlisted = replace(base_declaration(), systems={"vn83-other": hosted_system("vn83-other")})
    assert set(derive_monitoring(replace(world, cloud=unlisted)).systems) == set(world.systems)


def test_the_figures_of_each_database_are_read_in_plain_at_the_port_of_its_instances() -> None:
    cloud = base_declaration()
    (read,) = figure_reads(cloud, ONESTOP)
    assert read == InsideProbe("manage", "db", component_end(ONESTOP, "db"), 9187, tls=False)
    silent = tuple(replace(one, port=0) if one.kind == "database" else one for one in cloud.components)
    assert figure_reads(replace(cloud, components=silent), ONESTOP) == ()


def test_each_component_is_probed_from_inside_the_cloud() -> None:
    world = derived()
    found = {s.id: (s.probe, s.target, s.vantage, s.quorum, s.level, s.part_of) for s in world.parts_of(ONESTOP)}
    web = ("http", "http://web.vn83-onestop-dmz.svc:9080/healthz", (INSIDE,), 1, 3, ONESTOP)
    app = ("http", "https://app.vn83-onestop-server.svc:8081/healthz", (INSIDE,), 1, 3, ONESTOP)
    db = ("tcp", "db-rw.vn83-onestop-database.svc:5432", (INSIDE,), 1, 3, ONESTOP)
    answering = {f"{ONESTOP}--web": web, f"{ONESTOP}--app": app, DB: db}
    assert {ident: one for ident, one in found.items() if one[0] != "closed"} == answering
    assert world.systems[DB].name_en == "One-stop: database db"
    assert list(world.whole_systems) == [ONESTOP, "vn83-portal"]


def closed_of(world: Inventory) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return part → target and vantage points of what must be closed."""
    return {s.part: (s.target, s.vantage) for s in world.parts_of(ONESTOP) if s.probe == "closed"}


def test_each_closed_pair_of_zones_is_dialled_from_inside() -> None:
    db, dmz, server = "db-rw.vn83-onestop-database.svc:5432", ("vn83-cloud-dmz1",), ("vn83-cloud-server1",)
    world = derived()
    assert closed_of(world) == {
        "dmz-to-app": ("app.vn83-onestop-server.svc:8081", dmz), "dmz-to-db": (db, dmz),
        "server-to-web": ("web.vn83-onestop-dmz.svc:8080", server), "server-to-db": (db, server),
    }  # fmt: skip
    path = world.systems[PATH]
    assert (path.quorum, path.level, path.kind, path.part_of) == (1, 0, "closed-path", ONESTOP)
    assert (path.name_en, path.name_vi) == ("One-stop: DMZ must not reach db", "Một cửa: DMZ không được đến db")
    assert world.systems[f"{ONESTOP}--server-to-web"].name_en == "One-stop: server must not reach web"


def test_a_pair_of_zones_is_dialled_once_but_for_databases_and_never_at_a_gateway() -> None:
    base = base_declaration()
    more = (
        Component(ONESTOP, "aaa", "gateway", "server", "S", 2, 2, port=8443),
        Component(ONESTOP, "zzz", "app", "server", "S", 2, 2, port=8082),
        Component(ONESTOP, "old", "database", "database", "S", 3, 3, 10, 5433),
    )
    found = closed_of(derived(replace(base, components=(*base.components, *more))))
    assert set(found) == {"dmz-to-app", "dmz-to-db", "dmz-to-old", "server-to-web", "server-to-db", "server-to-old"}


def test_a_zone_without_a_way_out_is_dialled_at_the_parties_that_others_call() -> None:
    base = base_declaration()
    peers = {
        **base.peers,
        "agency": replace(base.peers["ngsp"], id="agency", hosts=("agency.example",)),
        "vendor": replace(base.peers["internet"], id="vendor", hosts=("vendor.example",)),
    }
    calls = tuple(
        Flow(component_end(ONESTOP, "app"), outside(name), 443, "data")
        for name in ("ngsp", "agency", "vendor", "tslcd")
    )
    found = closed_of(derived(replace(base, flows=(*base.flows, *calls), peers=peers)))
    # one for each kind of network; the zone dmz may call partners by a gateway, the zone server named hosts
    assert {part: one for part, one in found.items() if "-out-" in part} == {
        "manage-out-agency": ("agency.example:443", (INSIDE,)),
        "manage-out-vendor": ("vendor.example:443", (INSIDE,)),
        "dmz-out-vendor": ("vendor.example:443", ("vn83-cloud-dmz1",)),
    }


def test_what_must_answer_before_a_closed_path_proves_anything_is_its_target() -> None:
    assert [answering_part(part) for part in ("dmz-to-db", "server-to-web-to-x", "manage-out-ngsp")] == [
        "db", "web-to-x", "to-ngsp",
    ]  # fmt: skip


def test_a_component_without_a_port_is_not_probed() -> None:
    base = base_declaration()
    job = Component(ONESTOP, "nightly", "job", "server", "S", 1, 1)
    without = derived().parts_of(ONESTOP)
    assert derived(replace(base, components=(*base.components, job))).parts_of(ONESTOP) == without


def test_the_system_itself_is_probed_from_outside_as_it_is_declared() -> None:
    outer = derived().systems[ONESTOP]
    assert (outer.vantage, outer.target, outer.level) == (
        ("vn83-a-gateway1", "vn83-b-gateway1"), "https://onestop.example/", 3,
    )  # fmt: skip
    assert outer.owner_agency == "Ủy ban nhân dân tỉnh"
    assert derive_monitoring(declared(owner_agency="Sở")).systems[ONESTOP].owner_agency == "Sở"
    nameless = replace(base_declaration(), agencies={})
    assert derived(nameless).systems[ONESTOP].owner_agency == ""


def test_a_system_without_exposure_is_probed_inside_only() -> None:
    base = base_declaration()
    cloud = replace(base, systems={ONESTOP: hosted_system(exposure="none")}, flows=base.flows[1:])
    inner = derived(cloud).systems[ONESTOP]
    assert (inner.vantage, inner.quorum, inner.target) == ((INSIDE,), 1, "http://web.vn83-onestop-dmz.svc:9080/healthz")
    empty = replace(cloud, components=())
    assert derived(empty).systems[ONESTOP].target == "https://onestop.example/", "nothing inside can be probed"


def test_the_vantage_point_is_a_device_of_no_centre_with_an_agent() -> None:
    world = derived()
    device = world.devices[INSIDE]
    assert (device.centre, device.centre in world.centres, world.is_declared("vn83-cloud", INSIDE)) == (
        "vn83-cloud", False, True,
    )  # fmt: skip
    probed = {source.settings.get("system") for source in sources_of(world, device)}
    assert probed == {None, DB, f"{ONESTOP}--app", f"{ONESTOP}--web"}


def test_a_peer_is_probed_beside_the_system_and_judged_by_nobody() -> None:
    base = base_declaration()
    calls = (
        Flow(component_end(ONESTOP, "app"), outside("ngsp"), 443, "shared data"),
        Flow(component_end(ONESTOP, "app"), outside("tslcd"), 5500, "no host is known"),
        Flow(component_end(ONESTOP, "app"), outside("nobody"), 443, "not declared"),
    )
    world = derived(replace(base, flows=(*base.flows, *calls)))
    (peer,) = [s for s in world.parts_of(ONESTOP) if s.kind == "peer"]
    assert (peer.id, peer.probe, peer.target) == (f"{ONESTOP}--to-ngsp", "tls", "ngsp.example:443")
    assert (peer.vantage, peer.level, peer.critical) == (("vn83-cloud-server1",), 0, False)
    plain = replace(calls[0], tls=False, no_tls_reason="old")
    plain_peer = derived(replace(base, flows=(*base.flows, plain))).systems[peer.id]
    assert plain_peer.probe == "tcp"


def test_the_probe_uses_tls_unless_a_flow_has_none_and_the_name_of_the_lock() -> None:
    base = base_declaration()
    web = replace(base_components()[0], health_port=0)
    plain = replace(base, flows=tuple(replace(f, tls=False) for f in base.flows))
    assert inside_target(plain, web) == ("http", "http://web.vn83-onestop-dmz.svc:8080/healthz")
    renamed = replace(base, lock=tuple(replace(entry, name=f"old-{entry.zone}") for entry in base.lock))
    assert inside_target(renamed, web)[1] == "https://web.old-dmz.svc:8080/healthz"
    assert inside_target(replace(base, lock=()), web)[1] == "https://web.vn83-onestop-dmz.svc:8080/healthz"


def test_the_probe_of_what_was_renamed_dials_the_names_that_its_objects_keep() -> None:
    base = base_declaration()
    web, _, db = base_components()
    assert inside_target(base, replace(web, id="pages", was=("web", "site")))[1].startswith(
        "http://web.vn83-onestop-dmz"
    )
    assert inside_target(base, replace(db, id="store", was=("db",)))[1] == "db-rw.vn83-onestop-database.svc:5432"
    service = "vn83-service"
    renamed = replace(base.systems[ONESTOP], id=service, was=(ONESTOP,))
    cloud = replace(base, systems={service: renamed})
    locked = inside_target(cloud, replace(web, system=service))[1]
    assert locked == "http://web.vn83-onestop-dmz.svc:9080/healthz", "the line of cloud.lock keeps the earlier id"
    without = inside_target(replace(cloud, lock=()), replace(web, system=service))[1]
    assert without == "http://web.vn83-service-dmz.svc:9080/healthz"


def test_health_is_asked_at_its_own_port_and_a_closed_path_dials_the_service() -> None:
    base = base_declaration()
    web = base_components()[0]
    assert inside_target(base, web) == ("http", "http://web.vn83-onestop-dmz.svc:9080/healthz")
    assert inside_target(base, replace(web, health="")) == ("tcp", "web.vn83-onestop-dmz.svc:9080")
    store = Component(
        ONESTOP, "store", "app", "database", "S", 1, 1, 10, 8086, health="/health", image="store", health_port=9081
    )
    world = derived(replace(base, components=(*base.components, store)))
    targets = {s.part: s.target for s in world.parts_of(ONESTOP)}
    assert targets["store"] == "http://store.vn83-onestop-database.svc:9081/health"
    assert targets["dmz-to-store"] == "store.vn83-onestop-database.svc:8086"


def test_entries_are_what_is_called_from_elsewhere_else_gateways_web_servers_applications() -> None:
    base = base_declaration()
    assert [c.id for c in entry_components(base, ONESTOP)] == ["web"]
    silent = replace(base, flows=())
    assert [c.id for c in entry_components(silent, ONESTOP)] == ["web"]
    assert entry_components(replace(silent, components=()), ONESTOP) == ()


def test_the_flows_say_who_depends_on_whom() -> None:
    assert system_calls(base_declaration()) == {
        f"{ONESTOP}--web": (f"{ONESTOP}--app",),
        f"{ONESTOP}--app": (DB,),
        ONESTOP: (f"{ONESTOP}--web",),
    }


def test_below_level_three_only_what_the_matrix_closes_to_everybody_is_dialled() -> None:
    base = base_declaration()
    low = replace(base, systems={ONESTOP: hosted_system(level=2)})
    world = derived(low)
    assert set(closed_of(world)) == {"server-to-web"}
    assert [o.id for o in default_objectives(world)] == ["hosted-level-2", "closed-paths"]


def test_ids_of_parts_are_as_long_as_ids_may_be() -> None:
    long = part_id("vn83-" + "a" * 50, "b" * 40)
    assert (len(long), long == part_id("vn83-" + "a" * 50, "b" * 40)) == (63, True)
    assert long != part_id("vn83-" + "a" * 50, "b" * 39)


def test_objectives_follow_the_level_and_an_own_one_takes_their_place() -> None:
    world = derived()
    objective, closed = default_objectives(world)
    assert [s.entity for s in scopes_of(closed, world)] == CLOSED
    assert (objective.id, objective.goal, objective.clock, objective.level) == ("hosted-level-3", 0.995, "wall", 3)
    world = replace(world, objectives=(objective,))
    scopes = [s.scope for s in scopes_of(objective, world)]
    assert scopes == [f"system:{ONESTOP}", *(f"system:{ONESTOP}--{c}" for c in ("app", "db", "web"))]
    own = Objective("mine", "Của tôi", "Mine", f"system:{ONESTOP}", "availability", 0.9999, 28, "wall")
    every = Objective("systems-up", "Mọi", "All", "system", "availability", 0.99, 28, "wall")
    world = replace(world, objectives=(own, every, objective))
    assert f"system:{ONESTOP}" not in [s.scope for s in scopes_of(objective, world)]
    assert [s.scope for s in scopes_of(every, world)] == [f"system:{ONESTOP}", "system:vn83-portal"]
    assert default_objectives(world) == (closed,)
    assert default_objectives(replace(world, objectives=(closed,))) == (objective,), (
        "an objective with the same id is declared"
    )
    assert [s.scope for s in scopes_of(own, world)] == [f"system:{ONESTOP}"]


def test_a_declared_objective_that_replaces_a_derived_one_counts_the_same_systems_and_not_all() -> None:
    def declaring(ident: str, scope: str = "system") -> dict[str, list[str]]:
        own = Objective(ident, "Của tôi", "Mine", scope, "availability", 0.98, 28, "wall")
        world = derived()
        world = replace(world, objectives=complete_objectives(replace(world, objectives=(own,))))
        assert world.objectives[0].goal == 0.98
        return {o.id: [s.entity for s in scopes_of(o, world)] for o in world.objectives}

    level = [ONESTOP, f"{ONESTOP}--app", DB, f"{ONESTOP}--web"]
    both = {"hosted-level-3": level, "closed-paths": CLOSED}
    assert declaring("hosted-level-3") == both
    assert declaring("closed-paths") == both
    assert declaring("hosted-level-4") == {"hosted-level-4": [], **both}, "no system has this level"
    assert declaring("every") == {"every": [ONESTOP, "vn83-portal"], **both}
    assert declaring("hosted-level-3", "system:vn83-portal")["hosted-level-3"] == ["vn83-portal"]
