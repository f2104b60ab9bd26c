"""The entry point: `motcua agent` runs directly, to save memory, all else in `motcua.cli.app`; nothing else is here."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line; an agent's arguments are parsed here, because typer and rich cost it memory."""
    match sys.argv[1:]:
        case ["agent"]:
            _run_agent("agent.toml")
        case ["agent", "--config", file]:
            _run_agent(file)
        case ["agent", word] if word.startswith("--config="):
            _run_agent(word.removeprefix("--config="))
        case _:
            from motcua.cli.app import main as others

            others()


def _run_agent(file: str) -> NoReturn:
    from motcua.agent_process import main as agent

    sys.exit(agent(Path(file)))


if __name__ == "__main__":
    main()
