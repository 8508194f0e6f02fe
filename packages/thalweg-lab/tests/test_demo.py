"""The demo runs all it says, writes whole files or none, and ends cleanly when interrupted."""

import datetime as dt
import json
import time
from pathlib import Path

import numpy as np
import pytest

from small_demo import SECONDS, small_demo
from thalweg.errors import ConfigError
from thalweg_lab import problems
from thalweg_lab.demo import METHODS, DemoResult, run_demo, write


@pytest.fixture
def demo() -> DemoResult:
    """All problems with tiny budgets."""
    return small_demo()


def test_each_method_runs_once_from_the_same_start_with_the_same_budget(demo: DemoResult):
    """All methods, in one order, one seed, one budget; and the start's loss is the same."""
    assert tuple(section.task.name for section in demo.sections) == problems.DEMO
    for section in demo.sections:
        assert tuple(record.method for record in section.records) == METHODS
        assert {(record.seed, record.budget) for record in section.records} == {(0, SECONDS)}
        first_losses = [record.history["loss"][0] for record in section.records]
        assert np.allclose(first_losses, first_losses[0], rtol=1e-9)


def test_the_records_on_disk_are_strict_json_and_complete(demo: DemoResult):
    """A parser that refuses NaN reads all runs, with their work and their histories."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    assert demo.folder is not None
    text = (demo.folder / "runs.json").read_text(encoding="utf-8")
    stored = json.loads(text, parse_constant=refuse)
    assert [run["method"] for run in stored["runs"]] == list(METHODS) * len(problems.DEMO)
    assert stored["machine"]["cores"] >= 1
    for run in stored["runs"]:
        assert run["work"]["gradients"] > 0
        assert len({len(column) for column in run["history"].values()}) == 1


def test_only_the_two_files_are_left(demo: DemoResult):
    """No temporary file stays behind, and others may read what was written."""
    assert demo.folder is not None
    files = sorted(demo.folder.iterdir())
    assert [file.name for file in files] == ["report.html", "runs.json"]
    assert all(file.stat().st_mode & 0o400 for file in files)


def test_the_tables_as_json_hold_no_history(demo: DemoResult):
    """`as_json` is what the command prints: small, and strict JSON."""
    text = json.dumps(demo.as_json(), allow_nan=False)
    assert "grad_norm" not in text
    for table in json.loads(text)["problems"]:
        assert [run["method"] for run in table["runs"]] == list(METHODS)


def test_the_learning_rates_are_stated(demo: DemoResult):
    """Who reads the record knows the rate of each method that has one."""
    for section in demo.sections:
        settings = {record.method: record.settings for record in section.records}
        rates = section.task.rates
        assert set(rates) == {"adam", "gradient-descent"}
        assert all(f"learning rate {rate:g}" in settings[name] for name, rate in rates.items())


def folders_that_cannot_be(root: Path) -> list[Path]:
    """A file, a folder inside a file, and a folder in a place where none can be made."""
    (root / "file").write_text("here before")
    return [root / "file", root / "file" / "below", Path("/proc/thalweg-demo")]


def test_a_folder_that_cannot_be_written_to_is_refused_before_any_work(tmp_path: Path):
    """At once, in a sentence that names it; what was there stays as it was."""
    began = time.monotonic()
    for folder in folders_that_cannot_be(tmp_path):
        with pytest.raises(ConfigError, match="cannot be written to") as caught:
            run_demo(folder, on_start=lambda _: pytest.fail("it began to work"))
        assert f"`{folder}`" in str(caught.value)
    assert time.monotonic() - began < 5
    assert (tmp_path / "file").read_text() == "here before"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_folder_that_went_away_is_told_and_nothing_is_left(demo: DemoResult, tmp_path: Path):
    """Where the files cannot be written at the end, the error says so too."""
    file = tmp_path / "file"
    file.write_text("in the way")
    with pytest.raises(ConfigError, match="cannot be written to"):
        write(file, demo, dt.datetime.now(dt.UTC))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text() == "in the way"


def test_an_interrupt_before_the_first_result_leaves_nothing(tmp_path: Path):
    """Folders that the demo made are gone again; one that was there stays."""

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    result = run_demo(tmp_path / "a" / "b", names=("bessel",), on_start=interrupt)
    assert (result.was_interrupted, result.folder, result.sections) == (True, None, ())
    assert list(tmp_path.iterdir()) == []
