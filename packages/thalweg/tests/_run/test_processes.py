"""Two processes train together; where one is killed the other says so, and the run goes on later.

They are real processes that meet by loopback. The coordinator of JAX is a third one, see
`coordinator.py`.
"""

import json
import signal
import socket
import subprocess
import sys

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file

import thalweg as tw
from command import HELPERS, PATIENCE
from one_of_two import ALL_STEPS, FIT, GEODESIC, START, go_on, told

ENOUGH = 12  # steps before a process is killed
STEPPED = 1e-10  # as for several devices, see test_devices.py
AT_LEISURE = 600  # seconds that the first process to end waits for the other
SOON = 2  # the same where nobody is left to wait for


def free_address():
    """One that nobody listens at."""
    with socket.socket() as asked:
        asked.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{asked.getsockname()[1]}"


class Together:
    """Two processes with a task, and their coordinator; a context, after which none is left."""

    def __init__(self, task, checkpoint, cache, *, waits=AT_LEISURE):
        coordinator, own = free_address(), free_address()
        self._started = [self._start("coordinator.py", coordinator, str(waits), stderr=None)]
        assert self._started[0].stdout.readline() == "ready\n"
        for process in "01":
            arguments = (process, coordinator, own, task, str(checkpoint), str(cache))
            self._started.append(self._start("one_of_two.py", *arguments))
        self.pair = self._started[1:]

    @staticmethod
    def _start(script, *arguments, stderr=subprocess.PIPE):
        return subprocess.Popen(
            [sys.executable, HELPERS / script, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr or subprocess.DEVNULL,
            text=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self._started:
            process.kill()
            process.communicate()

    def results(self):
        """What both found."""
        found = []
        for process in self.pair:
            out, err = process.communicate(timeout=PATIENCE)
            assert process.returncode == 0, err
            found.append(json.loads(out.splitlines()[-1]))
        return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """What XLA has compiled, so that later processes start at once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def trained(tmp_path_factory, cache):
    """What both processes found of all tasks that are no matter of life and death."""
    with Together("train", tmp_path_factory.mktemp("pair") / "run", cache) as pair:
        return pair.results()


def assert_same_to_rounding(found, alone):
    """Outcome and number of steps; parameters to rounding."""
    expected = told(alone)
    assert (found["outcome"], found["rows"]) == (expected["outcome"], expected["rows"])
    assert np.allclose(found["theta"], expected["theta"], rtol=STEPPED, atol=STEPPED)


def test_both_processes_end_with_the_same_parameters(trained):
    """Bit for bit the same in both, and to rounding those of a single process."""
    assert trained[0]["fixed"] == trained[1]["fixed"]
    assert_same_to_rounding(
        trained[0]["fixed"], tw.minimize(FIT, START, GEODESIC, tw.Stop(steps=6))
    )


def test_several_starts_are_those_of_a_single_process(trained):
    """One after the other, the best returned."""
    assert trained[0]["starts"] == trained[1]["starts"]
    alone = tw.minimize(
        FIT,
        init=lambda seed: jax.tree.map(lambda leaf: (1 + 0.1 * seed) * leaf, START),
        method="gradient-descent",
        stop=tw.Stop(steps=6),
        starts=2,
    )
    assert_same_to_rounding(trained[0]["starts"], alone)


def test_a_budget_of_seconds_ends_both_after_the_same_step(trained):
    """Though each has a clock of its own."""
    assert trained[0]["seconds"] == trained[1]["seconds"]
    assert trained[0]["seconds"]["outcome"] == "budget spent"


def test_a_callback_of_one_ends_both(trained):
    """Process 1 asked after its fifth step, process 0 did not."""
    assert trained[0]["callback"] == trained[1]["callback"]
    assert trained[0]["callback"]["outcome"] == "stopped by callback"
    assert trained[0]["callback"]["rows"] == 6


def test_each_may_train_on_its_own_devices(trained):
    """Then each has a run of its own: two steps in one, three in the other."""
    assert [found["own device"]["rows"] for found in trained] == [3, 4]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("host method", "ConfigError: `l-bfgs` makes its decisions in another library"),
        ("other start", "ConfigError: `params` differ between the 2 processes of the run"),
        ("no such folder", "cannot be written (No such file or directory)"),
        ("some devices", 'but those of this process or of all were expected; write `devices="all"'),
    ],
)
def test_what_cannot_be_run_together_is_refused_in_both(trained, case, words):
    """In one sentence, and neither waits for the other for ever."""
    for found in trained:
        assert words in found[case]


def kill_one(victim, checkpoint, cache):
    """Kill one process in the midst of a run; what the other wrote to stderr."""
    with Together("be killed", checkpoint, cache, waits=SOON) as together:
        killed, left = together.pair[victim], together.pair[1 - victim]
        for line in killed.stdout:
            if line.strip().isdigit() and int(line) >= ENOUGH:
                break
        killed.send_signal(signal.SIGKILL)
        _, err = left.communicate(timeout=PATIENCE)
        assert left.returncode != 0
        return err


@pytest.fixture(scope="module", params=[0, 1])
def survived(request, tmp_path_factory, cache):
    """The checkpoint that is left, and what the other process said; for each that is killed."""
    path = tmp_path_factory.mktemp("killed") / "run"
    return path, kill_one(request.param, path, cache)


def test_the_other_process_says_what_happened(survived):
    """By an error of thalweg's that says what to do."""
    _, err = survived
    assert "thalweg.errors.DevicesLostError: the run is divided over 2 processes" in err
    assert "start all of them again" in err


def test_the_other_process_leaves_its_last_state(survived):
    """Though the interval of the checkpoint was an hour; and no half-written file."""
    path, _ = survived
    assert len(load_file(path)["history.loss"]) > ENOUGH
    assert [file.name for file in path.parent.iterdir()] == ["run"]


def target():
    """A loss that the run reaches well after it was killed."""
    return tw.minimize(FIT, START, "gradient-descent", tw.Stop(steps=ALL_STEPS)).loss


def test_a_single_process_goes_on_from_it(survived, tmp_path):
    """On one device, from where it was to the target, through the points of a run in one."""
    path = tmp_path / "run"
    path.write_bytes(survived[0].read_bytes())
    kept = load_file(path)["history.loss"]
    solution = go_on(tw.Stop(loss=target()), path)
    assert solution.outcome is tw.Outcome.TARGET_REACHED
    assert np.array_equal(solution.history["loss"][: len(kept)], kept)
    assert abs(len(solution.history["loss"]) - ALL_STEPS - 1) <= 1
    whole = tw.minimize(FIT, START, "gradient-descent", tw.Stop(steps=ALL_STEPS))
    assert np.allclose(
        solution.history["loss"][:ALL_STEPS], whole.history["loss"][:ALL_STEPS], rtol=STEPPED
    )


@pytest.mark.parametrize("survived", [1], indirect=True)
def test_two_processes_go_on_from_it(survived, tmp_path, cache):
    """Started again with the same checkpoint."""
    path = tmp_path / "run"
    path.write_bytes(survived[0].read_bytes())
    with Together(repr(target()), path, cache) as together:
        first, second = together.results()
    assert first == second
    assert first["outcome"] == "target reached"
    assert abs(first["rows"] - ALL_STEPS - 1) <= 1
