"""Builds the tables `[system.hosted]` of systems.toml: who answers for a system that the province hosts itself.

Faults go to the records; it must not judge a level, nor anything else that the policy does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast, get_args

from telemetry.core.cloud.values import DataKind, Exposure, HostedSystem, LevelDecision, ServedParty
from telemetry.inventory.cloud.agencies import check_agency
from telemetry.inventory.record import IDENTIFIER, AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from telemetry.core.cloud.values import Agency, Site
    from telemetry.core.inventory import System
    from telemetry.inventory.files import TomlDocument
    from telemetry.inventory.record import Record

CLOUD_FILE = "cloud.toml"
HOSTED_KEYS = AllowedKeys(
    ("owner", "operator", "security", "serves", "data", "level", "site"),
    (
        "subjects", "procedures", "level_decision", "rpo_s", "rto_s", "spare_site", "exposure", "host",
        "log_events_per_s", "was",
    ),
)  # fmt: skip
DECISION_KEYS = AllowedKeys(("number", "date"))
MAX_SUBJECTS = 1_000_000_000
MAX_PROMISE_S = 366 * 86_400
_NAME_PART = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_HOST_LABEL = r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
HOST = re.compile(rf"(?=.{{1,253}}$)({_HOST_LABEL}\.)+{_HOST_LABEL}")
"""A host name with at least one dot, in lower case."""


def check_part_of_name(r: Record, key: str, ident: str) -> None:
    """Add a fault for an id of which no name of a namespace, object or probe could be made that is unique."""
    if IDENTIFIER.fullmatch(ident) and not _NAME_PART.fullmatch(ident):
        r.add_fault(
            key, f"{ident!r} ends with a dash or has two in a row", "use a-z, 0-9 and single dashes between them"
        )


def has_hosted_systems(doc: TomlDocument) -> bool:
    """Return whether a system of systems.toml has a table `hosted`."""
    tables = doc.data.get("system", [])
    return isinstance(tables, list) and any(isinstance(table, dict) and "hosted" in table for table in tables)


def build_hosted_systems(
    doc: TomlDocument, systems: Mapping[str, System], agencies: Mapping[str, Agency], sites: Mapping[str, Site]
) -> dict[str, HostedSystem]:
    """Build the hosted systems by id; a system without the table is monitored only."""
    tables = cast("list[object]", doc.data["system"]) if has_hosted_systems(doc) else []
    records: dict[str, Record] = {}
    built: dict[str, HostedSystem] = {}
    for index, table in enumerate(tables):
        if isinstance(table, dict) and "hosted" in table:
            record, ident = doc.record(HOSTED_KEYS, "system", index, "hosted"), str(table.get("id", ""))
            decision = _build_decision(doc, record, index)
            records[ident], built[ident] = record, _build_hosted(record, ident, decision, agencies)
            check_part_of_name(record, "id", ident)
            _warn_of_other_owner(record, str(table.get("owner_agency", "")), agencies.get(built[ident].owner))
            _check_sites(record, built[ident], sites)
    for ident, record in records.items():
        others = {old for other, system in built.items() if other != ident for old in system.was}
        check_former_ids(record, built[ident].was, systems, others, "system")
    return built


def _warn_of_other_owner(r: Record, shown: str, owner: Agency | None) -> None:
    """Add a warning when pages would show another agency than the one that owns the system."""
    if shown and owner is not None and shown not in (owner.name_vi, owner.name_en):
        problem = f"is {owner.id} ({owner.name_vi}), and pages show owner_agency of the system, {shown!r}"
        r.add_warning("owner", problem, "remove owner_agency: pages then show the owner's name")


def _build_decision(doc: TomlDocument, r: Record, index: int) -> LevelDecision | None:
    if r.values.get("level_decision", "") == "":
        return None
    decision = doc.record(DECISION_KEYS, "system", index, "hosted", "level_decision")
    return LevelDecision(decision.text("number"), decision.day("date"))


def _build_hosted(
    r: Record, ident: str, decision: LevelDecision | None, agencies: Mapping[str, Agency]
) -> HostedSystem:
    owner, operator, security = (r.text(key) for key in ("owner", "operator", "security"))
    for key, agency in (("owner", owner), ("operator", operator), ("security", security)):
        check_agency(r, key, agency, agencies)
    exposure = cast("Exposure", r.choice("exposure", get_args(Exposure), "none"))
    return HostedSystem(
        id=ident, owner=owner, operator=operator, security=security,
        serves=cast("ServedParty", r.choice("serves", get_args(ServedParty))),
        data=cast("DataKind", r.choice("data", get_args(DataKind))),
        level=r.integer("level", 1, 5), site=r.text("site"),
        subjects=r.integer("subjects", 0, MAX_SUBJECTS, 0), procedures=r.flag("procedures", default=False),
        level_decision=decision,
        rpo_s=r.integer("rpo_s", 0, MAX_PROMISE_S, 86_400), rto_s=r.integer("rto_s", 1, MAX_PROMISE_S, 86_400),
        spare_site=r.text("spare_site", ""), exposure=exposure, host=_parse_host(r, exposure),
        log_events_per_s=r.integer("log_events_per_s", 0, 1_000_000, 1), was=r.text_list("was"),
        declared_at=r.declared_at,
    )  # fmt: skip


def _parse_host(r: Record, exposure: Exposure) -> str:
    host = r.text("host", "")
    if exposure == "none" and host:
        r.add_fault("host", f"{host!r} is reached from nowhere", "write an exposure, or remove the host")
    if exposure != "none" and not host:
        r.add_fault("host", f"is missing for the exposure {exposure!r}", "write the name by which people reach it")
    if host and not HOST.fullmatch(host):
        r.add_fault("host", f"{host!r} is not a host name", "write a name with a dot in lower case, as onestop.example")
    return host


def _check_sites(r: Record, system: HostedSystem, sites: Mapping[str, Site]) -> None:
    for key, ident in (("site", system.site), ("spare_site", system.spare_site)):
        r.check_reference(key, ident, sites, "site", CLOUD_FILE)
        if ident in sites and sites[ident].kind == "backup":
            r.add_fault(key, f"{ident!r} stores backups only", "name a site of kind main or spare")
    if system.spare_site and system.spare_site == system.site:
        r.add_fault("spare_site", f"{system.site!r} is the site itself", "name another site, or remove it")


def check_former_ids(
    r: Record, former: tuple[str, ...], in_use: Container[str], of_others: Container[str], what: str
) -> None:
    """Add a fault for each former id that something else has or had: nobody could tell which of them it names."""
    for ident in former:
        if not IDENTIFIER.fullmatch(ident):
            r.add_fault("was", f"{ident!r} is not an id", "write the ids that it had before")
        if ident in in_use:
            r.add_fault("was", f"{ident!r} is a {what} now", "remove it: a former id belongs to nothing else")
        if ident in of_others:
            r.add_fault("was", f"{ident!r} is a former id of another {what}, too", "leave it where it is true")
