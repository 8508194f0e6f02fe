"""An interrupted study continues; its runs are the same wherever they are made.

The runs are real and tiny: XOR by gradient descent, some steps each.
"""

import json
import os
import signal
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

import thalweg as tw
from command import COMMAND, PATIENCE, interrupt_when
from thalweg.cli import app
from thalweg.errors import ConfigError, PrecisionError
from thalweg.flow.flatten import flatten
from thalweg_lab import problems
from thalweg_lab.study import Grid, RunSpec, Store, Study, execute, params_of
from thalweg_lab.study.definition import write_study
from thalweg_lab.study.running import Progress, run_study

MAKER = {"name": "dopri5", "rtol": 1e-3}
SPEC = RunSpec(problem="xor", method="explicit", maker=MAKER, start=3, stop={"steps": 70})


def study(*, starts: int = 4, **stop: float) -> Study:
    """XOR by one method."""
    grid = Grid(
        problems=("xor",),
        methods={"explicit": MAKER},
        starts=tuple(range(starts)),
        stop=stop or {"steps": 5},
    )
    return Study(name="tiny", title="Tiny", grids=(grid,))


def kept(folder: Path) -> dict[str, bytes]:
    """All files of finished runs."""
    ids = Store(folder).ids()
    return {p.name: p.read_bytes() for p in (folder / "runs").iterdir() if p.stem in ids}


def test_a_run_is_what_minimize_gives():
    """The record of a run has the loss, history and parameters of the same call by hand."""
    made = execute(SPEC)
    task = problems.load("xor")
    method = tw.SciPyODESolver("dopri5", rtol=1e-3)
    solution = tw.minimize(task.problem, task.start(3), method, tw.Stop(steps=70))
    assert made.loss == solution.loss
    assert made.steps == 70
    assert made.measure == task.measure.of(solution.params)
    assert made.work == solution.work._asdict()
    np.testing.assert_array_equal(made.history["loss"], solution.history["loss"])
    np.testing.assert_array_equal(made.params, flatten(solution.params)[0])
    again = flatten(params_of(made))[0]
    np.testing.assert_array_equal(again, made.params)
    assert made.path.shape == (0, task.size)


def test_what_is_watched_belongs_to_its_rows():
    """The loss at each kept point is that of its row, and the measure there is the problem's."""
    watched = execute(
        RunSpec(**{**SPEC.as_json(), "watch": ("measure", "path"), "stop": {"steps": 90}})
    )
    task = problems.load("xor")
    assert watched.path_rows[0] == 0
    assert watched.path_rows[-1] == 90
    assert len(watched.path_rows) == len(watched.path) <= 40
    assert np.all(np.diff(watched.path_rows) > 0)
    measures = watched.history["measure"]
    for row, theta in zip(watched.path_rows, watched.path, strict=True):
        at = params_of(watched, theta)
        loss = tw.minimize(task.problem, at, "dopri5", tw.Stop(steps=0)).history["loss"][0]
        assert loss == pytest.approx(watched.history["loss"][row], rel=1e-12)
        assert task.measure.of(params_of(watched, theta)) == measures[row]
    assert np.isfinite(measures[:51]).all()  # every step up to 50, then at every 2 %
    assert 20 < np.isfinite(measures[51:]).sum() < 40


def test_a_run_that_raises_leaves_a_record(tmp_path: Path):
    """Levenberg-Marquardt of MINPACK refuses XOR; the study continues and records the error."""
    grid = Grid(
        problems=("xor",),
        methods={"lm": {"name": "scipy-lm"}, "explicit": MAKER},
        starts=(0,),
        stop={"steps": 2},
    )
    whole = Study(name="s", title="S", grids=(grid,))
    store = run_study(whole, tmp_path)
    refused, fine = store.load_all(whole.specs())
    assert refused.is_failed
    assert "as many residuals as parameters" in refused.error
    assert (fine.is_failed, fine.steps) == (False, 2)
    assert store.missing(whole.specs()) == []


def test_a_complete_study_runs_nothing(tmp_path: Path):
    """The second call finds all runs there and leaves every file as it is."""
    seen: list[Progress] = []
    run_study(study(starts=2), tmp_path, show=seen.append)
    before = kept(tmp_path)
    assert [p.done for p in seen] == [0, 1, 2]
    run_study(study(starts=2), tmp_path, show=seen.append)
    assert (seen[-1].there, seen[-1].total, seen[-1].run) == (2, 2, None)
    assert kept(tmp_path) == before
    assert len(before) == 6


def test_a_killed_study_goes_on(tmp_path: Path):
    """Killed after two runs or more, the same command keeps what is there and makes the rest."""
    file, folder = tmp_path / "tiny.toml", tmp_path / "out"
    file.write_text(write_study(study(starts=6, seconds=0.4)))
    arguments = ["study", str(file), "--out", str(folder)]
    with subprocess.Popen(
        [COMMAND, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + PATIENCE
        while len(Store(folder).ids()) < 2 and time.monotonic() < end:
            time.sleep(0.02)
        process.kill()
    before = kept(folder)
    assert 6 <= len(before) < 18
    done = CliRunner().invoke(app, [*arguments, "--json"])
    assert done.exit_code == 0, done.stderr
    after = kept(folder)
    assert len(after) == 18
    assert {name: after[name] for name in before} == before
    (line,) = json.loads(done.stdout)["summary"]
    assert (line["runs"], line["failed"]) == (6, 0)
    assert json.loads(done.stdout)["answers"] == {}


def test_ctrl_c_says_how_to_go_on(tmp_path: Path):
    """On a terminal the live table counts; after Ctrl-C the status is 130 and what ran is kept."""
    file, folder = tmp_path / "tiny.toml", tmp_path / "out"
    file.write_text(write_study(study(starts=50, seconds=0.3)))
    arguments = ["study", str(file), "--out", str(folder)]
    status, out, seen = interrupt_when("2 of 50 runs", *arguments)
    assert (status, out) == (130, "")
    assert "Traceback" not in seen
    there = len(Store(folder).ids())
    assert 2 <= there < 50
    words = " ".join(seen.split())
    assert f"{there} of 50 runs are finished" in words
    assert "the same command continues" in words


def test_processes_beside_give_the_same_runs(tmp_path: Path):
    """Two jobs make the runs in other processes, held to their share of the cores."""
    here, beside = tmp_path / "here", tmp_path / "beside"
    run_study(study(starts=2), here)
    run_study(study(starts=2), beside, jobs=2)
    pairs = zip(*(Store(f).load_all(study(starts=2).specs()) for f in (here, beside)), strict=True)
    for one, other in pairs:
        assert (one.threads, one.id) == (None, other.id)
        assert other.threads is not None
        np.testing.assert_allclose(one.history["loss"], other.history["loss"], rtol=1e-12)


def test_a_cluster_completes_the_study_though_a_worker_is_killed(tmp_path: Path):
    """Of two Dask workers one is killed in the midst of a run; every run is made all the same."""
    distributed = pytest.importorskip("distributed")
    whole = study(starts=6, seconds=0.3)
    killed: list[int] = []
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, silence_logs=50
    ) as cluster:
        busy = threading.Thread(target=_kill_one_at_work, args=(cluster, killed))
        busy.start()
        store = run_study(whole, tmp_path, dask=cluster.scheduler_address)
        busy.join()
    assert killed
    assert store.missing(whole.specs()) == []
    assert not any(run.is_failed for run in store.load_all())


def _kill_one_at_work(cluster: Any, killed: list[int]) -> None:
    """Kill the first worker that is making a run."""
    end = time.monotonic() + PATIENCE
    while not killed and time.monotonic() < end:
        for worker in cluster.workers.values():
            state = cluster.scheduler.workers.get(worker.worker_address)
            if state is not None and state.processing:
                pid = worker.process.process.pid
                os.kill(pid, signal.SIGKILL)
                killed.append(pid)
                break
        time.sleep(0.01)


def test_a_cluster_that_is_not_there_is_reported(tmp_path: Path):
    """An address without a scheduler, or a malformed one, is reported in a sentence."""
    pytest.importorskip("distributed")
    with pytest.raises(ConfigError, match="no Dask scheduler was reached at `nonsense://here`"):
        run_study(study(), tmp_path, dask="nonsense://here")


def test_a_missing_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without Dask the sentence says what to install."""
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(tw.ThalwegError, match=r"pip install 'thalweg-lab\[dask\]'"):
        run_study(study(), tmp_path, dask="tcp://127.0.0.1:1")


def test_float64_is_asked_for_before_anything_runs(tmp_path: Path):
    """Without JAX's x64 flag no run is made, instead of recording an error for each."""
    with jax.enable_x64(False), pytest.raises(PrecisionError):  # noqa: FBT003 - as JAX has it
        run_study(study(), tmp_path)
    assert Store(tmp_path).ids() == []


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (["study", "revisitd"], 2, "did you mean `revisited`?"),
        (["study", "no.toml"], 1, "`no.toml` cannot be read"),
        (["study", "revisited", "--jobs", "2", "--dask", "tcp://x:1"], 2, "leave `--jobs` out"),
        (["report", "."], 1, "`.` is not a study"),
    ],
)
def test_wrong_usage_has_its_own_status(
    arguments: list[str], status: int, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """2 for wrong usage, 1 for what cannot be done, nothing on stdout, no folder made."""
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, arguments)
    assert (done.exit_code, done.stdout) == (status, "")
    said = " ".join(done.stderr.replace("│", " ").split())
    assert words in said
    assert list(tmp_path.iterdir()) == []
