"""Writes `docs/reference/events.md` from the event types and their texts; it must not contradict either."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from telemetry.core.protocol import event_texts, events as ev

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_HEAD = """# Events

<!-- Written by `python -m telemetry.wire_schema --write` from the types; a test fails when they differ. -->

A program on a device sends events to its agent; the agent numbers them and delivers them without loss. Send JSON to the
agent's local endpoint ([Connect a kiosk](../how-to/connect-a-kiosk.md)), or append it to a file that the agent reads
([sources](sources.md)). The same rules as JSON Schema: [`events.schema.json`](events.schema.json); the MQTT side:
[`asyncapi.json`](asyncapi.json).

- `type` is always needed. `t` is the capture time in **Unix milliseconds**; without it the event happened now. Accepted
  are times from 400 days ago to 5 minutes ahead.
- All times are Unix milliseconds, durations end in `_ms`. A name in **bold** is needed, the others have the default
  shown.
- Ids (`queue`, `service`, `counter`, …) are `a-z`, `0-9` and `-`, at most 63 characters. A text of 9 to 13 digits is
  refused as a phone or identity number: no name, number or address of a person may be in an event.
- An unknown field is refused, so that nothing is sent that nobody reads.
- Every event stands alone: a call repeats when the ticket `entered`, an end repeats when it was `called`.

The examples use one moment, %s (2026-01-01 07:00 in Việt Nam). To try one, save it as `event.json`, take out or
correct its times, and check it without storing it:

```sh
curl -sS 'http://127.0.0.1:8137/events?validate=1' --data-binary @event.json
```
"""
_GROUPS: dict[str, tuple[str, ...]] = {
    "Tickets": ("ticket.",), "Counters, kiosks, displays": ("counter.", "kiosk.", "display.", "device.heartbeat"),
    "Centres": ("centre.", "schedule.", "link.", "rating."),
    "Digital systems": ("probe.", "connector.", "database."),
    "Digital administration": (
        "payment.", "dossier.", "eform.", "sign.", "auth.", "doc.", "petition.", "sync.", "catalogue.",
    ),
}  # fmt: skip


def render_event_reference(schema: Mapping[str, Any]) -> str:
    """Return the page; `schema` is the JSON Schema of every event, with `$defs` by the name of the type."""
    parts = [_HEAD % event_texts.EXAMPLE_TIME]
    posted = [kind for kind in ev.AGENT_EVENTS if kind not in event_texts.AGENT_ONLY_EVENTS]
    for title, prefixes in _GROUPS.items():
        kinds = [kind for kind in posted if _tag_of(kind).startswith(prefixes)]
        parts += [f"## {title}\n", *(_render_event(kind, schema) for kind in kinds)]
    parts.append("## Written by the agent\n\nPrograms cannot send these; the local endpoint refuses them.\n")
    parts += [_render_event(kind, schema) for kind in event_texts.AGENT_ONLY_EVENTS]
    parts.append("## Written by the server\n\nNo device sends these; they appear in the store only.\n")
    parts += [_render_event(kind, schema) for kind in ev.SERVER_EVENTS]
    return "\n".join(parts)


def _tag_of(kind: type[ev.Event]) -> str:
    return str(kind.__struct_config__.tag)


def _render_event(kind: type[ev.Event], schema: Mapping[str, Any]) -> str:
    tag = _tag_of(kind)
    definition = schema["$defs"][kind.__name__]
    note = event_texts.EVENT_NOTES.get(tag, "")
    example = json.dumps(event_texts.example_of(tag), ensure_ascii=False)
    lines = [f"### {tag}", "", f"{(kind.__doc__ or '').strip()} {note}".strip(), "", "```json", example, "```", ""]
    rows = list(_render_fields(tag, definition, schema))
    if rows:
        lines += ["| field | values | default | meaning |", "|---|---|---|---|", *rows, ""]
    return "\n".join(lines)


def _render_fields(tag: str, definition: Mapping[str, Any], schema: Mapping[str, Any]) -> Iterator[str]:
    for name, value in definition["properties"].items():
        if name in {"type", "n", "t"}:
            continue
        needed = name in definition["required"]
        title = f"**`{name}`**" if needed else f"`{name}`"
        default = "" if needed else _render_default(value.get("default"))
        yield f"| {title} | {_render_values(value, schema)} | {default} | {event_texts.meaning_of(tag, name)} |"


def _render_default(default: object) -> str:
    if default in (None, [], ""):
        return "none"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _render_values(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    """Return a type's values in words."""
    if "anyOf" in value:
        return " or ".join(_render_values(part, schema) for part in value["anyOf"] if part.get("type") != "null")
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"])
    if "$ref" in value:
        fields = schema["$defs"][value["$ref"].rpartition("/")[2]]["properties"]
        return "{" + ", ".join(f"`{name}`" for name in fields) + "}"
    if value["type"] == "array":
        if "prefixItems" in value:
            return f"[{', '.join(_render_values(item, schema) for item in value['prefixItems'])}]"
        return f"list of {_render_values(value['items'], schema)}, at most {value['maxItems']}"
    return _render_scalar(value)


def _render_scalar(value: Mapping[str, Any]) -> str:
    if value["type"] == "boolean":
        return "`true`, `false`"
    if value["type"] == "string":
        shown = value["pattern"].strip("^$").rpartition("{")[0]
        return f"text of `{shown}`, at most {value['maxLength']}"
    kind = "whole number" if value["type"] == "integer" else "number"
    low, high = value.get("minimum"), value.get("maximum")
    if high == 1 << 53:
        return f"{kind} from {low}" if low != -high else kind
    if low is None:
        return kind
    return f"{kind} from {low:g}" if high is None else f"{kind}, {low:.12g} to {high:.12g}"
