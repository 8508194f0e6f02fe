"""`fit`: train a module of PyTorch by thalweg's methods, and write the weights back."""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._minimize import minimize
from thalweg.errors import ConfigError, DataError, ShapeError
from thalweg.problem import Composite, LeastSquares, Problem
from thalweg.torch.module import (
    TOLERANCE,
    JaxModule,
    check_module,
    evaluating,
    import_torch,
    to_jax,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from thalweg.solution import Solution
    from thalweg.solvers.base import AbstractMethod
    from thalweg.stop import Stop

LOSSES = ("mse", "cross-entropy")
CHECKED = 4  # examples, of which the outputs are compared with those of PyTorch before the run
_NOT_TAKEN = ("params", "init", "starts")  # arguments of `minimize`


def fit(
    module: Any,
    data: tuple[Any, ...],
    loss: str | Callable[..., Any] = "mse",
    method: str | AbstractMethod = "auto",
    stop: Stop | None = None,
    **options: Any,
) -> Solution:
    """Train a module of PyTorch on the CPU; its weights are replaced by the best found.

    The module is brought to JAX once, in evaluation mode, and minimised there: dropout is off, and
    BatchNorm uses its running averages, which stay as they are. Parameters without `requires_grad`
    stay too. Parameters that layers share stay shared.

    Args:
        module: A `torch.nn.Module` on the CPU whose `forward` returns one tensor, with the examples
            on its first axis. Its dtype, float32 or float64, is that of the run; float64 needs
            JAX's x64 flag.
        data: `(inputs, targets)`, tensors or NumPy arrays with the examples on their first axis;
            `inputs` may be a tuple where `forward` takes several. Numbers with a point are cast to
            the dtype of the module.
        loss: "mse" is `torch.nn.MSELoss()`, "cross-entropy" is `torch.nn.CrossEntropyLoss()` with
            classes or probabilities as targets. Or a function of PyTorch, `residual(outputs,
            targets)`, with the examples on the first axis of its result: then the loss is
            ½ mean over examples of Σ r².
        method: As in `thalweg.minimize`.
        stop: As in `thalweg.minimize`.
        **options: Further arguments of `thalweg.minimize`, such as `progress`, `callback`,
            `on_rows` and `checkpoint`.

    Returns:
        What `thalweg.minimize` returns; `solution.params` are the trained parameters by name.

    Raises:
        ConfigError: A layer cannot be brought to JAX (it is named), or the module mixes the
            examples of a batch; nothing was run.
        ShapeError: Outputs and targets differ in shape.
        DataError: Classes are out of range, or data are empty or not finite.
        MissingExtraError: PyTorch is not installed.

    Cost: bringing a module over takes about a second. Recurrent layers are unrolled, so the time
    of compilation grows with the length of the sequences.
    """
    torch = import_torch()
    refused = [name for name in _NOT_TAKEN if name in options]
    if refused:
        raise ConfigError(
            f"`fit` does not take `{refused[0]}`: a run starts from the weights of the module"
        )
    if not (callable(loss) or loss in LOSSES):
        raise ConfigError(
            f'`loss` is {loss!r}, but "mse", "cross-entropy" or a function was expected'
        )
    check_module(torch, module)
    inputs, targets = _arrays(torch, module, data)
    _say_what_is_off(torch, module)
    example = [torch.from_numpy(array[:1]) for array in inputs]
    if callable(loss):
        wrapped = _Wrapped.of(torch, module, loss, len(inputs))
        ends = [torch.from_numpy(array[:1]) for array in targets]
        brought = to_jax(module, *example, *ends, forward=wrapped)
        _compare(torch, wrapped, brought, (*inputs, *targets))
        problem: Problem = LeastSquares(brought, (*inputs, *targets))
    else:
        brought = to_jax(module, *example)
        _compare(torch, module, brought, inputs)
        problem = _problem(brought, inputs, targets, loss)
    solution = minimize(problem, brought.params, method, stop, **options)
    brought.write_back(solution.params)
    return solution


def _problem(
    brought: JaxModule,
    inputs: tuple[np.ndarray, ...],
    targets: tuple[np.ndarray, ...],
    loss: str,
) -> Problem:
    """The loss of PyTorch as a problem."""
    if len(targets) != 1:
        raise ConfigError(
            f"`data` has {len(targets) + 1} parts, but the pair `(inputs, targets)` was expected"
        )
    (target,) = targets
    one = [jax.ShapeDtypeStruct(array.shape[1:], array.dtype) for array in inputs]
    shape = jax.eval_shape(brought, brought.params, *one).shape
    if loss == "mse":
        _refuse_shape(target.shape[1:], shape, "mse")
        scale = math.sqrt(2 / math.prod(shape))  # MSELoss is a mean over the outputs, without ½

        def residual(params: Any, *parts: Any) -> jax.Array:
            *arguments, wanted = parts
            return scale * (brought(params, *arguments) - wanted)

        return LeastSquares(residual, (*inputs, target))
    classes = np.issubdtype(target.dtype, np.integer)
    _refuse_shape(target.shape[1:], shape[1:] if classes else shape, "cross-entropy")
    if classes and not (target.min() >= 0 and target.max() < shape[0]):
        raise DataError(
            f"`targets` holds classes from {target.min()} to {target.max()}, but the module has "
            f"{shape[0]} outputs, for the classes 0 to {shape[0] - 1}"
        )
    return Composite(
        lambda params, arguments: brought(params, *arguments),
        _cross_entropy_of_classes if classes else _cross_entropy,
        (inputs, target),
    )


def _cross_entropy(outputs: jax.Array, probabilities: jax.Array) -> jax.Array:
    """The mean over all places of -Σ p log softmax(z)."""
    logs = jax.nn.log_softmax(outputs, axis=0)
    return -jnp.mean(jnp.sum(probabilities * logs, axis=0))


def _cross_entropy_of_classes(outputs: jax.Array, classes: jax.Array) -> jax.Array:
    logs = jax.nn.log_softmax(outputs, axis=0)
    return -jnp.mean(jnp.take_along_axis(logs, classes[None], axis=0))


def _refuse_shape(found: tuple[int, ...], expected: tuple[int, ...], loss: str) -> None:
    if found != expected:
        raise ShapeError(
            "targets",
            found=("N", *found),
            expected=f"{('N', *expected)}",
            hint=f"as the outputs of the module are with `loss={loss!r}`; nothing is broadcast",
        )


class _Wrapped:
    """A module followed by a residual, as one module."""

    @staticmethod
    def of(torch: ModuleType, module: Any, residual: Callable[..., Any], count: int) -> Any:
        class Residual(torch.nn.Module):  # pyright: ignore[reportGeneralTypeIssues]
            """The residuals of a module."""

            def __init__(self) -> None:
                super().__init__()
                self.module = module
                self.training = False

            def forward(self, *parts: Any) -> Any:
                return residual(self.module(*parts[:count]), *parts[count:])

        return Residual()


# -------------------------------------------------------------------------------------- the data


def _arrays(
    torch: ModuleType, module: Any, data: Any
) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """Inputs and targets as NumPy arrays in the dtype of the module."""
    if not isinstance(data, (tuple, list)) or not data:
        raise ConfigError(
            f"`data` is of type {type(data).__name__}, but the pair `(inputs, targets)` was "
            "expected"
        )
    first = next(module.parameters(), None)
    dtype = None if first is None else str(first.dtype).removeprefix("torch.")

    def array(part: Any) -> np.ndarray:
        found = part.detach().cpu().numpy() if isinstance(part, torch.Tensor) else np.asarray(part)
        is_real = np.issubdtype(found.dtype, np.floating) and dtype in TOLERANCE
        return np.ascontiguousarray(found, dtype if is_real else found.dtype)

    inputs = data[0] if isinstance(data[0], (tuple, list)) else (data[0],)
    whole = LeastSquares(lambda _: 0.0, data=tuple(map(array, (*inputs, *data[1:]))))  # its checks
    arrays = tuple(np.asarray(part) for part in whole.blocks[0].data or ())
    return arrays[: len(inputs)], arrays[len(inputs) :]


def _say_what_is_off(torch: ModuleType, module: Any) -> None:
    """Warn where evaluation mode makes a difference to the module as it is."""
    norm = torch.nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - the base of all of them
    drop = torch.nn.modules.dropout._DropoutNd  # noqa: SLF001 - likewise
    training = [(name, layer) for name, layer in module.named_modules() if layer.training]
    norms = [name for name, layer in training if isinstance(layer, norm)]
    drops = [name for name, layer in training if isinstance(layer, drop) and layer.p > 0]
    said = []
    if norms:
        said.append(f"BatchNorm (`{norms[0]}`) uses its running averages, which stay as they are")
    if drops:
        said.append(f"dropout (`{drops[0]}`) is off")
    if said:
        warnings.warn(
            f"the module is fitted in evaluation mode: {' and '.join(said)}; call `module.eval()` "
            "first if that is meant",
            stacklevel=3,
        )


def _compare(
    torch: ModuleType, module: Any, brought: JaxModule, inputs: tuple[np.ndarray, ...]
) -> None:
    """Refuse a module whose outputs for a few examples are others in JAX than in PyTorch.

    Raises:
        ConfigError: They differ, because examples influence each other or by a mistake of ours.
    """
    few = [array[:CHECKED] for array in inputs]
    with evaluating(module), torch.no_grad():
        batch = module(*map(torch.from_numpy, few)).numpy()
        single = np.concatenate(
            [
                module(*(torch.from_numpy(array[k : k + 1]) for array in few)).numpy()
                for k in range(len(few[0]))
            ]
        )
    ours = np.stack(
        [brought(brought.params, *(array[k] for array in few)) for k in range(len(few[0]))]
    )
    bound = TOLERANCE.get(str(batch.dtype), 0.0) * max(1e-30, float(np.abs(single).max(initial=0)))

    def agree(a: np.ndarray, b: np.ndarray) -> bool:
        return a.shape == b.shape and bool(np.all(np.abs(a - b) <= bound))

    if not agree(batch, single):
        raise ConfigError(
            "the outputs of the module for an example depend on the other examples of its batch, "
            "but a loss is a mean over examples; take out what mixes them, or write the problem "
            "with `thalweg.torch.to_jax` and `tw.LeastSquares(residuals)`"
        )
    if not agree(ours, single):
        worst = np.abs(ours - single).max() if ours.shape == single.shape else np.nan
        raise ConfigError(
            f"the outputs of the module in JAX differ from those in PyTorch by {worst:.1e}, so it "
            "cannot be fitted; please report which layers it has"
        )
