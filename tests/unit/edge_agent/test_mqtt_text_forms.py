"""JSON that others publish: marks, NULs and other forms of Unicode are no fault of a message."""

from __future__ import annotations

import codecs
import json
import zlib
from typing import TYPE_CHECKING

import pytest

from edge_agent.remote.commands import CommandLog
from edge_agent.remote.settings import ConfigRejected, RemoteSettings, parse_document
from telemetry.core.protocol import codec
from telemetry.core.protocol.presence import Presence, decode_presence

if TYPE_CHECKING:
    from collections.abc import Callable

NOW = 1_767_225_600_000
FORMS: dict[str, Callable[[str], bytes]] = {
    "UTF-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "UTF-16 with a mark": lambda text: text.encode("utf-16"),
    "UTF-16, big end first": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-16 without a mark": lambda text: text.encode("utf-16-le"),
    "UTF-32": lambda text: text.encode("utf-32"),
    "NULs before the first byte": lambda text: b"\0\0\0" + text.encode(),
    "NULs before a mark": lambda text: b"\0\0" + text.encode("utf-8-sig"),
    "NULs at the end": lambda text: text.encode() + b"\0\0",
}
ROW = {"n": 1, "t": NOW, "type": "ticket.issued", "ticket": "k3f9", "queue": "land", "service": "land"}


@pytest.fixture(params=FORMS)
def save(request: pytest.FixtureRequest) -> Callable[[str], bytes]:
    return FORMS[request.param]


def frame(*rows: object) -> str:
    return json.dumps({"v": 1, "spool": "01JH", "events": list(rows)})


def test_a_receipt_is_read_in_every_form(save: Callable[[str], bytes]) -> None:
    receipt = codec.decode_receipt(save('{"spool": "01JH", "ranges": [[1, 4]]}'))
    assert receipt == codec.DeliveryReceipt(spool="01JH", ranges=[(1, 4)])


def test_a_birth_and_a_will_are_read_in_every_form(save: Callable[[str], bytes]) -> None:
    assert decode_presence(save('{"online": false, "sid": "s1"}')) == Presence(online=False, sid="s1")


def test_a_configuration_is_read_in_every_form(save: Callable[[str], bytes]) -> None:
    document = parse_document(save('{"v": 1, "version": 7, "settings": {"linger_ms": 50}}'))
    assert (document.version, document.settings) == (7, RemoteSettings(linger_ms=50))


def test_a_configuration_that_is_rejected_is_answered_with_its_version_in_every_form(
    save: Callable[[str], bytes],
) -> None:
    with pytest.raises(ConfigRejected) as caught:
        parse_document(save('{"v": 1, "version": 7, "settings": {"linger_ms": -1}}'))
    assert (caught.value.version, caught.value.reason) == (7, "bad-settings-linger-ms")


def test_a_command_is_read_in_every_form(save: Callable[[str], bytes]) -> None:
    text = json.dumps({"v": 1, "id": "c1", "command": "flush", "expires": NOW + 60_000})
    decision = CommandLog().decide(save(text), NOW, retained=False)
    assert decision is not None
    assert (decision.command.id, decision.outcome) == ("c1", None)


@pytest.mark.parametrize("suffix", ["", codec.ZLIB_SUFFIX])
def test_a_frame_is_stored_in_every_form(save: Callable[[str], bytes], suffix: str) -> None:
    payload = save(frame(ROW, {**ROW, "n": 2}))
    decoded = codec.decode_frame(zlib.compress(payload) if suffix else payload, codec.CONTENT_TYPE + suffix, NOW)
    assert ([event.n for event in decoded.events], decoded.outbox_id) == ([1, 2], "01JH")
    assert (decoded.rejected, decoded.deferred, decoded.unidentified) == ([], [], [])


def test_personal_data_in_another_form_is_refused(save: Callable[[str], bytes]) -> None:
    decoded = codec.decode_frame(save(frame({**ROW, "ticket": "0912345678"})), codec.CONTENT_TYPE, NOW)
    assert (decoded.events, decoded.rejected) == ([], [(1, "personal_data")])
