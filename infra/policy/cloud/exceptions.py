"""Exceptions from rules: which one holds for a place on a day, and the label of what it leaves out. Pure.

It must not weaken a rule for anything but the declared place; an exception without an end, too long or expired is a
breach of its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.policy.cloud.breach import CLOUD, CloudBreach
from infra.policy.cloud.catalogue import CLOUD_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from telemetry.core.cloud.values import CloudDeclaration, PolicyException

LONGEST_EXCEPTION: Final = timedelta(days=180)
UNEXCEPTED_RULES: Final = frozenset({"level-refused", "site-country", "exception-dated"})
"""What the law leaves no room for, and the rule about exceptions itself."""
OBJECT_RULES: Final = frozenset({"pod-hardened", "image-pinned"})
"""Rules that no declaration can break, only the objects that are made of it."""
_LABEL_PREFIX = "motcua.org/exception-"


def exception_label(rule: str) -> str:
    """Return the label by which an object is left out of a rule; its value is the last day of the exception."""
    return f"{_LABEL_PREFIX}{rule}"


def exception_labels(declaration: CloudDeclaration, place: str, today: date) -> dict[str, str]:
    """Return the labels of the exceptions that hold on a day for `system` or `system/component`."""
    return {
        exception_label(one.rule): one.until.isoformat()
        for one in declaration.exceptions
        if one.until is not None and covers(one, one.rule, place) and is_valid(declaration, one, today)
    }


def find_exception(declaration: CloudDeclaration, breach: CloudBreach, today: date) -> PolicyException | None:
    """Return the exception that holds for a breach on a day, the longest of several; None without one."""
    held = [
        one
        for one in declaration.exceptions
        if covers(one, breach.rule, breach.place) and is_valid(declaration, one, today)
    ]
    return max(held, key=lambda one: (one.until, one.where, one.by), default=None)


def covers(exception: PolicyException, rule: str, place: str) -> bool:
    """Return whether an exception is of a rule and holds for a place: a system's holds for its components as well."""
    return exception.rule == rule and exception.where in {place, place.partition("/")[0]}


def is_valid(declaration: CloudDeclaration, exception: PolicyException, today: date) -> bool:
    """Return whether an exception takes effect on a day."""
    return not any(_problems(declaration, exception, today))


def check_exceptions(declaration: CloudDeclaration, today: date) -> Iterator[CloudBreach]:
    """Yield a breach for each exception without end, reason or agency, that is too long, or has expired.

    A valid one from a rule that only objects can break is a breach of that rule: the plan does not show it otherwise.
    """
    for exception in declaration.exceptions:
        if exception.rule in OBJECT_RULES and is_valid(declaration, exception, today):
            problem, remedy = "its objects are left out of the rule", "mend them before the exception ends"
            yield CloudBreach(exception.rule, exception.where, problem, remedy, declared_at=exception.declared_at)
        for problem, remedy in _problems(declaration, exception, today):
            yield CloudBreach(
                "exception-dated",
                exception.where or CLOUD,
                f"the exception from {exception.rule} {problem}",
                remedy,
                declared_at=exception.declared_at,
            )


def _problems(declaration: CloudDeclaration, exception: PolicyException, today: date) -> Iterator[tuple[str, str]]:
    """Yield (problem, remedy) of an exception."""
    if exception.rule not in CLOUD_RULES:
        yield "names no rule", f"name one of {', '.join(sorted(set(CLOUD_RULES) - UNEXCEPTED_RULES))}"
    elif exception.rule in UNEXCEPTED_RULES:
        yield "is not possible", "remove it: the law leaves no room for it"
    if exception.where != CLOUD and exception.where not in _places(declaration):
        yield f"names {exception.where!r}, which is not declared", "name a system, system/component or cloud"
    if not exception.why.strip():
        yield "has no reason", "write why"
    agency = declaration.agencies.get(exception.by)
    if agency is None or not agency.is_valid_on(today):
        yield f"is answered for by {exception.by!r}, no agency of today", "name the agency that answers for it: by"
    yield from _end_problems(exception, today)


def _end_problems(exception: PolicyException, today: date) -> Iterator[tuple[str, str]]:
    if exception.until is None:
        yield "has no end", f"give it one within {LONGEST_EXCEPTION.days} days: until"
    elif exception.until < today:
        yield f"ended on {exception.until}", "mend what it was for, or decide again"
    elif exception.until - today > LONGEST_EXCEPTION:
        yield f"ends in {(exception.until - today).days} days", f"end it within {LONGEST_EXCEPTION.days} days"


def _places(declaration: CloudDeclaration) -> set[str]:
    return {*declaration.systems, *(component.path for component in declaration.components)}
