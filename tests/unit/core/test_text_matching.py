"""Texts are found without accents and case, the best matches first."""

from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from telemetry.core.text_matching import BEGINNING, EXACT, PARTS, WORDS, fold_accents, match_rank


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Bến Tre", "ben tre"),
        ("Đồng Nai", "dong nai"),
        ("ĐƯỜNG  số\t8", "duong so 8"),
        ("Thu\u031b\u0323 Lạc", "thu lac"),
        ("straße", "strasse"),
        ("", ""),
    ],
)
def test_accents_case_and_spaces_do_not_count(text: str, folded: str) -> None:
    assert fold_accents(text) == folded


@given(st.text(max_size=20))
def test_folding_twice_is_folding_once(text: str) -> None:
    assert fold_accents(fold_accents(text)) == fold_accents(text)


@pytest.mark.parametrize(
    ("query", "rank"),
    [
        ("bo phan mot cua huyen cho lach", EXACT),
        ("vn83-832", EXACT),
        ("bo phan", BEGINNING),
        ("cho lach", WORDS),
        ("lach cho vn83", WORDS),
        ("ach vn83", PARTS),
        ("832", WORDS),
        ("bo an", None),
        ("bo ot", None),
        ("bo mo", WORDS),
        ("giong trom", None),
        ("", None),
    ],
)
def test_whole_names_come_before_beginnings_words_and_parts(query: str, rank: int | None) -> None:
    texts = (fold_accents("Bộ phận Một cửa huyện Chợ Lách"), "vn83-832")
    assert match_rank(query, texts) == rank
