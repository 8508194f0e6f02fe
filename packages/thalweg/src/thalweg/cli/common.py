"""What the commands share: the option `--json`, notes on stderr, float64, the method names."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

INTERRUPTED = 130  # exit status: 128 + SIGINT, the convention of shells

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def method_names() -> list[str]:
    """What `--method` takes."""
    from thalweg.solvers import REGISTRY

    return ["auto", *REGISTRY]


def note(sentence: str) -> None:
    """Print a sentence on stderr."""
    typer.echo(f"thalweg: {sentence}", err=True)


def use_float64() -> None:
    """Switch JAX's x64 flag on: the commands reach losses that float32 rounds to 0."""
    import jax

    jax.config.update("jax_enable_x64", True)


def print_json(value: Any) -> None:
    """Print for another program."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))
