"""Levenberg-Marquardt of the library torch-levenberg-marquardt on a fit, as a process of its own.

    python torch_lm.py FIT.npz [--seconds 10] [--loss 0] [--solve cholesky] [--damping standard]

The process needs `torch` and `torch-levenberg-marquardt`, which may live in an environment of
their own. FIT.npz holds `x` (N, a), `y` (N, q), the start as `weights0` (a, b), `biases0` (b,),
`weights1`, ..., and `squashed`, whether the outputs pass through tanh. All examples make one
batch. Printed is one line of JSON: the loss `½ mean Σ r²` after each step, and the seconds since
the first step began; a step of a twin goes before, so that what torch does once is not counted.

Source: Di Marco, https://github.com/fabiodimarco/torch-levenberg-marquardt.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch  # pyright: ignore[reportMissingImports] - of another environment
import torch_levenberg_marquardt as tlm  # pyright: ignore[reportMissingImports]


def network(fit: dict[str, np.ndarray]) -> torch.nn.Module:
    """The network of the fit with the weights of its start."""
    layers: list[torch.nn.Module] = []
    for number in range(sum(name.startswith("weights") for name in fit)):
        weights, biases = fit[f"weights{number}"], fit[f"biases{number}"]
        linear = torch.nn.Linear(*weights.shape, dtype=torch.from_numpy(weights).dtype)
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(weights.T))
            linear.bias.copy_(torch.from_numpy(biases))
        layers += [linear, torch.nn.Tanh()]
    return torch.nn.Sequential(*(layers if fit["squashed"] else layers[:-1]))


def train(
    fit: dict[str, np.ndarray], *, seconds: float, target: float, solve: str, damping: str
) -> dict[str, list[float]]:
    """Take steps until the time is up, the target is met or the library says that it is done."""
    x, y = torch.from_numpy(fit["x"]), torch.from_numpy(fit["y"])
    twin, module = (
        tlm.training.LevenbergMarquardtModule(
            model=network(fit),
            loss_fn=tlm.loss.MSELoss(),
            damping_strategy=tlm.damping.StandardDampingStrategy(damping_mode=damping),
            learning_rate=1.0,
            attempts_per_step=10,
            solve_method=solve,
        )
        for _ in range(2)
    )
    twin.training_step(x, y)
    of_mse = 0.5 * y.shape[1]  # the library's loss is the mean over examples and outputs
    with torch.no_grad():
        losses = [of_mse * float(module.loss_fn(module.forward(x), y))]
    times, is_done, began = [0.0], False, time.perf_counter()
    while not is_done and times[-1] < seconds and losses[-1] > target:
        _, mse, is_done, _ = module.training_step(x, y)
        losses.append(of_mse * float(mse))
        times.append(time.perf_counter() - began)
    return {"loss": losses, "seconds": times}


def main() -> None:
    """Parse, train, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("fit", type=Path)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--loss", type=float, default=0.0, help="stop there")
    parser.add_argument("--solve", choices=("qr", "cholesky", "solve"), default="cholesky")
    dampings = ("standard", "adaptive", "fletcher")
    parser.add_argument("--damping", choices=dampings, default="standard")
    parser.add_argument("--threads", type=int, default=0, help="of torch; 0 for its own choice")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    with np.load(options.fit) as stored:
        fit = dict(stored)
    history = train(
        fit,
        seconds=options.seconds,
        target=options.loss,
        solve=options.solve,
        damping=options.damping,
    )
    print(json.dumps(history))


if __name__ == "__main__":
    main()
