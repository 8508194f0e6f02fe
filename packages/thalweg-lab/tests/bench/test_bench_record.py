"""The committed record of the benchmark is read in its old layout and in today's."""

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]


def test_a_record_of_layout_1_and_of_layout_2_give_the_same_table():
    """What version 1 called rungs are targets; the README's table is the same from both."""
    pytest.importorskip("matplotlib")
    spec = importlib.util.spec_from_file_location("script", ROOT / "scripts" / "benchmark.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    page = script.README.read_text("utf-8")
    found = json.loads(script.RECORD.read_text("utf-8"))
    other = {"rungs": "targets", "targets": "rungs"}
    renamed = {
        **found,
        "problems": [
            {other.get(key, key): value for key, value in problem.items()}
            for problem in found["problems"]
        ],
    }
    filled = script.filled(page, found)
    assert script.filled(page, renamed) == filled
    assert "| fits and systems" in filled
    assert any(script.targets_of(problem) for problem in found["problems"])
