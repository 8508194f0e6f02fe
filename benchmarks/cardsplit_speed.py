"""Measures cardsplit beside the scripts that it replaces, mawk, and vCard libraries, in one run.

Each program does the same chore on the same generated file of mixed versions; what counts is its
CPU time, user and system together, start included, the best of some runs. The two Perl programs
were written for this from a description of palmadrsplit and palmantimerge and do what those do,
their flaws included. vobject and vdirsyncer are slow, so they get a small part of the file; their
figures are of their own run over that part.

    python benchmarks/cardsplit_speed.py                    # 200,000 cards, about 85 MB
    python benchmarks/cardsplit_speed.py --table            # 10, 80 and 300 MB, any case of letters
"""

from __future__ import annotations

import argparse
import filecmp
import importlib.util
import math
import os
import random
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "packages/cardsplit/tests"))
from vcard_making import made_cards  # noqa: E402 - found only from here  # pyright: ignore[reportMissingImports]

CARDSPLIT = str(Path(sysconfig.get_path("scripts"), "cardsplit"))
SMALL_SHARE = 100  # part of the file that slow libraries get
MB = 1e6
CARD_BYTES = 417  # of a made card, on average
READ = 1 << 22  # bytes of lines that are read at a time
SINGLE_MB = 10  # the largest file that is split into a file for each card
WORDS = re.compile(rb"^(?:BEGIN|END):VCARD|^[A-Z]+(?=[;:])", re.MULTILINE)

PERL_SPLIT = r"""
my ($input, $n, $i, $k) = (shift, 950, 1, 0);
open(my $in, "<", $input) or die; open(my $out, ">", "perl.$i.vcf") or die;
while (<$in>) {
    if (/BEGIN:VCARD/ && ++$k % $n == 0) {
        close($out); $i++; open($out, ">", "perl.$i.vcf") or die;
    }
    print $out $_;
}
"""

PERL_ANTIMERGE = r"""
my (%people, @card, $name);
while (<>) {
    if (/BEGIN:VCARD/) { @card = ($_); $name = ""; }
    elsif (/END:VCARD/) { push @card, $_; push @{ $people{$name} }, [@card]; }
    else { push @card, $_; $name = $_ if /^N:/; }
}
for my $cards (values %people) {
    for my $card (@$cards) {
        my $company = "";
        if (@$cards > 1) {
            for (@$card) { $company = $1 if /^ORG:([ \-\+\w]+)/; }
        }
        for my $line (@$card) {
            $line =~ s/;/ \/$company\/;/ if @$cards > 1 && $line =~ /^N:/;
            print $line;
        }
    }
}
"""

MAWK_SPLIT = """
BEGIN { file = "mawk.1.vcf"; i = 1 }
/^BEGIN:VCARD/ { if (k && k % 950 == 0) { close(file); file = "mawk." ++i ".vcf" } k++ }
{ print > file }
"""

VOBJECT = """
import sys, warnings
warnings.simplefilter("ignore")
import vobject
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    print(sum(1 for _ in vobject.readComponents(file, allowQP=True)))
"""

VDIRSYNCER = """
import sys
from vdirsyncer.vobject import split_collection
with open(sys.argv[1], encoding="utf-8", newline="") as file:
    print(sum(1 for _ in split_collection(file.read())))
"""

# Runs a command with its output thrown away, and prints its CPU seconds and its peak of memory.
METER = """
import os, resource, subprocess, sys
with open(sys.argv[1], "wb") as out:
    process = subprocess.Popen(sys.argv[2:], stdout=out, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
if os.waitstatus_to_exitcode(status):
    sys.exit(f"failed: {sys.argv[2:]}")
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1000)
"""


def measure(command: list[str], *, runs: int, out: str = os.devnull) -> tuple[float, float]:
    """CPU seconds, the best of some runs, and the greatest memory in MB."""
    measured = [
        subprocess.run(  # noqa: S603 - a command written above
            [sys.executable, "-S", "-c", METER, out, *command],
            check=True, capture_output=True, text=True,
        ).stdout.split()
        for _ in range(runs)
    ]  # fmt: skip
    return min(float(cpu) for cpu, _ in measured), max(float(memory) for _, memory in measured)


def show(chore: str, rows: list[tuple[str, float, float, float]]) -> None:
    """Print one table; the ratios are to its first row."""
    print(f"\n{chore:34s} {'CPU s':>8s} {'MB/s':>8s} {'ratio':>7s} {'MB of memory':>13s}")
    base = rows[0][1] / rows[0][2]
    for name, size, cpu, memory in rows:
        print(f"{name:34s} {cpu:8.2f} {size / cpu:8.1f} {size / cpu / base:7.2f} {memory:13.1f}")


def race(cards: int, runs: int, namesakes: float) -> None:
    """Run every program that is there."""
    with open("all.vcf", "wb") as file, open("small.vcf", "wb") as small:  # noqa: PTH123 - short
        for number, card in enumerate(made_cards(cards, namesakes=namesakes)):
            file.write(card)
            if number < cards // SMALL_SHARE:
                small.write(card)
    size, small_size = (Path(name).stat().st_size / MB for name in ("all.vcf", "small.vcf"))
    print(f"{cards} cards, {size:.1f} MB, {namesakes:.0%} drawn from a pool of namesakes")
    Path("one.vcf").write_bytes(next(made_cards(1)))
    start, _ = measure([CARDSPLIT, "count", "one.vcf"], runs=runs)
    print(f"{start:.2f} s of each CPU time of cardsplit are its start: Python and its libraries")
    perl, mawk = shutil.which("perl"), shutil.which("mawk")
    ours = [CARDSPLIT]

    def row(
        name: str, command: list[str], out: str = os.devnull
    ) -> tuple[str, float, float, float]:
        return (name, size, *measure(command, runs=runs, out=out))

    split = [*ours, "split", "all.vcf", "-o", "parts", "--force"]
    rows = [row("perl, as palmadrsplit", [perl, "-e", PERL_SPLIT, "all.vcf"])] if perl else []
    rows += [row("cardsplit split", split)]
    rows += [row("mawk", [mawk, MAWK_SPLIT, "all.vcf"])] if mawk else []
    for name, script in (("vobject", VOBJECT), ("vdirsyncer", VDIRSYNCER)):
        if importlib.util.find_spec(name):
            command = [sys.executable, "-c", script, "small.vcf"]
            rows.append((f"{name}, a part of the file", small_size, *measure(command, runs=1)))
    show("split", rows)

    anti = [*ours, "antimerge", "all.vcf", "-o", "apart.vcf", "--force"]
    undo = [*ours, "undo", "apart.vcf", "-o", "back.vcf", "--force"]
    rows = []
    if perl:
        rows.append(
            row("perl, as palmantimerge", [perl, "-e", PERL_ANTIMERGE, "all.vcf"], "perl.out")
        )
    rows += [row("cardsplit antimerge", anti), row("cardsplit undo", undo)]
    show("anti-merge", rows)
    same = filecmp.cmp("all.vcf", "back.vcf", shallow=False)
    parts = sorted(Path("parts").iterdir())
    joined = b"".join(part.read_bytes() for part in parts) == Path("all.vcf").read_bytes()
    print(f"undone, the file is {'the same' if same else 'DIFFERENT'}; "
          f"its {len(parts)} parts joined are {'the same' if joined else 'DIFFERENT'}")  # fmt: skip

    reading = [row(f"cardsplit {name}", [*ours, name, "all.vcf"]) for name in ("count", "clashes")]
    show("look", reading)


def recase(source: str, target: str, case: str) -> None:
    """Copy a file with all words that may be written in any case in this one."""
    draw = random.Random(1)  # noqa: S311 - not for secrets
    ways = (bytes.lower,) if case == "lower" else (bytes.upper, bytes.lower, bytes.title)
    with open(source, "rb") as file, open(target, "wb") as out:  # noqa: PTH123 - short
        while lines := file.readlines(READ):
            out.write(WORDS.sub(lambda word: draw.choice(ways)(word[0]), b"".join(lines)))


def tabulate(sizes: list[int], runs: int) -> None:
    """Measure files of several sizes and in several cases, and print a table for the docs."""
    perl = shutil.which("perl")
    heads = (
        "MB",
        "letters",
        "split",
        "Perl",
        "antimerge",
        "Perl",
        "split `-n 1`",
        "MB for split",
        "MB for antimerge",
    )
    print(f"| {' | '.join(heads)} |")
    print("| --- " * 9 + "|")
    for size in sizes:
        with open("upper.vcf", "wb") as file:  # noqa: PTH123 - short
            file.writelines(made_cards(int(size * MB / CARD_BYTES)))
        for case in ("upper", "lower", "mixed"):
            if case != "upper":
                recase("upper.vcf", f"{case}.vcf", case)
            files = [f"{case}.vcf"]
            split, used = measure([CARDSPLIT, "split", *files, "-o", "table", "--force"], runs=runs)
            anti, kept = measure([CARDSPLIT, "antimerge", *files], runs=runs)
            perls = [math.nan, math.nan]
            if perl and case == "upper":  # it finds no card in the others
                perls = [
                    measure([perl, "-e", script, *files], runs=runs)[0]
                    for script in (PERL_SPLIT, PERL_ANTIMERGE)
                ]
            single = math.nan
            if size <= SINGLE_MB:
                single, _ = measure(
                    [CARDSPLIT, "split", *files, "-n", "1", "-o", "single", "--force"], runs=1
                )
                shutil.rmtree("single")
            cells = [split, perls[0], anti, perls[1], single]
            shown = ["" if math.isnan(cell) else f"{cell:.2f} s" for cell in cells]
            row = [str(size), case, *shown, f"{used:.0f}", f"{kept:.0f}"]
            print(f"| {' | '.join(row)} |", flush=True)


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]  # it is there
    parser.add_argument("--cards", type=int, default=200_000, help="of the generated file")
    parser.add_argument("--namesakes", type=float, default=0.05, help="share of them; 0 to 1")
    parser.add_argument("--runs", type=int, default=3, help="of each program; the best counts")
    parser.add_argument(
        "--table", action="store_true", help="print the table of docs/cardsplit.md instead"
    )
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        if options.table:
            tabulate([10, 80, 300], options.runs)
        else:
            race(options.cards, options.runs, options.namesakes)
        os.chdir(ROOT)


if __name__ == "__main__":
    main()
