"""However a stream fails or a signal comes, a person reads one sentence and no traceback."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vcard_making import everything_in, made_cards, peter, write_cards

MODULE = [sys.executable, "-m", "cardsplit"]
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")

LISTING = [
    ["count", "two.vcf"], ["count", "two.vcf", "--json"], ["clashes", "two.vcf"],
    ["clashes", "two.vcf", "--json"], ["split", "two.vcf"], ["split", "two.vcf", "--json"],
    ["antimerge", "two.vcf"], ["undo", "two.vcf"], ["--help"], ["--version"], ["count", "--help"],
]  # fmt: skip


@pytest.fixture(autouse=True)
def two(here: Path) -> Path:
    """A file of two namesakes in the current folder."""
    (here / "two.vcf").write_bytes(peter("ABC-Corp") + peter("XYZ-Corp"))
    return here


@needs_full
@pytest.mark.parametrize("command", LISTING, ids=[" ".join(one) for one in LISTING])
def test_a_full_stdout_is_told_in_one_sentence(command: list[str]):
    """Each command that prints, also its help: status 1, and nothing more from the interpreter."""
    with open("/dev/full", "wb") as full:  # noqa: PTH123 - short
        done = subprocess.run([*MODULE, *command], stdout=full, stderr=-1, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.count("No space left on device") == 1
    assert [line for line in done.stderr.splitlines() if not line.startswith("cardsplit: ")] == []


@needs_full
def test_a_full_stderr_changes_no_status():
    """A sentence that cannot be written is lost, and that is all."""
    for command, status in ((["count", "two.vcf"], 0), (["count", "missing.vcf"], 1)):
        with open("/dev/full", "wb") as full:  # noqa: PTH123 - short
            done = subprocess.run([*MODULE, *command], stdout=-1, stderr=full, check=False)
        assert done.returncode == status


def test_a_closed_stream_is_told():
    """`>&-` and `<&-`, where the command needs what is closed."""
    for line in ("antimerge two.vcf >&-", "count - <&-"):
        shell = f"'{sys.executable}' -m cardsplit {line}"
        done = subprocess.run(["bash", "-c", shell], stderr=-1, text=True, check=False)
        assert done.returncode == 1
        assert "is closed" in done.stderr
        assert len(done.stderr.splitlines()) == 1


WHILE_LOADING = """if True:
    import importlib.abc, runpy, sys
    class Interrupt(importlib.abc.MetaPathFinder):
        def find_spec(self, name, path, target=None):
            if name == {module!r}:
                raise KeyboardInterrupt
    sys.meta_path.insert(0, Interrupt())
    sys.argv = ["cardsplit", "split", "two.vcf"]
    runpy.run_module("cardsplit", run_name="__main__")
"""


@pytest.mark.parametrize("module", ["cardsplit.cli", "click", "cardsplit.splitting"])
def test_an_early_interrupt_ends_quietly(here: Path, module: str):
    """Ctrl-C while the program is still being loaded: status 130, one line, no file."""
    before = everything_in(here)
    done = subprocess.run(
        [sys.executable, "-c", WHILE_LOADING.format(module=module)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 130
    assert done.stderr == "cardsplit: interrupted by SIGINT; no file is half written\n"
    assert everything_in(here) == before


STOPPABLE = """if True:
    import runpy, signal
    for number in (signal.SIGTERM, signal.SIGHUP):  # which a parent may have ignored
        signal.signal(number, signal.SIG_DFL)
    runpy.run_module("cardsplit", run_name="__main__")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("command", [["split", "-", "-n", "1"], ["antimerge", "-", "-o", "out"]])
def test_a_signal_that_asks_to_stop_leaves_no_file(here: Path, number: int, command: list[str]):
    """`kill` and a closed terminal are taken as Ctrl-C is."""
    before = everything_in(here)
    with subprocess.Popen(
        [sys.executable, "-c", STOPPABLE, *command], stdin=subprocess.PIPE, stdout=-1, stderr=-1
    ) as process:
        process.stdin.write(b"".join(made_cards(3000)))  # type: ignore[union-attr]  # a pipe
        process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        process.send_signal(number)
        _, told = process.communicate()
    assert process.returncode == 128 + number
    assert told.decode() == (
        f"cardsplit: interrupted by {signal.Signals(number).name}; no file is half written\n"
    )
    assert everything_in(here) == before


INTERRUPTED_PUBLISHING = """if True:
    import os, pathlib, runpy, signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)  # which a background job ignores
    rename, done = os.rename, []
    def interrupted(*paths, **how):
        done.append(paths)
        if len(done) == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return rename(*paths, **how)
    os.rename = interrupted
    sys.argv = ["cardsplit", "split", "many.vcf", "-n", "10", "--force"]
    runpy.run_module("cardsplit", run_name="__main__")
"""


def test_an_interrupt_while_parts_appear_waits_until_all_have(here: Path):
    """They are renamed one after the other, and a half of them is of no use."""
    write_cards(here / "many.vcf", 100)
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED_PUBLISHING], capture_output=True, check=False
    )
    assert done.returncode == 130
    parts = sorted(here.glob("adr.*.vcf"))
    assert b"".join(part.read_bytes() for part in parts) == (here / "many.vcf").read_bytes()
