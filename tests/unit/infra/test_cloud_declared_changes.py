"""What `motcua cloud diff` says of an edit: every declared field in words, nothing twice, nothing without an edit."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, strategies as st

from infra.plan.cloud import build_cloud_plan
from infra.plan.cloud.declared_changes import FIELD_WORDS, declared_changes, edit_changes
from telemetry.core.cloud import values
from telemetry.core.cloud.values import (
    Flow,
    FlowEnd,
    Ground,
    LevelDecision,
    PolicyException,
    Prices,
)
from tests.cloud_declarations import declarations
from tests.cloud_examples import (
    ONESTOP,
    TODAY,
    base_components,
    base_declaration,
    base_flows,
    component_end,
    gateway_system,
    hosted_system,
    outside,
    with_components,
    with_flows,
    with_system,
)
from tests.property_sizes import sized

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from telemetry.core.cloud.values import CloudDeclaration

BASE = base_declaration()
EXCEPTED = f"exception replicas at {ONESTOP}/app"
FULL = replace(
    gateway_system(),
    exceptions=(PolicyException("replicas", f"{ONESTOP}/app", "moves", "vn83-dit", date(2026, 12, 24)),),
    prices=Prices(),
    ground=Ground(
        engines=MappingProxyType({"kubernetes": "1.31"}), engine_ends=MappingProxyType({"kubernetes": TODAY})
    ),
)
"""A declaration with at least one value of every class."""


def lines(new: CloudDeclaration, old: CloudDeclaration = BASE) -> list[str]:
    before, after = (build_cloud_plan(one, province="vn83", stage="prod", today=TODAY) for one in (old, new))
    return [str(one) for one in edit_changes(before, after)]


OTHER_VALUES = {
    "Component.zone": ("server", "dmz"),
    "Component.kind": ("app", "web"),
    "LockEntry.zone": ("server", "dmz"),
    "HostedSystem.exposure": ("wan", "office"),
    "Ground.api_server_ports": ((6443,), (443,)),
    "ZoneNetwork.cidr": ("10.98.0.0/18", "10.99.0.0/18"),
}
"""Values of fields that no plan is built for with a made-up one."""


def edited_value(name: str, value: Any) -> Any:  # noqa: ANN401 - a value of every declared type
    """Return another value of the same type."""
    if name in OTHER_VALUES:
        return next(one for one in OTHER_VALUES[name] if one != value)
    edits: dict[type, Callable[[Any], Any]] = {
        bool: lambda one: not one,
        int: lambda one: one + 1,
        float: lambda one: one + 1,
        date: lambda one: one + timedelta(days=1),
        str: "{}9".format,
        tuple: lambda one: (*one, "more9"),
        FlowEnd: lambda one: replace(one, name=f"{one.name}9"),
        LevelDecision: lambda one: replace(one, number=f"{one.number}9"),
        MappingProxyType: lambda one: MappingProxyType({**one, "more": "9"}),
        type(None): lambda _one: date(2026, 1, 1),
    }
    return edits[type(value)](value)


def single_edits(declaration: CloudDeclaration) -> Iterator[tuple[str, CloudDeclaration]]:
    """Yield every declaration that differs in one field of one value, with what was edited."""
    for section in fields(declaration):
        held = getattr(declaration, section.name)
        for name, edited in edits_of_section(held):
            yield name, replace(declaration, **{section.name: edited})


def edits_of_section(held: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - a value, a tuple or a mapping of such
    if is_dataclass(held):
        yield from edits_of(held)
    elif isinstance(held, tuple):
        for at, item in enumerate(held):
            yield from ((name, (*held[:at], one, *held[at + 1 :])) for name, one in edits_of(item))
    elif held is not None:
        for key, item in held.items():
            others = {other: value for other, value in held.items() if other != key}
            yield from ((name, {**others, getattr(one, "id", "") or one.name: one}) for name, one in edits_of(item))


def edits_of(item: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 - any declared dataclass
    for field in fields(item):
        if field.compare:
            name = f"{type(item).__name__}.{field.name}"
            yield name, replace(item, **{field.name: edited_value(name, getattr(item, field.name))})


def test_every_single_edit_of_every_field_is_named() -> None:
    edits = list(single_edits(FULL))
    classes = {
        name
        for name, one in vars(values).items()
        if isinstance(one, type) and is_dataclass(one) and name not in {"CloudDeclaration", "FlowEnd", "LevelDecision"}
    }
    assert {name.partition(".")[0] for name, _ in edits} == classes
    assert [name for name, edited in edits if not lines(edited, FULL)] == []


def test_no_edit_names_nothing() -> None:
    assert lines(FULL, FULL) == []
    assert lines(gateway_system(), gateway_system()) == []


@sized(20, 500)
@given(declarations(), st.data())
def test_a_random_edit_of_a_random_declaration_is_named(declaration: CloudDeclaration, data: st.DataObject) -> None:
    assert lines(declaration, declaration) == []
    name, edited = data.draw(st.sampled_from(list(single_edits(declaration))))
    assert lines(edited, declaration), name


@pytest.mark.parametrize(
    ("edit", "expected"),
    [
        (
            with_system(BASE, hosted_system(operator="vn83-police")),
            f"change {ONESTOP}: operator vn83-dit → vn83-police",
        ),
        (
            with_system(BASE, hosted_system(security="vn83-dit")),
            f"change {ONESTOP}: security unit vn83-police → vn83-dit",
        ),
        (
            with_system(BASE, hosted_system(procedures=False)),
            f"change {ONESTOP}: handles administrative procedures yes → no",
        ),
        (
            with_system(BASE, hosted_system(level_decision=None)),
            f"change {ONESTOP}: decision on the level 01/QĐ of 2026-09-01 → –",
        ),
        (
            replace(BASE, protections={name: one for name, one in BASE.protections.items() if name != "waf"}),
            "delete protection waf: since 2025-01-01, evidence document waf, day of the evidence 2026-06-01",
        ),
        (
            replace(BASE, exceptions=FULL.exceptions),
            f"create {EXCEPTED}: reason moves, agency that answers for it vn83-dit, until 2026-12-24",
        ),
        (
            replace(BASE, peers={**BASE.peers, "office": replace(BASE.peers["office"], cidrs=("10.11.0.0/16",))}),
            "change peer office: networks 10.10.0.0/16 → 10.11.0.0/16",
        ),
        (
            replace(BASE, sites={**BASE.sites, "backup": replace(BASE.sites["backup"], country="SG")}),
            "change site backup: country VN → SG",
        ),
        (
            replace(BASE, platform={**BASE.platform, "logs": replace(BASE.platform["logs"], provider="enterprise")}),
            "change platform logs: provider agency → enterprise",
        ),
        (
            with_components(BASE, f"{ONESTOP}/db", most=2),
            f"change {ONESTOP}/db: most 3 → 2",
        ),
        (
            replace(BASE, ground=replace(BASE.ground, engines=MappingProxyType({"kubernetes": "1.31"}))),
            "change ground: versions of kubernetes – → 1.31",
        ),
    ],
)  # fmt: skip
def test_changes_that_no_object_shows(edit: CloudDeclaration, expected: str) -> None:
    assert lines(edit) == [expected]


def test_what_an_object_shows_is_named_once() -> None:
    assert lines(with_system(BASE, hosted_system(owner="vn83-dit"))) == [
        f"change {ONESTOP}: labels, roles and dashboards: owner vn83-ubnd → vn83-dit"
    ]
    assert lines(with_components(BASE, f"{ONESTOP}/app", size="L", most=5)) == [
        f"change {ONESTOP}/app: size M → L, most 2 → 5"
    ]
    assert lines(with_components(BASE, f"{ONESTOP}/db", disk_gb=300)) == [
        f"change {ONESTOP}/db: disk 200 → 300 GB, grown in place"
    ]
    assert lines(replace(BASE, flows=BASE.flows[:2])) == [
        f"delete {ONESTOP}/app: connection {ONESTOP}/app → {ONESTOP}/db 5432/TCP"
    ]


def test_a_flow_whose_connections_others_need_is_named_all_the_same() -> None:
    web, app = (component_end(ONESTOP, name) for name in ("web", "app"))
    both = with_flows(BASE, Flow(outside("office"), web, 8080, "clerks"), Flow(outside("office"), app, 8081, "clerks"))
    fewer = replace(
        both, flows=tuple(one for one in both.flows if (one.source.name, one.target.name) != ("office", "web"))
    )
    assert lines(fewer, both) == [f"delete flow outside:office → {ONESTOP}/web 8080: reason clerks, TLS yes"]


def test_a_renamed_system_and_component_are_the_same_ones() -> None:
    motcua = "vn83-motcua"
    renamed = replace(
        BASE,
        systems={motcua: hosted_system(motcua, was=(ONESTOP,), host="onestop.example")},
        components=base_components(motcua),
        flows=base_flows(motcua),
        drills=tuple(replace(one, system=motcua) for one in BASE.drills),
    )
    assert lines(renamed) == [f"change {motcua}: was {ONESTOP}: labels and the alias of the program; all names stay"]
    flows = tuple(replace(one, target=replace(one.target, name="data")) if one.target.name == "db" else one
                  for one in BASE.flows)  # fmt: skip
    component = replace(with_components(BASE, f"{ONESTOP}/db", id="data", was=("db",)), flows=flows)
    assert lines(component) == [f"change {ONESTOP}/data: was db"]


def test_an_edit_of_a_system_that_no_shared_cloud_hosts_is_named() -> None:
    refused = with_system(BASE, hosted_system(level=5))
    assert lines(with_system(BASE, hosted_system(level=5, operator="vn83-police")), refused) == [
        f"change {ONESTOP}: operator vn83-dit → vn83-police"
    ]


def test_rows_in_another_order_change_nothing() -> None:
    turned = replace(FULL, flows=FULL.flows[::-1], components=FULL.components[::-1], lock=FULL.lock[::-1],
                     backups=FULL.backups[::-1], zone_networks=FULL.zone_networks[::-1])  # fmt: skip
    assert declared_changes(FULL, turned) == ()


def test_words_are_of_fields_that_exist() -> None:
    declared = [one for one in vars(values).values() if isinstance(one, type) and is_dataclass(one)]
    names = {field.name for one in declared for field in fields(one)}
    names |= {f"{one.__name__}.{field.name}" for one in declared for field in fields(one)}
    assert set(FIELD_WORDS) - names == set()
