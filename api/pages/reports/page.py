"""The monthly report in words and tables, for the page and the PDF alike; it must not compute figures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from api.pages.charts.plots import ChartSeries, ColumnText, time_chart
from api.pages.reports.incidents import incident_table, incidents_note
from api.pages.reports.tables import (
    centre_table,
    change_table,
    commitment_table,
    indicator_table,
    key_table,
    need_table,
    objective_table,
    service_table,
    system_table,
)
from telemetry.core.report.attention import centres_in_need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.charts.plots import TimeChart
    from api.pages.frame.language import PageLocale
    from api.pages.frame.render import Renderer
    from api.pages.frame.tables import PageTable
    from api.pages.reports.place import ReportPlace
    from telemetry.core.report.values import MonthlyReport, ReportedDay
    from telemetry.queries.monthly_reports import ReportAnswer

SHOWN_NEEDS = 12
"""Centres listed in the report itself; the others are in its appendix."""
SHOWN_CHANGES = 40
ICONS = {"provisional": "◔", "settled": "■", "published": "✓"}


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """One publication in words, with the figures that it changed."""

    text: str
    table: PageTable | None


def month_text(month: str, locale: PageLocale) -> str:
    """Return a month in words: `tháng 10/2026` is written by the texts, here `10/2026` or `October 2026`."""
    return locale.month(date(int(month[:4]), int(month[5:]), 1))


def print_document(renderer: Renderer, locale: PageLocale, answer: ReportAnswer, place: ReportPlace) -> str:
    """Return the HTML of which the PDF is made."""
    context = build_context(answer, place, locale)
    context["tables"] = {table.name: table for table in context["tables"]}
    return renderer.render_text(locale, "report_print.html", context)


def build_context(answer: ReportAnswer, place: ReportPlace, locale: PageLocale) -> dict[str, Any]:
    """Gather what the templates show; `tables` are the tables that can be sorted and downloaded."""
    report = answer.report
    needs = () if place.centre else centres_in_need(report)
    tables = [key_table(place, report, locale)]
    if place.centre is None:
        tables.append(need_table(needs[:SHOWN_NEEDS], report, locale))
        tables += [service_table(report.services, report, locale), system_table(report, locale)]
        tables += [objective_table(report, locale), indicator_table(report, locale)]
        tables += [commitment_table(report, locale), centre_table(report, locale)]
    else:
        tables.append(service_table(place.centre.services, report, locale))
    incidents = place.centre.incidents if place.centre else report.incidents
    tables.insert(1, incident_table(incidents, locale))
    shown = [table for table in tables if table.rows]
    scope = None if place.centre is None else f"centre:{place.centre.id}"
    changes = [c for c in answer.changes if scope in (None, c.scope)]
    return {
        "title": locale.t("rep_title", place=place.name),
        "kicker": locale.t("rep_kicker", month=month_text(report.month, locale)),
        "report": report,
        "place": place,
        "stage": answer.stage,
        "stage_icon": ICONS[answer.stage],
        "stage_note": stage_note(answer, locale),
        "summary": summary_sentences(report, place, len(needs), locale),
        "change_note": locale.t("rep_changes_since", n=len(changes)) if changes else "",
        "tables": shown,
        "names": [table.name for table in shown],
        "incidents_note": incidents_note(incidents, locale),
        "need_note": need_note(report, locale),
        "need_more": max(0, len(needs) - SHOWN_NEEDS),
        "day_name": lambda day: locale.plain_date(date.fromisoformat(day)),
        "charts": () if place.centre else daily_charts(report.days, locale),
        "quality": quality_lines(report, place, locale),
        "revisions": revision_lines(report, scope, locale),
        "since": change_table(changes[:SHOWN_CHANGES], "since", "rep_change_since_list", report, locale)
        if changes
        else None,
        "source": locale.t(
            "rep_source", version=report.inventory_version, at=locale.date_and_time(report.computed_at)
        ),
    }  # fmt: skip


def stage_note(answer: ReportAnswer, locale: PageLocale) -> str:
    """Return whether the report may still change, in a sentence."""
    report = answer.report
    at = report.revisions[-1].published_at if report.revisions else report.computed_at
    return locale.t(f"rep_note_{answer.stage}", at=locale.date_and_time(at), revision=report.revision)


def summary_sentences(report: MonthlyReport, place: ReportPlace, needs: int, locale: PageLocale) -> Sequence[str]:
    """Return the month in sentences."""
    tickets, account = place.tickets, place.time.account
    if not (place.time.up or place.time.down or tickets.issued or tickets.waits):
        return [locale.t("rep_s_empty")]
    sentences = [
        locale.t(
            "rep_s_tickets", month=month_text(report.month, locale), place=place.name, issued=tickets.issued,
            served=tickets.served, change=_change_words(tickets.issued, place.previous_tickets.issued, locale),
        )
    ]  # fmt: skip
    if tickets.mean_wait_s is not None:
        within = locale.share(tickets.within_ratio)
        threshold = locale.minutes(report.threshold_s)
        mean = locale.minutes(tickets.mean_wait_s)
        sentences.append(locale.t("rep_s_waits", mean=mean, within=within, threshold=threshold))
        if report.wait_target_s is not None:
            verdict = "met" if tickets.mean_wait_s <= report.wait_target_s else "missed"
            sentences.append(locale.t(f"rep_s_target_{verdict}", target=locale.minutes(report.wait_target_s)))
    if account.availability() is not None:
        availability, coverage = locale.percent(account.availability()), locale.percent(account.coverage)
        sentences.append(locale.t("rep_s_time", availability=availability, coverage=coverage))
    if place.centre is None:
        sentences.append(locale.t("rep_s_need", n=needs) if needs else locale.t("rep_s_none"))
        behind = len({one.id for one in report.indicators if one.on_track is False})
        if behind:
            sentences.append(locale.t("rep_s_kpis", n=behind))
    return sentences


def _change_words(now: int, before: int, locale: PageLocale) -> str:
    """Return how the number of visitors compares with the month before; empty without any then."""
    if not before:
        return ""
    if now == before:
        return locale.t("rep_s_same")
    return locale.t("rep_s_up" if now > before else "rep_s_down", share=locale.share(abs(now - before) / before))


def need_note(report: MonthlyReport, locale: PageLocale) -> str:
    """Return by what centres are listed as in need, with the goals that are declared."""
    goal = "" if report.availability_goal is None else f" ({locale.percent(report.availability_goal)})"
    target = "" if report.wait_target_s is None else f" ({locale.minutes(report.wait_target_s)})"
    return locale.t("rep_need_note", floor=locale.percent(report.coverage_floor), goal=goal, target=target)


def daily_charts(days: Sequence[ReportedDay], locale: PageLocale) -> Sequence[tuple[str, str, TimeChart]]:
    """Return (id, title, chart) of visitors and of mean waits by day."""
    means = [day.wait_sum_ms / day.waits / 60_000 if day.waits else None for day in days]
    texts = []
    for place, day in enumerate(days):
        on, mean = date.fromisoformat(day.day), means[place]
        shown = "–" if mean is None else locale.minutes(mean * 60)
        tip = locale.t("rep_day_tip", day=locale.plain_date(on), issued=day.issued, mean=shown)
        texts.append(ColumnText(str(on.day), tip))
    issued = ChartSeries("issued", tuple(float(day.issued) for day in days))
    mean_waits = ChartSeries("mean", tuple(means))
    return (
        ("issued", locale.t("rep_daily_issued"), time_chart([issued], texts)),
        ("mean", locale.t("rep_daily_mean"), time_chart([mean_waits], texts)),
    )


def quality_lines(report: MonthlyReport, place: ReportPlace, locale: PageLocale) -> Sequence[str]:
    """Return what is known of the month, in sentences."""
    account = place.time.account
    hours = {
        name: locale.number(seconds / 3600)
        for name, seconds in (
            ("known", account.up + account.down), ("open", account.open), ("unknown", account.unknown),
            ("excluded", account.excluded),
        )
    }  # fmt: skip
    lines = [locale.t("rep_quality_time", coverage=locale.percent(account.coverage), **hours)]
    if account.excluded:
        lines.append(locale.t("rep_quality_excluded", **hours))
    rows = report.rows
    if place.centre is None and rows.highest:
        lines.append(
            locale.t(
                "rep_quality_rows", ratio=locale.percent(rows.ratio), stored=rows.stored, refused=rows.refused,
                dropped=rows.dropped, highest=rows.highest,
            )
        )  # fmt: skip
    if report.simulated:
        lines.append(locale.t("rep_quality_simulated"))
    return lines


def revision_lines(report: MonthlyReport, scope: str | None, locale: PageLocale) -> Sequence[RevisionLine]:
    """Return the publications, the newest first; `scope` leaves out what changed elsewhere."""
    lines = []
    for one in reversed(report.revisions):
        head = locale.t("rep_revision_line", revision=one.number, at=locale.date_and_time(one.published_at))
        changes = [c for c in one.changes if scope in (None, c.scope)]
        n = len(changes) if scope else one.change_count
        what = locale.t("rep_revision_first") if one.number == 1 else locale.t("rep_revision_changes", n=n)
        name = f"revision-{one.number}"
        table = change_table(changes[:SHOWN_CHANGES], name, "rep_change_list", report, locale) if changes else None
        lines.append(RevisionLine(head + what, table))
    return lines
