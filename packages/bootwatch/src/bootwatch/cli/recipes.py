"""The command `bootwatch recipe`: those that ship, checks, and new ones from recorded requests."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bootwatch.cli.app import AsJson, app
from bootwatch.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bootwatch.recorded import Recorded

recipes = typer.Typer(no_args_is_help=False, rich_markup_mode="markdown")
app.add_typer(recipes, name="recipe")
RecipeName = Annotated[
    str, typer.Argument(metavar="RECIPE", help="A name, or a file that ends in `.toml`.")
]
Recording = Annotated[
    Path | None, typer.Option(help="The file; `-` reads stdin.", show_default=False)
]


@recipes.callback(
    invoke_without_command=True, epilog="Example: `bootwatch recipe --from-curl login.sh > tk.toml`"
)
def recipe(context: typer.Context, from_curl: Recording = None, from_har: Recording = None) -> None:
    """List, show and check recipes; or make one from requests that a browser recorded.

    In the browser's network view, log in and restart the device; then copy both requests as cURL,
    for bash or Windows, or save all as HAR with content.
    """
    from bootwatch.recorded import read_curl, read_har

    if context.invoked_subcommand is not None:
        return
    if (from_curl is None) == (from_har is None):
        raise ConfigError(
            "Give `--from-curl FILE` or `--from-har FILE`, or `list`, `show`, `check`"
        )
    if from_curl is not None:
        _print_made(from_curl, read_curl)
    elif from_har is not None:
        _print_made(from_har, read_har)


def _print_made(path: Path, read: Callable[[str], Sequence[Recorded]]) -> None:
    from bootwatch.recipe import parse_recipe
    from bootwatch.recipe_maker import make_recipe

    try:
        text = sys.stdin.read() if str(path) == "-" else path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"`{path}` cannot be read: {error}") from None
    made = make_recipe(read(text))
    try:
        parse_recipe(made)
    except ConfigError as error:
        raise ConfigError(f"The recording makes no usable recipe: it {error}") from None
    typer.echo(made, nl=False)
    typer.echo("Go through its first lines, then try `bootwatch plan` and `check`", err=True)


@recipes.command("list", epilog="Example: `bootwatch recipe list`")
def list_recipes(as_json: AsJson = False) -> None:
    """List the recipes that ship, each with a sentence."""
    from bootwatch.recipe import load_recipe, recipe_names
    from bootwatch.screen import print_json

    found = {name: load_recipe(name, folder=Path()).summary for name in recipe_names()}
    if as_json:
        print_json(found)
        return
    for name, summary in found.items():
        typer.echo(f"{name:18} {summary}")


@recipes.command("show", epilog="Example: `bootwatch recipe show generic-form > my.toml`")
def show_recipe(name: RecipeName) -> None:
    """Print a recipe, to copy it and change what differs."""
    from bootwatch.recipe import recipe_text

    typer.echo(recipe_text(name, folder=Path()), nl=False)


@recipes.command("check", epilog="Example: `bootwatch recipe check my.toml`")
def check_recipe(name: RecipeName) -> None:
    """Check a recipe; tell every mistake, and whether it can prove a restart."""
    from bootwatch.recipe import load_recipe

    try:
        found = load_recipe(name, folder=Path())
    except ConfigError as error:
        raise ConfigError(f"`{name}` {error}") from None
    typer.echo(f"{name}: good. {found.summary}")
    if not found.can_prove:
        typer.echo(
            "It cannot prove a restart, so that the best verdict is `probably restarted`: add "
            "`uptime`, or `session` and a rule for the words that answer the last step of `act`"
        )
