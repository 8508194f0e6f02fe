"""`make quick` leaves out what was timed as slow, and nothing else."""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXAMPLES = """
import time, pytest

@pytest.mark.parametrize("part", range(3))
def test_slow_in_all_its_parts(part):
    time.sleep(0.2)

def test_quick():
    pass

def test_new():
    pass
"""


def run(folder: Path, *arguments: str) -> str:
    """Run pytest with the workspace's conftest.py in a folder of its own; what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir=.", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_what_was_timed_as_slow_is_left_out(tmp_path: Path):
    """A test counts with all its parameters; a document is one; a part can be timed again."""
    (tmp_path / "tests").mkdir()
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "test_examples.py").write_text(EXAMPLES, "utf-8")
    (tmp_path / "page.md").write_text("```python\nimport time\n\ntime.sleep(0.5)\n```\n", "utf-8")
    assert "6 passed" in run(tmp_path, "--record-slow")
    names = (tmp_path / "tests/slow.txt").read_text("utf-8").split()
    assert names == ["page.md", "test_examples.py::test_slow_in_all_its_parts"]
    assert "2 passed, 4 deselected" in run(tmp_path, "--quick")
    run(tmp_path, "--record-slow", "test_examples.py::test_quick")
    assert (tmp_path / "tests/slow.txt").read_text("utf-8").split() == names
