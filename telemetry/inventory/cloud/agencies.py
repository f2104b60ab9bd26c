"""Builds the agencies of agencies.csv with their days of validity, and checks that what follows what is consistent.

Faults go to the records; it must not decide which agency may own a system on which day: that is policy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from telemetry.core.cloud.values import Agency
from telemetry.inventory.build import index_by
from telemetry.inventory.record import AllowedKeys

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from telemetry.inventory.record import Record

AGENCIES_FILE = "agencies.csv"
AGENCY_KEYS = AllowedKeys(("id", "unit", "name_vi", "name_en"), ("parent", "valid_from", "valid_to", "successor"))


def build_agencies(records: list[Record], units: Container[str]) -> dict[str, Agency]:
    """Build the agencies; `units` are the codes of the administrative units that they may belong to."""
    built = index_by(records, "id", lambda record: _build_agency(record, units))
    for record in records:
        agency = built[record.text("id", "")]
        for key, ident in (("parent", agency.parent), ("successor", agency.successor)):
            check_agency(record, key, ident, built)
        _check_cycle(record, agency, built, "parent")
        _check_cycle(record, agency, built, "successor")
        _check_successor(record, agency, built)
    return built


def _build_agency(r: Record, units: Container[str]) -> Agency:
    unit = r.text("unit")
    r.check_reference("unit", unit, units, "unit")
    begins, ends = r.optional_day("valid_from"), r.optional_day("valid_to")
    if begins and ends and ends <= begins:
        r.add_fault("valid_to", f"{ends} is not after {begins}", "write the first day on which it is no longer valid")
    return Agency(
        r.identifier("id"), unit, r.text("name_vi"), r.text("name_en"), r.text("parent", ""),
        begins, ends, r.text("successor", ""), r.declared_at,
    )  # fmt: skip


def check_agency(r: Record, key: str, ident: str, agencies: Mapping[str, Agency]) -> None:
    """Add a fault when a value names no declared agency."""
    r.check_reference(key, ident, agencies, "agency", AGENCIES_FILE)


def _check_cycle(
    r: Record, agency: Agency, agencies: Mapping[str, Agency], key: Literal["parent", "successor"]
) -> None:
    """Add a fault to each agency that is above itself, or follows itself."""
    path = [agency.id]
    while (ident := getattr(agencies[path[-1]], key)) in agencies and ident not in path:
        path.append(ident)
    if ident and ident == agency.id:
        circle = " → ".join((*path, ident))
        r.add_fault(key, f"leads back to it: {circle}", "leave it empty where the line of agencies ends")


def _check_successor(r: Record, agency: Agency, agencies: Mapping[str, Agency]) -> None:
    successor = agencies.get(agency.successor)
    if agency.successor and agency.valid_to is None:
        remedy = "write the day from which the successor takes over, or remove the successor"
        r.add_fault("valid_to", f"is empty, but {agency.successor!r} follows it", remedy)
    elif successor and agency.valid_to and not successor.is_valid_on(agency.valid_to):
        problem = f"{agency.successor!r} does not exist on {agency.valid_to}, when this agency ends"
        r.add_fault("successor", problem, "correct the days, or name the agency that takes over on that day")
