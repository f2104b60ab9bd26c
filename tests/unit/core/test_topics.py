"""Topics: a round trip for ours, None for everything else."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given, strategies as st

from telemetry.core.protocol.topics import Topic, TopicChannel, parse_topic, topic_filter

ids = st.from_regex(r"[a-z0-9-]{1,63}", fullmatch=True)
channels: st.SearchStrategy[TopicChannel] = st.sampled_from(get_args(TopicChannel))


@given(ids, ids, channels)
def test_parse_returns_the_topic_that_was_sent(centre: str, device: str, channel: TopicChannel) -> None:
    topic = Topic(centre, device, channel)
    assert parse_topic(topic.path) == topic


@given(st.text(max_size=80))
def test_parse_never_raises_whatever_the_text(text: str) -> None:
    topic = parse_topic(text)
    assert topic is None or topic.path == text


@pytest.mark.parametrize(
    "path",
    [
        "",
        "motcua/v1/c/d",
        "motcua/v1/c/d/up/x",
        "motcua/v2/c/d/up",
        "motcua/v1/C/d/up",
        "motcua/v1/c/d_1/up",
        "motcua/v1/c/d/down",
        "motcua/v1/+/d/up",
        "motcua/v1/c/d\n/up",
        "motcua/v1//d/up",
        "motcua/v1/" + "a" * 64 + "/d/up",
    ],
)
def test_a_path_outside_the_schema_is_none(path: str) -> None:
    assert parse_topic(path) is None


def test_a_topic_refuses_an_unknown_id() -> None:
    with pytest.raises(ValueError, match="not a topic of ours: A/d/up"):
        Topic("A", "d", "up")


def test_another_channel_of_the_same_device_keeps_its_ids() -> None:
    assert Topic("c", "d", "up").with_channel("receipt") == Topic("c", "d", "receipt")


def test_a_filter_names_all_devices_and_its_group_when_shared() -> None:
    assert topic_filter("up") == "motcua/v1/+/+/up"
    assert topic_filter("up", share="ingest") == "$share/ingest/motcua/v1/+/+/up"
