"""The command does what the library does, and says in one sentence why it does not."""

import contextlib
import io
import json
import os
import pty
import re
import subprocess
import sys
import sysconfig
import time
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cardsplit.cli import app
from cardsplit.limits import PRESETS
from vcard_making import card, made_cards, peter, write_cards

COMMAND = [str(Path(sysconfig.get_path("scripts"), "cardsplit"))]
MODULE = [sys.executable, "-m", "cardsplit"]
COMMANDS = [
    *("split", "antimerge", "undo", "clashes", "count", "join", "convert", "dedupe", "strip"),
    *("export", "import"),
]
TWO = peter("ABC-Corp") + peter("XYZ-Corp")
PACKAGE = Path(__file__).parents[1]


def run(*arguments: str, stdin: bytes | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(app, arguments, input=stdin)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the current one, but for `two.vcf`."""
    monkeypatch.chdir(tmp_path)
    Path("two.vcf").write_bytes(TWO)
    return tmp_path


@pytest.mark.parametrize("start", [COMMAND, MODULE], ids=["command", "module"])
def test_version_is_that_of_the_installed_package(start: list[str]):
    """`--version` prints name and version on stdout, and the exit status is 0."""
    result = subprocess.run([*start, "--version"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"cardsplit {version('cardsplit')}\n"


def test_wrong_usage_exits_with_2_and_names_the_argument():
    """An argument that does not exist is named on stderr; nothing is printed on stdout."""
    result = subprocess.run([*COMMAND, "--nonsense"], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "--nonsense" in result.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_explains_itself_with_an_example(command: str):
    """`--help` shows a line that can be typed."""
    shown = run(command, "--help")
    assert shown.exit_code == 0
    assert f"cardsplit {command} " in re.sub(r"\s+", " ", shown.stdout)
    assert "Examples:" in shown.stdout


def test_the_man_page_tells_of_every_option():
    """As `--help` does, and of each exit status."""
    page = (PACKAGE / "man/cardsplit.1").read_text("utf-8").replace("\\-", "-")
    for command in COMMANDS:
        for option in set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", run(command, "--help").stdout)):
            assert option in page, (command, option)
    assert all(f".TP\n.B {status}\n" in page for status in (0, 1, 2, 3, 130))
    assert f'"cardsplit {version("cardsplit")}"' in page


def test_the_shell_can_complete_commands_and_presets():
    """Bash is given a script, and the script is given the words."""

    def ask(line: str, instruction: str) -> str:
        words = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split(" ")) - 1)}
        given = {**os.environ, **words, "_CARDSPLIT_COMPLETE": instruction}
        return subprocess.run(
            COMMAND, capture_output=True, text=True, check=False, env=given
        ).stdout

    def told(*words: str) -> str:
        return "".join(f"plain,{word}\n" for word in words)

    assert "cardsplit" in ask("cardsplit ", "bash_source")
    assert ask("cardsplit ", "bash_complete") == told(*sorted(COMMANDS))
    assert ask("cardsplit split --preset ", "bash_complete") == told(*PRESETS)


FOLDED = b"".join(
    b"BEGIN:VCARD\r\n%b\r\nN:Doe;Jo\r\nFN:Jo\r\nTEL:%d\r\nEND:VCARD\r\n" % (line, number)
    for number, line in enumerate(
        [b"VERSION:4.0\r\n 1", b"VERSION\r\n :3.0", b"VER\r\n\tSION:2\r\n .1", b"g.version: 4.0 "]
    )
)


@pytest.mark.usefixtures("here")
def test_a_folded_version_is_one_word_to_every_command():
    """`count` prints one line, and the others read what it counts."""
    Path("folded.vcf").write_bytes(FOLDED)
    shown = run("count", "folded.vcf")
    assert (shown.exit_code, shown.stdout.count("\n")) == (0, 1)
    assert shown.stdout.endswith("\t1 of 2.1, 1 of 3.0, 1 of 4.0, 1 of 4.01\n")
    versions = json.loads(run("count", "folded.vcf", "--json").stdout)["files"][0]["versions"]
    assert versions == {"2.1": 1, "3.0": 1, "4.0": 1, "4.01": 1}
    converted = run("convert", "folded.vcf", "--to", "4.0").stdout_bytes
    assert converted.count(b"VERSION:4.0\r\n") == converted.upper().count(b"VERSION") == 4
    marked = run("antimerge", "folded.vcf").stdout_bytes
    assert run("undo", "-", stdin=marked).stdout_bytes == FOLDED != marked
    assert run("export", "folded.vcf").stdout.count("\n") == 5


# ---------------------------------------------------------------------------------- what it does


def test_split_prints_its_parts(here: Path):
    """As lines, as JSON, and with a dry run without writing them."""
    shown = run("split", "two.vcf", "-n", "1", "--dry-run")
    assert shown.stdout == "adr.001.vcf\t1 cards\t67 bytes\nadr.002.vcf\t1 cards\t67 bytes\n"
    assert [path.name for path in here.iterdir()] == ["two.vcf"]
    told = json.loads(
        run("split", "two.vcf", "-n", "1", "-o", "x", "--prefix", "p", "--json").stdout
    )
    assert told["parts"] == [
        {"path": f"x/p.00{n}.vcf", "cards": 1, "bytes": 67} for n in (1, 2)
    ]  # fmt: skip
    assert Path("x/p.001.vcf").read_bytes() + Path("x/p.002.vcf").read_bytes() == TWO
    assert run("split", "two.vcf", "--max-bytes", "100").stdout.count("\n") == 2
    assert run("split", "two.vcf", "--preset", "google", "--force").stdout.count("\n") == 1
    assert sorted(path.name for path in here.glob("*.vcf")) == ["adr.001.vcf", "two.vcf"]


@pytest.mark.usefixtures("here")
def test_antimerge_and_undo_go_through_pipes():
    """Results on stdout, the summary on stderr, and `cmp` sees no difference."""
    marked = run("antimerge", "-", stdin=TWO)
    assert (marked.exit_code, marked.stderr) == (0, "cardsplit: 2 cards; 2 marked in 1 clash(es)\n")
    assert b"N:Miller /ABC-Corp/;Peter\r\n" in marked.stdout_bytes
    back = run("undo", "-", stdin=marked.stdout_bytes)
    assert (back.stdout_bytes, back.stderr) == (TWO, "cardsplit: 2 cards; 2 marks taken off\n")
    line = f"'{COMMAND[0]}' antimerge - < two.vcf | '{COMMAND[0]}' undo - | cmp - two.vcf"
    assert subprocess.run(["bash", "-o", "pipefail", "-c", line], check=False).returncode == 0


@pytest.mark.usefixtures("here")
def test_antimerge_reports_as_json():
    """Which card got which mark, and which are copies."""
    Path("copies.vcf").write_bytes(card("N:a") * 2)
    done = run("antimerge", "two.vcf", "copies.vcf", "-o", "out.vcf", "--json", "report.json")
    assert "2 cards are copies, equal byte for byte, of 1; they were not marked" in done.stderr
    [told] = json.loads(Path("report.json").read_text("utf-8"))["files"]
    assert told["marks"] == [{"card": 1, "mark": "ABC-Corp"}, {"card": 2, "mark": "XYZ-Corp"}]
    assert (told["copies"], told["cards"], told["output"]) == ([[3, 4]], 4, "out.vcf")
    shown = run("antimerge", "two.vcf", "--in-place", "--backup", "--json", "-")
    assert json.loads(shown.stdout)["files"][0]["clashes"] == 1
    assert Path("two.vcf.bak").read_bytes() == TWO
    assert Path("two.vcf").read_bytes() == Path("out.vcf").read_bytes()[: len(TWO) + 22]


@pytest.mark.usefixtures("here")
def test_clashes_are_printed_for_people_and_programs():
    """Who, where, by which rule, and what is lost."""
    shown = run("clashes", "two.vcf").stdout
    assert shown == (
        "clash: peter miller\tmerged by display, last-first, n-line, fn\n"
        "  two.vcf:1\tPeter Miller\tABC-Corp\n"
        "  two.vcf:6\tPeter Miller\tXYZ-Corp\n"
        "  one is kept of ORG: ABC-Corp | XYZ-Corp\n"
    )
    [clash] = json.loads(run("clashes", "two.vcf", "--json").stdout)["clashes"]
    assert clash["lost"] == {"ORG": ["ABC-Corp", "XYZ-Corp"]}
    Path("copies.vcf").write_bytes(card("N:a") * 2)
    assert run("clashes", "copies.vcf").stdout.startswith("copies: a\t")


@pytest.mark.usefixtures("here")
def test_count_prints_a_line_a_file():
    """Cards, bytes and versions."""
    assert run("count", "two.vcf").stdout == "two.vcf\t2 cards\t134 bytes\t2 of 3.0\n"
    assert json.loads(run("count", "-", "--json", stdin=TWO).stdout)["files"][0]["cards"] == 2


@pytest.mark.usefixtures("here")
def test_odd_input_is_done_and_told_with_status_3():
    """With numbers of lines; for a pipe without."""
    Path("odd.vcf").write_bytes(b"stray\n" + TWO + b"BEGIN:VCARD\nN:lost\n")
    for command in (["count"], ["split", "-o", "x"], ["antimerge"], ["clashes"]):
        done = run(*command, "odd.vcf")
        assert done.exit_code == 3
        assert "note: `odd.vcf`, line 1: text outside of any card" in done.stderr
        assert "note: `odd.vcf`, line 12: card without `END:VCARD`" in done.stderr
    assert Path("x/adr.001.vcf").read_bytes() == Path("odd.vcf").read_bytes()
    with (
        Path("odd.vcf").open("rb") as file,
        subprocess.Popen(["cat"], stdin=file, stdout=-1) as cat,
    ):
        piped = subprocess.run(
            [*COMMAND, "count", "-"], stdin=cat.stdout, capture_output=True, check=False
        )
    assert piped.returncode == 3
    assert b"note: `-`: text outside of any card" in piped.stderr


@pytest.mark.usefixtures("here")
def test_the_command_can_be_called_by_a_program():
    """Also one that has put something else in the place of stdout."""
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        app(["count", "two.vcf"], standalone_mode=False)
    assert shown.getvalue().startswith("two.vcf\t2 cards")


# --------------------------------------------------------------------------------------- refusals

BAD = [
    (["split", "none.vcf"], 1, "`none.vcf` holds no vCard"),
    (["antimerge", "none.vcf"], 1, "`none.vcf` holds no vCard"),
    (["undo", "none.vcf"], 1, "`none.vcf` holds no vCard"),
    (["clashes", "none.vcf"], 1, "`none.vcf` holds no vCard"),
    (["count", "none.vcf"], 1, "`none.vcf` holds no vCard"),
    (["split", "empty.vcf"], 1, "`empty.vcf` holds no vCard"),
    (["split", "junk.vcf"], 1, "`junk.vcf` holds no vCard"),
    (["split", "folder"], 1, "`folder` cannot be read: it is a directory; give the files in it."),
    (["split", "missing.vcf"], 1, "`missing.vcf` cannot be read: there is no such file"),
    (["antimerge", "two.vcf", "-o", "none.vcf"], 1, "`none.vcf` is there already"),
    (["antimerge", "two.vcf", "-o", "a.vcf", "--json", "none.vcf"], 1, "`none.vcf` is there"),
    (["undo", "two.vcf", "-o", "none.vcf"], 1, "`none.vcf` is there already"),
    (["undo", "two.vcf", "-o", "missing/a.vcf"], 1, "`missing/a.vcf` cannot be written"),
    (["split", "two.vcf", "two.vcf"], 2, "`two.vcf` is the same input as `two.vcf`"),
    (["split", "-", "-"], 2, "`-` is the same input as `-`"),
    (["antimerge", "two.vcf", "./two.vcf"], 2, "`./two.vcf` is the same input as `two.vcf`"),
    (["antimerge", "two.vcf", "./two.vcf", "--in-place"], 2, "is the same input"),
    (["count", "two.vcf", "./two.vcf"], 2, "is the same input"),
    (["split", "two.vcf", "-n", "0"], 2, "a part must hold at least 1 card"),
    (["split", "two.vcf", "-n", "1", "--max-bytes", "1k"], 2, "exclude each other"),
    (["split", "two.vcf", "--max-bytes", "much"], 2, "`much` is no size"),
    (["split", "two.vcf", "--prefix", "a/b"], 2, "must be a plain name"),
    (["split", "two.vcf", "--preset", "myspace"], 2, "myspace"),
    (["split"], 2, "FILE"),
    (["antimerge", "two.vcf", "--in-place", "-o", "x"], 2, "`--in-place` goes with neither"),
    (["antimerge", "-", "--in-place"], 2, "`--in-place` goes with neither"),
    (["antimerge", "two.vcf", "--backup"], 2, "`--backup` is for `--in-place`"),
    (["antimerge", "two.vcf", "--json", "-"], 2, "cannot both go to stdout"),
    (["antimerge", "two.vcf", "-o", "two.vcf", "--force"], 2, "`two.vcf` is an input as well"),
    (["undo", "two.vcf", "-o", "two.vcf", "--force"], 2, "`two.vcf` is an input as well"),
]


@pytest.mark.parametrize(
    ("arguments", "status", "sentence"), BAD, ids=[" ".join(b[0]) for b in BAD]
)
def test_what_cannot_be_done_is_said_in_one_sentence(here: Path, arguments, status, sentence):
    """And nothing is written."""
    Path("folder").mkdir()
    Path("empty.vcf").touch()
    Path("none.vcf").write_bytes(b"From: me\nhello\n")
    Path("junk.vcf").write_bytes(bytes(range(256)) * 5000)
    before = sorted(here.rglob("*"))
    done = run(*arguments)
    assert done.exit_code == status
    assert sentence in re.sub(r"[\s│]+", " ", done.stderr)
    if status == 1:
        assert len(done.stderr.splitlines()) == 1
    assert sorted(here.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.usefixtures("here")
def test_an_unreadable_file_is_told():
    """One sentence that says what to check."""
    Path("two.vcf").chmod(0)
    done = run("count", "two.vcf")
    assert (done.exit_code, "check its permissions" in done.stderr) == (1, True)


@pytest.mark.usefixtures("here")
def test_reading_can_fail_halfway():
    """What the system says is passed on: `/proc/self/mem` opens, and cannot be read at 0."""
    if not Path("/proc/self/mem").exists():
        pytest.skip("no /proc here")
    done = run("split", "/proc/self/mem")
    assert (done.exit_code, "cannot be read: the system says:" in done.stderr) == (1, True)


@pytest.mark.usefixtures("here")
def test_a_full_stdout_is_told():
    """`/dev/full` is what a full disk is."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - short
        done = subprocess.run(
            [*COMMAND, "antimerge", "two.vcf"], stdout=full, stderr=-1, check=False, text=True
        )
    assert done.returncode == 1
    assert "standard output" in done.stderr


def test_a_reader_who_leaves_gets_no_traceback(here: Path):
    """`cardsplit … | head -1` ends quietly."""
    write_cards(here / "many.vcf", 5000)
    line = f"'{COMMAND[0]}' antimerge many.vcf | head -c 10"
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=False)
    assert done.stdout == b"BEGIN:VCAR"
    assert b"Traceback" not in done.stderr


@pytest.mark.usefixtures("here")
def test_progress_is_shown_to_a_person_after_a_second():
    """A bar on a terminal, and not a byte of it elsewhere."""
    block = b"".join(made_cards(500))

    def told(errors: int) -> None:
        with subprocess.Popen(
            [*COMMAND, "count", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
        ) as process:
            for _ in range(6):
                process.stdin.write(block * 4)  # type: ignore[union-attr]  # a pipe
                process.stdin.flush()  # type: ignore[union-attr]  # a pipe
                time.sleep(0.25)
            process.stdin.close()  # type: ignore[union-attr]  # a pipe
        assert process.returncode == 0

    with open("quiet", "w+b") as quiet:  # noqa: PTH123 - short
        told(quiet.fileno())
        quiet.seek(0)
        assert quiet.read() == b""
    ours, theirs = pty.openpty()
    told(theirs)
    assert b" MB" in os.read(ours, 100_000)
    os.close(ours)
    os.close(theirs)
