"""Folders that appear whole or not at all, also where two runs write the same one."""

from pathlib import Path

import pytest

from thalweg.errors import ConfigError
from thalweg.tabular.folder import MARK, write_folder


def test_a_folder_made_by_another_run_meanwhile_stays(tmp_path: Path):
    """Whoever comes second is refused, though nothing was there when it began."""
    folder = tmp_path / "model"

    def first(new: Path) -> None:
        (new / MARK).write_text("first")

    def second(new: Path) -> None:
        (new / MARK).write_text("second")
        write_folder(folder, first, force=False)

    with pytest.raises(ConfigError, match="exists already"):
        write_folder(folder, second, force=False)
    assert (folder / MARK).read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_with_force_the_last_one_stays(tmp_path: Path):
    """Each is a whole model."""
    folder = tmp_path / "model"
    for text in ("first", "second"):
        write_folder(folder, lambda new, text=text: (new / MARK).write_text(text), force=True)
    assert (folder / MARK).read_text() == "second"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
