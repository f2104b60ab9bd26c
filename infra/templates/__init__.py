"""Renders the texts that the targets write: configurations, units and scripts, each a template under its real suffix.

The caller passes the values; a template must not decide what the plan decides. A template that uses a missing value
is a fault. Nothing is escaped: values for a shell pass through `quote`.
"""

from __future__ import annotations

import json
from functools import cache, partial
from shlex import quote

import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined


def render_template(name: str, **values: object) -> str:
    """Return a template's text with its values. Raises jinja2.UndefinedError when it names another one."""
    return _environment().get_template(name).render(values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("infra", "templates"),
        autoescape=False,  # noqa: S701 - configurations and scripts, no HTML
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"quote": quote, "json": partial(json.dumps, separators=(",", ":"))}
    return environment


def render_yaml(value: object) -> str:
    """Return mappings, lists and scalars as YAML: keys in the order given, texts of several lines as blocks."""
    return yaml.dump(value, Dumper=_BlockDumper, sort_keys=False, width=120, allow_unicode=True)


class _BlockDumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks, and nothing by reference."""

    def ignore_aliases(self, data: object) -> bool:
        """Return True: a value that occurs twice is written twice."""
        del data
        return True


def _represent_text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # PyYAML writes these as they are between single quotes and in blocks, where a parser treats them as a line's end.
    is_ambiguous = any(character in value for character in "\r\x85\u2028\u2029\ufeff")
    style = '"' if is_ambiguous else "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_BlockDumper.add_representer(str, _represent_text)
