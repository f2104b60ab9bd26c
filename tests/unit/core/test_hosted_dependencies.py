"""Which failed component explains which others: chains, forks, rings, and the layers of a request's path."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from hypothesis import given, strategies as st

from telemetry.core.hosted.dependencies import (
    FailureExplanation,
    call_layers,
    closed_path_state,
    explain_failure,
    nearest_called,
    root_causes,
    victims_of,
)

if TYPE_CHECKING:
    from telemetry.core.fold.live_row_types import AvailabilityState

CHAIN = {"portal": ("web",), "web": ("app",), "app": ("db", "cache")}


def test_a_dead_database_explains_all_that_depend_on_it() -> None:
    causes = root_causes({"portal", "web", "app", "db"}, CHAIN)
    assert causes == dict.fromkeys(("portal", "web", "app", "db"), "db")
    assert victims_of("db", causes) == ("app", "portal", "web")


def test_what_answers_is_no_link_between_failures() -> None:
    assert root_causes({"portal", "db"}, CHAIN) == {"portal": "portal", "db": "db"}
    assert root_causes((), CHAIN) == {}


def test_the_nearest_cause_counts_and_then_the_first_by_id() -> None:
    calls = {"web": ("app", "search"), "app": ("db",), "search": ()}
    assert root_causes({"web", "app", "db", "search"}, calls)["web"] == "search"
    assert root_causes({"app", "db", "cache"}, CHAIN)["app"] == "cache"


def test_a_ring_has_one_cause_together() -> None:
    ring = {"a": ("b",), "b": ("c",), "c": ("a",), "d": ("c",)}
    assert root_causes({"a", "b", "c", "d"}, ring) == dict.fromkeys("abcd", "a")
    assert root_causes({"a", "b", "c", "d"}, {**ring, "b": ("c", "e")})["d"] == "a", "e answers"
    assert root_causes({*"abcde"}, {**ring, "b": ("c", "e")}) == dict.fromkeys("abcde", "e")


@given(st.dictionaries(st.sampled_from("abcdefg"), st.lists(st.sampled_from("abcdefg"), max_size=4), max_size=7),
       st.sets(st.sampled_from("abcdefg")))  # fmt: skip
def test_each_failure_has_a_failed_cause_that_explains_itself(calls: dict[str, list[str]], failed: set[str]) -> None:
    causes = root_causes(failed, calls)
    assert set(causes) == failed
    assert all(causes[cause] == cause for cause in causes.values())


def test_the_nearest_wanted_node_is_found_over_others() -> None:
    assert nearest_called("portal", {"db", "cache"}, CHAIN) == "cache"
    assert nearest_called("portal", {"app", "db"}, CHAIN) == "app"
    assert nearest_called("db", {"db", "app"}, CHAIN) is None
    assert nearest_called("portal", (), CHAIN) is None


def test_the_layers_follow_a_request_and_end_with_what_none_reaches() -> None:
    calls = {"web": ("app", "web"), "app": ("db", "cache"), "job": ("db",)}
    members = ("app", "cache", "db", "job", "web")
    layers = call_layers(["web"], calls, members)
    assert layers == [["web"], ["app"], ["cache", "db"], ["job"]]
    assert sorted(chain(*layers)) == sorted(members)
    assert call_layers(["web", "elsewhere"], {"web": ("elsewhere",)}, ("web",)) == [["web"]]


STATES: dict[str, AvailabilityState] = dict.fromkeys(("portal", "web", "app", "db", "cache"), "up")
PARTS = ("app", "cache", "db", "web")


def test_a_failure_is_explained_by_the_component_that_failed_first() -> None:
    down: dict[str, AvailabilityState] = dict.fromkeys(("portal", "web", "app", "db"), "down")
    why = explain_failure("portal", PARTS, STATES | down, CHAIN)
    assert why == FailureExplanation("component", "db", ("app", "portal", "web"))
    assert explain_failure("portal", PARTS, STATES | {"db": "down"}, CHAIN) == FailureExplanation("component", "db")
    assert explain_failure("portal", PARTS, STATES, CHAIN) is None


def test_up_inside_and_down_outside_is_the_network() -> None:
    outside: dict[str, AvailabilityState] = {"portal": "down"}
    assert explain_failure("portal", PARTS, STATES | outside, CHAIN) == FailureExplanation("network", "portal")
    silent: dict[str, AvailabilityState] = {"portal": "down", "web": "unknown"}
    assert explain_failure("portal", PARTS, STATES | silent, CHAIN) == FailureExplanation("unseen", "portal")
    assert explain_failure("portal", (), outside, {}) == FailureExplanation("unseen", "portal")


def test_a_path_is_closed_only_while_its_target_answers_somebody_else() -> None:
    assert closed_path_state("up", "up") == "closed"
    assert closed_path_state("down", "down") == "open"
    assert [
        closed_path_state("up", "down"),
        closed_path_state("up", "unknown"),
        closed_path_state("unknown", "up"),
    ] == ["unknown"] * 3
