"""What the bench of hosted systems declares can be planned and rendered."""

from __future__ import annotations

from bench.hosted_systems import build_declaration, render_stages


def test_two_systems_of_the_bench_are_rendered() -> None:
    assert render_stages(build_declaration(2)) > 100
