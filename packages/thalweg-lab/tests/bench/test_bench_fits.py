"""Fits with known answers: ends are judged rightly, in any units, and records are kept."""

import dataclasses
import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from command import run
from thalweg import LeastSquares
from thalweg._util.machine import this_machine
from thalweg.errors import ConfigError
from thalweg_lab import fits
from thalweg_lab.bench.fits import running
from thalweg_lab.bench.fits.judge import Verdict, digits, is_solved, verdict
from thalweg_lab.bench.fits.programs import Programs
from thalweg_lab.bench.fits.record import Fit, fit
from thalweg_lab.bench.fits.running import chosen, run_fits
from thalweg_lab.bench.fits.solvers import available
from thalweg_lab.bench.fits.summary import scores
from thalweg_lab.fits import FitProblem
from thalweg_lab.fits.collection import data
from thalweg_lab.pages import fits_markdown

BY_NAME = {task.name: task for task in fits.problems()}
PLATEAU = np.array([172.0, 33.0])  # BoxBOD: all but the first response on the asymptote
RADIUS = 1e8


def scaled(task: FitProblem, parameters: np.ndarray | float, squares: float) -> FitProblem:
    """The same problem where parameters and the sum of squares have other units."""

    def residuals(theta: jax.Array) -> jax.Array:
        return np.sqrt(squares) * task.residuals(theta / parameters)

    return dataclasses.replace(
        task,
        residuals=residuals,
        problem=LeastSquares(residuals),
        starts={name: start * parameters for name, start in task.starts.items()},
        minimum=task.minimum * squares,
    )


def straight_line() -> np.ndarray:
    """LSC2LS: a circle so large that it is the best straight line, through their middle."""
    points = np.column_stack([*data("LSC2LS").values()])
    middle = points.mean(axis=0)
    across = np.linalg.svd(points - middle)[2][1]
    return np.append(middle + RADIUS * across, RADIUS)


ENDS = {
    Verdict.SOLVED: ("Misra1a", BY_NAME["Misra1a"].minimizer),
    Verdict.LOCAL: ("Freudenstein-Roth", np.array([11.4127790, -0.8968053])),
    Verdict.NOT_STATIONARY: ("BoxBOD", PLATEAU),
    Verdict.FLAT: ("LSC2LS", straight_line()),
    Verdict.NOT_FINITE: ("Rosenbrock", np.array([np.nan, 1.0])),
}


@pytest.mark.parametrize("expected", ENDS)
def test_an_end_is_judged_the_same_in_any_units(expected: Verdict):
    """Plateaus, lines at infinity and other minima, with units from 1e-12 to 1e12."""
    name, end = ENDS[expected]
    assert end is not None
    for units, squares in ((1.0, 1.0), (1e12, 1e-12), (1e-12, 1e12)):
        task = scaled(BY_NAME[name], units, squares)
        assert verdict(Programs(task), end * units) is expected


def test_a_saddle_is_no_minimum():
    """The gradient is zero and no column of the Jacobian is, but the squares fall along (1, -1)."""

    def residuals(x: jax.Array) -> jax.Array:
        return jnp.stack([x[0] + x[1], 1.0 - (x[0] - x[1]) ** 2])

    task = dataclasses.replace(
        BY_NAME["Rosenbrock"], residuals=residuals, problem=LeastSquares(residuals)
    )
    assert verdict(Programs(task), np.zeros(2)) is Verdict.SADDLE


@pytest.mark.parametrize("task", [t for t in fits.problems() if t.minimizer is not None])
def test_the_known_answer_counts_as_solved_and_the_standard_start_does_not(task: FitProblem):
    """Lanczos1 included, whose residuals are lost in the rounding of eleven digits."""
    assert task.minimizer is not None
    assert is_solved(task, task.squares(task.minimizer))
    assert not is_solved(task, task.squares(task.starts["1"]))
    assert not is_solved(task, task.minimum + 1e-3 * max(task.minimum, 1.0))


def test_digits_are_those_of_the_worst_parameter():
    """As NIST has it, up to the eleven that are certified; none elsewhere."""
    task = BY_NAME["Misra1a"]
    assert task.minimizer is not None
    assert digits(task, task.minimizer) == 11.0
    assert digits(task, task.minimizer * (1.0 + np.array([1e-9, 1e-5]))) == pytest.approx(5.0)
    assert digits(task, -task.minimizer) == 0.0
    assert digits(BY_NAME["Rosenbrock"], np.ones(2)) is None


@pytest.fixture(scope="module")
def misra() -> Programs:
    """One problem for all solvers."""
    return Programs(BY_NAME["Misra1a"])


@pytest.mark.parametrize("solver", available())
def test_every_entrant_solves_an_easy_problem_and_says_so(misra: Programs, solver: str):
    """Its residuals, Jacobian, start and end are passed the right way round."""
    found = fit(misra, "2", solver, seconds=10.0, commit=None)
    assert (found.verdict, found.says_success) == (Verdict.SOLVED, True), found.message
    assert found.digits is not None
    assert found.digits > (5.0 if "defaults" in solver else 7.0)
    assert found.evaluations > 0
    assert found.seconds > 0.0


def test_a_solver_that_raises_leaves_a_record(misra: Programs, monkeypatch: pytest.MonkeyPatch):
    """The error is its message, and its end is its start."""

    def breaks(*_: object) -> None:
        raise ZeroDivisionError("broken")

    monkeypatch.setattr("thalweg_lab.bench.fits.record.available", lambda: {"breaks": breaks})
    found = fit(misra, "1", "breaks", seconds=1.0, commit=None)
    assert found.message == "ZeroDivisionError: broken"
    assert (found.is_solved, found.says_success) == (False, False)


def made_up(**changes: object) -> Fit:
    """A solved fit, with changes."""
    fields = {field.name: None for field in dataclasses.fields(Fit)} | {
        "collection": "MGH",
        "problem": "Rosenbrock",
        "start": "1",
        "solver": "thalweg",
        "says_success": True,
        "verdict": Verdict.SOLVED,
        "message": "converged",
        "evaluations": 10,
        "began": "2026-01-01T00:00:00+00:00",
        "seconds": 1.0,
        "compile_seconds": 2.0,
    }
    return Fit(**(fields | changes))  # pyright: ignore[reportArgumentType]


def test_scores_count_solved_false_and_unsaid():
    """Another minimum is no false success; a plateau is one only if it was called a success."""
    found = scores(
        [
            made_up(),
            made_up(start="10", verdict=Verdict.LOCAL),
            made_up(start="100", verdict=Verdict.FLAT),
            made_up(problem="Wood", says_success=False),
            made_up(problem="Wood", start="10", verdict=Verdict.NOT_STATIONARY, says_success=False),
            made_up(problem="Wood", start="100", verdict=Verdict.SADDLE, compile_seconds=0.0),
        ]
    )
    (score,) = found
    assert score.solved == {"1": (2, 2), "10": (0, 2), "100": (0, 2)}
    assert (score.all_solved, score.fits) == (2, 6)
    assert (score.other_minima, score.false_successes, score.unsaid) == (1, 2, 1)
    assert (score.seconds, score.compile_seconds) == (6.0, 4.0)


def test_the_tables_name_what_is_missed_and_who_solves_it():
    """With what thalweg said of it; fits that are not solved are bold."""
    found = [
        made_up(collection="NIST", problem="BoxBOD", digits=9.5),
        made_up(
            collection="NIST", problem="BoxBOD", start="2", verdict=Verdict.FLAT, squares=9771.5
        ),
        made_up(collection="NIST", problem="BoxBOD", start="2", solver="SciPy trf", digits=8.0),
        made_up(collection="NIST", problem="BoxBOD", solver="SciPy trf", digits=8.0),
    ]
    text = fits_markdown.summary(found, this_machine())
    assert "| BoxBOD (NIST) | 2 | `converged` | flat | 9771.5 | SciPy trf |" in text
    assert "1 of 2" in text
    assert "one is called `converged` without being a minimum" in text
    table = fits_markdown.nist_table(found)
    assert "| BoxBOD | 1 | 9.5 / 10 / 1 s | 8.0 / 10 / 1 s |" in table
    assert "| BoxBOD | 2 | ** / 10 / 1 s** | 8.0 / 10 / 1 s |" in table


def test_what_is_recorded_is_not_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A second call loads the same fits; a damaged record is named."""
    monkeypatch.setattr(running, "entrants", lambda _: ["SciPy lm"])
    tasks = chosen("full", ("Rosenbrock", "Beale"))
    made: list[str] = []
    first = run_fits(tasks, tmp_path, seconds=5.0, jobs=1, show=lambda name, *_: made.append(name))
    assert made == ["Rosenbrock", "Beale"]
    assert [each.start for each in first] == ["1", "10", "100"] * 2
    assert run_fits(tasks, tmp_path, seconds=5.0, jobs=1, show=lambda *_: made.append("")) == first
    assert len(made) == 2
    record = tmp_path / "runs" / "mgh.beale.scipy-lm.json"
    record.write_text("[{}]", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"beale.* cannot be read .*collection.*; remove it"):
        run_fits(tasks, tmp_path, seconds=5.0, jobs=1)


def test_the_command_writes_results_and_tables(tmp_path: Path):
    """On one problem of NIST, in a folder, with the numbers for another program too."""
    folder, numbers = tmp_path / "fits", tmp_path / "fits.json"
    done = run("bench", "--fits", "--only", "BoxBOD", "--out", str(folder), "--json", str(numbers))
    assert done.returncode == 0, done.stderr
    found = json.loads(numbers.read_text("utf-8"))
    assert found == json.loads((folder / "results.json").read_text("utf-8"))
    assert {one["solver"] for one in found["fits"]} == set(available())
    assert [one["solver"] for one in found["scores"]["nist"]] == list(available())
    table = (folder / "nist.markdown").read_text("utf-8").splitlines()
    assert table[0].startswith("| problem | start | thalweg | SciPy lm |")
    assert [line[:14] for line in table[2:]] == ["| BoxBOD | 1 |", "| BoxBOD | 2 |"]
    assert "### NIST, in short" in (folder / "summary.markdown").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--only", "BoxBod"), "no problem is called `BoxBod`"),
        (("--starts", "2"), "leave `--peer`, `--starts` and `--new-process` out"),
        (("--cost",), "leave `--cost` or `--fits` out"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(arguments: tuple[str, ...], sentence: str):
    """In one sentence, with the status of a wrong call."""
    done = run("bench", "--fits", *arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.replace("│", " ").split())
