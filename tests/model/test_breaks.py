"""The bugs to plant fit the source as it is: one that takes nothing away would prove nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.model import breaks_code, breaks_events, breaks_limits, breaks_rights
from tests.model.breaks import Break, Patch

PLANTED = [*breaks_code.breaks(), *breaks_events.breaks(), *breaks_limits.breaks(), *breaks_rights.breaks()]


@pytest.mark.parametrize("planted", PLANTED, ids=lambda planted: planted.name)
def test_a_bug_can_be_planted(planted: Break, tmp_path: Path):
    for file in {patch.file for patch in planted.patches}:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    for patch in planted.patches:
        patch.apply(tmp_path)

    for file in {patch.file for patch in planted.patches if patch.file.endswith(".py")}:
        compile((tmp_path / file).read_text(), file, "exec")
    assert all((ROOT / word.split("::")[0]).exists() for word in planted.tests if word.startswith("tests/"))


def test_names_are_unique():
    assert len({planted.name for planted in PLANTED}) == len(PLANTED)


def test_what_is_not_there_cannot_be_taken_away(tmp_path):
    (tmp_path / "file").write_text("one two two")

    for old in ("three", "two"):
        with pytest.raises(ValueError, match="times"):
            Patch("file", old).apply(tmp_path)
