"""Compare eight simulated devices with one; as a script it prints what it found as JSON.

The number of devices is fixed when JAX starts, so this cannot be done in the process of the tests.
A comparison is the largest difference over the largest value. Residuals come in another order on
several devices, and with rows of filling, so rows are sorted by their residual first.
"""

import json
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw
from thalweg.flow import build_flow
from thalweg.flow.flatten import flatten
from thalweg.flow.sharding import Devices

COUNT = 8
EXAMPLES = 101  # no multiple of eight
SMALL = 3000  # bytes a device, for several chunks
RNG = np.random.default_rng(7)
X = RNG.uniform(-1, 1, EXAMPLES)
START = {
    "in": np.array([1.0, 2.0, -1.5]),
    "shift": np.array([0.1, -0.7, 0.3]),
    "out": np.array([0.5, -0.5, 0.3]),
}


def network(p: Any, x: Any) -> Any:
    """One input, three units, one output."""
    return jnp.vdot(p["out"], jnp.tanh(p["in"] * x + p["shift"]))


FIT = tw.LeastSquares(
    lambda p, x, y: network(p, x) - y, data=(X, np.sin(3 * X) + 0.1 * RNG.normal(size=EXAMPLES))
)
PRIOR = tw.LeastSquares(lambda p: jnp.concatenate([p["in"] - 1.0, p["out"]]))
CLASSES = tw.Composite(
    network,
    lambda z, y: jnp.logaddexp(0.0, -y * z),
    data=(X, np.sign(X + 0.2 * RNG.normal(size=EXAMPLES))),
    l2=0.1,
)
PROBLEMS = {
    "a chunk in pieces": (FIT, 8000),
    "two blocks": (FIT + 0.01 * PRIOR, SMALL),
    "classes": (CLASSES, SMALL),
}
RUNS = {
    "geodesic, parameters": (tw.ImplicitGeodesic(algebra="parameters"), "two blocks"),
    "geodesic, residuals": (tw.ImplicitGeodesic(algebra="residuals"), "two blocks"),
    "geodesic, krylov": (tw.ImplicitGeodesic(algebra="krylov"), "a chunk in pieces"),
    "exponential-krylov": ("exponential-krylov", "classes"),
    "auto": ("auto", "classes"),
    "l-bfgs": ("l-bfgs", "two blocks"),
}
STEPS = 4


def difference(found: Any, expected: Any) -> float:
    """The largest difference over the largest value; infinite where shapes differ."""
    found, expected = np.asarray(found), np.asarray(expected)
    if found.shape != expected.shape:
        return float("inf")
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def functions_of_residuals(flow: Any, data: Any, theta: Any) -> dict[str, Any]:
    """Everything that a method asks of a least-squares flow."""
    r, jacobian = flow.jacobian(data, theta)
    along = flow.along(data, theta, (0.3 * theta, 0.1 * theta**2))
    _, gradient, matrix = flow.normal_equations(data, theta)
    order = jnp.argsort(jnp.where(jnp.abs(jacobian).sum(axis=1) > 0, r, jnp.inf))
    return {
        "residuals": flow.residuals(data, theta)[order],
        "Jacobian": jacobian[order],
        "along a curve": along[order],
        "pull": flow.pull(data, theta, r**2 + r),
        "normal equations": jnp.vstack([gradient, matrix]),
    }


def functions(flow: Any, data: Any, theta: Any) -> dict[str, Any]:
    """What a method asks of a flow."""
    loss, gradient = flow.value_and_grad(data, theta)
    v = jnp.cos(jnp.arange(flow.size))
    found = {
        "loss": flow.loss(data, theta),
        "loss and gradient": jnp.append(gradient, loss),
        "Gauss-Newton product": flow.gauss_newton(data, theta).product(v),
        "Hessian product": flow.hessian(data, theta).product(v),
    }
    if hasattr(flow, "jacobian"):
        return found | functions_of_residuals(flow, data, theta)
    return found | {
        "dense Gauss-Newton matrix": flow.dense_gauss_newton(data, theta)[2],
        "pull along a curve": flow.pull_curve(data, theta, (0.3 * theta, 0.1 * theta**2)),
    }


def without_filling(values: dict[str, Any], expected: dict[str, Any]) -> dict[str, Any]:
    """Rows beyond those of one device have to be 0, and are then left out."""
    whole = {name: np.asarray(value) for name, value in values.items()}
    for name in {"residuals", "Jacobian", "along a curve"} & set(whole):
        count = len(expected[name])
        if np.any(whole[name][count:]):
            raise AssertionError(f"{name}: filling that is not 0")
        whole[name] = whole[name][:count]
    return whole


def compare_functions() -> tuple[dict[str, float], dict[str, Any]]:
    """Differences by name, and facts about the layout."""
    theta, spec = flatten(START)
    devices = Devices(tuple(jax.devices()))
    differences, facts = {}, {}
    for name, (problem, memory) in PROBLEMS.items():
        one = build_flow(problem, spec, memory_budget=memory)
        # With chunks there is filling on one device too: there it is at the end.
        expected = jax.jit(lambda data, at, flow=one: functions(flow, data, at))(one.data, theta)
        rows = EXAMPLES + (6 if name == "two blocks" else 0)
        for key in {"residuals", "Jacobian", "along a curve"} & set(expected):
            expected[key] = expected[key][:rows]
        many = build_flow(problem, spec, memory_budget=memory, devices=devices)
        compute = many.jit(lambda data, at, flow=many: functions(flow, data, at))
        found = compute(many.data, many.everywhere(theta))
        whole = without_filling(found, expected)
        for key, value in whole.items():
            differences[f"{name}: {key}"] = difference(value, expected[key])
        block = many.data[0]
        leaf = jax.tree.leaves(block.examples)[0]
        shares = [shard.data.shape[1] for shard in leaf.addressable_shards]
        held = {shard.device.id for shard in leaf.addressable_shards}
        gradient = many.jit(many.value_and_grad).lower(many.data, many.everywhere(theta))
        facts[name] = {
            "chunks": block.scale.shape[0],
            "length": block.scale.shape[1],
            "shares": shares,
            "devices": len(held),
            "all-reduces": gradient.compile().as_text().count("all-reduce"),
        }
    return differences, facts


def compare_runs() -> dict[str, float]:
    """The difference of the parameters after some steps, by name."""
    differences = {}
    for name, (method, case) in RUNS.items():
        problem, memory = PROBLEMS[case]
        one, many = (
            tw.minimize(
                problem, START, method, tw.Stop(steps=STEPS), memory_budget=memory, devices=devices
            )
            for devices in (None, "all")
        )
        if len(one.history["loss"]) != STEPS + 1:
            raise AssertionError(f"{name}: {len(one.history['loss'])} rows")
        differences[name] = max(
            difference(flatten(many.params)[0], flatten(one.params)[0]),
            difference(many.history["loss"], one.history["loss"]),
        )
    return differences


def main() -> None:
    """Print all as JSON."""
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    jax.config.update("jax_num_cpu_devices", COUNT)
    jax.config.update("jax_disable_most_optimizations", True)  # noqa: FBT003 - it compiles sooner
    compared, facts = compare_functions()
    json.dump({"functions": compared, "runs": compare_runs(), "facts": facts}, sys.stdout)


if __name__ == "__main__":
    main()
