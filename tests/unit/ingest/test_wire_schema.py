"""The published contract is what the types say, and what the codec writes is what it promises."""

from __future__ import annotations

import json
import types
from typing import TYPE_CHECKING, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
import pytest
from jsonschema import Draft202012Validator, ValidationError

from telemetry import wire_schema
from telemetry.core.protocol import codec, event_texts, events as ev, presence as pr, text_validation, topics

if TYPE_CHECKING:
    from pathlib import Path

KINDS = (*ev.AGENT_EVENTS, *ev.SERVER_EVENTS)
WORDS = {
    "label": "A012",
    "ranges": ((1, 2),),
    "dossier": "d-1",
    "ticket": "t-1",
    "sid": "s1",
    "rssi": -60,
    "every_ms": 60_000,
    "call": 2,
}


def published(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((wire_schema.REFERENCE_FOLDER / name).read_bytes())
    return found


def validator(kind: str = "") -> Draft202012Validator:
    doc = published(wire_schema.SCHEMA_FILE)
    if kind:
        doc = {"$ref": f"#/$defs/{kind}", "$defs": doc["$defs"]}
    return Draft202012Validator(doc)


def plausible(name: str, hint: Any) -> object:  # noqa: ANN401
    """A value of the field's type."""
    if name in WORDS:
        return WORDS[name]
    if get_origin(hint) is Literal:
        return get_args(hint)[0]
    if get_origin(hint) in {Union, types.UnionType}:
        return plausible(name, get_args(hint)[0])
    return {int: 1, float: 1.5, bool: True, str: "word", tuple: ()}[get_origin(hint) or hint]


def sample(kind: type[ev.Event], *, full: bool) -> ev.Event:
    """An event of the type with what it must have, or with everything."""
    hints = get_type_hints(kind)
    fields = [f for f in msgspec.structs.fields(kind) if f.required or full]
    values = {f.encode_name: plausible(f.name, hints[f.name]) for f in fields}
    event: ev.Event = msgspec.convert(values | {"type": kind.__struct_config__.tag}, kind)
    return event


def test_the_published_documents_are_what_the_types_say() -> None:
    assert wire_schema.outdated_files() == [], "run: python -m telemetry.wire_schema --write"


def test_check_sees_drift_and_write_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(wire_schema.outdated_files, "__defaults__", (tmp_path / "reference",))
    monkeypatch.setattr(wire_schema.write_documents, "__defaults__", (tmp_path / "reference",))
    assert wire_schema.main(["--check"]) == 1
    assert "--write" in capsys.readouterr().err
    assert wire_schema.main(["--write"]) == 0
    (tmp_path / "reference" / wire_schema.ASYNCAPI_FILE).write_text("{}")
    assert wire_schema.outdated_files(tmp_path / "reference") == [wire_schema.ASYNCAPI_FILE]
    assert wire_schema.main(["--check"]) == 1


def test_every_field_and_event_has_a_text_and_no_text_is_left_over() -> None:
    tags = {str(kind.__struct_config__.tag): kind for kind in KINDS}
    fields = {(tag, f.encode_name) for tag, kind in tags.items() for f in msgspec.structs.fields(kind)}
    assert all(event_texts.meaning_of(tag, name) for tag, name in fields)
    known = {name for _, name in fields} | {f"{tag}.{name}" for tag, name in fields}
    assert set(event_texts.FIELD_MEANINGS) <= known
    assert set(event_texts.EVENT_EXAMPLES) == set(tags)
    assert set(event_texts.EVENT_NOTES) <= set(tags)
    assert all(kind.__doc__ for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__struct_config__.tag))
def test_every_example_is_an_event(kind: type[ev.Event]) -> None:
    example = {**event_texts.example_of(str(kind.__struct_config__.tag)), "n": 1}
    validator().validate(example)
    assert isinstance(text_validation.convert_event(example, kind), kind)


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(published(wire_schema.SCHEMA_FILE))


def test_every_event_type_is_in_the_schema() -> None:
    doc = published(wire_schema.SCHEMA_FILE)
    assert [ref["$ref"] for ref in doc["oneOf"]] == [f"#/$defs/{kind.__name__}" for kind in KINDS]
    tags = {doc["$defs"][kind.__name__]["properties"]["type"]["enum"][0] for kind in KINDS}
    assert tags == {str(kind.__struct_config__.tag) for kind in KINDS}


@pytest.mark.parametrize("full", [False, True], ids=["needed", "all"])
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind.__struct_config__.tag))
def test_an_encoded_event_satisfies_the_schema(kind: type[ev.Event], full: bool) -> None:
    body = codec.encode_event(sample(kind, full=full))
    assert codec.decode_event(body) == sample(kind, full=full)
    validator().validate(json.loads(body))


@pytest.mark.parametrize(
    "change",
    [{"phone": "x"}, {"n": 0}, {"type": "ticket.eaten"}, {"queue": "Bad Id"}, {"channel": "pigeon"}, {"t": "soon"}],
    ids=lambda change: next(iter(change)),
)
def test_the_schema_refuses_what_the_decoder_refuses(change: dict[str, Any]) -> None:
    event = json.loads(codec.encode_event(sample(ev.TicketIssued, full=False))) | change
    with pytest.raises(ValidationError):
        validator().validate(event)
    with pytest.raises(msgspec.ValidationError):
        text_validation.convert_event(event, ev.TicketIssued)


def test_frames_receipts_and_presence_satisfy_the_schema() -> None:
    bodies = [codec.encode_event(sample(kind, full=False)) for kind in ev.AGENT_EVENTS]
    clock = codec.Clock(synced=True, error_ms=2.5)
    validator("Frame").validate(json.loads(codec.encode_frame("01SPOOL", "01BOOT", 5, bodies, clock)))
    receipt = codec.DeliveryReceipt(
        spool="01SPOOL", ranges=[(1, 3)], rejected=[(4, "malformed")], deferred=[(5, "future")]
    )
    validator("Receipt").validate(json.loads(codec.encode_receipt(receipt)))
    validator("Presence").validate(json.loads(pr.encode_presence(pr.Presence(online=True, sid="s1", t=5))))


def test_a_frame_of_another_version_or_with_a_server_event_is_refused() -> None:
    frame = json.loads(codec.encode_frame("01SPOOL", "01BOOT", 5, []))
    with pytest.raises(ValidationError):
        validator("Frame").validate(frame | {"v": 2})
    contact = json.loads(codec.encode_event(ev.DeviceContact(n=1, t=1)))
    with pytest.raises(ValidationError):
        validator("Frame").validate(frame | {"events": [contact]})


def test_each_channel_is_addressed_as_the_topics_are() -> None:
    doc = published(wire_schema.ASYNCAPI_FILE)
    assert doc["asyncapi"] == "3.0.0"
    assert set(doc["channels"]) == set(get_args(topics.TopicChannel))
    for name, channel in doc["channels"].items():
        path = topics.Topic("vn83-83", "vn83-83-kiosk1", name).path
        assert channel["address"].format(centre="vn83-83", device="vn83-83-kiosk1") == path
        assert set(channel["parameters"]) == {"centre", "device"}


def test_every_reference_of_the_asyncapi_document_leads_somewhere() -> None:
    docs = {"": published(wire_schema.ASYNCAPI_FILE), wire_schema.SCHEMA_FILE: published(wire_schema.SCHEMA_FILE)}
    refs: list[str] = []
    pending: list[Any] = list(docs.values())
    while pending:
        one = pending.pop()
        if isinstance(one, dict):
            refs += [one["$ref"]] if isinstance(one.get("$ref"), str) else []
        pending += list(one.values()) if isinstance(one, dict) else one if isinstance(one, list) else []
    for ref in refs:
        file, _, pointer = ref.partition("#/")
        for document in [docs[file]] if file else docs.values():
            found: Any = document
            for part in pointer.split("/"):
                found = found.get(part, {})
            if found:
                break
        assert found, ref


def test_the_agent_sends_events_and_presence_and_receives_the_rest() -> None:
    doc = published(wire_schema.ASYNCAPI_FILE)
    actions = {
        operation["channel"]["$ref"].split("/")[-1]: operation["action"] for operation in doc["operations"].values()
    }
    assert actions == {"up": "send", "state": "send", "receipt": "receive", "config": "receive", "command": "receive"}
