"""Rows of a run in Weights & Biases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, final

from thalweg._util.extras import import_extra
from thalweg.errors import ConfigError
from thalweg.trackers.thinned import ByStart, named

if TYPE_CHECKING:
    from thalweg._rows import Rows


@final
class WandB:
    """Logs loss, |∇L|, step size and work to a run of Weights & Biases, also offline.

    Rows are thinned to some two a second; the library sends them from a process of its own.

    Args:
        run: What `wandb.init(...)` returned; by default the active run.

    Raises:
        MissingExtraError: wandb is not installed.
        ConfigError: No run was given, and none is active.
    """

    def __init__(self, run: Any = None) -> None:
        library = import_extra("wandb", library="wandb", extra="wandb", needed_by="`WandB`")
        self._run = library.run if run is None else run
        if self._run is None:
            raise ConfigError(
                "no run of Weights & Biases is active; call `wandb.init(...)` first, offline with "
                '`mode="offline"`'
            )
        self._rows = ByStart()

    def __call__(self, rows: Rows) -> None:
        """Log new rows. Steps are under `thalweg/step`, as other calls of `log` count their own."""
        for step, values in self._rows.chosen(rows):
            self._run.log({"thalweg/step": step, **named(values, rows.start)})
