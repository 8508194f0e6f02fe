"""One fit, its examples divided over all devices of this machine.

python devices_fit.py
JAX_NUM_CPU_DEVICES=4 python devices_fit.py    # to try it without accelerators
"""

import jax
import numpy as np

import thalweg as tw
from thalweg import networks


def residual(layers, x, y):
    """Of one example."""
    return networks.apply(layers, x) - y


def main():
    """Fit and print."""
    jax.config.update("jax_enable_x64", True)
    x = np.linspace(-1.0, 1.0, 401)[:, None]
    solution = tw.minimize(
        tw.LeastSquares(residual, data=(x, np.sin(5 * x))),
        networks.init((1, 12, 1), seed=0),
        stop=tw.Stop(steps=20),
        devices="all",
    )
    print(f"{jax.device_count()} devices, {jax.devices()[0].device_kind}")
    print(f"loss {solution.loss:.12e}, {solution.outcome.value}")


if __name__ == "__main__":
    main()
