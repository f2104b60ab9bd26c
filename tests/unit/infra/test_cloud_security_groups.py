"""The evaluator of security groups: groups only allow, and both ends must."""

from __future__ import annotations

import pytest

from infra.plan.cloud.security_groups import NetworkPort, SecurityGroupRule, groups_allow

WEB = NetworkPort("10.0.1.5", frozenset({"web"}))
APP = NetworkPort("10.0.2.5", frozenset({"app"}))
OUTSIDE = NetworkPort("203.0.113.7")
OUT = SecurityGroupRule("web", "egress", "tcp", 8081, 8081, remote_group="app")
IN = SecurityGroupRule("app", "ingress", "tcp", 8081, 8081, remote_group="web")


def test_a_connection_needs_a_rule_at_both_ends() -> None:
    assert groups_allow([OUT, IN], WEB, APP, 8081)
    assert not groups_allow([OUT], WEB, APP, 8081)
    assert not groups_allow([IN], WEB, APP, 8081)
    assert not groups_allow([], WEB, APP, 8081)
    assert not groups_allow([OUT, IN], APP, WEB, 8081)


def test_port_and_protocol_count() -> None:
    assert not groups_allow([OUT, IN], WEB, APP, 8082)
    assert not groups_allow([OUT, IN], WEB, APP, 8081, "udp")
    span = [SecurityGroupRule("web", "egress"), SecurityGroupRule("app", "ingress", "tcp", 8000, 8100)]
    assert groups_allow(span, WEB, APP, 8100)
    assert not groups_allow(span, WEB, APP, 8101)
    one = [SecurityGroupRule("web", "egress"), SecurityGroupRule("app", "ingress", "tcp", 8000)]
    assert groups_allow(one, WEB, APP, 8000)
    assert not groups_allow(one, WEB, APP, 8001)


def test_a_network_is_that_of_the_other_end() -> None:
    rule = SecurityGroupRule("app", "ingress", "tcp", 443, 443, remote_network="203.0.113.0/24")
    assert groups_allow([rule], OUTSIDE, APP, 443)
    assert not groups_allow([rule, SecurityGroupRule("web", "egress")], WEB, APP, 443)


def test_a_group_is_not_that_of_a_port_outside() -> None:
    assert not groups_allow([IN], OUTSIDE, APP, 8081)


def test_a_port_with_no_group_at_all_is_closed() -> None:
    assert not groups_allow([OUT, IN], NetworkPort("10.0.1.5", frozenset()), APP, 8081)


def test_a_rule_with_group_and_network_is_refused() -> None:
    rule = SecurityGroupRule("app", "ingress", remote_group="web", remote_network="10.0.0.0/8")
    with pytest.raises(ValueError, match="names a group and a network"):
        groups_allow([rule], OUTSIDE, APP, 1)
