"""Reads YAML and JSON documents with the line of each, strictly.

It must not know what documents mean. What cannot be read is a `DocumentError` with line and remedy, never a traceback.
"""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import yaml

from telemetry.delimited_text import DelimitedTextError, decode_text

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_KEYS = 10_000
"""Most keys of one table, merged ones included: merges of merges grow without end."""

_GAP = re.compile(r"\s*")
_INVISIBLE = re.compile(r"[\u00a0\u00ad\u200b-\u200f\u2028\u2029\u202f\u2060\u3000]")


class DocumentError(Exception):
    """A document that cannot be read: its line, the problem and the remedy."""

    def __init__(self, line: int, problem: str, remedy: str) -> None:
        self.line, self.problem, self.remedy = line, problem, remedy
        super().__init__(f"line {line}: {problem}; {remedy}")


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """One document, or one element of a document that is a list, and the line on which it begins."""

    line: int
    body: object


class _StrictLoader(yaml.SafeLoader):
    """Refuses a key that is given twice, a value that Python cannot hold, and merges without end."""

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        super().flatten_mapping(node)
        if len(node.value) > MAX_KEYS:
            raise yaml.constructor.ConstructorError(
                None, None, f"a table has more than {MAX_KEYS:,} keys", node.start_mark
            )

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        first: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
                line = first.setdefault((key.tag, key.value), key.start_mark.line + 1)
                if line != key.start_mark.line + 1:
                    problem = f"{key.value!r} is already on line {line}"
                    raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: ANN401, FBT001, FBT002
        try:
            return super().construct_object(node, deep)
        except (ValueError, OverflowError) as error:  # a date or a number that cannot be
            problem = f"{str(getattr(node, 'value', ''))[:40]!r} cannot be read ({str(error)[:80]})"
            raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark) from None


def read_yaml(raw: bytes) -> Iterator[YamlDocument]:
    """Yield the documents of a file in UTF-8 or UTF-16; the elements of a list are documents. Raises DocumentError."""
    text = _decode_document(raw)
    if text.lstrip()[:1] in {"{", "["} and (documents := _read_json(text)) is not None:
        yield from documents
        return
    line, loader = 1, None
    try:
        loader = _StrictLoader(text)
        while loader.check_node() and (node := loader.get_node()) is not None:
            line = node.start_mark.line + 1
            for part in _parts_of(node):
                line = part.start_mark.line + 1
                yield YamlDocument(line, loader.construct_document(part))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise DocumentError(line, f"is not YAML: {error.reason}", "remove that character") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = f"is not YAML: {getattr(error, 'problem', error)}"
        line = mark.line + 1 if mark else line
        raise DocumentError(line, problem, _remedy_of(text, line)) from None
    except RecursionError:
        line = max(line, loader.line + 1) if loader is not None else line
        raise DocumentError(line, "is nested too deeply", "write fewer levels") from None


def _decode_document(raw: bytes) -> str:
    try:
        text = unicodedata.normalize("NFC", decode_text(raw)).strip("\0").replace("\ufeff", "")
    except DelimitedTextError as error:
        raise DocumentError(error.line, error.problem, "save it as UTF-8") from None
    if b"\0" in raw and not text.strip():
        raise DocumentError(1, "has NUL bytes and no text", "export the file again")
    return text


def _parts_of(node: yaml.Node) -> list[yaml.Node]:
    """Return the elements of a list, also of a table of the kind `List` as Kubernetes writes it; else the node."""
    if isinstance(node, yaml.MappingNode):
        values = {key.value: value for key, value in node.value if isinstance(key, yaml.ScalarNode)}
        kind, items = values.get("kind"), values.get("items")
        if isinstance(items, yaml.SequenceNode) and isinstance(kind, yaml.ScalarNode) and kind.value.endswith("List"):
            node = items
    return list(node.value) if isinstance(node, yaml.SequenceNode) else [node]


def _remedy_of(text: str, line: int) -> str:
    near = "".join(text.splitlines()[max(line - 2, 0) : line])
    if "\t" in near:
        return "indent with spaces, not with tabs"
    if _INVISIBLE.search(near):
        return "retype the spaces of that line and the one before: one is a no-break space or a sign that nobody sees"
    return "correct that line"


def _read_json(text: str) -> list[YamlDocument] | None:
    """Return the values of JSON that stand one after the other; None when YAML must read them, or name the fault."""
    try:
        values = list(_json_values(text))
    except (ValueError, IndexError, RecursionError):
        return None
    if any(isinstance(value, dict) and "items" in value for _, value in values):
        return None
    return [YamlDocument(text.count("\n", 0, start) + 1, value) for start, value in values]


def _json_values(text: str) -> Iterator[tuple[int, object]]:
    """Yield each value, and each element of a list, with its place. Raises ValueError, IndexError, RecursionError."""
    decoder = json.JSONDecoder(object_pairs_hook=_to_table, parse_constant=_refuse_constant)
    place, is_list = _end_of_gap(text, 0), False
    while place < len(text):
        if not is_list and text[place] == "[":
            place = _end_of_gap(text, place + 1)
            is_list = text[place] != "]"
            if not is_list:
                place = _end_of_gap(text, place + 1)
                continue
        value, end = decoder.raw_decode(text, place)
        yield place, value
        place = _end_of_gap(text, end)
        if is_list:
            is_list = text[place] == ","
            if not is_list and text[place] != "]":
                raise ValueError("no JSON")
            place = _end_of_gap(text, place + 1)


def _end_of_gap(text: str, place: int) -> int:
    return cast("re.Match[str]", _GAP.match(text, place)).end()


def _to_table(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) < len(pairs):
        raise ValueError("a key is given twice")
    return table


def _refuse_constant(text: str) -> object:
    raise ValueError(text)
