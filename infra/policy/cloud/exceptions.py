"""Exceptions from rules: which one holds for a place on a day, and the label of what it leaves out. Pure.

It must not weaken a rule for anything but the declared place; an exception without an end, too long or expired is a
breach of its own.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.names import drill_name
from infra.plan.cloud.sentences import Sentence, day_vi
from infra.policy.cloud.breach import CLOUD, CloudBreach
from infra.policy.cloud.catalogue import CLOUD_RULES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from infra.plan.cloud.values import CloudPlan, ZonePlan
    from telemetry.core.cloud.values import CloudDeclaration, PolicyException

LONGEST_EXCEPTION: Final = timedelta(days=180)
UNEXCEPTED_RULES: Final = frozenset({"level-refused", "site-country", "exception-dated"})
"""What the law leaves no room for, and the rule about exceptions itself."""
OBJECT_RULES: Final = frozenset({"pod-hardened", "image-pinned"})
"""Rules that no declaration can break, only the objects that are made of it."""
EXCEPTION_PREFIX: Final = "motcua.org/exception-"
"""How the labels begin by which objects are left out of rules."""
NAMESPACE_PART: Final = "_namespace"
"""What stands in the place of a component in the key of a namespace's own exception."""
NAMESPACE_RULE: Final = "pod-hardened"
"""The rule whose exception for a component opens its namespace, too: Pod Security knows no smaller place."""


def exception_label(rule: str) -> str:
    """Return the label by which an object is left out of a rule; its value is the last day of the exception."""
    return f"{EXCEPTION_PREFIX}{rule}"


def exception_labels(declaration: CloudDeclaration, place: str, today: date) -> dict[str, str]:
    """Return the labels of the exceptions that hold on a day for `system` or `system/component`."""
    return {
        exception_label(one.rule): one.until.isoformat()
        for one in declaration.exceptions
        if one.until is not None and covers(one, one.rule, place) and is_valid(declaration, one, today)
    }


def exception_keys(plan: CloudPlan) -> frozenset[str]:
    """Return every exception that holds on the plan's day, as `RULE.UNTIL.NAMESPACE[.COMPONENT]`, by its objects.

    An object whose labels say another one was given an exception that nobody declared. A drill has those of its zone.
    """
    return frozenset(
        key
        for exception in plan.declaration.exceptions
        if exception.until is not None and is_valid(plan.declaration, exception, plan.today)
        for system in plan.systems
        for zone in system.zones
        for key in _keys_in(exception, zone)
    )


def _keys_in(exception: PolicyException, zone: ZonePlan) -> Iterator[str]:
    has_drills = any(one.declared.kind == "database" for one in zone.components)
    for namespace in (zone.namespace, *((drill_name(zone.namespace),) if has_drills else ())):
        yield from _keys_of(exception, zone, f"{exception.rule}.{exception.until}.{namespace}")


def _keys_of(exception: PolicyException, zone: ZonePlan, start: str) -> Iterator[str]:
    parts = [one.declared.id for one in zone.components if covers(exception, exception.rule, one.declared.path)]
    of_system = covers(exception, exception.rule, zone.system)
    yield from (f"{start}.{part}" for part in parts)
    if of_system:
        yield start
    if of_system or (parts and exception.rule == NAMESPACE_RULE):
        yield f"{start}.{NAMESPACE_PART}"


def label_problems(
    labels: Mapping[str, object], place: str, today: date | None, declared: Collection[str] | None
) -> Iterator[tuple[str, str]]:
    """Yield (problem, remedy) of an object's exception labels.

    `place` is `NAMESPACE[.COMPONENT]` of the object. Without a day no end has passed; without `declared` keys every
    exception may be.
    """
    for label, value in sorted(labels.items()):
        if not label.startswith(EXCEPTION_PREFIX):
            continue
        rule, until = label.removeprefix(EXCEPTION_PREFIX), _as_day(value)
        if rule not in CLOUD_RULES or rule in UNEXCEPTED_RULES:
            yield f"is left out of {rule}, which has no exceptions", f"remove the label {label}"
        elif until is None:
            yield f"is left out of {rule} without a last day", "write the last day: YYYY-MM-DD"
        elif today is not None and until < today:
            yield f"was left out of {rule} until {until}", "mend what it was for, or decide again"
        elif today is not None and until - today > LONGEST_EXCEPTION:
            yield f"is left out of {rule} for {(until - today).days} days", f"at most {LONGEST_EXCEPTION.days}"
        elif declared is not None and f"{rule}.{until}.{place}" not in declared:
            yield (
                f"is left out of {rule} until {until}, and nobody declared it",
                "declare an [[exception]], or remove it",
            )


def _as_day(value: object) -> date | None:
    try:
        return date.fromisoformat(str(value))
    except ValueError:
        return None


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
            problem = Sentence("its objects are left out of the rule", "Không áp dụng quy tắc này cho các đối tượng")
            remedy = Sentence("mend them before the exception ends", "Khắc phục trước khi ngoại lệ hết hạn")
            level = _level_at(declaration, exception.where)
            yield CloudBreach(exception.rule, exception.where, problem, remedy, level, exception.declared_at)
        for problem, remedy in _problems(declaration, exception, today):
            whole = Sentence(
                f"the exception from {exception.rule} {problem.en}",
                f"Ngoại lệ của quy tắc {exception.rule} {problem.vi}",
            )
            yield CloudBreach(
                "exception-dated", exception.where or CLOUD, whole, remedy, declared_at=exception.declared_at
            )


def _level_at(declaration: CloudDeclaration, place: str) -> int:
    """Return the level of the system at a place, whose chapter the clause is of; of the cloud the highest one."""
    system = declaration.systems.get(place.partition("/")[0])
    return system.level if system else max((one.level for one in declaration.systems.values()), default=1)


def _problems(
    declaration: CloudDeclaration, exception: PolicyException, today: date
) -> Iterator[tuple[Sentence, Sentence]]:
    """Yield (problem, remedy) of an exception."""
    if exception.rule not in CLOUD_RULES:
        rules = ", ".join(sorted(set(CLOUD_RULES) - UNEXCEPTED_RULES))
        yield (
            Sentence("names no rule", "không nêu đúng mã quy tắc"),
            Sentence(f"name one of {rules}", f"Nêu một trong các quy tắc: {rules}"),
        )
    elif exception.rule in UNEXCEPTED_RULES:
        yield (
            Sentence("is not possible", "không được phép"),
            Sentence("remove it: the law leaves no room for it", "Bỏ ngoại lệ: pháp luật không cho phép"),
        )
    if exception.where != CLOUD and exception.where not in _places(declaration):
        yield (
            Sentence(
                f"names {exception.where!r}, which is not declared", f"nêu nơi chưa khai báo: “{exception.where}”"
            ),
            Sentence("name a system, system/component or cloud", "Nêu hệ thống, hệ thống/thành phần, hoặc cloud"),
        )
    if not exception.why.strip():
        yield Sentence("has no reason", "không có lý do"), Sentence("write why", "Ghi lý do (why)")
    agency = declaration.agencies.get(exception.by)
    if agency is None or not agency.is_valid_on(today):
        yield (
            Sentence(
                f"is answered for by {exception.by!r}, no agency of today",
                f"do “{exception.by}” chịu trách nhiệm, không phải cơ quan còn hiệu lực",
            ),
            Sentence("name the agency that answers for it: by", "Nêu cơ quan chịu trách nhiệm (by)"),
        )
    yield from _end_problems(exception, today)


def _end_problems(exception: PolicyException, today: date) -> Iterator[tuple[Sentence, Sentence]]:
    most = LONGEST_EXCEPTION.days
    if exception.until is None:
        yield (
            Sentence("has no end", "không có ngày hết hạn"),
            Sentence(f"give it one within {most} days: until", f"Ghi ngày hết hạn trong vòng {most} ngày (until)"),
        )
    elif exception.until < today:
        yield (
            Sentence(f"ended on {exception.until}", f"đã hết hạn ngày {day_vi(exception.until)}"),
            Sentence("mend what it was for, or decide again", "Khắc phục điểm được miễn, hoặc quyết định lại"),
        )
    elif exception.until - today > LONGEST_EXCEPTION:
        days = (exception.until - today).days
        yield (
            Sentence(f"ends in {days} days", f"còn hiệu lực {days} ngày"),
            Sentence(f"end it within {most} days", f"Rút ngắn còn tối đa {most} ngày"),
        )


def _places(declaration: CloudDeclaration) -> set[str]:
    return {*declaration.systems, *(component.path for component in declaration.components)}
