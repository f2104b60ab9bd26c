"""Names of hosted systems: at most 63 characters, and two different things never have one name."""

from __future__ import annotations

import pytest
from hypothesis import example, given, strategies as st

from infra.plan.cloud.names import policy_name, project_name
from infra.plan.cloud.values import Endpoint
from telemetry.core.cloud.physical_names import short_name, zone_name
from tests.cloud_declarations import NAMES, SYSTEM_IDS
from tests.property_sizes import sized

ZONES = st.sampled_from(("dmz", "server", "database"))
_TO_NAMES = st.one_of(NAMES, st.sampled_from(("a-to-b", "b-to-c", "c", "x-to", "to-y", "to")))
ENDS = st.one_of(
    st.builds(Endpoint, st.just("component"), _TO_NAMES, st.sampled_from(("vn83-a", "vn83-a-to-b"))),
    st.builds(Endpoint, st.sampled_from(("edge", "outside", "platform", "operator")), _TO_NAMES),
)
POLICIES = st.tuples(ENDS, ENDS, st.sampled_from(("80", "443", "53-udp")), st.sampled_from(("out", "in")))
Policy = tuple[Endpoint, Endpoint, str, str]


def component(name: str, system: str = "vn83-a") -> Endpoint:
    return Endpoint("component", name, system)


def test_names_have_what_stays_only() -> None:
    assert zone_name("vn83-onestop", "dmz") == "vn83-onestop-dmz"
    assert project_name("vn83-onestop", "prod") == "vn83-onestop-prod"
    web, app = component("web"), component("app")
    assert policy_name(web, app, "8081", "out") == "web-to-app-8081-out"
    assert policy_name(Endpoint("edge", "internet"), web, "8080", "in") == "edge.internet-to-web-8080-in"
    across = policy_name(component("app", "vn83-portal"), component("gw", "vn83-onestop"), "8443", "in")
    assert across == "vn83-portal.app-to-vn83-onestop.gw-8443-in"


def test_a_name_that_is_too_long_ends_with_a_digest_of_all_of_it() -> None:
    one, other = (zone_name(f"vn83-{'x' * 60}{last}", "dmz") for last in "ab")
    assert len(one) == len(other) == 63
    assert one != other


def test_a_name_that_looks_like_a_digest_gets_one() -> None:
    long = f"vn83-{'x' * 60}"
    assert short_name(short_name(long, "dmz")) != short_name(long, "dmz")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((component("a-to-b"), component("c")), (component("a"), component("b-to-c"))),
        ((component("x"), component("to-y")), (component("x-to"), component("y"))),
    ],
)
def test_a_dash_inside_of_an_id_does_not_move_the_boundary(
    one: tuple[Endpoint, Endpoint], other: tuple[Endpoint, Endpoint]
) -> None:
    assert policy_name(*one, "80", "in") != policy_name(*other, "80", "in")


@sized(200, 500)
@given(SYSTEM_IDS, ZONES, SYSTEM_IDS, ZONES)
@example("vn83-a", "dmz", "vn83-a-dmz", "server")
def test_two_zones_never_have_one_name(one: str, zone: str, other: str, other_zone: str) -> None:
    names = [short_name(one, zone), short_name(other, other_zone)]
    assert all(0 < len(name) <= 63 for name in names)
    assert (names[0] == names[1]) is ((one, zone) == (other, other_zone))


@sized(200, 500)
@given(POLICIES, POLICIES)
def test_two_policies_of_one_namespace_never_have_one_name(one: Policy, other: Policy) -> None:
    names = [policy_name(*one), policy_name(*other)]
    assert all(len(name) <= 63 for name in names)
    assert one == other or names[0] != names[1] or _are_alike(one, other)


def _are_alike(one: Policy, other: Policy) -> bool:
    """Whether two policies differ in the one system only that both their ends are in: never in one namespace."""
    plain = [tuple((end.kind, end.name) for end in policy[:2]) + policy[2:] for policy in (one, other)]
    across = [all(end.kind == "component" for end in policy[:2]) and policy[0].system != policy[1].system
              for policy in (one, other)]  # fmt: skip
    return plain[0] == plain[1] and not any(across)
