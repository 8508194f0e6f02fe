"""Many independent fits, on the workers of Dask.

    python dask_fits.py [SCHEDULER]    # tcp://...:8786; without it, two workers on this machine

A task is a batch of fits: a worker compiles the model once, and its later fits, of data with the
same shapes, compile nothing.
"""

import sys

import numpy as np
from dask.distributed import Client, LocalCluster

FITS, BATCH = 40, 10


def measured(number):
    """The data of one fit, here made up."""
    random = np.random.default_rng(number)
    x = np.linspace(0.0, 4.0, 50)
    return x, (1 + number / 10) * np.exp(-0.7 * x) + 0.01 * random.normal(size=x.size)


def fits(numbers):
    """A batch of fits, on a worker."""
    import jax

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    import thalweg as tw

    def residual(p, x, y):
        return p["height"] * jnp.exp(-p["rate"] * x) - y

    start = {"height": np.array(1.0), "rate": np.array(1.0)}
    found = []
    for number in numbers:
        solution = tw.minimize(tw.LeastSquares(residual, data=measured(number)), start)
        height, rate = (float(solution.params[name]) for name in ("height", "rate"))
        found.append({"number": number, "height": height, "rate": rate, "loss": solution.loss})
    return found


def main():
    """Send the batches, and print each fit."""
    cluster = sys.argv[1] if len(sys.argv) > 1 else LocalCluster(n_workers=2, threads_per_worker=1)
    with Client(cluster) as client:
        batches = [list(range(k, min(k + BATCH, FITS))) for k in range(0, FITS, BATCH)]
        for batch in client.gather(client.map(fits, batches)):
            for each in batch:
                print("{number} {height:.6f} {rate:.6f} {loss:.3e}".format(**each))
    if not isinstance(cluster, str):
        cluster.close()


if __name__ == "__main__":
    main()
