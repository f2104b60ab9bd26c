"""`motcua inventory openslo …`: exports and imports objectives as OpenSLO v1 YAML. It must not edit the inventory."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.cli import ConfigOption
from motcua.startup import load_inventory, load_settings
from telemetry.errors import ConfigError, Fault, MotcuaError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from telemetry.inventory.openslo_import import ImportResult

app = typer.Typer(no_args_is_help=True, help="Exchange objectives with other tools as OpenSLO v1 YAML.")


@app.command("export")
def export(
    out: Annotated[Path | None, typer.Option(help="Write to this file (default: standard output).")] = None,
    config: ConfigOption = None,
) -> None:
    """Write every objective as an OpenSLO v1 document, with the burn-rate rules as alert policies.

    Example: motcua inventory openslo export --out slo.yaml
    """
    from telemetry.inventory import openslo

    documents = openslo.export_documents(load_inventory(load_settings(config))())
    text = dump_yaml(documents)
    if out is None:
        print(text, end="")
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            [Fault(str(out), 0, "--out", str(error.strerror), "give a file that you may write")]
        ) from error
    print(f"{len(documents)} documents in {out}")


@app.command("import")
def import_(
    files: Annotated[
        list[Path], typer.Argument(help="YAML or JSON files with documents of openslo/v1, v1alpha or v2alpha.")
    ],
    config: ConfigOption = None,
) -> None:
    """Print the objectives of OpenSLO files as objectives.toml, and the result for each document on standard error.

    Exit 1 when no objective could be imported. Example: motcua inventory openslo import slo.yaml > objectives.toml
    """
    from telemetry.inventory.openslo import to_toml
    from telemetry.inventory.openslo_import import import_documents

    inventory = load_inventory(load_settings(config))()
    result = import_documents([item for file in files for item in read_documents(file)], inventory)
    print_result(result)
    if not result.objectives:
        msg = "no objective could be imported; the reason for each document is above"
        raise MotcuaError(msg)
    print(to_toml(item for _, item in result.objectives), end="")


def dump_yaml(documents: Sequence[object]) -> str:
    """Return documents as YAML; texts with control characters are quoted, since reading would change them otherwise."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def represent_text(dumper: Dumper, value: str) -> yaml.ScalarNode:
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if value.isprintable() else '"')

    Dumper.add_representer(str, represent_text)
    return yaml.dump_all(documents, Dumper=Dumper, sort_keys=False, allow_unicode=True)


def read_documents(file: Path) -> Iterator[tuple[str, object]]:
    """Yield a file's documents, each with its label `FILE:LINE`. Raises ConfigError with the line of a fault."""
    from telemetry.inventory.yaml_documents import DocumentError, read_yaml

    try:
        documents = list(read_yaml(file.read_bytes()))
    except OSError as error:
        raise ConfigError([Fault(str(file), 0, "file", str(error), "give a readable YAML file")]) from error
    except DocumentError as error:
        raise ConfigError([Fault(str(file), error.line, "syntax", error.problem, error.remedy)]) from error
    yield from ((f"{file}:{item.line}", item.body) for item in documents if item.body is not None)


def print_result(result: ImportResult) -> None:
    """Print by document what was imported and what was not."""
    for label, objective in result.objectives:
        print(f"{label}: imported as objective {objective.id!r} of {objective.scope}", file=sys.stderr)
    for note in result.notes:
        print(f"{note.document}: {note.path}: {note.reason}", file=sys.stderr)
