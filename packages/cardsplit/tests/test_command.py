"""The command `cardsplit` is installed and tells its version."""

import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

COMMAND = [str(Path(sysconfig.get_path("scripts"), "cardsplit"))]
MODULE = [sys.executable, "-m", "cardsplit"]


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
