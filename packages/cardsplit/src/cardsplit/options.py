"""What the commands have in common: options, checks, and how results are printed."""

import json
import os
from typing import TYPE_CHECKING

import click

from cardsplit.errors import OutputError, UsageError
from cardsplit.output import STANDARD_OUTPUT, new_file
from cardsplit.process import ODD_INPUT, say
from cardsplit.sources import STANDARD_INPUT, check_inputs

if TYPE_CHECKING:
    from cardsplit.card_stream import Passed
    from cardsplit.rewriting import Rewriting


def examples(*lines: str) -> str:
    """Lines for the end of a help text, which are not wrapped."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


FILES = click.argument("files", metavar="FILE...", nargs=-1, required=True)
OUT = click.option(
    "-o", "--out", metavar="OUT", default=STANDARD_OUTPUT, help="File to write; `-` is stdout."
)
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
IN_PLACE = click.option("--in-place", is_flag=True, help="Replace each file by its own result.")
BACKUP = click.option(
    "--backup", is_flag=True, help="With `--in-place`: keep each changed file as `FILE.bak`."
)
REPORT = click.option("--json", "report", metavar="REPORT", help="Write what was done as JSON.")
FORCE = click.option("--force", is_flag=True, help="Replace what is there already.")


def check_rewriting(
    files: list[str], out: str, *, in_place: bool, backup: bool, force: bool, report: str | None
) -> None:
    """Refuse options that contradict each other, and a report that has no place."""
    if in_place and (out != STANDARD_OUTPUT or STANDARD_INPUT in files):
        raise UsageError("`--in-place` goes with neither `-o` nor `-`; leave one of them out.")
    if backup and not in_place:
        raise UsageError("`--backup` is for `--in-place`; give both or neither.")
    if in_place:
        check_inputs(files)
    check_other_place(files, out)
    if report == STANDARD_OUTPUT and out == STANDARD_OUTPUT and not in_place:
        raise UsageError("the result and the report cannot both go to stdout; give `-o OUT`.")
    if report not in {None, STANDARD_OUTPUT} and not force and os.path.lexists(str(report)):
        raise OutputError(f"`{report}` is there already; choose another name or give `--force`.")


def check_other_place(files: list[str], out: str) -> None:
    """Refuse to write a file while it is read."""
    if out != STANDARD_OUTPUT and os.path.realpath(out) in map(os.path.realpath, files):
        raise UsageError(f"`{out}` is an input as well; write to another file.")


def write_report(place: str, out: str | None, done: "Rewriting", *, force: bool) -> None:
    """Write what was done, for another program; `out` is `None` for files replaced in place."""
    from cardsplit.reporting import report_of

    text = json.dumps(report_of(done, out), indent=2, ensure_ascii=False) + "\n"
    with new_file(place, replacing=force) as sink:
        sink.write(text.encode("utf-8", "replace"))


def print_json(found: object) -> None:
    """Print data for another program."""
    text = json.dumps(found, indent=2, ensure_ascii=False)
    click.echo(text.encode("utf-8", "replace").decode("utf-8"))


def leave(notes: list[str]) -> None:
    """Say what was odd, and leave with the status for it."""
    for note in notes:
        say(f"note: {note}")
    if notes:
        raise click.exceptions.Exit(ODD_INPUT)


def conclude(done: "Passed", summary: str) -> None:
    """Say on stderr what was done, and leave."""
    say(summary)
    leave(done.notes)
