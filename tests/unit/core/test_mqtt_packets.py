"""Checks MQTT packets as bytes, against the library that speaks to brokers."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from telemetry.mqtt import packets

words = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=40)


def packed(kind: str = "", user: list[tuple[str, str]] | None = None, **numbers: int) -> bytes:
    """Properties as paho writes them, without their length."""
    made = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
    if kind:
        made.ContentType = kind
    if user:
        made.UserProperty = user
    for name, value in numbers.items():
        setattr(made, name, value)
    whole: bytes = made.pack()  # type: ignore[no-untyped-call]
    return whole[packets._decode_varint(whole, 0)[1] :]  # type: ignore[index]


def framed(command: int, topic: str, mid: int, properties: bytes, payload: bytes) -> bytes:
    name = topic.encode()
    number = mid.to_bytes(2) if command & 0x06 else b""
    body = len(name).to_bytes(2) + name + number + packets.encode_varint(len(properties)) + properties + payload
    return bytes([command]) + packets.encode_varint(len(body)) + body


@given(st.lists(st.tuples(words.filter(bool), st.integers(1, 65535), st.binary(max_size=300))), st.integers(0, 2_000))
def test_packets_come_out_whole_wherever_the_bytes_are_cut(sent: list[tuple[str, int, bytes]], cut: int) -> None:
    data = b"".join(framed(0x32, topic, mid, b"", payload) for topic, mid, payload in sent)
    head, tail = data[:cut], data[cut:]
    found, rest = packets.split_packets(head)
    said = [packets.parse_publish(head, packet) for packet in found]
    tail = head[rest:] + tail
    found, rest = packets.split_packets(tail)
    said += [packets.parse_publish(tail, packet) for packet in found]
    assert rest == len(tail)
    assert said == [(topic, mid, b"", payload) for topic, mid, payload in sent]


@given(words, st.lists(st.tuples(words, words), max_size=4), st.integers(0, 2**32 - 1), st.binary(max_size=200))
def test_properties_are_read_as_paho_writes_them(
    kind: str, user: list[tuple[str, str]], expiry: int, payload: bytes
) -> None:
    written = packed(kind, user, MessageExpiryInterval=expiry, PayloadFormatIndicator=1, TopicAlias=3)
    data = framed(0x32, "a/b", 7, written, payload)
    ((command, start, end),), _ = packets.split_packets(data)
    assert packets.parse_publish(data, (command, start, end)) == ("a/b", 7, written, payload)
    assert packets.content_type_of(written) == kind
    assert [(name, value) for which, name, value in packets.parse_properties(written) if which == 0x26] == user


@pytest.mark.parametrize("size", [0, 1, 100, 200, 20_000])
def test_long_properties_and_no_packet_id(size: int) -> None:
    written = packed(user=[("k", "v" * size)])
    data = framed(0x30, "a/b", 0, written, b"payload")
    (packet,), _ = packets.split_packets(data)
    assert packets.parse_publish(data, packet) == ("a/b", 0, written, b"payload")


def test_texts_that_the_library_refuses_are_texts_here() -> None:
    bad = b"\x03\x00\x03a\x00b\x26\x00\x01k\x00\x03\xef\xbb\xbf\x26\x00\x01l\x00\x01\xff"
    assert packets.content_type_of(bad) == "a\x00b"
    assert packets.content_type_of(b"") == ""
    assert list(packets.parse_properties(bad))[1:] == [(0x26, "k", "\ufeff"), (0x26, "l", "\ufffd")]


def test_a_subscription_identifier_and_a_response_topic_are_passed_over() -> None:
    assert packets.content_type_of(b"\x0b\x80\x01\x08\x00\x01r\x09\x00\x01c\x03\x00\x01x") == "x"


@pytest.mark.parametrize("bad", [b"\x7f\x00", b"\x26\x00", b"\x0b\x80", b"\x03\x00"])
def test_properties_end_at_what_cannot_be_read(bad: bytes) -> None:
    list(packets.parse_properties(bad))
    assert packets.content_type_of(bad) == ""


def test_a_length_of_five_bytes_is_refused_and_an_unfinished_one_waited_for() -> None:
    assert packets.split_packets(b"\x30\xff\xff") == ([], 0)
    with pytest.raises(ValueError, match="four bytes"):
        packets.split_packets(b"\x30\xff\xff\xff\xff\x01")


@given(words.filter(bool), st.binary(max_size=40_000))
def test_what_is_published_is_what_is_read(topic: str, payload: bytes) -> None:
    data = packets.encode_publish(topic, payload)
    (packet,), rest = packets.split_packets(data)
    assert (packet[0], rest) == (packets.PUBLISH, len(data))
    assert packets.parse_publish(data, packet) == (topic, 0, b"", payload)


def test_acknowledgements_follow_each_other() -> None:
    assert packets.encode_pubacks([1, 65535]) == b"\x40\x02\x00\x01\x40\x02\xff\xff"
    assert packets.split_packets(packets.encode_pubacks([1, 65535]))[0] == [
        (packets.PUBACK, 2, 4),
        (packets.PUBACK, 6, 8),
    ]
