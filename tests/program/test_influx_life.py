"""The life of a bucket in any order of wishes, deeds by hand and deaths: in the end it is as asked, nothing was cut."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings, strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

from infra.providers.influx.bucket import default_shard_s, shrinks
from infra.providers.resource_kind import ProviderError, difference
from tests.program.influx_world import client, server, world

if TYPE_CHECKING:
    from infra.providers.influx.resource import InfluxKind
    from infra.providers.resource_kind import Props
    from tests.program.influx_world import World

__all__ = ["client", "server", "world"]
DAY_S = 86_400
RETENTION = st.sampled_from([0, DAY_S, 7 * DAY_S, 400 * DAY_S])
SHARD = st.sampled_from([None, 3_600, DAY_S])
_names = itertools.count(1)


class Life(RuleBasedStateMachine):
    """A stack with one bucket, run again and again."""

    world: World

    def __init__(self) -> None:
        super().__init__()
        self.name = f"life-{next(_names)}"
        self.state: tuple[str, Props] | None = None
        self.last: tuple[int, int | None, str] = (0, None, "")

    @rule(retention_s=RETENTION, shard_s=SHARD, words=st.sampled_from(["", "a", "b; c"]), consent=st.booleans())
    def run(self, retention_s: int, shard_s: int | None, words: str, consent: bool) -> None:
        """Refresh and run with these wishes; without consent nothing that is there gets a shorter retention."""
        self.last = (retention_s, shard_s, words)
        wishes = self._wishes(retention_s, shard_s, words, consent)
        before = self._there()
        cut = before is not None and shrinks(before[0], retention_s)
        if self._apply(self.world.kind("bucket"), wishes):
            assert self._there() == (retention_s, shard_s or default_shard_s(retention_s), words)
            assert consent or not cut
        else:
            assert cut
            assert not consent
            assert self._there() == before

    @rule(by_hand=st.sampled_from([None, "retention", "shard"]))
    def run_again(self, by_hand: str | None) -> None:
        """Run with the wishes of before, after somebody turned one thing by hand or nothing."""
        retention_s, shard_s, words = self.last
        for found in self._found() if by_hand else ():
            shard = shard_s or default_shard_s(retention_s)
            every, shard = (4_000 * DAY_S, shard) if by_hand == "retention" else (retention_s, 7_200)
            told = {"type": "expire", "everySeconds": every, "shardGroupDurationSeconds": shard}
            self.world.server.call("PATCH", f"/api/v2/buckets/{found['id']}", {"retentionRules": [told]})
        self.run(retention_s, shard_s, words, consent=True)

    @rule(calls=st.integers(0, 5), asked=st.booleans(), retention_s=RETENTION)
    def die(self, calls: int, asked: bool, retention_s: int) -> None:
        """Run, and be killed on the way: what was not told is not in the state."""
        mortal, _ = self.world.cut(calls, asked=asked)
        wishes = self._wishes(retention_s, None, "", consent=False)
        before = self._there()
        try:
            self._apply(self.world.kind("bucket", mortal), wishes)
        except ProviderError:
            after = self._there()
            assert before is None or (after is not None and not shrinks(before[0], after[0]))
        finally:
            mortal.close()

    @rule(retention_s=RETENTION)
    def change_by_hand(self, retention_s: int) -> None:
        """Set another retention past the stack."""
        for found in self._found():
            told = {"type": "expire", "everySeconds": retention_s, "shardGroupDurationSeconds": DAY_S}
            self.world.server.call("PATCH", f"/api/v2/buckets/{found['id']}", {"retentionRules": [told]})

    @rule()
    def delete_by_hand(self) -> None:
        """Delete it past the stack."""
        for found in self._found():
            self.world.server.call("DELETE", f"/api/v2/buckets/{found['id']}")

    @rule()
    def destroy(self) -> None:
        """Destroy the stack: what its state names is gone."""
        if self.state is not None:
            self.world.kind("bucket").delete(*self.state)
            self.state = None
            assert self._found() == []

    def _wishes(self, retention_s: int, shard_s: int | None, words: str, consent: bool) -> Props:
        more = {} if shard_s is None else {"shard_s": shard_s}
        plain = {"org": self.world.org, "name": self.name, "retention_s": retention_s, "description": words}
        return {**plain, **more, "allow_shrink": consent}

    def _apply(self, kind: InfluxKind, wishes: Props) -> bool:
        """Do what an engine does; False when a cut was refused, by check or by the server's side."""
        found = kind.read(*self.state) if self.state else None
        self.state = (found.id, found.outputs) if found else None
        news, failures = kind.check(found.inputs if found else {}, wishes)
        if failures:
            assert [one.field for one in failures] == ["retention_s"]
            return False
        try:
            if self.state is None:
                self.state = kind.create(news)
            elif difference(kind, self.state[1], news).changed:
                self.state = (self.state[0], kind.update(*self.state, news))
        except ProviderError as error:
            if "would cut it" not in str(error):
                raise
            return False
        return True

    def _found(self) -> list[dict[str, object]]:
        listed = self.world.server.call("GET", f"/api/v2/buckets?limit=100&orgID={self.world.org_id}")["buckets"]
        return [one for one in listed if one["name"] == self.name]

    def _there(self) -> tuple[int, int, str] | None:
        """Return retention, shard and words of what is there."""
        kind = self.world.kind("bucket")
        found = kind.locate({"org": self.world.org, "name": self.name, "description": "?"})
        if found is None:
            return None
        retention_s, shard_s = found.outputs["retention_s"], found.outputs["shard_in_force_s"]
        assert isinstance(retention_s, int)
        assert isinstance(shard_s, int)
        return retention_s, shard_s, str(found.outputs["description"])


def test_a_bucket_becomes_what_was_asked_for_whatever_happened_before(world: World) -> None:
    machine = type("LifeHere", (Life,), {"world": world})
    slow = settings(
        max_examples=25, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    run_state_machine_as_test(machine, settings=slow)
