"""Writes the wire contract (JSON Schema, AsyncAPI, the page of events) from the types; it must not contradict them.

Run: python -m telemetry.wire_schema --check | --write
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec

from telemetry.core.protocol import codec, event_texts, events, topics
from telemetry.core.protocol.presence import Presence
from telemetry.event_reference import render_event_reference

REFERENCE_FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
SCHEMA_FILE, ASYNCAPI_FILE, EVENTS_FILE = "events.schema.json", "asyncapi.json", "events.md"
DRAFT = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FORMAT = "application/schema+json;version=draft-2020-12"


class Frame(codec._StrictFrame, frozen=True, kw_only=True, forbid_unknown_fields=True):  # noqa: SLF001
    """The payload of `…/up`: rows of one outbox (`spool`), each an event with its own row number."""

    v: Literal[1]


class Receipt(codec.DeliveryReceipt, frozen=True, kw_only=True):
    """The payload of `…/receipt`: closed ranges of rows stored, and (row, reason) pairs rejected or deferred."""


class _ChannelSpec(NamedTuple):
    """A channel as the agent sees it; `payload` is a type in the schema file, empty where this package has none."""

    action: str
    description: str
    payload: str = ""
    content_type: str = "application/json"
    qos: int = 1
    retained: bool = False


_CHANNELS: dict[topics.TopicChannel, _ChannelSpec] = {
    "up": _ChannelSpec(
        "send", "Events of a device; sent again until a receipt names their rows.", "Frame", codec.CONTENT_TYPE
    ),
    "state": _ChannelSpec(
        "send", "Birth and death certificates; the Last Will is the death.", "Presence", retained=True
    ),
    "receipt": _ChannelSpec(
        "receive", "The outcome of rows; a row may be deleted once it is stored or rejected.", "Receipt", qos=0
    ),
    "config": _ChannelSpec(
        "receive",
        "The device's remote settings, a versioned document: {v, version, settings, valid_until?}. The agent tries a "
        "higher version, keeps it or goes back, and answers with a config.result event. "
        "See docs/how-to/configure-devices-remotely.md.",
        retained=True,
    ),
    "command": _ChannelSpec(
        "receive",
        "A command that expires: {v, id, command, args?, expires}; command is restart-source, flush or "
        "send-diagnostics. It runs at most once and is answered by a command.result event. "
        "See docs/how-to/configure-devices-remotely.md.",
    ),
}


def build_json_schema() -> dict[str, Any]:
    """Return the JSON Schema of every event, and of frame, receipt and presence; its root describes one event."""
    event_types = [*events.AGENT_EVENTS, *events.SERVER_EVENTS]
    _, defs = msgspec.json.schema_components([*event_types, Frame, Receipt, Presence], ref_template="#/$defs/{name}")
    for kind in event_types:
        definition = defs[kind.__name__]
        tag = str(kind.__struct_config__.tag)
        definition["properties"] = {
            name: value if name == "type" else {**value, "description": event_texts.meaning_of(tag, name)}
            for name, value in definition["properties"].items()
        }
    return {
        "$schema": DRAFT,
        "$id": SCHEMA_FILE,
        "title": "Motcua events, wire version 1",
        "description": "Times are Unix milliseconds; durations end in _ms, _s.",
        "oneOf": [{"$ref": f"#/$defs/{kind.__name__}"} for kind in event_types],
        "$defs": dict(sorted(defs.items())),
    }


def build_asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of the MQTT topics, as an agent sees them."""
    names = get_args(topics.TopicChannel)
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Motcua MQTT contract",
            "version": str(codec.VERSION),
            "description": f"MQTT 5. A frame is at most {codec.MAX_FRAME_BYTES} bytes on the wire; its content type "
            f"ends in {codec.ZLIB_SUFFIX} when it is compressed. A receipt has the server's answer to each row.",
        },
        "defaultContentType": "application/json",
        "channels": {name: _build_channel(name) for name in names},
        "operations": {f"agent.{name}": _build_operation(name) for name in names},
        "components": {"messages": {name: _build_message(name) for name in names}},
    }


_FRAME_HEADERS = {
    "type": "object",
    "description": "MQTT user properties: a frame's rows, so that one whose payload cannot be read is answered.",
    "properties": {
        "spool": {"type": "string", "description": "the outbox's id, as in the payload"},
        "from": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "the frame's first row number"},
        "to": {"type": "string", "pattern": "^[1-9][0-9]*$", "description": "the frame's last row number"},
    },
}


def _build_channel(name: topics.TopicChannel) -> dict[str, Any]:
    return {
        "address": f"{topics.TOPIC_ROOT}/{{centre}}/{{device}}/{name}",
        "description": _CHANNELS[name].description,
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "parameters": {
            "centre": {"description": "The centre's id: [a-z0-9-]{1,63}.", "examples": ["vn83-83"]},
            "device": {"description": "The device's id, its MQTT client id too.", "examples": ["vn83-83-kiosk1"]},
        },
    }


def _build_operation(name: topics.TopicChannel) -> dict[str, Any]:
    channel = _CHANNELS[name]
    return {
        "action": channel.action,
        "channel": {"$ref": f"#/channels/{name}"},
        "summary": channel.description,
        "bindings": {"mqtt": {"qos": channel.qos, "retain": channel.retained, "bindingVersion": "0.2.0"}},
        "messages": [{"$ref": f"#/channels/{name}/messages/{name}"}],
    }


def _build_message(name: topics.TopicChannel) -> dict[str, Any]:
    channel = _CHANNELS[name]
    message: dict[str, Any] = {"name": name, "contentType": channel.content_type}
    if channel.payload:
        schema = {"$ref": f"{SCHEMA_FILE}#/$defs/{channel.payload}"}
        message["payload"] = {"schemaFormat": SCHEMA_FORMAT, "schema": schema}
    if name == "up":
        message["headers"] = _FRAME_HEADERS
    return message


def render_documents() -> dict[str, bytes]:
    """Return the files' bytes by name."""
    schema = build_json_schema()
    contents = {SCHEMA_FILE: schema, ASYNCAPI_FILE: build_asyncapi()}
    files = {name: msgspec.json.format(msgspec.json.encode(doc), indent=2) + b"\n" for name, doc in contents.items()}
    return {**files, EVENTS_FILE: render_event_reference(schema).encode()}


def outdated_files(folder: Path = REFERENCE_FOLDER) -> list[str]:
    """Return the names of files that are missing or do not match the types."""
    return [
        name
        for name, body in render_documents().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != body
    ]


def write_documents(folder: Path = REFERENCE_FOLDER) -> None:
    """Write the files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, body in render_documents().items():
        (folder / name).write_bytes(body)


def main(argv: list[str] | None = None) -> int:
    """Write or check; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m telemetry.wire_schema", description=__doc__)
    mode = parser.add_mutually_exclusive_group(required=True)
    mode.add_argument("--write", action="store_true", help="write docs/reference")
    mode.add_argument("--check", action="store_true", help="fail when docs/reference does not match the types")
    if parser.parse_args(argv).write:
        write_documents()
    outdated = outdated_files()
    for name in outdated:
        sys.stderr.write(
            f"docs/reference/{name} does not match the types: run python -m telemetry.wire_schema --write\n"
        )
    return 1 if outdated else 0


if __name__ == "__main__":
    sys.exit(main())
