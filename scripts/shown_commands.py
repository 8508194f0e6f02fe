"""Whether every command that a page shows exists, with each of its options.

A line of a shell block, or a span of code, that begins with one of the project's programs is read
as the shell reads it, and its words are looked up in the program's own commands.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

from command_files import PAGES, context_of, group_of, load

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELL_BLOCK = re.compile(r"^ *```(?:sh|shell|bash|console)\n(.*?)^ *```", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
PROGRAMS = {page.program: page.app for page in PAGES}
START = re.compile(
    rf"(?:\$ |sudo |[A-Z_]+=\S+ |\.venv/bin/)*(?P<line>(?:{'|'.join(PROGRAMS)})(?: .*)?)$"
)
# Where one command of a line ends and another begins, or its output goes elsewhere.
ENDS = {"|", "||", "&&", ";", "&", ">", ">>", "<", "2>", "2>&1", ")"}
PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*$|\.\.\.$|…$")  # `thalweg COMMAND --help`


def faults(text: str) -> list[str]:
    """What is wrong with the commands of a page in Markdown; one sentence each."""
    return [fault for line in lines_of(text) for fault in faults_of(line)]


def lines_of(text: str) -> Iterator[str]:
    """The lines that begin with a program of the project."""
    shown = [
        line
        for block in SHELL_BLOCK.findall(text)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    prose = re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)
    for line in [*shown, *SPAN.findall(prose)]:
        if match := START.match(line.strip()):
            yield match["line"]


def faults_of(line: str) -> Iterator[str]:
    """What is wrong with one line; what follows a placeholder such as COMMAND is not read."""
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:
        yield f"`{line}` cannot be read as a shell does: {error}"
        return
    program, *rest = words
    command = program_of(program)
    context = context_of(command, program)
    words_left = iter(rest)
    for word in words_left:
        if word in ENDS or PLACEHOLDER.match(word):
            return
        name, equals, _ = word.partition("=")
        if name.startswith("-") and name != "-" and not re.match(r"-\d", name):
            option = option_of(command, context, name)
            if option is None:
                yield f"`{line}`: `{context.command_path}` has no option `{name}`"
            elif not (equals or name not in option.opts or option.is_flag or option.count):
                next(words_left, None)  # its value
        elif commands := getattr(command, "commands", None):
            if name not in commands:
                yield f"`{line}`: `{context.command_path}` has no command `{name}`"
                return
            command = commands[name]
            context = context_of(command, name, context)


def option_of(command: Any, context: Any, name: str) -> Any:
    """The option of a command, if it has it; short ones may stand together or before a value."""
    short = "" if name.startswith("--") else name[:2]
    found = [
        parameter
        for parameter in command.get_params(context)
        if {name, short} & {*parameter.opts, *parameter.secondary_opts}
    ]
    return found[0] if found else None


@cache
def program_of(name: str) -> Any:
    """The commands of a program."""
    return group_of(load(PROGRAMS[name]))
