"""Rows of a run as TensorBoard's event files."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

from thalweg._util.extras import import_extra
from thalweg.trackers.thinned import ByStart, named

if TYPE_CHECKING:
    from pathlib import Path

    from thalweg._rows import Rows


@final
class TensorBoard:
    """Writes loss, |∇L|, step size and work to a folder that TensorBoard shows.

    Written by tensorboardX, which needs neither PyTorch nor TensorFlow. Rows are thinned to some
    two a second, so that a quick problem is not slowed.

    Args:
        folder: Where the event files go; made if it is not there.

    Raises:
        MissingExtraError: tensorboardX is not installed.
    """

    def __init__(self, folder: str | Path) -> None:
        library = import_extra(
            "tensorboardX", library="tensorboardX", extra="tensorboard", needed_by="`TensorBoard`"
        )
        self._writer = library.SummaryWriter(str(folder))
        self._rows = ByStart()

    def __call__(self, rows: Rows) -> None:
        """Write new rows."""
        for step, values in self._rows.chosen(rows):
            for name, value in named(values, rows.start).items():
                self._writer.add_scalar(name, value, step)
        if rows.is_last:
            self._writer.close()  # its thread has then written all; later rows open a new file
