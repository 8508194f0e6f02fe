"""The command `cardsplit`: the library with a skin.

Results go to stdout, progress and notes to stderr. The exit status is 0 for done, 1 for failed
(then nothing was written), 2 for wrong usage, 3 for done although something odd was found in the
input, and 130 after Ctrl-C.
"""

from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import Any

import click

from cardsplit.apps import APPS, App
from cardsplit.changing_commands import convert, dedupe, join, strip
from cardsplit.csv_commands import export, import_
from cardsplit.errors import UsageError
from cardsplit.limits import DEFAULT_CARDS, PRESETS, Limit, parse_size
from cardsplit.options import (
    AS_JSON,
    BACKUP,
    FILES,
    FORCE,
    IN_PLACE,
    OUT,
    REPORT,
    check_rewriting,
    examples,
    leave,
    print_json,
    write_report,
)
from cardsplit.process import failures_as_sentences, heed_signals, say
from cardsplit.progress import Progress
from cardsplit.rules import Detail, Rule
from cardsplit.sources import check_inputs, no_card

PRINTED = 1000  # lines printed at a time


class _Group(click.Group):
    """Turns exceptions into one line on stderr and an exit status."""

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        with failures_as_sentences():  # `--help` is printed here
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        with failures_as_sentences():
            return super().invoke(ctx)


@click.group(
    cls=_Group,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "cardsplit split contacts.vcf                # adr.001.vcf, … of 950 cards each",
        "cardsplit antimerge contacts.vcf -o marked.vcf",
        "cardsplit undo marked.vcf -o contacts.vcf",
        'eval "$(_CARDSPLIT_COMPLETE=bash_source cardsplit)"   # completion; or zsh_source',
    ),
)
@click.version_option(
    package_name="cardsplit", message="%(prog)s %(version)s", prog_name="cardsplit"
)
def app() -> None:
    """Split vCard files, and keep address books from merging namesakes, without losing a byte.

    FILE is a vCard file; `-` is stdin. The exit status is 0 for done, 1 for failed (nothing was
    written), 2 for wrong usage, 3 for done although something odd was found in the input.
    """


@app.command(
    epilog=examples(
        "cardsplit split contacts.vcf -n 100 -o parts    # parts/adr.001.vcf and so on",
        "cardsplit split contacts.vcf --preset nextcloud --dry-run",
        "cat *.vcf | cardsplit split - --max-bytes 2.5MB",
        "cardsplit split contacts.vcf --by fn -o people  # people/Peter_Miller.vcf and so on",
    )
)
@FILES
@click.option("-n", "number", type=int, metavar="CARDS", help=f"Cards in a part; {DEFAULT_CARDS}.")
@click.option("--max-bytes", metavar="SIZE", help="Bytes in a part, such as `2.5MB`.")
@click.option("--preset", type=click.Choice(list(PRESETS)), help="What a service is known to take.")
@click.option(
    "--by",
    type=click.Choice(["fn", "uid"]),
    help="A file for each card, called after its FN or UID.",
)
@click.option("-o", "--out", metavar="DIR", default=".", help="Folder for the parts.")
@click.option(
    "--prefix", metavar="NAME", default="adr", help="What the names of the parts start with; adr."
)
@click.option("--force", is_flag=True, help="Replace the parts of an earlier splitting.")
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@AS_JSON
def split(  # noqa: PLR0913 - each is an option of its own
    *,
    files: tuple[str, ...],
    number: int | None,
    max_bytes: str | None,
    preset: str | None,
    by: str | None,
    out: str,
    prefix: str,
    force: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Split files into parts of so many cards or bytes; joined, the parts are the input again."""
    if sum(given is not None for given in (number, max_bytes, preset, by)) > 1:
        raise UsageError(
            "`-n`, `--max-bytes`, `--preset` and `--by` exclude each other; give one of them."
        )
    if preset is not None:
        limit = PRESETS[preset]
    elif max_bytes is not None:
        limit = Limit(max_bytes=parse_size(max_bytes))
    else:
        limit = Limit(cards=DEFAULT_CARDS if number is None else number)
    names, folder = list(files), Path(out)
    with Progress(names) as progress:
        if by is not None:
            from cardsplit.single_files import split_by

            done = split_by(
                names, by, folder=folder, replacing=force, dry_run=dry_run, on_read=progress
            )
        else:
            from cardsplit.splitting import split_files

            done = split_files(
                names,
                limit,
                folder=folder,
                prefix=prefix,
                replacing=force,
                dry_run=dry_run,
                on_read=progress,
            )
    if as_json:
        names = ("path", "cards", "bytes")
        parts = [dict(zip(names, row, strict=True)) for row in done.rows()]
        print_json(
            {"parts": parts, "dry_run": dry_run, "limit": asdict(limit), "notes": done.notes}
        )
    else:
        rows = done.rows()
        while some := list(islice(rows, PRINTED)):
            lines = (f"{path}\t{cards} cards\t{size} bytes" for path, cards, size in some)
            click.echo("\n".join(lines))
    leave(done.notes)


@app.command(
    epilog=examples(
        "cardsplit antimerge contacts.vcf -o marked.vcf",
        "cardsplit antimerge contacts.vcf --in-place --backup    # keeps contacts.vcf.bak",
        "cardsplit antimerge contacts.vcf --for google -o out.vcf",
        "cardsplit antimerge - --key fn < in.vcf > out.vcf       # for programs that go by FN",
    )
)
@FILES
@OUT
@IN_PLACE
@BACKUP
@click.option(
    "--for",
    "app_name",
    type=click.Choice(list(APPS)),
    help="The program that the cards are for, instead of `--key` and `--fn`.",
)
@click.option(
    "--key",
    type=click.Choice([rule.value for rule in Rule]),
    help="How the address book recognises a person; display if left out.",
)
@click.option("--fn", "with_fn", is_flag=True, help="Mark FN as well as N; `--key fn` always does.")
@FORCE
@REPORT
def antimerge(  # noqa: PLR0913 - each is an option of its own
    *,
    files: tuple[str, ...],
    out: str,
    in_place: bool,
    backup: bool,
    app_name: str | None,
    key: str | None,
    with_fn: bool,
    force: bool,
    report: str | None,
) -> None:
    """Mark people of the same name, so that no address book takes them for one.

    `N:Miller;Peter`, there twice, becomes `N:Miller /ABC-Corp/;Peter` and
    `N:Miller /XYZ-Corp/;Peter`. Nothing else changes; `undo` gives the original back. The cards of
    several files are distinguished from each other too. The files become one, or with
    `--in-place` each is replaced, all or none.
    """
    if app_name and (key or with_fn):
        raise UsageError("`--for` says which key and whether FN; leave `--key` and `--fn` out.")
    rule, with_fn = APPS[app_name] if app_name else App(Rule(key or Rule.DISPLAY), with_fn)
    names = list(files)
    check_rewriting(names, out, in_place=in_place, backup=backup, force=force, report=report)
    with Progress(names, passes=2) as progress:
        if in_place:
            from cardsplit.in_place import antimerge_in_place

            done = antimerge_in_place(
                names, rule=rule, with_fn=with_fn, backup=backup, on_read=progress
            )
        else:
            from cardsplit.antimerging import antimerge_files

            done = antimerge_files(
                names, out, rule=rule, with_fn=with_fn, replacing=force, on_read=progress
            )
    if report is not None:
        write_report(report, None if in_place else out, done, force=force)
    say(f"{done.cards} cards; {done.changed} marked in {done.clashes} clash(es)")
    if done.copies:
        say(
            f"{sum(map(len, done.copies))} cards are copies, equal byte for byte, of "
            f"{len(done.copies)}; they were not marked"
        )
    leave(done.notes)


@app.command(
    epilog=examples(
        "cardsplit undo marked.vcf -o contacts.vcf",
        "cat parts/adr.*.vcf | cardsplit undo - > contacts.vcf",
        "cardsplit undo *.vcf --in-place     # files that were anti-merged together",
    )
)
@FILES
@OUT
@IN_PLACE
@BACKUP
@FORCE
@REPORT
def undo(
    *,
    files: tuple[str, ...],
    out: str,
    in_place: bool,
    backup: bool,
    force: bool,
    report: str | None,
) -> None:
    """Take the marks of the last `antimerge` off again: the original bytes.

    Names that only look like marks stay. A mark proves itself by the other cards that were
    anti-merged with it, so give all files of that run: join the parts of a file before undoing it.
    """
    names = list(files)
    check_rewriting(names, out, in_place=in_place, backup=backup, force=force, report=report)
    with Progress(names, passes=2) as progress:
        if in_place:
            from cardsplit.in_place import undo_in_place

            done = undo_in_place(names, backup=backup, on_read=progress)
        else:
            from cardsplit.antimerging import undo_files

            done = undo_files(names, out, replacing=force, on_read=progress)
    if report is not None:
        write_report(report, None if in_place else out, done, force=force)
    say(f"{done.cards} cards; {done.changed} marks taken off")
    leave(done.notes)


@app.command(
    epilog=examples(
        "cardsplit clashes contacts.vcf    # namesakes, where they are, and where they differ",
        "cardsplit clashes *.vcf --json    # across files too",
        "cardsplit clashes contacts.vcf --by email --by number",
    )
)
@FILES
@click.option(
    "--by",
    type=click.Choice(["name", *(detail.value for detail in Detail)]),
    multiple=True,
    help="What counts; all of it if left out.",
)
@AS_JSON
def clashes(*, files: tuple[str, ...], by: tuple[str, ...], as_json: bool) -> None:
    """Say who would be merged, by name, UID, e-mail address or number, and what would be lost."""
    from cardsplit.clashing import find_clashes

    counted = [*(Rule if "name" in by or not by else ()), *(d for d in Detail if d in by or not by)]
    with Progress(list(files), passes=2) as progress:
        found, notes = find_clashes(list(files), progress, counted)
    if as_json:
        print_json({"clashes": [asdict(clash) for clash in found], "notes": notes})
    else:
        for clash in found:
            kind = "copies" if clash.is_copies else "clash"
            click.echo(f"{kind}: {clash.key}\tmerged by {', '.join(clash.rules)}")
            for member in clash.members:
                company = f"\t{member.company}" if member.company else ""
                click.echo(f"  {member.file}:{member.line}\t{member.name}{company}")
            for name, values in clash.lost.items():
                click.echo(f"  one is kept of {name}: {' | '.join(values)}")
    leave(notes)


@app.command(
    epilog=examples(
        "cardsplit count contacts.vcf      # one line",
        "cardsplit count *.vcf --json      # for another program",
    )
)
@FILES
@AS_JSON
def count(*, files: tuple[str, ...], as_json: bool) -> None:
    """Count cards, versions and bytes, and say what is odd, with numbers of lines."""
    from cardsplit.census import count_file

    check_inputs(list(files))
    with Progress(list(files)) as progress:
        found = [count_file(name, progress) for name in files]
    if as_json:
        print_json({"files": [asdict(census) for census in found]})
    else:
        for census in found:
            versions = ", ".join(f"{n} of {name}" for name, n in census.versions.items())
            click.echo(f"{census.name}\t{census.cards} cards\t{census.size} bytes\t{versions}")
    for census in found:
        if not census.cards:
            raise no_card(census.name)
    leave([note for census in found for note in census.notes])


for command in (join, convert, dedupe, strip, export, import_):
    app.add_command(command)


def main() -> None:
    """Run the command, as installed."""
    heed_signals()
    app()
