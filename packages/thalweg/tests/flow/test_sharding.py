"""Eight simulated devices give what one gives, to rounding; each holds its share of the data."""

import json
import subprocess
import sys

import jax
import numpy as np
import pytest

import thalweg as tw
from command import HELPERS, PATIENCE
from eight_devices import COUNT, PROBLEMS, RUNS
from thalweg.flow.sharding import chosen_devices

# Sums over about a hundred examples in another order: a few roundings of 2e-16. Seen: 6e-16.
ROUNDING = 1e-14
# How much the linear systems of four steps magnify that depends on their condition, and on where
# another machine rounds. Seen: 1.2e-14. An example left out or counted twice would be a hundredth.
STEPPED = 1e-10

OF_RESIDUALS = ("residuals", "Jacobian", "along a curve", "pull", "normal equations")
OF_OUTPUTS = ("dense Gauss-Newton matrix", "pull along a curve")
OF_ALL = ("loss", "loss and gradient", "Gauss-Newton product", "Hessian product")
CLAIMS = [
    f"{problem}: {function}"
    for problem in PROBLEMS
    for function in (*OF_ALL, *(OF_OUTPUTS if problem == "classes" else OF_RESIDUALS))
]


@pytest.fixture(scope="module")
def found():
    """What the script found, in a process of its own: JAX fixes the number of devices once."""
    script = HELPERS / "eight_devices.py"
    done = subprocess.run(
        [sys.executable, script], capture_output=True, text=True, check=False, timeout=2 * PATIENCE
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_function_is_compared(found):
    """No claim below is about nothing."""
    assert sorted(found["functions"]) == sorted(CLAIMS)
    assert sorted(found["runs"]) == sorted(RUNS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_eight_devices_compute_what_one_does(found, claim):
    """Residuals and rows of Jacobians are the same set of rows; all beyond it is 0."""
    assert found["functions"][claim] <= ROUNDING


@pytest.mark.parametrize("name", RUNS)
def test_a_run_on_eight_devices_takes_the_steps_of_one(found, name):
    """Parameters and losses after a fixed number of steps."""
    assert found["runs"][name] <= STEPPED


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_device_holds_an_eighth_of_the_examples(found, name):
    """Of each chunk; filling included, as 101 examples are no multiple of eight."""
    facts = found["facts"][name]
    assert facts["devices"] == COUNT
    assert facts["shares"] == [facts["length"] // COUNT] * COUNT
    assert facts["chunks"] == 1 if name == "a chunk in pieces" else facts["chunks"] > 1


@pytest.mark.parametrize("name", PROBLEMS)
def test_the_gradient_is_summed_over_the_devices(found, name):
    """Its compiled program has an all-reduce."""
    assert found["facts"][name]["all-reduces"] > 0


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        ("gpu", "`devices` is 'gpu', but 'all' or devices"),
        ("", "`devices` is '', but 'all' or devices"),
        ([], r"`devices` is \[\], but 'all' or devices"),
        (3, "`devices` is 3, but 'all' or devices"),
        ([0, 1], r"`devices` is \[0, 1\], but 'all' or devices"),
    ],
)
def test_what_names_no_devices_is_refused(devices, words):
    """With what was found and what was expected."""
    with pytest.raises(tw.ThalwegError, match=words):
        tw.minimize(tw.Scalar(lambda p: (p**2).sum()), np.ones(2), devices=devices)


def test_a_device_named_twice_is_refused():
    """Its share of the examples would be two shares."""
    device = jax.devices()[0]
    with pytest.raises(tw.ThalwegError, match="names a device twice; name each once"):
        chosen_devices([device, device])


def test_devices_may_be_all_some_one_or_left_out():
    """As a list, as the word, and as the device itself."""
    every = tuple(jax.devices())
    assert chosen_devices(None) is None
    for given in ("all", list(every), every):
        chosen = chosen_devices(given)
        assert chosen is not None
        assert chosen.members == every
    alone = chosen_devices(every[0])  # pyright: ignore[reportArgumentType] - taken all the same
    assert alone is not None
    assert (alone.count, alone.processes, alone.process) == (1, 1, 0)


def test_what_one_process_says_is_agreed():
    """Nothing is computed where there is nobody to ask."""
    chosen = chosen_devices("all")
    assert chosen is not None
    said = np.array([3, 4], np.int32)
    assert chosen.agree(said) is said
    assert chosen.from_first(b"content") == b"content"
    assert not chosen.is_loss(RuntimeError("UNKNOWN: connection closed"))
    chosen.refuse_different(params=np.ones(3), method="adam")
