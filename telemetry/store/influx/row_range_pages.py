"""Row ranges in the state bucket: one point per outbox, outcome and page; it must not decide what is merged.

A point's time is its page's number in ns, so a query selects pages by time.  Earlier versions stored a text per
centre in the measurement `ranges`: it is read too, until `convert_legacy` has moved its rows into pages.
"""

# ruff: noqa: S608  # InfluxQL has no parameters for names and times; every text is quoted
from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec

from telemetry.core.figures.completeness import ClosedRanges, union_ranges
from telemetry.store.influx import row_ranges
from telemetry.store.influx.influxql import PROVINCE_TAG, ProvinceTag, quote_string, tag_condition
from telemetry.store.influx.line_protocol import escape_tag, quote_field
from telemetry.store.influx.row_ranges import OUTCOMES, RowLocation, RowRangesEntry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from telemetry.store.influx.address import InfluxAddress
    from telemetry.store.influx.line_protocol import OutboxDelta
    from telemetry.store.influx.row_ranges import OutboxKey, Outcome
    from telemetry.store.influx.server import InfluxSeries, InfluxServer
    from telemetry.store.unreadable import UnreadableRows

STATEMENTS_PER_REQUEST: Final = 200
OUTBOXES_PER_QUERY: Final = 2_000
MAX_ROW_NUMBER: Final = 1 << 53
MAX_REMEMBERED: Final = 50_000
MAX_REMEMBERED_RANGES: Final = 16
_NEWEST_FIRST: Final = "ORDER BY time DESC"
_EMPTY_BODY: Final = "[]"
_GROUPS: Final = "GROUP BY device, spool, outcome, province"
OutcomeKey = tuple["OutboxKey", "Outcome"]
PagesByOutcome = dict[OutcomeKey, dict[int, ClosedRanges]]


@dataclass(frozen=True, slots=True)
class PagesRead:
    """The pages beside some rows, and the rows in them; of the outboxes in `complete` these are all pages."""

    pages: PagesByOutcome
    entries: dict[OutboxKey, RowRangesEntry]
    complete: set[OutboxKey]


class RowRangePages:
    """The pages of all outboxes of one province, or of a store without provinces.

    Outboxes with few ranges are remembered after a write: `forget` them when another process may have written.
    """

    def __init__(self, server: InfluxServer, address: InfluxAddress, unreadable: UnreadableRows) -> None:
        self._server, self._bucket = server, address.state_bucket
        self._province_tag = ProvinceTag(address.province)
        self._unreadable = unreadable
        self._remembered: dict[OutboxKey, RowRangesEntry] = {}

    def forget(self) -> None:
        """Read everything again."""
        self._remembered.clear()

    # --- reading ------------------------------------------------------------------------------

    def all_entries(self, device: str | None = None) -> dict[OutboxKey, RowRangesEntry]:
        """Return the rows of all outboxes, or of those of one device, without locations."""
        where = "" if device is None else f"device = {quote_string(device)} AND "
        where += f"body != '{_EMPTY_BODY}' AND {self._province_tag.condition}"
        query = f"SELECT body::string FROM row_range WHERE {where}"
        pages: PagesByOutcome = {}
        (answer,) = self._server.query(self._bucket, tuple[int, str], f"{query} {_GROUPS}")
        self._collect(pages, answer)
        legacy = (entry for _, entries in self._legacy_points(device) for entry in entries)
        own = [entry for entry in legacy if device in {None, entry.device}]
        return row_ranges.merge_entries([*_entries_of(pages, {}).values(), *own])

    def read_around(self, entries: Iterable[RowRangesEntry | OutboxDelta]) -> PagesRead:
        """Return the pages that the rows of these entries change when they are merged."""
        wanted: dict[OutcomeKey, list[ClosedRanges]] = {}
        for entry in entries:
            for outcome in OUTCOMES:
                ranges: ClosedRanges = getattr(entry, outcome)
                wanted.setdefault(((entry.device, entry.outbox_id), outcome), []).append(ranges)
        keys = {key for key, _ in wanted}
        remembered = {key: self._remembered[key] for key in keys & self._remembered.keys()}
        pages: PagesByOutcome = {key: {} for key in wanted}
        all_from = self._collect_newest(pages, keys - remembered.keys())
        statements = [
            statement
            for key, parts in wanted.items()
            if key in all_from
            for statement in self._page_statements(key, union_ranges(*parts), all_from[key])
        ]
        for at in range(0, len(statements), STATEMENTS_PER_REQUEST):
            part = statements[at : at + STATEMENTS_PER_REQUEST]
            for answer in self._server.query(self._bucket, tuple[int, str], *part):
                self._collect(pages, answer)
        newly_read = _entries_of(pages, self._locations(keys - remembered.keys()))
        for key, entry in remembered.items():
            pages |= {
                (key, outcome): dict(row_ranges.merge_pages({}, entry.ranges_of(outcome)).grown) for outcome in OUTCOMES
            }
        return PagesRead(pages, newly_read | remembered, keys - {key for key, _ in all_from})

    def _collect_newest(self, pages: PagesByOutcome, keys: set[OutboxKey]) -> dict[OutcomeKey, int]:
        """Add the last two pages of each outcome; return, where there are more, from which page on all are known."""
        newest: dict[tuple[OutcomeKey, str], list[int]] = {}
        for where in _outbox_conditions(keys):
            query = f"SELECT body::string FROM row_range WHERE {where} AND body != '{_EMPTY_BODY}'"
            (answer,) = self._server.query(
                self._bucket,
                tuple[int, str],
                f"{query} AND {self._province_tag.condition} {_GROUPS} {_NEWEST_FIRST} LIMIT 2",
            )
            asked = [s for s in answer if s.tags["outcome"] in OUTCOMES and _key_of(s.tags)[0] in keys]
            self._collect(pages, asked)
            for series in asked:
                of_province = _key_of(series.tags), series.tags.get(PROVINCE_TAG, "")
                newest.setdefault(of_province, []).extend(page for page, _ in series.values)
        all_from: dict[OutcomeKey, int] = {}
        for (key, _), numbers in newest.items():
            if len(numbers) == 2:
                all_from[key] = max(all_from.get(key, 0), min(numbers) + 1)
        return all_from

    def _page_statements(self, key: OutcomeKey, ranges: ClosedRanges, all_from: int) -> Iterator[str]:
        """Yield the queries for the pages of these rows and, for each run of pages, the one before."""
        (device, outbox_id), outcome = key
        where = f"device = {quote_string(device)} AND spool = {quote_string(outbox_id)} AND outcome = '{outcome}'"
        where += f" AND body != '{_EMPTY_BODY}' AND {self._province_tag.condition}"
        query = f"SELECT body::string FROM row_range WHERE {where}"
        for first, last in row_ranges.page_spans(ranges):
            if first < all_from:
                yield f"{query} AND time >= {first} AND time <= {last} {_GROUPS}"
                yield f"{query} AND time < {first} {_GROUPS} {_NEWEST_FIRST} LIMIT 1"

    def _collect(self, pages: PagesByOutcome, answer: Iterable[InfluxSeries[tuple[int, str]]]) -> None:
        """Add the pages of an answer; the same page without and with a province is one."""
        rows = [(s.tags, page, body) for s in answer if s.tags["outcome"] in OUTCOMES for page, body in s.values]
        decoded = self._unreadable.read_each(
            rows,
            lambda row: (_key_of(row[0]), row[1], _decode_ranges(row[2])),
            lambda row: ("", f"row_range {row[0]} {row[1]}"),
        )
        for key, page, ranges in decoded:
            of_outcome = pages.setdefault(key, {})
            of_outcome[page] = union_ranges(of_outcome.get(page, ()), ranges)

    def _locations(self, keys: set[OutboxKey]) -> dict[OutboxKey, list[RowLocation]]:
        locations: dict[OutboxKey, list[RowLocation]] = {}
        for where in _outbox_conditions(keys):
            query = f"SELECT body::string FROM row_location WHERE {where} AND {self._province_tag.condition}"
            (answer,) = self._server.query(self._bucket, tuple[int, str], f"{query} GROUP BY device, spool, province")
            rows = [((s.tags["device"], s.tags["spool"]), body) for s in answer for _, body in s.values]
            decoded = self._unreadable.read_each(
                rows,
                lambda row: (row[0], msgspec.json.decode(row[1], type=list[RowLocation])),
                lambda row: ("", f"row_location {row[0]}"),
            )
            for key, of_outbox in decoded:
                locations.setdefault(key, []).extend(of_outbox)
        return locations

    # --- writing ------------------------------------------------------------------------------

    def write(self, read: PagesRead, entries: Mapping[OutboxKey, RowRangesEntry], last_lines: Sequence[bytes]) -> None:
        """Merge the entries into these pages; `last_lines` are written when no row can be lost any more."""
        grown, shrunk = self._location_lines(entries), list[bytes]()
        for (key, outcome), of_outcome in read.pages.items():
            changes = row_ranges.merge_pages(of_outcome, entries[key].ranges_of(outcome))
            grown += self._page_lines(key, outcome, changes.grown)
            shrunk += self._page_lines(key, outcome, changes.shrunk)
        remembered, self._remembered = self._remembered, {}
        if shrunk:
            self._server.write(self._bucket, b"\n".join(grown))
            grown = []
        lines = [*grown, *shrunk, *last_lines]
        self._server.write(self._bucket, b"\n".join(lines))
        if len(remembered) > MAX_REMEMBERED:
            remembered = {}
        for key, entry in entries.items():
            remembered.pop(key, None)
            if key in read.complete and sum(len(entry.ranges_of(o)) for o in OUTCOMES) <= MAX_REMEMBERED_RANGES:
                remembered[key] = entry
        self._remembered = remembered

    def _location_lines(self, entries: Mapping[OutboxKey, RowRangesEntry]) -> list[bytes]:
        head = b"row_location,device=%b%b,spool=%b body=%b 0"
        return [
            head % (escape_tag(device), self._province_tag.line_tag, escape_tag(outbox_id), _quote_json(e.locations))
            for (device, outbox_id), e in entries.items()
        ]

    def _page_lines(self, key: OutboxKey, outcome: str, pages: Mapping[int, ClosedRanges]) -> list[bytes]:
        device, outbox_id = key
        head = b"row_range,device=%b,outcome=%b%b,spool=%b body=" % (
            escape_tag(device),
            outcome.encode(),
            self._province_tag.line_tag,
            escape_tag(outbox_id),
        )
        return [b"%b%b %d" % (head, _quote_json(ranges), page) for page, ranges in pages.items()]

    # --- texts of earlier versions ------------------------------------------------------------

    def convert_legacy(self) -> None:
        """Move the rows of earlier versions' texts into pages; a conversion that stopped begins again."""
        for tags, entries in self._legacy_points():
            moved = row_ranges.merge_entries(entries)
            read = self.read_around(moved.values())
            merged = {
                key: row_ranges.merge_entry(read.entries.get(key, RowRangesEntry(*key)), entry)
                for key, entry in moved.items()
            }
            text = "".join(f",{key}={escape_tag(value).decode()}" for key, value in sorted(tags.items()) if value)
            self.write(read, merged, [f'ranges{text} body="{_EMPTY_BODY}" 0'.encode()])

    def _legacy_points(self, device: str | None = None) -> list[tuple[dict[str, str], list[RowRangesEntry]]]:
        """Return the texts, with their points' tags, that have rows; of a device: of its centre."""
        where = "" if device is None else f"site = {quote_string(device.rpartition('-')[0] or '-')} AND "
        query = (
            f"SELECT body::string FROM ranges WHERE {where}body != '{_EMPTY_BODY}' AND {self._province_tag.condition}"
        )
        (answer,) = self._server.query(self._bucket, tuple[int, str], f"{query} GROUP BY site, part, province")
        return list(
            self._unreadable.read_each(
                [(series.tags, body) for series in answer for _, body in series.values],
                lambda row: (row[0], msgspec.json.decode(row[1], type=list[RowRangesEntry])),
                lambda row: ("", f"ranges {row[0]}"),
            )
        )


def _decode_ranges(body: str) -> ClosedRanges:
    """Return the ranges of a page; raises MsgspecError or ValueError when they are none."""
    ranges = msgspec.json.decode(body, type=ClosedRanges)
    if any(not 0 < low <= high <= MAX_ROW_NUMBER for low, high in ranges):
        msg = "no range of row numbers"
        raise ValueError(msg)
    return ranges


def _key_of(tags: Mapping[str, str]) -> OutcomeKey:
    outcome: Outcome = tags["outcome"]  # type: ignore[assignment]
    return (tags["device"], tags["spool"]), outcome


def _outbox_conditions(keys: set[OutboxKey]) -> Iterator[str]:
    """Yield conditions that together select these outboxes, and perhaps others of the same devices."""
    ordered = sorted(keys)
    for at in range(0, len(ordered), OUTBOXES_PER_QUERY):
        part = ordered[at : at + OUTBOXES_PER_QUERY]
        devices, outbox_ids = {device for device, _ in part}, {outbox_id for _, outbox_id in part}
        yield f"{tag_condition('device', devices)} AND {tag_condition('spool', outbox_ids)}"


def _quote_json(value: object) -> bytes:
    return quote_field(msgspec.json.encode(value))


def _entries_of(
    pages: PagesByOutcome, locations: Mapping[OutboxKey, Sequence[RowLocation]]
) -> dict[OutboxKey, RowRangesEntry]:
    ranges: dict[OutboxKey, dict[str, ClosedRanges]] = {}
    for (key, outcome), of_outcome in pages.items():
        ranges.setdefault(key, {})[outcome] = union_ranges(*of_outcome.values())
    return {
        key: RowRangesEntry(*key, **of_outbox, locations=tuple(locations.get(key, ())))  # type: ignore[arg-type]
        for key, of_outbox in ranges.items()
    }
