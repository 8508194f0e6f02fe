"""Runs commands of thalweg, each in a fork of one process that has imported what they need.

A line on stdin is a command as JSON: `arguments`, `folder`, and files for `out` and `err`. A line
on stdout is its exit status. Nothing of JAX or Polars runs before a fork, so the forks are sound.
"""

import json
import os
import sys
import warnings

import jax  # noqa: F401 - what takes long to import, for all commands at once
import polars as pl  # noqa: F401
import sklearn.neural_network  # noqa: F401

import thalweg.tabular  # noqa: F401
from thalweg.cli import app


def run(command: dict[str, object]) -> None:
    """In the child: as the script `thalweg` would; never returns."""
    warnings.resetwarnings()
    os.chdir(str(command["folder"]))
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(str(command[name]), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    sys.argv = ["thalweg", *map(str, command["arguments"])]  # pyright: ignore[reportArgumentType]
    sys.exit(app())


def main() -> None:
    """Until stdin is closed."""
    warnings.simplefilter("ignore")  # that JAX does not like forks
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            run(json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
