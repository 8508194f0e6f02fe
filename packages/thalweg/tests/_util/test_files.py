"""Files that are whole or not there, whoever else writes them."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from thalweg._util.files import whole_file

HELD = """if True:
    import sys, time
    from pathlib import Path
    from thalweg._util.files import whole_file
    with whole_file(Path(sys.argv[1])) as new:
        new.write_text("half")
        print("held", flush=True)
        time.sleep(600)
"""


def test_many_writers_of_one_file_all_succeed_and_leave_one_whole(tmp_path: Path):
    """Each replaces the file as a whole; none takes away the place that another writes to."""
    path = tmp_path / "file"
    errors = []

    def write(letter: str):
        try:
            for _ in range(100):
                with whole_file(path) as new:
                    new.write_text(letter * 1000)
                assert path.read_text() in {other * 1000 for other in "abcd"}
        except BaseException as error:  # noqa: BLE001 - told to the test
            errors.append(error)

    writers = [threading.Thread(target=write, args=(letter,)) for letter in "abcd"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert not errors
    assert [left.name for left in tmp_path.iterdir()] == ["file"]


def test_a_place_in_use_is_left_alone_and_one_of_the_dead_is_taken_over(tmp_path: Path):
    """The lock of a killed process is free; what it left is written over."""
    path = tmp_path / "file"
    command = [sys.executable, "-c", HELD, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with whole_file(path) as new:
            new.write_text("whole")
        assert (tmp_path / ".file.part").read_text() == "half"
        other.send_signal(signal.SIGKILL)
    assert path.read_text() == "whole"
    with whole_file(path) as new:
        assert new.name == ".file.part"
        new.write_text("again")
    assert os.listdir(tmp_path) == ["file"]  # noqa: PTH208 - names suffice
    assert path.read_text() == "again"


def test_a_block_that_raises_leaves_the_file_as_it_was(tmp_path: Path):
    """Nothing half written is left either."""
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(ZeroDivisionError), whole_file(path) as new:  # noqa: PT012 - the block
        new.write_text("half")
        raise ZeroDivisionError
    assert [left.name for left in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"
