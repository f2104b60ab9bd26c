"""Rules about copies: where they are, whether they meet the owner's promises, whether a restore is proven. Pure."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from infra.plan.cloud.sentences import Sentence, day_vi, number_vi
from infra.policy.cloud.breach import component_breach, shared_breach, system_breach, systems_under
from telemetry.core.cloud.values import DATA_ZONE_KINDS
from telemetry.core.hosted.database_figures import has_copies

if TYPE_CHECKING:
    from collections.abc import Iterator

    from infra.plan.cloud.values import CloudPlan, SystemPlan
    from infra.policy.cloud.breach import CloudBreach
    from telemetry.core.cloud.values import Component

WAL_S: Final = 300
"""How old the newest copy of a database's changes is at most where they are streamed to a store, s."""
DRILL_AGES: Final = {3: timedelta(days=365), 4: timedelta(days=183), 5: timedelta(days=92)}
"""How old the last proven restore may be, by level; the year of level 3 is ours, the standard says regularly."""
LEAST_COPIES: Final = 3
_MB_PER_GB = 1000
_DRILL_REMEDY: Final = Sentence(
    "restore it, and declare the [[drill]] in cloud.toml",
    "Diễn tập khôi phục, rồi khai báo [[drill]] trong cloud.toml",
)


def check_copies(plan: CloudPlan) -> Iterator[CloudBreach]:
    """Yield the breaches of all rules about copies and restores."""
    for rule, check in (
        ("backup-321", _place_breaches),
        ("rpo-met", _loss_breaches),
        ("rto-met", _restore_breaches),
        ("drill", _drill_breaches),
    ):
        for system in systems_under(plan, rule):
            if data_components(system):
                yield from check(plan, system)


def data_components(system: SystemPlan) -> tuple[Component, ...]:
    """Return the components that hold data which a deletion would lose."""
    return tuple(one.declared for one in system.components if one.declared.kind in DATA_ZONE_KINDS)


def _place_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    apart = [store for store in plan.declaration.backups if store.own_project]
    if not apart:
        problem = Sentence(
            "no store of copies is apart from what it copies", "Không có kho bản sao nào tách khỏi môi trường vận hành"
        )
        remedy = Sentence(
            "declare a [[backup]] with own_project = true in cloud.toml",
            "Khai báo một [[backup]] có own_project = true trong cloud.toml",
        )
        yield shared_breach("backup-321", system, problem, remedy, "")
    if system.declared.level < 3:
        return
    if len(apart) + 1 < LEAST_COPIES:
        copies = "1 copy" if not apart else f"{len(apart) + 1} copies"
        problem = Sentence(
            f"has {copies} of its data, its own one counted; {LEAST_COPIES} are wanted",
            f"Có {len(apart) + 1} bản dữ liệu, kể cả bản gốc; yêu cầu {LEAST_COPIES} bản",
        )
        remedy = Sentence("declare another [[backup]] in cloud.toml", "Khai báo thêm một [[backup]] trong cloud.toml")
        yield shared_breach("backup-321", system, problem, remedy, "")
    media = {"block", *(store.medium for store in apart)}
    if len(media) < 2:
        problem = Sentence("all copies are on one kind of store", "Mọi bản sao nằm trên cùng một loại lưu trữ")
        remedy = Sentence(
            "store one on another medium: a [[backup]] of cloud.toml with medium objects or tape",
            "Lưu một bản trên loại lưu trữ khác: một [[backup]] của cloud.toml có medium là objects hoặc tape",
        )
        yield shared_breach("backup-321", system, problem, remedy, "")
    if all(store.site == system.declared.site for store in apart):
        problem = Sentence(
            f"all copies are at site {system.declared.site}", f"Mọi bản sao đặt tại địa điểm {system.declared.site}"
        )
        remedy = Sentence(
            "store one at another site: a [[backup]] of cloud.toml with another site",
            "Lưu một bản tại địa điểm khác: một [[backup]] của cloud.toml có site khác",
        )
        yield shared_breach("backup-321", system, problem, remedy, "")


def _loss_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    rpo_s = system.declared.rpo_s
    for component in data_components(system):
        if component.kind == "database" and plan.declaration.backups and not has_copies(plan.declaration):
            yield _missing_copies(plan, system, component)
            continue
        if rpo_s == 0:
            yield from _synchronous_breaches(system, component)
            continue
        intervals = [
            min(WAL_S, store.every_s) if store.wal and component.kind == "database" else store.every_s
            for store in plan.declaration.backups
        ]
        if not intervals or min(intervals) > rpo_s:
            every = f"every {min(intervals):,} s" if intervals else "nowhere"
            copied_vi = (
                f"được sao chép {number_vi(min(intervals))} giây một lần" if intervals else "không được sao chép"
            )
            problem = Sentence(
                f"its data are copied {every}, and the promised loss is {rpo_s:,} s at most: rpo_s",
                f"Dữ liệu {copied_vi}, trong khi cam kết mất tối đa {number_vi(rpo_s)} giây (rpo_s)",
            )
            remedy = (
                Sentence(
                    "stream changes to a store: wal, or promise less",
                    "Chuyển liên tục các thay đổi vào kho bản sao (wal), hoặc cam kết mức thấp hơn",
                )
                if component.kind == "database"
                else Sentence(
                    "copy more often: every_s, or promise less",
                    "Sao chép thường xuyên hơn (every_s), hoặc cam kết mức thấp hơn",
                )
            )
            yield component_breach("rpo-met", system, component, problem, remedy)


def _missing_copies(plan: CloudPlan, system: SystemPlan, component: Component) -> CloudBreach:
    """Return the breach of a database of which no target makes a copy, whatever the schedule of the stores."""
    if "backup" in plan.declaration.platform:
        problem = Sentence(
            "no copy of it is made: no store of copies has medium objects",
            "Không tạo được bản sao nào: không có kho bản sao loại objects",
        )
        remedy = Sentence(
            "declare a [[backup]] with medium objects in cloud.toml",
            "Khai báo một [[backup]] có medium là objects trong cloud.toml",
        )
    else:
        problem = Sentence(
            "no copy of it is made: the platform has no service backup",
            "Không tạo được bản sao nào: nền tảng không có dịch vụ backup",
        )
        remedy = Sentence(
            "declare [platform.backup] in cloud.toml: where the store of copies answers",
            "Khai báo [platform.backup] trong cloud.toml: địa chỉ của kho bản sao",
        )
    return component_breach("rpo-met", system, component, problem, remedy)


def _synchronous_breaches(system: SystemPlan, component: Component) -> Iterator[CloudBreach]:
    if component.kind != "database":
        problem = Sentence(
            f"promises no loss, which a component of kind {component.kind} cannot give: rpo_s = 0",
            f"Cam kết không mất dữ liệu (rpo_s = 0), điều mà thành phần loại {component.kind} không bảo đảm được",
        )
        remedy = Sentence(
            "promise a loss, or store it in a database", "Cam kết một mức mất dữ liệu, hoặc lưu vào cơ sở dữ liệu"
        )
        yield component_breach("rpo-met", system, component, problem, remedy)
    elif component.least < 2:
        problem = Sentence(
            "promises no loss, which needs a synchronous second instance: rpo_s = 0",
            "Cam kết không mất dữ liệu (rpo_s = 0), cần bản chạy thứ hai đồng bộ",
        )
        remedy = Sentence("least = 2, or promise a loss", "Ghi least = 2, hoặc cam kết một mức mất dữ liệu")
        yield component_breach("rpo-met", system, component, problem, remedy)


def _restore_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    rto_s = system.declared.rto_s
    speed = max((store.restore_mb_per_s for store in plan.declaration.backups), default=0)
    size_gb = sum(component.disk_gb for component in data_components(system))
    if not speed:
        problem = Sentence(
            "no store of copies has a measured speed of restore, so that rto_s cannot be checked",
            "Chưa đo tốc độ khôi phục của kho bản sao nào, nên chưa đối chiếu được rto_s",
        )
        remedy = Sentence(
            "measure one, and write restore_mb_per_s", "Đo tốc độ khôi phục, rồi ghi vào restore_mb_per_s"
        )
        yield system_breach("rto-met", system, problem, remedy, is_hint=True)
        return
    needed_s = size_gb * _MB_PER_GB / speed
    if needed_s > rto_s:
        problem = Sentence(
            f"a restore of {size_gb:,} GB at {speed:,} MB/s takes {needed_s:,.0f} s, and {rto_s:,} s are promised",
            f"Khôi phục {number_vi(size_gb)} GB với tốc độ {number_vi(speed)} MB/s mất "
            f"{number_vi(round(needed_s))} giây, trong khi cam kết {number_vi(rto_s)} giây",
        )
        remedy = Sentence(
            "restore faster, or promise more time: rto_s", "Khôi phục nhanh hơn, hoặc cam kết thời gian dài hơn (rto_s)"
        )
        yield system_breach("rto-met", system, problem, remedy)


def _drill_breaches(plan: CloudPlan, system: SystemPlan) -> Iterator[CloudBreach]:
    longest = DRILL_AGES[min(system.declared.level, max(DRILL_AGES))]
    days = [drill.day for drill in plan.declaration.drills if drill.system == system.id and drill.day <= plan.today]
    if not days:
        problem = Sentence("no restore is proven", "Chưa diễn tập khôi phục lần nào")
        yield system_breach("drill", system, problem, _DRILL_REMEDY)
    elif plan.today - max(days) > longest:
        problem = Sentence(
            f"the last proven restore is of {max(days)}, more than {longest.days} days ago",
            f"Lần diễn tập khôi phục gần nhất là ngày {day_vi(max(days))}, đã quá {longest.days} ngày",
        )
        yield system_breach("drill", system, problem, _DRILL_REMEDY)
