"""What XLA is asked for when it compiles.

On a CPU, its emitters of fusions that are written with MLIR take about as long as all of the rest
of a compilation. The older ones make programs that are as quick here, see
docs/decisions/0073-quicker-compilation.md.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from collections.abc import Callable

QUICK: dict[str, str | bool] = {"xla_cpu_use_fusion_emitters": False}


@functools.cache
def compiler_options() -> dict[str, str | bool]:
    """Options for `Lowered.compile`; none on a GPU, or where XLA has no such option.

    Cost: some milliseconds, once a process.
    """
    if jax.default_backend() != "cpu":
        return {}
    try:
        jax.jit(lambda: 0).lower().compile(compiler_options=QUICK)
    except Exception:  # noqa: BLE001 - whatever an XLA without the option raises
        return {}
    return QUICK


def quick_jit(function: Callable[..., Any], **options: Any) -> Any:
    """`jax.jit` with these options for the compiler."""
    return jax.jit(function, compiler_options=compiler_options(), **options)
