"""Run docs/tour.ipynb and keep the outputs in it, which the documentation shows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

TOUR = Path(__file__).parents[1] / "docs/tour.ipynb"
SECONDS = 300  # a cell at most


def executed(path: Path = TOUR) -> Any:
    """The notebook with the outputs of a run from top to bottom; raises where a cell does."""
    notebook = nbformat.read(path, as_version=4)
    # Without the times of each cell, which would change the file at every run.
    client = NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", record_timing=False)
    client.create_kernel_manager()
    client.km.transport = "ipc"  # by files, and not by ports that others could listen at
    return client.execute()


if __name__ == "__main__":
    nbformat.write(executed(), TOUR)
