"""`thalweg.torch.fit`: the module is fitted, and what cannot be fitted says why."""

import pytest

pytest.importorskip("torch", reason="PyTorch is not installed; `make test-torch` runs this")

import jax
import jax.numpy as jnp
import numpy as np
import torch
from torch import nn

import thalweg as tw
import thalweg.torch as tt
from thalweg.errors import ConfigError, DataError, ShapeError
from torch_modules import Tied

RANDOM = np.random.default_rng(1)
X = RANDOM.normal(size=(30, 2))
Y = np.sin(X.sum(axis=1, keepdims=True))
FEW = tw.Stop(steps=5)


def mlp(outputs=1):
    """A small network, always the same."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, outputs)).double()


def tensors(*arrays):
    """As PyTorch's."""
    return tuple(map(torch.from_numpy, arrays))


def test_the_weights_of_the_module_are_the_solution():
    """`solution.loss` is what PyTorch finds for the module afterwards; modes are kept."""
    module = mlp()
    module[1].eval()
    solution = tt.fit(module, tensors(X, Y), stop=tw.Stop(steps=40))
    loss = nn.functional.mse_loss(module(torch.from_numpy(X)), torch.from_numpy(Y)).item()
    assert solution.loss == pytest.approx(loss, rel=1e-12)
    assert loss < 1e-4
    assert set(solution.params) == set(dict(module.named_parameters()))
    assert module.training
    assert not module[1].training


@pytest.mark.parametrize("kind", ["classes", "probabilities", "places"])
def test_cross_entropy_is_that_of_pytorch(kind):
    """For classes, probabilities, and classes at several places."""
    module = mlp(6)
    targets = RANDOM.integers(3, size=30)
    if kind == "probabilities":
        module, targets = mlp(3), RANDOM.dirichlet(np.ones(3), size=30)
    elif kind == "places":
        module = nn.Sequential(module, nn.Unflatten(1, (3, 2)))
        targets = RANDOM.integers(3, size=(30, 2))
    before = nn.functional.cross_entropy(module(torch.from_numpy(X)), torch.from_numpy(targets))
    solution = tt.fit(module, (X, targets), "cross-entropy", stop=FEW)
    after = nn.functional.cross_entropy(module(torch.from_numpy(X)), torch.from_numpy(targets))
    assert solution.history["loss"][0] == pytest.approx(before.item(), rel=1e-12)
    assert solution.loss == pytest.approx(after.item(), rel=1e-12)
    assert after < before


def test_a_residual_is_a_function_of_pytorch():
    """Of outputs and targets; the loss is half the mean over examples of its squares."""
    module = mlp()

    def residual(outputs, targets):
        return 3 * torch.cat([outputs - targets, 0.1 * outputs], dim=1)

    half = 0.5 * (residual(module(torch.from_numpy(X)), torch.from_numpy(Y)) ** 2).sum(1).mean()
    solution = tt.fit(module, (X, Y), residual, stop=FEW)
    assert solution.history["loss"][0] == pytest.approx(half.item(), rel=1e-12)
    assert solution.loss < half


def test_shared_weights_stay_shared_and_frozen_ones_stay():
    """They are one parameter each, and no other layer changes a frozen one."""
    module = Tied().double()
    module.middle.weight.requires_grad = False
    frozen = module.middle.weight.detach().clone()
    solution = tt.fit(module, (RANDOM.normal(size=(9, 4)), RANDOM.normal(size=(9, 4))), stop=FEW)
    assert "shared.weight" not in solution.params
    assert "middle.weight" not in solution.params
    assert module.shared.weight is module.encoder.weight
    assert torch.equal(module.middle.weight, frozen)
    assert solution.loss < solution.history["loss"][0]


def test_batch_norm_and_dropout_are_in_evaluation_mode_and_that_is_said():
    """Only where the module is in training mode; running averages stay as they are."""
    module = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    module = module.double()
    module[1].running_mean.fill_(0.3)
    with pytest.warns(UserWarning, match="`1`.*running averages.*dropout .`2`. is off"):
        tt.fit(module, (X, Y), stop=FEW)
    assert torch.equal(module[1].running_mean, torch.full((4,), 0.3, dtype=torch.float64))
    tt.fit(module.eval(), (X, Y), stop=FEW)  # warnings are errors here


def test_float32_modules_keep_their_dtype():
    """Data in float64 are cast to it, as those of NumPy are by default."""
    module = mlp().float()
    solution = tt.fit(module, (X, Y), stop=FEW)
    assert module[0].weight.dtype is torch.float32
    assert all(value.dtype == np.float32 for value in solution.params.values())
    assert solution.loss < solution.history["loss"][0]


class Several(nn.Module):
    """A module with an input of its own for each argument."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Linear(2, 3), nn.Linear(1, 3)

    def forward(self, x, y):
        """The product of both."""
        return self.first(x) * self.second(y)


def test_forward_may_take_several_inputs():
    """Then the inputs are a tuple."""
    module, targets = Several().double(), RANDOM.normal(size=(30, 3))
    loss = nn.functional.mse_loss(module(*tensors(X, Y)), torch.from_numpy(targets)).item()
    solution = tt.fit(module, ((X, Y), targets), stop=FEW)
    assert solution.history["loss"][0] == pytest.approx(loss, rel=1e-12)


def test_a_module_serves_in_a_residual_of_jax():
    """Here in u″ = -u, u(0) = 0, u(1) = sin 1, so that u = sin."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1)).double()
    network = tt.to_jax(module, torch.zeros(1, 1, dtype=torch.float64))

    def u(params, x):
        return network(params, x[None])[0]

    def equation(params, x):
        return jax.grad(jax.grad(u, 1), 1)(params, x) + u(params, x)

    def edge(params, x):
        return u(params, x) - jnp.sin(x)

    problem = tw.LeastSquares(equation, data=(np.linspace(0, 1, 20),)) + tw.LeastSquares(
        edge, data=(np.array([0.0, 1.0]),)
    )
    solution = tw.minimize(problem, network.params, stop=tw.Stop(steps=60))
    network.write_back(solution.params)
    at = torch.linspace(0, 1, 7, dtype=torch.float64)[:, None]
    assert torch.allclose(module(at), torch.sin(at), atol=1e-4)


# ------------------------------------------------------------------------- what cannot be fitted


class Mixing(nn.Module):
    """Subtracts the mean of a batch."""

    def forward(self, x):
        """Outputs as inputs."""
        return x - x.mean(0)


class Branching(nn.Module):
    """Asks for a number in Python."""

    def forward(self, x):
        """Outputs as inputs."""
        return x if x.sum() > 0 else -x


class Counting(nn.Module):
    """Counts its calls in a buffer."""

    def __init__(self):
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        """Outputs as inputs."""
        self.calls += 1
        return x


class Spectral(nn.Module):
    """Uses an operator that thalweg does not have."""

    def forward(self, x):
        """Outputs as inputs."""
        return torch.linalg.svd(x)[0][:, :1]


class Two(nn.Module):
    """Returns two tensors."""

    def forward(self, x):
        """Twice."""
        return x, x


@pytest.mark.parametrize(
    ("layer", "says"),
    [
        (Mixing(), "depend on the other examples"),
        (Branching(), r"the layer `1` \(Branching\)"),
        (Spectral(), r"the layer `1` \(Spectral\).*aten"),
        (Counting(), r"changes `1.calls`"),
        (Two(), "returns 2 tensors"),
        (nn.BatchNorm1d(1, track_running_stats=False), r"the layer `1` \(BatchNorm1d\)"),
        (nn.MaxPool1d(1, ceil_mode=True), "ceil_mode"),
    ],
    ids=["mixing", "branching", "operator", "counting", "two", "batch-norm", "ceil"],
)
def test_a_layer_that_cannot_be_fitted_is_named(layer, says):
    """In one sentence; the weights stay as they were, and so does the mode."""
    module = nn.Sequential(mlp(), layer.double())
    module.train()
    before = module[0][0].weight.detach().clone()
    with pytest.raises(ConfigError, match=says) as raised:
        tt.fit(module, (X, Y), stop=FEW)
    assert "\n" not in str(raised.value)
    assert torch.equal(module[0][0].weight, before)
    assert module.training


@pytest.mark.parametrize(
    ("error", "says", "call"),
    [
        (ShapeError, "nothing is broadcast", lambda: tt.fit(mlp(), (X, Y[:, 0]))),
        (ShapeError, "examples", lambda: tt.fit(mlp(), (X, Y[:5]))),
        (DataError, "from 0 to 3", lambda: tt.fit(mlp(3), (X, np.arange(30) % 4), "cross-entropy")),
        (DataError, "NaN", lambda: tt.fit(mlp(), (X * np.nan, Y))),
        (ConfigError, "`loss` is 'l1'", lambda: tt.fit(mlp(), (X, Y), "l1")),
        (ConfigError, "pair", lambda: tt.fit(mlp(), X)),
        (ConfigError, "pair", lambda: tt.fit(mlp(), (X, Y, Y))),
        (ConfigError, "`torch.nn.Module`", lambda: tt.fit(print, (X, Y))),
        (ConfigError, "`starts`", lambda: tt.fit(mlp(), (X, Y), starts=3)),
        (ConfigError, "float16", lambda: tt.fit(mlp().half(), (X, Y))),
    ],
    ids=[
        "shape",
        "length",
        "classes",
        "nan",
        "loss",
        "array",
        "three",
        "function",
        "starts",
        "half",
    ],
)
def test_wrong_input_is_said(error, says, call):
    """In one sentence."""
    with pytest.raises(error, match=says):
        call()
