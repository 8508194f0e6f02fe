"""docs/tour.ipynb runs from top to bottom, and the documentation shows outputs of its own."""

import importlib.util
import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]


def outputs_of(notebook):
    """Kinds of output of each cell of code, by the cell's first line."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return {
        cell.source.partition("\n")[0]: {
            kind for out in cell.outputs for kind in out.get("data", {})
        }
        for cell in cells
    }


@pytest.fixture(scope="module")
def executed():
    """The notebook after a run; a cell that raises fails the tests."""
    spec = importlib.util.spec_from_file_location("tour", ROOT / "scripts/tour.py")
    tour = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tour)
    return tour.executed()


def test_the_notebook_runs(executed):
    """And shows the same kinds of things as the copy that the documentation has."""
    shown = nbformat.read(ROOT / "docs/tour.ipynb", as_version=4)
    found = outputs_of(executed)
    assert found == outputs_of(shown)
    assert any("image/png" in kinds for kinds in found.values())
    assert "<polyline" in str(executed.cells)
    assert not any(out.output_type == "stream" and out.name == "stderr" for out in all_of(executed))


def all_of(notebook):
    """Every output."""
    return [out for cell in notebook.cells if cell.cell_type == "code" for out in cell.outputs]


def test_progress_is_seen_below_the_cell(executed):
    """Its last state stays there."""
    code = [cell for cell in executed.cells if cell.cell_type == "code"]
    (cell,) = [cell for cell in code if "progress=True" in cell.source]
    lines = [out.data.get("text/plain", "") for out in cell.outputs if "data" in out]
    assert re.search(r"loss \S+  \|∇L\| \S+  h \S+  rejected \d+", lines[0])
