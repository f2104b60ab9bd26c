"""Says on the page of a hosted system why it does not answer; it must not decide that."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from api.pages.frame.language import PageLocale
    from telemetry.core.inventory import Inventory
    from telemetry.queries.hosted import HostedView

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
