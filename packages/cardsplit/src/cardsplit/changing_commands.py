"""The commands that write cards otherwise: `join`, `convert`, `dedupe` and `strip`."""

import click

from cardsplit.options import (
    AS_JSON,
    FILES,
    FORCE,
    OUT,
    check_other_place,
    conclude,
    examples,
    print_json,
)
from cardsplit.output import STANDARD_OUTPUT
from cardsplit.process import say
from cardsplit.progress import Progress


@click.command(
    epilog=examples(
        "cardsplit join *.vcf -o all.vcf    # with a line break between any two cards",
        "cardsplit join export.zip -o all.vcf",
    )
)
@FILES
@OUT
@FORCE
def join(*, files: tuple[str, ...], out: str, force: bool) -> None:
    """Join files into one; missing line breaks between cards are put in."""
    from cardsplit.joining import join_files

    names = list(files)
    check_other_place(names, out)
    with Progress(names) as progress:
        done = join_files(names, out, replacing=force, on_read=progress)
    conclude(done, f"{done.cards} cards; {done.changed} mended")


@click.command(
    epilog=examples(
        "cardsplit convert old.vcf --to 3.0 -o new.vcf",
        "cardsplit convert - --to 4.0 < old.vcf > new.vcf",
    )
)
@FILES
@click.option("--to", "version", type=click.Choice(["3.0", "4.0"]), required=True, help="Version.")
@OUT
@FORCE
def convert(*, files: tuple[str, ...], version: str, out: str, force: bool) -> None:
    """Convert cards to version 3.0 or 4.0, in UTF-8; say what could not be kept as it was."""
    from cardsplit.card_stream import pass_through
    from cardsplit.converting import convert as converted

    names = list(files)
    check_other_place(names, out)
    with Progress(names) as progress:
        done = pass_through(
            names, out, lambda card: converted(card, version), replacing=force, on_read=progress
        )
    conclude(done, f"{done.cards} cards; {done.changed} written otherwise")


@click.command(
    epilog=examples(
        "cardsplit dedupe contacts.vcf -o once.vcf",
        "cardsplit dedupe *.vcf -o once.vcf --json    # which were dropped, for another program",
    )
)
@FILES
@OUT
@FORCE
@AS_JSON
def dedupe(*, files: tuple[str, ...], out: str, force: bool, as_json: bool) -> None:
    """Drop cards that say exactly what another one says, and name them; nothing is merged.

    Folds, charsets and encodings do not count, all else does.
    """
    from cardsplit.deduplicating import dedupe_files
    from cardsplit.errors import UsageError

    names = list(files)
    check_other_place(names, out)
    if as_json and out == STANDARD_OUTPUT:
        raise UsageError("the result and the report cannot both go to stdout; give `-o OUT`.")
    with Progress(names) as progress:
        done, dropped = dedupe_files(names, out, replacing=force, on_read=progress)
    if as_json:
        keys = ("file", "card", "kept_file", "kept_card")
        rows = [dict(zip(keys, one, strict=True)) for one in dropped]
        print_json({"cards": done.cards, "dropped": rows, "notes": done.notes})
    else:
        for name, number, kept_name, kept in dropped:
            say(f"dropped `{name}`, card {number}: the same as `{kept_name}`, card {kept}")
    conclude(done, f"{done.cards} cards; {len(dropped)} dropped")


@click.command(
    epilog=examples(
        "cardsplit strip photo contacts.vcf -o small.vcf",
        "cardsplit strip note *.vcf > all.vcf",
    )
)
@click.argument("name", metavar="PROPERTY")
@FILES
@OUT
@FORCE
def strip(*, name: str, files: tuple[str, ...], out: str, force: bool) -> None:
    """Take all properties of one name out of the cards, such as `photo`."""
    from cardsplit.stripping import strip_files

    names = list(files)
    check_other_place(names, out)
    with Progress(names) as progress:
        done = strip_files(name, names, out, replacing=force, on_read=progress)
    conclude(done, f"{done.cards} cards; {done.changed} had {name.upper()}")
