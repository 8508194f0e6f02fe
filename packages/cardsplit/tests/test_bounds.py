"""Memory stays bounded, and a fault changes nothing."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from vcard_making import card, everything_in, made_cards, write_cards

# What `getrusage` tells of a child includes its parent at the time of the fork.
needs_proc = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")


def memory_of(command: list[str], source: Iterator[bytes] | None = None) -> float:
    """Run the command line in a process of its own; return its greatest memory in MB."""
    script = (
        "import atexit, pathlib, re, sys\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "peak = lambda: int(re.search(r'VmHWM:\\s*(\\d+) kB', status.read_text())[1]) / 1000\n"
        "atexit.register(lambda: print(peak(), file=sys.stderr))\n"
        "from cardsplit.cli import main\n"
        "main()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, *command],
        stdin=subprocess.PIPE if source else None,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as process:
        for block in source or ():
            process.stdin.write(block)  # type: ignore[union-attr]  # it is a pipe
        _, told = process.communicate()
    assert process.returncode == 0, told
    return float(told.splitlines()[-1])


@needs_proc
@pytest.mark.usefixtures("here")
def test_splitting_a_pipe_takes_constant_memory():
    """80 MB from stdin at less than 60 MB, interpreter included; splitting keeps every byte."""
    block = b"".join(made_cards(1000))
    times = 200
    used = memory_of(["split", "-", "-o", "parts", "--preset", "nextcloud"], iter([block] * times))
    assert used < 60
    assert sum(path.stat().st_size for path in Path("parts").iterdir()) == times * len(block)


@needs_proc
@pytest.mark.usefixtures("here")
def test_anti_merging_takes_memory_for_the_names_only():
    """20,000 cards with photos, 68 MB, at less than 70 MB."""
    photo = "PHOTO;ENCODING=b:" + "\r\n ".join(["A" * 74] * 40)
    with open("a.vcf", "wb") as file:  # noqa: PTH123 - short
        file.writelines(
            card(f"N:Miller-{number % 19_000};Peter", f"EMAIL:{number}@b", photo)
            for number in range(20_000)
        )
    assert memory_of(["antimerge", "a.vcf", "-o", "b.vcf"]) < 70
    assert memory_of(["undo", "b.vcf", "-o", "c.vcf"]) < 70
    assert Path("c.vcf").read_bytes() == Path("a.vcf").read_bytes()


# The command in a process that sets itself up first: a fork of this one, which `preexec_fn` would
# be, is not safe where other tests have started threads.
ON_A_FULL_DISK = """if True:
    import resource, runpy, signal
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    most, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        runpy.run_module("cardsplit", run_name="__main__")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))  # coverage writes as well
"""
WITH_CTRL_C = """if True:
    import runpy, signal
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runpy.run_module("cardsplit", run_name="__main__")
"""


@pytest.mark.parametrize(
    "command",
    [["split", "a.vcf"], ["split", "a.vcf", "-o", "new"], ["antimerge", "a.vcf", "-o", "b.vcf"],
     ["antimerge", "a.vcf", "--in-place", "--backup"], ["undo", "a.vcf", "-o", "b.vcf"]],
)  # fmt: skip
def test_a_full_disk_changes_nothing(here: Path, command: list[str]):
    """One sentence, status 1, and every file as it was."""
    write_cards(here / "a.vcf", 3000, namesakes=0.5)
    before = everything_in(here)
    done = subprocess.run(
        [sys.executable, "-c", ON_A_FULL_DISK, *command],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "cannot be written: the system says: File too large; nothing was changed." in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert everything_in(here) == before
    assert not Path("new").exists()


def test_an_interrupt_leaves_no_part(here: Path):
    """Ctrl-C while reading: status 130, and nothing is there."""
    with subprocess.Popen(
        [sys.executable, "-c", WITH_CTRL_C, "split", "-", "-o", "parts", "-n", "1"],
        stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        process.stdin.write(b"".join(made_cards(3000)))  # type: ignore[union-attr]  # a pipe
        process.stdin.flush()  # type: ignore[union-attr]  # a pipe
        while not list(here.glob("parts/.adr.*/2")):
            pass
        process.send_signal(signal.SIGINT)
        _, told = process.communicate()
    assert process.returncode == 130
    assert b"interrupted by SIGINT" in told
    assert list(here.iterdir()) == []
