"""Presence: certificates round trip; anything else is None."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.protocol.presence import Presence, decode_presence, encode_presence

certificates = st.builds(
    Presence,
    online=st.booleans(),
    sid=st.text(max_size=20),
    boot=st.text(max_size=20),
    t=st.none() | st.integers(0, 1 << 53),
    agent=st.text(max_size=20),
    reason=st.text(max_size=20),
)


@given(certificates)
def test_a_certificate_comes_back_as_it_was(presence: Presence) -> None:
    assert decode_presence(encode_presence(presence)) == presence


def test_a_will_holds_nothing_but_its_connection() -> None:
    assert encode_presence(Presence(online=False, sid="s1")) == b'{"online":false,"sid":"s1"}'


@pytest.mark.parametrize("payload", [b"", b"online", b"[]", b'{"online":1,"sid":"s"}', b"\xff", b"[" * 100_000])
def test_anything_else_is_none(payload: bytes) -> None:
    assert decode_presence(payload) is None


@given(st.binary(max_size=60))
def test_arbitrary_bytes_never_raise(payload: bytes) -> None:
    assert decode_presence(payload) is None or payload
