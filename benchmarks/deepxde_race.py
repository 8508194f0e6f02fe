"""thalweg beside DeepXDE: the same network, points and loss, trained for the same time.

    uv run --with deepxde==1.15.0 --with torch==2.13.0 benchmarks/deepxde_race.py --write

Each entrant runs in a process of its own. DeepXDE trains as its documentation recommends: Adam at
1e-3, then L-BFGS, then (a third entrant) its NysNewton-CG. thalweg's seconds include compiling.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import qmc

from thalweg_lab.problems import burgers as solved

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = Path(__file__).parents[1] / "docs" / "benchmark" / "pde" / "deepxde.json"
ENTRANTS = {
    "thalweg": "thalweg, `auto`, float64",
    "single": "DeepXDE, Adam then L-BFGS, float32 (its default)",
    "double": "DeepXDE, Adam then L-BFGS, float64",
    "nncg": "DeepXDE, Adam, L-BFGS, then NNCG, float64",
}
VISCOSITY, CONDUCTIVITY, NOISE = solved.VISCOSITY, 0.1, 0.01


@dataclasses.dataclass(frozen=True)
class Case:
    """A problem in terms of NumPy: what both libraries are given.

    Attributes:
        title: For the table.
        sizes: Units a layer.
        inside: Points of the equation, `(n, 2)`.
        values: Sets of points with the value of u there.
        exact: The solution at points.
        grid: Where the error is taken.
        unknown: The true value of the constant to be found, if any; the guess is 1.
    """

    title: str
    sizes: tuple[int, ...]
    inside: np.ndarray
    values: list[tuple[np.ndarray, np.ndarray]]
    exact: Callable[[np.ndarray], np.ndarray]
    grid: np.ndarray
    unknown: float | None = None


def sobol(count: int, low: tuple[float, float], high: tuple[float, float]) -> np.ndarray:
    """Points `(count, 2)` of a scrambled Sobol sequence."""
    unit = qmc.Sobol(2, seed=0).random(count)
    return np.asarray(low) + unit * (np.asarray(high) - np.asarray(low))


def pairs(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """All pairs of two axes, `(n, 2)`."""
    return np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)


def burgers() -> Case:
    """The counts of points and the network are those of DeepXDE's own demo."""
    x, t = np.linspace(-1, 1, 160), np.linspace(0, 1, 40)
    start = np.column_stack([x, 0 * x])
    ends = pairs(np.array([-1.0, 1.0]), t)
    return Case(
        "Burgers, ν = 0.01/π",
        (2, 20, 20, 20, 1),
        sobol(2540, (-1, 0), (1, 1)),
        [(start, -np.sin(np.pi * x)), (ends, np.zeros(len(ends)))],
        lambda at: solved.exact(at[:, 0], at[:, 1]),
        pairs(np.linspace(-1, 1, 257), np.linspace(0, 1, 101)),
    )


def helmholtz() -> Case:
    """a₁ = 1, a₂ = 4, with conditions in the loss."""
    side = np.linspace(-1, 1, 80)
    ends = np.array([-1.0, 1.0])
    edge = np.concatenate([pairs(side, ends), pairs(ends, side)])
    return Case(
        "Helmholtz, a₁ = 1, a₂ = 4",
        (2, 30, 30, 1),
        sobol(2000, (-1, -1), (1, 1)),
        [(edge, np.zeros(len(edge)))],
        lambda at: np.sin(np.pi * at[:, 0]) * np.sin(4 * np.pi * at[:, 1]),
        pairs(np.linspace(-1, 1, 201), np.linspace(-1, 1, 201)),
    )


def heat_exact(at: np.ndarray) -> np.ndarray:
    """Two decaying sines."""
    rate = CONDUCTIVITY * np.pi**2
    slow, fast = np.exp(-rate * at[:, 1]), np.exp(-9 * rate * at[:, 1])
    return slow * np.sin(np.pi * at[:, 0]) + 0.5 * fast * np.sin(3 * np.pi * at[:, 0])


def heat() -> Case:
    """An unknown conductivity, 200 measurements of noise 0.01."""
    x, t = np.linspace(0, 1, 60), np.linspace(0, 1, 40)
    start, ends = np.column_stack([x, 0 * x]), pairs(np.array([0.0, 1.0]), t)
    random = np.random.default_rng(0)
    places = random.random((200, 2))
    measured = heat_exact(places) + NOISE * random.standard_normal(200)
    return Case(
        "Heat, unknown conductivity",
        (2, 20, 20, 1),
        sobol(800, (0, 0), (1, 1)),
        [(start, heat_exact(start)), (ends, np.zeros(len(ends))), (places, measured)],
        heat_exact,
        pairs(np.linspace(0, 1, 101), np.linspace(0, 1, 101)),
        unknown=CONDUCTIVITY,
    )


CASES = {"burgers": burgers, "helmholtz": helmholtz, "heat": heat}


def by_thalweg(name: str, case: Case, seconds: float) -> tuple[np.ndarray, float | None, dict]:
    """The solution on the grid, the constant found, and what else is worth keeping."""
    import jax
    import jax.numpy as jnp

    import thalweg as tw
    from thalweg import networks

    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it

    def u(params: Any, at: Any) -> Any:
        return networks.apply(params["network"], at)[0]

    def residual(params: Any, at: Any) -> Any:
        def slope(f: Any, axis: int) -> Any:
            return lambda at: jax.jvp(f, (at,), (jnp.zeros(2).at[axis].set(1.0),))[1]

        def along(axis: int, order: int) -> Any:
            f = lambda at: u(params, at)  # noqa: E731 - it has no name of its own
            for _ in range(order):
                f = slope(f, axis)
            return f(at)

        if name == "burgers":
            return along(1, 1) + u(params, at) * along(0, 1) - VISCOSITY * along(0, 2)
        if name == "heat":
            return along(1, 1) - params["constant"] * along(0, 2)
        source = (17 * jnp.pi**2 - 1) * jnp.sin(jnp.pi * at[0]) * jnp.sin(4 * jnp.pi * at[1])
        return along(0, 2) + along(1, 2) + u(params, at) + source

    problem = tw.LeastSquares(residual, data=(case.inside,))
    for points, values in case.values:
        problem += tw.LeastSquares(lambda p, at, value: u(p, at) - value, data=(points, values))
    start = {"network": networks.init(case.sizes, seed=0)}
    if case.unknown is not None:
        start["constant"] = np.ones(())
    began = time.perf_counter()
    solution = tw.minimize(
        problem,
        start,
        stop=tw.Stop(seconds=seconds),
        callback=lambda _: time.perf_counter() - began > seconds,
    )
    found = np.asarray(jax.jit(jax.vmap(lambda at: u(solution.params, at)))(case.grid))
    constant = None if case.unknown is None else float(solution.params["constant"])
    return (
        found,
        constant,
        {
            "compile_seconds": solution.compile_seconds,
            "steps": int(solution.history["step"][-1]),
            "loss": 2 * solution.loss,  # DeepXDE's losses have no factor of a half
        },
    )


def by_deepxde(
    name: str, case: Case, seconds: float, entrant: str
) -> tuple[np.ndarray, float | None, dict]:
    """As `by_thalweg`."""
    os.environ["DDE_BACKEND"] = "pytorch"
    import deepxde as dde
    import torch

    dde.config.set_random_seed(0)
    dde.config.set_default_float("float32" if entrant == "single" else "float64")
    constant = dde.Variable(1.0)

    def residual(at: Any, u: Any) -> Any:
        second = lambda axis: dde.grad.hessian(u, at, i=axis, j=axis)  # noqa: E731 - as above
        if name == "burgers":
            u_x, u_t = dde.grad.jacobian(u, at, i=0, j=0), dde.grad.jacobian(u, at, i=0, j=1)
            return u_t + u * u_x - VISCOSITY * second(0)
        if name == "heat":
            return dde.grad.jacobian(u, at, i=0, j=1) - constant * second(0)
        pi = np.pi
        source = (17 * pi**2 - 1) * torch.sin(pi * at[:, :1]) * torch.sin(4 * pi * at[:, 1:])
        return second(0) + second(1) + u + source

    low, high = case.grid.min(axis=0), case.grid.max(axis=0)
    conditions = [dde.icbc.PointSetBC(points, values[:, None]) for points, values in case.values]
    data = dde.data.PDE(
        dde.geometry.Rectangle(low, high),
        residual,
        conditions,
        num_domain=0,
        num_boundary=0,
        anchors=case.inside,
    )
    network = dde.nn.FNN(list(case.sizes), "tanh", "Glorot normal")
    model = dde.Model(data, network)
    variables = [] if case.unknown is None else [constant]
    began = time.perf_counter()

    class Until(dde.callbacks.Callback):
        """Ends a phase of the training at a time."""

        def __init__(self, end: float) -> None:
            super().__init__()
            self.end = end

        def on_epoch_end(self) -> None:
            if time.perf_counter() - began > self.end:
                self.model.stop_training = True

    phases = ["adam", "L-BFGS", *(["NNCG"] if entrant == "nncg" else [])]
    ends = []
    for k, phase in enumerate(phases, 1):
        if phase == "L-BFGS":
            dde.optimizers.set_LBFGS_options(maxiter=10**7)
            # The clock is looked at after each call of torch's L-BFGS, which keeps its memory.
            dde.optimizers.config.LBFGS_options.update(iter_per_step=50, fun_per_step=63)
        model.compile(
            phase,
            **({"lr": 1e-3} if phase == "adam" else {}),
            external_trainable_variables=variables,
        )
        many = {} if phase == "L-BFGS" else {"iterations": 10**7}
        model.train(
            **many, display_every=10**6, verbose=0, callbacks=[Until(seconds * k / len(phases))]
        )
        loss = float(np.sum(model.train_state.loss_train))
        ends.append(
            {
                "method": phase,
                "seconds": time.perf_counter() - began,
                "iterations": model.train_state.iteration,
                "loss": loss,
            }
        )
    found = model.predict(case.grid)[:, 0]
    value = None if case.unknown is None else float(constant.detach())
    return found, value, {"phases": ends}


def run(name: str, entrant: str, seconds: float) -> dict:
    """One entrant on one case, in this process."""
    case = CASES[name]()
    began = time.perf_counter()
    if entrant == "thalweg":
        found, constant, extra = by_thalweg(name, case, seconds)
    else:
        found, constant, extra = by_deepxde(name, case, seconds, entrant)
    exact = case.exact(case.grid)
    error = float(np.linalg.norm(found - exact) / np.linalg.norm(exact))
    off = None if constant is None else abs(constant / case.unknown - 1)
    return {
        "case": name,
        "entrant": entrant,
        "budget": seconds,
        "relative_l2": error,
        "seconds": time.perf_counter() - began,
        "constant": constant,
        "relative_error_of_constant": off,
        **extra,
    }


def table(records: list[dict]) -> str:
    """The record as a Markdown table."""
    lines = [
        "| problem | entrant | relative L2 error | error of the constant |",
        "| --- | --- | ---: | ---: |",
    ]
    for record in records:
        off = record["relative_error_of_constant"]
        lines.append(
            f"| {CASES[record['case']]().title} | {ENTRANTS[record['entrant']]} "
            f"| {record['relative_l2']:.1e} | {'' if off is None else f'{off:.1e}'} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Run all, or one entrant of one case."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=40.0, help="training time of each")
    parser.add_argument("--case", choices=[*CASES], action="append", help="only this; repeatable")
    parser.add_argument("--entrant", choices=[*ENTRANTS], help="run this one here, print JSON")
    parser.add_argument("--write", action="store_true", help=f"write {RECORD.name} in docs")
    options = parser.parse_args()
    cases = options.case or [*CASES]
    if options.entrant:
        print(json.dumps(run(cases[0], options.entrant, options.seconds)))
        return
    records = json.loads(RECORD.read_text())["runs"] if options.write and RECORD.exists() else []
    for name in cases:
        for entrant in ENTRANTS:
            if entrant == "nncg" and CASES[name]().unknown is not None:
                continue  # it takes no variables outside of the network
            command = [sys.executable, __file__, "--entrant", entrant, "--case", name]
            found = subprocess.run(  # noqa: S603 - this script
                [*command, "--seconds", str(options.seconds)],
                check=True,
                stdout=subprocess.PIPE,
                text=True,
            )
            record = json.loads(found.stdout.splitlines()[-1])
            records = [r for r in records if (r["case"], r["entrant"]) != (name, entrant)]
            records.append(record)
            print(table([record]).splitlines()[-1], flush=True)
            if options.write:
                write(records)


def write(records: list[dict]) -> None:
    """Keep the runs so far, and their table."""
    from thalweg._util.machine import this_machine

    order = lambda r: ([*CASES].index(r["case"]), [*ENTRANTS].index(r["entrant"]))  # noqa: E731
    records = sorted(records, key=order)
    RECORD.parent.mkdir(parents=True, exist_ok=True)
    machine = dataclasses.asdict(this_machine())
    document = {"machine": machine, "deepxde": "1.15.0", "torch": "2.13.0", "runs": records}
    RECORD.write_text(json.dumps(document, indent=1) + "\n")
    RECORD.with_suffix(".markdown").write_text(table(records))


if __name__ == "__main__":
    main()
