"""Says on the page of a hosted system why it fails, and shows figures of its databases; it must not decide that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from api.pages.frame.tables import PageTable, PageTableRow, TableCell, TableColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.pages.frame.language import PageLocale
    from telemetry.core.hosted.database_figures import DatabaseFigure
    from telemetry.core.inventory import Inventory
    from telemetry.queries.hosted import ComponentView, HostedView

MAX_NAMED_VICTIMS = 5


def failure_sentence(inventory: Inventory, locale: PageLocale, ident: str, hosted: HostedView | None) -> str:
    """Return why a hosted system, or a component of it, does not answer; empty when nothing is down.

    Components of the page's own system stand without its name.
    """
    why = hosted and hosted.explanation
    if not why:
        return ""
    if why.kind != "component":
        return locale.t(f"sys_why_{why.kind}")
    page_of = inventory.systems.get(ident)
    own_prefix = (
        f"{locale.name(inventory.systems.get(page_of.part_of) if page_of and page_of.part_of else page_of, ident)}: "
    )

    def short_name(name: str) -> str:
        return locale.name(inventory.systems.get(name), name).removeprefix(own_prefix)

    cause = short_name(why.cause)
    victims = [name for name in why.victims if name != ident]
    if ident not in why.victims and why.cause != ident:
        return locale.t("sys_why_part", cause=cause)
    names = [short_name(name) for name in victims[:MAX_NAMED_VICTIMS]]
    if len(victims) > len(names):
        names = [locale.t("inc_and_more", names=", ".join(names), n=len(victims) - len(names))]
    sentence = locale.t("sys_why_component", cause=cause)
    return f"{sentence} {locale.t('sys_why_victims', names=', '.join(names))}" if names else sentence


_STATE_CODES = {"good": "up", "bad": "down", "unknown": "unknown"}
"""States of a figure as the states whose symbols they have."""


def figures_table(locale: PageLocale, parts: Sequence[ComponentView], now: int) -> PageTable:
    """Return the own figures of databases among components, each with its limit, and its age at `now` (Unix ms)."""
    t = locale.t
    columns = (
        TableColumn("figure", t("sys_figure")),
        TableColumn("state", t("sys_figure_state"), "state", prefix="sys_figure_"),
        TableColumn("value", t("sys_figure_value")),
        TableColumn("limit", t("sys_figure_limit")),
        TableColumn("at", t("sys_figure_at"), "time"),
    )
    rows = tuple(_figure_row(locale, part, figure, now) for part in parts for figure in part.figures)
    return PageTable("figures", t("sys_figures"), columns, rows)


def _figure_row(locale: PageLocale, part: ComponentView, figure: DatabaseFigure, now: int) -> PageTableRow:
    name = locale.t("sys_figure_of", component=part.component.id, figure=locale.t(f"sys_figure_{figure.id}"))
    cause = locale.t(f"sys_figure_cause_{figure.id}") if figure.state == "bad" else ""
    value = _written_value(locale, figure, figure.value)
    if figure.value is None and figure.state == "bad":
        value = locale.t("sys_figure_never")
    bound_key = "sys_at_least" if figure.id == "instances" else "sys_at_most"
    bound = locale.t(bound_key, n=_written_value(locale, figure, figure.limit))
    at = part.figures_at
    return PageTableRow(
        (
            TableCell(name),
            TableCell(_STATE_CODES[figure.state], note=cause),
            TableCell(value or None),
            TableCell(bound),
            TableCell(at, locale.since(at, now)) if at else TableCell(None),
        )
    )


def _written_value(locale: PageLocale, figure: DatabaseFigure, value: float | None) -> str:
    """Return a value in its unit; hours from two hours on."""
    if value is None:
        return ""
    if figure.id == "disk":
        return locale.share(value)
    if figure.id == "instances":
        return locale.number(value)
    minutes = round(value / 60)
    return locale.minutes(value) if minutes < 120 else locale.t("inc_hours", h=minutes // 60, m=minutes % 60)
