"""`thalweg fit` as a user runs it."""

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from command import run

X = np.linspace(0.0, 4.0, 40)
Y = 2.5 * np.exp(-1.3 * X) + 0.5 + 0.05 * np.random.default_rng(1).normal(size=X.size)


@pytest.fixture
def table(tmp_path: Path) -> str:
    """A file with a time, counts and their errors, one of them missing."""
    rows = [f"{t},{y},0.05" for t, y in zip(X, Y, strict=True)]
    rows[5] = f"{X[5]},,0.05"
    path = tmp_path / "decay.csv"
    path.write_text("\n".join(["t,counts,error", *rows]), encoding="utf-8")
    return str(path)


def test_a_fit_prints_its_verdict_first_and_draws(table: str, tmp_path: Path):
    """Then the parameters; what was left out is on stderr; the chart is an SVG document."""
    plot = tmp_path / "decay.svg"
    arguments = ("--y", "counts", "--p0", "a=1,b=2,c=0", "--plot", str(plot))
    result = run("fit", table, "a*exp(-b*x)+c", *arguments)
    assert result.returncode == 0
    assert result.stdout.startswith("converged: ")
    assert all(f"\n {name} " in result.stdout for name in "abc")
    assert "1 of 40 rows lack a value" in result.stderr
    root = ET.fromstring(plot.read_text(encoding="utf-8"))  # noqa: S314 - our own file
    dots = [node for node in root.iter() if node.tag.endswith("circle")]
    assert len(dots) == 39


def test_json_has_all_of_it(table: str):
    """Values, errors, intervals, what is fixed and what is at a bound."""
    arguments = ("--y", "counts", "--sigma", "error", "--bounds", "b=0:1", "--fixed", "c=0.5")
    result = run("fit", table, "a*exp(-b*t)+c", *arguments, "--profile", "--json")
    found = json.loads(result.stdout)
    assert result.returncode == 0
    assert found["outcome"] == "converged"
    assert found["parameters"]["b"]["at_bound"] == "upper"
    assert found["parameters"]["b"]["value"] == 1.0
    assert found["parameters"]["c"] == {
        "value": 0.5, "stderr": 0.0, "interval": None, "fixed": True, "at_bound": None,
    }  # fmt: skip
    low, high = found["parameters"]["a"]["interval"]
    assert low < found["parameters"]["a"]["value"] < high
    assert found["dof"] == 37


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["a*exp(-b*x)^c", "--y", "counts"], 1, "write `**`"),
        (["open(x)"], 1, "`open`, which is not known"),
        (["a*x", "--y", "count"], 1, "no column `count`"),
        (["a*x", "--p0", "d=1"], 1, "`--p0` names `d`"),
        (["a*x", "--p0", "a"], 2, "NAME=VALUE"),
        (["a*x", "--bounds", "a=3"], 2, "LOW:HIGH"),
        (["a*x", "--level", "95"], 2, "--level"),
        (["a*error", "--y", "error"], 1, "the one that is fitted"),
        (["log(a*x-1)", "--y", "counts"], 1, "not finite at the start"),
    ],
)
def test_bad_input_is_one_sentence(table: str, arguments: list[str], status: int, words: str):
    """With the status of the other commands, and nothing on stdout."""
    result = run("fit", table, *arguments)
    assert (result.returncode, result.stdout) == (status, "")
    assert words in " ".join(result.stderr.replace("│", " ").split())
    assert "Traceback" not in result.stderr
