"""One fit, its examples divided over all processes of a SLURM job.

    srun python slurm_fit.py [CHECKPOINT]

Each process runs this script; JAX finds the others by the variables that SLURM sets.
"""

import sys

import jax
import numpy as np


def main():
    """Join the other processes, fit, and let the first one print."""
    jax.config.update("jax_enable_x64", True)
    jax.distributed.initialize(heartbeat_timeout_seconds=60, shutdown_timeout_seconds=60)

    import thalweg as tw
    from thalweg import networks

    x = np.linspace(-1.0, 1.0, 401)[:, None]  # all data in every process; it computes its share
    y = np.sin(5 * x)

    def residual(layers, x, y):
        return networks.apply(layers, x) - y

    solution = tw.minimize(
        tw.LeastSquares(residual, data=(x, y)),
        networks.init((1, 12, 1), seed=0),
        stop=tw.Stop(steps=20),
        devices="all",
        checkpoint=sys.argv[1] if len(sys.argv) > 1 else None,
    )
    if jax.process_index() == 0:
        print(f"{jax.process_count()} processes, {jax.device_count()} devices")
        print(f"loss {solution.loss:.12e}, {solution.outcome.value}")


if __name__ == "__main__":
    main()
