"""The front door: the small `motcua agent` goes its own way, all else to `motcua.cli`; it must hold nothing else."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn


def main() -> NoReturn:
    """Run the command line."""
    match sys.argv[1:]:
        case ["agent", file] if not file.startswith("-"):
            from motcua.device import main as agent

            sys.exit(agent(Path(file)))
        case _:
            from motcua.cli import main as others

            others()


if __name__ == "__main__":
    main()
