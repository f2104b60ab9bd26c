"""The answers of the local HTTP source as types, and its OpenAPI document made from them; it must not do IO."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from edge_agent.sources.parsing import TIME_BOUNDS
from edge_agent.sources.posted_events import MAX_EVENTS_PER_POST, EventFinding
from telemetry import __version__
from telemetry.core.protocol import event_texts, events as ev

MAX_BODY_BYTES = 1024 * 1024
MAX_KEY_LENGTH = 255
JSON_TYPE, PROBLEM_TYPE, JSON_LINES_TYPE = "application/json", "application/problem+json", "application/x-ndjson"
POSTABLE_EVENTS = tuple(kind for kind in ev.AGENT_EVENTS if kind not in event_texts.AGENT_ONLY_EVENTS)
"""The events that programs may post."""


class StoredAnswer(msgspec.Struct, frozen=True):
    """The events are on disk and will be delivered."""

    first: Annotated[int, Meta(ge=1, description="row number of the first event")]
    last: Annotated[int, Meta(ge=1, description="row number of the last event")]
    repeated: Annotated[bool, Meta(description="an earlier request with this key stored them; nothing was added")]
    warnings: Annotated[list[EventFinding], Meta(description="what the sender should know; the events are counted")]


class CheckedAnswer(msgspec.Struct, frozen=True):
    """The events would be accepted; nothing was stored."""

    valid: Annotated[bool, Meta(description="always true: faults are a problem")]
    events: Annotated[int, Meta(ge=1, description="number of events")]
    warnings: Annotated[list[EventFinding], Meta(description="what the sender should know")]


class EventProblem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An error (RFC 9457); `field` and `remedy` are those of the first fault."""

    type: Annotated[str, Meta(description="about:blank, or a URN of the problem")]
    title: Annotated[str, Meta(description="the problem in general")]
    status: Annotated[int, Meta(ge=400, le=599, description="the HTTP status")]
    detail: Annotated[str, Meta(description="what is wrong with this request")]
    field: Annotated[str, Meta(description="the field or header at fault, empty when there is none")]
    remedy: Annotated[str, Meta(description="what to do")]
    error_count: Annotated[int, Meta(ge=1, description="number of all faults")] | None = None
    errors: Annotated[list[EventFinding], Meta(description="the faults, at most 100 of them")] = []


class AgentHealth(msgspec.Struct, frozen=True):
    """The agent runs."""

    status: Annotated[str, Meta(description="always `ok`")]
    pending: Annotated[int, Meta(ge=0, description="rows that wait for a receipt")]


class EndpointIndex(msgspec.Struct, frozen=True):
    """What this address is, and where to go."""

    title: Annotated[str, Meta(description="what this address is")]
    device: Annotated[str, Meta(description="the device whose agent this is")]
    version: Annotated[str, Meta(description="the agent's version")]
    links: Annotated[dict[str, str], Meta(description="operations by path")]


INDEX_LINKS = {
    "/events": "POST events; ?validate=1 only checks them",
    "/healthz": "GET whether the agent runs, and how many rows wait",
    "/openapi.json": "GET this interface as an OpenAPI document",
}
PROBLEMS = {
    "bad_request": (400, "the request is not valid; nothing was stored"),
    "forbidden": (403, "only programs on this host may ask"),
    "not_found": (404, "there is no such page"),
    "not_allowed": (405, "the page has other methods: see Allow"),
    "too_slow": (408, "the request did not arrive in time"),
    "no_length": (411, "Content-Length is missing"),
    "too_large": (413, "the body has too many bytes or events"),
    "key_reused": (422, "the Idempotency-Key was used with another body; nothing was stored"),
    "unavailable": (503, "the outbox cannot be written or too many requests are open: send it again with the same key"),
}
"""Status and meaning of each problem."""


def build_openapi(now: int) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document; `now` (Unix ms) decides between which times events are accepted."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Motcua agent, local endpoint",
            "version": __version__,
            "description": "Accepts events from programs on this device and delivers them without loss. Answers 201 "
            "only after the commit to disk: repeat a request with the same Idempotency-Key until you get it.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": _paths(now),
        "components": {"schemas": _schemas(now)},
    }


def _paths(now: int) -> dict[str, Any]:
    pages: dict[str, type[Any]] = {"/": EndpointIndex, "/healthz": AgentHealth}
    paths: dict[str, Any] = {path: _page(path, answer) for path, answer in pages.items()}
    paths["/openapi.json"] = _page("/openapi.json", None)
    paths["/events"] = {"post": _post_operation(now)}
    return paths


def _page(path: str, answer: type[Any] | None) -> dict[str, Any]:
    name = path.strip("/").removesuffix(".json") or "index"
    schema = {"type": "object"} if answer is None else _ref(answer)
    summary = INDEX_LINKS.get(path, "GET a short description with links").removeprefix("GET ")
    problems = _problems("bad_request", "forbidden")
    get = {"200": {"description": summary, "content": {JSON_TYPE: {"schema": schema}}}, **problems}
    head = {code: {"description": response["description"]} for code, response in get.items()}
    return {
        "get": {"operationId": name, "summary": summary, "responses": get},
        "head": {"operationId": f"{name}_head", "summary": f"the headers of: {summary}", "responses": head},
    }


def _ref(kind: type[Any]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _problems(*names: str) -> dict[str, Any]:
    return {
        str(PROBLEMS[name][0]): {
            "description": PROBLEMS[name][1], "content": {PROBLEM_TYPE: {"schema": _ref(EventProblem)}},
        }
        for name in names
    }  # fmt: skip


def _post_operation(now: int) -> dict[str, Any]:
    examples = {tag: {"value": _example(tag, now)} for tag in ("ticket.issued", "ticket.called")}
    bodies = {
        JSON_TYPE: {"schema": {"$ref": "#/components/schemas/PostedEvents"}, "examples": examples},
        JSON_LINES_TYPE: {"schema": {"type": "string", "description": "one event a line"}},
    }
    answers: dict[str, tuple[str, type[Any]]] = {
        "200": ("checked; nothing was stored", CheckedAnswer),
        "201": ("stored", StoredAnswer),
    }
    responses = {
        code: {"description": text, "content": {JSON_TYPE: {"schema": _ref(answer)}}}
        for code, (text, answer) in answers.items()
    }
    return {
        "operationId": "post_events",
        "summary": "store events, all of them or none",
        "parameters": _post_parameters(),
        "requestBody": {"required": True, "content": bodies},
        "responses": {
            **responses,
            **_problems("bad_request", "forbidden", "too_slow", "no_length", "too_large", "key_reused", "unavailable"),
        },
    }


def _post_parameters() -> list[dict[str, Any]]:
    validate = {
        "name": "validate", "in": "query", "description": "1: check the events and store nothing",
        "schema": {"type": "string", "enum": ["0", "1"]},
    }  # fmt: skip
    key = {
        "name": "Idempotency-Key", "in": "header",
        "description": "an id of this request (UUID, ULID): a repeat within 7 days adds nothing and gets the same rows",
        "schema": {"type": "string", "maxLength": MAX_KEY_LENGTH},
    }  # fmt: skip
    return [validate, key]


def _schemas(now: int) -> dict[str, Any]:
    answers = [StoredAnswer, CheckedAnswer, EventProblem, AgentHealth, EndpointIndex]
    _, schemas = msgspec.json.schema_components(
        [*POSTABLE_EVENTS, *answers], ref_template="#/components/schemas/{name}"
    )
    for kind in POSTABLE_EVENTS:
        schemas[kind.__name__] = _posted_schema(str(kind.__struct_config__.tag), schemas[kind.__name__], now)
    schemas["CounterNow"]["properties"] = {
        name: _refuse_numbers(value) for name, value in schemas["CounterNow"]["properties"].items()
    }
    one = {
        "oneOf": [_ref(kind) for kind in POSTABLE_EVENTS],
        "discriminator": {
            "propertyName": "type",
            "mapping": {str(kind.__struct_config__.tag): _ref(kind)["$ref"] for kind in POSTABLE_EVENTS},
        },
    }
    many = {"type": "array", "minItems": 1, "maxItems": MAX_EVENTS_PER_POST, "items": _schema_ref("PostedEvent")}
    posted = {"anyOf": [_schema_ref("PostedEvent"), many], "description": "one event or a list"}
    return {**schemas, "PostedEvent": one, "PostedEvents": posted}


def _schema_ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _posted_schema(tag: str, schema: dict[str, Any], now: int) -> dict[str, Any]:
    """Return an event's schema as a program posts it: without `n`, `t` optional, times near the present."""
    properties = {}
    for name, value in schema["properties"].items():
        if name == "n":
            continue
        if name != "type":
            properties[name] = {**_refuse_numbers(_bound_time(name, value, now)), "description": _meaning(tag, name)}
        else:
            properties[name] = value
    required = [name for name in schema["required"] if name not in {"n", "t"}]
    return {**schema, "properties": properties, "required": required, "examples": [_example(tag, now)]}


def _example(tag: str, now: int) -> dict[str, Any]:
    """Return an example whose times are near `now`."""
    moved = now - event_texts.EXAMPLE_TIME
    return {k: v + moved if k in TIME_BOUNDS else v for k, v in event_texts.example_of(tag).items()}


def _meaning(tag: str, name: str) -> str:
    meaning = event_texts.meaning_of(tag, name)
    return f"{meaning}; without it: now" if name == "t" else meaning


def _bound_time(name: str, schema: dict[str, Any], now: int) -> dict[str, Any]:
    """Narrow a time's range to what is accepted now."""
    if name not in TIME_BOUNDS:
        return schema
    bounds = TIME_BOUNDS[name]
    limits = {"minimum": now - bounds.before_ms, "maximum": now + bounds.ahead_ms}
    if "anyOf" in schema:
        return {**schema, "anyOf": [{**part, **limits} if "minimum" in part else part for part in schema["anyOf"]]}
    return {**schema, **limits}


def _refuse_numbers(schema: dict[str, Any]) -> dict[str, Any]:
    """Add to a text's pattern what looks like a phone or identity number and is refused."""
    if "pattern" in schema:
        return {**schema, "pattern": schema["pattern"].replace("^", "^(?!\\+?[0-9]{9,13}$)", 1)}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_refuse_numbers(part) for part in schema["anyOf"]]}
    return {**schema, "items": _refuse_numbers(schema["items"])} if isinstance(schema.get("items"), dict) else schema
