"""The command `cardsplit`. So far it tells its version."""

import argparse
from collections.abc import Sequence
from importlib.metadata import metadata

from cardsplit import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: What stands after the command's name; `None` takes it from the shell.

    Returns:
        The exit status: 0. Wrong usage leaves by `SystemExit` with status 2.
    """
    parser = argparse.ArgumentParser(prog="cardsplit", description=metadata("cardsplit")["Summary"])
    parser.add_argument("--version", action="version", version=f"cardsplit {__version__}")
    parser.parse_args(arguments)
    parser.print_help()
    return 0
