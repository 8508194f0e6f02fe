"""Write the manual pages and shell completions that the wheels carry, from the commands themselves.

`make command-files` calls this. Each distribution gets `man/NAME.1`: what `--help` says of every
command, then the sections of `man/sections.man`, which a person writes: exit status, environment,
files. Each program gets `completions/` for bash, zsh and fish. All of it is committed, as a wheel
is built without importing the package; tests/test_command_files.py says when it is out of date.

Decision: docs/decisions/0070-one-release-of-five.md
"""

from __future__ import annotations

import importlib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from click.shell_completion import ShellComplete, get_completion_class
from typer import Typer
from typer.completion import get_completion_script
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
SHELLS = {"bash": "{}.bash", "zsh": "_{}", "fish": "{}.fish"}  # names that the shells look for
SPACES = re.compile(r"\s+")


@dataclass(frozen=True)
class Page:
    """A manual page of one distribution.

    Attributes:
        package: The distribution, whose folder the page goes to; the page is called after it.
        program: The program whose commands are described.
        app: Where the program's commands are defined, as `module:attribute`.
        source: The module that the commands come from, which tells apart the distributions that
            share a program.
        see_also: Other pages.
    """

    package: str
    program: str
    app: str
    source: str
    see_also: tuple[str, ...] = ()


PAGES = (
    Page("bootwatch", "bootwatch", "bootwatch.cli:app", "bootwatch"),
    Page("cardsplit", "cardsplit", "cardsplit.cli:app", "cardsplit"),
    Page("libufunc", "libufunc", "libufunc.cli:app", "libufunc"),
    Page("thalweg", "thalweg", "thalweg.cli:app", "thalweg", ("thalweg-lab",)),
    Page("thalweg-lab", "thalweg", "thalweg.cli:app", "thalweg_lab", ("thalweg",)),
)


def load(app: str) -> Any:
    """A Typer application, or a group of Click's."""
    module, attribute = app.split(":")
    return getattr(importlib.import_module(module), attribute)


def group_of(app: Any) -> Any:
    """The group of commands; Typer makes it of an application, and it is used as Click's is."""
    return get_command(app) if isinstance(app, Typer) else app


def context_of(command: Any, name: str, parent: Any = None) -> Any:
    """What a command needs to describe itself."""
    settings = command.context_settings
    return command.context_class(command, info_name=name, parent=parent, **settings)


def commands_of(group: Any, context: Any) -> Iterator[tuple[str, Any, Any]]:
    """Each command below a group, with its full name and a context, in the order of `--help`."""
    for name in getattr(group, "commands", {}):
        command = group.commands[name]
        inner = context_of(command, name, context)
        if not command.hidden:
            yield inner.command_path, command, inner
            yield from commands_of(command, inner)


def source_of(command: Any) -> str:
    """The package that a command's function is written in; Typer wraps it."""
    function = command.callback
    while hasattr(function, "__wrapped__"):
        function = function.__wrapped__
    return "" if function is None else function.__module__.partition(".")[0]


def escaped(text: str) -> str:
    """Text as roff reads it, with Markdown's code and bold in bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"\*\*(.+?)\*\*|`([^`]+)`", lambda m: f"\\fB{m[1] or m[2]}\\fP", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def paragraphs(text: str | None) -> Iterator[str]:
    """A docstring in roff: paragraphs, lists by hyphens, and what Click keeps as it is."""
    for block in re.split(r"\n\s*\n", (text or "").strip("\n")):
        if not block.strip():
            continue
        yield ".PP"
        if block.lstrip().startswith("\b"):
            yield from (".nf", escaped(block.replace("\b\n", "")), ".fi")
            continue
        for item in re.split(r"\n\s*(?=- )", block):
            if item.startswith("- "):
                yield ".IP \\(bu 2"
            yield escaped(SPACES.sub(" ", item.removeprefix("- ")).strip())


def parameters(command: Any, context: Any) -> Iterator[str]:
    """Arguments and options of a command, as `--help` lists them."""
    for parameter in command.get_params(context):
        name, text = parameter.get_help_record(context) or ("", "")
        if text:
            yield from (".TP", f"\\fB{escaped(name)}\\fP", escaped(text))


def manual_page(page: Page) -> str:
    """The manual page of one distribution."""
    folder = ROOT / "packages" / page.package
    project = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]
    group = group_of(load(page.app))
    context = context_of(group, page.program)
    version = f"{project['name']} {project['version']}"
    summary = project["description"].rstrip(".")
    lines = [
        '.\\" Written by `make command-files` from what `--help` says.',
        f'.TH {page.package.upper()} 1 "" "{version}" "User Commands"',
        ".SH NAME",
        f"{escaped(page.package)} \\- {escaped(summary[0].lower() + summary[1:])}",
        ".SH SYNOPSIS",
        f"\\fB{page.program}\\fP {escaped(' '.join(group.collect_usage_pieces(context)))}",
        ".SH DESCRIPTION",
    ]
    if page.source == page.program:
        lines += [*paragraphs(group.help), *paragraphs(group.epilog)]
        lines += [".SH OPTIONS", *parameters(group, context)]
    else:
        lines += [".PP", f"Commands that {page.package} adds to \\fB{page.program}\\fP."]
    lines += [".SH COMMANDS"]
    for name, command, inner in commands_of(group, context):
        if source_of(command) not in {page.source, ""}:
            continue
        usage = " ".join(command.collect_usage_pieces(inner))
        lines += [f".SS {escaped(f'{name} {usage}')}", *paragraphs(command.help)]
        lines += [*parameters(command, inner), *paragraphs(command.epilog)]
    sections = folder / "man/sections.man"
    if sections.exists():
        lines += [sections.read_text("utf-8").rstrip()]
    if page.see_also:
        lines += [".SH SEE ALSO", ", ".join(f"\\fB{escaped(n)}\\fP(1)" for n in page.see_also)]
    return "\n".join(lines) + "\n"


def completion(page: Page, shell: str) -> str:
    """What a shell reads to complete a program's commands and options."""
    variable = f"_{page.program.upper()}_COMPLETE"
    app = load(page.app)
    if isinstance(app, Typer):
        text = get_completion_script(
            prog_name=page.program, complete_var=variable, shell=shell
        ).strip()
        if shell == "zsh":  # which calls the file itself for the first completion
            function = f"_{page.program}_completion"
            text = text.removesuffix(f"compdef {function} {page.program}") + (
                f"if [[ $zsh_eval_context[-1] == loadautofunc ]]; then\n  {function}\n"
                f"else\n  compdef {function} {page.program}\nfi"
            )
        return text + "\n"
    kind = cast("type[ShellComplete]", get_completion_class(shell))
    made = kind(app, {}, page.program, variable)
    # Its method `source` would first look for the version of this machine's bash.
    return (made.source_template % made.source_vars()).strip() + "\n"


def files() -> dict[Path, str]:
    """Every file that this script writes, with its content."""
    made = {}
    for page in PAGES:
        folder = ROOT / "packages" / page.package
        made[folder / f"man/{page.package}.1"] = manual_page(page)
        if page.package == page.program:
            for shell, name in SHELLS.items():
                path = folder / "completions" / name.format(page.program)
                made[path] = completion(page, shell)
    return made


def main() -> None:
    """Write the files, and name those that changed."""
    for path, text in files().items():
        if not path.exists() or path.read_text("utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, "utf-8")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
