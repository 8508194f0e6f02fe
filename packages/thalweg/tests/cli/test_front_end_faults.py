"""What may happen to a fit or a training: a full disk, kill -9, a model that raises, a twin."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

import thalweg as tw
from command import COMMAND, PATIENCE, interrupt_when, run, run_anew
from tables import table
from thalweg.sklearn import FlowRegressor
from thalweg.tabular import load_model

FORMULA = "a*exp(-b*x)"
# Where no file may grow, neither may the compiled programs that all tests share.
NO_CACHE = {"THALWEG_COMPILATION_CACHE": "off", "JAX_COMPILATION_CACHE_DIR": ""}


@pytest.fixture
def decay(tmp_path: Path) -> str:
    """A file with a decay, alone in its folder."""
    x = np.linspace(0.0, 4.0, 400)
    path = tmp_path / "decay.csv"
    rows = np.column_stack([x, 3 * np.exp(-0.7 * x) + 0.01 * np.sin(40 * x)])
    np.savetxt(path, rows, delimiter=",", header="x,y", comments="")
    return str(path)


# --------------------------------------------------------------------------------- a full disk


def test_a_chart_that_has_no_room_is_one_sentence_and_no_file(decay: str, tmp_path: Path):
    """Where no file may grow beyond 1 KiB, nothing is left of it, and the status is 1."""
    done = run_anew(
        *("fit", decay, FORMULA, "--plot", str(tmp_path / "fit.svg")), blocks=2, **NO_CACHE
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert "fit.svg` cannot be written" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["decay.csv"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("more", [(), ("--json",)], ids=["table", "json"])
def test_a_full_stdout_is_one_sentence(decay: str, more: tuple[str, ...]):
    """The result could not be told, so the status is 1."""
    with open("/dev/full", "w") as full:  # noqa: PTH123 - a device
        done = subprocess.run(
            [COMMAND, "fit", decay, FORMULA, *more],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=PATIENCE,
        )
    assert done.returncode == 1
    assert done.stderr == "thalweg: stdout cannot be written to: no space is left\n"


# ------------------------------------------------------------------------------------ kill -9


def test_a_training_that_is_killed_leaves_nothing_and_can_be_run_again(tmp_path: Path):
    """No folder that looks like a model, and none that keeps the next run from its own."""
    out = tmp_path / "model"
    arguments = ("train", str(table("wine")), "--target", "class", "--out", str(out))
    status, printed, _ = interrupt_when(
        r"training rows +loss", *arguments, "--seconds", "300", by=signal.SIGKILL
    )
    assert (status, printed) == (-signal.SIGKILL, "")
    assert list(tmp_path.iterdir()) == []
    again = run(*arguments, "--seconds", "1")
    assert again.returncode == 0, again.stderr
    assert len(load_model(out).predict(table("wine"))) == 178


# ------------------------------------------------------------------------------------- Ctrl-C


def test_ctrl_c_while_a_fit_is_prepared_is_one_sentence(decay: str):
    """Status 130, no table, and no traceback."""
    process = subprocess.Popen(
        [sys.executable, "-X", "importtime", "-m", "thalweg", "fit", decay, FORMULA],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    for line in process.stderr:  # Python names each module once it is imported
        if line.rstrip().endswith(" thalweg.fitting.expression"):
            process.send_signal(signal.SIGINT)
            break
    out, err = process.communicate(timeout=PATIENCE)
    said = [line for line in err.splitlines() if not line.startswith("import time:")]
    assert (process.returncode, out, said) == (130, "", ["thalweg: interrupted"])


# ------------------------------------------------------------- what the user gave, and it raises


class OwnError(Exception):
    """Of the user, whom thalweg must not keep it from."""


def test_the_error_of_a_model_reaches_its_author_and_the_next_fit_works():
    """As it was raised, not wrapped; the same data are then fitted by a sound model."""
    x = np.linspace(0.0, 4.0, 30)
    y = 3 * np.exp(-0.7 * x)

    def broken(x, a, b):  # noqa: ARG001 - as `curve_fit` calls it
        raise OwnError

    for _ in range(2):
        with pytest.raises(OwnError):
            tw.curve_fit(broken, x, y, p0=[1.0, 1.0])
    popt, _ = tw.curve_fit(lambda x, a, b: a * jnp.exp(-b * x), x, y, p0=[1.0, 1.0])
    assert np.allclose(popt, [3.0, 0.7])


def test_a_callback_that_raises_leaves_a_checkpoint_that_goes_on(tmp_path: Path):
    """The error is the caller's; the file is whole, and the next run ends as if nothing was."""
    problem = tw.Scalar(lambda p: ((p**2 - 1) ** 2).sum())
    start, stop = np.array([0.1, 3.0]), tw.Stop(steps=12)

    def raise_at_five(snapshot):
        if snapshot.step == 5:
            raise OwnError

    kept = {"checkpoint": tmp_path / "run", "checkpoint_every": 0}
    with pytest.raises(OwnError):
        tw.minimize(problem, start, "adam", stop, callback=raise_at_five, **kept)
    resumed = tw.minimize(problem, start, "adam", stop, **kept)
    alone = tw.minimize(problem, start, "adam", stop)
    assert resumed.params.tobytes() == alone.params.tobytes()
    assert len(resumed.history["loss"]) == len(alone.history["loss"])


def test_an_estimator_that_failed_can_be_fitted_again():
    """A target that is not finite is refused; then the same object learns from sound rows."""
    inputs = np.random.default_rng(0).normal(size=(60, 2))
    network = FlowRegressor(layers=(4,), l2=1e-3, max_iter=300, random_state=0)
    with pytest.raises(ValueError, match="NaN"):
        network.fit(inputs, np.full(60, np.nan))
    network.fit(inputs, inputs[:, 0])
    assert np.isfinite(network.predict(inputs)).all()


# -------------------------------------------------------------------------- two runs, one place

TWINS = """if True:
    import sys
    import jax
    jax.config.update("jax_enable_x64", True)
    import numpy as np
    import thalweg as tw
    problem = tw.Scalar(lambda p: ((p ** 2 - 1) ** 2).sum())
    found = tw.minimize(
        problem, np.array([0.1, 3.0]), "adam", tw.Stop(steps=400),
        checkpoint=sys.argv[1], checkpoint_every=0, callback=lambda _: None,
    )
    print(found.params.tobytes().hex())
"""


def test_two_runs_on_one_checkpoint_both_end_as_alone(tmp_path: Path):
    """Each write replaces the file as a whole, so neither reads the half of the other's."""
    command = [sys.executable, "-c", TWINS]
    alone = subprocess.run(
        [*command, str(tmp_path / "alone")], capture_output=True, text=True, check=True
    )
    twins = [
        subprocess.Popen(
            [*command, str(tmp_path / "run")],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ends = [twin.communicate(timeout=PATIENCE) for twin in twins]
    assert [twin.returncode for twin in twins] == [0, 0], ends
    assert {out for out, _ in ends} == {alone.stdout}
    assert sorted(os.listdir(tmp_path)) == ["alone", "run"]  # noqa: PTH208 - names suffice


def test_two_trainings_into_one_folder_leave_one_whole_model(tmp_path: Path):
    """The one that comes second says so, and does not damage the model of the first."""
    out = tmp_path / "model"
    arguments = ["train", str(table("wine")), "--target", "class", "--seconds", "1"]
    twins = [
        subprocess.Popen(
            [COMMAND, *arguments, "--out", str(out)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ends = [twin.communicate(timeout=PATIENCE) for twin in twins]
    assert sorted(twin.returncode for twin in twins) == [0, 1], ends
    loser = next(end for twin, end in zip(twins, ends, strict=True) if twin.returncode)
    assert "exists already" in loser[1]
    assert "Traceback" not in loser[1]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert len(load_model(out).predict(table("wine"))) == 178
