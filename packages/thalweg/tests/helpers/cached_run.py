"""A small run in a process of its own; prints what was compiled and loaded, and the result.

python cached_run.py two    by a method that hands over to another; else by one with small programs
"""

import hashlib
import json
import sys

import jax
import jax.numpy as jnp
import numpy as np

import thalweg as tw


def main() -> None:
    """Run it."""
    jax.config.update("jax_enable_x64", True)  # noqa: FBT003 - as JAX has it
    folder = tw.cache_compiled_programs()

    asked: list[str] = []
    loaded: list[str] = []
    events = {
        "/jax/compilation_cache/compile_requests_use_cache": asked,
        "/jax/compilation_cache/cache_hits": loaded,
    }
    lowered: list[str] = []
    durations = {"/jax/core/compile/jaxpr_to_mlir_module_duration": lowered}
    jax.monitoring.register_event_listener(lambda event, **_: events.get(event, []).append(event))
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, *_, **__: durations.get(event, []).append(event)
    )

    def residual(params: dict, x: jax.Array, y: jax.Array) -> jax.Array:
        """A wave of one variable."""
        return jnp.tanh(params["w"] * x + params["b"]) @ params["v"] - y

    x = np.linspace(-1.0, 1.0, 40)
    start = {name: np.linspace(-1.0, 1.0, 50) * k for k, name in enumerate(("w", "b", "v"), 1)}
    solution = tw.minimize(
        tw.LeastSquares(residual, data=(x, np.sin(3 * x))),
        start,
        tw.SecantEuler(then=tw.ImplicitGeodesic(), patience=1)
        if sys.argv[1] == "two"
        else tw.BogackiShampine(),
        tw.Stop(steps=80),
    )
    digest = hashlib.sha256()
    for array in (*solution.params.values(), *(solution.history[c] for c in ("loss", "h", "t"))):
        digest.update(np.asarray(array).tobytes())
    print(  # noqa: T201 - for the test
        json.dumps(
            {
                "folder": None if folder is None else str(folder),
                "asked": len(asked),
                "loaded": len(loaded),
                "lowered": len(lowered),
                "digest": digest.hexdigest(),
                "outcome": solution.message,
                "least_seconds": jax.config.jax_persistent_cache_min_compile_time_secs,
            }
        )
    )


if __name__ == "__main__":
    main()
