"""Presence: certificates round trip; anything else is None."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, strategies as st

from telemetry.core.protocol.presence import Presence, decode_presence, encode_presence

_TEXTS = st.from_regex(r"[A-Za-z0-9._+:-]{0,64}", fullmatch=True)
certificates = st.builds(
    Presence,
    online=st.booleans(),
    sid=_TEXTS,
    boot=_TEXTS,
    t=st.none() | st.integers(0, 1 << 53),
    agent=_TEXTS,
    reason=_TEXTS,
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


@pytest.mark.parametrize(
    "changes",
    [
        {"sid": "x" * 65}, {"sid": "a\n"}, {"sid": "a\u0000"}, {"sid": "\u202e"}, {"sid": None}, {"boot": "x" * 65},
        {"agent": "Ø"}, {"reason": "two words"}, {"t": -1}, {"t": 1 << 60}, {"t": 1e300}, {"t": "1"},
    ],
)  # fmt: skip
def test_a_field_outside_its_range_is_no_certificate(changes: dict[str, object]) -> None:
    good = {"online": True, "sid": "x" * 64, "boot": "", "agent": "2.1", "reason": "start", "t": 1 << 53}
    assert decode_presence(msgspec.json.encode(good)) is not None
    assert decode_presence(msgspec.json.encode(good | changes)) is None
