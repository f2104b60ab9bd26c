"""The settings that may be changed remotely, and the strict reader of their document. Pure.

Never the broker's address, certificates or the outbox's path: an error there could not be undone remotely.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from telemetry.core.protocol.events import IntervalMs, Ms
from telemetry.core.protocol.json_bytes import to_plain_utf8

MAX_DOCUMENT_BYTES = 64 * 1024
ConfigVersion = Annotated[int, Meta(ge=1, le=1 << 53)]


class SourceSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The remote settings of one source: its interval, ms."""

    every_ms: IntervalMs | None = None


class RemoteSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The remote settings of an agent; omitted ones are as in `agent.toml`.

    `every_ms`: interval of sources without their own; `linger_ms`: how long new rows wait to be sent together;
    `drain_rows_per_s`: rate of a backlog; `cap_mb`: the outbox's limit; `metrics`: whether the metrics file is written.
    """

    every_ms: IntervalMs | None = None
    linger_ms: Annotated[int, Meta(ge=0, le=60_000)] | None = None
    drain_rows_per_s: Annotated[int, Meta(ge=1, le=100_000)] | None = None
    cap_mb: Annotated[int, Meta(ge=16, le=65_536)] | None = None
    metrics: bool | None = None
    sources: dict[str, SourceSettings] = {}


class ConfigDocument(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A message of `…/config`; from `valid_until` (Unix ms) on, `agent.toml` alone applies again."""

    v: Literal[1]
    version: ConfigVersion
    settings: RemoteSettings
    valid_until: Ms | None = None


class ConfigRejected(ValueError):
    """A document that is rejected; `version` is 0 where it is unreadable, `reason` is a slug."""

    def __init__(self, version: int, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.version, self.reason = version, reason


def parse_document(payload: bytes) -> ConfigDocument:
    """Return the document. Raises ConfigRejected."""
    if len(payload) > MAX_DOCUMENT_BYTES:
        raise ConfigRejected(0, "too-big", f"over {MAX_DOCUMENT_BYTES} bytes")
    text = to_plain_utf8(payload)
    try:
        return msgspec.json.decode(text, type=ConfigDocument)
    except msgspec.ValidationError as error:
        raise ConfigRejected(_version_if_readable(text), rejection_reason(str(error)), str(error)) from None
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ConfigRejected(0, "no-json", str(error)) from None


def rejection_reason(problem: str) -> str:
    """Return the slug of a validation message: only field names, never the document's values.

    >>> rejection_reason("Expected `int`, got `str` - at `$.settings.linger_ms`")
    'bad-settings-linger-ms'
    """
    if "unknown field" in problem:
        return "unknown-field"
    missing = re.search(r"missing required field `(\w+)`", problem)
    path = re.search(r"at `\$([\w.\[\]]*)`", problem)
    slug_words = re.findall(r"[a-z]+", f"{path[1] if path else ''}.{missing[1] if missing else ''}")
    return "-".join(["bad", *slug_words])[:63] if slug_words else "bad-document"


def _version_if_readable(text: bytes) -> int:
    try:
        decoded = msgspec.json.decode(text)
        return int(msgspec.convert(decoded["version"], ConfigVersion))
    except (msgspec.MsgspecError, ValueError, RecursionError, TypeError, KeyError):
        return 0
