"""`thalweg predict`: a line a row, in bounded memory, and no file where a row does not fit."""

import io
import resource
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from command import COMMAND, run
from tables import model_folder, table, trained
from thalweg import ThalwegError
from thalweg.tabular import load_model, predict_file
from thalweg.tabular.predict import predict_batches, print_predictions
from thalweg.tabular.reading import BATCH_ROWS


def long_table(path: Path, rows: int) -> Path:
    """The credits of `german`, again and again."""
    lines = table("german").read_text(encoding="utf-8").splitlines()
    with path.open("w", encoding="utf-8") as file:
        file.write(f"{lines[0]}\n")
        for start in range(0, rows, len(lines) - 1):
            file.writelines(f"{line}\n" for line in lines[1 : 1 + rows - start])
    return path


def test_batches_of_any_size_give_the_same_predictions():
    """Up to rounding, and a frame a batch."""
    model, path = trained("german").model, table("german")
    whole = model.predict(path)
    parts = list(predict_batches(model, path, rows=300))
    assert [len(part) for part in parts] == [300, 300, 300, 100]
    together = pl.concat(parts)
    assert (together["prediction"] == whole["prediction"]).all()
    for name in whole.columns[1:]:
        assert together[name].to_numpy() == pytest.approx(whole[name].to_numpy(), abs=1e-12)


@pytest.mark.parametrize("name", ["diabetes", "wine", "german"])
def test_the_same_predictions_come_from_every_format_into_every_format(tmp_path: Path, name: str):
    """CSV, TSV and Parquet in, CSV and Parquet out: equal to the last bit."""
    model = load_model(model_folder(name))
    frame = pl.read_csv(table(name))
    frame.write_csv(tmp_path / "data.tsv", separator="\t")
    frame.write_parquet(tmp_path / "data.parquet")
    expected = model.predict(table(name))
    for source in (table(name), tmp_path / "data.tsv", tmp_path / "data.parquet"):
        assert predict_file(model, source, tmp_path / "out.csv") == len(frame)
        assert predict_file(model, source, tmp_path / "out.parquet") == len(frame)
        assert pl.read_csv(tmp_path / "out.csv", schema=expected.schema).equals(expected)
        assert pl.read_parquet(tmp_path / "out.parquet").equals(expected)
        stream = io.BytesIO()
        assert print_predictions(model, source, stream) == len(frame)
        assert stream.getvalue() == (tmp_path / "out.csv").read_bytes()


def test_notes_say_which_columns_are_not_used_and_which_values_were_filled():
    """The target is no surprise; a number that is missing for the first time is."""
    model = trained("wine").model
    frame = pl.read_csv(table("wine")).with_columns(
        pl.lit(1).alias("vintage"),
        pl.when(pl.col("hue") > 1.2).then(None).otherwise(pl.col("hue")).alias("hue"),
    )
    path = table("wine").with_name("wine-holes.csv")
    frame.write_csv(path)
    notes: list[str] = []
    list(predict_batches(model, path, rows=50, on_note=notes.append))
    missing = frame["hue"].null_count()
    assert 0 < missing < 100
    assert notes == [
        "columns that the model does not use: vintage",
        (
            f"`hue` is missing in {missing} rows, but never in the training data; its mean in "
            "training was used"
        ),
    ]


BAD_ROW = 2 * BATCH_ROWS + 17


@pytest.fixture(scope="module")
def spoiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A long table with a category that training did not meet in one row of its third batch."""
    path = long_table(tmp_path_factory.mktemp("long") / "spoiled.csv", BAD_ROW + 100)
    lines = path.read_text(encoding="utf-8").splitlines()
    first, *others = lines[BAD_ROW].split(",")
    assert first.startswith("A1")
    lines[BAD_ROW] = ",".join(["A99", *others])
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_row_that_does_not_fit_late_in_a_file_leaves_no_file(spoiled, tmp_path, suffix):
    """What was there before stays as it was."""
    out = tmp_path / f"out{suffix}"
    out.write_text("before")
    with pytest.raises(ThalwegError, match=rf"`c0` in row {BAD_ROW} \(line {BAD_ROW + 1}\)"):
        predict_file(trained("german").model, spoiled, out)
    assert [path.name for path in tmp_path.iterdir()] == [out.name]
    assert out.read_text() == "before"


def test_on_stdout_the_batches_before_it_are_printed_and_counted(spoiled: Path):
    """Status 1, and one sentence that names column, row, and how many rows were printed."""
    result = run("predict", str(model_folder("german")), str(spoiled))
    assert result.returncode == 1
    assert result.stderr.count("\n") == 1
    assert f"`c0` in row {BAD_ROW} (line {BAD_ROW + 1})" in result.stderr
    assert "`A99`" in result.stderr
    assert f"predictions for the first {2 * BATCH_ROWS:,} rows were printed" in result.stderr
    assert result.stdout.count("\n") == 1 + 2 * BATCH_ROWS


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_full_disk_leaves_no_file(tmp_path: Path, suffix: str):
    """Where no file may grow beyond 2 KiB: one sentence, and the folder is empty."""
    model, data = trained("cancer").model, table("cancer")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
    try:
        with pytest.raises(ThalwegError, match=r"cannot be written \(file too large") as caught:
            predict_file(model, data, tmp_path / f"out{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_answered_in_one_sentence(tmp_path: Path):
    """A folder, a path below a file, another suffix, and the data themselves."""
    model, data = trained("wine").model, table("wine")
    (tmp_path / "folder.csv").mkdir()
    for out, words in {
        tmp_path / "folder.csv": "is a folder",
        data / "out.csv": "is not a folder",
        tmp_path / "out.xlsx": "`.csv` or `.parquet` was expected",
        data: "is the input table itself",
    }.items():
        with pytest.raises(ThalwegError, match=words):
            predict_file(model, data, out)
    assert [path.name for path in tmp_path.iterdir()] == ["folder.csv"]


def test_memory_does_not_grow_with_the_table(tmp_path: Path):
    """Six times the rows take no more than 25 MB more, a fraction of what they are in memory."""
    script = """if True:
        import resource, sys
        from thalweg.tabular import load_model, predict_file
        predict_file(load_model(sys.argv[1]), sys.argv[2], sys.argv[3])
        print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    """
    peaks = []
    for rows in (BATCH_ROWS, 6 * BATCH_ROWS):
        data = long_table(tmp_path / "long.csv", rows)
        done = subprocess.run(
            [sys.executable, "-c", script, model_folder("german"), data, tmp_path / "out.parquet"],
            capture_output=True,
            text=True,
            check=True,
        )
        unit = 1 if sys.platform == "darwin" else 1024
        peaks.append(int(done.stdout) * unit)
        assert pl.scan_parquet(tmp_path / "out.parquet").select(pl.len()).collect().item() == rows
    assert peaks[1] - peaks[0] < 25e6


def test_the_command_prints_a_line_a_row_and_stops_with_its_reader(tmp_path: Path):
    """CSV on stdout; a reader that has seen enough ends it without a complaint."""
    long = long_table(tmp_path / "long.csv", 3 * BATCH_ROWS)
    with subprocess.Popen(
        [COMMAND, "predict", model_folder("german"), long],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == "prediction,probability_1,probability_2\n"
        assert process.stdout.readline().startswith(("1,0.", "2,0."))
        process.stdout.close()
        complaint = process.stderr.read()
    assert complaint == ""


def test_the_command_names_a_model_that_is_none_and_a_full_stdout(tmp_path: Path):
    """Status 1 and one sentence each."""
    result = run("predict", str(tmp_path), str(table("wine")))
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.count("\n") == 1
    assert "is not a model" in result.stderr
    full = Path("/dev/full")
    if full.exists():
        with full.open("w") as stdout:
            done = subprocess.run(
                [COMMAND, "predict", model_folder("wine"), table("wine")],
                stdout=stdout,
                stderr=subprocess.PIPE,
                text=True,
                check=False,
            )
        assert done.returncode == 1
        assert done.stderr == "thalweg: stdout cannot be written to: no space is left\n"
