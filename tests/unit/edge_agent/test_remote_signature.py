"""Signatures of configurations and commands: RFC 8032's vectors, another library's keys, and what an agent refuses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings, strategies as st

from edge_agent.remote.commands import CommandLog
from edge_agent.remote.rollout import DeviceFacts, Rollout, RolloutState
from edge_agent.remote.settings import ConfigDocument, RemoteSettings
from edge_agent.remote.signature import SignatureCheck, is_signature_of
from motcua.device_operations.signing import MessageSigner
from telemetry.core.protocol.remote_signature import RemoteSigner
from telemetry.core.protocol.topics import Topic

if TYPE_CHECKING:
    from telemetry.core.protocol.topics import TopicChannel

WALL = 1_767_225_600_000
CENTRE, DEVICE = "vn83-83", "vn83-83-kiosk1"
ORDER = 2**252 + 27742317777372353535851937790883648493
# RFC 8032, 7.1: secret key, public key, message, signature.
VECTORS = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("public", "message", "signature"), VECTORS)
def test_the_vectors_of_rfc_8032_hold(public: str, message: str, signature: str) -> None:
    key, text, sign = (bytes.fromhex(value) for value in (public, message, signature))
    assert is_signature_of(key, text, sign)
    assert not is_signature_of(key, text + b"x", sign)
    assert not is_signature_of(
        key, text, sign[:32] + (int.from_bytes(sign[32:], "little") + ORDER).to_bytes(32, "little")
    )
    assert not is_signature_of(key, text, sign[:63])
    assert not is_signature_of(key[:31], text, sign)


@pytest.mark.parametrize("y", [2**255 - 19, 2**255 - 1, 2, 1 | 1 << 255])
def test_a_key_that_is_no_point_of_the_curve_signs_nothing(y: int) -> None:
    assert not is_signature_of(y.to_bytes(32, "little"), b"", bytes(64))


@settings(max_examples=10)
@given(secret=st.binary(min_size=32, max_size=32), message=st.binary(max_size=200), bit=st.integers(0, 511))
def test_it_agrees_with_another_library_and_refuses_any_changed_bit(secret: bytes, message: bytes, bit: int) -> None:
    key = Ed25519PrivateKey.from_private_bytes(secret)
    signature, public = key.sign(message), key.public_key().public_bytes_raw()
    assert is_signature_of(public, message, signature)
    flipped = (int.from_bytes(signature, "big") ^ 1 << bit).to_bytes(64, "big")
    assert not is_signature_of(public, message, flipped)


KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
LAN = MessageSigner("lan", KEY)
CHECK = SignatureCheck(CENTRE, DEVICE, (RemoteSigner("lan", KEY.public_key().public_bytes_raw()),))


@pytest.mark.parametrize(
    ("device", "channel", "signer", "payload", "refusal"),
    [
        (DEVICE, "command", LAN, b"{}", ""),
        (DEVICE, "command", LAN, b"{ }", "bad-signature"),
        ("vn83-83-kiosk2", "command", LAN, b"{}", "bad-signature"),
        (DEVICE, "config", LAN, b"{}", "bad-signature"),
        (DEVICE, "command", MessageSigner("minh", KEY), b"{}", "unknown-signer"),
        (DEVICE, "command", MessageSigner("lan", Ed25519PrivateKey.generate()), b"{}", "bad-signature"),
    ],
)
def test_a_signature_is_for_one_device_one_channel_and_one_payload(
    device: str, channel: TopicChannel, signer: MessageSigner, payload: bytes, refusal: str
) -> None:
    properties = signer.sign(Topic(CENTRE, device, channel).path, b"{}")
    assert CHECK.refusal("command", payload, properties) == refusal


def test_without_signers_nothing_needs_a_signature_and_with_them_everything_does() -> None:
    assert CHECK.refusal("command", b"{}", {}) == "not-signed"
    assert SignatureCheck(CENTRE, DEVICE).refusal("command", b"{}", {}) == ""
    assert SignatureCheck(CENTRE, DEVICE).refusal("command", b"{}", {"signature": "?"}) == ""


def test_a_refused_command_is_answered_and_leaves_its_id_to_the_signed_one() -> None:
    payload = json.dumps({"v": 1, "id": "a", "command": "flush", "expires": WALL + 60_000}).encode()
    log = CommandLog()
    refused = log.decide(payload, WALL, retained=False, signature_refusal="not-signed")
    assert refused is not None
    assert (refused.outcome, refused.reason) == ("failed", "not-signed")
    signed = log.decide(payload, WALL, retained=False)
    assert signed is not None
    assert signed.outcome is None


def test_a_refused_configuration_is_answered_once_and_an_old_one_not_at_all() -> None:
    document = ConfigDocument(v=1, version=3, settings=RemoteSettings(linger_ms=9))
    payload = b'{"v":1,"version":3,"settings":{"linger_ms":9}}'
    facts = DeviceFacts(WALL, frozenset(), 1, "bad-signature")
    rollout = Rollout(RolloutState())
    transition = rollout.on_offer(payload, facts)
    assert transition is not None
    assert transition.state.answer is not None
    assert (transition.state.answer.outcome, transition.state.answer.reason) == ("rejected", "bad-signature")
    rollout.commit(transition)
    assert rollout.on_offer(payload, facts) is None
    accepted = rollout.on_offer(payload, DeviceFacts(WALL, frozenset(), 1))
    assert accepted is not None
    assert accepted.state.trial == document
    # The one in force was published before devices knew signers: its retained copy stays what it is.
    assert Rollout(RolloutState(committed=document, seen=3)).on_offer(payload, facts) is None
