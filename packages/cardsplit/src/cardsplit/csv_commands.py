"""The commands for tables: `export` to a CSV file for Google Contacts, and `import` from one."""

import click

from cardsplit.options import FILES, FORCE, OUT, check_other_place, conclude, examples
from cardsplit.progress import Progress


@click.command(
    "export",
    epilog=examples(
        "cardsplit export contacts.vcf -o contacts.csv",
        "cardsplit export *.vcf -o all.csv    # a table of several files",
    ),
)
@FILES
@OUT
@FORCE
def export(*, files: tuple[str, ...], out: str, force: bool) -> None:
    """Write cards as a CSV file for Google Contacts; say what has no column there."""
    from cardsplit.exporting import export_csv

    names = list(files)
    check_other_place(names, out)
    with Progress(names) as progress:
        done = export_csv(names, out, replacing=force, on_read=progress)
    conclude(done, f"{done.cards} cards; {done.changed} have something that was left out")


@click.command(
    "import",
    epilog=examples(
        "cardsplit import contacts.csv -o contacts.vcf",
        "cardsplit import - < contacts.csv | cardsplit split -    # 950 cards a file",
    ),
)
@FILES
@OUT
@FORCE
def import_(*, files: tuple[str, ...], out: str, force: bool) -> None:
    """Write the rows of CSV files of Google Contacts as cards of 3.0; say what has no property."""
    from cardsplit.importing import import_csv

    names = list(files)
    check_other_place(names, out)
    with Progress(names) as progress:
        done = import_csv(names, out, replacing=force, on_read=progress)
    conclude(done, f"{done.cards} rows; {done.changed} have something that was left out")
