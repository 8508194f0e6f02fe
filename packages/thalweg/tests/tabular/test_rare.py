"""Rare classes are found, a word among numbers costs nothing, and earlier models load."""

import hashlib
import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from command import run
from thalweg.tabular import load_model, save, train_table
from thalweg.tabular.rare import with_shifts
from thalweg.tabular.scores import balanced_accuracy
from thalweg.tabular.target import ClassTarget


def imbalanced() -> pl.DataFrame:
    """1,200 rows, 5 % of them ill, which two columns make likelier but never likely."""
    random = np.random.default_rng(0)
    ill = random.random(1200) < 0.05
    shift = 1.6 * ill
    return pl.DataFrame(
        {
            "pressure": random.normal(size=1200) + shift,
            "age": random.normal(size=1200) + 0.5 * shift,
            "state": np.where(ill, "ill", "well"),
        }
    )


def test_a_rare_class_is_found(tmp_path: Path):
    """Balanced accuracy above .7, by .1 more than before; said so, and kept in the folder."""
    frame = imbalanced()
    notes: list[str] = []
    trained = train_table(frame, target="state", hidden=(4,), method="l-bfgs", on_note=notes.append)
    network = trained.scores["network"]
    assert network["balanced accuracy"] > 0.7
    assert "`ill` in only" in notes[-1]
    assert trained.notes[-1] == notes[-1]
    target = trained.model.schema.target
    plain = balanced_accuracy(trained.truth, trained.outputs.argmax(axis=1))
    assert plain < network["balanced accuracy"] - 0.1
    save(trained, tmp_path / "model")
    again = load_model(tmp_path / "model")
    assert again.schema.target == target
    predicted = again.predict(frame)
    likely = predicted.filter(pl.col("prediction") == "ill")["probability_ill"]
    assert likely.min() < 0.5
    assert len(likely) > 60


def test_classes_that_are_not_rare_are_predicted_as_before():
    """The most probable one; and nothing is said."""
    target = ClassTarget("y", ("a", "b"), "category")
    truth = np.array([0, 1] * 20)
    outputs = np.zeros((40, 2))
    assert with_shifts(target, truth, truth, outputs) == (target, "")


def test_shifts_move_the_threshold_to_the_share_of_the_class():
    """With α = 1, a class is predicted where its probability is above its share."""
    target = ClassTarget("y", ("no", "yes"), "category")
    known = np.array([1] * 10 + [0] * 90)
    p = np.array([0.05, 0.09, 0.11, 0.3, 0.02, 0.01])
    truth = np.array([0, 0, 1, 1, 0, 0])
    outputs = np.log(np.column_stack([1 - p, p]))
    shifted, sentence = with_shifts(target, known, truth, outputs)
    assert shifted.choose(outputs).tolist() == truth.tolist()
    assert outputs.argmax(axis=1).tolist() == [0] * 6
    assert "`yes` in only 10.0% of the rows" in sentence


@pytest.mark.parametrize("word", ["unknown", "-", "#N/A"])
def test_one_word_in_a_column_of_numbers_does_not_cost_the_column(tmp_path: Path, word: str):
    """The command reads it as missing, says so, and fits as if the row had no value."""
    random = np.random.default_rng(0)
    x = random.normal(size=300)
    text = [f"{value:.6f}" for value in x]
    text[17] = word
    path = tmp_path / "t.csv"
    lines = [f"{a},{2 * b - 1:.6f}" for a, b in zip(text, x, strict=True)]
    path.write_text("\n".join(["x,y", *lines]), encoding="utf-8")
    done = run(
        *("train", str(path), "--target", "y", "--hidden", "2", "--method", "l-bfgs"),
        *("--out", str(tmp_path / "m"), "--json"),
    )
    assert done.returncode == 0, done.stderr
    assert f"`x`: 1 value is read as missing: `{word.lower()}` (1)" in done.stderr
    assert json.loads(done.stdout)["test"]["network"]["R²"] > 0.98


def test_the_options_for_reading_reach_the_table(tmp_path: Path):
    """Separator, decimal mark and words for missing, in training and in prediction."""
    random = np.random.default_rng(0)
    x = random.integers(1000, 9999, 60)
    rows = [f"{k // 1000},{k % 1000:03d}|{k / 500:.3f}".replace(".", ",") for k in x]
    path = tmp_path / "t.csv"
    path.write_text("\n".join(["x|y", "closed|0,5", *rows]), encoding="utf-8")
    refused = run("train", str(path), "--target", "y")
    assert refused.returncode != 0
    assert "--separator bar" in refused.stderr
    options = ("--separator", "bar", "--decimal", "comma", "--missing", "closed")
    model = tmp_path / "m"
    done = run(
        *("train", str(path), "--target", "y", "--hidden", "2", "--method", "l-bfgs"),
        *("--out", str(model), *options),
    )
    assert done.returncode == 0, done.stderr
    column = load_model(model).schema.columns[0]
    assert 1.0 < column.mean < 10.0
    assert column.notation.missing == ("closed",)
    predicted = run("predict", str(model), str(path), "--separator", "|")
    assert predicted.returncode == 0, predicted.stderr
    assert len(predicted.stdout.splitlines()) == 62
    bad = run("predict", str(model), str(path), "--separator", "||")
    assert bad.returncode == 2
    assert "not one character" in bad.stderr


def test_a_folder_of_an_earlier_version_loads(tmp_path: Path):
    """Format 1: columns and target without notation and shifts. It predicts the same."""
    frame = imbalanced().head(400).drop("state").with_columns(y=pl.col("age") * 2)
    trained = train_table(frame, target="y", hidden=(2,), method="l-bfgs")
    folder = tmp_path / "m"
    save(trained, folder)
    description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
    description["format"] = 1
    for entry in (*description["columns"], description["target"]):
        del entry["notation"]
    old = json.dumps(description).encode()
    sums = (folder / "SHA256SUMS").read_text(encoding="ascii").splitlines()
    kept = [line for line in sums if not line.endswith("  model.json")]
    (folder / "model.json").write_bytes(old)
    lines = [*kept, f"{hashlib.sha256(old).hexdigest()}  model.json"]
    (folder / "SHA256SUMS").write_text("\n".join(lines) + "\n", encoding="ascii")
    assert load_model(folder).predict(frame).equals(trained.model.predict(frame))
