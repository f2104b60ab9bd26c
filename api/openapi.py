"""Completes FastAPI's OpenAPI document: every text, unit, range and error; it must not change what is answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from api.problems import PROBLEM_MEDIA_TYPE
from api.schemas.problem import ProblemDocument
from api.schemas.property_texts import PARAMETER_TEXTS, PROPERTY_TEXTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from api.schemas.property_texts import PropertyText

METHODS = ("get", "head", "post", "put", "patch", "delete", "options")
PROBLEMS = {
    "400": "A cursor that this list did not return.",
    "404": "There is no such centre, device, system, service, objective, scope or dataset.",
    "422": "A parameter is unknown, given twice or not valid, or the window is not.",
    "500": "A fault of the server; its log has the `trace_id`.",
    "503": "The store or the inventory cannot be read now, the server is starting, or busy; see Retry-After.",
}
METRICS_MEDIA_TYPES = ("text/plain", "application/openmetrics-text")
_REF = "#/components/schemas/{model}"


@dataclass(frozen=True, slots=True)
class OperationSummary:
    """One operation of the API in one line."""

    path: str
    summary: str
    parameters: tuple[str, ...]
    tag: str


def complete_document(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with all descriptions, ranges and errors."""
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, problems = models_json_schema([(ProblemDocument, "serialization")], ref_template=_REF)
    schemas |= problems["$defs"]
    for model, schema in schemas.items():
        for name, value in schema.get("properties", {}).items():
            if own := PROPERTY_TEXTS.get(f"{model}.{name}"):
                value["description"] = own.text
            _describe(value, own or PROPERTY_TEXTS.get(name))
    for _, operation in _operations(document):
        _complete_operation(operation)
    return document


def _operations(document: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, item[method]


def _describe(schema: dict[str, Any], text: PropertyText | None) -> None:
    """Add meaning and range to a property that does not describe itself."""
    if text is None:
        return
    schema.setdefault("description", text.text)
    for part in [schema, *schema.get("anyOf", ())]:
        if part.get("type") in {"integer", "number"}:
            if text.low is not None:
                part.setdefault("minimum", text.low)
            if text.high is not None:
                part.setdefault("maximum", text.high)


def _complete_operation(operation: dict[str, Any]) -> None:
    operation["summary"] = str(operation.get("description", operation.get("summary", ""))).partition("\n")[0]
    for parameter in operation.get("parameters", ()):
        parameter.setdefault("description", PARAMETER_TEXTS.get(parameter["name"], ""))
    if operation.get("tags") == ["metrics"]:
        text = {"schema": {"type": "string"}}
        operation["responses"]["200"]["content"] = dict.fromkeys(METRICS_MEDIA_TYPES, text)
    responses = operation["responses"]
    responses["200"]["description"] = operation["summary"]
    for status, meaning in PROBLEMS.items():
        content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDocument")}}}
        responses[status] = {"description": meaning, "content": content}


def summarise_operations(document: Mapping[str, Any]) -> list[OperationSummary]:
    """Return every GET operation in the order of the document."""
    return [
        OperationSummary(
            path,
            operation["summary"],
            tuple(p["name"] for p in operation.get("parameters", ()) if p["in"] == "query"),
            operation.get("tags", [""])[0],
        )
        for path, operation in _operations(document)
    ]
