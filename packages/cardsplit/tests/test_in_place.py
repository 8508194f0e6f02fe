"""Folders of cards: all files of a run are told apart together, replaced together, and undone."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import given, settings
from hypothesis import strategies as st

from cardsplit import (
    OutputError,
    UsageError,
    antimerge_in_place,
    find_clashes,
    undo_files,
    undo_in_place,
)
from cardsplit.cli import app
from vcard_making import CLASHING_FILES, card, everything_in, peter, written


def run(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments)


@given(st.lists(CLASHING_FILES, min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_cards_are_told_apart_across_files_and_come_back(tmp_path_factory, files):
    """No two cards of any two files are displayed alike afterwards; undone, all bytes are there."""
    folder = tmp_path_factory.mktemp("folder")
    names = [written(folder, f"{n}.vcf", b"".join(cards)) for n, cards in enumerate(files)]
    before = everything_in(folder)
    done = antimerge_in_place(names)
    assert done.cards == sum(map(len, files))
    assert [file.cards for file in done.files] == list(map(len, files))
    assert sum(file.changed for file in done.files) == done.changed == len(done.marks)
    assert everything_in(folder).keys() == before.keys()
    if not any("no N or FN" in note for note in done.notes):
        clashes = [c for c in find_clashes(names)[0] if "display" in c.rules and not c.is_copies]
        assert clashes == []
    if done.changed:
        undone = undo_in_place(names)
        assert (undone.changed, everything_in(folder)) == (done.changed, before)


def test_a_folder_is_marked_and_undone_by_the_command(here: Path):
    """`antimerge *.vcf --in-place` and `undo *.vcf --in-place`, both with a report."""
    names = [written(here, f"{c}.vcf", peter(c)) for c in "AB"]
    written(here, "C.vcf", card("N:Other;One", "NOTE:1") * 2)
    before = everything_in(here)
    shown = run("antimerge", "A.vcf", "B.vcf", "C.vcf", "--in-place", "--json", "-")
    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == {
        "files": [
            {"output": "A.vcf", "cards": 1, "changed": 1, "marks": [{"card": 1, "mark": "A"}]},
            {"output": "B.vcf", "cards": 1, "changed": 1, "marks": [{"card": 1, "mark": "B"}]},
            {"output": "C.vcf", "cards": 2, "changed": 0, "marks": []},
        ],
        "clashes": 1,
        "copies": [[{"output": "C.vcf", "card": 1}, {"output": "C.vcf", "card": 2}]],
        "notes": [],
    }
    assert b"N:Miller /B/;Peter" in Path(names[1]).read_bytes()
    shown = run("undo", "A.vcf", "B.vcf", "C.vcf", "--in-place", "--backup", "--json", "report")
    assert (shown.exit_code, shown.stderr) == (0, "cardsplit: 4 cards; 2 marks taken off\n")
    report = json.loads(Path("report").read_text("utf-8"))
    assert [file["changed"] for file in report["files"]] == [1, 1, 0]
    after = everything_in(here)
    assert {name: after[name] for name in before} == before
    assert {*after} - {*before} == {"A.vcf.bak", "B.vcf.bak", "report"}


def test_undo_joins_files_as_antimerge_does(here: Path):
    """Without `--in-place` the originals are joined, in the order of the files."""
    names = [written(here, f"{c}.vcf", peter(c)) for c in "AB"]
    antimerge_in_place(names)
    assert undo_files(names, "both.vcf").changed == 2
    assert Path("both.vcf").read_bytes() == peter("A") + peter("B")


def test_files_that_were_marked_one_by_one_are_undone_together(here: Path):
    """Where the marks do not prove themselves by all files, each file is looked at alone."""
    data = [peter("A") + peter("B"), peter("B") + peter("C"), card("N:x;y")]
    names = [written(here, f"{n}.vcf", one) for n, one in enumerate(data)]
    for name in names:
        antimerge_in_place(name)
    assert undo_in_place(names).changed == 4
    assert [Path(name).read_bytes() for name in names] == data


@pytest.mark.parametrize("backup", [False, True])
def test_where_one_file_cannot_be_replaced_none_is(here: Path, monkeypatch, backup):
    """Those that were replaced already get their old content back."""
    names = [written(here, f"{c}.vcf", peter(c)) for c in "ABC"]
    before = everything_in(here)
    replace, done = Path.replace, []

    def failing(self: Path, target: Path) -> Path:
        done.append(target)
        if len(done) == 3:
            raise OSError(28, "No space left on device")
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(OutputError, match=r"cannot be written.*nothing was changed"):
        antimerge_in_place(names, backup=backup)
    assert len(done) == 3
    assert everything_in(here) == before


def test_a_file_that_cannot_be_read_changes_none(here: Path):
    """Nothing is replaced before all is read and written."""
    names = [written(here, f"{c}.vcf", peter(c)) for c in "AB"]
    names.append(written(here, "none.vcf", b"no card\n"))
    before = everything_in(here)
    done = run("antimerge", *names, "--in-place")
    assert (done.exit_code, everything_in(here)) == (1, before)
    assert "holds no vCard" in done.stderr


def test_standard_input_has_no_place(here: Path):
    """And a file is given once."""
    for rewrite in (antimerge_in_place, undo_in_place):
        with pytest.raises(UsageError, match="`-` has no place"):
            rewrite(["-"])
        name = written(here, "a.vcf", peter("A"))
        with pytest.raises(UsageError, match="the same input"):
            rewrite([name, name])


INTERRUPTED = """if True:
    import os, pathlib, runpy, signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores
    replace, done = pathlib.Path.replace, []
    def interrupted(self, target):
        done.append(target)
        if len(done) == 1:
            os.kill(os.getpid(), signal.SIGINT)
        return replace(self, target)
    pathlib.Path.replace = interrupted
    sys.argv = ["cardsplit", "antimerge", "A.vcf", "B.vcf", "--in-place"]
    runpy.run_module("cardsplit", run_name="__main__")
"""


def test_an_interrupt_while_files_are_replaced_waits_until_all_are(here: Path):
    """So a run is in all of its files or in none."""
    names = [written(here, f"{c}.vcf", peter(c)) for c in "AB"]
    before = everything_in(here)
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, check=False)
    assert done.returncode == 130
    assert all(b" /" in Path(name).read_bytes() for name in names)
    undo_in_place(names)
    assert everything_in(here) == before
