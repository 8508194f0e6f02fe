"""Checkpoints: a run that was cut short, however it was, goes on as if nothing had happened."""

import json
import os
import re
import resource
import signal
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import load_file

import thalweg as tw
from method_suite import FIT, FIT_START
from thalweg._run import checkpoint
from thalweg._run.checkpoint import Checkpoint, Saved, interval
from thalweg.flow.flatten import flatten

EVERY_JITTED = [
    "implicit-geodesic",
    "exponential-krylov",
    "secant-euler",
    "self-scaled-bfgs",
    "self-scaled-broyden",
    "rosenbrock",
    "bdf",
    "chebyshev",
    "switching",
    "adam",
    "optax-l-bfgs",
]


def run(path, steps, method="implicit-geodesic", **options):
    """Some steps of the fit that the shared suite has."""
    stop = tw.Stop(steps=steps)
    return tw.minimize(FIT, FIT_START, method, stop, checkpoint=path, checkpoint_every=0, **options)


def assert_same_run(one, other):
    """Every bit of θ and of the history, but for the clock."""
    assert one.outcome is other.outcome
    assert one.loss == other.loss
    for first, second in zip(
        jax.tree.leaves(one.params), jax.tree.leaves(other.params), strict=True
    ):
        assert np.array_equal(first, second)
    for column in one.history:
        if column != "seconds":
            assert np.array_equal(one.history[column], other.history[column], equal_nan=True)


@pytest.mark.parametrize("method", EVERY_JITTED)
def test_a_run_in_parts_is_bit_for_bit_the_run_in_one(tmp_path, method):
    """Whatever a method remembers from step to step is in the file."""
    whole = run(None, 40, method)
    part = run(tmp_path / "run", 17, method)
    assert len(part.history["loss"]) == 18
    assert_same_run(run(tmp_path / "run", 40, method), whole)


def test_time_and_compilation_add_up_over_the_parts(tmp_path):
    """The clock goes on where it stopped; `seconds` never falls."""
    part = run(tmp_path / "run", 10)
    whole = run(tmp_path / "run", 20)
    assert np.array_equal(whole.history["seconds"][:11], part.history["seconds"])
    assert (np.diff(whole.history["seconds"]) >= 0).all()
    assert whole.compile_seconds >= part.compile_seconds


def test_a_run_that_is_over_is_given_back_as_it_was(tmp_path):
    """Neither a converged run nor one whose target is reached takes another step."""
    problem = tw.LeastSquares(lambda p: p - jnp.array([1.0, 2.0]))
    for stop in (tw.Stop(), tw.Stop(grad_norm=1e-3), tw.Stop(loss=1e-2)):
        path = tmp_path / repr(stop)
        first = tw.minimize(problem, np.zeros(2), stop=stop, checkpoint=path)
        assert_same_run(tw.minimize(problem, np.zeros(2), stop=stop, checkpoint=path), first)
    further = tw.minimize(problem, np.zeros(2), stop=tw.Stop(loss=1e-9), checkpoint=path)
    assert further.loss <= 1e-9 < first.loss


def test_an_interrupt_writes_the_state_first(tmp_path):
    """Ctrl-C between two steps, long before the interval has passed."""

    def interrupt(snapshot):
        if snapshot.step == 5:
            raise KeyboardInterrupt

    cut = tw.minimize(
        FIT,
        FIT_START,
        "implicit-geodesic",
        tw.Stop(steps=9),
        checkpoint=tmp_path / "run",
        callback=interrupt,
    )
    assert cut.outcome is tw.Outcome.INTERRUPTED
    assert len(load_file(tmp_path / "run")["history.loss"]) >= 5
    assert_same_run(run(tmp_path / "run", 9), run(None, 9))


# ---------------------------------------------------------------------------------- kill -9

KILLS = 10

# Imports once and forks for each run. A run says how many rows each completed write holds. What XLA
# compiles is kept, so that the others start at once.
CHILDREN = """if True:
    import os, sys, warnings
    import jax
    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_compilation_cache_dir", sys.argv[1])
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)
    import numpy as np
    import thalweg as tw
    from thalweg._run.checkpoint import Checkpoint
    warnings.simplefilter("ignore")  # that JAX does not like forks; nothing of it runs yet

    def say(*words):  # in one write, so that a kill cannot cut it
        os.write(1, (" ".join(map(str, words)) + "\\n").encode())

    write = Checkpoint.write

    def write_and_say(self, saved):
        write(self, saved)
        say("kept", len(saved.history["loss"]))

    Checkpoint.write = write_and_say
    for line in sys.stdin:
        path, steps = line.split()
        child = os.fork()
        if child == 0:
            problem = tw.Scalar(lambda p: ((p ** 2 - 1) ** 2).sum() + p[0] * p[1])
            found = tw.minimize(
                problem, np.array([0.1, -0.2, 3.0]), "adam", tw.Stop(steps=int(steps)),
                checkpoint=path, checkpoint_every=0, callback=lambda _: None,
            )
            say("end", found.params.tobytes().hex())
            os._exit(0)
        say("pid", child)
        os.waitpid(child, 0)
        say("gone")
"""


class Children:
    """Runs one after another, each in a process of its own."""

    def __init__(self, cache):
        self.process = subprocess.Popen(
            [sys.executable, "-c", CHILDREN, str(cache)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, path, *, steps=10**9, kill_after=None):
        """One run, killed once so many writes were reported; what it reported."""
        print(path, steps, file=self.process.stdin, flush=True)
        pid, rows, end = 0, [], None
        for line in self.process.stdout:
            word, *rest = line.split()
            if word == "gone":
                break
            if word == "pid":
                pid = int(rest[0])
            elif word == "kept":
                rows.append(int(rest[0]))
            else:
                end = rest[0]
            if kill_after is not None and pid and len(rows) >= kill_after:
                os.kill(pid, signal.SIGKILL)
        return rows, end

    def close(self):
        """End the process that forks."""
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


def test_killed_at_any_moment_it_keeps_every_completed_write(tmp_path):
    """Ten times kill -9; then the run ends with the bits of a run that was left alone."""
    path, kept, lucky = tmp_path / "run", 0, np.random.default_rng(5)
    children = Children(tmp_path / "cache")
    try:
        children.run(tmp_path / "first", steps=10)  # compiles
        for _ in range(KILLS):
            rows, _ = children.run(path, kill_after=int(lucky.integers(1, 30)))
            found = len(load_file(path)["history.seconds"])
            assert found >= max(rows) >= kept
            kept = found
        assert kept > KILLS
        ends = [children.run(tmp_path / name, steps=kept + 100)[1] for name in ("run", "alone")]
    finally:
        children.close()
    assert ends[0] is not None
    assert ends[0] == ends[1]


class Clock:
    """Seconds that pass only when they are told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        """The time now."""
        return self.now


@pytest.mark.parametrize("writing", [0.0, 0.1, 1.0, 5.0], ids=lambda s: f"a write takes {s} s")
def test_what_a_kill_loses_is_an_interval_and_two_writes_at_most(tmp_path, writing, monkeypatch):
    """Whatever the disk takes; and at least half of the time is left for the run."""
    clock, call, every = Clock(), 0.03, 1.0
    _, spec = flatten(np.zeros(2))
    keeper = Checkpoint(tmp_path / "run", every, "method", spec, clock=clock)
    whole_file = checkpoint.whole_file

    def slow_file(*arguments, **options):
        clock.now += writing
        return whole_file(*arguments, **options)

    monkeypatch.setattr(checkpoint, "whole_file", slow_file)
    state = Saved([], {"loss": np.zeros(1)}, np.zeros(2), 0.0, 0, 0.0, 0.0)
    kept_at, at_risk, spent = 0.0, 0.0, 0.0
    for _ in range(1000):
        clock.now += call
        began = clock.now
        if keeper.is_due:
            keeper.try_to_write(state)
            spent += writing
            at_risk = max(at_risk, clock.now - kept_at)  # had it been killed just before the end
            kept_at = began  # what was written is the state at the beginning
    assert kept_at > 0
    assert at_risk <= max(every, writing) + 2 * writing + 2 * call
    assert spent <= 0.5 * clock.now + writing


# -------------------------------------------------------------------------------- bad input


def test_a_flipped_byte_is_noticed(tmp_path):
    """Anywhere in the file: in its header, in its arrays."""
    path = tmp_path / "run"
    run(path, 5)
    sound = path.read_bytes()
    for place in np.linspace(0, len(sound) - 1, 25).astype(int):
        path.write_bytes(sound[:place] + bytes([sound[place] ^ 1]) + sound[place + 1 :])
        with pytest.raises(tw.ThalwegError, match=r"checkpoint `.*run`"):
            run(path, 6)
    path.write_bytes(sound)
    run(path, 6)


@pytest.mark.parametrize("content", [b"", b"x", b"0" * 1000, b"\xff" * 64], ids=repr)
def test_a_file_that_is_no_checkpoint_is_refused_and_left_alone(tmp_path, content):
    """It may be somebody's data."""
    path = tmp_path / "run"
    path.write_bytes(content)
    with pytest.raises(tw.ThalwegError, match="is damaged, or no checkpoint; name another file"):
        run(path, 5)
    assert path.read_bytes() == content


def test_another_run_is_refused(tmp_path):
    """Another method, other settings, other parameters, another problem, another dtype."""
    path = tmp_path / "run"
    run(path, 5)
    with pytest.raises(tw.ThalwegError, match="is of the method implicit-geodesic"):
        run(path, 5, "chebyshev")
    with pytest.raises(tw.ThalwegError, match="krylov_limit=9"):
        run(path, 5, tw.ImplicitGeodesic(krylov_limit=9))
    stop = tw.Stop(steps=5)
    method = "implicit-geodesic"
    with pytest.raises(tw.ThalwegError, match="parameters of another layout"):
        tw.minimize(tw.LeastSquares(lambda p: p), np.ones(12), method, stop, checkpoint=path)
    narrow = jax.tree.map(np.float32, FIT_START)
    with pytest.raises(tw.ThalwegError, match="parameters of another layout"):
        tw.minimize(FIT, narrow, method, stop, checkpoint=path)
    with pytest.raises(tw.ThalwegError, match="the loss at its best point is"):
        tw.minimize(2 * FIT, FIT_START, method, stop, checkpoint=path)


def test_a_checkpoint_of_a_class_that_has_another_name_now_is_read(tmp_path):
    """Version 0.1 called `OptaxOptimizer` `Optax`."""
    _, spec = flatten(np.zeros(2))
    state = Saved([np.ones(2)], {"loss": np.zeros(1)}, np.zeros(2), 0.0, 0, 0.0, 0.0)
    path = tmp_path / "run"
    Checkpoint(path, 1.0, "adam Optax(name='adam')", spec).write(state)
    found = Checkpoint(path, 1.0, "adam OptaxOptimizer(name='adam')", spec).read()
    assert found is not None
    assert found.loop[0].tolist() == [1.0, 1.0]
    with pytest.raises(tw.ThalwegError, match=r"is of the method adam OptaxOptimizer\(name='adam'"):
        Checkpoint(path, 1.0, "adam OptaxOptimizer(name='other')", spec).read()


def test_a_newer_format_is_told_apart_from_damage(tmp_path, monkeypatch):
    """So that nobody throws it away."""
    path = tmp_path / "run"
    monkeypatch.setattr("thalweg._run.checkpoint.FORMAT", 3)
    run(path, 5)
    monkeypatch.undo()
    with pytest.raises(tw.ThalwegError, match="is of format 3, but this version"):
        run(path, 5)


def test_a_method_of_another_library_is_refused(tmp_path):
    """Its state cannot be kept."""
    with pytest.raises(tw.ThalwegError, match="`l-bfgs` keeps its state inside another library"):
        run(tmp_path / "run", 5, "l-bfgs")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_before_the_run(tmp_path):
    """A folder that is missing, and a folder in the place of the file."""
    with pytest.raises(tw.ThalwegError, match=r"cannot be written \(No such file"):
        run(tmp_path / "missing" / "run", 5)
    with pytest.raises(tw.ThalwegError, match="is a folder, but a file was expected"):
        run(tmp_path, 5)


def test_a_disk_that_fills_up_does_not_end_the_run(tmp_path):
    """It warns once, ends as it would have, and keeps the last good checkpoint."""
    path = tmp_path / "run"
    run(path, 5)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    room = path.stat().st_size + 600  # the history outgrows it
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (room, limit[1]))
        with pytest.warns(UserWarning, match="could not be written") as warned:
            whole = run(path, 60)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    assert len(warned) == 1
    assert_same_run(whole, run(None, 60))
    assert_same_run(run(path, 60), whole)
    assert [file.name for file in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30s", 30), ("5min", 300), ("1.5 h", 5400), (2, 2), (0.5, 0.5), ("7", 7), (0, 0)],
)
def test_an_interval_has_a_unit_or_is_in_seconds(text, seconds):
    """As people write it."""
    assert interval(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1 day", float("nan"), "1e", None])
def test_another_interval_is_refused(text):
    """In one sentence with examples."""
    with pytest.raises(tw.ThalwegError, match=re.escape("such as '30s', '5min' or '1h'")):
        interval(text)


def test_the_file_says_in_plain_text_what_it_is_of(tmp_path):
    """Its metadata are JSON that other tools can read."""
    path = tmp_path / "run"
    run(path, 3)
    head = path.read_bytes()
    header = json.loads(head[8 : 8 + int.from_bytes(head[:8], "little")])
    facts = json.loads(header["__metadata__"]["thalweg"])
    assert facts["format"] == 2
    assert facts["stage"] == 0
    assert facts["method"].startswith("implicit-geodesic ")
    assert facts["parameters"][0] == "float64"
