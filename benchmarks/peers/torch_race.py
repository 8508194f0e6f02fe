"""Race `thalweg.torch.fit` against PyTorch's own ways, in one process, from the same starts.

    python benchmarks/peers/torch_race.py            # some five minutes of one core
    python benchmarks/peers/torch_race.py --table    # what is recorded, as a Markdown table

The environment holds `thalweg-lab`, `torch` and `torch-levenberg-marquardt`. Peers run with one
thread, in float64, each at the better of two settings; `torch.optim.LBFGS` with its strong Wolfe
line search, the library's step being one iteration. Seconds are those of the processor: the wall
clock of a run times the share of it that the process had. Compilation and the way to JAX are left
out of them, and stand in the record.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import numpy as np
import torch  # pyright: ignore[reportMissingImports] - of another environment
from torch_lm import network, train

import thalweg as tw
import thalweg.torch as tt
from thalweg_lab import problems

if TYPE_CHECKING:
    from collections.abc import Callable

RECORD = Path(__file__).parents[2] / "docs/benchmark/torch-race.json"
FITS = ("sine", "sinc", "bessel", "diabetes")
SQUASHED = ("diabetes",)  # with tanh on the outputs
STARTS = 3
SECONDS = 2.0  # of each run


def fit_of(task: problems.TrainingProblem, seed: int) -> dict[str, np.ndarray]:
    """Data and a start as `torch_lm` has them."""
    (block,) = task.problem.blocks  # pyright: ignore[reportAttributeAccessIssue] - a LeastSquares
    x, y = (np.asarray(part) for part in block.data)
    fit = {"x": x.reshape(len(x), -1), "y": y.reshape(len(y), -1)}
    for number, layer in enumerate(task.start(seed)):
        fit |= {f"{name}{number}": np.asarray(value) for name, value in layer.items()}
    return fit | {"squashed": np.asarray(task.name in SQUASHED)}


def ours(fit: dict[str, np.ndarray], target: float) -> dict[str, Any]:
    """`thalweg.torch.fit`; its loss as ½ mean Σ r²."""
    began = time.perf_counter()
    solution = tt.fit(
        network(fit), (fit["x"], fit["y"]), halved, stop=tw.Stop(loss=target, seconds=SECONDS)
    )
    preparing = time.perf_counter() - began - solution.history["seconds"][-1]
    return {
        "loss": solution.history["loss"].tolist(),
        "seconds": solution.history["seconds"].tolist(),
        "preparing": preparing,
    }


def halved(outputs: Any, targets: Any) -> Any:
    """A residual for which thalweg's loss is ½ mean Σ r²."""
    return outputs - targets


def levenberg(solve: str, damping: str) -> Callable[..., dict[str, Any]]:
    """The library torch-levenberg-marquardt."""
    return lambda fit, target: train(
        fit, seconds=SECONDS, target=target, solve=solve, damping=damping
    )


def lbfgs(memory: int) -> Callable[..., dict[str, Any]]:
    """`torch.optim.LBFGS` without tolerances, its loss as each evaluation finds it."""

    def run(fit: dict[str, np.ndarray], target: float) -> dict[str, Any]:
        module = network(fit)
        x, y = torch.from_numpy(fit["x"]), torch.from_numpy(fit["y"])
        optimiser = torch.optim.LBFGS(
            module.parameters(),
            history_size=memory,
            tolerance_grad=0.0,
            tolerance_change=0.0,
            line_search_fn="strong_wolfe",
        )
        losses: list[float] = []
        times: list[float] = []

        def closure() -> Any:
            optimiser.zero_grad()
            loss = 0.5 * ((module(x) - y) ** 2).sum(1).mean()
            loss.backward()
            losses.append(loss.item())
            times.append(time.perf_counter() - began)
            return loss

        began = time.perf_counter()
        while not times or (times[-1] < SECONDS and losses[-1] > target):
            optimiser.step(closure)
        return {"loss": losses, "seconds": times}

    return run


ENTRANTS: dict[str, dict[str, Callable[..., dict[str, Any]]]] = {
    "thalweg.torch.fit": {"auto": ours},
    "torch-levenberg-marquardt": {
        "cholesky, standard": levenberg("cholesky", "standard"),
        "qr, fletcher": levenberg("qr", "fletcher"),
    },
    "torch.optim.LBFGS": {"10 pairs": lbfgs(10), "100 pairs": lbfgs(100)},
}


def measured(run: Callable[..., Any], fit: Any, targets: tuple[float, ...]) -> dict[str, Any]:
    """Processor seconds to each target, infinity where it was missed."""
    wall, processor = time.perf_counter(), time.process_time()
    history = run(fit, targets[-1])
    share = (time.process_time() - processor) / (time.perf_counter() - wall)
    loss, seconds = np.asarray(history["loss"]), np.asarray(history["seconds"])
    times = [float(np.min(seconds[loss <= t], initial=np.inf)) * min(share, 1) for t in targets]
    return {
        "start_loss": float(loss[0]),
        "seconds": [None if np.isinf(t) else t for t in times],
        "preparing": history.get("preparing", 0.0),
    }


def race() -> dict[str, Any]:
    """All problems, starts and entrants, taking turns."""
    record: dict[str, Any] = {
        "versions": {"torch": torch.__version__, "jax": jax.__version__, "thalweg": tw.__version__},
        "seconds_a_run": SECONDS,
        "problems": {},
    }
    for name in FITS:
        task = problems.load(name)
        runs: dict[str, list[Any]] = {}
        for seed in range(STARTS):
            fit = fit_of(task, seed)
            for entrant, settings in ENTRANTS.items():
                for setting, run in settings.items():
                    label = f"{entrant}: {setting}"
                    runs.setdefault(label, []).append(measured(run, fit, task.targets))
        starts = {tuple(f"{run['start_loss']:.9e}" for run in each) for each in runs.values()}
        if len(starts) != 1:
            sys.exit(f"{name}: the entrants do not begin at the same loss: {starts}")
        record["problems"][name] = {"targets": task.targets, "runs": runs}
        print(name, flush=True)
    return record


def median(runs: list[Any], place: int) -> float:
    """The median time to a target; infinity where most runs missed it."""
    return float(np.median([run["seconds"][place] or np.inf for run in runs]))


def table(record: dict[str, Any]) -> str:
    """The median seconds of each entrant at its better setting, as Markdown."""
    lines = ["| problem | to loss | " + " | ".join(f"`{name}`" for name in ENTRANTS) + " |"]
    lines.append("| --- | --- |" + " --- |" * len(ENTRANTS))
    for name, each in record["problems"].items():
        last = len(each["targets"]) - 1
        for place in (last // 2, last):
            cells = []
            for entrant in ENTRANTS:
                found = [
                    median(runs, place)
                    for label, runs in each["runs"].items()
                    if label.startswith(entrant)
                ]
                best = min(found)
                cells.append("not reached" if np.isinf(best) else f"{best:.2f} s")
            lines.append(f"| {name} | {each['targets'][place]:.0e} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Race, or print the table of the last race."""
    if "--table" not in sys.argv:
        jax.config.update("jax_enable_x64", val=True)
        torch.set_num_threads(1)
        warnings.simplefilter("ignore")  # of libraries that the peer imports
        RECORD.write_text(json.dumps(race(), indent=1) + "\n", encoding="utf-8")
    print(table(json.loads(RECORD.read_text(encoding="utf-8"))))


if __name__ == "__main__":
    main()
