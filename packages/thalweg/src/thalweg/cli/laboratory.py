"""The commands of thalweg-lab, which join this command line if it is installed.

They are the entry points of thalweg-lab in the group `thalweg.commands`, and are imported when they
are called or listed: the commands of the library neither wait for them nor break with them.
"""

from __future__ import annotations

from collections import UserDict
from importlib.metadata import PackageNotFoundError, distribution
from typing import TYPE_CHECKING, Any

import typer

from thalweg.errors import MissingDistributionError, ThalwegError
from thalweg.report.text import listed

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.metadata import EntryPoint

DISTRIBUTION, GROUP = "thalweg-lab", "thalweg.commands"
NAMES = ("demo", "study", "report", "bench")


class CommandTable(UserDict[str, Any]):
    """The commands by name, as `--help` lists them; None stands for one still to be imported."""

    def __getitem__(self, name: str) -> Any:
        if self.data[name] is None:
            self.data[name] = _command(name)
        return self.data[name]


def hint() -> str | None:
    """What `--help` says below the commands where thalweg-lab is not installed."""
    if _entry_points():
        return None
    install = f"`pip install {DISTRIBUTION}` adds them"
    return f"The commands {commands()} come with `{DISTRIBUTION}`: {install}."


def commands() -> str:
    """The commands of thalweg-lab, as messages name them."""
    return listed([f"`{name}`" for name in NAMES])


def _entry_points() -> dict[str, EntryPoint]:
    try:
        points = distribution(DISTRIBUTION).entry_points.select(group=GROUP)
    except PackageNotFoundError:
        return {}
    return {point.name: point for point in points}


def _command(name: str) -> Any:
    """The command for Typer's group; if it cannot be imported, one that says why."""
    app = typer.Typer(
        add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
    )
    point = _entry_points().get(name)
    if point is None:
        missing = MissingDistributionError(DISTRIBUTION, needed_by=f"thalweg {name}")
        _refuse(app, name, missing)
    else:
        try:
            app.command(name)(point.load())
        except Exception as error:  # noqa: BLE001 - whatever is broken there, the rest must work
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
            broken = f"`thalweg {name}` cannot be imported ({reason}); reinstall `{DISTRIBUTION}`"
            _refuse(app, name, ThalwegError(broken))
    return typer.main.get_command(app)


def _refuse(app: typer.Typer, name: str, error: ThalwegError) -> None:
    """Add a command that raises an error whatever follows it, `--help` included."""

    def refuse() -> None:
        raise error

    register: Callable[..., Any] = app.command(
        name,
        hidden=True,
        add_help_option=False,
        context_settings={"ignore_unknown_options": True, "allow_extra_args": True},
    )
    register(refuse)
