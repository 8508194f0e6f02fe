"""A module of PyTorch as a function of JAX.

`torch.export` writes a module down as a graph of operators on arrays of fixed shape; the graph is
run by the functions of `thalweg.torch.operators`. So there is one implementation of every step,
that of thalweg, and none in PyTorch.

Decision: docs/decisions/0038-modules-of-pytorch.md.
"""

from __future__ import annotations

import contextlib
import dataclasses
import operator
import warnings
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError
from thalweg.torch.operators import OPERATORS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import ModuleType

SHOWN = 160  # characters of an error of PyTorch
# Relative to the largest output; what a batch and a single example may differ by in PyTorch itself.
TOLERANCE = {"float32": 1e-3, "float64": 1e-9}


def import_torch() -> ModuleType:
    """PyTorch.

    Raises:
        MissingExtraError: It is not installed.
    """
    return import_extra("torch", library="torch", extra="torch", needed_by="`thalweg.torch`")


@dataclasses.dataclass(frozen=True, eq=False)
class JaxModule:
    """A module of PyTorch as a pure function of its parameters, made by `to_jax`.

    Attributes:
        params: The trained parameters by name, as NumPy arrays: those with `requires_grad`. A
            parameter that several layers share is there once.
        module: The module. Frozen parameters and buffers have the values that they had in it.

    Examples:
        A residual written in JAX, here a differential equation, may use it:

            network = thalweg.torch.to_jax(module, x[:1])
            slope = jax.grad(lambda x: network(params, x)[0])
    """

    params: dict[str, np.ndarray]
    module: Any
    _run: Callable[..., jax.Array] = dataclasses.field(repr=False)

    def __call__(self, params: Mapping[str, Any], *inputs: Any) -> jax.Array:
        """The outputs for one example, without the axis of a batch.

        Args:
            params: As `self.params`.
            *inputs: What `forward` takes, for one example.
        """
        return self._run(params, *inputs)

    def write_back(self, params: Mapping[str, Any]) -> None:
        """Write parameters into the module, in place."""
        torch = import_torch()
        named = dict(self.module.named_parameters())
        with torch.no_grad():
            for name, value in params.items():
                named[name].copy_(torch.from_numpy(np.array(value)))


def to_jax(module: Any, *example: Any, forward: Any = None) -> JaxModule:
    """Bring a module of PyTorch to JAX, in evaluation mode.

    Args:
        module: A `torch.nn.Module` on the CPU. It is not changed.
        *example: What its `forward` takes, as tensors whose first axis has length 1.
        forward: A module around it to call in its place; None for none.

    Returns:
        The module as a function of one example.

    Raises:
        ConfigError: It is no module, is not on the CPU, or has a layer that cannot be brought over,
            which is named.
        MissingExtraError: PyTorch is not installed.
    """
    torch = import_torch()
    check_module(torch, module)
    whole = module if forward is None else forward
    with evaluating(module), torch.no_grad():
        program = _exported(torch, whole, example)
    return JaxModule(
        params={
            name: parameter.detach().numpy().copy()
            for name, parameter in module.named_parameters()
            if parameter.requires_grad
        },
        module=module,
        _run=_function(torch, module, whole, program),
    )


@contextlib.contextmanager
def evaluating(module: Any) -> Iterator[None]:
    """A context with a module in evaluation mode; each layer gets its mode back."""
    modes = {layer: layer.training for layer in module.modules()}
    module.eval()
    try:
        yield
    finally:
        for layer, mode in modes.items():
            layer.training = mode


def check_module(torch: ModuleType, module: Any) -> None:
    """Refuse what is no module, is not on the CPU, or works on a batch even when evaluating.

    Raises:
        ConfigError: It names the parameter or the layer.
    """
    if not isinstance(module, torch.nn.Module):
        raise ConfigError(
            f"`module` is of type {type(module).__name__}, but a `torch.nn.Module` was expected"
        )
    for name, tensor in (*module.named_parameters(), *module.named_buffers()):
        if tensor.device.type != "cpu":
            raise ConfigError(
                f"`{name}` is on the device `{tensor.device}`, but modules are brought to JAX from "
                "the CPU; call `module.cpu()` first"
            )
        dtype = str(tensor.dtype).removeprefix("torch.")
        if tensor.is_floating_point() and dtype not in TOLERANCE:
            raise ConfigError(
                f"`{name}` has dtype {dtype}, but float32 or float64 was expected; call "
                "`module.float()` or `module.double()` first"
            )
    for name, layer in module.named_modules():
        is_batch_norm = isinstance(layer, torch.nn.modules.batchnorm._BatchNorm)  # noqa: SLF001
        if is_batch_norm and layer.running_mean is None:
            raise ConfigError(
                f"the layer `{name}` ({type(layer).__name__}) normalises by the averages of a "
                "batch even in evaluation mode, but a residual is that of one example; set "
                "`track_running_stats=True`, or use LayerNorm or GroupNorm"
            )


# ------------------------------------------------------------------------------------ the graph


def _exported(torch: ModuleType, module: Any, example: tuple[Any, ...]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # PyTorch warns of its own innards
            return torch.export.export(module, example, strict=False).run_decompositions()
    except Exception as error:
        name, layer = _culprit(torch, module, example)
        raise ConfigError(
            f"{_in_words(name, type(layer).__name__)} cannot be brought to JAX, as "
            f"`torch.export` cannot write it down: {_first_line(error)}"
        ) from error


def _culprit(torch: ModuleType, module: Any, example: tuple[Any, ...]) -> tuple[str, Any]:
    """The innermost layer that cannot be exported by itself, with its name."""
    calls: dict[str, tuple[Any, tuple[Any, ...]]] = {}
    names = {layer: name for name, layer in module.named_modules()}

    def note(layer: Any, arguments: tuple[Any, ...]) -> None:
        calls.setdefault(names[layer], (layer, arguments))

    hooks = [layer.register_forward_pre_hook(note) for layer in names]
    try:
        with contextlib.suppress(Exception):
            module(*example)
    finally:
        for hook in hooks:
            hook.remove()
    for name, (layer, arguments) in reversed(calls.items()):  # inner layers are called later
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                torch.export.export(layer, arguments, strict=False)
        except Exception:  # noqa: BLE001 - any failure is what is looked for
            return name, layer
    return "", module


def _function(torch: ModuleType, module: Any, whole: Any, program: Any) -> Callable[..., jax.Array]:
    """The graph as a function of parameters and one example."""
    places, constants = _inputs(torch, module, whole, program)
    _refuse_outputs(torch.export.graph_signature, program, whole)
    nodes = list(program.graph.nodes)
    for node in nodes:
        _refuse_unknown(node)

    def run(params: Mapping[str, Any], *inputs: Any) -> jax.Array:
        given = iter(inputs)
        values: dict[Any, Any] = {}
        for node in nodes:
            if node.op == "call_function":
                values[node] = _result(torch, node, values)
            elif node.name in constants:
                values[node] = jnp.asarray(constants[node.name])
            elif node.op == "placeholder":
                name = places[node.name]
                values[node] = next(given)[None] if name is None else jnp.asarray(params[name])
        (output,) = torch.fx.node.map_arg(nodes[-1].args[0], values.__getitem__)
        return output[0]

    return run


def _inputs(
    torch: ModuleType, module: Any, whole: Any, program: Any
) -> tuple[dict[str, str | None], dict[str, np.ndarray]]:
    """What the inputs of the graph are, by their names in it.

    Returns:
        Which trained parameter each is, or None for an input of the module; and the numbers of
        those that are neither: frozen parameters, buffers and constants.
    """
    kinds = torch.export.graph_signature.InputKind
    first = {id(p): name for name, p in module.named_parameters() if p.requires_grad}
    tensors = dict(whole.named_parameters(remove_duplicate=False))
    places: dict[str, str | None] = {}
    constants: dict[str, np.ndarray] = {}
    for spec in program.graph_signature.input_specs:
        name = spec.arg.name
        if spec.kind is kinds.USER_INPUT:
            places[name] = None
        elif id(tensors.get(spec.target)) in first:
            places[name] = first[id(tensors[spec.target])]
        else:
            kept = program.constants if spec.target in program.constants else program.state_dict
            constants[name] = kept[spec.target].detach().numpy().copy()
    return places, constants


def _result(torch: ModuleType, node: Any, values: dict[Any, Any]) -> Any:
    """What one operator makes of its arguments, in the dtype that PyTorch has there."""
    arguments, named = torch.fx.node.map_arg((node.args, node.kwargs), values.__getitem__)
    if node.target is operator.getitem:
        return arguments[0][arguments[1]]
    named = {name: value for name, value in named.items() if name not in _PLACEMENT}
    try:
        result = OPERATORS[str(node.target.overloadpacket)](*arguments, **named)
    except (NotImplementedError, TypeError) as error:
        raise ConfigError(
            f"{_layer_of(node)} cannot be brought to JAX: {_first_line(error)}"
        ) from error
    expected = getattr(node.meta.get("val"), "dtype", None)
    if isinstance(result, jax.Array) and expected is not None:
        wanted = jax.dtypes.canonicalize_dtype(str(expected).removeprefix("torch."))
        return result if result.dtype == wanted else result.astype(wanted)
    return result


_PLACEMENT = {"dtype", "layout", "device", "pin_memory", "memory_format", "non_blocking"}


def _refuse_unknown(node: Any) -> None:
    if node.op != "call_function" or node.target is operator.getitem:
        return
    packet = getattr(node.target, "overloadpacket", node.target)
    if str(packet) not in OPERATORS:
        raise ConfigError(
            f"{_layer_of(node)} cannot be brought to JAX: it uses the operator `{packet}`, which "
            "thalweg does not have; replace the layer, or write the network in JAX"
        )


def _refuse_outputs(kinds: ModuleType, program: Any, module: Any) -> None:
    """Refuse a forward pass that changes a buffer, or that returns more than one tensor."""
    specs = program.graph_signature.output_specs
    outputs = [spec for spec in specs if spec.kind is kinds.OutputKind.USER_OUTPUT]
    for spec in specs:
        if spec not in outputs:
            raise ConfigError(
                f"`forward` changes `{spec.target or spec.arg.name}`, but a function of JAX "
                "changes nothing; leave that out in evaluation mode"
            )
    if len(outputs) != 1:
        raise ConfigError(
            f"`forward` of {type(module).__name__} returns {len(outputs)} tensors, but one was "
            "expected; wrap the module in one that returns the tensor to be fitted"
        )


def _layer_of(node: Any) -> str:
    """The innermost layer that an operator belongs to, in words."""
    stack = [*(node.meta.get("nn_module_stack") or {}).values()]
    if not stack:
        return "the module"
    path, kind = stack[-1]
    kind = kind if isinstance(kind, str) else kind.__name__
    return _in_words(path, kind.rpartition(".")[-1])


def _in_words(name: str, kind: str) -> str:
    return f"the layer `{name}` ({kind})" if name else f"the module ({kind})"


def _first_line(error: Exception) -> str:
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line if len(line) <= SHOWN else f"{line[:SHOWN]} ..."
