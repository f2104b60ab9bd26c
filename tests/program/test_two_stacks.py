"""Two stacks in one folder: the second is refused and takes nothing of the first; a renamed stack counts as changed."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from pulumi.dynamic import Config, ConfigureRequest

from infra.providers.dynamic import PROVIDER_KEY, DynamicProvider
from infra.providers.files import FilesKind
from infra.providers.resource_kind import ProviderError
from tests.program.test_provider_files import inputs, tree

if TYPE_CHECKING:
    from pathlib import Path


def test_a_stack_that_was_renamed_counts_as_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "tracebacklimit", 1000, raising=False)  # `configure` sets it
    skin = DynamicProvider("host.files")
    skin.configure(ConfigureRequest(Config({}, "motcua")))
    ident, outputs = FilesKind("one").create(inputs(tmp_path))
    olds, news = ({**outputs, PROVIDER_KEY: f"provider of {name}"} for name in ("one", "new"))
    assert skin.diff(ident, olds, news).changes is True
    assert skin.diff(ident, olds, dict(olds)).changes is False


def test_a_folder_has_one_stack(tmp_path: Path) -> None:
    one, two = FilesKind("one"), FilesKind("two")
    ident, outputs = one.create(inputs(tmp_path))
    before = tree(tmp_path)
    with pytest.raises(ProviderError, match=r"stack 'one' writes here; give this one another folder"):
        two.create(inputs(tmp_path, files={"acl": "user b\n"}))
    two.delete(ident, outputs)
    assert tree(tmp_path) == before
    renamed = FilesKind("new").update(ident, outputs, inputs(tmp_path))
    FilesKind("new").delete(ident, renamed)
    assert tree(tmp_path) == {}
    two.delete(*two.create(inputs(tmp_path)))
