"""Rows of a run as metrics of MLflow."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, final

from thalweg._util.extras import import_extra
from thalweg.trackers.thinned import ByStart, named

if TYPE_CHECKING:
    from thalweg._rows import Rows

BETWEEN = 1.0  # seconds between two requests: each takes ten milliseconds or more
MOST = 1000  # metrics in a request, which is MLflow's limit


@final
class MLflow:
    """Logs loss, |∇L|, step size and work to a run of MLflow, in one request a second.

    Args:
        run_id: The run; by default the active one, which is begun if there is none.
        client: An `MlflowClient`; by default one of the tracking URI that is set.

    Raises:
        MissingExtraError: MLflow is not installed.
    """

    def __init__(self, run_id: str | None = None, client: Any = None) -> None:
        mlflow = import_extra(
            "mlflow", library="mlflow-skinny", extra="mlflow", needed_by="`MLflow`"
        )
        entities = import_extra(
            "mlflow.entities", library="mlflow-skinny", extra="mlflow", needed_by="`MLflow`"
        )
        if run_id is None:
            run_id = (mlflow.active_run() or mlflow.start_run()).info.run_id
        self._run_id = run_id
        self._client = client if client is not None else mlflow.MlflowClient()
        self._metric = entities.Metric
        self._rows = ByStart()
        self._waiting: list[Any] = []
        self._sent = time.monotonic()

    def __call__(self, rows: Rows) -> None:
        """Log new rows."""
        stamp = int(time.time() * 1000)
        for step, values in self._rows.chosen(rows):
            self._waiting += [
                self._metric(name, value, stamp, step)
                for name, value in named(values, rows.start).items()
            ]
        if rows.is_last or time.monotonic() - self._sent > BETWEEN:
            for begin in range(0, len(self._waiting), MOST):
                self._client.log_batch(self._run_id, metrics=self._waiting[begin : begin + MOST])
            self._waiting, self._sent = [], time.monotonic()
