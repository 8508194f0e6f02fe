"""Training from a table: five real tables, the folder of a model, and what can go wrong."""

import dataclasses
import hashlib
import json
import resource
import shutil
import subprocess
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from command import interrupt_when, run
from tables import SEED, TARGETS, folder, model_folder, table, trained
from thalweg import ThalwegError
from thalweg.tabular import Model, load_model, save, train_table
from thalweg.tabular.parts import split
from thalweg.tabular.reading import read_table
from thalweg.tabular.store import FORMAT

each_table = pytest.mark.parametrize("name", TARGETS)

# How far below scikit-learn's network and the linear model one seed may fall: in R² of 89 rows, or
# in accuracy of 35 (wine) to 200 rows, where one row more or less is 0.03 to 0.005.
LEEWAY = {"diabetes": 0.05, "wine": 0.06, "cancer": 0.03, "german": 0.05, "vehicle": 0.04}
# How far above the mean or the most frequent class it must be.
GAIN = {"diabetes": 0.3, "wine": 0.5, "cancer": 0.25, "german": 0.02, "vehicle": 0.5}


def neighbour_score(name: str) -> float:
    """R² or accuracy on the test part of scikit-learn's network, fitted to the rows ours knew."""
    schema = trained(name).model.schema
    rows = read_table(table(name))
    inputs, truth = schema.encode(rows), schema.target.encode(rows)
    is_number = schema.target.task == "regression"
    parts = split(len(truth), classes=None if is_number else truth, seed=SEED)
    kind = MLPRegressor if is_number else MLPClassifier
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says that it has not converged in 500 epochs
        network = kind(hidden_layer_sizes=(32,), max_iter=500, random_state=SEED)
        network.fit(inputs[parts.known], truth[parts.known])
    return network.score(inputs[parts.test], truth[parts.test])


@each_table
def test_scores_hold_beside_a_neighbour_and_the_baselines(name: str):
    """Clearly above the plainest guess, and not below a linear model and scikit-learn's network."""
    scores = list(trained(name).scores.values())
    measure = "R²" if name == "diabetes" else "accuracy"
    network, linear, guess = (entry[measure] for entry in scores)
    assert network >= guess + GAIN[name]
    assert network >= linear - LEEWAY[name]
    assert network >= neighbour_score(name) - LEEWAY[name]


@each_table
def test_the_validation_part_stops_each_fit_and_chooses_the_decay(name: str):
    """The decay chosen is that of the least last validation loss, and no fit spent its budget."""
    found = trained(name).found
    assert found.chosen.last == min(fit.last for fit in found.tried)
    assert len(found.tried) >= 3
    assert {fit.solution.outcome.name for fit in found.tried} <= {
        "STOPPED_BY_CALLBACK",
        "CONVERGED",
        "STALLED",
    }
    assert found.final is not None
    assert found.final.decay == found.chosen.decay
    assert not found.was_interrupted


@each_table
def test_one_compilation_serves_all_fits_of_a_table(name: str):
    """Weight decay and held-out rows are data, so that a fit finds the programs of those before.

    Only the first fit may compile, and the first in which the second method of `auto` takes over.
    """
    fits = trained(name).found.fits
    compiling = [k for k, fit in enumerate(fits) if fit.solution.compile_seconds > 0]
    over = [k for k, fit in enumerate(fits) if "took over" in fit.solution.message]
    assert len(fits) > 2
    assert set(compiling) <= {0, *over[:1]}


@each_table
def test_a_saved_model_predicts_the_same_to_the_last_bit(name: str):
    """One prediction a row, and for classes probabilities that add up to 1."""
    before, after = trained(name).model, load_model(model_folder(name))
    assert after.schema == before.schema
    predicted = after.predict(table(name))
    assert predicted.equals(before.predict(table(name)))
    assert len(predicted) == len(read_table(table(name)))
    assert predicted.columns == after.output_names
    if name != "diabetes":
        sums = predicted.select(pl.sum_horizontal(pl.exclude("prediction"))).to_series()
        assert sums.to_numpy() == pytest.approx(np.ones(len(predicted)))
        names = set(predicted["prediction"].cast(pl.String))
        assert names <= set(before.schema.target.classes)


def test_equal_seeds_give_equal_models():
    """The same split, start and fits, to the last bit of the weights."""
    one, other = trained("wine"), train_table(table("wine"), target="class", seed=SEED)
    for layer, twin in zip(one.model.layers, other.model.layers, strict=True):
        assert all(layer[name].tobytes() == twin[name].tobytes() for name in layer)
    assert one.scores == other.scores


def test_the_folder_holds_what_it_says():
    """Checksums that the system's own tool verifies, and a record with all that was asked for."""
    made = model_folder("wine")
    assert sorted(path.name for path in made.iterdir()) == [
        "SHA256SUMS",
        "history.parquet",
        "model.json",
        "report.html",
        "run.json",
        "weights.safetensors",
    ]
    check = ["sha256sum", "--check", "--quiet", "SHA256SUMS"]
    subprocess.run(check, cwd=made, check=True, capture_output=True)
    record = json.loads((made / "run.json").read_text(encoding="utf-8"))
    assert record["asked"]["target"] == "class"
    assert record["asked"]["seed"] == SEED
    assert record["data_sha256"] == hashlib.sha256(table("wine").read_bytes()).hexdigest()
    assert record["machine"]["versions"]["polars"] == pl.__version__
    assert record["work"]["gradients"] == sum(fit["work"]["gradients"] for fit in record["fits"])
    history = pl.read_parquet(made / "history.parquet")
    assert history["fit"].n_unique() == len(record["fits"])
    assert history.filter("is_final")["validation_loss"].null_count() == history["is_final"].sum()


def test_an_existing_folder_is_only_replaced_when_asked_to(tmp_path: Path):
    """And never if it is not a model."""
    made = tmp_path / "model"
    shutil.copytree(model_folder("wine"), made)
    (made / "note").touch()
    with pytest.raises(ThalwegError, match=r"exists already; .*--force"):
        save(trained("wine"), made)
    assert (made / "note").exists()
    save(trained("wine"), made, force=True)
    assert not (made / "note").exists()
    assert load_model(made).schema == trained("wine").model.schema
    other = tmp_path / "letters"
    other.mkdir()
    (other / "letter").touch()
    with pytest.raises(ThalwegError, match="is not a model, so `--force` does not replace it"):
        save(trained("wine"), other, force=True)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.parent == tmp_path) == [
        "letters",
        "model",
    ]


def test_a_folder_that_cannot_be_made_is_answered_in_one_sentence(tmp_path: Path):
    """Below a file there are no folders."""
    (tmp_path / "file").touch()
    with pytest.raises(ThalwegError, match=r"`.*model` cannot be written \(.*is not a folder"):
        save(trained("wine"), tmp_path / "file" / "model")


def test_a_full_disk_leaves_what_was_there(tmp_path: Path):
    """Where no file may grow beyond 2 KiB: one sentence, and not even an empty folder is new."""
    made = tmp_path / "model"
    shutil.copytree(model_folder("wine"), made)
    before = {path.name: path.read_bytes() for path in made.iterdir()}
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2048, limits[1]))
    try:
        for place in (made, tmp_path / "above" / "new"):
            with pytest.raises(ThalwegError, match=r"cannot be written \(file too large\)"):
                save(trained("wine"), place, force=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert {path.name: path.read_bytes() for path in made.iterdir()} == before


# -------------------------------------------------------------------------------- damaged folders


def damaged(tmp_path: Path, name: str, content: bytes | None) -> Path:
    """A copy of a model with one file changed, or without it."""
    copy = tmp_path / "model"
    shutil.copytree(model_folder("wine"), copy)
    if content is None:
        (copy / name).unlink()
    else:
        (copy / name).write_bytes(content)
    return copy


def refusal(path: Path) -> str:
    """What is said of a model that cannot be loaded: one line."""
    with pytest.raises(ThalwegError) as caught:
        load_model(path)
    assert "\n" not in str(caught.value)
    assert f"`{path}" in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json"])
def test_a_flipped_byte_is_noticed_wherever_it_is(tmp_path: Path, name: str):
    """Of each file that a prediction uses, every 97th byte and the last, one bit each."""
    content = (model_folder("wine") / name).read_bytes()
    copy = damaged(tmp_path, name, content)
    assert isinstance(load_model(copy), Model)
    for place in [*range(0, len(content), 97), len(content) - 1]:
        changed = bytearray(content)
        changed[place] ^= 1
        (copy / name).write_bytes(changed)
        assert f"`{copy / name}`" in refusal(copy) or "newer" in refusal(copy)
    (copy / name).write_bytes(content[:-1])
    assert "does not match its checksum" in refusal(copy)


def test_damaged_checksums_are_noticed(tmp_path: Path):
    """A model whose checksums cannot be read is not trusted."""
    sums = (model_folder("wine") / "SHA256SUMS").read_bytes()
    for changed in (b"", b"\xff" + sums[1:], sums.replace(b"  ", b" ")):
        shutil.rmtree(tmp_path / "model", ignore_errors=True)
        assert "does not match its checksum" in refusal(damaged(tmp_path, "SHA256SUMS", changed))


@pytest.mark.parametrize("name", ["weights.safetensors", "model.json", "SHA256SUMS"])
def test_a_missing_file_is_named(tmp_path: Path, name: str):
    """With the folder, and the command that makes one."""
    message = refusal(damaged(tmp_path, name, None))
    assert f"`{name}` cannot be read (no such file" in message
    assert "`thalweg train`" in message


def test_a_model_of_a_newer_version_is_not_guessed_at(tmp_path: Path):
    """Whether or not its checksums are right, the sentence names the format and says update."""
    description = json.loads((model_folder("wine") / "model.json").read_text(encoding="utf-8"))
    changed = json.dumps({**description, "format": FORMAT + 1, "schema": "unknown"}).encode()
    copy = damaged(tmp_path, "model.json", changed)
    for _ in range(2):
        message = refusal(copy)
        assert f"the format {FORMAT + 1} of a newer thalweg" in message
        assert "update thalweg" in message
        sums = (copy / "SHA256SUMS").read_text(encoding="ascii").splitlines(keepends=True)
        kept = [line for line in sums if not line.endswith("  model.json\n")]
        own = f"{hashlib.sha256(changed).hexdigest()}  model.json\n"
        (copy / "SHA256SUMS").write_text("".join([*kept, own]), encoding="ascii")
    assert "damaged" not in message


# ------------------------------------------------------------------------------------ bad requests


def few(**columns: list) -> pl.DataFrame:
    """Thirty rows: two columns to learn from, and others."""
    base = {"a": [float(k * k % 7) for k in range(30)], "y": [k / 3 for k in range(30)]}
    return pl.DataFrame({**base, "b": ["u", "v", "w"] * 10, **columns})


REQUESTS = {
    "a target that does not exist": (few(), {"target": "Y1"}, ["`Y1`", "did you mean `y`?"]),
    "a constant target": (few(y=[4] * 30), {}, ["`y`", "`4` in every row"]),
    "a target that is missing throughout": (few(y=[None] * 30), {}, ["`y`", "missing in every"]),
    "too few rows": (few().head(19), {}, ["19 rows", "at least 20"]),
    "too few rows with a target": (
        few(y=[1.5 * k if k < 15 else None for k in range(30)]),
        {},
        ["15 rows with a target"],
    ),
    "nothing to learn from": (few().select("y"), {}, ["no column to learn from"]),
    "everything left out": (few(a=[1] * 30), {"ignore": ["b"]}, ["no column to", "`1` in every"]),
    "an unknown column to ignore": (few(), {"ignore": ["bb"]}, ["`bb`", "did you mean `b`?"]),
    "the target ignored": (few(), {"ignore": ["y"]}, ["`y`", "both"]),
    "an infinite number": (
        few(a=[*map(float, range(29)), np.inf]),
        {},
        ["`a`", "row 30", "infinite"],
    ),
    "an unknown task": (few(), {"task": "ranking"}, ["`task`", "'ranking'", "`regression`"]),
    "no units": (few(), {"hidden": (8, 0)}, ["`hidden`", "(8, 0)", "at least one unit"]),
    "no time": (few(), {"seconds": 0.0}, ["`seconds`", "0.0", "above 0"]),
    "an unknown method": (few(), {"method": "newtn"}, ["`newtn`", "`thalweg methods`"]),
    "classes too rare to test on": (
        few().head(20),
        {"task": "classification"},
        ["too few rows of each class", "20 rows"],
    ),
    "a method for least squares only": (
        few(y=["u", "v"] * 15),
        {"method": "scipy-lm"},
        ["`scipy-lm`", "LeastSquares"],
    ),
}


@pytest.mark.parametrize(("frame", "options", "words"), REQUESTS.values(), ids=REQUESTS)
def test_a_bad_request_is_answered_in_one_sentence(frame, options, words):
    """It names what was found, what was expected, and what to do."""
    with pytest.raises(ThalwegError) as caught:
        train_table(frame, **{"target": "y", **options})
    message = str(caught.value)
    assert "\n" not in message
    assert [word for word in words if word not in message] == []


def test_notes_say_what_became_of_odd_columns_and_rows():
    """Rows without a target, and columns that are empty, constant or name their rows."""
    frame = few(nothing=[None] * 30, same=[1] * 30, name=[f"n{k}" for k in range(30)]).with_columns(
        pl.when(pl.col("a") == 4).then(None).otherwise(pl.col("y")).alias("y")
    )
    notes: list[str] = []
    result = train_table(frame, target="y", hidden=(2,), seconds=0.5, on_note=notes.append)
    assert list(result.notes) == notes
    missing = frame["y"].null_count()
    assert f"{missing} of 30 rows are left out: `y` is missing" in notes
    assert "`nothing` is left out: all its values are missing" in notes
    assert "`same` is left out: it is `1` in every row" in notes
    assert any(note.startswith("`name` is left out: it is text") for note in notes)
    assert any(note.startswith("regression: `y` holds numbers") for note in notes)
    assert {column.name for column in result.model.schema.columns} == {"a", "b"}
    assert sum(result.rows.values()) == 30 - missing


def test_a_budget_that_is_spent_at_once_still_gives_a_network():
    """One fit, of a step or so, and the outcome says that there was no time for more."""
    result = train_table(few(), target="y", hidden=(2,), seconds=1e-6)
    assert result.outputs.shape == (len(result.truth), 1)
    assert len(result.found.fits) == 1
    assert "budget ran out" in result.found.outcome


# ------------------------------------------------------------------------------------- the command


def test_the_command_prints_scores_and_makes_a_folder(tmp_path: Path):
    """JSON on stdout, notes on stderr, and a model that loads; a second run refuses the folder."""
    out = tmp_path / "deep" / "model"
    arguments = ["train", str(table("wine")), "--target", "class", "--out", str(out), "--json"]
    result = run(*arguments, "--hidden", "6,4", "--ignore", "hue", "--method", "l-bfgs")
    assert result.returncode == 0, result.stderr
    assert result.stderr == "thalweg: classification: `class` holds text with 3 values\n"
    printed = json.loads(result.stdout)
    assert printed["task"] == "classification"
    assert (
        printed["test"]["network"]["accuracy"] > printed["test"]["most frequent class"]["accuracy"]
    )
    assert printed["network"] == "12-6-4-3"
    assert printed["model"] == str(out)
    model = load_model(out)
    assert "hue" not in [column.name for column in model.schema.columns]
    refused = run(*arguments)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.count("\n") == 1
    assert "exists already" in refused.stderr


def test_ctrl_c_keeps_the_best_network_so_far(tmp_path: Path):
    """In the midst of a long fit: status 130, scores, a model that predicts, and a word of it."""
    out = tmp_path / "model"
    status, printed, seen = interrupt_when(
        r"training rows +loss",
        *("train", str(table("wine")), "--target", "class", "--out", str(out)),
        *("--method", "gradient-descent", "--seconds", "300"),
    )
    assert status == 130
    assert "interrupted; the best network so far is in" in " ".join(seen.split())
    assert "most frequent class" in printed
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert len(load_model(out).predict(table("wine"))) == 178
    record = json.loads((out / "run.json").read_text(encoding="utf-8"))
    assert record["was_interrupted"] is True
    assert "Interrupted" in record["outcome"]


def test_ctrl_c_before_the_first_step_writes_nothing(tmp_path: Path):
    """While the first program compiles: status 130, no folder, nothing on stdout."""
    status, printed, seen = interrupt_when(
        "compiling", "train", str(table("wine")), "--target", "class", "--out", str(tmp_path / "m")
    )
    assert (status, printed) == (130, "")
    assert "interrupted" in seen
    assert list(tmp_path.iterdir()) == []


def test_a_training_can_be_described_without_its_table():
    """What was asked for is enough to write the command again."""
    asked = dataclasses.asdict(trained("german").asked)
    assert asked["data"] == str(folder() / "german.csv")
    page = (model_folder("german") / "report.html").read_text(encoding="utf-8")
    assert f"--target credit --hidden 32 --method auto --seconds 200 --seed {SEED}" in page
