"""`motcua cloud dossier` and `motcua cloud report`: documents that the law asks for. They judge nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from motcua.cli.cloud.plan import FolderArgument, StageOption, check_stage, inventory_folder
from telemetry.errors import ConfigError, Fault

if TYPE_CHECKING:
    from infra.policy.cloud.report_tables import ReportDocument

OutOption = Annotated[
    Path | None, typer.Option(help="The file: .md, .html or .pdf (default: Markdown on standard output).")
]
SUFFIXES = (".md", ".html", ".pdf")


def dossier(
    system: Annotated[str, typer.Option("--system", help="Id of the hosted system.")],
    folder: FolderArgument = None,
    out: OutOption = None,
    stage: StageOption = "prod",
) -> None:
    """Write the dossier of a system's level in Vietnamese: roles, scope, zones, applications, clauses, open points.

    It counts and lists; whether the system meets its level is for those who appraise it.

    Example: motcua cloud dossier --system vn83-onestop --out onestop.pdf
    """
    from infra.plan.cloud import build_cloud_plan
    from infra.policy.cloud.breach import all_systems
    from infra.policy.cloud.check import check_cloud_plan
    from infra.policy.cloud.dossier import build_dossier
    from telemetry import inventory

    _check_suffix(out)
    check_stage(stage)
    declared = inventory.load(inventory_folder(folder))
    plan = build_cloud_plan(declared.cloud, province=declared.province, stage=stage, today=datetime.now(UTC).date())
    planned = {one.id: one for one in all_systems(plan)}
    if system not in planned:
        remedy = f"one of {', '.join(planned)}" if planned else "give a system of systems.toml a table [system.hosted]"
        raise ConfigError([Fault("command line", 0, "--system", f"no hosted system {system!r}", remedy)])
    name = declared.systems[system].name_vi if system in declared.systems else system
    _write(build_dossier(plan, planned[system], name, check_cloud_plan(plan)), out)


def report(
    year: Annotated[int, typer.Option("--year", min=2026, max=2100, help="Year of the report, e.g. 2026.")],
    folder: FolderArgument = None,
    out: OutOption = None,
    stage: StageOption = "prod",
) -> None:
    """Write the declared figures of a year's report in Vietnamese: systems by level and owner, personal data, drills.

    Example: motcua cloud report --year 2026
    """
    from infra.policy.cloud.check import check_cloud_plan
    from infra.policy.cloud.yearly_report import build_yearly_report
    from motcua.cli.cloud.plan import open_cloud_plan

    _check_suffix(out)
    plan = open_cloud_plan(folder, stage)
    _write(build_yearly_report(plan, check_cloud_plan(plan), year), out)


def _check_suffix(out: Path | None) -> None:
    if out is not None and out.suffix not in SUFFIXES:
        problem = f"{out} is no {', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"
        raise ConfigError([Fault("command line", 0, "--out", problem, "name such a file")])


def _write(document: ReportDocument, out: Path | None) -> None:
    from infra.policy.cloud.report_tables import render_html, render_markdown

    if out is None:
        print(render_markdown(document), end="")
        return
    if out.suffix == ".md":
        content = render_markdown(document).encode()
    elif out.suffix == ".html":
        content = render_html(document).encode()
    else:
        from api.report_pdf import render_in_process

        content = render_in_process(render_html(document))
    try:
        out.write_bytes(content)
    except OSError as error:
        fault = Fault(str(out), 0, "--out", f"cannot be written ({error.strerror})", "name another file")
        raise ConfigError([fault]) from error
    print(f"{out}: {len(content):,} bytes")
