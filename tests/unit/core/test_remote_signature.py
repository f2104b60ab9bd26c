"""Who may sign for devices, as files and messages have it."""

from __future__ import annotations

import pytest

from telemetry.core.protocol.remote_signature import RemoteSigner, decode_base64, parse_signer, signed_bytes

KEY = bytes(range(32))


def test_a_signers_text_is_read_back() -> None:
    signer = RemoteSigner("lan.nguyen", KEY)
    assert parse_signer(signer.text) == signer
    assert parse_signer(f"  {signer.text}\n") == signer


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "not a signer's name"), ("Lan AAAA", "not a signer's name"), ("lan", "not 32 bytes"),
        ("lan AAAA", "not 32 bytes"), ("lan !!!!", "not 32 bytes"), ("lan " + "A" * 88, "not 32 bytes"),
    ],
)  # fmt: skip
def test_what_is_no_signer_is_a_fault_that_says_why(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_signer(text)


def test_a_signature_is_for_one_topic() -> None:
    assert signed_bytes("motcua/v1/c/d/config", b"{}") != signed_bytes("motcua/v1/c/e/config", b"{}")
    assert signed_bytes("t", b"{}").endswith(b"\nt\n{}")
    assert decode_base64("é") == b""
