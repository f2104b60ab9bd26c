"""The entry point: `motcua agent` runs directly, to save memory, all else in `motcua.cli.app`; nothing else is here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

AGENT_OPTIONS = {"--config": "agent.toml", "--root": ""}
"""The options of `motcua agent` with their defaults."""


def main() -> NoReturn:
    """Run the command line; an agent's arguments are parsed here, because typer and rich cost it memory."""
    options = parse_agent_options(sys.argv[1:])
    if options is not None:
        _run_agent(options)
    from motcua.cli.app import main as others

    others()


def _run_agent(options: dict[str, str]) -> None:
    """Run the agent and exit; returns where its libraries are missing, which the command line reports."""
    try:
        from motcua.agent_process import main as agent
    except ModuleNotFoundError:
        return
    sys.exit(agent(Path(options["--config"]), Path(options["--root"]) if options["--root"] else None))


def parse_agent_options(words: list[str]) -> dict[str, str] | None:
    """Return the options of a plain `motcua agent`; None for other commands, and for what needs help or an error.

    >>> parse_agent_options(["agent", "--config=a.toml"])
    {'--config': 'a.toml', '--root': ''}
    >>> parse_agent_options(["agent", "--help"])
    """
    if words[:1] != ["agent"]:
        return None
    options, rest = dict(AGENT_OPTIONS), words[1:]
    while rest:
        name, has_value, value = rest.pop(0).partition("=")
        if name not in options or (not has_value and not rest):
            return None
        options[name] = value if has_value else rest.pop(0)
    return options


if __name__ == "__main__":
    main()
