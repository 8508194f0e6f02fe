"""What the commands share: the option `--json`, notes on stderr, float64, the method names."""

from __future__ import annotations

import json
import os
from typing import Annotated, Any

import typer

INTERRUPTED = 130  # exit status: 128 + SIGINT, the convention of shells
JAX_FOLDER = "JAX_COMPILATION_CACHE_DIR"  # read by JAX when it is imported

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def method_names() -> list[str]:
    """What `--method` takes."""
    from thalweg.solvers import REGISTRY

    return ["auto", *REGISTRY]


def refuse_unknown_method(name: str) -> None:
    """Refuse what `--method` does not take, before anything heavy is imported.

    Raises:
        BadParameter: There is no method of that name.
    """
    if name not in method_names():
        raise typer.BadParameter(
            f"there is no method `{name}`; `thalweg methods` lists all", param_hint="--method"
        )


def note(sentence: str) -> None:
    """Print a sentence on stderr."""
    typer.echo(f"thalweg: {sentence}", err=True)


def use_float64() -> None:
    """Switch JAX's x64 flag on: the commands reach losses that float32 rounds to 0."""
    import jax

    jax.config.update("jax_enable_x64", True)


def use_no_cache() -> None:
    """Load no compiled program from disk, whatever the environment says: compilation is timed."""
    import jax

    jax.config.update("jax_enable_compilation_cache", False)


def set_up_jax() -> None:
    """As `use_float64`, and keep compiled programs on disk; for commands that are not timed.

    The processes that the command starts take its folder from their environment.
    """
    from thalweg.compilation_cache import cache_compiled_programs

    use_float64()
    folder = cache_compiled_programs()
    if folder is not None and JAX_FOLDER not in os.environ:
        os.environ[JAX_FOLDER] = str(folder)
        os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"


def print_json(value: Any) -> None:
    """Print for another program."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
