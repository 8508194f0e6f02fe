"""Manual pages and completions: they are what the commands say, and they work."""

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = "command_files"
SCRIPTS = Path(sysconfig.get_path("scripts"))
PROGRAMS = {"bootwatch": "reb", "cardsplit": "anti", "libufunc": "aud", "thalweg": "tra"}
COMPLETED = {"reb": "reboot", "anti": "antimerge", "aud": "audit", "tra": "train"}


def test_the_committed_files_are_what_the_commands_say(script):
    """After a change of a command, `make command-files` writes them again."""
    stale = [
        str(path.relative_to(ROOT))
        for path, text in script.files().items()
        if not path.exists() or path.read_text("utf-8") != text
    ]
    assert stale == []


def test_every_command_has_its_place_in_exactly_one_page(script):
    """The laboratory's commands stand in its own page, those of the library in the library's."""
    for program in PROGRAMS:
        pages = [page for page in script.PAGES if page.program == program]
        texts = [script.manual_page(page) for page in pages]
        group = script.group_of(script.load(pages[0].app))
        names = [
            name for name, _, _ in script.commands_of(group, script.context_of(group, program))
        ]
        assert names
        for name in names:
            heading = f".SS {script.escaped(name)} [OPTIONS]"
            assert [text.count(heading) for text in texts].count(1) == 1, name


def test_the_manual_page_of_bootwatch_has_every_verdict():
    """Its exit statuses are a promise to scripts."""
    from bootwatch.verdicts import Verdict

    page = (ROOT / "packages/bootwatch/man/bootwatch.1").read_text("utf-8").replace("\\-", "-")
    for verdict in Verdict:
        assert f".TP\n.B {verdict.value}\n{verdict.label.capitalize()}.\n" in page


@pytest.mark.skipif(shutil.which("man") is None, reason="no `man` on this machine")
@pytest.mark.parametrize("page", sorted(ROOT.glob("packages/*/man/*.1")), ids=lambda p: p.name)
def test_man_reads_each_page_without_a_warning(page: Path):
    """A line that begins with a dot, or a backslash of an example, would be lost."""
    done = subprocess.run(
        ["man", "--warnings", "--local-file", page],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "MANWIDTH": "100", "LC_ALL": "C.UTF-8", "MANPAGER": "cat"},
    )
    assert done.stderr == ""
    assert "EXIT STATUS" in done.stdout


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash on this machine")
@pytest.mark.parametrize("program", PROGRAMS)
def test_bash_completes_a_command(program: str):
    """The file defines what bash calls for a word that is begun."""
    begun = PROGRAMS[program]
    file = ROOT / f"packages/{program}/completions/{program}.bash"
    script = f"""
        source '{file}'
        COMP_WORDS=({program} {begun}); COMP_CWORD=1
        $(complete -p {program} | sed 's/.*-F \\([^ ]*\\).*/\\1/') {program} {begun} {program}
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"},
    )
    assert COMPLETED[begun] in done.stdout.split(), done.stderr
