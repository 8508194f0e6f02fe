"""Twelve modules of PyTorch, and how far their loss and gradient in JAX are from PyTorch's."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", exc_type=ImportError)  # where it is absent, nothing here is collected

import torch
from torch import nn

from thalweg.flow import flow_of
from thalweg.flow.flatten import flatten
from thalweg.torch.fit import _problem
from thalweg.torch.module import to_jax

EXAMPLES = 10


class Residual(nn.Module):
    """Blocks that are added to their input."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 8)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(8, 8), nn.SiLU(), nn.Linear(8, 8)) for _ in range(2)
        )
        self.last = nn.Linear(8, 2)

    def forward(self, x: Any) -> Any:
        """Outputs `(N, 2)`."""
        x = self.first(x)
        for block in self.blocks:
            x = x + block(x)
        return self.last(x)


class Recurrent(nn.Module):
    """A recurrent layer, of which the last output counts."""

    def __init__(self, kind: Any, **options: Any) -> None:
        super().__init__()
        self.recurrent = kind(2, 5, batch_first=True, **options)
        self.last = nn.Linear(10 if options.get("bidirectional") else 5, 2)

    def forward(self, x: Any) -> Any:
        """Outputs `(N, 2)`."""
        x, _ = self.recurrent(x)
        return self.last(x[:, -1])


class Cell(nn.Module):
    """A cell of a recurrent network in a loop of Python."""

    def __init__(self) -> None:
        super().__init__()
        self.cell = nn.GRUCell(2, 4)
        self.last = nn.Linear(4, 2)

    def forward(self, x: Any) -> Any:
        """Outputs `(N, 2)`."""
        state = x.new_zeros(x.shape[0], 4)
        for step in range(x.shape[1]):
            state = self.cell(x[:, step], state)
        return self.last(state)


class Tied(nn.Module):
    """One layer used twice, and a decoder with the encoder's weights."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Linear(4, 3)
        self.middle = nn.Linear(3, 3)
        self.again = self.middle
        self.decoder = nn.Linear(3, 4, bias=False)
        self.decoder.weight = nn.Parameter(torch.zeros(4, 3))
        self.shared = nn.Linear(4, 3, bias=False)
        self.shared.weight = self.encoder.weight

    def forward(self, x: Any) -> Any:
        """Outputs `(N, 4)`."""
        inside = self.again(torch.tanh(self.middle(torch.tanh(self.encoder(x) + self.shared(x)))))
        return self.decoder(inside) + inside @ self.encoder.weight


class Attention(nn.Module):
    """A layer of a transformer, averaged over the sequence."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.last = nn.Linear(8, 1)

    def forward(self, x: Any) -> Any:
        """Outputs `(N, 1)`."""
        return self.last(self.layer(x).mean(1))


class Embedded(nn.Module):
    """Indices in place of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.last = nn.Linear(4, 3)

    def forward(self, x: Any) -> Any:
        """Outputs `(N, 3)`."""
        return self.last(self.table(x).sum(1))


def _convolutional() -> nn.Module:
    module = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3, stride=2, bias=False),
        nn.GroupNorm(2, 6),
        nn.Flatten(),
        nn.Linear(6, 2),
    )
    module[1].running_mean.normal_()
    module[1].running_var.uniform_(0.5, 2.0)
    return module


def _one_dimensional() -> nn.Module:
    return nn.Sequential(
        nn.Conv1d(2, 4, 3, dilation=2),
        nn.ELU(),
        nn.AvgPool1d(2),
        nn.Conv1d(4, 4, 3, groups=2, padding="same"),
        nn.LeakyReLU(),
        nn.AdaptiveAvgPool1d(1),
        nn.Flatten(),
        nn.Linear(4, 1),
    )


def _upsampling() -> nn.Module:
    return nn.Sequential(
        nn.Linear(3, 16),
        nn.Unflatten(1, (4, 2, 2)),
        nn.ConvTranspose2d(4, 2, 4, stride=2, padding=1),
        nn.InstanceNorm2d(2, affine=True),
        nn.Sigmoid(),
    )


def _frozen() -> nn.Module:
    module = nn.Sequential(
        nn.Linear(3, 16), nn.Softplus(), nn.Dropout(0.3), nn.LayerNorm(16), nn.Linear(16, 2)
    )
    module[0].weight.requires_grad_(False)  # noqa: FBT003 - PyTorch's own argument
    return module


def _mlp() -> nn.Module:
    return nn.Sequential(
        nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 16), nn.GELU(), nn.Linear(16, 2)
    )


@dataclasses.dataclass(frozen=True)
class Case:
    """A module with the shape of one input, or the number of classes that are its inputs.

    Attributes:
        layers: What it is made of, in words.
        make: Makes it.
        inputs: Shape of one input.
        outputs: Shape of one output.
        classes: The number of values that inputs have; 0 for real numbers.
    """

    layers: str
    make: Callable[[], Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    classes: int = 0


CASES = {
    "MLP": Case("Linear, Tanh, GELU", _mlp, (3,), (2,)),
    "frozen layer": Case("Linear, Softplus, Dropout, LayerNorm", _frozen, (3,), (2,)),
    "residual": Case("Linear, SiLU, sums", Residual, (3,), (2,)),
    "tied weights": Case("Linear, shared three ways", Tied, (4,), (4,)),
    "convolution": Case(
        "Conv2d, BatchNorm2d, MaxPool2d, GroupNorm", _convolutional, (1, 8, 8), (2,)
    ),
    "signal": Case(
        "Conv1d with dilation and groups, ELU, average pools", _one_dimensional, (2, 16), (1,)
    ),
    "upsampling": Case("ConvTranspose2d, InstanceNorm2d, Sigmoid", _upsampling, (3,), (2, 4, 4)),
    "LSTM": Case("LSTM of two layers", lambda: Recurrent(nn.LSTM, num_layers=2), (6, 2), (2,)),
    "GRU": Case(
        "GRU in both directions", lambda: Recurrent(nn.GRU, bidirectional=True), (6, 2), (2,)
    ),
    "cell": Case("GRUCell in a loop of Python", Cell, (6, 2), (2,)),
    "transformer": Case("TransformerEncoderLayer", Attention, (5, 8), (1,)),
    "embedding": Case("Embedding, Linear", Embedded, (4,), (3,), classes=7),
}


def made(case: Case) -> tuple[Any, np.ndarray, np.ndarray]:
    """The module in float64 and evaluation mode, with inputs and targets."""
    torch.manual_seed(0)
    module = case.make().double().eval()
    random = np.random.default_rng(0)
    shape = (EXAMPLES, *case.inputs)
    inputs = (
        random.integers(case.classes, size=shape) if case.classes else random.normal(size=shape)
    )
    return module, inputs, random.normal(size=(EXAMPLES, *case.outputs))


def difference(case: Case) -> dict[str, float]:
    """Relative differences of the mean square and its gradient, and what bringing over takes."""
    module, inputs, targets = made(case)
    loss = nn.functional.mse_loss(module(torch.from_numpy(inputs)), torch.from_numpy(targets))
    loss.backward()
    began = time.perf_counter()
    brought = to_jax(module, torch.from_numpy(inputs[:1]))
    seconds = time.perf_counter() - began
    problem = _problem(brought, (inputs,), (targets,), "mse")
    theta, spec = flatten(brought.params)
    flow = flow_of(problem, spec)
    ours, slope = flow.jit(flow.value_and_grad)(flow.data, theta)
    named = dict(module.named_parameters())
    expected = np.concatenate([named[name].grad.numpy().ravel() for name in sorted(brought.params)])
    return {
        "parameters": len(theta),
        "loss": abs(float(ours) - loss.item()) / loss.item(),
        "gradient": float(np.abs(slope - expected).max() / np.abs(expected).max()),
        "seconds": seconds,
    }
