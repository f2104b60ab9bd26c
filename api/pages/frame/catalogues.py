"""Reads the gettext catalogues of the pages with Babel; it must not format a message.

One file a page and language: `dashboards/page/messages/{vi,en}/NAME.po`. A message's id is its key. Of a message with
plural forms the first is for one and stands under `KEY_one`, the last is for any other number and stands under `KEY`.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Literal

from babel.messages.pofile import read_po

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.resources.abc import Traversable

LanguageCode = Literal["vi", "en"]
LANGS: tuple[LanguageCode, ...] = ("vi", "en")


def catalogue_files(lang: LanguageCode) -> list[Traversable]:
    """Return a language's catalogues in order of name."""
    folder = resources.files("dashboards") / "page" / "messages" / lang
    return sorted((f for f in folder.iterdir() if f.name.endswith(".po")), key=lambda f: f.name)


@cache
def load_messages() -> dict[LanguageCode, Mapping[str, str]]:
    """Return {language: {key: message}}; a key that stands twice raises ValueError with file and line."""
    return {lang: _load_language(lang) for lang in LANGS}


def _load_language(lang: LanguageCode) -> Mapping[str, str]:
    messages: dict[str, str] = {}
    for file in catalogue_files(lang):
        for line, key, text in _read_messages(file):
            if key in messages:
                msg = f"{lang}/{file.name}:{line}: {key}: this key stands twice; give the message another key"
                raise ValueError(msg)
            messages[key] = text
    return messages


def _read_messages(file: Traversable) -> Iterator[tuple[int, str, str]]:
    with file.open("rb") as stream:
        for message in read_po(stream, abort_invalid=True):
            if not message.id:
                continue
            line = message.lineno or 0
            if isinstance(message.id, str):
                yield line, message.id, str(message.string)
                continue
            key, forms = message.id[0], tuple(message.string or ())
            yield line, key, forms[-1]
            if len(forms) > 1:
                yield line, f"{key}_one", forms[0]
